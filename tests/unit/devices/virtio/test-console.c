/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio console: devices/virtio/console.c, through the real virtio core, on a back end of the test's own. */
#include "devices/virtio/console.h"

#include "tests/unit/devices/virtio/fake-guest.h"

#define RECEIVEQ  0
#define TRANSMITQ 1

/* Takes `room` bytes and then no more until the test gives it room. The test's thread is the main thread. */
typedef struct {
  CharBackend base; /* first */
  GMutex lock;
  GByteArray *output;
  size_t room;
  int refused, accepts; /* atomic */
} FakeBackend;

static size_t backend_write(CharBackend *base, const uint8_t *bytes, size_t size) {
  FakeBackend *backend = (FakeBackend *)base;
  size_t taken;

  g_mutex_lock(&backend->lock);
  taken = MIN(size, backend->room);
  backend->room -= taken;
  g_byte_array_append(backend->output, bytes, (guint)taken);
  g_mutex_unlock(&backend->lock);
  if (taken < size)
    __atomic_fetch_add(&backend->refused, 1, __ATOMIC_SEQ_CST);
  return taken;
}

static void backend_accept(CharBackend *base) {
  __atomic_fetch_add(&((FakeBackend *)base)->accepts, 1, __ATOMIC_SEQ_CST);
}

typedef struct {
  FakeGuest *guest;
  FakeBackend backend;
} Fixture;

static Fixture *fixture_new(uint64_t features) {
  static const CharBackendOps ops = {.write = backend_write, .accept = backend_accept};
  Fixture *fixture = g_new0(Fixture, 1);
  g_autoptr(GError) error = NULL;

  fixture->backend.base.ops = &ops;
  g_mutex_init(&fixture->backend.lock);
  fixture->backend.output = g_byte_array_new();
  fixture->backend.room = SIZE_MAX;
  fixture->guest = fake_guest_new();
  fake_guest_plug(fixture->guest,
                  virtio_console_kind.make_virtio(
                      &(DeviceParts){.name = "console", .memory = &fixture->guest->memory, .console = &fixture->backend.base}, &error));
  g_assert_no_error(error);
  g_assert_nonnull(fixture->backend.base.frontend);
  fake_guest_start(fixture->guest, features);
  fake_settle(fixture->guest);
  return fixture;
}

static void fixture_free(Fixture *fixture) {
  fake_guest_free(fixture->guest);
  g_assert_null(fixture->backend.base.frontend);
  g_byte_array_unref(fixture->backend.output);
  g_mutex_clear(&fixture->backend.lock);
  g_free(fixture);
}

static void set_room(Fixture *fixture, size_t room) {
  g_mutex_lock(&fixture->backend.lock);
  fixture->backend.room = room;
  g_mutex_unlock(&fixture->backend.lock);
}

static void give_room(Fixture *fixture, size_t room) {
  set_room(fixture, room);
  fixture->backend.base.frontend->writable(fixture->backend.base.opaque);
}

static size_t front_room(Fixture *fixture) {
  return fixture->backend.base.frontend->room(fixture->backend.base.opaque);
}

static void send_in(Fixture *fixture, const void *bytes, size_t size) {
  fixture->backend.base.frontend->receive(fixture->backend.base.opaque, bytes, size);
}

static uint64_t put_text(Fixture *fixture, const void *bytes, size_t size) {
  uint64_t address = fake_alloc(fixture->guest, size);

  memcpy(fake_at(fixture->guest, address), bytes, size);
  return address;
}

static void transmit(Fixture *fixture, const void *bytes, size_t size) {
  FakeBuffer buffer = {put_text(fixture, bytes, size), (uint32_t)size, false};

  fake_add(fixture->guest, TRANSMITQ, &buffer, 1);
  fake_kick(fixture->guest, TRANSMITQ);
}

