/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files stay open from one look to the next, and are read, not mapped: libtracefs's own loop opens and maps them
 * anew each time (1.8), and an event that comes between its last look at a page and its word to the kernel that the
 * page has been read is never seen. The layout of a page is libtraceevent's to know (kbuffer).
 */
#include "vmm/observe/kernel-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <kbuffer.h>
#include <stdint.h>
#include <unistd.h>

#define PAGE_MAX 65536 /* bytes, the largest page of an ARM64 kernel: one is read at a time */

struct KernelReader {
  struct kbuffer *page;
  uint8_t *bytes; /* of PAGE_MAX */
  GArray *fds;    /* of int, a CPU each; -1: there is no such CPU */
};

KernelReader *kernel_reader_new(struct tracefs_instance *instance) {
  long cpus = MAX(1, sysconf(_SC_NPROCESSORS_CONF));
  KernelReader *reader = g_new0(KernelReader, 1);

  reader->page = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
  reader->bytes = g_malloc(PAGE_MAX);
  reader->fds = g_array_new(FALSE, FALSE, sizeof(int));
  for (long cpu = 0; cpu < cpus; cpu++) {
    g_autofree char *name = g_strdup_printf("per_cpu/cpu%ld/trace_pipe_raw", cpu);
    int fd = tracefs_instance_file_open(instance, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT && errno != ENODEV) {
      int reason = errno;
      kernel_reader_free(reader);
      errno = reason;
      return NULL;
    }
    g_array_append_val(reader->fds, fd);
  }
  return reader;
}

void kernel_reader_free(KernelReader *reader) {
  if (!reader)
    return;
  for (unsigned i = 0; i < reader->fds->len; i++)
    if (g_array_index(reader->fds, int, i) >= 0)
      close(g_array_index(reader->fds, int, i));
  g_array_unref(reader->fds);
  kbuffer_free(reader->page);
  g_free(reader->bytes);
  g_free(reader);
}

/* Also a page that is not full yet; what is added to it later is read later. */
static bool read_page(const KernelReader *reader, int fd) {
  ssize_t got;

  do
    got = read(fd, reader->bytes, PAGE_MAX);
  while (got < 0 && errno == EINTR);
  return got > 0 && kbuffer_load_subbuffer(reader->page, reader->bytes) == 0;
}

void kernel_reader_drain(KernelReader *reader, void (*take)(void *opaque, struct tep_record *raw), void *opaque) {
  for (unsigned cpu = 0; cpu < reader->fds->len; cpu++) {
    while (read_page(reader, g_array_index(reader->fds, int, cpu))) {
      unsigned long long time;
      void *data;
      while ((data = kbuffer_read_event(reader->page, &time))) {
        struct tep_record raw = {
            .ts = time,
            .size = kbuffer_event_size(reader->page),
            .data = data,
            .cpu = (int)cpu,
            .missed_events = kbuffer_missed_events(reader->page),
        };
        take(opaque, &raw);
        kbuffer_next_event(reader->page, NULL);
      }
    }
  }
}
