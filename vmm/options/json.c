/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description file: a JSON object (RFC 8259) whose keys are the names of the flags without their dashes.
 *
 * One rule a kind: a flag without value takes true or false, under its own name or with "no-" ("reboot": false is
 * "no-reboot": true); text and paths are strings; numbers, sizes, choices, and texts that may be a number, are numbers
 * or strings ("memory": "1G", "gic": 3); what is repeatable is an array, an element either the flag's text or an object
 * of its parts. Relative paths start at the file's own directory.
 */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "vmm/base/json-reader.h"
#include "vmm/options/option.h"

static const JsonLimits limits = {
    .what = "description",
    .size_max = 1u << 20, /* a description has a few hundred bytes */
    .depth_max = 16,
};

typedef struct {
  OptionDraft *draft;
  const Option *options;
  void *record;
  const char *path;
  char *directory;
  JsonDocument *document;
  GHashTable *given; /* option -> the key it has been given by */
} JsonSource;

/* "vm.json:3: disk[1]": where NODE is. Free with g_free. */
static char *where_of(const JsonSource *source, JsonNode *node, const char *name) {
  return g_strdup_printf("%s:%u: %s", source->path, json_document_line(source->document, node), name);
}

/* As it was written: not only a fraction is no sequence of digits. */
static const char *kind_of_double(double value) {
  if (fpclassify(value) == FP_ZERO && signbit(value))
    return "-0";
  return trunc(value) != value ? "a fraction" : "a number with a point or an exponent";
}

static const char *kind_name(JsonNode *node) {
  switch (json_node_get_node_type(node)) {
  case JSON_NODE_OBJECT:
    return "an object";
  case JSON_NODE_ARRAY:
    return "an array";
  case JSON_NODE_NULL:
    return "null";
  case JSON_NODE_VALUE:
    break;
  }
  GType type = json_node_get_value_type(node);
  if (type == G_TYPE_BOOLEAN)
    return json_node_get_boolean(node) ? "true" : "false";
  if (type == G_TYPE_DOUBLE)
    return kind_of_double(json_node_get_double(node));
  return type == G_TYPE_STRING ? "a string" : "a number";
}

static bool is_value(JsonNode *node, GType type) {
  return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

/* NULL: it is neither string nor whole number. */
static char *value_text(JsonNode *node) {
  if (is_value(node, G_TYPE_STRING))
    return g_strdup(json_node_get_string(node));
  return is_value(node, G_TYPE_INT64) ? g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node)) : NULL;
}

static bool is_text_only(const Option *option) {
  return (option->kind == OPTION_STRING && !option->number_too) || option->kind == OPTION_PATH || option->kind == OPTION_TEXTS;
}

/* What the key takes, for people. Free with g_free. */
static char *wanted_kinds(const Option *option, bool negated) {
  if (option->kind == OPTION_BOOLEAN || negated)
    return g_strdup("true or false");
  if (option->kind == OPTION_TEXTS)
    return g_strdup("a string, or an array of strings");
  if (is_text_only(option))
    return g_strdup(option->alone ? "true or a string" : "a string");
  if (option->kind != OPTION_CHOICE)
    return g_strdup("a whole number or a string");
  g_autofree char *names = option_choice_names(option, ", ");
  return g_strconcat(option->alone ? "true, false or " : "", "one of ", names, NULL);
}

/* Any kind but a list. NEGATED: the key began with "no-". */
static bool apply_value(JsonSource *source, void *record, const Option *option, bool negated, const char *where, JsonNode *node) {
  OptionDraft *draft = source->draft;
  if (option_can_be_negated(option) && is_value(node, G_TYPE_BOOLEAN)) {
    option_set_boolean(record, option, (bool)json_node_get_boolean(node) != negated);
    return true;
  }
  if (option->alone && is_value(node, G_TYPE_BOOLEAN) && json_node_get_boolean(node))
    return option_set(draft, record, option, where, NULL, option->alone);
  bool is_text = option->kind != OPTION_BOOLEAN && !negated && (!is_text_only(option) || is_value(node, G_TYPE_STRING));
  g_autofree char *text = is_text ? value_text(node) : NULL;
  if (!text) {
    g_autofree char *wanted = wanted_kinds(option, negated);
    option_mistake(draft, where, "wants %s, not %s", wanted, kind_name(node));
    return false;
  }
  return option_set(draft, record, option, where, source->directory, text);
}

/* One may stand alone, without an array around it. */
static void apply_texts(JsonSource *source, void *record, const Option *option, const char *where, const char *name, JsonNode *node) {
  if (!JSON_NODE_HOLDS_ARRAY(node)) {
    apply_value(source, record, option, false, where, node);
    return;
  }
  JsonArray *array = json_node_get_array(node);
  for (unsigned i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *one = g_strdup_printf("%s[%u]", name, i);
    JsonNode *element = json_array_get_element(array, i);
    g_autofree char *there = where_of(source, element, one);
    apply_value(source, record, option, false, there, element);
  }
}

static void apply_element_member(JsonSource *source, const OptionElement *kind, void *element, JsonObject *object, const char *list_name,
                                 const char *key) {
  g_autofree char *name = g_strdup_printf("%s.%s", list_name, key);
  JsonNode *node = json_object_get_member(object, key);
  g_autofree char *where = where_of(source, node, name);
  const Option *option = option_find(kind->options, key);
  if (option && option->kind == OPTION_TEXTS) {
    apply_texts(source, element, option, where, name, node);
    return;
  }
  if (option) {
    apply_value(source, element, option, false, where, node);
    return;
  }
  g_autofree char *nearest = option_nearest(NULL, kind->options, key, "", NULL), *known = option_known_names(kind->options);
  option_mistake(source->draft, where, "unknown key%s (known: %s)", nearest, known);
}

