/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of numbers, in the form that page/data.js reads: a recording has hundreds of thousands of switches, and most
 * of what is to be said of one is the same as of another. Neither text nor JSON would keep the page small.
 *
 * Lines taken apart into templates and numbers. A number is "0x" with hexadecimal digits in lower case, or decimal
 * digits; both as printf writes them, so that value and number of digits give the text back. A number that is the same
 * in all lines of a template becomes part of its text.
 *
 * Texts in a line may be a guest's: they are made harmless as everywhere in reports (human.h), and a guest that makes
 * many templates makes a larger page. No locks: an object of its user.
 */
#include "vmm/trace/html-data.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "vmm/base/human.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "columns go into the page as they lie in memory"
#endif

#define HEX_DIGITS_MAX     16 /* of 64 bits */
#define DECIMAL_DIGITS_MAX 19 /* all such fit into 64 bits */
#define PLACEHOLDER        '\x01'

/* Columns. */

static guint width_of(uint64_t greatest) {
  if (greatest <= UINT8_MAX)
    return 1;
  if (greatest <= UINT16_MAX)
    return 2;
  return greatest <= UINT32_MAX ? 4 : 8;
}

/* Appends VALUES to BLOB, and to the array that is open where they lie: offset, bytes a number. */
static void add_column(JsonBuilder *builder, GByteArray *blob, const GArray *values) {
  static const uint8_t padding[8];
  uint64_t greatest = 0;

  for (guint i = 0; i < values->len; i++)
    greatest = MAX(greatest, g_array_index(values, uint64_t, i));
  guint size = width_of(greatest);
  g_byte_array_append(blob, padding, (size - blob->len % size) % size);
  json_builder_add_int_value(builder, blob->len);
  json_builder_add_int_value(builder, size);
  /* The low bytes come first in memory. */
  for (guint i = 0; i < values->len; i++)
    g_byte_array_append(blob, (const uint8_t *)&g_array_index(values, uint64_t, i), size);
}

void column_write(JsonBuilder *builder, GByteArray *blob, const char *name, const GArray *values) {
  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
  add_column(builder, blob, values);
  json_builder_add_int_value(builder, values->len);
  json_builder_end_array(builder);
}

char *column_encode(const GByteArray *blob) {
  uLongf size = compressBound(blob->len);
  g_autofree uint8_t *compressed = g_malloc(size);

  /*
   * The buffer is large enough for any input, and g_malloc does not fail: what remains is a lack of memory within zlib.
   */
  if (compress2(compressed, &size, blob->data ? blob->data : (const uint8_t *)"", blob->len, Z_DEFAULT_COMPRESSION) != Z_OK)
    g_error("zlib has no memory for %u bytes", blob->len);
  return g_base64_encode(compressed, size);
}

/* Lines. */

typedef struct {
  guint number;
  char *pattern;      /* the line; in place of each number PLACEHOLDER and its format as a byte */
  GPtrArray *columns; /* of GArray of uint64_t: one a number */
} Template;

struct Lines {
  GPtrArray *templates; /* of Template, by number */
  GHashTable *by_pattern;
  GString *pattern; /* of the line at hand */
  GArray *values;   /* its numbers */
};

static void free_template(void *opaque) {
  Template *template = opaque;
  g_free(template->pattern);
  g_ptr_array_unref(template->columns);
  g_free(template);
}

static void free_column(void *opaque) {
  g_array_unref(opaque);
}

Lines *lines_new(void) {
  Lines *lines = g_new0(Lines, 1);

  lines->templates = g_ptr_array_new_with_free_func(free_template);
  lines->by_pattern = g_hash_table_new(g_str_hash, g_str_equal);
  lines->pattern = g_string_new(NULL);
  lines->values = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  return lines;
}

void lines_free(Lines *lines) {
  if (!lines)
    return;
  g_hash_table_unref(lines->by_pattern);
  g_ptr_array_unref(lines->templates);
  g_string_free(lines->pattern, TRUE);
  g_array_unref(lines->values);
  g_free(lines);
}

static bool is_lower_hex(char c) {
  return g_ascii_isxdigit(c) && !g_ascii_isupper(c);
}

