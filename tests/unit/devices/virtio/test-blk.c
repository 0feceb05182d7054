/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio block device: devices/virtio/blk.c and blk-request.c, on real files, through the real virtio core. */
#define _GNU_SOURCE /* fallocate, preadv */
#include "devices/virtio/blk-internal.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* Counts the flushes of the threads engine. */
static int n_fdatasync; /* atomic */
int fdatasync(int fd) {
  __atomic_fetch_add(&n_fdatasync, 1, __ATOMIC_SEQ_CST);
  return (int)syscall(SYS_fdatasync, fd);
}

/*
 * A slow host, while there is one: what threads read, write, discard and zero is counted, not done, and over only when
 * the device stops. io_uring has the kernel read and write.
 */
static VirtioBlk *slow_device; /* atomic, or NULL */
static uint64_t slow_bytes;    /* begun; atomic */

static bool is_slow(uint64_t size) {
  VirtioBlk *blk = __atomic_load_n(&slow_device, __ATOMIC_SEQ_CST);

  if (!blk)
    return false;
  __atomic_fetch_add(&slow_bytes, size, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&blk->queues[0].running, __ATOMIC_SEQ_CST))
    g_usleep(100);
  return true;
}

static ssize_t sum(const struct iovec *iov, int n) {
  ssize_t size = 0;

  for (int i = 0; i < n; i++)
    size += (ssize_t)iov[i].iov_len;
  return size;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  return is_slow((uint64_t)size) ? 0 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

ssize_t preadv64(int fd, const struct iovec *iov, int n, off64_t offset) {
  return is_slow((uint64_t)sum(iov, n)) ? sum(iov, n) : syscall(SYS_preadv, fd, iov, n, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t offset) {
  return is_slow((uint64_t)sum(iov, n)) ? sum(iov, n) : syscall(SYS_pwritev, fd, iov, n, offset, 0);
}

typedef struct {
  FakeGuest *guest;
  char *path;
  int fd; /* the test's own view of the disk */
} Fixture;

static Fixture *fixture_new_of(const DiskImageOptions *options, const VirtioBlkOptions *device_options, uint64_t features) {
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

static Fixture *fixture_new_with(DiskImageEngine engine, bool read_only, uint64_t features, const char *serial) {
  return fixture_new_of(&(DiskImageOptions){.read_only = read_only, .engine = engine}, &(VirtioBlkOptions){.serial = (char *)serial},
                        features);
}

static Fixture *fixture_new(const void *engine) {
  return fixture_new_with((DiskImageEngine)GPOINTER_TO_INT(engine), false, USUAL_FEATURES, SERIAL);
}

static void fixture_free(Fixture *fixture) {
  fake_guest_free(fixture->guest);
  close(fixture->fd);
  g_unlink(fixture->path);
  g_free(fixture->path);
  g_free(fixture);
}

static void assert_sectors(const Fixture *fixture, unsigned first, const void *expected, size_t size) {
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

static Request make_request(Fixture *fixture, uint32_t type, uint64_t sector, const void *out_data, uint32_t out_size, uint32_t in_size) {
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
static unsigned cut(const Request *request, const uint32_t *pieces, unsigned n_pieces, FakeBuffer *buffers) {
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

static uint8_t finish(Fixture *fixture, const Request *request) {
  uint32_t length;

  fake_kick(fixture->guest, 0);
  fake_take(fixture->guest, 0, &length);
  g_assert_cmpuint(length, ==, request->in_size);
  return ((uint8_t *)fake_at(fixture->guest, request->in))[request->in_size - 1];
}

static uint8_t run_cut(Fixture *fixture, const Request *request, const uint32_t *pieces, unsigned n_pieces) {
  g_autofree FakeBuffer *buffers = g_new(FakeBuffer, request->out_size + request->in_size);
  unsigned n = cut(request, pieces, n_pieces, buffers);

  if (n > fixture->guest->queues[0].size / 2)
    fake_add_indirect(fixture->guest, 0, buffers, n);
  else
    fake_add(fixture->guest, 0, buffers, n);
  return finish(fixture, request);
}

static uint8_t run_request(Fixture *fixture, const Request *request) {
  static const uint32_t whole = UINT32_MAX;

  return run_cut(fixture, request, &whole, 1);
}

static uint8_t run_write(Fixture *fixture, uint64_t sector, const void *data, uint32_t size) {
  Request request = make_request(fixture, T_OUT, sector, data, size, 0);

  return run_request(fixture, &request);
}

static uint8_t run_read(Fixture *fixture, uint64_t sector, uint32_t size, void *to) {
  Request request = make_request(fixture, T_IN, sector, NULL, 0, size);
  uint8_t status = run_request(fixture, &request);

  if (to)
    memcpy(to, fake_at(fixture->guest, request.in), size);
  return status;
}

static uint8_t run_plain(Fixture *fixture, uint32_t type, const void *out_data, uint32_t out_size) {
  Request request = make_request(fixture, type, 0, out_data, out_size, 0);

  return run_request(fixture, &request);
}

typedef struct {
  uint64_t sector;
  uint32_t n_sectors, flags;
} Range;

static uint8_t run_range(Fixture *fixture, uint32_t type, uint64_t sector, uint32_t n_sectors, uint32_t flags) {
  Range range = {sector, n_sectors, flags};

  return run_plain(fixture, type, &range, sizeof range);
}

static void start_again(Fixture *fixture, uint64_t features) {
  fake_guest_reset(fixture->guest);
  fake_guest_start(fixture->guest, features);
}

/* Configuration. */

static void test_config(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));
  FakeGuest *guest = fixture->guest;
  uint32_t own = virtio_get_device_features(guest->device, 0) & ~(uint32_t)(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);

  g_assert_cmphex(own, ==, F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_WCE | F_DISCARD | F_ZEROES);
  g_assert_cmpuint(guest->device->ops->id, ==, 2);
  g_assert_cmpuint(fake_config(guest, 0, 4), ==, SECTORS);
  g_assert_cmpuint(fake_config(guest, 4, 4), ==, 0);
  g_assert_cmpuint(fake_config(guest, 12, 4), ==, 126); /* seg_max */
  g_assert_cmpuint(fake_config(guest, 20, 4), ==, 512); /* blk_size */
  g_assert_cmpuint(fake_config(guest, 24, 1), ==, 3);   /* physical_block_exp */
  g_assert_cmpuint(fake_config(guest, 26, 2), ==, 8);   /* min_io_size */
  g_assert_cmpuint(fake_config(guest, 25, 1), ==, 0);   /* alignment_offset */
  g_assert_cmpuint(fake_config(guest, 28, 4), ==, 0);   /* opt_io_size */
  g_assert_cmpuint(fake_config(guest, 34, 2), ==, 1);   /* num_queues */
  g_assert_cmpuint(fake_config(guest, 36, 4), ==, 1u << 21);
  g_assert_cmpuint(fake_config(guest, 40, 4), ==, 16);
  g_assert_cmpuint(fake_config(guest, 44, 4), ==, 8);
  g_assert_cmpuint(fake_config(guest, 48, 4), ==, 1u << 21);
  g_assert_cmpuint(fake_config(guest, 52, 4), ==, 16);
  g_assert_cmpuint(fake_config(guest, 56, 1), ==, 1);
  g_assert_cmpuint(fake_config(guest, 60, 4), ==, 0);
  g_assert_cmpuint(fake_config(guest, 0x10000, 4), ==, 0);
  fixture_free(fixture);

  fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, true, 0, NULL);
  own = virtio_get_device_features(fixture->guest->device, 0) & ~(uint32_t)(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
  g_assert_cmphex(own, ==, F_SEG_MAX | F_RO | F_BLK_SIZE | F_TOPOLOGY);
  fixture_free(fixture);
}

static blkcnt_t blocks(const Fixture *fixture) {
  struct stat status;

  g_assert_cmpint(fstat(fixture->fd, &status), ==, 0);
  return status.st_blocks;
}

/* The guest has zeros, and the host its blocks. */
static void test_no_discard(const void *engine) {
  const DiskImageOptions options = {.engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  Fixture *fixture = fixture_new_of(&options, &(VirtioBlkOptions){.discard = DISK_DISCARD_OFF}, F_FLUSH | F_ZEROES);
  static const uint8_t zeroes[DISK_SIZE / 2];

  if (!fixture)
    return;
  g_assert_cmphex(virtio_get_device_features(fixture->guest->device, 0) & (F_DISCARD | F_ZEROES), ==, F_ZEROES);
  g_assert_cmpuint(fake_config(fixture->guest, 56, 1), ==, 0);
  g_assert_cmpint(fsync(fixture->fd), ==, 0);
  blkcnt_t before = blocks(fixture);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, SECTORS, 0), ==, S_UNSUPP);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, SECTORS / 2, 1), ==, S_OK);
  assert_sectors(fixture, 0, zeroes, sizeof zeroes);
  g_assert_cmpint(fsync(fixture->fd), ==, 0);
  g_assert_cmpint(blocks(fixture), >=, before - 16);
  fixture_free(fixture);
}

/* Sectors of 4 KiB: requests are counted in 512 bytes all the same. */
static void test_large_blocks(void) {
  Fixture *fixture = fixture_new_of(&(DiskImageOptions){.block_size = 4096}, &(VirtioBlkOptions){0}, USUAL_FEATURES);
  uint8_t data[4096];

  g_assert_cmpuint(fake_config(fixture->guest, 0, 4), ==, SECTORS);
  g_assert_cmpuint(fake_config(fixture->guest, 20, 4), ==, 4096); /* blk_size */
  g_assert_cmpuint(fake_config(fixture->guest, 24, 1), ==, 0);    /* physical_block_exp */
  g_assert_cmpuint(fake_config(fixture->guest, 26, 2), ==, 1);    /* min_io_size */
  g_assert_cmpuint(fake_config(fixture->guest, 44, 4), ==, 8);    /* discard_sector_alignment */
  memset(data, 0xd7, sizeof data);
  g_assert_cmpuint(run_write(fixture, 8, data, sizeof data), ==, S_OK);
  assert_sectors(fixture, 8, data, sizeof data);
  fixture_free(fixture);
}

static void write_config(Fixture *fixture, unsigned offset, uint8_t value) {
  virtio_config_write(fixture->guest->device, offset, &value, 1);
}

static void test_cache_mode_register(void) {
  Fixture *fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, false, F_FLUSH | F_WCE, NULL);

  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 1);
  write_config(fixture, 32, 0);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 0);
  write_config(fixture, 32, 1);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 1);
  write_config(fixture, 33, 0); /* nothing else is the driver's */
  write_config(fixture, 0, 0xff);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 1);
  g_assert_cmpuint(fake_config(fixture->guest, 0, 4), ==, SECTORS);
  write_config(fixture, 32, 0);
  /*
   * A reset forgets; without the flush feature it begins as writethrough; without its own the register is not the
   * driver's.
   */
  start_again(fixture, F_FLUSH | F_WCE);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 1);
  start_again(fixture, F_WCE);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 0);
  start_again(fixture, F_FLUSH);
  write_config(fixture, 32, 0);
  g_assert_cmpuint(fake_config(fixture->guest, 32, 1), ==, 1);
  fixture_free(fixture);
}

