/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio console with ports: devices/virtio/console-ports.c, through the real virtio core, on back ends of the
 * test's own.
 */
#include "devices/virtio/console-ports.h"

#include "tests/unit/devices/virtio/fake-guest.h"

#define CONTROL_IN  2
#define CONTROL_OUT 3
#define MULTIPORT   (UINT64_C(1) << 1)

enum { READY = 0, ADD = 1, PORT_READY = 3, OPEN = 6, NAME = 7 };
enum { FIRST, SECOND, N_PORTS };

/* Takes `room` bytes and then no more until the test gives it room. */
typedef struct {
  CharBackend base; /* first */
  GMutex lock;
  GByteArray *output;
  size_t room;
  int accepts; /* atomic */
} FakeBackend;

typedef struct {
  FakeGuest *guest;
  FakeBackend backends[N_PORTS];
  GString *news;
} Fixture;

static size_t backend_write(CharBackend *base, const uint8_t *bytes, size_t size) {
  FakeBackend *backend = (FakeBackend *)base;

  g_mutex_lock(&backend->lock);
  size_t taken = MIN(size, backend->room);
  backend->room -= taken;
  g_byte_array_append(backend->output, bytes, (guint)taken);
  g_mutex_unlock(&backend->lock);
  return taken;
}

static void backend_accept(CharBackend *base) {
  __atomic_fetch_add(&((FakeBackend *)base)->accepts, 1, __ATOMIC_SEQ_CST);
}

static void opened(void *opaque, unsigned port, bool open) {
  g_string_append_printf(((Fixture *)opaque)->news, "%c%u ", open ? 'o' : 'c', port);
}

static void drained(void *opaque, unsigned port) {
  g_string_append_printf(((Fixture *)opaque)->news, "d%u ", port);
}

static Fixture *fixture_new(void) {
  static const CharBackendOps ops = {.write = backend_write, .accept = backend_accept};
  static const VirtioConsolePortsOps ports_ops = {opened, drained};
  Fixture *fixture = g_new0(Fixture, 1);
  g_autoptr(GError) error = NULL;
  VirtioConsolePort ports[] = {{"first", &fixture->backends[FIRST].base}, {"the.second", &fixture->backends[SECOND].base}};

  for (unsigned i = 0; i < N_PORTS; i++) {
    fixture->backends[i].base.ops = &ops;
    g_mutex_init(&fixture->backends[i].lock);
    fixture->backends[i].output = g_byte_array_new();
    fixture->backends[i].room = SIZE_MAX;
  }
  fixture->news = g_string_new(NULL);
  fixture->guest = fake_guest_new();
  const VirtioConsolePortSet set = {ports, N_PORTS, &ports_ops, fixture};
  fake_guest_plug(fixture->guest, virtio_console_ports_kind.make_virtio(
                                      &(DeviceParts){.name = "ports", .memory = &fixture->guest->memory, .ports = &set}, &error));
  g_assert_no_error(error);
  fake_guest_start(fixture->guest, MULTIPORT);
  return fixture;
}

static void fixture_free(Fixture *fixture) {
  fake_guest_free(fixture->guest);
  for (unsigned i = 0; i < N_PORTS; i++) {
    g_assert_null(fixture->backends[i].base.frontend);
    g_byte_array_unref(fixture->backends[i].output);
    g_mutex_clear(&fixture->backends[i].lock);
  }
  g_string_free(fixture->news, TRUE);
  g_free(fixture);
}

static void send_bytes(Fixture *fixture, unsigned queue, const void *bytes, size_t size) {
  FakeBuffer buffer = {fake_alloc(fixture->guest, size), (uint32_t)size, false};

  memcpy(fake_at(fixture->guest, buffer.address), bytes, size);
  fake_add(fixture->guest, queue, &buffer, 1);
  fake_kick(fixture->guest, queue);
}

static void say(Fixture *fixture, uint32_t id, uint16_t event, uint16_t value) {
  const struct {
    uint32_t id;
    uint16_t event, value;
  } message = {id, event, value};

  send_bytes(fixture, CONTROL_OUT, &message, sizeof message);
  fake_take(fixture->guest, CONTROL_OUT, NULL);
  fake_settle(fixture->guest);
}

