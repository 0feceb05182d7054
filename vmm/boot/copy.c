/*
 * Copying what is large by several threads at once: on a machine with more than one CPU most of the time from the start of the process to the guest's first instruction
 * goes into the kernel image. It is copied, and not mapped from its file, because memory that is not a file's comes in huge pages: a boot of Debian's kernel takes a
 * sixth of the exits, and two thirds of the time, that it takes on a kernel mapped copy-on-write, page by page.
 */
#include "vmm/boot/copy.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define CHUNK       ((size_t)2 << 20) /* a huge page: no two threads fault on one */
#define MAX_THREADS 4u                /* memory is not faster for more */

typedef struct {
  uint8_t *to;
  const uint8_t *from;
  size_t size;
  size_t next; /* where the next chunk begins; atomic */
} Copy;

static gpointer copy_chunks(gpointer data) {
  Copy *copy = data;
  size_t at;

  while ((at = __atomic_fetch_add(&copy->next, CHUNK, __ATOMIC_RELAXED)) < copy->size)
    memcpy(copy->to + at, copy->from + at, MIN(CHUNK, copy->size - at));
  return NULL;
}

void copy_large(void *to, const void *from, size_t size) {
  Copy copy = {.to = to, .from = from, .size = size};
  unsigned wanted = MIN(MIN(g_get_num_processors(), MAX_THREADS), (unsigned)MIN(size / CHUNK, MAX_THREADS)), n = 0;
  GThread *threads[MAX_THREADS];

  /* This one is one of them. Where there can be no thread, it does the work alone. */
  while (n + 1 < wanted && (threads[n] = g_thread_try_new("copy", copy_chunks, &copy, NULL)))
    n++;
  copy_chunks(&copy);
  while (n > 0)
    g_thread_join(threads[--n]);
}