/* Requests and how they are cut. */

static const struct {
  unsigned n;
  uint32_t pieces[4];
} layouts[] = {
    {1, {UINT32_MAX}},       /* header and data in one, data and status in one */
    {2, {16, UINT32_MAX}},   /* what Linux sends: header | data | status by way of its sizes */
    {4, {1, 15, 512, 4096}}, /* */
    {3, {7, 505, 1000}},     /* everything straddles */
    {3, {16, 1, 4095}},      /* */
    {2, {4, 100}},           /* a header in four */
};

static void test_layouts(const void *engine) {
  Fixture *fixture = fixture_new(engine);
  uint8_t data[4096], expected[4096];

  if (!fixture)
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++) {
    Request request;

    for (unsigned j = 0; j < sizeof data; j++)
      data[j] = (uint8_t)(j * 31 + i);
    request = make_request(fixture, T_OUT, 8 + i * 8, data, sizeof data, 0);
    g_assert_cmpuint(run_cut(fixture, &request, layouts[i].pieces, layouts[i].n), ==, S_OK);
    assert_sectors(fixture, 8 + i * 8, data, sizeof data);
    g_assert_cmpint(pread(fixture->fd, expected, sizeof expected, (off_t)(7 + i * 8) * 512), ==, sizeof expected);
    request = make_request(fixture, T_IN, 7 + i * 8, NULL, 0, sizeof expected);
    g_assert_cmpuint(run_cut(fixture, &request, layouts[i].pieces, layouts[i].n), ==, S_OK);
    g_assert_cmpmem(fake_at(fixture->guest, request.in), sizeof expected, expected, sizeof expected);
    start_again(fixture, USUAL_FEATURES);
  }
  fixture_free(fixture);
}

static void test_random_layouts(const void *engine) {
  Fixture *fixture = fixture_new(engine);

  for (unsigned i = 0; fixture && i < 200; i++) {
    uint32_t pieces[5], n_sectors = (uint32_t)g_test_rand_int_range(0, 9);
    uint64_t sector = (uint64_t)g_test_rand_int_range(0, SECTORS - 8);
    uint8_t data[4096], expected[4096];
    Request request;

    for (unsigned j = 0; j < G_N_ELEMENTS(pieces); j++)
      pieces[j] = (uint32_t)g_test_rand_int_range(j == 4 ? 600 : 1, 1200);
    memset(data, (int)i, sizeof data);
    request = make_request(fixture, T_OUT, sector, data, n_sectors * 512, 0);
    g_assert_cmpuint(run_cut(fixture, &request, pieces, G_N_ELEMENTS(pieces)), ==, S_OK);
    assert_sectors(fixture, (unsigned)sector, data, n_sectors * 512);
    sector = (uint64_t)g_test_rand_int_range(0, SECTORS - 8);
    g_assert_cmpint(pread(fixture->fd, expected, n_sectors * 512, (off_t)sector * 512), ==, n_sectors * 512);
    request = make_request(fixture, T_IN, sector, NULL, 0, n_sectors * 512);
    g_assert_cmpuint(run_cut(fixture, &request, pieces, G_N_ELEMENTS(pieces)), ==, S_OK);
    g_assert_cmpmem(fake_at(fixture->guest, request.in), n_sectors * 512, expected, n_sectors * 512);
    start_again(fixture, USUAL_FEATURES);
  }
  if (fixture)
    fixture_free(fixture);
}