static uint64_t offer(Fixture *fixture, uint32_t size) {
  FakeBuffer buffer = {fake_alloc(fixture->guest, size), size, true};

  fake_add(fixture->guest, RECEIVEQ, &buffer, 1);
  fake_kick(fixture->guest, RECEIVEQ);
  return buffer.address;
}

static void assert_output(Fixture *fixture, const char *expected) {
  fake_settle(fixture->guest);
  g_mutex_lock(&fixture->backend.lock);
  g_assert_cmpmem(fixture->backend.output->data, fixture->backend.output->len, expected, strlen(expected));
  g_mutex_unlock(&fixture->backend.lock);
}

/* Output. */

static void test_output(void) {
  Fixture *fixture = fixture_new(0);
  uint32_t length;

  transmit(fixture, "hello", 5);
  fake_take(fixture->guest, TRANSMITQ, &length);
  g_assert_cmpuint(length, ==, 0);
  transmit(fixture, " world", 6);
  fake_take(fixture->guest, TRANSMITQ, NULL);
  assert_output(fixture, "hello world");
  g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[TRANSMITQ], __ATOMIC_SEQ_CST), ==, 2);
  g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[RECEIVEQ], __ATOMIC_SEQ_CST), ==, 0);
  fixture_free(fixture);
}

/*
 * A queue that is disabled takes along how far its last chain had come: the first one of its next life is put out from
 * its beginning.
 */
static void test_output_queue_disabled(void) {
  Fixture *fixture = fixture_new(0);
  VirtioDevice *device = fixture->guest->device;

  set_room(fixture, 3);
  transmit(fixture, "hello", 5);
  assert_output(fixture, "hel");
  VirtQueue before = device->queues[TRANSMITQ];
  virtio_queue_disable(device, TRANSMITQ);
  g_assert_false(device->queues[TRANSMITQ].config.ready);
  give_room(fixture, SIZE_MAX);
  assert_output(fixture, "hel");
  virtio_device_pause(device);
  device->queues[TRANSMITQ].config = before.config; /* as a transport would that lets a driver do so */
  virtio_device_resume(device);
  assert_output(fixture, "helhello");
  fixture_free(fixture);
}

static void test_output_in_pieces(void) {
  Fixture *fixture = fixture_new(VIRTIO_F_INDIRECT_DESC);
  uint64_t text = put_text(fixture, "abcdefghij", 10);
  FakeBuffer buffers[] = {{text, 1, false}, {text + 1, 3, false}, {text + 4, 6, false}, {text, 4, true}};

  fake_add(fixture->guest, TRANSMITQ, buffers, 4);
  fake_add_indirect(fixture->guest, TRANSMITQ, buffers + 1, 2);
  fake_kick(fixture->guest, TRANSMITQ);
  fake_take(fixture->guest, TRANSMITQ, NULL);
  fake_take(fixture->guest, TRANSMITQ, NULL);
  assert_output(fixture, "abcdefghijbcdefghij");
  /* Nothing for us in it: comes back, and that is all. */
  fake_add(fixture->guest, TRANSMITQ, buffers + 3, 1);
  fake_kick(fixture->guest, TRANSMITQ);
  fake_take(fixture->guest, TRANSMITQ, NULL);
  assert_output(fixture, "abcdefghijbcdefghij");
  fixture_free(fixture);
}

static void test_full_back_end(void) {
  Fixture *fixture = fixture_new(0);

  set_room(fixture, 3);
  transmit(fixture, "hello", 5);
  transmit(fixture, " world", 6);
  assert_output(fixture, "hel");
  g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 0); /* what is not out is not back */
  fake_kick(fixture->guest, TRANSMITQ);
  assert_output(fixture, "hel");
  g_assert_cmpint(__atomic_load_n(&fixture->backend.refused, __ATOMIC_SEQ_CST), ==, 1); /* a doorbell is no reason to try again */
  give_room(fixture, 0);
  assert_output(fixture, "hel");
  give_room(fixture, 1);
  assert_output(fixture, "hell");
  give_room(fixture, 4);
  assert_output(fixture, "hello wo");
  g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 1);
  give_room(fixture, 100);
  assert_output(fixture, "hello world");
  g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 2);
  /* Exactly full is not too full. */
  set_room(fixture, 1);
  transmit(fixture, "!", 1);
  assert_output(fixture, "hello world!");
  g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 3);
  fixture_free(fixture);
}

