/*
 * Signals as GSources: SIGTERM, SIGINT and SIGHUP press the power button and give the guest time; a second one, or the end of the grace period,
 * stops the machine. SIGWINCH passes the terminal's new size on, SIGUSR1 asks for statistics. No lock: main thread.
 */
#include "vmm/control.h"

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
  guint signals[5];
  int pause_fd; /* signalfd(2): GLib's sources know no SIGTSTP */
  guint pause_source;
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

static gboolean on_sigterm(gpointer data) {
  on_signal(data, SIGTERM, "SIGTERM");
  return G_SOURCE_CONTINUE;
}

static gboolean on_sigint(gpointer data) {
  on_signal(data, SIGINT, "SIGINT");
  return G_SOURCE_CONTINUE;
}

static gboolean on_sighup(gpointer data) {
  on_signal(data, SIGHUP, "SIGHUP");
  return G_SOURCE_CONTINUE;
}

static gboolean on_sigwinch(gpointer data) {
  Control *control = data;
  control->ops->resized(control->opaque);
  return G_SOURCE_CONTINUE;
}

static gboolean on_sigusr1(gpointer data) {
  Control *control = data;
  control->ops->report(control->opaque);
  return G_SOURCE_CONTINUE;
}

static void set_blocked(int number, bool blocked) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static gboolean on_sigtstp(gint fd, GIOCondition condition, gpointer data) {
  Control *control = data;
  struct signalfd_siginfo info;

  if (read(fd, &info, sizeof info) == sizeof info)
    control->ops->pause(control->opaque);
  return G_SOURCE_CONTINUE;
}

/* Threads that are started later have it blocked as well. */
static void watch_sigtstp(Control *control) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGTSTP);
  set_blocked(SIGTSTP, true);
  control->pause_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (control->pause_fd >= 0)
    control->pause_source = g_unix_fd_add(control->pause_fd, G_IO_IN, on_sigtstp, control);
}

Control *control_new(const ControlOps *ops, void *opaque, unsigned grace) {
  Control *control = g_new0(Control, 1);

  control->ops = ops;
  control->opaque = opaque;
  control->grace = grace;
  control->signals[0] = g_unix_signal_add(SIGTERM, on_sigterm, control);
  control->signals[1] = g_unix_signal_add(SIGINT, on_sigint, control);
  control->signals[2] = g_unix_signal_add(SIGHUP, on_sighup, control);
  control->signals[3] = g_unix_signal_add(SIGWINCH, on_sigwinch, control);
  control->signals[4] = g_unix_signal_add(SIGUSR1, on_sigusr1, control);
  watch_sigtstp(control);
  return control;
}

void control_free(Control *control) {
  if (!control)
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS(control->signals); i++)
    g_source_remove(control->signals[i]);
  if (control->pause_source)
    g_source_remove(control->pause_source);
  if (control->pause_fd >= 0)
    close(control->pause_fd);
  set_blocked(SIGTSTP, false);
  if (control->grace_timer)
    g_source_remove(control->grace_timer);
  if (control->button_timer)
    g_source_remove(control->button_timer);
  g_free(control);
}