static void test_flush(const void *engine) {
  Fixture *fixture = fixture_new(engine);

  if (!fixture)
    return;
  g_assert_cmpuint(run_plain(fixture, T_FLUSH, NULL, 0), ==, S_OK);
  fixture_free(fixture);
}

static void test_serial(void) {
  static const char padded[21] = SERIAL;
  static const uint32_t sizes[] = {20, 0, 1, 5, 30};
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));
  const uint8_t *in;

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    Request request = make_request(fixture, T_GET_ID, 0, NULL, 0, sizes[i]);
    uint32_t written = MIN(sizes[i], 20);

    g_assert_cmpuint(run_request(fixture, &request), ==, S_OK);
    in = fake_at(fixture->guest, request.in);
    g_assert_cmpmem(in, written, padded, written);
    for (uint32_t j = written; j < sizes[i]; j++)
      g_assert_cmphex(in[j], ==, S_NONE);
  }
  fixture_free(fixture);

  /* The longest has no terminator; none is all zeros. */
  for (unsigned i = 0; i < 2; i++) {
    const char *serial = i ? "12345678901234567890" : NULL;
    Request request;

    fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, false, 0, serial);
    request = make_request(fixture, T_GET_ID, 0, NULL, 0, 20);
    g_assert_cmpuint(run_request(fixture, &request), ==, S_OK);
    in = fake_at(fixture->guest, request.in);
    if (serial)
      g_assert_cmpmem(in, 20, serial, 20);
    for (unsigned j = 0; !serial && j < 20; j++)
      g_assert_cmphex(in[j], ==, 0);
    fixture_free(fixture);
  }
}

static void test_discard_and_zeroes(const void *engine) {
  static const struct { uint32_t type, flags; } passes[] = {{T_WRITE_ZEROES, 0}, {T_WRITE_ZEROES, 1}, {T_DISCARD, 0}};
  static const uint8_t zeroes[64 * 512];
  Fixture *fixture = fixture_new(engine);

  for (unsigned i = 0; fixture && i < G_N_ELEMENTS(passes); i++) {
    uint32_t type = passes[i].type, flags = passes[i].flags;
    Range ranges[16];
    uint8_t data[64 * 512];

    memset(data, 0xc3, sizeof data);
    g_assert_cmpuint(run_write(fixture, 0, data, sizeof data), ==, S_OK);
    g_assert_cmpuint(run_range(fixture, type, 8, 16, flags), ==, S_OK);
    if (type == T_WRITE_ZEROES)
      assert_sectors(fixture, 8, zeroes, 16 * 512);
    assert_sectors(fixture, 0, data, 8 * 512);
    assert_sectors(fixture, 24, data, 40 * 512);
    /* As many ranges as are allowed, one of them empty. */
    for (unsigned j = 0; j < G_N_ELEMENTS(ranges); j++)
      ranges[j] = (Range){30 + j * 2, j == 5 ? 0 : 1, flags};
    g_assert_cmpuint(run_plain(fixture, type, ranges, sizeof ranges), ==, S_OK);
    for (unsigned j = 0; j < G_N_ELEMENTS(ranges); j++) {
      if (type == T_WRITE_ZEROES)
        assert_sectors(fixture, 30 + j * 2, j == 5 ? data : zeroes, 512);
      assert_sectors(fixture, 31 + j * 2, data, 512);
    }
    /* The very end of the disk. */
    g_assert_cmpuint(run_range(fixture, type, SECTORS - 1, 1, flags), ==, S_OK);
    g_assert_cmpuint(run_range(fixture, type, SECTORS, 0, flags), ==, S_OK);
  }
  if (fixture)
    fixture_free(fixture);
}

/* Refusals, each of which leaves the disk alone and the device at work. */

static void test_range_errors(void) {
  static const uint64_t outside[][2] = {{SECTORS, 1},        {SECTORS - 1, 2},          {0, SECTORS + 1}, {UINT64_MAX, 1},
                                        {UINT64_MAX - 6, 8}, {UINT64_MAX / 512 + 1, 1}, {1ull << 55, 1},  {SECTORS + 1, 0}};
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));
  g_autofree uint8_t *before = g_malloc(DISK_SIZE), *data = g_malloc0(DISK_SIZE + 512);

  g_assert_cmpint(pread(fixture->fd, before, DISK_SIZE, 0), ==, DISK_SIZE);
  for (unsigned i = 0; i < G_N_ELEMENTS(outside); i++) {
    uint32_t size = (uint32_t)outside[i][1] * 512;

    g_assert_cmpuint(run_write(fixture, outside[i][0], data, size), ==, S_IOERR);
    g_assert_cmpuint(run_read(fixture, outside[i][0], size, NULL), ==, S_IOERR);
    g_assert_cmpuint(run_range(fixture, T_DISCARD, outside[i][0], (uint32_t)outside[i][1], 0), ==, S_IOERR);
    g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, outside[i][0], (uint32_t)outside[i][1], 0), ==, S_IOERR);
    start_again(fixture, USUAL_FEATURES);
  }
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, UINT32_MAX, 0), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, (1u << 21) + 1, 0), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, 1u << 31, 0), ==, S_IOERR);
  assert_sectors(fixture, 0, before, DISK_SIZE);
  g_assert_cmpuint(run_read(fixture, SECTORS - 1, 512, data), ==, S_OK);
  g_assert_cmpmem(data, 512, before + DISK_SIZE - 512, 512);
  g_assert_false(fake_has_failed(fixture->guest));
  fixture_free(fixture);
}

static void test_size_errors(void) {
  static const uint32_t sizes[] = {1, 511, 513, 1023};
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));
  uint8_t data[1024] = {0}, before[4096];
  Range ranges[17] = {{0}};

  g_assert_cmpint(pread(fixture->fd, before, sizeof before, 0), ==, sizeof before);
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmpuint(run_write(fixture, 0, data, sizes[i]), ==, S_IOERR);
    g_assert_cmpuint(run_read(fixture, 0, sizes[i], NULL), ==, S_IOERR);
  }
  g_assert_cmpuint(run_write(fixture, 0, data, 0), ==, S_OK);
  g_assert_cmpuint(run_read(fixture, 0, 0, NULL), ==, S_OK);
  /* Ranges: none, parts of one, one too many. */
  for (unsigned i = 0; i < 17; i++)
    ranges[i].n_sectors = 1;
  for (uint32_t type = T_DISCARD; type <= T_WRITE_ZEROES; type += T_WRITE_ZEROES - T_DISCARD) {
    g_assert_cmpuint(run_plain(fixture, type, ranges, 0), ==, S_IOERR);
    g_assert_cmpuint(run_plain(fixture, type, ranges, 15), ==, S_IOERR);
    g_assert_cmpuint(run_plain(fixture, type, ranges, 17), ==, S_IOERR);
    g_assert_cmpuint(run_plain(fixture, type, ranges, sizeof ranges), ==, S_IOERR);
  }
  /* One bad range among good ones: none is done. */
  ranges[3].sector = SECTORS;
  g_assert_cmpuint(run_plain(fixture, T_WRITE_ZEROES, ranges, 4 * sizeof *ranges), ==, S_IOERR);
  assert_sectors(fixture, 0, before, sizeof before);
  fixture_free(fixture);
}

