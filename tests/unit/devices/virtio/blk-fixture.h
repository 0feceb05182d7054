/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio block device on a file of 1 MiB, and a guest that makes requests, for tests. */
#pragma once

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/blk-internal.h"
#include "tests/unit/devices/backend/for-engines.h"
#include "tests/unit/devices/virtio/fake-guest.h"

#define DISK_SIZE (1u << 20)
#define SECTORS   (DISK_SIZE / 512)
#define SERIAL    "a serial number"

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_GET_LIFETIME = 10, T_DISCARD = 11, T_WRITE_ZEROES = 13, T_SECURE_ERASE = 14 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xee };
enum {
  F_SEG_MAX = 1 << 2,
  F_RO = 1 << 5,
  F_BLK_SIZE = 1 << 6,
  F_FLUSH = 1 << 9,
  F_TOPOLOGY = 1 << 10,
  F_WCE = 1 << 11,
  F_MQ = 1 << 12,
  F_DISCARD = 1 << 13,
  F_ZEROES = 1 << 14
};

#define USUAL_FEATURES (F_FLUSH | F_DISCARD | F_ZEROES | VIRTIO_F_INDIRECT_DESC)

typedef struct {
  FakeGuest *guest;
  char *path;
  int fd; /* the test's own view of the disk */
} Fixture;

static inline Fixture *fixture_new_of(const DiskImageOptions *options, const VirtioBlkOptions *device_options, uint64_t features) {
  Fixture *fixture = g_new0(Fixture, 1);
  g_autoptr(GError) error = NULL;
  VirtioDevice *device;
  DiskImage *image;

  fixture->path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  fixture->fd = g_mkstemp(fixture->path);
  g_assert_cmpint(ftruncate(fixture->fd, DISK_SIZE), ==, 0);
  for (unsigned i = 0; i < SECTORS; i++) {
    uint8_t sector[512];

    memset(sector, (int)(i * 7 + 1), sizeof sector);
    g_assert_cmpint(pwrite(fixture->fd, sector, sizeof sector, (off_t)i * 512), ==, sizeof sector);
  }
  image = disk_image_open(fixture->path, options, &error);
  g_assert_no_error(error);
  fixture->guest = fake_guest_new();
  device = virtio_blk_new("disk", &fixture->guest->memory, image, device_options, &error);
  if (!device && options->engine == DISK_IMAGE_ENGINE_IO_URING) {
    g_test_skip(error->message);
    fake_guest_free(fixture->guest);
    close(fixture->fd);
    g_unlink(fixture->path);
    g_free(fixture->path);
    g_free(fixture);
    return NULL;
  }
  g_assert_no_error(error);
  fake_guest_plug(fixture->guest, device);
  fake_guest_start(fixture->guest, features);
  return fixture;
}

static inline Fixture *fixture_new_with(DiskImageEngine engine, bool read_only, uint64_t features, const char *serial) {
  return fixture_new_of(&(DiskImageOptions){.read_only = read_only, .engine = engine}, &(VirtioBlkOptions){.serial = (char *)serial},
                        features);
}

static inline Fixture *fixture_new(const void *engine) {
  return fixture_new_with((DiskImageEngine)GPOINTER_TO_INT(engine), false, USUAL_FEATURES, SERIAL);
}

static inline void fixture_free(Fixture *fixture) {
  fake_guest_free(fixture->guest);
  close(fixture->fd);
  g_unlink(fixture->path);
  g_free(fixture->path);
  g_free(fixture);
}

static inline void assert_sectors(const Fixture *fixture, unsigned first, const void *expected, size_t size) {
  g_autofree uint8_t *bytes = g_malloc(size);

  g_assert_cmpint(pread(fixture->fd, bytes, size, (off_t)first * 512), ==, size);
  g_assert_cmpmem(bytes, size, expected, size);
}

/*
 * A request: what the device reads (header and data) and what it writes (data and status), each in one run of memory.
 */
typedef struct {
  uint64_t out, in;
  uint32_t out_size, in_size;
} Request;

static inline Request make_request(Fixture *fixture, uint32_t type, uint64_t sector, const void *out_data, uint32_t out_size,
                                   uint32_t in_size) {
  Request request = {.out_size = 16 + out_size, .in_size = in_size + 1};
  uint8_t *out;

  request.out = fake_alloc(fixture->guest, request.out_size);
  request.in = fake_alloc(fixture->guest, request.in_size);
  out = fake_at(fixture->guest, request.out);
  memcpy(out, &type, 4);
  memset(out + 4, 0x55, 4); /* reserved, and to be ignored */
  memcpy(out + 8, &sector, 8);
  if (out_size)
    memcpy(out + 16, out_data, out_size);
  memset(fake_at(fixture->guest, request.in), S_NONE, request.in_size);
  return request;
}

