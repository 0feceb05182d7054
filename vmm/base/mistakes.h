/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors, here and everywhere. Who finds one sets it, once, with the whole message: what is wrong, where, what to do; a
 * GError, and false or NULL as the result. Who passes it on adds at most where that was (g_prefix_error). Who started
 * it all, a command, prints it (vmm/cmd/complain.h) and makes an exit status of its code. What fails nobody goes to
 * GLib's log. On a vCPU's thread there is nobody to return to: a Verdict says what becomes of the machine, and
 * exit_fail keeps the message. What a guest does wrong is no error of eret's: the device answers as hardware would, and
 * counts.
 *
 * What is wrong with what the user gave: all of it, a line each, for one message. What a mistake is about may be
 * anybody's, with line feeds in it: in a line they are escaped, so that none can pass itself off as another mistake. No
 * lock: one thread.
 */
#pragma once

#include <glib.h>

#include "devices/printable.h"

/* One line. Free with g_free. */
static inline char *G_GNUC_PRINTF(1, 0) mistake_line(const char *format, va_list arguments) {
  g_autofree char *text = g_strdup_vprintf(format, arguments);

  return printable_line_escaped(text, -1);
}

#define MISTAKE_VALUE_MAX 200 /* bytes */

/*
 * What mistakes repeat of VALUE, to say which one they are about: there may be as many in it as it has parts. Free with
 * g_free.
 */
static inline char *mistake_value(const char *value) {
  return printable_cut(value, MISTAKE_VALUE_MAX);
}

/* Adds LINES, which are of another list, to MISTAKES. */
static inline void mistakes_add(GString *mistakes, const char *lines) {
  if (mistakes->len)
    g_string_append_c(mistakes, '\n');
  g_string_append(mistakes, lines);
}

/* Adds a line to MISTAKES. */
static inline void G_GNUC_PRINTF(2, 3) mistake(GString *mistakes, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *line = mistake_line(format, arguments);
  va_end(arguments);
  mistakes_add(mistakes, line);
}