static void test_unsupported(void) {
  static const uint32_t types[] = {2, 3, 5, 7, 9, T_GET_LIFETIME, 12, T_SECURE_ERASE, 15, 0x80000000, UINT32_MAX};
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    g_assert_cmpuint(run_plain(fixture, types[i], NULL, 0), ==, S_UNSUPP);
  /* Flags: discard has none, write-zeroes has one. */
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, 1, 1), ==, S_UNSUPP);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, 1, 2), ==, S_UNSUPP);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, 1, 2), ==, S_UNSUPP);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, 1, 0x80000001), ==, S_UNSUPP);
  /* What was not negotiated. */
  start_again(fixture, F_FLUSH);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, 1, 0), ==, S_UNSUPP);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, 1, 0), ==, S_UNSUPP);
  fixture_free(fixture);
}

static void test_read_only(void) {
  Fixture *fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, true, F_RO, SERIAL);
  uint8_t data[512] = {0}, expected[512];

  g_assert_cmpint(pread(fixture->fd, expected, sizeof expected, 512), ==, sizeof expected);
  g_assert_cmpuint(run_write(fixture, 1, data, sizeof data), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 1, 1, 0), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 1, 1, 0), ==, S_IOERR);
  g_assert_cmpuint(run_read(fixture, 1, sizeof data, data), ==, S_OK);
  g_assert_cmpmem(data, sizeof data, expected, sizeof expected);
  g_assert_cmpuint(run_plain(fixture, T_FLUSH, NULL, 0), ==, S_OK);
  fixture_free(fixture);
}

/* The guest can write, discard and flush, and the file stays as it is. */
static void test_copy_on_write(const void *engine) {
  const DiskImageOptions options = {.cow = true, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  Fixture *fixture = fixture_new_of(&options, &(VirtioBlkOptions){0}, USUAL_FEATURES);
  g_autofree uint8_t *before = g_malloc(DISK_SIZE), *expected = NULL, *data = g_malloc0(DISK_SIZE);

  if (!fixture)
    return;
  g_assert_cmpint(pread(fixture->fd, before, DISK_SIZE, 0), ==, DISK_SIZE);
  expected = g_memdup2(before, DISK_SIZE);
  g_assert_cmphex(virtio_get_device_features(fixture->guest->device, 0) & (F_RO | F_FLUSH | F_DISCARD), ==, F_FLUSH | F_DISCARD);
  memset(data, 0xee, 4096);
  for (unsigned i = 0; i < 40; i++) {
    g_assert_cmpuint(run_write(fixture, 10 + i * 20, data, 512 * (1 + i % 8)), ==, S_OK);
    memcpy(expected + (10 + i * 20) * 512, data, 512 * (1 + i % 8));
  }
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 15, 100, 0), ==, S_OK);
  memset(expected + 15 * 512, 0, 100 * 512);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 200, 21, 0), ==, S_OK);
  memset(expected + 200 * 512, 0, 21 * 512);
  g_assert_cmpuint(run_plain(fixture, T_FLUSH, NULL, 0), ==, S_OK);
  start_again(fixture, USUAL_FEATURES); /* a reboot */
  g_assert_cmpuint(run_read(fixture, 0, DISK_SIZE, data), ==, S_OK);
  g_assert_cmpmem(data, DISK_SIZE, expected, DISK_SIZE);
  assert_sectors(fixture, 0, before, DISK_SIZE);
  fixture_free(fixture);
}

static void assert_plan(const DiskConfig *disk, const char *text) {
  g_autofree char *printed = virtio_blk_kind.print_asked(disk);

  g_assert_cmpstr(printed, ==, text);
}

static void test_plan(void) {
  assert_plan(&(DiskConfig){.path = (char *)"a\n.img"}, "a\\u000a.img");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .image = {.read_only = true}}, "a.img (read-only)");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .device = {.queues = 1}}, "a.img");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .device = {.queues = 4, .discard = DISK_DISCARD_OFF}}, "a.img (no discard, 4 queues)");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .image = {.cow = true, .lock = DISK_LOCK_OFF, .block_size = 4096}},
              "a.img (copy-on-write, not locked, blocks of 4096 bytes)");
}

static void test_host_errors(const void *engine) {
  Fixture *fixture = fixture_new(engine);
  g_autofree uint8_t *data = g_malloc0(DISK_SIZE);
  struct rlimit before, limit;

  if (!fixture)
    return;
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  limit = (struct rlimit){DISK_SIZE / 2, before.rlim_max};
  g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "disk: a write failed: *: File too large");
  g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "disk: a write failed: *: File too large");
  g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "disk: a read failed: *: Input/output error");
  g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "disk: a read failed: *: Input/output error");
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
  g_assert_cmpuint(run_write(fixture, 0, data, DISK_SIZE), ==, S_IOERR); /* half of it is no success */
  g_assert_cmpuint(run_write(fixture, SECTORS - 1, data, 512), ==, S_IOERR);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  start_again(fixture, USUAL_FEATURES);
  g_assert_cmpuint(run_write(fixture, SECTORS - 1, data, 512), ==, S_OK);
  g_assert_cmpint(ftruncate(fixture->fd, 4096), ==, 0);
  g_assert_cmpuint(run_read(fixture, 8, 512, NULL), ==, S_IOERR);
  g_assert_cmpuint(run_read(fixture, 7, 1024, NULL), ==, S_IOERR);
  g_assert_cmpuint(run_read(fixture, 7, 512, NULL), ==, S_OK);
  g_assert_false(fake_has_failed(fixture->guest));
  fixture_free(fixture);
  g_test_assert_expected_messages();
}

/* When a write is on the disk: the number of flushes that one of each changing request costs. */
static void test_writethrough(void) {
  static const struct {
    uint64_t features;
    int mode; /* written to the register, or -1 */
    int flushes;
  } cases[] = {
      {F_FLUSH | F_ZEROES, -1, 0},
      {F_ZEROES, -1, 2},
      {F_FLUSH | F_WCE | F_ZEROES, -1, 0},
      {F_FLUSH | F_WCE | F_ZEROES, 0, 2},
      {F_FLUSH | F_WCE | F_ZEROES, 1, 0},
      {F_WCE | F_ZEROES, -1, 2},
      {F_WCE | F_ZEROES, 1, 0},
  };
  Fixture *fixture = fixture_new_with(DISK_IMAGE_ENGINE_THREADS, false, 0, NULL);
  uint8_t data[512] = {0};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    start_again(fixture, cases[i].features);
    if (cases[i].mode >= 0)
      write_config(fixture, 32, (uint8_t)cases[i].mode);
    __atomic_store_n(&n_fdatasync, 0, __ATOMIC_SEQ_CST);
    g_assert_cmpuint(run_write(fixture, 1, data, sizeof data), ==, S_OK);
    g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 1, 1, 0), ==, S_OK);
    g_assert_cmpuint(run_read(fixture, 1, 512, NULL), ==, S_OK);
    g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, SECTORS, 1, 0), ==, S_IOERR);
    g_assert_cmpint(__atomic_load_n(&n_fdatasync, __ATOMIC_SEQ_CST), ==, cases[i].flushes);
    g_assert_cmpuint(run_plain(fixture, T_FLUSH, NULL, 0), ==, S_OK);
    g_assert_cmpint(__atomic_load_n(&n_fdatasync, __ATOMIC_SEQ_CST), ==, cases[i].flushes + 1);
  }
  fixture_free(fixture);
}

