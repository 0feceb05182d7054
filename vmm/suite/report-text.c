/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What printable.h lets through are also characters that XML 1.0 allows (section 2.2, Char). Pure functions, no lock.
 */
#include "vmm/suite/report-text.h"

#include <string.h>

#include "devices/printable.h"

/* CR LF ends a line; a tab or a CR alone would let a terminal's cursor jump. */
static char *clean(const char *text, char *(*make_printable)(const char *text, gssize size)) {
  if (!text)
    return NULL;
  g_autoptr(GString) out = g_string_sized_new(strlen(text));

  for (const char *c = text; *c; c++)
    if (c[0] != '\r' || c[1] != '\n')
      g_string_append_c(out, *c == '\r' || *c == '\t' ? ' ' : *c);
  while (out->len && strchr(" \n", out->str[out->len - 1]))
    g_string_truncate(out, out->len - 1);
  return make_printable(out->str, (gssize)out->len);
}

char *report_line(const char *text) {
  char *line = clean(text, printable_line);

  return line ? g_strchug(line) : NULL;
}

char *report_lines(const char *text) {
  return clean(text, printable);
}

char *report_name(const char *suite, const char *name) {
  g_autofree char *full = g_strconcat(suite, "/", name, NULL);

  return report_line(full);
}

void report_seconds(GString *out, double seconds) {
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append(out, g_ascii_formatd(number, sizeof number, "%.3f", CLAMP(seconds, 0, 1e9)));
}
