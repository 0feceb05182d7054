/* SPDX-License-Identifier: Apache-2.0 */
/* The back end inside the process: devices/backend/channel.c. */
#include <string.h>

#include "devices/backend/channel.h"

typedef struct {
  CharBackend *channel;
  GString *from_guest, *to_guest;
  size_t room;
  unsigned writable;
} Fixture;

static void received(void *opaque, const uint8_t *bytes, size_t size) {
  g_string_append_len(((Fixture *)opaque)->from_guest, (const char *)bytes, (gssize)size);
}

static const ChannelOps ops = {received};

static size_t front_room(void *opaque) {
  return ((Fixture *)opaque)->room;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t size) {
  Fixture *fixture = opaque;
  g_assert_cmpuint(size, <=, fixture->room);
  fixture->room -= size;
  g_string_append_len(fixture->to_guest, (const char *)bytes, (gssize)size);
}

static void front_writable(void *opaque) {
  ((Fixture *)opaque)->writable++;
}

static const CharFrontend front = {front_room, front_receive, front_writable};

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->from_guest = g_string_new(NULL);
  fixture->to_guest = g_string_new(NULL);
  fixture->channel = channel_new(&ops, fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  char_backend_free(fixture->channel);
  g_string_free(fixture->from_guest, TRUE);
  g_string_free(fixture->to_guest, TRUE);
}

static void settle(void) {
  while (g_main_context_iteration(NULL, FALSE))
    ;
}

static gpointer write_from_thread(gpointer data) {
  Fixture *fixture = data;
  for (unsigned i = 0; i < 100000; i++)
    while (char_backend_write(fixture->channel, (const uint8_t *)"0123456789" + i % 10, 1) == 0)
      g_thread_yield();
  return NULL;
}

static void test_from_guest(Fixture *fixture, gconstpointer data) {
  GThread *thread = g_thread_new("guest", write_from_thread, fixture);

  while (fixture->from_guest->len < 100000)
    g_main_context_iteration(NULL, TRUE);
  g_thread_join(thread);
  for (unsigned i = 0; i < 100000; i++)
    g_assert_cmpint(fixture->from_guest->str[i], ==, '0' + (int)(i % 10));
}

/* What does not fit is refused, and announced when there is room again. */
static void test_flood(Fixture *fixture, gconstpointer data) {
  g_autofree uint8_t *bytes = g_malloc0(1 << 20);

  char_backend_connect(fixture->channel, &front, fixture);
  size_t taken = char_backend_write(fixture->channel, bytes, 1 << 20);
  g_assert_cmpuint(taken, <, 1 << 20);
  g_assert_cmpuint(char_backend_write(fixture->channel, bytes, 1), ==, 0);
  settle();
  g_assert_cmpuint(fixture->from_guest->len, ==, taken);
  g_assert_cmpuint(fixture->writable, ==, 1);
}

static void test_to_guest(Fixture *fixture, gconstpointer data) {
  channel_send(fixture->channel, "before anyone listens, ", 23);
  settle();
  char_backend_connect(fixture->channel, &front, fixture);
  fixture->room = 10;
  settle();
  g_assert_cmpstr(fixture->to_guest->str, ==, "before any");
  fixture->room = 1000;
  settle();
  g_assert_cmpuint(fixture->to_guest->len, ==, 10); /* it was told that there is no room */
  channel_send(fixture->channel, "after", 5);
  char_backend_accept(fixture->channel);
  settle();
  g_assert_cmpstr(fixture->to_guest->str, ==, "before anyone listens, after");
}

/* What a guest does not take does not pile up. */
static void test_no_reader(Fixture *fixture, gconstpointer data) {
  static const char bytes[1000];

  for (unsigned i = 0; i < 1000; i++)
    channel_send(fixture->channel, bytes, sizeof bytes);
  char_backend_connect(fixture->channel, &front, fixture);
  fixture->room = 1000 * sizeof bytes;
  settle();
  g_assert_cmpuint(fixture->to_guest->len, ==, 262 * sizeof bytes); /* whole ones, of 256 KiB */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/channel/from-guest", Fixture, NULL, set_up, test_from_guest, tear_down);
  g_test_add("/channel/flood", Fixture, NULL, set_up, test_flood, tear_down);
  g_test_add("/channel/to-guest", Fixture, NULL, set_up, test_to_guest, tear_down);
  g_test_add("/channel/no-reader", Fixture, NULL, set_up, test_no_reader, tear_down);
  return g_test_run();
}