/* Cuts both runs into pieces of the sizes in PIECES, taken round and round. */
static inline unsigned cut(const Request *request, const uint32_t *pieces, unsigned n_pieces, FakeBuffer *buffers) {
  unsigned n = 0, piece = 0;

  for (unsigned writable = 0; writable < 2; writable++) {
    uint64_t at = writable ? request->in : request->out;
    uint32_t left = writable ? request->in_size : request->out_size;

    while (left) {
      uint32_t size = MIN(left, pieces[piece]);

      buffers[n++] = (FakeBuffer){at, size, writable};
      at += size;
      left -= size;
      piece = (piece + 1) % n_pieces;
    }
  }
  return n;
}

static inline uint8_t finish(Fixture *fixture, const Request *request) {
  uint32_t length;

  fake_kick(fixture->guest, 0);
  fake_take(fixture->guest, 0, &length);
  g_assert_cmpuint(length, ==, request->in_size);
  return ((uint8_t *)fake_at(fixture->guest, request->in))[request->in_size - 1];
}

static inline uint8_t run_cut(Fixture *fixture, const Request *request, const uint32_t *pieces, unsigned n_pieces) {
  g_autofree FakeBuffer *buffers = g_new(FakeBuffer, request->out_size + request->in_size);
  unsigned n = cut(request, pieces, n_pieces, buffers);

  if (n > fixture->guest->queues[0].size / 2)
    fake_add_indirect(fixture->guest, 0, buffers, n);
  else
    fake_add(fixture->guest, 0, buffers, n);
  return finish(fixture, request);
}

static inline uint8_t run_request(Fixture *fixture, const Request *request) {
  static const uint32_t whole = UINT32_MAX;

  return run_cut(fixture, request, &whole, 1);
}

static inline uint8_t run_write(Fixture *fixture, uint64_t sector, const void *data, uint32_t size) {
  Request request = make_request(fixture, T_OUT, sector, data, size, 0);

  return run_request(fixture, &request);
}

static inline uint8_t run_read(Fixture *fixture, uint64_t sector, uint32_t size, void *to) {
  Request request = make_request(fixture, T_IN, sector, NULL, 0, size);
  uint8_t status = run_request(fixture, &request);

  if (to)
    memcpy(to, fake_at(fixture->guest, request.in), size);
  return status;
}

static inline uint8_t run_plain(Fixture *fixture, uint32_t type, const void *out_data, uint32_t out_size) {
  Request request = make_request(fixture, type, 0, out_data, out_size, 0);

  return run_request(fixture, &request);
}

typedef struct {
  uint64_t sector;
  uint32_t n_sectors, flags;
} Range;

static inline uint8_t run_range(Fixture *fixture, uint32_t type, uint64_t sector, uint32_t n_sectors, uint32_t flags) {
  Range range = {sector, n_sectors, flags};

  return run_plain(fixture, type, &range, sizeof range);
}

static inline void start_again(Fixture *fixture, uint64_t features) {
  fake_guest_reset(fixture->guest);
  fake_guest_start(fixture->guest, features);
}

/*
 * Random descriptors, half-plausible headers, random rings. The process must live, and the device work after a reset.
 */
static inline void fuzz_once(Fixture *fixture) {
  FakeGuest *guest = fixture->guest;
  uint64_t area = fake_alloc(guest, 1u << 20);
  uint8_t *bytes = fake_at(guest, area);
  unsigned n = guest->queues[0].size;

  for (unsigned i = 0; i < 4096; i++)
    bytes[i] = (uint8_t)g_test_rand_int();
  for (unsigned i = 0; i < 64; i++) {
    uint32_t type = (uint32_t)g_test_rand_int_range(0, 16);
    uint64_t sector = (uint64_t)g_test_rand_int_range(0, SECTORS + 8);

    memcpy(bytes + i * 64, &type, 4);
    memcpy(bytes + i * 64 + 8, &sector, 8);
    memcpy(bytes + i * 64 + 16, &sector, 8);
    bytes[i * 64 + 25] &= 1;
    bytes[i * 64 + 26] = bytes[i * 64 + 27] = 0;
  }
  for (unsigned i = 0; i < n; i++) {
    bool wild = g_test_rand_int_range(0, 100) == 0;
    uint64_t address = wild ? (uint64_t)g_test_rand_int() << 8 : area + 64 * (uint64_t)g_test_rand_int_range(0, 64);
    uint32_t size =
        wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(0, 4) * 512 + (uint32_t)g_test_rand_int_range(0, 33);
    uint16_t flags = (uint16_t)(g_test_rand_int_range(0, 3) ? FAKE_DESC_NEXT : 0) | (uint16_t)(i % 4 > 1 ? FAKE_DESC_WRITE : 0);

    if (wild)
      flags = (uint16_t)g_test_rand_int_range(0, 8);
    fake_write_descriptor(guest, guest->queues[0].descriptors, i, address, size, flags,
                          (uint16_t)(wild ? (uint32_t)g_test_rand_int() : (i + 1) % n));
  }
  for (unsigned i = 0; i < 32; i++)
    fake_publish(guest, 0, (uint16_t)g_test_rand_int_range(0, (int)n + (i == 31)));
  fake_kick(guest, 0);
  fake_settle(guest);
}