static void test_pause_in_the_middle(void) {
  Fixture *fixture = fixture_new(0);

  set_room(fixture, 3);
  transmit(fixture, "hello", 5);
  assert_output(fixture, "hel");
  for (unsigned i = 0; i < 3; i++) {
    virtio_device_pause(fixture->guest->device);
    give_room(fixture, 1);
    fake_settle(fixture->guest);
    g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 0);
    if (i == 0)
      set_room(fixture, 0);
    virtio_device_resume(fixture->guest->device);
    if (i == 0)
      assert_output(fixture, "hel");
    else if (i == 1)
      assert_output(fixture, "hell");
  }
  assert_output(fixture, "hello");
  g_assert_cmpuint(fake_returned(fixture->guest, TRANSMITQ), ==, 1);
  fixture_free(fixture);
}

/* After a reset, the rest of what was going out belongs to nobody. */
static void test_reset_in_the_middle(void) {
  Fixture *fixture = fixture_new(0);

  set_room(fixture, 3);
  transmit(fixture, "hello", 5);
  assert_output(fixture, "hel");
  fake_guest_reset(fixture->guest);
  give_room(fixture, 100);
  assert_output(fixture, "hel");
  fake_guest_start(fixture->guest, 0);
  transmit(fixture, "again", 5);
  assert_output(fixture, "helagain");
  fixture_free(fixture);
}

/* The same for a queue that is taken out of service alone, which is no reset of the device. */
static void test_queue_disabled_in_the_middle(void) {
  Fixture *fixture = fixture_new(0);

  transmit(fixture, "x", 1);
  fake_take(fixture->guest, TRANSMITQ, NULL);
  set_room(fixture, 3);
  transmit(fixture, "hello", 5);
  assert_output(fixture, "xhel");
  virtio_queue_disable(fixture->guest->device, TRANSMITQ);
  give_room(fixture, 100);
  assert_output(fixture, "xhel");
  fake_guest_reset(fixture->guest);
  fake_guest_start(fixture->guest, 0);
  transmit(fixture, "again", 5);
  assert_output(fixture, "xhelagain");
  fixture_free(fixture);
}

/* Random sizes, random room: every byte, once, in order. */
static void test_output_stream(void) {
  Fixture *fixture = fixture_new(0);
  g_autoptr(GByteArray) sent = g_byte_array_new();

  set_room(fixture, 0);
  for (unsigned round = 0; round < 400; round++) {
    unsigned pending = (unsigned)g_test_rand_int_range(1, 9);
    uint64_t heap = fixture->guest->heap;

    for (unsigned i = 0; i < pending; i++) {
      uint8_t bytes[700];
      size_t size = (size_t)g_test_rand_int_range(1, sizeof bytes + 1);

      for (size_t j = 0; j < size; j++)
        bytes[j] = (uint8_t)g_test_rand_int();
      g_byte_array_append(sent, bytes, (guint)size);
      transmit(fixture, bytes, size);
    }
    while (fake_returned(fixture->guest, TRANSMITQ) < pending) {
      give_room(fixture, (size_t)g_test_rand_int_range(0, 1000));
      if (g_test_rand_int_range(0, 10) == 0) {
        virtio_device_pause(fixture->guest->device);
        virtio_device_resume(fixture->guest->device);
      }
      fake_settle(fixture->guest);
    }
    for (unsigned i = 0; i < pending; i++)
      fake_take(fixture->guest, TRANSMITQ, NULL);
    fixture->guest->heap = heap;
  }
  g_assert_cmpmem(fixture->backend.output->data, fixture->backend.output->len, sent->data, sent->len);
  fixture_free(fixture);
}