/* There has to be the first option, or one in its place. */
static void check_first(JsonSource *source, const OptionElement *kind, const char *where, JsonObject *object) {
  g_autoptr(GString) names = g_string_new(NULL);

  for (const Option *option = kind->options; option->name; option++) {
    if (option != kind->options && !option->instead)
      continue;
    if (json_object_has_member(object, option->name))
      return;
    g_string_append_printf(names, "%s\"%s\"", names->len ? " or " : "", option->name);
  }
  option_mistake(source->draft, where, "lacks the key %s", names->str);
}

static void apply_element_object(JsonSource *source, const Option *option, const char *where, const char *name, JsonObject *object) {
  const OptionElement *kind = option->element;
  void *element = option_add_element(source->draft, source->record, option, where);
  gsize before = source->draft->mistakes->len;
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    apply_element_member(source, kind, element, object, name, key->data);
  if (kind->first_unnamed)
    check_first(source, kind, where, object);
  option_end_element(source->draft, source->record, option, before);
}

static void apply_element(JsonSource *source, const Option *option, const char *where, const char *name, JsonNode *node) {
  if (JSON_NODE_HOLDS_OBJECT(node))
    apply_element_object(source, option, where, name, json_node_get_object(node));
  else if (is_value(node, G_TYPE_STRING))
    option_add_text(source->draft, source->record, option, where, source->directory, json_node_get_string(node));
  else
    option_mistake(source->draft, where, "wants a string or an object, not %s", kind_name(node));
}

/* An element may stand alone, without an array around it. */
static void apply_list(JsonSource *source, const Option *option, const char *where, JsonNode *node) {
  if (!JSON_NODE_HOLDS_ARRAY(node)) {
    apply_element(source, option, where, option->name, node);
    return;
  }
  JsonArray *array = json_node_get_array(node);
  option_begin_list(source->draft, source->record, option); /* also where the array is empty */
  for (unsigned i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *name = g_strdup_printf("%s[%u]", option->name, i);
    JsonNode *element = json_array_get_element(array, i);
    g_autofree char *there = where_of(source, element, name);
    apply_element(source, option, there, name, element);
  }
}

/* One option has two keys where it can be negated. */
static bool is_given_again(JsonSource *source, JsonObject *object, const Option *option, const char *where, const char *key) {
  const char *earlier = g_hash_table_lookup(source->given, option);
  if (earlier)
    option_mistake(source->draft, where, "given twice, first as %s in line %u", earlier,
                   json_document_line(source->document, json_object_get_member(object, earlier)));
  else
    g_hash_table_insert(source->given, (void *)option, (void *)key);
  return earlier != NULL;
}

static void apply_member(JsonSource *source, JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  g_autofree char *where = where_of(source, node, key);
  bool negated = g_str_has_prefix(key, "no-");
  const Option *option = option_find(source->options, negated ? key + strlen("no-") : key);
  if (option && (option->kind < OPTION_BOOLEAN)) {
    option_mistake(source->draft, where, "is for the command line only");
    return;
  }
  if (!option || (negated && !option_can_be_negated(option))) {
    const Option *meant;
    g_autofree char *nearest = option_nearest(source->draft->set, source->options, key, "", &meant);
    option_mistake(source->draft, where, "unknown key%s", nearest);
    if (meant)
      option_set_failed(source->draft, meant->name, -1);
    return;
  }
  if (is_given_again(source, object, option, where, key))
    return;
  if (option->kind == OPTION_LIST) {
    apply_list(source, option, where, node);
    return;
  }
  if (apply_value(source, source->record, option, negated, where, node))
    option_set_where(source->draft, option->name, -1, where);
  else
    option_set_failed(source->draft, option->name, -1);
}

static void no_description(OptionDraft *draft, const char *path, const GError *error) {
  if (g_error_matches(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE))
    option_mistake(draft, "--config", "cannot read '%s': %s", path, error->message);
  else if (g_error_matches(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_INVALID))
    option_mistake(draft, NULL, "%s:%s", path, error->message);
  else
    option_mistake(draft, NULL, "%s: a JSON object is wanted: { \"kernel\": \"Image\", \"cpus\": 2 }", path);
  draft->incomplete = true;
}

void option_json_load(OptionDraft *draft, const Option *options, void *record, const char *path) {
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonDocument) document = json_document_read(path, &limits, &error);

  if (!document || !JSON_NODE_HOLDS_OBJECT(json_document_root(document))) {
    no_description(draft, path, error);
    return;
  }
  g_autofree char *directory = g_path_get_dirname(path);
  g_autoptr(GHashTable) given = g_hash_table_new(NULL, NULL);
  JsonSource source = {
      .draft = draft,
      .options = options,
      .record = record,
      .path = path,
      .directory = strcmp(directory, ".") != 0 ? directory : NULL, /* "./a.img" for a.img in messages would only confuse */
      .document = document,
      .given = given,
  };
  JsonObject *object = json_node_get_object(json_document_root(document));
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    apply_member(&source, object, key->data);
}
