/* SPDX-License-Identifier: Apache-2.0 */
/* How the jail's parts say why they could not: G_FILE_ERROR, with the whole message. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <stdbool.h>

/* Sets ERROR to the message, with what errno means behind it. False, for the caller's return. */
static inline bool G_GNUC_PRINTF(2, 3) jail_fail_errno(GError **error, const char *format, ...) {
  int code = errno;
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *what = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code), "%s: %s", what, g_strerror(code));
  return false;
}

/* The same where the message says it all. */
static inline bool G_GNUC_PRINTF(2, 3) jail_fail(GError **error, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *message = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, message);
  return false;
}
