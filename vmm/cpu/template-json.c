/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates as JSON (RFC 8259), read with json-glib. Every mistake in a file is collected. Reading is for files of the user's own, but not of any size or depth.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/cpu/template.h"

#define FILE_SIZE_MAX (1u << 20) /* a full template has about 5 KiB */
#define DEPTH_MAX     8          /* three are needed, and json-glib parses by recursion */

typedef struct {
  const char *path;
  GString *mistakes;
  CpuTemplate *template;
} Reader;

static void G_GNUC_PRINTF(2, 3) mistake(Reader *reader, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  g_string_append_printf(reader->mistakes, "%s%s: ", reader->mistakes->len ? "\n" : "", reader->path);
  g_string_append_vprintf(reader->mistakes, format, arguments);
  va_end(arguments);
}

static bool too_deep(const char *text, size_t size) {
  unsigned depth = 0;
  bool in_string = false;

  for (size_t i = 0; i < size; i++) {
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string && strchr("[{", text[i]) && text[i] && ++depth > DEPTH_MAX)
      return true;
    else if (!in_string && strchr("]}", text[i]) && text[i] && depth > 0)
      depth--;
  }
  return false;
}

static void read_field(Reader *reader, const char *reg, const char *name, JsonNode *node) {
  int field = id_field_find(reg, name);
  bool number = JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64;

  if (field < 0) {
    const char *nearest = id_field_nearest(reg, name);
    mistake(reader, "%s has no field %s%s%s%s", reg, name, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return;
  }
  if (!number || json_node_get_int(node) < 0 || json_node_get_int(node) > ID_FIELD_MAX) {
    mistake(reader, "%s.%s: wants a whole number from 0 to %u", reg, name, ID_FIELD_MAX);
    return;
  }
  reader->template->fields[field] = json_node_get_int(node);
}

static void read_register(Reader *reader, const char *reg, JsonNode *node) {
  if (!id_register_known(reg)) {
    const char *nearest = id_register_nearest(reg);
    mistake(reader, "%s is no register of templates%s%s%s", reg, nearest ? "; did you mean " : "", nearest ? nearest : "",
            nearest ? "?" : "");
    return;
  }
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    mistake(reader, "%s: wants an object of fields: {\"FIELD\": NUMBER}", reg);
    return;
  }
  JsonObject *object = json_node_get_object(node);
  g_autoptr(GList) names = json_object_get_members(object);
  for (GList *name = names; name; name = name->next)
    read_field(reader, reg, name->data, json_object_get_member(object, name->data));
}

static void read_member(Reader *reader, const char *key, JsonNode *node) {
  if (!strcmp(key, "name")) {
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
      g_free(reader->template->name);
      reader->template->name = g_strdup(json_node_get_string(node));
    } else {
      mistake(reader, "name: wants a string");
    }
    return;
  }
  if (strcmp(key, "registers") != 0) {
    mistake(reader, "unknown key '%s' (known: name, registers)", key);
    return;
  }
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    mistake(reader, "registers: wants an object of registers: {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0}}");
    return;
  }
  JsonObject *object = json_node_get_object(node);
  g_autoptr(GList) registers = json_object_get_members(object);
  for (GList *reg = registers; reg; reg = reg->next)
    read_register(reader, reg->data, json_object_get_member(object, reg->data));
}

static void read_text(Reader *reader, const char *text, size_t size) {
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autoptr(GError) error = NULL;

  if (too_deep(text, size)) {
    mistake(reader, "nested too deeply for a CPU template");
    return;
  }
  if (!json_parser_load_from_data(parser, text, (gssize)size, &error)) {
    const char *message = error->message;
    mistake(reader, "%s", g_str_has_prefix(message, "<data>:") ? message + strlen("<data>:") : message);
    return;
  }
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root) || !json_object_has_member(json_node_get_object(root), "registers")) {
    mistake(reader, "this is no CPU template: {\"name\": \"TEXT\", \"registers\": {...}}; 'eret cpu dump' writes one");
    return;
  }
  JsonObject *object = json_node_get_object(root);
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    read_member(reader, key->data, json_object_get_member(object, key->data));
}

CpuTemplate *cpu_template_parse(const char *path, const char *text, size_t size, GError **error) {
  g_autofree char *name = g_path_get_basename(path);
  g_autoptr(CpuTemplate) template = cpu_template_new(name);
  g_autoptr(GString) mistakes = g_string_new(NULL);
  Reader reader = {.path = path, .mistakes = mistakes, .template = template};

  read_text(&reader, text, size);
  if (mistakes->len == 0)
    return g_steal_pointer(&template);
  g_set_error_literal(error, CPU_ERROR, CPU_ERROR_TEMPLATE, mistakes->str);
  return NULL;
}

/* Not g_file_get_contents: it would read /dev/zero for ever. */
CpuTemplate *cpu_template_load(const char *path, GError **error) {
  FILE *file = fopen(path, "re");
  const char *why = file ? NULL : g_strerror(errno);
  g_autofree char *text = g_malloc(FILE_SIZE_MAX + 1);
  size_t size = 0;

  if (file) {
    errno = 0;
    size = fread(text, 1, FILE_SIZE_MAX + 1, file);
    why = ferror(file) ? g_strerror(errno) : size > FILE_SIZE_MAX ? "larger than 1 MiB: this is no CPU template" : NULL;
    fclose(file);
  }
  if (!why)
    return cpu_template_parse(path, text, size, error);
  g_set_error(error, CPU_ERROR, CPU_ERROR_TEMPLATE, "cannot read '%s': %s", path, why);
  return NULL;
}

/* The fields of REG, from the table's row FIRST on; returns the row behind them. */
static unsigned print_register(JsonBuilder *builder, const CpuTemplate *template, unsigned first) {
  const char *reg = id_fields[first].reg;
  bool any = false;
  unsigned end = first;

  for (; end < ID_FIELDS && !strcmp(id_fields[end].reg, reg); end++)
    any = any || template->fields[end] >= 0;
  if (!any)
    return end;
  json_builder_set_member_name(builder, reg);
  json_builder_begin_object(builder);
  for (unsigned i = first; i < end; i++) {
    if (template->fields[i] < 0)
      continue;
    json_builder_set_member_name(builder, id_fields[i].name);
    json_builder_add_int_value(builder, template->fields[i]);
  }
  json_builder_end_object(builder);
  return end;
}

char *cpu_template_print(const CpuTemplate *template) {
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autoptr(JsonGenerator) generator = json_generator_new();

  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "name");
  json_builder_add_string_value(builder, template->name);
  json_builder_set_member_name(builder, "registers");
  json_builder_begin_object(builder);
  for (unsigned i = 0; i < ID_FIELDS;)
    i = print_register(builder, template, i);
  json_builder_end_object(builder);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  json_generator_set_root(generator, root);
  json_generator_set_pretty(generator, TRUE);
  g_autofree char *json = json_generator_to_data(generator, NULL);
  g_autofree char *text = printable_json(json);
  return g_strconcat(text, "\n", NULL);
}
