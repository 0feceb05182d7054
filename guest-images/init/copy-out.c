/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that come out: an archive in cpio's "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst), in which the N-th path asked for is
 * "N", or "N/..." where it is a directory. Files, directories, and symbolic links; of anything else it is said that it was left out.
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

/* The size was promised: a file that shrinks is filled up with zeros, one that grows is cut. */
static void put_contents(Archive *archive, int fd, size_t size) {
  static char bytes[65536];

  for (size_t left = size; left;) {
    ssize_t got = read(fd, bytes, left < sizeof bytes ? left : sizeof bytes);
    if (got <= 0) {
      got = (ssize_t)(left < sizeof bytes ? left : sizeof bytes);
      memset(bytes, 0, (size_t)got);
    }
    put(archive, bytes, (size_t)got);
    left -= (size_t)got;
  }
  pad(archive, size);
}

static void put_link(Archive *archive, const char *path, const char *name, const struct stat *status) {
  char target[4096];
  ssize_t size = readlink(path, target, sizeof target);

  if (size < 0)
    return;
  put_header(archive, name, status, (size_t)size);
  put(archive, target, (size_t)size);
  pad(archive, (size_t)size);
}

static bool put_path(Archive *archive, const char *path, const char *name);

static bool put_directory(Archive *archive, const char *path, const char *name, const struct stat *status) {
  struct dirent **entries;
  int n = scandir(path, &entries, NULL, alphasort);
  bool whole = n >= 0;

  put_header(archive, name, status, 0);
  for (int i = 0; i < n; i++) {
    const char *base = entries[i]->d_name;
    if (strcmp(base, ".") != 0 && strcmp(base, "..") != 0) {
      char *below, *below_name;
      if (asprintf(&below, "%s/%s", path, base) < 0 || asprintf(&below_name, "%s/%s", name, base) < 0)
        return false;
      whole &= put_path(archive, below, below_name);
      free(below);
      free(below_name);
    }
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
  return whole;
}

static bool put_path(Archive *archive, const char *path, const char *name) {
  struct stat status;

  if (lstat(path, &status) < 0) {
    control_say("files failed %s: %s", path, strerror(errno));
    return false;
  }
  if (S_ISDIR(status.st_mode))
    return put_directory(archive, path, name, &status);
  if (S_ISLNK(status.st_mode)) {
    put_link(archive, path, name, &status);
    return true;
  }
  if (!S_ISREG(status.st_mode)) {
    control_say("files failed %s: neither a file, a directory nor a link: left out", path);
    return false;
  }
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || status.st_size > UINT32_MAX) {
    control_say("files failed %s: %s", path, fd < 0 ? strerror(errno) : "larger than 4 GiB: left out");
    if (fd >= 0)
      close(fd);
    return false;
  }
  put_header(archive, name, &status, (size_t)status.st_size);
  put_contents(archive, fd, (size_t)status.st_size);
  close(fd);
  return true;
}

void send_files(const Spec *spec, int fd) {
  Archive archive = {.fd = fd, .inode = 1};
  const struct stat trailer = {0};

  for (unsigned i = 0; spec->copy_out && spec->copy_out[i]; i++) {
    char name[16];
    snprintf(name, sizeof name, "%u", i);
    put_path(&archive, spec->copy_out[i], name);
  }
  if (spec->copy_out)
    put_header(&archive, "TRAILER!!!", &trailer, 0);
  close(fd);
  if (spec->copy_out)
    control_say(archive.failed ? "files failed the port was closed" : "files END");
}
