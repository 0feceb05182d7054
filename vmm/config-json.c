/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The description file: a JSON object (RFC 8259) whose keys are the names of the flags without their dashes.
 *
 * One rule a kind: a flag without value takes true or false, under its own name or with "no-" ("reboot": false is "no-reboot": true); text and
 * paths are strings; numbers, sizes and choices are numbers or strings ("memory": "1G", "gic": 3); what is repeatable is an array, an element
 * either the flag's text or an object of its parts. Relative paths start at the file's own directory.
 *
 * json-glib parses, and tells the line of each member and element while it does.
 */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "vmm/config-option.h"

#define FILE_SIZE_MAX (1u << 20) /* a description has a few hundred bytes */
#define DEPTH_MAX     16         /* and json-glib parses by recursion */

typedef struct {
  ConfigDraft *draft;
  const char *path;
  char *directory;
  GHashTable *lines; /* member_key or element_key -> line, as text */
} JsonSource;

/* A member by its object and name, an element by its array and index. */
static char *member_key(const void *container, const char *name) {
  return g_strdup_printf("%p.%s", container, name);
}

static char *element_key(const void *container, unsigned index) {
  return g_strdup_printf("%p[%u]", container, index);
}

/* "vm.json:3: disk[1]"; takes KEY. */
static char *where_of(const JsonSource *source, char *key, const char *name) {
  g_autofree char *owned = key;
  return g_strdup_printf("%s:%s: %s", source->path, (const char *)g_hash_table_lookup(source->lines, owned), name);
}

static void on_member(JsonParser *parser, JsonObject *object, const char *name, void *opaque) {
  JsonSource *source = opaque;
  char *line = g_strdup_printf("%u", json_parser_get_current_line(parser));
  char *key = member_key(object, name);
  const char *earlier = g_hash_table_lookup(source->lines, key);
  if (earlier) {
    g_autofree char *where = g_strdup_printf("%s:%s: %s", source->path, line, name);
    config_mistake(source->draft, where, "given twice, first in line %s", earlier);
  }
  g_hash_table_replace(source->lines, key, line);
}