static void test_writethrough_on_io_uring(void) {
  Fixture *fixture = fixture_new_with(DISK_IMAGE_ENGINE_IO_URING, false, F_ZEROES, NULL);
  uint8_t data[512] = {1};

  if (!fixture)
    return;
  g_assert_cmpuint(run_write(fixture, 1, data, sizeof data), ==, S_OK);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 2, 1, 0), ==, S_OK);
  assert_sectors(fixture, 1, data, sizeof data);
  fixture_free(fixture);
}

/* No request at all: the device needs a reset, and after it works again. */
static void test_malformed(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  for (unsigned i = 0; i < 6; i++) {
    Request request = make_request(fixture, T_OUT, 0, NULL, 0, 0);
    FakeBuffer buffers[] = {{request.out, 16, false}, {request.in, 1, true}};
    int config_interrupts = __atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST);
    uint8_t data[512];

    switch (i) {
    case 0:
      fake_add(fixture->guest, 0, buffers, 1); /* no status */
      break;
    case 1:
      fake_add(fixture->guest, 0, buffers + 1, 1); /* no header */
      break;
    case 2:
      buffers[0].size = 15;
      fake_add(fixture->guest, 0, buffers, 2); /* a part of one */
      break;
    case 3:
      buffers[0].address = FAKE_BASE + FAKE_SIZE - 8; /* beyond memory */
      fake_add(fixture->guest, 0, buffers, 2);
      break;
    case 4:
      buffers[1].address = UINT64_MAX;
      fake_add(fixture->guest, 0, buffers, 2);
      break;
    case 5:
      fake_publish(fixture->guest, 0, 9999); /* no such descriptor */
      break;
    }
    fake_kick(fixture->guest, 0);
    fake_wait_for(fixture->guest, VIRTIO_STATUS_NEEDS_RESET);
    fake_settle(fixture->guest);
    g_assert_cmpint(__atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST), ==, config_interrupts + 1);
    /* Not served until then. */
    buffers[0] = (FakeBuffer){request.out, 16, false};
    buffers[1] = (FakeBuffer){request.in, 1, true};
    fake_add(fixture->guest, 0, buffers, 2);
    fake_kick(fixture->guest, 0);
    fake_settle(fixture->guest);
    g_assert_cmpuint(fake_returned(fixture->guest, 0), ==, 0);
    start_again(fixture, USUAL_FEATURES);
    g_assert_cmpuint(run_read(fixture, 1, 512, data), ==, S_OK);
    g_assert_cmpuint(data[0], ==, 8);
  }
  fixture_free(fixture);
}

/* The queue full of requests at once. */
static void test_full_queue(const void *engine) {
  Fixture *fixture = fixture_new(engine);
  unsigned n;
  Request requests[256];
  uint8_t expected[512];

  if (!fixture)
    return;
  n = fixture->guest->queues[0].size;
  for (unsigned round = 0; round < 5; round++) {
    int interrupts = __atomic_load_n(&fixture->guest->interrupts[0], __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i < n; i++) {
      FakeBuffer buffers[2];

      memset(expected, (int)(i + round), sizeof expected);
      requests[i] = make_request(fixture, T_OUT, i, expected, sizeof expected, 0);
      buffers[0] = (FakeBuffer){requests[i].out, requests[i].out_size, false};
      buffers[1] = (FakeBuffer){requests[i].in, requests[i].in_size, true};
      fake_add_indirect(fixture->guest, 0, buffers, 2);
    }
    fake_kick(fixture->guest, 0);
    for (unsigned i = 0; i < n; i++)
      fake_take(fixture->guest, 0, NULL);
    for (unsigned i = 0; i < n; i++) {
      g_assert_cmpuint(*(uint8_t *)fake_at(fixture->guest, requests[i].in), ==, S_OK);
      memset(expected, (int)(i + round), sizeof expected);
      assert_sectors(fixture, i, expected, sizeof expected);
    }
    fake_settle(fixture->guest);
    g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[0], __ATOMIC_SEQ_CST), >, interrupts);
    g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[0], __ATOMIC_SEQ_CST), <=, interrupts + (int)n);
    start_again(fixture, USUAL_FEATURES);
  }
  fixture_free(fixture);
}

/* A disk that grows while it is in use. */

static void assert_cannot_resize(Fixture *fixture, uint64_t size, const char *text) {
  g_autoptr(GError) error = NULL;

  g_assert_false(virtio_blk_resize(fixture->guest->device, size, &error));
  g_assert_nonnull(error);
  g_assert_nonnull(strstr(error->message, text));
  g_assert_cmpuint(fake_config(fixture->guest, 0, 4), ==, SECTORS);
}

static void assert_resized(Fixture *fixture, uint64_t size, uint64_t wanted) {
  g_autoptr(GError) error = NULL;
  int interrupts = __atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST);
  int generation = __atomic_load_n(&fixture->guest->device->config_generation, __ATOMIC_SEQ_CST);

  g_assert_true(virtio_blk_resize(fixture->guest->device, size, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(fake_config(fixture->guest, 0, 4), ==, wanted / 512);
  g_assert_cmpint(__atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST), ==, interrupts + 1);
  g_assert_cmpint(__atomic_load_n(&fixture->guest->device->config_generation, __ATOMIC_SEQ_CST), >, generation);
  g_assert_true(virtio_blk_resize(fixture->guest->device, size, &error)); /* is so already: nothing to tell */
  g_assert_cmpint(__atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST), ==, interrupts + 1);
}

static void test_resize(const void *engine) {
  static const uint8_t zeroes[512];
  uint8_t data[512], there[512];

  memset(data, 0x5a, sizeof data);
  for (unsigned cow = 0; cow < 2; cow++) {
    const DiskImageOptions options = {.cow = cow, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
    Fixture *fixture = fixture_new_of(&options, &(VirtioBlkOptions){0}, USUAL_FEATURES);
    struct stat status;

    if (!fixture)
      return;
    assert_cannot_resize(fixture, DISK_SIZE - 512, "no less than the 1048576 that it has");
    assert_cannot_resize(fixture, DISK_SIZE + 511, "a multiple of 512");
    g_assert_cmpuint(run_write(fixture, SECTORS, data, sizeof data), ==, S_IOERR);
    assert_resized(fixture, 2 * DISK_SIZE, 2 * DISK_SIZE);
    g_assert_cmpuint(run_read(fixture, 2 * SECTORS - 1, sizeof there, there), ==, S_OK);
    g_assert_cmpmem(there, sizeof there, zeroes, sizeof zeroes);
    g_assert_cmpuint(run_write(fixture, 2 * SECTORS - 1, data, sizeof data), ==, S_OK);
    g_assert_cmpuint(run_read(fixture, 2 * SECTORS - 1, sizeof there, there), ==, S_OK);
    g_assert_cmpmem(there, sizeof there, data, sizeof data);
    g_assert_cmpuint(run_write(fixture, 2 * SECTORS, data, sizeof data), ==, S_IOERR);
    g_assert_cmpint(fstat(fixture->fd, &status), ==, 0);
    g_assert_cmpint(status.st_size, ==, cow ? DISK_SIZE : 2 * DISK_SIZE);
    fixture_free(fixture);
  }
}

/* Somebody else has made the file longer: a disk that is only read is so, too; one that became shorter is none. */
static void test_resize_by_others(void) {
  Fixture *fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, true, 0, NULL);

  assert_cannot_resize(fixture, 2 * DISK_SIZE, "only read");
  g_assert_cmpint(ftruncate(fixture->fd, 3 * DISK_SIZE + 100), ==, 0);
  assert_resized(fixture, 0, 3 * DISK_SIZE);
  fixture_free(fixture);
  fixture = fixture_new_with(DISK_IMAGE_ENGINE_AUTO, true, 0, NULL);
  g_assert_cmpint(ftruncate(fixture->fd, DISK_SIZE / 2), ==, 0);
  assert_cannot_resize(fixture, 0, "to be made larger");
  fixture_free(fixture);
}