/* Input. */

static void test_input(void) {
  Fixture *fixture = fixture_new(0);
  uint64_t first, second;
  uint32_t length;

  g_assert_cmpuint(front_room(fixture), ==, 0); /* no buffers: it stays where it is */
  fake_settle(fixture->guest);
  g_assert_cmpint(__atomic_load_n(&fixture->backend.accepts, __ATOMIC_SEQ_CST), ==, 0);
  first = offer(fixture, 16);
  fake_settle(fixture->guest);
  g_assert_cmpint(__atomic_load_n(&fixture->backend.accepts, __ATOMIC_SEQ_CST), ==, 1);
  g_assert_cmpuint(front_room(fixture), >, 0);
  send_in(fixture, "hello", 5);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 5);
  g_assert_cmpmem(fake_at(fixture->guest, first), 5, "hello", 5);
  g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[RECEIVEQ], __ATOMIC_SEQ_CST), ==, 1);

  fake_settle(fixture->guest);
  g_assert_cmpuint(front_room(fixture), ==, 0);
  second = offer(fixture, 2);
  offer(fixture, 100);
  fake_settle(fixture->guest);
  g_assert_cmpint(__atomic_load_n(&fixture->backend.accepts, __ATOMIC_SEQ_CST), ==, 2);
  send_in(fixture, "world", 5);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 2);
  g_assert_cmpmem(fake_at(fixture->guest, second), 2, "wo", 2);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 3);
  fixture_free(fixture);
}

/* More than the buffers hold: the rest waits for the next ones. */
static void test_input_waits(void) {
  Fixture *fixture = fixture_new(0);
  uint64_t address = offer(fixture, 4);
  uint32_t length;

  fake_settle(fixture->guest);
  g_assert_cmpuint(front_room(fixture), >=, 10);
  send_in(fixture, "0123456789", 10);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 4);
  fake_settle(fixture->guest);
  g_assert_cmpuint(fake_returned(fixture->guest, RECEIVEQ), ==, 0);
  g_assert_cmpuint(front_room(fixture), ==, 0);
  address = offer(fixture, 100);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 6);
  g_assert_cmpmem(fake_at(fixture->guest, address), 6, "456789", 6);
  fixture_free(fixture);
}

/* What has left the back end survives a reset, and a pause. */
static void test_input_survives(void) {
  Fixture *fixture = fixture_new(0);
  uint64_t address = offer(fixture, 2);
  uint32_t length;

  fake_settle(fixture->guest);
  send_in(fixture, "abcdef", 6);
  fake_take(fixture->guest, RECEIVEQ, &length);
  fake_settle(fixture->guest);
  fake_guest_reset(fixture->guest);
  g_assert_cmpuint(front_room(fixture), ==, 0);
  fake_guest_start(fixture->guest, 0);
  address = offer(fixture, 3);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 3);
  g_assert_cmpmem(fake_at(fixture->guest, address), 3, "cde", 3);
  fake_settle(fixture->guest);
  virtio_device_pause(fixture->guest->device);
  address = offer(fixture, 3);
  fake_settle(fixture->guest);
  g_assert_cmpuint(fake_returned(fixture->guest, RECEIVEQ), ==, 0);
  virtio_device_resume(fixture->guest->device);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 1);
  g_assert_cmpmem(fake_at(fixture->guest, address), 1, "f", 1);
  fixture_free(fixture);
}

/* Buffers that went with a reset are none. */
static void test_reset_takes_buffers(void) {
  Fixture *fixture = fixture_new(0);

  offer(fixture, 100);
  fake_settle(fixture->guest);
  g_assert_cmpuint(front_room(fixture), >, 0);
  fake_guest_reset(fixture->guest);
  g_assert_cmpuint(front_room(fixture), ==, 0);
  fake_guest_start(fixture->guest, 0);
  fake_settle(fixture->guest);
  g_assert_cmpuint(front_room(fixture), ==, 0);
  fixture_free(fixture);
}

