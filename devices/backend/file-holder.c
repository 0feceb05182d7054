/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F_OFD_GETLK and /proc/locks have -1 in the place of the process, as such a lock belongs to an open file that several
 * may share. But /proc/PID/fdinfo tells of each descriptor the locks that its file has (proc(5)), and /proc/PID/fd
 * which file that is. All of it may be gone a moment later.
 *
 * Locks: none.
 */
#define _GNU_SOURCE /* statx, O_PATH */
#include "devices/backend/file-holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devices/printable.h"

#define INFO_SIZE 4096 /* bytes of a descriptor's information: some ten lines, then a line for each lock */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static DIR *open_directory(int at, const char *name) {
  int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);

  if (!directory && fd >= 0)
    close(fd);
  return directory;
}

/* Up to SIZE - 1 bytes of a file in /proc, and a 0. */
static bool read_text(int at, const char *name, char *to, size_t size) {
  int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, to, size - 1);

  if (fd >= 0)
    close(fd);
  to[MAX(got, 0)] = '\0';
  return got > 0;
}

/* As the host remembers it: no server is asked, which may not answer. */
static bool is_same(int descriptors, const char *name, const struct stat *status) {
  struct statx other;

  if (statx(descriptors, name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &other) < 0)
    return false;
  if (S_ISBLK(status->st_mode))
    return S_ISBLK(other.stx_mode) && makedev(other.stx_rdev_major, other.stx_rdev_minor) == status->st_rdev;
  return makedev(other.stx_dev_major, other.stx_dev_minor) == status->st_dev && other.stx_ino == status->st_ino;
}

static bool has_lock(int process, const char *descriptor) {
  g_autofree char *name = g_strconcat("fdinfo/", descriptor, NULL);
  char info[INFO_SIZE];

  return read_text(process, name, info, sizeof info) && strstr(info, "\nlock:");
}

static bool holds(int process, const struct stat *status) {
  g_autoptr(DIR) descriptors = open_directory(process, "fd");
  const struct dirent *entry;

  while (descriptors && (entry = readdir(descriptors)))
    if (entry->d_name[0] != '.' && is_same(dirfd(descriptors), entry->d_name, status) && has_lock(process, entry->d_name))
      return true;
  return false;
}

static char *describe(int process, const char *id) {
  char name[64];

  if (!read_text(process, "comm", name, sizeof name))
    return g_strdup_printf("process %s", id);
  g_autofree char *shown = printable_line(g_strchomp(name), -1);
  return g_strdup_printf("process %s (%s)", id, shown);
}

char *file_holder(const struct stat *status) {
  g_autoptr(DIR) processes = open_directory(AT_FDCWD, "/proc");
  const struct dirent *entry;
  char *holder = NULL;

  while (processes && !holder && (entry = readdir(processes))) {
    int process = g_ascii_isdigit(entry->d_name[0]) ? openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    if (process >= 0 && holds(process, status))
      holder = describe(process, entry->d_name);
    if (process >= 0)
      close(process);
  }
  return holder;
}
