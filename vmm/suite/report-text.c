/* SPDX-License-Identifier: Apache-2.0 */
/* Text of unknown origin made fit for terminals and XML 1.0 (section 2.2, Char). Pure functions, no lock. */
#include "vmm/suite/report-text.h"

#include <stdbool.h>
#include <string.h>

/* A replacement for C; C itself, where it may stay. */
static gunichar harmless(gunichar c, bool lines) {
  if (c == '\n')
    return lines ? c : ' ';
  if (c == '\t' || c == '\r')
    return ' ';
  if (c < 0x20 || (c >= 0x7f && c < 0xa0))
    return '?';
  return (c & 0xfffe) == 0xfffe || c == 0x2028 || c == 0x2029 ? 0xfffd : c; /* no characters; line ends of some readers */
}

static char *clean(const char *text, bool lines) {
  if (!text)
    return NULL;
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *out = g_string_sized_new(strlen(valid));

  for (const char *c = valid; *c; c = g_utf8_next_char(c))
    if (c[0] != '\r' || c[1] != '\n')
      g_string_append_unichar(out, harmless(g_utf8_get_char(c), lines));
  while (out->len && strchr(" \n", out->str[out->len - 1]))
    g_string_truncate(out, out->len - 1);
  return g_string_free(out, FALSE);
}

char *report_line(const char *text) {
  char *line = clean(text, false);

  return line ? g_strchug(line) : NULL;
}

char *report_lines(const char *text) {
  return clean(text, true);
}

void report_seconds(GString *out, double seconds) {
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append(out, g_ascii_formatd(number, sizeof number, "%.3f", CLAMP(seconds, 0, 1e9)));
}
