/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates as JSON. Every mistake in a file is collected.
 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "vmm/base/json-reader.h"
#include "vmm/base/json-writer.h"
#include "vmm/base/mistakes.h"
#include "vmm/cpu/template.h"

static const JsonLimits limits = {
    .what = "CPU template",
    .size_max = 1u << 20, /* a full template has about 5 KiB */
    .depth_max = 8,       /* three are needed */
};

typedef struct {
  const char *path;
  GString *mistakes;
  CpuTemplate *template;
} Reader;

static void G_GNUC_PRINTF(2, 3) add_mistake(Reader *reader, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  mistake(reader->mistakes, "%s: %s", reader->path, text);
}

static void read_field(Reader *reader, const char *reg, const char *name, JsonNode *node) {
  int field = id_field_find(reg, name);
  bool number = JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64;

  if (field < 0) {
    const char *nearest = id_field_nearest(reg, name);
    add_mistake(reader, "%s has no field %s%s%s%s", reg, name, nearest ? "; did you mean " : "", nearest ? nearest : "",
                nearest ? "?" : "");
    return;
  }
  if (!number) {
    add_mistake(reader, "%s.%s: wants a whole number from 0 to %u", reg, name, ID_FIELD_MAX);
    return;
  }
  if (json_node_get_int(node) < 0 || json_node_get_int(node) > ID_FIELD_MAX) {
    add_mistake(reader, "%s.%s: wants a whole number from 0 to %u, not %" G_GINT64_FORMAT, reg, name, ID_FIELD_MAX,
                json_node_get_int(node));
    return;
  }
  reader->template->fields[field] = json_node_get_int(node);
}

static void read_register(Reader *reader, const char *reg, JsonNode *node) {
  if (!id_register_known(reg)) {
    const char *nearest = id_field_nearest(NULL, reg);
    add_mistake(reader, "%s is no register of templates%s%s%s", reg, nearest ? "; did you mean " : "", nearest ? nearest : "",
                nearest ? "?" : "");
    return;
  }
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    add_mistake(reader, "%s: wants an object of fields: {\"FIELD\": NUMBER}", reg);
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
      add_mistake(reader, "name: wants a string");
    }
    return;
  }
  if (strcmp(key, "registers") != 0) {
    add_mistake(reader, "unknown key '%s' (known: name, registers)", key);
    return;
  }
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    add_mistake(reader, "registers: wants an object of registers: {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0}}");
    return;
  }
  JsonObject *object = json_node_get_object(node);
  g_autoptr(GList) registers = json_object_get_members(object);
  for (GList *reg = registers; reg; reg = reg->next)
    read_register(reader, reg->data, json_object_get_member(object, reg->data));
}

static const char no_template_text[] = "this is no CPU template: {\"name\": \"TEXT\", \"registers\": {...}}; 'eret cpu dump' writes one";

static void read_root(Reader *reader, JsonNode *root) {
  if (!JSON_NODE_HOLDS_OBJECT(root) || !json_object_has_member(json_node_get_object(root), "registers")) {
    add_mistake(reader, "%s", no_template_text);
    return;
  }
  JsonObject *object = json_node_get_object(root);
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    read_member(reader, key->data, json_object_get_member(object, key->data));
}

static CpuTemplate *make_template(const char *path, const JsonDocument *document, GError **error) {
  g_autofree char *name = g_path_get_basename(path);
  g_autoptr(CpuTemplate) template = cpu_template_new(name);
  g_autoptr(GString) mistakes = g_string_new(NULL);
  Reader reader = {.path = path, .mistakes = mistakes, .template = template};

  read_root(&reader, json_document_root(document));
  if (mistakes->len == 0)
    return g_steal_pointer(&template);
  g_set_error_literal(error, CPU_ERROR, CPU_ERROR_TEMPLATE, mistakes->str);
  return NULL;
}

static CpuTemplate *no_template(const char *path, const GError *why, GError **error) {
  g_autoptr(GString) text = g_string_new(NULL);

  if (g_error_matches(why, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE))
    mistake(text, "cannot read '%s': %s", path, why->message);
  else if (g_error_matches(why, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_INVALID))
    mistake(text, "%s:%s", path, why->message);
  else
    mistake(text, "%s: %s", path, no_template_text);
  g_set_error_literal(error, CPU_ERROR, CPU_ERROR_TEMPLATE, text->str);
  return NULL;
}

CpuTemplate *cpu_template_parse(const char *path, const char *text, size_t size, GError **error) {
  g_autoptr(GError) why = NULL;
  g_autoptr(JsonDocument) document = json_document_parse(text, size, &limits, &why);

  return document ? make_template(path, document, error) : no_template(path, why, error);
}

CpuTemplate *cpu_template_load(const char *path, GError **error) {
  g_autoptr(GError) why = NULL;
  g_autoptr(JsonDocument) document = json_document_read(path, &limits, &why);

  return document ? make_template(path, document, error) : no_template(path, why, error);
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
  return json_print(root);
}
