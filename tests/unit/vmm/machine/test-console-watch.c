/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen on the guest's console in passing: vmm/machine/console-watch.c. Also that it passes everything on. */
#include <string.h>

#include "tests/unit/fakes.h"
#include "vmm/machine/console-watch.h"

typedef struct {
  CharBackend base; /* first */
  GString *got;
  size_t room;
  unsigned accepted;
} Inner;

static size_t inner_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  Inner *inner = (Inner *)backend;
  size_t taken = MIN(size, inner->room);

  g_string_append_len(inner->got, (const char *)bytes, (gssize)taken);
  return taken;
}

static void inner_accept(CharBackend *backend) {
  ((Inner *)backend)->accepted++;
}

static const CharBackendOps inner_ops = {inner_write, inner_accept, NULL};

typedef struct {
  Inner inner;
  Timeline *timeline;
  CharBackend *watch;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->inner = (Inner){.base = {.ops = &inner_ops}, .got = g_string_new(NULL), .room = SIZE_MAX};
  fixture->timeline = timeline_new();
  fixture->watch = console_watch_new(&fixture->inner.base, fixture->timeline);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  char_backend_free(fixture->watch);
  g_assert_null(fixture->inner.base.frontend);
  timeline_free(fixture->timeline);
  g_string_free(fixture->inner.got, TRUE);
}

static size_t write_text(Fixture *fixture, const char *text) {
  return char_backend_write(fixture->watch, (const uint8_t *)text, strlen(text));
}

static void test_first_output(Fixture *fixture, gconstpointer data) {
  fixture->inner.room = 0;
  g_assert_cmpuint(write_text(fixture, "x"), ==, 0);
  g_assert_false(timeline_has(fixture->timeline, PHASE_FIRST_OUTPUT)); /* it was not taken */
  fixture->inner.room = SIZE_MAX;
  g_assert_cmpuint(write_text(fixture, "x"), ==, 1);
  g_assert_true(timeline_has(fixture->timeline, PHASE_FIRST_OUTPUT));
  g_assert_cmpstr(fixture->inner.got->str, ==, "x");
}

/* A byte at a time, as a PL011 writes. */
static void test_init(Fixture *fixture, gconstpointer data) {
  static const char text[] = "[    1.234567] Run /sbin/init as init process\r\n";

  for (const char *at = text; *at; at++) {
    g_assert_false(timeline_has(fixture->timeline, PHASE_INIT));
    g_assert_cmpuint(char_backend_write(fixture->watch, (const uint8_t *)at, 1), ==, 1);
  }
  g_assert_true(timeline_has(fixture->timeline, PHASE_INIT));
  g_assert_cmpstr(fixture->inner.got->str, ==, text);
}

static void test_kernel_started(Fixture *fixture, gconstpointer data) {
  static const char *const first[] = {"EFI stub: Booting Linux Kernel...\r\n",
                                      "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd083]\r\n"};

  write_text(fixture, "UEFI firmware (version 2022.11)\r\nEFI stub: Decompressing Linux\r\nBooting `Linux`\r\n");
  g_assert_false(timeline_has(fixture->timeline, PHASE_KERNEL_STARTED));
  for (unsigned i = 0; i < G_N_ELEMENTS(first); i++) {
    write_text(fixture, first[i]);
    g_assert_true(timeline_has(fixture->timeline, PHASE_KERNEL_STARTED));
    timeline_add(fixture->timeline, PHASE_REBOOT);
    g_assert_false(timeline_has(fixture->timeline, PHASE_KERNEL_STARTED));
  }
}

static void test_firmware_left(Fixture *fixture, gconstpointer data) {
  write_text(fixture, "EFI stub: Booting Linux Kernel...\r\nEFI stub: Using DTB from configuration table\r\n");
  g_assert_false(timeline_has(fixture->timeline, PHASE_FIRMWARE_LEFT));
  write_text(fixture, "EFI stub: Exiting boot services...\r\n");
  g_assert_true(timeline_has(fixture->timeline, PHASE_FIRMWARE_LEFT));
}

static void test_not_init(Fixture *fixture, gconstpointer data) {
  static const char *const lines[] = {"Run /init as\ninit process\n", "as init process Run /x\n", "\n\n\n", "RUN /init AS INIT PROCESS\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
    write_text(fixture, lines[i]);
  g_autofree char *long_line = g_strnfill(100000, 'a');
  write_text(fixture, long_line);
  write_text(fixture, "Run /init as init process\n"); /* at the end of a line far too long */
  g_assert_false(timeline_has(fixture->timeline, PHASE_INIT));
  write_text(fixture, "Run /init as init process\n");
  g_assert_true(timeline_has(fixture->timeline, PHASE_INIT));
}

/* Output comes from several threads at once: a device's, and those of vCPUs that write by hypercall. */

#define WRITERS 4

static size_t forgetful_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  return size;
}

static gpointer write_much(gpointer data) {
  Fixture *fixture = data;

  for (unsigned i = 0; i < 3000; i++)
    write_text(fixture, i % 100 ? "not the line, and a piece of it alone: Run /x as init. " : "\n");
  return NULL;
}

static void test_threads(Fixture *fixture, gconstpointer data) {
  static const CharBackendOps forgetful_ops = {forgetful_write, inner_accept, NULL};
  GThread *writers[WRITERS];

  fixture->inner.base.ops = &forgetful_ops;
  for (unsigned i = 0; i < WRITERS; i++)
    writers[i] = g_thread_new("writer", write_much, fixture);
  for (unsigned i = 0; i < WRITERS; i++)
    g_thread_join(writers[i]);
  g_assert_false(timeline_has(fixture->timeline, PHASE_INIT));
  write_text(fixture, "\nRun /init as init process\n");
  g_assert_true(timeline_has(fixture->timeline, PHASE_INIT));
}

static GString *received;
static unsigned writable;

static size_t front_room(void *opaque) {
  return 5;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t size) {
  g_string_append_len(received, (const char *)bytes, (gssize)size);
}

static void front_writable(void *opaque) {
  writable++;
}

static void test_other_way(Fixture *fixture, gconstpointer data) {
  static const CharFrontend front = {front_room, front_receive, front_writable};
  CharBackend *inner = &fixture->inner.base;

  g_assert_cmpuint(inner->frontend->room(inner->opaque), ==, 0); /* nobody is there yet */
  inner->frontend->writable(inner->opaque);
  char_backend_connect(fixture->watch, &front, NULL);
  received = g_string_new(NULL);
  g_assert_cmpuint(inner->frontend->room(inner->opaque), ==, 5);
  inner->frontend->receive(inner->opaque, (const uint8_t *)"hello", 5);
  inner->frontend->writable(inner->opaque);
  char_backend_accept(fixture->watch);
  g_assert_cmpstr(received->str, ==, "hello");
  g_assert_cmpuint(writable, ==, 1);
  g_assert_cmpuint(fixture->inner.accepted, ==, 1);
  g_string_free(received, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(path, function) g_test_add("/console-watch/" path, Fixture, NULL, set_up, function, tear_down)
  ADD("first-output", test_first_output);
  ADD("kernel-started", test_kernel_started);
  ADD("firmware-left", test_firmware_left);
  ADD("init", test_init);
  ADD("not-init", test_not_init);
  ADD("other-way", test_other_way);
  ADD("threads", test_threads);
  return g_test_run();
}
