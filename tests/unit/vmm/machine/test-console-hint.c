/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a console that nobody drives: vmm/machine/console-hint.c. */
#include "vmm/machine/console-hint.h"

#include "devices/virtio/console.h"
#include "tests/unit/devices/virtio/fake-guest.h"

#define MS 20

static FakeGuest *make_guest(void) {
  FakeGuest *guest = fake_guest_new();
  g_autoptr(GError) error = NULL;

  fake_guest_plug(guest, virtio_console_kind.make_virtio(&(DeviceParts){.name = "console", .memory = &guest->memory}, &error));
  g_assert_no_error(error);
  return guest;
}

static gboolean set_true(gpointer flag) {
  *(bool *)flag = true;
  return G_SOURCE_REMOVE;
}

static void run_for(unsigned ms) {
  bool over = false;

  g_timeout_add(ms, set_true, &over);
  while (!over)
    g_main_context_iteration(NULL, TRUE);
}

static unsigned said; /* messages of ours */

static void count_message(const char *domain, GLogLevelFlags level, const char *message, gpointer unused) {
  said += strstr(message, "virtio console") && strstr(message, "--console pl011");
}

static void test_no_driver(void) {
  FakeGuest *guest = make_guest();
  ConsoleHint *hint = console_hint_new(guest->device, MS);

  said = 0;
  run_for(6 * MS);
  g_assert_cmpuint(said, ==, 1);
  console_hint_free(hint);
  fake_guest_free(guest);
}

/* Nothing is said of a console that is driven, nor of a boot that is over. */
static void test_quiet(void) {
  FakeGuest *guest = make_guest();
  ConsoleHint *hint = console_hint_new(guest->device, MS), *early = console_hint_new(guest->device, MS);

  said = 0;
  console_hint_free(early);
  console_hint_free(NULL);
  fake_guest_start(guest, 0);
  run_for(3 * MS);
  g_assert_cmpuint(said, ==, 0);
  console_hint_free(hint);
  fake_guest_free(guest);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_default_handler(count_message, NULL);
  g_test_add_func("/console-hint/no-driver", test_no_driver);
  g_test_add_func("/console-hint/quiet", test_quiet);
  return g_test_run();
}