/* Several queues. */

#define QUEUES 4

static Fixture *fixture_new_queues(const void *engine, bool cow) {
  const DiskImageOptions options = {.cow = cow, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};

  return fixture_new_of(&options, &(VirtioBlkOptions){.queues = QUEUES}, USUAL_FEATURES | F_MQ);
}

/* How many threads there are whose name begins with PREFIX. */
static unsigned count_threads(const char *prefix) {
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  const char *task;
  unsigned n = 0;

  while ((task = g_dir_read_name(tasks))) {
    g_autofree char *path = g_build_filename("/proc/self/task", task, "comm", NULL), *name = NULL;
    n += g_file_get_contents(path, &name, NULL, NULL) && g_str_has_prefix(name, prefix);
  }
  return n;
}

/* N writes of 4 KiB on each queue, to places of its own. */
static void write_on_all(Fixture *fixture, uint8_t fill, unsigned n, Request *requests) {
  for (unsigned i = 0; i < n * QUEUES; i++) {
    unsigned queue = i % QUEUES;
    uint8_t data[4096];
    FakeBuffer buffers[2];

    memset(data, (int)(fill + i), sizeof data);
    requests[i] = make_request(fixture, T_OUT, i * 8, data, sizeof data, 0);
    buffers[0] = (FakeBuffer){requests[i].out, requests[i].out_size, false};
    buffers[1] = (FakeBuffer){requests[i].in, requests[i].in_size, true};
    fake_add_indirect(fixture->guest, queue, buffers, 2);
    if (i % 9 == 0)
      fake_kick(fixture->guest, queue);
  }
  for (unsigned queue = 0; queue < QUEUES; queue++)
    fake_kick(fixture->guest, queue);
}

static void test_queues(const void *engine) {
  enum { N = 60 };
  Fixture *fixture = fixture_new_queues(engine, false);
  Request requests[N * QUEUES];

  if (!fixture)
    return;
  g_assert_cmphex(virtio_get_device_features(fixture->guest->device, 0) & F_MQ, ==, F_MQ);
  g_assert_cmpuint(fake_config(fixture->guest, 34, 2), ==, QUEUES);
  g_assert_cmpuint(count_threads("disk-q"), ==, QUEUES - 1);
  for (unsigned round = 0; round < 10; round++) {
    write_on_all(fixture, (uint8_t)round, N, requests);
    if (round % 3 == 1) {
      virtio_device_pause(fixture->guest->device);
      virtio_device_resume(fixture->guest->device);
    }
    for (unsigned i = 0; i < N * QUEUES; i++)
      fake_take(fixture->guest, i % QUEUES, NULL);
    for (unsigned i = 0; i < N * QUEUES; i++) {
      uint8_t expected[4096];

      memset(expected, (int)((uint8_t)round + i), sizeof expected);
      g_assert_cmpuint(*(uint8_t *)fake_at(fixture->guest, requests[i].in), ==, S_OK);
      assert_sectors(fixture, i * 8, expected, sizeof expected);
    }
    for (unsigned queue = 0; queue < QUEUES; queue++)
      g_assert_cmpint(__atomic_exchange_n(&fixture->guest->interrupts[queue], 0, __ATOMIC_SEQ_CST), >, 0);
    start_again(fixture, USUAL_FEATURES | F_MQ);
  }
  fixture_free(fixture);
}

/* A reset leaves nothing in flight on any of them, and neither does the end. */
static void test_queues_reset(const void *engine) {
  enum { N = 30 };
  Request requests[N * QUEUES];

  for (unsigned round = 0; round < 10; round++) {
    Fixture *fixture = fixture_new_queues(engine, round % 2);

    if (!fixture)
      return;
    write_on_all(fixture, 0, N, requests);
    if (round % 3) {
      fake_guest_reset(fixture->guest);
      memset(fixture->guest->ram, 0x77, 1u << 20); /* nothing may write here any more */
      g_usleep(500);
      for (unsigned i = 0; i < 1u << 20; i++)
        g_assert_cmphex(fixture->guest->ram[i], ==, 0x77);
    }
    fixture_free(fixture);
  }
}

/* What one queue has written and said to be so, another reads. */
static void test_queues_copy_on_write(const void *engine) {
  Fixture *fixture = fixture_new_queues(engine, true);
  Request requests[QUEUES];
  uint8_t data[4096];

  for (unsigned round = 0; fixture && round < 50; round++) {
    write_on_all(fixture, (uint8_t)round, 1, requests);
    for (unsigned i = 0; i < QUEUES; i++)
      fake_take(fixture->guest, i, NULL);
    for (unsigned i = 0; i < QUEUES; i++) {
      g_assert_cmpuint(run_read(fixture, i * 8, sizeof data, data), ==, S_OK);
      g_assert_cmpuint(data[0], ==, (uint8_t)(round + i));
      g_assert_cmpuint(data[4095], ==, (uint8_t)(round + i));
    }
    start_again(fixture, USUAL_FEATURES | F_MQ);
  }
  if (fixture)
    fixture_free(fixture);
}

/* A driver that knows one queue gets one, and pays for no more. */
static void test_one_queue_of_several(const void *engine) {
  Fixture *fixture = fixture_new_queues(engine, false);
  uint8_t data[512];

  if (!fixture)
    return;
  fake_guest_free(fixture->guest);
  fixture->guest = fake_guest_new();
  DiskImage *image = disk_image_open(fixture->path, &(DiskImageOptions){0}, NULL);
  fake_guest_plug(fixture->guest, virtio_blk_new("single", &fixture->guest->memory, image, &(VirtioBlkOptions){.queues = QUEUES}, NULL));
  fake_guest_start_some(fixture->guest, F_FLUSH, 1);
  g_assert_cmpuint(run_read(fixture, 0, sizeof data, data), ==, S_OK);
  g_assert_cmpuint(count_threads("single"), ==, 1);
  fake_kick(fixture->guest, 1); /* of a queue that is not there for it */
  fake_settle(fixture->guest);
  g_assert_false(fake_has_failed(fixture->guest));
  fixture_free(fixture);
}

