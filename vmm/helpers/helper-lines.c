/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/helpers/helper-lines.h"

#include "devices/printable.h"

#define LINE_MAX_BYTES 400

void helper_lines_init(HelperLines *lines, const char *name, bool (*is_noise)(const char *line), size_t (*skip)(const char *line)) {
  *lines = (HelperLines){.name = name, .is_noise = is_noise, .skip = skip, .line = g_string_new(NULL)};
}

void helper_lines_clear(HelperLines *lines) {
  g_string_free(lines->line, TRUE);
  g_free(lines->last);
}

static void say_line(HelperLines *lines) {
  bool noise = lines->line->len == 0 || (lines->is_noise && lines->is_noise(lines->line->str));
  size_t skip = !noise && lines->skip ? lines->skip(lines->line->str) : 0;
  g_autofree char *text = printable_line(lines->line->str + skip, (gssize)(lines->line->len - skip));

  g_string_truncate(lines->line, 0);
  if (noise || ++lines->n > HELPER_LINES_MAX) {
    g_debug("%s: %s", lines->name, text);
    return;
  }
  g_message("%s: %s", lines->name, text);
  if (lines->n == HELPER_LINES_MAX)
    g_message("%s: it says more, which is left out", lines->name);
  g_free(lines->last);
  lines->last = g_steal_pointer(&text);
}

void helper_lines_hear(HelperLines *lines, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '\n')
      say_line(lines);
    else if (lines->line->len < LINE_MAX_BYTES)
      g_string_append_c(lines->line, bytes[i]);
  }
}

void helper_lines_end(HelperLines *lines) {
  if (lines->line->len)
    say_line(lines);
}
