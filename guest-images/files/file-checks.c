/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs rely on in a file system, for tests of one that somebody else serves:
 *
 *   file-checks model FILE SEED COUNT     COUNT operations on FILE (writes, reads, truncations, by calls and by mappings),
 *                                         each held against a copy in memory
 *   file-checks calls DIRECTORY           what POSIX and Linux say of names, links, modes, locks and the like
 *   file-checks many DIRECTORY COUNT      makes, finds, looks at and removes so many files
 *   file-checks walk DIRECTORY            looks at what is in its directories already, and opens it
 *
 * Each says what is wrong, a line each; status 0: nothing.
 */
#define _GNU_SOURCE
#include "file-checks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned wrong;

void complain(const char *what, const char *why) {
  printf("wrong: %s: %s\n", what, why);
  wrong++;
}

/* A file and its model. */

#define MODEL_MAX (256 * 1024)

static uint8_t model[MODEL_MAX], found[MODEL_MAX];
static size_t model_size;
static uint64_t state;

/* xorshift64*: the same sequence for the same seed. */
static uint32_t pick(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return below ? (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32) % below : 0;
}

static void fill(uint8_t *to, size_t size) {
  for (size_t i = 0; i < size; i++)
    to[i] = (uint8_t)pick(256);
}

static void grow(size_t size) {
  if (size <= model_size)
    return;
  memset(model + model_size, 0, size - model_size);
  model_size = size;
}

static bool do_write(int fd) {
  size_t at = pick(MODEL_MAX), size = 1 + pick((uint32_t)(MODEL_MAX - at < 65536 ? MODEL_MAX - at : 65536));

  grow(at + size);
  fill(model + at, size);
  return pwrite(fd, model + at, size, (off_t)at) == (ssize_t)size;
}

static bool do_read(int fd) {
  size_t at = pick((uint32_t)model_size + 1), size = pick(65536), there = model_size - at < size ? model_size - at : size;

  memset(found, 0xaa, size);
  return pread(fd, found, size, (off_t)at) == (ssize_t)there && memcmp(found, model + at, there) == 0;
}

static bool do_truncate(int fd) {
  size_t size = pick(MODEL_MAX);

  grow(size);
  model_size = size;
  struct stat status;
  return ftruncate(fd, (off_t)size) == 0 && fstat(fd, &status) == 0 && (size_t)status.st_size == size;
}

/* Through a mapping: it is looked at, and a part is written. */
static bool do_map(int fd) {
  size_t at = pick((uint32_t)model_size), size = model_size ? 1 + pick((uint32_t)(model_size - at)) : 0;

  if (size == 0)
    return true;
  uint8_t *mapped = mmap(NULL, model_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED)
    return false;
  bool same = memcmp(mapped, model, model_size) == 0;
  fill(model + at, size);
  memcpy(mapped + at, model + at, size);
  bool synced = pick(2) || msync(mapped, model_size, MS_SYNC) == 0;
  return munmap(mapped, model_size) == 0 && same && synced;
}

static bool do_sync(int fd) {
  return fsync(fd) == 0;
}

static int check_model(const char *path, uint64_t seed, unsigned long count) {
  static bool (*const operations[])(int fd) = {do_write, do_read, do_truncate, do_map, do_read, do_sync};
  static const char *const names[] = {"write", "read", "truncate", "map", "read", "sync"};
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

  state = seed ? seed : 1;
  for (unsigned long i = 0; i < count && fd >= 0; i++) {
    unsigned which = pick(sizeof operations / sizeof *operations);
    errno = 0;
    if (!operations[which](fd)) {
      printf("wrong: operation %lu of seed %lu, %s: %s\n", i, (unsigned long)seed, names[which], errno ? strerror(errno) : "other bytes");
      return 1;
    }
    if (pick(16) == 0) { /* another opening sees the same */
      close(fd);
      fd = open(path, O_RDWR | O_CLOEXEC);
    }
  }
  if (fd < 0) {
    perror(path);
    return 1;
  }
  return close(fd) != 0;
}

/* Many files. */

static int check_many(const char *directory, unsigned long count) {
  struct stat status;
  char name[64];

  if (chdir(directory) < 0) {
    perror(directory);
    return 1;
  }
  for (unsigned long i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%lu", i / 1000);
    if (i % 1000 == 0 && mkdir(name, 0755) < 0)
      complain(name, strerror(errno));
    snprintf(name, sizeof name, "%lu/%lu", i / 1000, i);
    if (close(make_file(name, name)) < 0)
      complain(name, strerror(errno));
  }
  for (unsigned long i = 0; i < count && wrong < 10; i++) {
    snprintf(name, sizeof name, "%lu/%lu", i / 1000, i);
    if (stat(name, &status) < 0 || (size_t)status.st_size != strlen(name) || !is_text(name, name))
      complain(name, "it is not what was made");
  }
  for (unsigned long i = 0; i < count && wrong < 10; i++) {
    snprintf(name, sizeof name, "%lu/%lu", i / 1000, i);
    if (unlink(name) < 0)
      complain(name, strerror(errno));
  }
  return wrong > 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc == 5 && strcmp(argv[1], "model") == 0)
    return check_model(argv[2], strtoull(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
  if (argc == 3 && strcmp(argv[1], "calls") == 0)
    return check_calls(argv[2]);
  if (argc == 4 && strcmp(argv[1], "many") == 0)
    return check_many(argv[2], strtoul(argv[3], NULL, 10));
  if (argc == 3 && strcmp(argv[1], "walk") == 0)
    return check_walk(argv[2]);
  fprintf(stderr, "usage: file-checks model FILE SEED COUNT | calls DIRECTORY | many DIRECTORY COUNT | walk DIRECTORY\n");
  return 2;
}
