/* SPDX-License-Identifier: Apache-2.0 */
/* A disk image with a channel on a thread of its own, for tests: requests that are waited for. */
#pragma once

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk-image.h"
#include "tests/unit/devices/backend/for-engines.h"

#define SIZE    (4u << 20)
#define WAIT_US (60 * G_USEC_PER_SEC)

typedef struct {
  char *directory, *path;
  DiskImage *image;
  DiskChannel *channel;
  IoThread *thread;
  /* The I/O thread's. */
  int batches;
  bool kicking;
  int in_kicks; /* completions that a kick of ours delivered */
} Fixture;

typedef struct {
  DiskImageRequest io; /* first */
  Fixture *fixture;
  int done; /* atomic */
  int result;
  bool then_flush;
} Request;

static inline char *make_directory(void) {
  g_autoptr(GError) error = NULL;
  char *directory = g_dir_make_tmp("eret-test-XXXXXX", &error);

  g_assert_no_error(error);
  return directory;
}

static inline void make_file(const char *path, off_t size) {
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(ftruncate(fd, size), ==, 0);
  close(fd);
}

static inline void count_batch(void *opaque) {
  ((Fixture *)opaque)->batches++;
}

static inline void do_start(void *opaque) {
  Fixture *fixture = opaque;

  disk_channel_start(fixture->channel, fixture->thread);
}

static inline void do_stop(void *opaque) {
  disk_channel_stop(((Fixture *)opaque)->channel);
}

static inline void fixture_remove(Fixture *fixture) {
  g_unlink(fixture->path);
  g_rmdir(fixture->directory);
  g_free(fixture->path);
  g_free(fixture->directory);
  g_free(fixture);
}

/* NULL, the test skipped, where the host has no such engine. PATH is taken; without one it is a file of SIZE bytes. */
static inline Fixture *fixture_open(const DiskImageOptions *options, char *path) {
  g_autoptr(GError) error = NULL;
  Fixture *fixture = g_new0(Fixture, 1);

  fixture->directory = make_directory();
  fixture->path = path ? path : g_build_filename(fixture->directory, "disk", NULL);
  if (!path)
    make_file(fixture->path, SIZE);
  fixture->image = disk_image_open(fixture->path, options, &error);
  g_assert_no_error(error);
  fixture->channel = disk_channel_new(fixture->image, &error);
  if (!fixture->channel) {
    g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE);
    g_test_skip(error->message);
    disk_image_free(fixture->image);
    fixture_remove(fixture);
    return NULL;
  }
  fixture->thread = io_thread_new("disk-test", NULL);
  g_assert_true(io_thread_start(fixture->thread, NULL, NULL));
  disk_channel_set_batch_end(fixture->channel, count_batch, fixture);
  io_thread_call(fixture->thread, do_start, fixture);
  return fixture;
}

static inline void fixture_free(Fixture *fixture) {
  io_thread_call(fixture->thread, do_stop, fixture);
  io_thread_free(fixture->thread);
  disk_channel_free(fixture->channel);
  disk_image_free(fixture->image);
  fixture_remove(fixture);
}

static inline void on_done(DiskImageRequest *io, int result) {
  Request *request = (Request *)io;

  if (request->then_flush && result == 0) {
    request->then_flush = false;
    request->io.operation = DISK_IMAGE_FLUSH;
    disk_channel_submit(request->fixture->channel, &request->io);
    return;
  }
  request->result = result;
  request->fixture->in_kicks += request->fixture->kicking;
  __atomic_fetch_add(&request->done, 1, __ATOMIC_SEQ_CST);
}

static inline void kick(Fixture *fixture) {
  fixture->kicking = true;
  disk_channel_kick(fixture->channel);
  fixture->kicking = false;
}

static inline void wait_for(Request *request) {
  int64_t deadline = g_get_monotonic_time() + WAIT_US;

  while (!__atomic_load_n(&request->done, __ATOMIC_SEQ_CST)) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(50);
  }
  g_assert_cmpint(__atomic_load_n(&request->done, __ATOMIC_SEQ_CST), ==, 1);
}

static inline void do_submit(void *opaque) {
  Request *request = opaque;

  request->io.done = on_done;
  disk_channel_submit(request->fixture->channel, &request->io);
  kick(request->fixture);
}

/* Requests at a time. STOP: the channel is stopped then, which is over when they are, and started again. */
typedef struct {
  Fixture *fixture;
  Request *requests;
  unsigned n;
  bool stop;
} Many;

static inline void submit_many(void *opaque) {
  Many *many = opaque;

  for (unsigned i = 0; i < many->n; i++) {
    many->requests[i].fixture = many->fixture;
    many->requests[i].io.done = on_done;
    disk_channel_submit(many->fixture->channel, &many->requests[i].io);
  }
  kick(many->fixture);
  if (!many->stop)
    return;
  disk_channel_stop(many->fixture->channel);
  for (unsigned i = 0; i < many->n; i++)
    g_assert_cmpint(many->requests[i].done, ==, 1);
  do_start(many->fixture);
}

static inline int run_request(Fixture *fixture, Request *request) {
  request->fixture = fixture;
  request->done = 0;
  io_thread_call(fixture->thread, do_submit, request);
  wait_for(request);
  return request->result;
}

static inline int run_range(Fixture *fixture, DiskImageOperation operation, uint64_t offset, uint64_t size, bool may_unmap) {
  Request request = {.io = {.operation = operation, .offset = offset, .size = size, .may_unmap = may_unmap}};

  return run_request(fixture, &request);
}

static inline int run_transfer(Fixture *fixture, DiskImageOperation operation, uint64_t offset, void *bytes, size_t size) {
  struct iovec iov = {bytes, size};
  Request request = {.io = {.operation = operation, .offset = offset, .size = size, .iov = &iov, .n_iov = 1}};

  return run_request(fixture, &request);
}

static inline uint8_t *random_bytes(size_t size) {
  uint8_t *bytes = g_malloc(size);

  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t)g_test_rand_int();
  return bytes;
}

static inline void assert_on_disk(const Fixture *fixture, uint64_t offset, const void *expected, size_t size) {
  g_autofree uint8_t *bytes = g_malloc(size);
  int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint(pread(fd, bytes, size, (off_t)offset), ==, size);
  close(fd);
  g_assert_cmpmem(bytes, size, expected, size);
}
