/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that come out: an archive in cpio's "newc" format (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst), in which the N-th path asked for is "N", or "N/..."
 * where it is a directory. Files, directories, and symbolic links; of anything else it is said that it was left out. A
 * link that was asked for itself is followed: the host takes none there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define PATH_SHOWN  800
#define SMALL_FILE  (512u << 10) /* is read before its size is told */
#define UNSIZED_MAX (32u << 20)  /* of such a file, that is more than it said */

typedef struct {
  int fd;
  unsigned inode; /* every entry has its own: no hard links */
  bool failed;
} Archive;

static void put(Archive *archive, const void *bytes, size_t size) {
  if (!archive->failed && !write_all(archive->fd, bytes, size))
    archive->failed = true;
}

static void pad(Archive *archive, size_t size) {
  put(archive, "\0\0\0", -size & 3);
}

static void put_header(Archive *archive, const char *name, const struct stat *status, size_t size) {
  char header[111];
  size_t length = strlen(name) + 1;

  snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", archive->inode++, (unsigned)status->st_mode,
           (unsigned)status->st_uid, (unsigned)status->st_gid, 1u, (unsigned)status->st_mtime, (unsigned)size, 0u, 0u, 0u, 0u,
           (unsigned)length, 0u);
  put(archive, header, 110);
  put(archive, name, length);
  pad(archive, 110 + length);
}

/* A line of the control port is short: of a long path, its end. */
static void complain(const char *path, const char *why) {
  size_t length = strlen(path);
  bool cut = length > PATH_SHOWN;

  control_say("files failed %s%s: %s", cut ? "..." : "", path + (cut ? length - PATH_SHOWN : 0), why);
}

/* The size was promised: a file that shrinks is filled up with zeros, one that grows is cut. */
static void put_contents(Archive *archive, const char *path, int fd, size_t size) {
  static char bytes[65536];
  const char *why = NULL;

  for (size_t left = size; left;) {
    ssize_t got = why ? 0 : read(fd, bytes, left < sizeof bytes ? left : sizeof bytes);
    if (got <= 0) {
      if (!why)
        why = got < 0 ? strerror(errno) : "became shorter while it was copied: filled up with zeros";
      got = (ssize_t)(left < sizeof bytes ? left : sizeof bytes);
      memset(bytes, 0, (size_t)got);
    }
    put(archive, bytes, (size_t)got);
    left -= (size_t)got;
  }
  pad(archive, size);
  if (why)
    complain(path, why);
}

static void put_bytes(Archive *archive, const char *name, const struct stat *status, const char *bytes, size_t size) {
  put_header(archive, name, status, size);
  put(archive, bytes, size);
  pad(archive, size);
}

static void put_link(Archive *archive, const char *path, const char *name, const struct stat *status) {
  char target[4096];
  ssize_t size = readlink(path, target, sizeof target);

  if (size < 0)
    complain(path, strerror(errno));
  else
    put_bytes(archive, name, status, target, (size_t)size);
}

/* Files of the kernel's, in /proc and /sys, have not the size that they say: what there is is seen by reading. */
static void put_small_file(Archive *archive, const char *path, const char *name, const struct stat *status, int fd) {
  size_t size = 0, room = 0;
  char *bytes = NULL;
  ssize_t got = 0;

  do {
    size += (size_t)got;
    if (size == room) {
      room += 65536;
      char *more = room > UNSIZED_MAX ? NULL : realloc(bytes, room);
      if (!more) {
        complain(path, "larger than it says: cut");
        break;
      }
      bytes = more;
    }
    got = read(fd, bytes + size, room - size);
  } while (got > 0);
  if (got < 0)
    complain(path, strerror(errno));
  else
    put_bytes(archive, name, status, bytes, size);
  free(bytes);
}

static void put_file(Archive *archive, const char *path, const char *name, const struct stat *status) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0) {
    complain(path, strerror(errno));
    return;
  }
  if (status->st_size > UINT32_MAX) {
    complain(path, "larger than 4 GiB: left out");
  } else if (status->st_size < SMALL_FILE) {
    put_small_file(archive, path, name, status, fd);
  } else {
    put_header(archive, name, status, (size_t)status->st_size);
    put_contents(archive, path, fd, (size_t)status->st_size);
  }
  close(fd);
}

static void put_path(Archive *archive, const char *path, const char *name, bool follow);

static void put_directory(Archive *archive, const char *path, const char *name, const struct stat *status) {
  struct dirent **entries;
  int n = scandir(path, &entries, NULL, alphasort);

  put_header(archive, name, status, 0);
  if (n < 0)
    complain(path, strerror(errno));
  for (int i = 0; i < n; i++) {
    const char *base = entries[i]->d_name;
    char *below = NULL, *below_name = NULL;
    if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
      ;
    else if (asprintf(&below, "%s/%s", path, base) < 0 || asprintf(&below_name, "%s/%s", name, base) < 0)
      complain(path, "no memory");
    else
      put_path(archive, below, below_name, false);
    free(below);
    free(below_name);
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
}

static void put_path(Archive *archive, const char *path, const char *name, bool follow) {
  struct stat status;

  if ((follow ? stat : lstat)(path, &status) < 0)
    complain(path, strerror(errno));
  else if (S_ISDIR(status.st_mode))
    put_directory(archive, path, name, &status);
  else if (S_ISLNK(status.st_mode))
    put_link(archive, path, name, &status);
  else if (S_ISREG(status.st_mode))
    put_file(archive, path, name, &status);
  else
    complain(path, "neither a file, a directory nor a link: left out");
}

void send_files(const Spec *spec, int fd) {
  Archive archive = {.fd = fd, .inode = 1};
  const struct stat trailer = {0};

  for (unsigned i = 0; spec->copy_out && spec->copy_out[i]; i++) {
    char name[16];
    snprintf(name, sizeof name, "%u", i);
    put_path(&archive, spec->copy_out[i], name, true);
  }
  if (spec->copy_out)
    put_header(&archive, "TRAILER!!!", &trailer, 0);
  close(fd);
  if (spec->copy_out)
    control_say(archive.failed ? "files failed the port was closed" : "files END");
}
