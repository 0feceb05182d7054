/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio entropy device: devices/virtio/rng.c, through the real virtio core. */
#include "devices/virtio/rng.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/devices/virtio/fake-guest.h"

#define MAX_BYTES (64u * 1024)

static int hampered; /* atomic: calls until getrandom is its usual self again */

/* As the host's may: interrupted, or short. */
ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
  int left = __atomic_load_n(&hampered, __ATOMIC_SEQ_CST);

  if (left > 0) {
    __atomic_fetch_add(&hampered, -1, __ATOMIC_SEQ_CST);
    if (left % 3 == 0) {
      errno = EINTR;
      return -1;
    }
    size = MIN(size, 100);
  }
  return syscall(SYS_getrandom, bytes, size, flags);
}

static FakeGuest *make_guest(uint64_t features) {
  FakeGuest *guest = fake_guest_new();
  g_autoptr(GError) error = NULL;

  fake_guest_plug(guest, virtio_rng_kind.make_virtio(&(DeviceParts){.name = "rng", .memory = &guest->memory}, &error));
  g_assert_no_error(error);
  fake_guest_start(guest, features);
  return guest;
}

static uint32_t run_request(FakeGuest *guest, const FakeBuffer *buffers, unsigned n) {
  uint16_t head = fake_add(guest, 0, buffers, n);
  uint32_t length;

  fake_kick(guest, 0);
  g_assert_cmpuint(fake_take(guest, 0, &length), ==, head);
  return length;
}

/* Whether SIZE bytes that were 0 look random: of n, about n/256 are 0 still. */
static void assert_random(FakeGuest *guest, uint64_t address, uint32_t size) {
  const uint8_t *bytes = fake_at(guest, address);
  unsigned zeros = 0, seen[256] = {0};

  for (uint32_t i = 0; i < size; i++) {
    zeros += !bytes[i];
    seen[bytes[i]]++;
  }
  g_assert_cmpuint(zeros, <=, size / 16 + 4);
  for (unsigned i = 0; i < 256; i++)
    g_assert_cmpuint(seen[i], <=, size / 16 + 8);
}

static void test_identity(void) {
  FakeGuest *guest = make_guest(0);

  g_assert_cmpuint(guest->device->ops->id, ==, 4);
  g_assert_cmpuint(guest->device->n_queues, ==, 1);
  g_assert_cmphex(virtio_get_device_features(guest->device, 0) & ~(uint32_t)(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC), ==, 0);
  g_assert_cmpuint(fake_config(guest, 0, 4), ==, 0);
  virtio_config_write(guest->device, 0, "xxxx", 4);
  fake_guest_free(guest);
}

static void test_sizes(void) {
  static const uint32_t sizes[] = {1, 2, 8, 64, 255, 256, 257, 4096, MAX_BYTES};
  FakeGuest *guest = make_guest(0);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    FakeBuffer buffer = {fake_alloc(guest, sizes[i] + 1), sizes[i], true};

    g_assert_cmpuint(run_request(guest, &buffer, 1), ==, sizes[i]);
    assert_random(guest, buffer.address, sizes[i]);
    g_assert_cmpuint(*(uint8_t *)fake_at(guest, buffer.address + sizes[i]), ==, 0); /* and not a byte more */
  }
  g_assert_cmpint(__atomic_load_n(&guest->interrupts[0], __ATOMIC_SEQ_CST), >, 0);
  fake_guest_free(guest);
}

static void test_differs(void) {
  FakeGuest *guest = make_guest(0);
  FakeBuffer buffer = {fake_alloc(guest, 32), 32, true};
  uint8_t first[32];

  run_request(guest, &buffer, 1);
  memcpy(first, fake_at(guest, buffer.address), sizeof first);
  run_request(guest, &buffer, 1);
  g_assert_cmpint(memcmp(first, fake_at(guest, buffer.address), sizeof first), !=, 0);
  fake_guest_free(guest);
}

/* However long, the thread is free again soon; at least a byte came, and what is said to be there is. */
static void test_bounded(void) {
  FakeGuest *guest = make_guest(0);
  FakeBuffer buffer = {fake_alloc(guest, 8u << 20), 8u << 20, true};

  g_assert_cmpuint(run_request(guest, &buffer, 1), ==, MAX_BYTES);
  assert_random(guest, buffer.address, MAX_BYTES);
  for (uint32_t i = MAX_BYTES; i < 2 * MAX_BYTES; i++)
    g_assert_cmpuint(((uint8_t *)fake_at(guest, buffer.address))[i], ==, 0);
  fake_guest_free(guest);
}

static void test_pieces(void) {
  FakeGuest *guest = make_guest(0);
  uint64_t area = fake_alloc(guest, 4096);
  FakeBuffer buffers[] = {{area, 3, true}, {area + 100, 1, true}, {area + 200, 1000, true}, {area + 2000, 60, true}};

  g_assert_cmpuint(run_request(guest, buffers, G_N_ELEMENTS(buffers)), ==, 1064);
  assert_random(guest, area + 200, 1000);
  assert_random(guest, area + 2000, 60);
  g_assert_cmpuint(*(uint8_t *)fake_at(guest, area + 3), ==, 0);
  g_assert_cmpuint(*(uint8_t *)fake_at(guest, area + 2060), ==, 0);

  /* A readable part in front is none of our business, and stays. */
  memset(fake_at(guest, area), 0x11, 16);
  buffers[0] = (FakeBuffer){area, 16, false};
  buffers[1] = (FakeBuffer){area + 1000, 16, true};
  g_assert_cmpuint(run_request(guest, buffers, 2), ==, 16);
  for (unsigned i = 0; i < 16; i++)
    g_assert_cmphex(((uint8_t *)fake_at(guest, area))[i], ==, 0x11);
  fake_guest_free(guest);
}