/* A driver that rings only when asked to. */
static void test_doorbell_on_demand(const void *engine) {
  Fixture *fixture = fixture_new(engine);

  for (unsigned i = 0; fixture && i < 4; i++) {
    Request request;
    FakeBuffer buffers[2];

    start_again(fixture, i % 2 ? VIRTIO_F_EVENT_IDX : 0);
    request = i < 2 ? make_request(fixture, T_GET_ID, 0, NULL, 0, 20) : make_request(fixture, T_IN, 0, NULL, 0, 512);
    buffers[0] = (FakeBuffer){request.out, request.out_size, false};
    buffers[1] = (FakeBuffer){request.in, request.in_size, true};
    fake_stream(fixture->guest, 0, buffers, 2, 20000);
  }
  if (fixture)
    fixture_free(fixture);
}

/* A disk larger than one range may be. It is sparse. */
static Fixture *fixture_new_large(const void *data) {
  DiskImageEngine engine = (DiskImageEngine)GPOINTER_TO_INT(data);
  Fixture *fixture = fixture_new(data);
  g_autoptr(GError) error = NULL;
  DiskImage *image;

  if (!fixture)
    return NULL;
  virtio_device_free(fixture->guest->device);
  g_assert_cmpint(ftruncate(fixture->fd, (off_t)2 << 30), ==, 0);
  image = disk_image_open(fixture->path, &(DiskImageOptions){.engine = engine}, &error);
  g_assert_no_error(error);
  fake_guest_plug(fixture->guest, virtio_blk_new("disk", &fixture->guest->memory, image, &(VirtioBlkOptions){0}, &error));
  g_assert_no_error(error);
  fake_guest_start(fixture->guest, USUAL_FEATURES);
  return fixture;
}

static void test_longest_range(void) {
  Fixture *fixture = fixture_new_large(GINT_TO_POINTER(DISK_IMAGE_ENGINE_THREADS));

  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, (1u << 21) + 1, 0), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, (1u << 21) + 1, 1), ==, S_IOERR);
  g_assert_cmpuint(run_range(fixture, T_DISCARD, 0, 1u << 21, 0), ==, S_OK);
  fixture_free(fixture);
}

/* Pause and reset with the queue full: a pause loses nothing, a reset leaves nothing in flight. */
static void test_pause_and_reset(const void *engine) {
  Fixture *fixture = fixture_new(engine);

  for (unsigned round = 0; fixture && round < 20; round++) {
    uint8_t *status[64];

    for (unsigned i = 0; i < G_N_ELEMENTS(status); i++) {
      uint8_t data[4096];
      Request request;
      FakeBuffer buffers[2];

      memset(data, (int)round, sizeof data);
      request = make_request(fixture, T_OUT, i * 8, data, sizeof data, 0);
      buffers[0] = (FakeBuffer){request.out, request.out_size, false};
      buffers[1] = (FakeBuffer){request.in, request.in_size, true};
      status[i] = fake_at(fixture->guest, request.in);
      fake_add_indirect(fixture->guest, 0, buffers, 2);
      if (i % 16 == 15)
        fake_kick(fixture->guest, 0);
    }
    if (round % 2) {
      virtio_device_pause(fixture->guest->device);
      unsigned returned = fake_returned(fixture->guest, 0);
      g_usleep(500);
      g_assert_cmpuint(fake_returned(fixture->guest, 0), ==, returned);
      virtio_device_resume(fixture->guest->device);
      for (unsigned i = 0; i < G_N_ELEMENTS(status); i++)
        fake_take(fixture->guest, 0, NULL);
      for (unsigned i = 0; i < G_N_ELEMENTS(status); i++)
        g_assert_cmpuint(*status[i], ==, S_OK);
    }
    fake_guest_reset(fixture->guest);
    memset(fixture->guest->ram, 0x77, 1u << 20); /* nothing may write here any more */
    g_usleep(500);
    for (unsigned i = 0; i < 1u << 20; i++)
      g_assert_cmphex(fixture->guest->ram[i], ==, 0x77);
    fake_guest_start(fixture->guest, USUAL_FEATURES);
  }
  if (fixture)
    fixture_free(fixture);
}

/* Transfers of more than one piece, whose descriptors end anywhere: 12 MiB in and out by way of 4 MiB of memory. */
static void test_long_transfers(const void *engine) {
  enum { PART = 4 << 20, PARTS = 3 };
  static const uint32_t cuts[] = {0, 1, 1000003, 2097152, 3333333, PART};
  Fixture *fixture = fixture_new_large(engine);
  g_autofree uint8_t *there = g_malloc(PART);
  uint64_t memory;

  if (!fixture)
    return;
  memory = fake_alloc(fixture->guest, PART);
  for (uint32_t i = 0; i < PART; i++)
    ((uint8_t *)fake_at(fixture->guest, memory))[i] = (uint8_t)(i * 31 + i / 4093);
  for (unsigned is_read = 0; is_read < 2; is_read++) {
    Request request = make_request(fixture, is_read ? T_IN : T_OUT, 5, NULL, 0, 0);
    FakeBuffer buffers[2 + PARTS * G_N_ELEMENTS(cuts)] = {{request.out, 16, false}};
    unsigned n = 1;

    for (unsigned i = 0; i < PARTS; i++)
      for (unsigned j = 0; j + 1 < G_N_ELEMENTS(cuts); j++)
        buffers[n++] = (FakeBuffer){memory + cuts[j], cuts[j + 1] - cuts[j], is_read};
    buffers[n++] = (FakeBuffer){request.in, 1, true};
    if (is_read)
      memset(fake_at(fixture->guest, memory), 0, PART);
    fake_add_indirect(fixture->guest, 0, buffers, n);
    fake_kick(fixture->guest, 0);
    fake_take(fixture->guest, 0, NULL);
    g_assert_cmpuint(*(uint8_t *)fake_at(fixture->guest, request.in), ==, S_OK);
    for (unsigned i = 0; i < PARTS; i++) {
      g_assert_cmpint(pread(fixture->fd, there, PART, 5 * 512 + (off_t)i * PART), ==, PART);
      g_assert_cmpmem(there, PART, fake_at(fixture->guest, memory), PART);
    }
  }
  fixture_free(fixture);
}

/* Two ranges or 64 buffers: 128 MiB in either case. */
#define LONG_SIZE (UINT64_C(128) << 20)

static Request add_long(Fixture *fixture, uint32_t type) {
  static const Range ranges[] = {{1, LONG_SIZE / 1024, 0}, {LONG_SIZE / 512, LONG_SIZE / 1024, 0}};
  bool is_transfer = type <= T_OUT;
  Request request = make_request(fixture, type, 1, ranges, is_transfer ? 0 : sizeof ranges, 0);
  FakeBuffer buffers[66] = {{request.out, request.out_size, false}};
  unsigned n = 1;

  for (unsigned i = 0; is_transfer && i < 64; i++)
    buffers[n++] = (FakeBuffer){FAKE_BASE + FAKE_SIZE - LONG_SIZE / 64, LONG_SIZE / 64, type == T_IN};
  buffers[n++] = (FakeBuffer){request.in, request.in_size, true};
  fake_add_indirect(fixture->guest, 0, buffers, n);
  return request;
}

/* A queue full of long requests, and a host so slow that none ends by itself. */
static void begin_long(Fixture *fixture, uint32_t type, Request *requests, unsigned n) {
  __atomic_store_n(&slow_bytes, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&slow_device, (VirtioBlk *)fixture->guest->device, __ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < n; i++)
    requests[i] = add_long(fixture, type);
  fake_kick(fixture->guest, 0);
  fake_settle(fixture->guest);
}