static void on_element(JsonParser *parser, JsonArray *array, int index, void *opaque) {
  JsonSource *source = opaque;
  g_hash_table_replace(source->lines, element_key(array, index), g_strdup_printf("%u", json_parser_get_current_line(parser)));
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
  return type == G_TYPE_STRING ? "a string" : type == G_TYPE_BOOLEAN ? "a boolean" : type == G_TYPE_INT64 ? "a number" : "a fraction";
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

/* Any kind but a list. NEGATED: the key began with "no-". */
static bool apply_value(JsonSource *source, void *record, const ConfigOption *option, bool negated, const char *where, JsonNode *node) {
  ConfigDraft *draft = source->draft;
  bool text_only = option->kind == OPTION_STRING || option->kind == OPTION_PATH;
  if (option->kind == OPTION_BOOLEAN) {
    if (!is_value(node, G_TYPE_BOOLEAN)) {
      config_mistake(draft, where, "wants true or false, not %s", kind_name(node));
      return false;
    }
    option_set_boolean(record, option, (bool)json_node_get_boolean(node) != negated);
    return true;
  }
  if (option->alone && is_value(node, G_TYPE_BOOLEAN) && json_node_get_boolean(node))
    return option_set(draft, record, option, where, NULL, option->alone);
  g_autofree char *text = text_only && !is_value(node, G_TYPE_STRING) ? NULL : value_text(node);
  if (!text) {
    config_mistake(draft, where, "wants %s, not %s", text_only ? "a string" : "a whole number or a string", kind_name(node));
    return false;
  }
  return option_set(draft, record, option, where, source->directory, text);
}

static void apply_element_member(JsonSource *source, const OptionElement *kind, void *element, JsonObject *object, const char *list_name,
                                 const char *key) {
  g_autofree char *name = g_strdup_printf("%s.%s", list_name, key);
  g_autofree char *where = where_of(source, member_key(object, key), name);
  const ConfigOption *option = option_find(kind->options, key);
  if (option) {
    apply_value(source, element, option, false, where, json_object_get_member(object, key));
    return;
  }
  g_autofree char *nearest = nearest_option(kind->options, key, "", NULL), *known = option_known_names(kind->options);
  config_mistake(source->draft, where, "unknown key%s (known: %s)", nearest, known);
}

static void apply_element_object(JsonSource *source, const ConfigOption *option, const char *where, const char *name, JsonObject *object) {
  const OptionElement *kind = option->element;
  void *element = option_add_element(source->draft, option, where);
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    apply_element_member(source, kind, element, object, name, key->data);
  if (kind->first_unnamed && !json_object_has_member(object, kind->options[0].name))
    config_mistake(source->draft, where, "lacks the key \"%s\"", kind->options[0].name);
}

static void apply_element(JsonSource *source, const ConfigOption *option, const char *where, const char *name, JsonNode *node) {
  if (JSON_NODE_HOLDS_OBJECT(node))
    apply_element_object(source, option, where, name, json_node_get_object(node));
  else if (is_value(node, G_TYPE_STRING))
    option_add_text(source->draft, option, where, source->directory, json_node_get_string(node));
  else
    config_mistake(source->draft, where, "wants a string or an object, not %s", kind_name(node));
}

/* An element may stand alone, without an array around it. */
static void apply_list(JsonSource *source, const ConfigOption *option, const char *where, JsonNode *node) {
  if (!JSON_NODE_HOLDS_ARRAY(node)) {
    apply_element(source, option, where, option->name, node);
    return;
  }
  JsonArray *array = json_node_get_array(node);
  option_begin_list(source->draft, option); /* also where the array is empty */
  for (unsigned i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *name = g_strdup_printf("%s[%u]", option->name, i);
    g_autofree char *there = where_of(source, element_key(array, i), name);
    apply_element(source, option, there, name, json_array_get_element(array, i));
  }
}

static void apply_member(JsonSource *source, JsonObject *object, const char *key) {
  g_autofree char *where = where_of(source, member_key(object, key), key);
  JsonNode *node = json_object_get_member(object, key);
  bool negated = g_str_has_prefix(key, "no-");
  const ConfigOption *option = option_find(config_options, negated ? key + strlen("no-") : key);
  if (option && (option->kind == OPTION_CONFIG || option->kind == OPTION_HELP)) {
    config_mistake(source->draft, where, "is for the command line only");
    return;
  }
  if (!option || (negated && option->kind != OPTION_BOOLEAN)) {
    g_autofree char *nearest = nearest_option(config_options, key, "", NULL);
    config_mistake(source->draft, where, "unknown key%s", nearest);
    return;
  }
  if (option->kind == OPTION_LIST) {
    apply_list(source, option, where, node);
    return;
  }
  if (apply_value(source, source->draft->config, option, negated, where, node))
    config_set_where(source->draft, option->name, -1, where);
}

/* json-glib writes "<data>:LINE:COLUMN: ..." */
static void add_parse_error(JsonSource *source, const char *message) {
  const char *place = g_str_has_prefix(message, "<data>:") ? message + strlen("<data>:") : message;
  config_mistake(source->draft, NULL, "%s:%s%s", source->path, place == message ? " " : "", place);
  source->draft->incomplete = true;
}

/*
 * What json-glib would take or choke on: nesting without limit, and the comments and single quotes that are no part of JSON.
 * NULL: nothing found. *LINE: where.
 */
static const char *find_excess(const char *text, gsize size, unsigned *line) {
  unsigned depth = 0;
  bool in_string = false;
  *line = 1;
  for (gsize i = 0; i < size; i++) {
    *line += text[i] == '\n';
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (in_string)
      continue;
    else if ((text[i] == '[' || text[i] == '{') && ++depth > DEPTH_MAX)
      return "nested too deeply for a description";
    else if ((text[i] == ']' || text[i] == '}') && depth > 0)
      depth--;
    else if (text[i] == '/' || text[i] == '#' || text[i] == '\'')
      return "comments and single quotes are not part of JSON";
  }
  return NULL;
}

static void apply_text(JsonSource *source, const char *text, gsize size) {
  unsigned line;
  const char *excess = find_excess(text, size, &line);
  if (excess) {
    config_mistake(source->draft, NULL, "%s:%u: %s", source->path, line, excess);
    source->draft->incomplete = true;
    return;
  }
  g_autoptr(JsonParser) parser = json_parser_new();
  g_signal_connect(parser, "object-member", G_CALLBACK(on_member), source);
  g_signal_connect(parser, "array-element", G_CALLBACK(on_element), source);
  g_autoptr(GError) error = NULL;
  if (!json_parser_load_from_data(parser, text, size, &error)) {
    add_parse_error(source, error->message);
    return;
  }
  JsonNode *root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    add_parse_error(source, "a JSON object is wanted: { \"kernel\": \"Image\", \"cpus\": 2 }");
    return;
  }
  JsonObject *object = json_node_get_object(root);
  g_autoptr(GList) keys = json_object_get_members(object);
  for (GList *key = keys; key; key = key->next)
    apply_member(source, object, key->data);
}

/* Not g_file_get_contents: it would read /dev/zero for ever. */
static char *read_file(const char *path, gsize *size, const char **why) {
  FILE *file = fopen(path, "re");
  if (!file) {
    *why = g_strerror(errno);
    return NULL;
  }
  g_autofree char *text = g_malloc(FILE_SIZE_MAX + 1);
  errno = 0;
  *size = fread(text, 1, FILE_SIZE_MAX + 1, file);
  *why = ferror(file) ? g_strerror(errno) : *size > FILE_SIZE_MAX ? "larger than 1 MiB: this is no description" : NULL;
  fclose(file);
  return *why ? NULL : g_steal_pointer(&text);
}

void config_json_load(ConfigDraft *draft, const char *path) {
  const char *why;
  gsize size;
  g_autofree char *text = read_file(path, &size, &why);
  if (!text) {
    config_mistake(draft, "--config", "cannot read '%s': %s", path, why);
    draft->incomplete = true;
    return;
  }
  JsonSource source = {
      .draft = draft,
      .path = path,
      .directory = g_path_get_dirname(path),
      .lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
  };
  /* "./a.img" for a.img in messages would only confuse. */
  if (!strcmp(source.directory, "."))
    g_clear_pointer(&source.directory, g_free);
  apply_text(&source, text, size);
  g_hash_table_unref(source.lines);
  g_free(source.directory);
}
