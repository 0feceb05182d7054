/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows that a sanitizer is at work, and where it is silent by right: the first write of a guest's to the scratch page
 * has the vCPU's thread do what ERET_FAULT names. Each but `locked` is for a sanitizer to find.
 */
#include <glib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/scratch-stand-in.h"

/* Volatile, so that the compiler neither knows what is in them nor leaves anything out. */
static volatile int number = INT_MAX;
static unsigned char *volatile bytes;
static GMutex lock;

static void overflow(void) {
  bytes = malloc(16);
  bytes[16] = 1;
}

static void use_after_free(void) {
  bytes = malloc(16);
  free(bytes);
  bytes[0] = 1;
}

static void undefined(void) {
  number = number + 1;
}

static void leak(void) {
  bytes = malloc(16);
  bytes = NULL;
}

static void *count(void *unused) {
  for (unsigned i = 0; i < 1000; i++)
    number = (int)i;
  return NULL;
}

static void *count_locked(void *unused) {
  for (unsigned i = 0; i < 1000; i++) {
    g_mutex_lock(&lock);
    number = (int)i;
    g_mutex_unlock(&lock);
  }
  return NULL;
}

/* The same in this thread and in another. */
static void twice(GThreadFunc act) {
  GThread *other = g_thread_new("other", act, NULL);

  act(NULL);
  g_thread_join(other);
}

static void race(void) {
  twice(count);
}

static void locked(void) {
  twice(count_locked);
}

static const struct {
  const char *name;
  void (*commit)(void);
} faults[] = {
    {"overflow", overflow}, {"use-after-free", use_after_free}, {"undefined", undefined}, {"leak", leak}, {"race", race},
    {"locked", locked},
};

void scratch_stand_in_written(void) {
  static int committed;
  const char *wanted = getenv("ERET_FAULT");

  if (!wanted || __atomic_exchange_n(&committed, 1, __ATOMIC_SEQ_CST))
    return;
  for (size_t i = 0; i < G_N_ELEMENTS(faults); i++)
    if (strcmp(faults[i].name, wanted) == 0)
      faults[i].commit();
}
