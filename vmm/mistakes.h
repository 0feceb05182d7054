/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with what the user gave: all of it, a line each, for one message. No lock: one thread. */
#pragma once

#include <glib.h>

/* Adds a line to MISTAKES. */
static inline void G_GNUC_PRINTF(2, 3) mistake(GString *mistakes, const char *format, ...) {
  va_list arguments;

  if (mistakes->len)
    g_string_append_c(mistakes, '\n');
  va_start(arguments, format);
  g_string_append_vprintf(mistakes, format, arguments);
  va_end(arguments);
}