static void test_full_queue(void) {
  FakeGuest *guest = make_guest(VIRTIO_F_EVENT_IDX);
  unsigned n = guest->queues[0].size;
  uint64_t area = fake_alloc(guest, 64 * n);

  for (unsigned round = 0; round < 100; round++) {
    for (unsigned i = 0; i < n; i++) {
      FakeBuffer buffer = {area + 64 * i, 64, true};

      fake_add(guest, 0, &buffer, 1);
    }
    fake_kick(guest, 0);
    for (unsigned i = 0; i < n; i++) {
      uint32_t length;

      fake_take(guest, 0, &length);
      g_assert_cmpuint(length, ==, 64);
    }
  }
  assert_random(guest, area, 64 * n);
  fake_guest_free(guest);
}

static void test_short_host(void) {
  FakeGuest *guest = make_guest(0);
  FakeBuffer buffers[] = {{fake_alloc(guest, 4096), 4096, true}, {fake_alloc(guest, 100), 100, true}};

  __atomic_store_n(&hampered, 40, __ATOMIC_SEQ_CST);
  g_assert_cmpuint(run_request(guest, buffers, 2), ==, 4196);
  g_assert_cmpint(__atomic_load_n(&hampered, __ATOMIC_SEQ_CST), <, 10);
  assert_random(guest, buffers[0].address, 4096);
  assert_random(guest, buffers[1].address, 100);
  __atomic_store_n(&hampered, 0, __ATOMIC_SEQ_CST);
  fake_guest_free(guest);
}

static void test_doorbell_on_demand(void) {
  for (unsigned i = 0; i < 2; i++) {
    FakeGuest *guest = make_guest(i ? VIRTIO_F_EVENT_IDX : 0);
    FakeBuffer buffer = {fake_alloc(guest, 8), 8, true};

    fake_stream(guest, 0, &buffer, 1, 20000);
    fake_guest_free(guest);
  }
}

static void test_nowhere_to_write(void) {
  FakeGuest *guest = make_guest(0);
  FakeBuffer buffer = {fake_alloc(guest, 64), 64, false};

  fake_add(guest, 0, &buffer, 1);
  fake_kick(guest, 0);
  fake_wait_for(guest, VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpuint(fake_returned(guest, 0), ==, 0);
  fake_guest_reset(guest);
  fake_guest_start(guest, 0);
  buffer = (FakeBuffer){fake_alloc(guest, 64), 64, true};
  g_assert_cmpuint(run_request(guest, &buffer, 1), ==, 64);
  fake_guest_free(guest);
}

static void test_pause(void) {
  FakeGuest *guest = make_guest(0);
  FakeBuffer buffer = {fake_alloc(guest, 64), 64, true};

  virtio_device_pause(guest->device);
  fake_add(guest, 0, &buffer, 1);
  fake_kick(guest, 0);
  fake_settle(guest);
  g_assert_cmpuint(fake_returned(guest, 0), ==, 0);
  virtio_device_resume(guest->device);
  fake_take(guest, 0, NULL);
  assert_random(guest, buffer.address, 64);
  fake_guest_free(guest);
}

static void test_fuzz(void) {
  FakeGuest *guest = make_guest(0);

  for (unsigned i = 0; i < 500; i++) {
    unsigned n;
    uint64_t area;

    fake_guest_reset(guest);
    fake_guest_start(guest, i % 2 ? VIRTIO_F_INDIRECT_DESC : VIRTIO_F_EVENT_IDX);
    n = guest->queues[0].size;
    area = fake_alloc(guest, 65536);
    for (unsigned j = 0; j < n; j++) {
      bool wild = g_test_rand_int_range(0, 20) == 0;

      fake_write_descriptor(guest, guest->queues[0].descriptors, j, wild ? (uint64_t)g_test_rand_int() << 4 : area,
                            wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(1, 60000),
                            (uint16_t)(wild ? g_test_rand_int_range(0, 8) : FAKE_DESC_WRITE | g_test_rand_int_range(0, 2)),
                            (uint16_t)g_test_rand_int_range(0, (int)n + (j == 0)));
    }
    for (unsigned j = 0; j < n; j++)
      fake_publish(guest, 0, (uint16_t)g_test_rand_int_range(0, (int)n));
    fake_kick(guest, 0);
    fake_settle(guest);
  }
  fake_guest_reset(guest);
  fake_guest_start(guest, 0);
  FakeBuffer buffer = {fake_alloc(guest, 64), 64, true};
  g_assert_cmpuint(run_request(guest, &buffer, 1), ==, 64);
  fake_guest_free(guest);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-rng/identity", test_identity);
  g_test_add_func("/virtio-rng/sizes", test_sizes);
  g_test_add_func("/virtio-rng/differs", test_differs);
  g_test_add_func("/virtio-rng/bounded", test_bounded);
  g_test_add_func("/virtio-rng/pieces", test_pieces);
  g_test_add_func("/virtio-rng/full-queue", test_full_queue);
  g_test_add_func("/virtio-rng/short-host", test_short_host);
  g_test_add_func("/virtio-rng/doorbell-on-demand", test_doorbell_on_demand);
  g_test_add_func("/virtio-rng/nowhere-to-write", test_nowhere_to_write);
  g_test_add_func("/virtio-rng/pause", test_pause);
  g_test_add_func("/virtio-rng/fuzz", test_fuzz);
  return g_test_run();
}
