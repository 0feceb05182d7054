/* SPDX-License-Identifier: Apache-2.0 */
/* Many files that somebody else has made, in directories of a directory: each is looked at and opened. */
#define _GNU_SOURCE
#include "file-checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  unsigned long found, opened, failed;
  int code; /* of the first that failed */
} Walk;

static void walk_failed(Walk *walk) {
  walk->failed++;
  if (!walk->code)
    walk->code = errno;
}

static void look_at_file(Walk *walk, int directory, const char *name) {
  struct stat status;
  int fd;

  walk->found++;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || (fd = openat(directory, name, O_RDONLY | O_CLOEXEC)) < 0) {
    walk_failed(walk);
    return;
  }
  walk->opened++;
  close(fd);
}

/* The files of the directory NAME. */
static void walk_one(Walk *walk, int parent, const char *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  struct dirent *entry;

  if (!directory) {
    walk_failed(walk);
    return;
  }
  while (errno = 0, (entry = readdir(directory)))
    if (entry->d_name[0] != '.')
      look_at_file(walk, fd, entry->d_name);
  if (errno)
    walk_failed(walk);
  closedir(directory);
}

int check_walk(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  Walk walk = {0};

  if (!directory) {
    perror(path);
    return 1;
  }
  while (errno = 0, (entry = readdir(directory)))
    if (entry->d_name[0] != '.')
      walk_one(&walk, dirfd(directory), entry->d_name);
  if (errno)
    walk_failed(&walk);
  closedir(directory);
  printf("found %lu, opened %lu, failed %lu%s%s\n", walk.found, walk.opened, walk.failed, walk.failed ? ": " : "",
         walk.failed ? strerror(walk.code) : "");
  return walk.failed > 0;
}