/* Takes the number at TEXT, if there is one, into the line at hand; returns its length in bytes, or 0. */
static size_t take_number(Lines *lines, const char *text) {
  bool hex = text[0] == '0' && text[1] == 'x' && is_lower_hex(text[2]);
  const char *digits = hex ? text + 2 : text;
  size_t n = 0, most = hex ? HEX_DIGITS_MAX : DECIMAL_DIGITS_MAX;
  uint64_t value = 0;

  while (n < most && (hex ? is_lower_hex(digits[n]) : g_ascii_isdigit(digits[n])))
    value = value * (hex ? 16 : 10) + (unsigned)g_ascii_xdigit_value(digits[n++]);
  if (n == 0)
    return 0;
  bool padded = n > 1 && digits[0] == '0';
  /* Never 0: the pattern is a string. */
  g_string_append_c(lines->pattern, PLACEHOLDER);
  g_string_append_c(lines->pattern, (char)(1 + (padded ? 2 * n : 0) + hex));
  g_array_append_val(lines->values, value);
  return (size_t)(digits - text) + n;
}

static void take_apart(Lines *lines, const char *line) {
  g_string_truncate(lines->pattern, 0);
  g_array_set_size(lines->values, 0);
  while (*line) {
    size_t n = take_number(lines, line);
    if (n == 0)
      g_string_append_c(lines->pattern, g_ascii_iscntrl(*line) ? '?' : *line);
    line += MAX(n, 1);
  }
}

static Template *new_template(Lines *lines) {
  Template *template = g_new0(Template, 1);

  template->number = lines->templates->len;
  template->pattern = g_strdup(lines->pattern->str);
  template->columns = g_ptr_array_new_with_free_func(free_column);
  for (guint i = 0; i < lines->values->len; i++)
    g_ptr_array_add(template->columns, g_array_new(FALSE, FALSE, sizeof(uint64_t)));
  g_ptr_array_add(lines->templates, template);
  g_hash_table_insert(lines->by_pattern, template->pattern, template);
  return template;
}

guint lines_add(Lines *lines, const char *line) {
  take_apart(lines, line);
  Template *template = g_hash_table_lookup(lines->by_pattern, lines->pattern->str);
  if (!template)
    template = new_template(lines);
  for (guint i = 0; i < lines->values->len; i++)
    g_array_append_val(g_ptr_array_index(template->columns, i), g_array_index(lines->values, uint64_t, i));
  return template->number;
}

static bool is_constant(const GArray *column) {
  for (guint i = 1; i < column->len; i++)
    if (g_array_index(column, uint64_t, i) != g_array_index(column, uint64_t, 0))
      return false;
  return true;
}

static void append_number(GString *text, unsigned format, uint64_t value) {
  int digits = (int)format / 2;

  if (format & 1)
    g_string_append_printf(text, "0x%0*" G_GINT64_MODIFIER "x", MAX(digits, 1), value);
  else
    g_string_append_printf(text, "%0*" G_GUINT64_FORMAT, MAX(digits, 1), value);
}

static void write_text(JsonBuilder *builder, GString *text) {
  g_autoptr(GString) harmless = g_string_new(NULL);

  human_append_text(harmless, text->str);
  json_builder_add_string_value(builder, harmless->str);
  g_string_truncate(text, 0);
}

static void write_template(const Template *template, JsonBuilder *builder, GByteArray *blob) {
  g_autoptr(GString) text = g_string_new(NULL);
  guint next = 0;

  json_builder_begin_array(builder);
  for (const char *at = template->pattern; *at; at++) {
    if (*at != PLACEHOLDER) {
      g_string_append_c(text, *at);
      continue;
    }
    unsigned format = (unsigned char)*++at - 1u;
    const GArray *column = g_ptr_array_index(template->columns, next++);
    if (is_constant(column)) {
      append_number(text, format, g_array_index(column, uint64_t, 0));
      continue;
    }
    write_text(builder, text);
    json_builder_begin_array(builder);
    json_builder_add_int_value(builder, format);
    add_column(builder, blob, column);
    json_builder_end_array(builder);
  }
  write_text(builder, text);
  json_builder_end_array(builder);
}

void lines_write(const Lines *lines, JsonBuilder *builder, GByteArray *blob) {
  json_builder_begin_array(builder);
  for (guint i = 0; i < lines->templates->len; i++)
    write_template(g_ptr_array_index(lines->templates, i), builder, blob);
  json_builder_end_array(builder);
}
