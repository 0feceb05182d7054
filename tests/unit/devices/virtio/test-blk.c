/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio block device: devices/virtio/blk.c and blk-request.c, on real files, through the real virtio core. */
#define _GNU_SOURCE /* fallocate, preadv */
#include "tests/unit/devices/virtio/blk-fixture.h"

#include <sys/resource.h>
#include <sys/syscall.h>

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
  add_for_engines("/virtio-blk", name, test);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-blk/config", test_config);
  g_test_add_func("/virtio-blk/cache-mode-register", test_cache_mode_register);
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
  add("layouts", test_layouts);
  add("random-layouts", test_random_layouts);
  add("flush", test_flush);
  add("discard-and-zeroes", test_discard_and_zeroes);
  add("host-errors", test_host_errors);
  add("full-queue", test_full_queue);
  add("doorbell-on-demand", test_doorbell_on_demand);
  add("pause-and-reset", test_pause_and_reset);
  add("long-transfers", test_long_transfers);
  add("stop-in-long-requests", test_stop_in_long_requests);
  add("free-in-flight", test_free_in_flight);
  add("fuzz", test_fuzz);
  return g_test_run();
}
