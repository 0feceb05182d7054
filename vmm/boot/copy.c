/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying what is large by several threads at once: on a machine with more than one CPU most of the time from the start
 * of the process to the guest's first instruction goes into the kernel image, so it is copied while the rest is made.
 * It is copied, and not mapped from its file, because memory that is not a file's comes in huge pages: a boot of
 * Debian's kernel takes a sixth of the exits, and two thirds of the time, that it takes on a kernel mapped
 * copy-on-write, page by page.
 */
#include "vmm/boot/copy.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define CHUNK       ((size_t)2 << 20) /* a huge page: no two threads fault on one */
#define MAX_THREADS 4u                /* memory is not faster for more */

struct Copy {
  uint8_t *to;
  const uint8_t *from;
  size_t size;
  size_t next; /* where the next chunk begins; atomic */
  GThread *threads[MAX_THREADS - 1];
  unsigned n_threads;
};

static gpointer copy_chunks(gpointer data) {
  Copy *copy = data;
  size_t at;

  while ((at = __atomic_fetch_add(&copy->next, CHUNK, __ATOMIC_RELAXED)) < copy->size)
    memcpy(copy->to + at, copy->from + at, MIN(CHUNK, copy->size - at));
  return NULL;
}

Copy *copy_begin(void *to, const void *from, size_t size) {
  Copy *copy = g_new(Copy, 1);
  size_t wanted = size < 2 * CHUNK ? 1 : MIN(MIN(g_get_num_processors(), MAX_THREADS), size / CHUNK);

  *copy = (Copy){.to = to, .from = from, .size = size};
  /* The caller will be one of them. Where there can be no thread, it does the work alone. */
  while (copy->n_threads + 1 < wanted && (copy->threads[copy->n_threads] = g_thread_try_new("copy", copy_chunks, copy, NULL)))
    copy->n_threads++;
  return copy;
}

static void finish(Copy *copy) {
  while (copy->n_threads > 0)
    g_thread_join(copy->threads[--copy->n_threads]);
  g_free(copy);
}

void copy_end(Copy *copy) {
  copy_chunks(copy);
  finish(copy);
}

void copy_cancel(Copy *copy) {
  if (!copy)
    return;
  __atomic_store_n(&copy->next, copy->size, __ATOMIC_RELAXED);
  finish(copy);
}