/* Random sizes of input and of buffers: every byte, once, in order. */
static void test_input_stream(void) {
  Fixture *fixture = fixture_new(0);
  g_autoptr(GByteArray) sent = g_byte_array_new();
  g_autoptr(GByteArray) received = g_byte_array_new();
  uint64_t address[64];
  unsigned offered = 0, taken = 0;
  uint64_t heap = fixture->guest->heap;

  while (received->len < 100000) {
    size_t room = front_room(fixture), size;
    uint8_t bytes[4096];

    if (offered - taken < 16 && g_test_rand_int_range(0, 3)) {
      if (offered == taken)
        fixture->guest->heap = heap;
      address[offered % 64] = offer(fixture, (uint32_t)g_test_rand_int_range(1, 1000));
      offered++;
    }
    size = room ? (size_t)g_test_rand_int_range(0, (int)room + 1) : 0;
    for (size_t i = 0; i < size; i++)
      bytes[i] = (uint8_t)g_test_rand_int();
    if (size)
      send_in(fixture, bytes, size);
    g_byte_array_append(sent, bytes, (guint)size);
    if (g_test_rand_int_range(0, 20) == 0) {
      virtio_device_pause(fixture->guest->device);
      virtio_device_resume(fixture->guest->device);
    }
    if (fixture->guest->heap > FAKE_BASE + FAKE_SIZE / 2 || offered - taken == 16)
      fake_settle(fixture->guest);
    while (fake_returned(fixture->guest, RECEIVEQ)) {
      uint32_t length;

      fake_take(fixture->guest, RECEIVEQ, &length);
      g_byte_array_append(received, fake_at(fixture->guest, address[taken % 64]), length);
      taken++;
    }
  }
  g_assert_cmpmem(received->data, received->len, sent->data, received->len);
  g_assert_cmpuint(sent->len - received->len, <=, 4096);
  fixture_free(fixture);
}

/* The rest. */

static void test_config(void) {
  Fixture *fixture = fixture_new(1);
  VirtioDevice *device = fixture->guest->device;
  int generation = __atomic_load_n(&device->config_generation, __ATOMIC_SEQ_CST);

  g_assert_cmpuint(device->ops->id, ==, 3);
  g_assert_cmphex(virtio_get_device_features(device, 0) & ~(uint32_t)(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC), ==, 1 | 4);
  g_assert_cmpuint(fake_config(fixture->guest, 0, 4), ==, 0);
  g_assert_cmpuint(fake_config(fixture->guest, 4, 4), ==, 1);
  virtio_console_resize(device, 132, 43);
  g_assert_cmpuint(fake_config(fixture->guest, 0, 2), ==, 132);
  g_assert_cmpuint(fake_config(fixture->guest, 2, 2), ==, 43);
  g_assert_cmpint(__atomic_load_n(&device->config_generation, __ATOMIC_SEQ_CST), ==, generation + 2);
  g_assert_cmpint(__atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST), ==, 1);
  virtio_console_resize(device, 132, 43); /* no news */
  g_assert_cmpint(__atomic_load_n(&fixture->guest->config_interrupts, __ATOMIC_SEQ_CST), ==, 1);
  virtio_console_resize(device, 65535, 65535);
  g_assert_cmphex(fake_config(fixture->guest, 0, 4), ==, UINT32_MAX);
  g_assert_cmpuint(fake_config(fixture->guest, 12, 4), ==, 0);
  fixture_free(fixture);
}

