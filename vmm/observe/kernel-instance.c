/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories /sys/kernel/tracing/instances/eret-PID-RANDOM. One outlives the process that made it if that is killed
 * outright, so whoever makes one removes those that nobody has.
 *
 * Whether anybody has one is a lock's to say (flock(2), on the directory): there is one tracefs for all, with processes
 * of other PID namespaces in it, and a number from its name would be looked up in ours, where it is nobody, or somebody
 * else. A lock goes with its process, however that ends. Between making and locking another may take a new directory
 * for one that nobody has: so the lock is only good if the directory is still there afterwards.
 */
#define _GNU_SOURCE
#include "vmm/observe/kernel-instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PATTERN "^eret-[0-9]+-[0-9a-f]{8}$"
#define TRIES        10 /* to make one that stays */

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

void kernel_instance_close(KernelInstance *instance) {
  if (instance->instance) {
    tracefs_instance_destroy(instance->instance);
    tracefs_instance_free(g_steal_pointer(&instance->instance));
  }
  if (instance->lock_fd >= 0)
    close(instance->lock_fd);
  instance->lock_fd = -1;
}
