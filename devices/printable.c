/* SPDX-License-Identifier: Apache-2.0 */
/* See printable.h. */
#include "devices/printable.h"

#include <string.h>

#define REPLACEMENT 0xfffd /* "replacement character" of Unicode, chapter 23.8 */

static bool is_noncharacter(gunichar c) {
  return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

bool printable_char(gunichar c) {
  if (c < 0x7f)
    return c >= ' ';
  switch (g_unichar_type(c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
  case G_UNICODE_SURROGATE:
    return false;
  default:
    return !is_noncharacter(c);
  }
}

/* What stands for C. */
static gunichar replacement(gunichar c, bool lines) {
  if (printable_char(c))
    return c;
  if (c == '\n' || c == '\t')
    return lines ? c : ' ';
  return is_noncharacter(c) ? REPLACEMENT : '?';
}

static char *replace(const char *text, gssize size, bool lines) {
  g_autofree char *valid = g_utf8_make_valid(text, size);
  GString *out = g_string_sized_new(strlen(valid));

  for (const char *c = valid; *c; c = g_utf8_next_char(c))
    g_string_append_unichar(out, replacement(g_utf8_get_char(c), lines));
  return g_string_free(out, FALSE);
}

char *printable(const char *text, gssize size) {
  return replace(text, size, true);
}

char *printable_line(const char *text, gssize size) {
  return replace(text, size, false);
}

static char *escape(const char *text, gssize size, bool lines) {
  const char *end = text + (size < 0 ? (gssize)strlen(text) : size);
  GString *out = g_string_sized_new((gsize)(end - text));

  while (text < end) {
    gunichar c = g_utf8_get_char_validated(text, end - text);
    if (c == (gunichar)-1 || c == (gunichar)-2) { /* not UTF-8; a part of a character; NUL */
      g_string_append_printf(out, "\\x%02x", (guint)(guchar)*text++);
      continue;
    }
    if (printable_char(c) || (lines && (c == '\n' || c == '\t')))
      g_string_append_unichar(out, c);
    else
      g_string_append_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
    text = g_utf8_next_char(text);
  }
  return g_string_free(out, FALSE);
}

char *printable_escaped(const char *text, gssize size) {
  return escape(text, size, true);
}

char *printable_line_escaped(const char *text, gssize size) {
  return escape(text, size, false);
}

/* Whether C is the second byte of a character or a later one: RFC 3629, 3. */
static bool continues_char(char c) {
  return ((guchar)c & 0xc0) == 0x80;
}

char *printable_cut(const char *text, gsize max) {
  enum { CHAR_MAX_BYTES = 4, TAIL_SHARE = 3 };
  gsize size = strlen(text), tail = max / TAIL_SHARE, head = max - tail;

  if (size <= max)
    return g_strdup(text);
  for (unsigned i = 1; i < CHAR_MAX_BYTES && head > 0 && continues_char(text[head]); i++)
    head--;
  for (unsigned i = 1; i < CHAR_MAX_BYTES && tail > 0 && continues_char(text[size - tail]); i++)
    tail--;
  return g_strdup_printf("%.*s...%s", (int)head, text, text + size - tail);
}

/* Outside of its strings JSON is ASCII, and in them whoever wrote it has escaped what is below U+0020. */
char *printable_json(const char *json) {
  GString *out = g_string_sized_new(strlen(json));

  for (const char *c = json; *c; c = g_utf8_next_char(c)) {
    gunichar unit = g_utf8_get_char(c);
    if (unit < 0x7f || printable_char(unit))
      g_string_append_unichar(out, unit);
    else if (unit > 0xffff)
      g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + ((unit - 0x10000) >> 10), 0xdc00 + ((unit - 0x10000) & 0x3ff));
    else
      g_string_append_printf(out, "\\u%04x", unit);
  }
  return g_string_free(out, FALSE);
}
