/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal in raw mode, and its way back however the process ends. See raw-mode.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Puts the terminal on FD into raw mode: every key is a byte for us, Ctrl-C included; output processing stays as it is.
 * One terminal at a time: false, with an error of G_FILE_ERROR, for a second one. Main thread.
 */
bool raw_mode_enter(int fd, GError **error);
/* Puts it back. Nothing happens unless FD is the one in raw mode. Main thread. */
void raw_mode_leave(int fd);
/* Puts whichever there is back, for a signal handler that then ends the process. Async-signal-safe. */
void raw_mode_restore(void);
