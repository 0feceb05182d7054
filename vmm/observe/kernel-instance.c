/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories /sys/kernel/tracing/instances/eret-PID-RANDOM. One outlives the process that made it if that is killed
 * outright, so whoever makes one removes those that nobody has.
 *
 * Whether anybody has one is a lock's to say (flock(2), on the directory): there is one tracefs for all, with processes
 * of other PID namespaces in it, and a number from its name would be looked up in ours, where it is nobody, or somebody
 * else. A lock goes with its process, however that ends. Between making and locking another may take a new directory
 * for one that nobody has: so the lock is only good if the directory is still there afterwards. Once the buffers are
 * open, they keep it as well: the kernel removes none that is read. By then the lock may be lost, where the process has
 * given its root away and descriptors of directories were opened anew.
 *
 * The files of the buffers stay open from one look to the next, and are read, not mapped: libtracefs's own loop opens
 * and maps them anew each time (1.8), and an event that comes between its last look at a page and its word to the
 * kernel that the page has been read is never seen. The layout of a page is libtraceevent's to know (kbuffer).
 */
#define _GNU_SOURCE
#include "vmm/observe/kernel-instance.h"

#include <errno.h>
#include <fcntl.h>
#include <kbuffer.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PATTERN "^eret-[0-9]+-[0-9a-f]{8}$"
#define TRIES        10    /* to make one that stays */
#define PAGE_MAX     65536 /* bytes, the largest page of an ARM64 kernel: one is read at a time */

static bool is_still_there(int fd, const char *path) {
  struct stat opened, there;

  if (fstat(fd, &opened) < 0 || stat(path, &there) < 0)
    return false;
  errno = ENOENT;
  return opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

int kernel_instance_lock(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(fd, path))
    return fd;
  int error_number = errno;
  close(fd);
  errno = error_number;
  return -1;
}

static int remove_stale(const char *name, void *context) {
  if (!g_regex_match_simple(NAME_PATTERN, name, 0, 0))
    return 0;
  g_autofree char *path = g_build_filename(context, "instances", name, NULL);
  int fd = kernel_instance_lock(path);
  struct tracefs_instance *instance = fd < 0 ? NULL : tracefs_instance_create(name); /* opens it: it is there */
  if (instance) {
    tracefs_instance_destroy(instance);
    tracefs_instance_free(instance);
  }
  if (fd >= 0)
    close(fd);
  return 0;
}

/* False: it is another's, or was taken away again. */
static bool lock_new(KernelInstance *instance) {
  char *path = tracefs_instance_is_new(instance->instance) ? tracefs_instance_get_dir(instance->instance) : NULL; /* malloc's */

  instance->lock_fd = path ? kernel_instance_lock(path) : -1;
  free(path);
  return instance->lock_fd >= 0;
}

bool kernel_instance_open(KernelInstance *instance) {
  tracefs_instances_walk(remove_stale, (char *)tracefs_tracing_dir());
  for (unsigned i = 0; i < TRIES; i++) {
    g_autofree char *name = g_strdup_printf("eret-%ld-%08x", (long)getpid(), g_random_int());
    errno = 0;
    instance->instance = tracefs_instance_create(name);
    if (!instance->instance)
      return false;
    if (lock_new(instance))
      return true;
    tracefs_instance_free(g_steal_pointer(&instance->instance));
  }
  return false;
}

bool kernel_instance_open_buffers(KernelInstance *instance) {
  long cpus = MAX(1, sysconf(_SC_NPROCESSORS_CONF));

  instance->page = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
  instance->bytes = g_malloc(PAGE_MAX);
  instance->buffer_fds = g_array_new(FALSE, FALSE, sizeof(int));
  for (long cpu = 0; cpu < cpus; cpu++) {
    g_autofree char *name = g_strdup_printf("per_cpu/cpu%ld/trace_pipe_raw", cpu);
    int fd = tracefs_instance_file_open(instance->instance, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT && errno != ENODEV)
      return false;
    g_array_append_val(instance->buffer_fds, fd);
  }
  return true;
}

/* Also a page that is not full yet; what is added to it later is read later. */
static bool read_page(const KernelInstance *instance, int fd) {
  ssize_t got;

  do
    got = read(fd, instance->bytes, PAGE_MAX);
  while (got < 0 && errno == EINTR);
  return got > 0 && kbuffer_load_subbuffer(instance->page, instance->bytes) == 0;
}

void kernel_instance_drain(KernelInstance *instance, void (*take)(void *opaque, struct tep_record *raw), void *opaque) {
  for (unsigned cpu = 0; cpu < instance->buffer_fds->len; cpu++) {
    while (read_page(instance, g_array_index(instance->buffer_fds, int, cpu))) {
      unsigned long long time;
      void *data;
      while ((data = kbuffer_read_event(instance->page, &time))) {
        struct tep_record raw = {
            .ts = time,
            .size = kbuffer_event_size(instance->page),
            .data = data,
            .cpu = (int)cpu,
            .missed_events = kbuffer_missed_events(instance->page),
        };
        take(opaque, &raw);
        kbuffer_next_event(instance->page, NULL);
      }
    }
  }
}

static void close_buffers(KernelInstance *instance) {
  for (unsigned i = 0; instance->buffer_fds && i < instance->buffer_fds->len; i++)
    if (g_array_index(instance->buffer_fds, int, i) >= 0)
      close(g_array_index(instance->buffer_fds, int, i));
  g_clear_pointer(&instance->buffer_fds, g_array_unref);
  g_clear_pointer(&instance->page, kbuffer_free);
  g_clear_pointer(&instance->bytes, g_free);
}

void kernel_instance_close(KernelInstance *instance) {
  close_buffers(instance);
  if (instance->instance) {
    tracefs_instance_destroy(instance->instance);
    tracefs_instance_free(g_steal_pointer(&instance->instance));
  }
  if (instance->lock_fd >= 0)
    close(instance->lock_fd);
  instance->lock_fd = -1;
}
