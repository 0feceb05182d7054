/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process that has it in for us, played by a thread: two names exchange what they stand for, over and over, so
 * that what was looked at is not what is opened. Tests only.
 */
#pragma once

#include <fcntl.h>
#include <glib.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
  const char *a, *b;
  GThread *thread;
  int stop;      /* atomic */
  int exchanges; /* atomic */
} Exchanger;

static inline bool exchange_names(const char *a, const char *b) {
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

static inline gpointer exchange_run(gpointer data) {
  Exchanger *exchanger = data;

  while (!__atomic_load_n(&exchanger->stop, __ATOMIC_SEQ_CST)) {
    g_assert_true(exchange_names(exchanger->a, exchanger->b));
    __atomic_fetch_add(&exchanger->exchanges, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

/* Returns when it is at work. False: this file system cannot. */
static inline bool exchanger_start(Exchanger *exchanger, const char *a, const char *b) {
  *exchanger = (Exchanger){.a = a, .b = b};
  if (!exchange_names(a, b))
    return false;
  exchanger->thread = g_thread_new("exchanger", exchange_run, exchanger);
  while (!__atomic_load_n(&exchanger->exchanges, __ATOMIC_SEQ_CST))
    g_usleep(100);
  return true;
}

static inline void exchanger_stop(Exchanger *exchanger) {
  __atomic_store_n(&exchanger->stop, 1, __ATOMIC_SEQ_CST);
  g_thread_join(exchanger->thread);
  g_assert_cmpint(exchanger->exchanges, >, 0);
}