/* The next control message, into a buffer that is offered for it. */
static void assert_said(Fixture *fixture, uint32_t id, uint16_t event, uint16_t value, const char *text) {
  FakeBuffer buffer = {fake_alloc(fixture->guest, 64), 64, true};
  uint32_t length, got_id;
  uint16_t words[2];

  fake_add(fixture->guest, CONTROL_IN, &buffer, 1);
  fake_kick(fixture->guest, CONTROL_IN);
  fake_take(fixture->guest, CONTROL_IN, &length);
  memcpy(&got_id, fake_at(fixture->guest, buffer.address), 4);
  memcpy(words, fake_at(fixture->guest, buffer.address + 4), 4);
  g_assert_cmpuint(got_id, ==, id);
  g_assert_cmpuint(words[0], ==, event);
  g_assert_cmpuint(words[1], ==, value);
  g_assert_cmpmem(fake_at(fixture->guest, buffer.address + 8), length - 8, text, strlen(text));
}

static void assert_news(Fixture *fixture, const char *expected) {
  fake_settle(fixture->guest);
  while (g_main_context_iteration(NULL, FALSE))
    ;
  g_assert_cmpstr(fixture->news->str, ==, expected);
  g_string_truncate(fixture->news, 0);
}

static void assert_output(Fixture *fixture, unsigned port, const char *expected) {
  FakeBackend *backend = &fixture->backends[port];

  fake_settle(fixture->guest);
  g_mutex_lock(&backend->lock);
  g_assert_cmpmem(backend->output->data, backend->output->len, expected, strlen(expected));
  g_mutex_unlock(&backend->lock);
}

static const CharFrontend *front(Fixture *fixture, unsigned port) {
  return fixture->backends[port].base.frontend;
}

static size_t room(Fixture *fixture, unsigned port) {
  return front(fixture, port)->room(fixture->backends[port].base.opaque);
}

static void introduce(Fixture *fixture) {
  say(fixture, 0, READY, 1);
  assert_said(fixture, FIRST, ADD, 0, "");
  assert_said(fixture, SECOND, ADD, 0, "");
  for (unsigned i = 0; i < N_PORTS; i++) {
    say(fixture, i, PORT_READY, 1);
    assert_said(fixture, i, NAME, 1, i == FIRST ? "first" : "the.second");
    assert_said(fixture, i, OPEN, 1, "");
  }
}

static void test_introduction(void) {
  Fixture *fixture = fixture_new();

  g_assert_cmpuint(fake_config(fixture->guest, 4, 4), ==, N_PORTS);
  introduce(fixture);
  assert_news(fixture, "");
  fixture_free(fixture);
}

static void test_output(void) {
  Fixture *fixture = fixture_new();

  introduce(fixture);
  say(fixture, SECOND, OPEN, 1);
  assert_news(fixture, "o1 ");
  send_bytes(fixture, 5, "hello", 5);
  send_bytes(fixture, 1, "world", 5);
  assert_output(fixture, SECOND, "hello");
  assert_output(fixture, FIRST, "world");
  say(fixture, SECOND, OPEN, 0);
  assert_news(fixture, "c1 d1 ");
  fixture_free(fixture);
}

/* Closed by the guest, but not drained before the back end has taken the last byte. */
static void test_drained(void) {
  Fixture *fixture = fixture_new();

  introduce(fixture);
  say(fixture, FIRST, OPEN, 1);
  fixture->backends[FIRST].room = 3;
  send_bytes(fixture, 1, "abcdef", 6);
  say(fixture, FIRST, OPEN, 0);
  assert_news(fixture, "o0 c0 ");
  assert_output(fixture, FIRST, "abc");
  g_mutex_lock(&fixture->backends[FIRST].lock);
  fixture->backends[FIRST].room = SIZE_MAX;
  g_mutex_unlock(&fixture->backends[FIRST].lock);
  front(fixture, FIRST)->writable(fixture->backends[FIRST].base.opaque);
  assert_news(fixture, "d0 ");
  assert_output(fixture, FIRST, "abcdef");
  fixture_free(fixture);
}

