/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as GSources: SIGTERM, SIGINT and SIGHUP press the power button and give the guest time; a second one, or the
 * end of the grace period, stops the machine. SIGWINCH passes the terminal's new size on, SIGUSR1 asks for statistics,
 * SIGTSTP for a pause. No lock: main thread.
 */
#include "vmm/machine/control.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BUTTON_PRESS_MS 200 /* long enough for a guest that polls, short enough not to be a long press */

struct Control {
  const ControlOps *ops;
  void *opaque;
  unsigned grace;
  bool asked;
  int signal_fd; /* signalfd(2): GLib's sources for signals take a thread, and know no SIGTSTP */
  guint signals;
  guint grace_timer, button_timer;
};

static gboolean release_button(gpointer data) {
  Control *control = data;
  control->button_timer = 0;
  control->ops->power_button(control->opaque, false);
  return G_SOURCE_REMOVE;
}

static gboolean grace_over(gpointer data) {
  Control *control = data;
  control->grace_timer = 0;
  control->ops->stop(control->opaque, "the guest did not power off within the grace period");
  return G_SOURCE_REMOVE;
}

void control_ask_to_stop(Control *control, const char *by) {
  if (control->asked) {
    control->ops->stop(control->opaque, "asked a second time");
    return;
  }
  control->asked = true;
  if (control->grace == 0 || !control->ops->power_button(control->opaque, true)) {
    control->ops->stop(control->opaque, by);
    return;
  }
  g_message("%s: power button pressed; the guest has %u s to power off, a second signal stops it now", by, control->grace);
  control->button_timer = g_timeout_add(BUTTON_PRESS_MS, release_button, control);
  control->grace_timer = g_timeout_add_seconds(control->grace, grace_over, control);
}

static void on_signal(Control *control, int number, const char *name) {
  if (!control->ops->asked_to_stop(control->opaque, number))
    control_ask_to_stop(control, name);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data) {
  Control *control = data;
  struct signalfd_siginfo info;

  if (read(fd, &info, sizeof info) != sizeof info)
    return G_SOURCE_CONTINUE;
  switch (info.ssi_signo) {
  case SIGTERM:
    on_signal(control, SIGTERM, "SIGTERM");
    break;
  case SIGINT:
    on_signal(control, SIGINT, "SIGINT");
    break;
  case SIGHUP:
    on_signal(control, SIGHUP, "SIGHUP");
    break;
  case SIGWINCH:
    control->ops->resized(control->opaque);
    break;
  case SIGUSR1:
    control->ops->report(control->opaque);
    break;
  case SIGTSTP:
    control->ops->pause(control->opaque);
    break;
  }
  return G_SOURCE_CONTINUE;
}

static sigset_t handled(void) {
  static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGWINCH, SIGUSR1, SIGTSTP};
  sigset_t set;

  sigemptyset(&set);
  for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
    sigaddset(&set, numbers[i]);
    signal(numbers[i], SIG_DFL); /* a shell's background processes ignore SIGINT: it would never be read */
  }
  return set;
}

void control_hold_signals(void) {
  sigset_t set = handled();

  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

Control *control_new(const ControlOps *ops, void *opaque, unsigned grace) {
  Control *control = g_new0(Control, 1);
  sigset_t set = handled();

  control->ops = ops;
  control->opaque = opaque;
  control->grace = grace;
  control_hold_signals();
  control->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (control->signal_fd >= 0)
    control->signals = g_unix_fd_add(control->signal_fd, G_IO_IN, on_readable, control);
  else
    g_warning("signals will not be heard: %s", g_strerror(errno));
  return control;
}

void control_free(Control *control) {
  if (!control)
    return;
  sigset_t set = handled();
  if (control->signals)
    g_source_remove(control->signals);
  if (control->signal_fd >= 0)
    close(control->signal_fd);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  if (control->grace_timer)
    g_source_remove(control->grace_timer);
  if (control->button_timer)
    g_source_remove(control->button_timer);
  g_free(control);
}
