/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's hand on the machine: vmm/machine/control.c. Signals are real, the machine is a record of what was asked of
 * it.
 */
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vmm/machine/control.h"

typedef struct {
  bool has_button;
  int takes_signal;
  unsigned presses, releases, stops, resizes, reports;
  char why[100];
  unsigned pauses;
} Record;

static bool power_button(void *opaque, bool pressed) {
  Record *record = opaque;
  if (!record->has_button)
    return false;
  *(pressed ? &record->presses : &record->releases) += 1;
  return true;
}

static void stop(void *opaque, const char *why) {
  Record *record = opaque;
  record->stops++;
  g_strlcpy(record->why, why, sizeof record->why);
}

static void resized(void *opaque) {
  ((Record *)opaque)->resizes++;
}

static bool asked_to_stop(void *opaque, int signal_number) {
  return ((Record *)opaque)->takes_signal == signal_number;
}

static void report(void *opaque) {
  ((Record *)opaque)->reports++;
}

static void pause_machine(void *opaque) {
  ((Record *)opaque)->pauses++;
}

static const ControlOps ops = {asked_to_stop, power_button, stop, resized, report, pause_machine};

/* Runs the main loop until *COUNT is at least 1. */
static void wait_for(const unsigned *count) {
  while (*count == 0)
    g_main_context_iteration(NULL, TRUE);
}

static void quiet(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
}

static void test_pause(void) {
  Record record = {.has_button = true};
  g_autoptr(Control) control = control_new(&ops, &record, 1000);

  kill(getpid(), SIGTSTP);
  wait_for(&record.pauses);
  g_assert_cmpuint(record.pauses, ==, 1);
  g_assert_cmpuint(record.stops + record.presses, ==, 0);
}

static void test_button_then_stop(void) {
  Record record = {.has_button = true};
  g_autoptr(Control) control = control_new(&ops, &record, 1000);

  raise(SIGTERM);
  wait_for(&record.presses);
  g_assert_cmpuint(record.stops, ==, 0);
  wait_for(&record.releases);
  g_assert_cmpuint(record.presses, ==, 1);
  raise(SIGTERM);
  wait_for(&record.stops);
  g_assert_cmpstr(record.why, ==, "asked a second time");
  g_assert_cmpuint(record.presses, ==, 1);
}

static void test_each_signal(void) {
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
  for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
    Record record = {.has_button = true};
    g_autoptr(Control) control = control_new(&ops, &record, 1000);
    raise(signals[i]);
    wait_for(&record.presses);
    g_assert_cmpuint(record.stops, ==, 0);
  }
}

static void test_grace(void) {
  Record record = {.has_button = true};
  g_autoptr(Control) control = control_new(&ops, &record, 1);

  control_ask_to_stop(control, "SIGTERM");
  g_assert_cmpuint(record.presses, ==, 1);
  wait_for(&record.stops);
  g_assert_nonnull(strstr(record.why, "grace period"));
}

static void test_no_button(void) {
  Record none = {.has_button = false}, no_grace = {.has_button = true};
  g_autoptr(Control) control = control_new(&ops, &none, 1000);
  g_autoptr(Control) impatient = control_new(&ops, &no_grace, 0);

  control_ask_to_stop(control, "SIGINT");
  g_assert_cmpuint(none.stops, ==, 1);
  g_assert_cmpstr(none.why, ==, "SIGINT");
  control_ask_to_stop(impatient, "SIGINT");
  g_assert_cmpuint(no_grace.stops, ==, 1);
  g_assert_cmpuint(no_grace.presses, ==, 0);
}

static void test_resize(void) {
  Record record = {.has_button = true};
  g_autoptr(Control) control = control_new(&ops, &record, 1000);

  raise(SIGWINCH);
  wait_for(&record.resizes);
  g_assert_cmpuint(record.stops, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_handler(NULL, G_LOG_LEVEL_MESSAGE, quiet, NULL);
  g_log_set_handler("eret", G_LOG_LEVEL_MESSAGE, quiet, NULL);
  g_test_add_func("/control/pause", test_pause);
  g_test_add_func("/control/button-then-stop", test_button_then_stop);
  g_test_add_func("/control/each-signal", test_each_signal);
  g_test_add_func("/control/grace", test_grace);
  g_test_add_func("/control/no-button", test_no_button);
  g_test_add_func("/control/resize", test_resize);
  return g_test_run();
}
