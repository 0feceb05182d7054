/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive; the trees are our own, and a few levels deep. */
#include "vmm/base/json-writer.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "devices/printable.h"

#define INDENT        2
#define DIGITS_SURE   15 /* that a double holds in any case */
#define DIGITS_ENOUGH 17 /* that tell any two apart */

static void print_node(GString *out, JsonNode *node, unsigned depth);

static void new_line(GString *out, unsigned depth) {
  g_string_append_printf(out, "\n%*s", (int)(depth * INDENT), "");
}

static void print_string(GString *out, const char *text) {
  static const char escaped[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  g_autofree char *valid = g_utf8_make_valid(text, -1);

  g_string_append_c(out, '"');
  for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
    gunichar character = g_utf8_get_char(c);
    const char *found = character < 0x80 ? strchr(escaped, (int)character) : NULL;
    if (found)
      g_string_append_printf(out, "\\%c", names[found - escaped]);
    else if (character < ' ')
      g_string_append_printf(out, "\\u%04x", character);
    else
      g_string_append_unichar(out, character);
  }
  g_string_append_c(out, '"');
}

static void print_double(GString *out, double number) {
  char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];

  if (!isfinite(number)) {
    g_string_append(out, "null");
    return;
  }
  for (int digits = DIGITS_SURE; digits <= DIGITS_ENOUGH; digits++) {
    g_snprintf(format, sizeof format, "%%.%dg", digits);
    g_ascii_formatd(text, sizeof text, format, number);
    if (g_ascii_strtod(text, NULL) == number)
      break;
  }
  g_string_append(out, text);
  if (!strpbrk(text, ".e"))
    g_string_append(out, ".0"); /* a reader is to take it for what it is */
}

static void print_value(GString *out, JsonNode *node) {
  GType type = json_node_get_value_type(node);

  if (type == G_TYPE_STRING)
    print_string(out, json_node_get_string(node));
  else if (type == G_TYPE_BOOLEAN)
    g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
  else if (type == G_TYPE_DOUBLE)
    print_double(out, json_node_get_double(node));
  else
    g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
}

static void print_array(GString *out, JsonArray *array, unsigned depth) {
  unsigned length = json_array_get_length(array);

  g_string_append_c(out, '[');
  for (unsigned i = 0; i < length; i++) {
    g_string_append(out, i ? "," : "");
    new_line(out, depth + 1);
    print_node(out, json_array_get_element(array, i), depth + 1);
  }
  if (length)
    new_line(out, depth);
  g_string_append_c(out, ']');
}

static void print_object(GString *out, JsonObject *object, unsigned depth) {
  g_autoptr(GList) names = json_object_get_members(object);

  g_string_append_c(out, '{');
  for (const GList *name = names; name; name = name->next) {
    g_string_append(out, name == names ? "" : ",");
    new_line(out, depth + 1);
    print_string(out, name->data);
    g_string_append(out, " : ");
    print_node(out, json_object_get_member(object, name->data), depth + 1);
  }
  if (names)
    new_line(out, depth);
  g_string_append_c(out, '}');
}

static void print_node(GString *out, JsonNode *node, unsigned depth) {
  switch (json_node_get_node_type(node)) {
  case JSON_NODE_OBJECT:
    print_object(out, json_node_get_object(node), depth);
    break;
  case JSON_NODE_ARRAY:
    print_array(out, json_node_get_array(node), depth);
    break;
  case JSON_NODE_VALUE:
    print_value(out, node);
    break;
  case JSON_NODE_NULL:
    g_string_append(out, "null");
    break;
  }
}

char *json_print(JsonNode *root) {
  g_autoptr(GString) out = g_string_new(NULL);

  print_node(out, root, 0);
  g_string_append_c(out, '\n');
  return printable_json(out->str);
}

void json_add_text(JsonBuilder *builder, const char *name, const char *text) {
  if (!text)
    return;
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  json_builder_set_member_name(builder, name);
  json_builder_add_string_value(builder, valid);
}

void json_add_number(JsonBuilder *builder, const char *name, int64_t value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, value);
}

JsonNode *json_of_text(const char *name, const char *text) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, name, text);
  json_builder_end_object(builder);
  return json_builder_get_root(builder);
}
