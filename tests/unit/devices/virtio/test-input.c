/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio input device: devices/virtio/input.c, through the real virtio core. */
#include "devices/virtio/input.h"

#include "tests/unit/devices/virtio/fake-guest.h"

#define EVENTQ     0
#define STATUSQ    1
#define EVENT_SIZE 8
#define SELECT     0
#define SUBSEL     1
#define SIZE       2
#define DATA       8
#define KEY_POWER  116

static FakeGuest *make_guest(void) {
  FakeGuest *guest = fake_guest_new();
  g_autoptr(GError) error = NULL;

  fake_guest_plug(guest, virtio_input_kind.make_virtio(&(DeviceParts){.name = "button", .memory = &guest->memory}, &error));
  g_assert_no_error(error);
  return guest;
}

static FakeGuest *make_started(uint64_t features) {
  FakeGuest *guest = make_guest();

  fake_guest_start(guest, features);
  return guest;
}

/* As Linux's driver asks: the size of the answer. */
static unsigned ask(FakeGuest *guest, uint8_t select, uint8_t subsel) {
  virtio_config_write(guest->device, SELECT, &select, 1);
  virtio_config_write(guest->device, SUBSEL, &subsel, 1);
  g_assert_cmpuint(fake_config(guest, SELECT, 1), ==, select);
  g_assert_cmpuint(fake_config(guest, SUBSEL, 1), ==, subsel);
  return fake_config(guest, SIZE, 1);
}

static void test_identity(void) {
  FakeGuest *guest = make_started(0);
  char name[64] = "";

  g_assert_cmpuint(guest->device->ops->id, ==, 18);
  g_assert_cmpuint(guest->device->n_queues, ==, 2);
  unsigned size = ask(guest, 0x01, 0);
  virtio_config_read(guest->device, DATA, name, size);
  g_assert_cmpstr(name, ==, "eret power button");
  g_assert_cmpuint(fake_config(guest, DATA + size, 4), ==, 0);
  g_assert_cmpuint(ask(guest, 0x02, 0), ==, 1);
  g_assert_cmpuint(ask(guest, 0x03, 0), ==, 8);
  g_assert_cmpuint(fake_config(guest, DATA, 2), ==, 6); /* BUS_VIRTUAL */
  fake_guest_free(guest);
}

/* One key, and nothing else: no other event, no property, no axis. */
static void test_bits(void) {
  FakeGuest *guest = make_started(0);

  g_assert_cmpuint(ask(guest, 0x11, 1), ==, KEY_POWER / 8 + 1);
  for (unsigned key = 0; key < 1024; key++)
    g_assert_cmpuint(fake_config(guest, DATA + key / 8, 1) >> key % 8 & 1, ==, key == KEY_POWER);
  for (unsigned select = 0; select < 256; select++)
    for (unsigned subsel = select == 0 || select > 3; subsel < 256; subsel++)
      if (!(select == 0x11 && subsel == 1) && !(select >= 1 && select <= 3 && subsel == 0))
        g_assert_cmpuint(ask(guest, (uint8_t)select, (uint8_t)subsel), ==, 0);
  for (unsigned i = 0; i < 128; i++)
    g_assert_cmpuint(fake_config(guest, DATA + i, 1), ==, 0);
  /* Both at once, and what is not the driver's to write. */
  virtio_config_write(guest->device, SELECT, "\x11\x01\xff\xff", 4);
  g_assert_cmpuint(fake_config(guest, SIZE, 1), ==, KEY_POWER / 8 + 1);
  virtio_config_write(guest->device, DATA, "\xff\xff\xff\xff", 4);
  g_assert_cmpuint(fake_config(guest, DATA, 4), ==, 0);
  fake_guest_reset(guest);
  g_assert_cmpuint(fake_config(guest, SELECT, 4), ==, 0);
  fake_guest_free(guest);
}

static uint64_t give_buffer(FakeGuest *guest, uint32_t size) {
  FakeBuffer buffer = {fake_alloc(guest, 64), size, true};

  fake_add(guest, EVENTQ, &buffer, 1);
  return buffer.address;
}

static void assert_event(FakeGuest *guest, uint64_t address, unsigned type, unsigned code, unsigned value) {
  const uint8_t *bytes = fake_at(guest, address);
  uint32_t length;

  fake_take(guest, EVENTQ, &length);
  g_assert_cmpuint(length, ==, EVENT_SIZE);
  g_assert_cmpuint(bytes[0] | bytes[1] << 8, ==, type);
  g_assert_cmpuint(bytes[2] | bytes[3] << 8, ==, code);
  g_assert_cmpuint(bytes[4], ==, value);
  g_assert_cmpuint(bytes[5] | bytes[6] | bytes[7] | bytes[8], ==, 0);
}

static void assert_click(FakeGuest *guest, const uint64_t buffers[4]) {
  assert_event(guest, buffers[0], 1, KEY_POWER, 1);
  assert_event(guest, buffers[1], 0, 0, 0);
  assert_event(guest, buffers[2], 1, KEY_POWER, 0);
  assert_event(guest, buffers[3], 0, 0, 0);
}

static void give_buffers(FakeGuest *guest, uint64_t buffers[4]) {
  for (unsigned i = 0; i < 4; i++)
    buffers[i] = give_buffer(guest, EVENT_SIZE);
  fake_kick(guest, EVENTQ);
}

static void click(FakeGuest *guest) {
  virtio_input_kind.set_power_button(guest->device, true);
  virtio_input_kind.set_power_button(guest->device, false);
}