static void test_input(void) {
  Fixture *fixture = fixture_new();
  FakeBuffer buffer = {fake_alloc(fixture->guest, 16), 16, true};
  uint32_t length;

  introduce(fixture);
  fake_add(fixture->guest, 4, &buffer, 1);
  fake_kick(fixture->guest, 4);
  fake_settle(fixture->guest);
  /* Linux forgets what comes to a port that nobody has open. */
  g_assert_cmpuint(room(fixture, SECOND), ==, 0);
  say(fixture, SECOND, OPEN, 1);
  g_assert_cmpint(__atomic_load_n(&fixture->backends[SECOND].accepts, __ATOMIC_SEQ_CST), ==, 1);
  g_assert_cmpuint(room(fixture, SECOND), >=, 4);
  front(fixture, SECOND)->receive(fixture->backends[SECOND].base.opaque, (const uint8_t *)"data", 4);
  fake_take(fixture->guest, 4, &length);
  g_assert_cmpmem(fake_at(fixture->guest, buffer.address), length, "data", 4);
  fixture_free(fixture);
}

/* The end comes behind the last byte, not before. */
static void test_end_of_input(void) {
  Fixture *fixture = fixture_new();
  FakeBuffer buffer = {fake_alloc(fixture->guest, 16), 3, true};

  introduce(fixture);
  fake_add(fixture->guest, 0, &buffer, 1);
  fake_kick(fixture->guest, 0);
  say(fixture, FIRST, OPEN, 1);
  g_assert_cmpuint(room(fixture, FIRST), >=, 4);
  front(fixture, FIRST)->receive(fixture->backends[FIRST].base.opaque, (const uint8_t *)"data", 4);
  virtio_console_ports_end_input(fixture->guest->device, FIRST);
  fake_take(fixture->guest, 0, NULL);
  FakeBuffer control = {fake_alloc(fixture->guest, 64), 64, true};
  fake_add(fixture->guest, CONTROL_IN, &control, 1);
  fake_kick(fixture->guest, CONTROL_IN);
  fake_settle(fixture->guest);
  g_assert_cmpuint(fake_returned(fixture->guest, CONTROL_IN), ==, 0);
  fake_add(fixture->guest, 0, &buffer, 1);
  fake_kick(fixture->guest, 0);
  fake_take(fixture->guest, 0, NULL);
  fake_take(fixture->guest, CONTROL_IN, NULL);
  g_assert_cmpuint(*(uint16_t *)(void *)((uint8_t *)fake_at(fixture->guest, control.address) + 4), ==, OPEN);
  g_assert_cmpuint(*(uint16_t *)(void *)((uint8_t *)fake_at(fixture->guest, control.address) + 6), ==, 0);
  fixture_free(fixture);
}

/* A guest that asks without end and never listens, for ports that are not there, in messages that are none. */
static void test_hostile(void) {
  Fixture *fixture = fixture_new();

  for (unsigned i = 0; i < 1000; i++) {
    say(fixture, 0, READY, 1);
    say(fixture, i, PORT_READY, 1);
  }
  say(fixture, UINT32_MAX, OPEN, 1);
  say(fixture, N_PORTS, OPEN, 0);
  say(fixture, FIRST, 0xffff, 0xffff);
  send_bytes(fixture, CONTROL_OUT, "abc", 3);
  fake_take(fixture->guest, CONTROL_OUT, NULL);
  assert_news(fixture, "");
  g_assert_false(fake_has_failed(fixture->guest));
  say(fixture, 0, READY, 1);
  assert_said(fixture, FIRST, ADD, 0, "");
  fixture_free(fixture);
}

static void test_news_after_the_end(void) {
  Fixture *fixture = fixture_new();

  introduce(fixture);
  say(fixture, FIRST, OPEN, 1);
  fixture_free(fixture); /* with news on their way */
  while (g_main_context_iteration(NULL, FALSE))
    ;
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/console-ports/introduction", test_introduction);
  g_test_add_func("/console-ports/output", test_output);
  g_test_add_func("/console-ports/drained", test_drained);
  g_test_add_func("/console-ports/input", test_input);
  g_test_add_func("/console-ports/end-of-input", test_end_of_input);
  g_test_add_func("/console-ports/hostile", test_hostile);
  g_test_add_func("/console-ports/news-after-the-end", test_news_after_the_end);
  return g_test_run();
}