static void assert_stopped_early(void) {
  __atomic_store_n(&slow_device, NULL, __ATOMIC_SEQ_CST);
  g_assert_cmpuint(slow_bytes, >, 0);
  g_assert_cmpuint(slow_bytes, <=, UINT64_C(68) << 20);
}

/*
 * A stop waits for a bounded number of bytes, whatever was asked for: the rest of a request goes on after a pause, and
 * never after a reset.
 */
static void test_stop_in_long_requests(const void *engine) {
  static const uint32_t types[] = {T_DISCARD, T_WRITE_ZEROES, T_IN, T_OUT};
  bool is_ring = GPOINTER_TO_INT(engine) == DISK_IMAGE_ENGINE_IO_URING;
  Fixture *fixture = fixture_new_large(engine);
  Request requests[128];

  for (unsigned i = 0; fixture && i < (is_ring ? 2 : G_N_ELEMENTS(types)); i++) {
    unsigned n = types[i] == T_DISCARD ? G_N_ELEMENTS(requests) : 2; /* done to the end: cheap, or few */

    begin_long(fixture, types[i], requests, n);
    virtio_device_pause(fixture->guest->device);
    assert_stopped_early();
    g_assert_cmpuint(fake_returned(fixture->guest, 0), <, n);
    virtio_device_resume(fixture->guest->device);
    for (unsigned j = 0; j < n; j++)
      fake_take(fixture->guest, 0, NULL);
    for (unsigned j = 0; j < n; j++)
      g_assert_cmpuint(*(uint8_t *)fake_at(fixture->guest, requests[j].in), ==, S_OK);

    begin_long(fixture, types[i], requests, G_N_ELEMENTS(requests));
    fake_guest_reset(fixture->guest);
    assert_stopped_early();
    fake_guest_start(fixture->guest, USUAL_FEATURES);
    for (unsigned j = 0; j < 2 * BLK_QUEUE_SIZE; j++)
      g_assert_cmpuint(run_range(fixture, T_WRITE_ZEROES, 0, 1, 1), ==, S_OK);
    g_assert_cmpuint(fake_returned(fixture->guest, 0), ==, 0);
    start_again(fixture, USUAL_FEATURES);
  }
  if (fixture)
    fixture_free(fixture);
}

/* A device that is freed while it works. */
static void test_free_in_flight(const void *engine) {
  for (unsigned round = 0; round < 5; round++) {
    Fixture *fixture = fixture_new(engine);

    if (!fixture)
      return;
    for (unsigned i = 0; i < 32; i++) {
      Request request = make_request(fixture, T_IN, i, NULL, 0, 65536);
      FakeBuffer buffers[] = {{request.out, request.out_size, false}, {request.in, request.in_size, true}};

      fake_add(fixture->guest, 0, buffers, 2);
    }
    fake_kick(fixture->guest, 0);
    fixture_free(fixture);
  }
}

/*
 * One head offered more often than there are descriptors: refused or served, never more in flight than the queue holds.
 */
static void test_same_head_again_and_again(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));
  Request request = make_request(fixture, T_IN, 0, NULL, 0, 512);
  FakeBuffer buffers[] = {{request.out, request.out_size, false}, {request.in, request.in_size, true}};
  uint16_t head = fake_add(fixture->guest, 0, buffers, 2);

  for (unsigned i = 0; i < 5000; i++) {
    fake_publish(fixture->guest, 0, head);
    if (i % 64 == 0)
      fake_kick(fixture->guest, 0);
    if (i % 100 == 0)
      g_usleep(100);
  }
  fake_settle(fixture->guest);
  start_again(fixture, USUAL_FEATURES);
  g_assert_cmpuint(run_read(fixture, 0, 512, NULL), ==, S_OK);
  fixture_free(fixture);
}

/*
 * Random descriptors, half-plausible headers, random rings. The process must live, and the device work after a reset.
 */
static void fuzz_once(Fixture *fixture) {
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

static void test_fuzz(const void *engine) {
  Fixture *fixture = fixture_new(engine);
  uint64_t features[] = {USUAL_FEATURES, USUAL_FEATURES | VIRTIO_F_EVENT_IDX, F_WCE, F_DISCARD | F_ZEROES};

  for (unsigned i = 0; fixture && i < 300; i++) {
    start_again(fixture, features[i % G_N_ELEMENTS(features)]);
    fuzz_once(fixture);
  }
  if (!fixture)
    return;
  start_again(fixture, USUAL_FEATURES);
  g_assert_cmpuint(run_read(fixture, 0, 512, NULL), ==, S_OK);
  fixture_free(fixture);
}

static void add(const char *name, void (*test)(const void *engine)) {
  static const struct {
    const char *name;
    DiskImageEngine engine;
  } engines[] = {{"io_uring", DISK_IMAGE_ENGINE_IO_URING}, {"threads", DISK_IMAGE_ENGINE_THREADS}};

  for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
    g_autofree char *path = g_strdup_printf("/virtio-blk/%s/%s", engines[i].name, name);

    g_test_add_data_func(path, GINT_TO_POINTER(engines[i].engine), test);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-blk/config", test_config);
  g_test_add_func("/virtio-blk/cache-mode-register", test_cache_mode_register);
  g_test_add_func("/virtio-blk/large-blocks", test_large_blocks);
  g_test_add_func("/virtio-blk/resize-by-others", test_resize_by_others);
  g_test_add_func("/virtio-blk/plan", test_plan);
  g_test_add_func("/virtio-blk/serial", test_serial);
  g_test_add_func("/virtio-blk/range-errors", test_range_errors);
  g_test_add_func("/virtio-blk/size-errors", test_size_errors);
  g_test_add_func("/virtio-blk/longest-range", test_longest_range);
  g_test_add_func("/virtio-blk/unsupported", test_unsupported);
  g_test_add_func("/virtio-blk/read-only", test_read_only);
  g_test_add_func("/virtio-blk/writethrough", test_writethrough);
  g_test_add_func("/virtio-blk/writethrough-on-io-uring", test_writethrough_on_io_uring);
  g_test_add_func("/virtio-blk/malformed", test_malformed);
  g_test_add_func("/virtio-blk/same-head-again-and-again", test_same_head_again_and_again);
  add("no-discard", test_no_discard);
  add("layouts", test_layouts);
  add("random-layouts", test_random_layouts);
  add("flush", test_flush);
  add("discard-and-zeroes", test_discard_and_zeroes);
  add("copy-on-write", test_copy_on_write);
  add("host-errors", test_host_errors);
  add("full-queue", test_full_queue);
  add("resize", test_resize);
  add("queues", test_queues);
  add("queues/reset", test_queues_reset);
  add("queues/copy-on-write", test_queues_copy_on_write);
  add("queues/one-of-several", test_one_queue_of_several);
  add("doorbell-on-demand", test_doorbell_on_demand);
  add("pause-and-reset", test_pause_and_reset);
  add("long-transfers", test_long_transfers);
  add("stop-in-long-requests", test_stop_in_long_requests);
  add("free-in-flight", test_free_in_flight);
  add("fuzz", test_fuzz);
  return g_test_run();
}
