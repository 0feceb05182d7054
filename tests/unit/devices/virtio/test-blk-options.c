/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a virtio block device: devices/virtio/blk.c and blk-queue.c, on real files. */
#define _GNU_SOURCE
#include "tests/unit/devices/virtio/blk-fixture.h"

#include <sys/syscall.h>
#include <time.h>

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

/* Limits, by a clock that stands still unless the test moves it; it is also the threads'. */

static uint64_t test_clock; /* nanoseconds; atomic; 0: the host's own */
int clock_gettime(clockid_t id, struct timespec *time) {
  uint64_t now = __atomic_load_n(&test_clock, __ATOMIC_SEQ_CST);

  if (id != CLOCK_MONOTONIC || !now)
    return (int)syscall(SYS_clock_gettime, id, time);
  *time = (struct timespec){.tv_sec = (time_t)(now / 1000000000), .tv_nsec = (long)(now % 1000000000)};
  return 0;
}

static void set_clock(uint64_t ms) {
  __atomic_store_n(&test_clock, ms * 1000000, __ATOMIC_SEQ_CST);
}

/* N more reads of 4 KiB on QUEUE. */
static void add_reads(Fixture *fixture, unsigned queue, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    Request request = make_request(fixture, T_IN, i * 8, NULL, 0, 4096);
    FakeBuffer buffers[] = {{request.out, request.out_size, false}, {request.in, request.in_size, true}};

    fake_add_indirect(fixture->guest, queue, buffers, 2);
  }
  fake_kick(fixture->guest, queue);
}

/* Takes N, and finds that no more have come. */
static void assert_returned(Fixture *fixture, unsigned queue, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    fake_take(fixture->guest, queue, NULL);
  fake_settle(fixture->guest);
  g_assert_cmpuint(fake_returned(fixture->guest, queue), ==, 0);
}

static unsigned n_waited; /* atomic */
static void count_waits(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  g_assert_cmpstr(what, ==, "waited for its rate limit");
  __atomic_fetch_add(&n_waited, 1, __ATOMIC_SEQ_CST);
}
static void ignore_rings(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
}
static void ignore_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
}
static void ignore_request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started,
                           bool failed) {
}
static void ignore_step(DeviceWatch *watch, DeviceStep step) {
}

static Fixture *fixture_new_limited(const void *engine, unsigned iops, uint64_t bps, unsigned queues) {
  static DeviceWatch watch = {
      .doorbell = ignore_rings, .interrupt = ignore_interrupt, .request = ignore_request, .event = count_waits, .step = ignore_step};
  const DiskImageOptions options = {.engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};

  set_clock(1000);
  __atomic_store_n(&n_waited, 0, __ATOMIC_SEQ_CST);
  Fixture *fixture =
      fixture_new_of(&options, &(VirtioBlkOptions){.iops = iops, .bps = bps, .queues = queues}, USUAL_FEATURES | (queues > 1 ? F_MQ : 0));
  if (fixture)
    fixture->guest->device->watch = &watch;
  return fixture;
}

static void fixture_free_limited(Fixture *fixture) {
  fixture_free(fixture);
  set_clock(0);
}

static void test_iops(const void *engine) {
  Fixture *fixture = fixture_new_limited(engine, 1000, 0, 1);

  if (!fixture)
    return;
  add_reads(fixture, 0, 60);
  assert_returned(fixture, 0, 60);
  add_reads(fixture, 0, 60);
  assert_returned(fixture, 0, 41); /* a tenth of a second's, and one */
  g_assert_cmpuint(__atomic_load_n(&n_waited, __ATOMIC_SEQ_CST), ==, 1);
  set_clock(1005);
  assert_returned(fixture, 0, 5);
  g_assert_cmpuint(__atomic_load_n(&n_waited, __ATOMIC_SEQ_CST), >=, 2);
  set_clock(1100);
  assert_returned(fixture, 0, 14);
  add_reads(fixture, 0, 100); /* 101 - 14 - 5 - 41 - 60 + 100 may be had */
  assert_returned(fixture, 0, 81);
  fixture_free_limited(fixture); /* while it waits */
}

static void test_bps(const void *engine) {
  Fixture *fixture = fixture_new_limited(engine, 0, 4096 * 100, 1);

  if (!fixture)
    return;
  add_reads(fixture, 0, 20);
  assert_returned(fixture, 0, 11);
  set_clock(1025);
  assert_returned(fixture, 0, 2);
  /* What moves no bytes waits behind what does, and costs none. */
  set_clock(1100);
  assert_returned(fixture, 0, 7);
  set_clock(2000);
  for (unsigned i = 0; i < 100; i++)
    g_assert_cmpuint(run_plain(fixture, T_FLUSH, NULL, 0), ==, S_OK);
  /* One that is larger than all that there is. */
  g_assert_cmpuint(run_read(fixture, 0, DISK_SIZE / 2, NULL), ==, S_OK);
  add_reads(fixture, 0, 1);
  set_clock(2000 + 1180 - 1);
  assert_returned(fixture, 0, 0);
  set_clock(2000 + 1180);
  assert_returned(fixture, 0, 1);
  fixture_free_limited(fixture);
}