static void test_emergency_write(void) {
  Fixture *fixture = fixture_new(0);

  fake_guest_reset(fixture->guest);
  virtio_config_write(fixture->guest->device, 8, "A\1\2\3", 4);
  virtio_config_write(fixture->guest->device, 8, "B", 1);
  virtio_config_write(fixture->guest->device, 0, "CCCC", 4);
  virtio_config_write(fixture->guest->device, 4, "DDDD", 4);
  virtio_config_write(fixture->guest->device, 12, "EEEE", 4);
  assert_output(fixture, "AB");
  set_room(fixture, 0);
  virtio_config_write(fixture->guest->device, 8, "F", 1); /* nowhere to wait */
  set_room(fixture, 10);
  assert_output(fixture, "AB");
  fixture_free(fixture);
}

static void test_no_back_end(void) {
  FakeGuest *guest = fake_guest_new();
  g_autoptr(GError) error = NULL;

  fake_guest_plug(guest, virtio_console_kind.make_virtio(&(DeviceParts){.name = "console", .memory = &guest->memory}, &error));
  g_assert_no_error(error);
  fake_guest_start(guest, 0);
  FakeBuffer buffer = {fake_alloc(guest, 64), 64, false};
  fake_add(guest, TRANSMITQ, &buffer, 1);
  fake_kick(guest, TRANSMITQ);
  fake_take(guest, TRANSMITQ, NULL);
  buffer.writable = true;
  fake_add(guest, RECEIVEQ, &buffer, 1);
  fake_kick(guest, RECEIVEQ);
  fake_settle(guest);
  g_assert_cmpuint(fake_returned(guest, RECEIVEQ), ==, 0);
  virtio_config_write(guest->device, 8, "x", 1);
  virtio_console_resize(guest->device, 80, 25);
  fake_guest_free(guest);
}

/* A receive buffer with no place for input swallows none of it. */
static void test_unwritable_receive_buffer(void) {
  Fixture *fixture = fixture_new(0);
  FakeBuffer buffer = {fake_alloc(fixture->guest, 16), 16, false};
  uint64_t address;
  uint32_t length;

  fake_add(fixture->guest, RECEIVEQ, &buffer, 1);
  address = offer(fixture, 16);
  fake_settle(fixture->guest);
  send_in(fixture, "hello", 5);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 0);
  fake_take(fixture->guest, RECEIVEQ, &length);
  g_assert_cmpuint(length, ==, 5);
  g_assert_cmpmem(fake_at(fixture->guest, address), 5, "hello", 5);
  fixture_free(fixture);
}

/* More chains than one round serves, both ways. */
static void test_full_queues(void) {
  Fixture *fixture = fixture_new(VIRTIO_F_EVENT_IDX);
  unsigned n = fixture->guest->queues[TRANSMITQ].size;
  g_autoptr(GString) expected = g_string_new(NULL);
  uint64_t text = put_text(fixture, "0123456789abcdef", 16), area = fake_alloc(fixture->guest, n);

  for (unsigned round = 0; round < 5; round++) {
    for (unsigned i = 0; i < n; i++) {
      FakeBuffer out = {text + i % 16, 1, false}, in = {area + i, 1, true};

      fake_add(fixture->guest, TRANSMITQ, &out, 1);
      fake_add(fixture->guest, RECEIVEQ, &in, 1);
      g_string_append_c(expected, "0123456789abcdef"[i % 16]);
    }
    fake_kick(fixture->guest, TRANSMITQ);
    fake_kick(fixture->guest, RECEIVEQ);
    fake_settle(fixture->guest);
    g_assert_cmpuint(front_room(fixture), >=, n);
    send_in(fixture, expected->str, n);
    for (unsigned i = 0; i < n; i++) {
      fake_take(fixture->guest, TRANSMITQ, NULL);
      fake_take(fixture->guest, RECEIVEQ, NULL);
    }
    g_assert_cmpmem(fake_at(fixture->guest, area), n, expected->str, n);
  }
  assert_output(fixture, expected->str);
  fixture_free(fixture);
}