static void test_click(void) {
  for (unsigned i = 0; i < 2; i++) {
    FakeGuest *guest = make_started(i ? VIRTIO_F_EVENT_IDX : 0);

    for (unsigned round = 0; round < 50; round++) {
      uint64_t buffers[4];
      give_buffers(guest, buffers);
      fake_settle(guest);
      g_assert_cmpuint(fake_returned(guest, EVENTQ), ==, 0);
      click(guest);
      assert_click(guest, buffers);
    }
    g_assert_cmpint(__atomic_load_n(&guest->interrupts[0], __ATOMIC_SEQ_CST), >, 0);
    fake_guest_free(guest);
  }
}

/* Buffers come late, and one by one; of many clicks one waits. */
static void test_no_buffers(void) {
  FakeGuest *guest = make_started(VIRTIO_F_EVENT_IDX);
  uint64_t buffers[4];

  for (unsigned i = 0; i < 100; i++)
    click(guest);
  fake_settle(guest);
  for (unsigned i = 0; i < 4; i++) {
    buffers[i] = give_buffer(guest, 64);
    fake_kick_if_wanted(guest, EVENTQ, 1);
    fake_settle(guest);
  }
  assert_click(guest, buffers);
  give_buffers(guest, buffers);
  fake_settle(guest);
  g_assert_cmpuint(fake_returned(guest, EVENTQ), ==, 0);
  click(guest);
  assert_click(guest, buffers);
  fake_guest_free(guest);
}

/* Before there is a driver, over its reset, and while the machine stands still. */
static void test_waits(void) {
  FakeGuest *guest = make_guest();
  uint64_t buffers[4];

  click(guest);
  fake_guest_start(guest, 0);
  give_buffers(guest, buffers);
  assert_click(guest, buffers);
  fake_guest_reset(guest);
  click(guest);
  fake_guest_start(guest, 0);
  give_buffers(guest, buffers);
  assert_click(guest, buffers);

  give_buffers(guest, buffers);
  virtio_device_pause(guest->device);
  click(guest);
  fake_settle(guest);
  g_assert_cmpuint(fake_returned(guest, EVENTQ), ==, 0);
  virtio_device_resume(guest->device);
  assert_click(guest, buffers);
  fake_guest_free(guest);
}

/* Nobody ever drives it: nothing waits for a thread that there is not. */
static void test_no_driver(void) {
  FakeGuest *guest = make_guest();

  click(guest);
  fake_guest_free(guest);
}

static void test_status(void) {
  FakeGuest *guest = make_started(0);

  for (unsigned i = 0; i < 200; i++) {
    FakeBuffer buffer = {fake_alloc(guest, EVENT_SIZE), EVENT_SIZE, false};
    uint32_t length;

    fake_add(guest, STATUSQ, &buffer, 1);
    fake_kick(guest, STATUSQ);
    fake_take(guest, STATUSQ, &length);
    g_assert_cmpuint(length, ==, 0);
  }
  fake_guest_free(guest);
}

/* A buffer that holds no event: the device waits for a reset, and the click for the next driver. */
static void test_small_buffer(void) {
  static const FakeBuffer bad[] = {{0, EVENT_SIZE - 1, true}, {0, EVENT_SIZE, false}};

  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    FakeGuest *guest = make_started(0);
    FakeBuffer buffer = bad[i];
    uint64_t buffers[4];

    buffer.address = fake_alloc(guest, 64);
    fake_add(guest, EVENTQ, &buffer, 1);
    fake_kick(guest, EVENTQ);
    fake_settle(guest);
    g_assert_false(fake_has_failed(guest));
    click(guest);
    fake_wait_for(guest, VIRTIO_STATUS_NEEDS_RESET);
    click(guest);
    fake_settle(guest);
    g_assert_cmpuint(fake_returned(guest, EVENTQ), ==, 0);
    fake_guest_reset(guest);
    fake_guest_start(guest, 0);
    give_buffers(guest, buffers);
    assert_click(guest, buffers);
    fake_guest_free(guest);
  }
}

static void test_fuzz(void) {
  FakeGuest *guest = make_started(0);

  for (unsigned i = 0; i < 500; i++) {
    unsigned index = i % 2;
    uint64_t area;

    fake_guest_reset(guest);
    fake_guest_start(guest, i % 3 ? VIRTIO_F_INDIRECT_DESC : VIRTIO_F_EVENT_IDX);
    area = fake_alloc(guest, 4096);
    unsigned n = guest->queues[index].size;
    for (unsigned j = 0; j < n; j++) {
      bool wild = g_test_rand_int_range(0, 20) == 0;

      fake_write_descriptor(guest, guest->queues[index].descriptors, j, wild ? (uint64_t)g_test_rand_int() << 4 : area,
                            wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(1, 64),
                            (uint16_t)(wild ? g_test_rand_int_range(0, 8) : FAKE_DESC_WRITE | g_test_rand_int_range(0, 2)),
                            (uint16_t)g_test_rand_int_range(0, (int)n + (j == 0)));
    }
    for (unsigned j = 0; j < n; j++)
      fake_publish(guest, index, (uint16_t)g_test_rand_int_range(0, (int)n));
    uint32_t noise = g_test_rand_int();
    virtio_config_write(guest->device, g_test_rand_int_range(0, 140), &noise, 4);
    click(guest);
    fake_kick(guest, index);
    fake_settle(guest);
  }
  fake_guest_free(guest);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-input/identity", test_identity);
  g_test_add_func("/virtio-input/bits", test_bits);
  g_test_add_func("/virtio-input/click", test_click);
  g_test_add_func("/virtio-input/no-buffers", test_no_buffers);
  g_test_add_func("/virtio-input/waits", test_waits);
  g_test_add_func("/virtio-input/no-driver", test_no_driver);
  g_test_add_func("/virtio-input/status", test_status);
  g_test_add_func("/virtio-input/small-buffer", test_small_buffer);
  g_test_add_func("/virtio-input/fuzz", test_fuzz);
  return g_test_run();
}
