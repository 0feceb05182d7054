/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's hand on a running machine: signals, the power button and its grace period, the terminal's escape keys.
 * Lives on the main thread's default main context.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Control Control;

typedef struct {
  /* A signal asked for the end. True: somebody else takes care of it. */
  bool (*asked_to_stop)(void *opaque, int signal_number);
  /* Presses or releases the power button; false when the machine has none. */
  bool (*power_button)(void *opaque, bool pressed);
  /* Ends the machine now; WHY is for people, and static. */
  void (*stop)(void *opaque, const char *why);
  /* The terminal has another size now. */
  void (*resized)(void *opaque);
  /* The user wants to see how the machine is doing. */
  void (*report)(void *opaque);
  /* SIGTSTP: stops the machine, and then this process; returns when it goes on. */
  void (*pause)(void *opaque);
} ControlOps;

/*
 * From now on signals wait, in this thread and those that it starts, until there is a Control to read them: before any
 * other thread is made.
 */
void control_hold_signals(void);
/* GRACE: seconds that the guest has to power off after the button; 0 stops at once. */
Control *control_new(const ControlOps *ops, void *opaque, unsigned grace);
void control_free(Control *control); /* gives the signals back; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Control, control_free)

/* SIGTERM or SIGINT arrived, or the same was asked for otherwise: first the power button, the second time the end. */
void control_ask_to_stop(Control *control, const char *by);