/* A driver that rings only when asked to. */
static void test_doorbell_on_demand(void) {
  for (unsigned i = 0; i < 2; i++) {
    Fixture *fixture = fixture_new(i ? VIRTIO_F_EVENT_IDX : 0);
    FakeBuffer buffer = {put_text(fixture, "x", 1), 1, false};

    fake_stream(fixture->guest, TRANSMITQ, &buffer, 1, 50000);
    fake_settle(fixture->guest);
    g_assert_cmpuint(fixture->backend.output->len, ==, 50000);
    fixture_free(fixture);
  }
}

static void test_fuzz(void) {
  Fixture *fixture = fixture_new(0);
  FakeGuest *guest = fixture->guest;

  for (unsigned i = 0; i < 500; i++) {
    uint64_t area;

    fake_guest_reset(guest);
    fake_guest_start(guest, i % 2 ? VIRTIO_F_INDIRECT_DESC : VIRTIO_F_EVENT_IDX);
    area = fake_alloc(guest, 65536);
    give_room(fixture, (size_t)g_test_rand_int_range(0, 5000));
    for (unsigned queue = 0; queue < 2; queue++) {
      int n = guest->queues[queue].size;

      for (int j = 0; j < n; j++) {
        bool wild = g_test_rand_int_range(0, 100) == 0;

        fake_write_descriptor(guest, guest->queues[queue].descriptors, (unsigned)j, wild ? (uint64_t)g_test_rand_int() << 4 : area,
                              wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(1, 600),
                              (uint16_t)(wild ? g_test_rand_int_range(0, 8) : g_test_rand_int_range(0, 4) & (queue ? 1 : 3)),
                              (uint16_t)g_test_rand_int_range(0, n));
      }
      for (int j = 0; j < n / 2; j++)
        fake_publish(guest, queue, (uint16_t)g_test_rand_int_range(0, n));
      fake_kick(guest, queue);
    }
    size_t room = front_room(fixture);
    if (room)
      send_in(fixture, fake_at(guest, area), MIN(room, 777));
    fake_settle(guest);
    g_byte_array_set_size(fixture->backend.output, 0);
  }
  fake_guest_reset(guest);
  fake_guest_start(guest, 0);
  set_room(fixture, SIZE_MAX);
  transmit(fixture, "alive", 5);
  fake_take(guest, TRANSMITQ, NULL);
  assert_output(fixture, "alive");
  fixture_free(fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtio-console/output/simple", test_output);
  g_test_add_func("/virtio-console/output/in-pieces", test_output_in_pieces);
  g_test_add_func("/virtio-console/output/full-back-end", test_full_back_end);
  g_test_add_func("/virtio-console/output/pause-in-the-middle", test_pause_in_the_middle);
  g_test_add_func("/virtio-console/output/reset-in-the-middle", test_reset_in_the_middle);
  g_test_add_func("/virtio-console/output/queue-disabled-in-the-middle", test_queue_disabled_in_the_middle);
  g_test_add_func("/virtio-console/output/queue-disabled", test_output_queue_disabled);
  g_test_add_func("/virtio-console/output/stream", test_output_stream);
  g_test_add_func("/virtio-console/input/simple", test_input);
  g_test_add_func("/virtio-console/input/waits", test_input_waits);
  g_test_add_func("/virtio-console/input/survives", test_input_survives);
  g_test_add_func("/virtio-console/input/stream", test_input_stream);
  g_test_add_func("/virtio-console/input/unwritable-buffer", test_unwritable_receive_buffer);
  g_test_add_func("/virtio-console/config", test_config);
  g_test_add_func("/virtio-console/emergency-write", test_emergency_write);
  g_test_add_func("/virtio-console/no-back-end", test_no_back_end);
  g_test_add_func("/virtio-console/full-queues", test_full_queues);
  g_test_add_func("/virtio-console/input/reset-takes-buffers", test_reset_takes_buffers);
  g_test_add_func("/virtio-console/doorbell-on-demand", test_doorbell_on_demand);
  g_test_add_func("/virtio-console/fuzz", test_fuzz);
  return g_test_run();
}