/* All queues share it. */
static void test_limited_queues(const void *engine) {
  Fixture *fixture = fixture_new_limited(engine, 1000, 0, 2);
  unsigned returned = 0;

  if (!fixture)
    return;
  add_reads(fixture, 0, 90);
  add_reads(fixture, 1, 90);
  for (unsigned i = 0; i < 2000 && returned < 101; i++) {
    g_usleep(1000);
    fake_settle(fixture->guest);
    returned = fake_returned(fixture->guest, 0) + fake_returned(fixture->guest, 1);
  }
  g_assert_cmpuint(returned, >=, 101);
  g_assert_cmpuint(returned, <=, 102);
  set_clock(1200);
  assert_returned(fixture, 0, 90);
  assert_returned(fixture, 1, 90);
  fixture_free_limited(fixture);
}

/* What waits outlasts a pause, and no reset. */
static void test_limited_pause_and_reset(const void *engine) {
  Fixture *fixture = fixture_new_limited(engine, 1000, 0, 1);

  if (!fixture)
    return;
  add_reads(fixture, 0, 120);
  assert_returned(fixture, 0, 101);
  virtio_device_pause(fixture->guest->device);
  set_clock(1010);
  virtio_device_resume(fixture->guest->device);
  assert_returned(fixture, 0, 10);
  start_again(fixture, USUAL_FEATURES);
  assert_returned(fixture, 0, 0);
  add_reads(fixture, 0, 3);
  assert_returned(fixture, 0, 0);
  set_clock(2000);
  assert_returned(fixture, 0, 3);
  fixture_free_limited(fixture);
}

static void assert_plan(const DiskConfig *disk, const char *text) {
  g_autofree char *printed = virtio_blk_kind.print_asked(disk);

  g_assert_cmpstr(printed, ==, text);
}

static void test_plan(void) {
  assert_plan(&(DiskConfig){.path = (char *)"a\n.img"}, "a\\u000a.img");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .image = {.read_only = true, .direct = true}}, "a.img (read-only, direct)");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .device = {.queues = 1}}, "a.img");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .image = {.format = DISK_IMAGE_FORMAT_VHD, .cow = true}},
              "a.img (vhd, copy-on-write)");
  assert_plan(&(DiskConfig){.nbd = (char *)"nbd://h/\n"}, "nbd://h/\\u000a");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .device = {.queues = 4, .discard = DISK_DISCARD_OFF}}, "a.img (no discard, 4 queues)");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .device = {.iops = 100, .bps = 1 << 20}},
              "a.img (100 requests a second, 1048576 bytes a second)");
  assert_plan(&(DiskConfig){.path = (char *)"a.img", .image = {.cow = true, .lock = DISK_LOCK_OFF, .block_size = 4096}},
              "a.img (copy-on-write, not locked, blocks of 4096 bytes)");
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

/* A guest that lies to a disk that has all that can be asked of it, but for limits: the image stays as it is. */
static void test_fuzz(const void *engine) {
  const DiskImageOptions options = {.cow = true, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  Fixture *fixture = fixture_new_of(&options, &(VirtioBlkOptions){.queues = QUEUES}, USUAL_FEATURES | F_MQ);
  g_autofree uint8_t *before = g_malloc(DISK_SIZE);

  if (!fixture)
    return;
  g_assert_cmpint(pread(fixture->fd, before, DISK_SIZE, 0), ==, DISK_SIZE);
  for (unsigned i = 0; i < 200; i++) {
    start_again(fixture, USUAL_FEATURES | F_MQ | (i % 2 ? VIRTIO_F_EVENT_IDX : 0));
    fuzz_once(fixture);
  }
  start_again(fixture, USUAL_FEATURES);
  g_assert_cmpuint(run_read(fixture, 0, 512, NULL), ==, S_OK);
  assert_sectors(fixture, 0, before, DISK_SIZE);
  fixture_free(fixture);
}

static void add(const char *name, void (*test)(const void *engine)) {
  add_for_engines("/virtio-blk-options", name, test);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-blk-options/large-blocks", test_large_blocks);
  g_test_add_func("/virtio-blk-options/resize-by-others", test_resize_by_others);
  g_test_add_func("/virtio-blk-options/plan", test_plan);
  add("no-discard", test_no_discard);
  add("copy-on-write", test_copy_on_write);
  add("limits/requests", test_iops);
  add("limits/bytes", test_bps);
  add("limits/queues", test_limited_queues);
  add("limits/pause-and-reset", test_limited_pause_and_reset);
  add("resize", test_resize);
  add("queues", test_queues);
  add("queues/reset", test_queues_reset);
  add("queues/copy-on-write", test_queues_copy_on_write);
  add("queues/one-of-several", test_one_queue_of_several);
  add("fuzz", test_fuzz);
  return g_test_run();
}
