/* SPDX-License-Identifier: Apache-2.0 */
/* A list that is short enough to be searched from one end to the other. */
#include "vmm/exec/complaints.h"

#include <limits.h>
#include <string.h>

#include "devices/printable.h"

#define LINE_SIZE_MAX (PATH_MAX + 512) /* bytes: a path, and why */

void complaints_init(Complaints *complaints, unsigned max) {
  *complaints = (Complaints){.lines = g_ptr_array_new_with_free_func(g_free), .max = max};
}

void complaints_clear(Complaints *complaints) {
  g_clear_pointer(&complaints->lines, g_ptr_array_unref);
}

bool complaints_add(Complaints *complaints, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *line = printable_line_escaped(text, (gssize)strnlen(text, LINE_SIZE_MAX));
  if (g_ptr_array_find_with_equal_func(complaints->lines, line, g_str_equal, NULL))
    return false;
  if (complaints->lines->len >= complaints->max) {
    complaints->others += complaints->others < G_MAXUINT;
    return false;
  }
  g_ptr_array_add(complaints->lines, g_steal_pointer(&line));
  return true;
}

void complaints_close(Complaints *complaints) {
  if (complaints->others)
    g_ptr_array_add(complaints->lines, g_strdup_printf("and %u more", complaints->others));
  complaints->others = 0;
}
