/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results as JSON, and back: what a CaseResult has is in two tables, by which it is both written and read. What is not
 * known is left out. The reader believes nothing: a file may have been written by hand, or cut off. No lock.
 */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "vmm/base/json-reader.h"
#include "vmm/base/json-writer.h"
#include "vmm/suite/report.h"

#define FORMAT_VERSION 1

static const JsonLimits limits = {
    .what = "result of eret test",
    .size_max = 64u << 20, /* some ten thousand cases that failed, each with its last lines */
    .depth_max = 16,       /* five are needed */
};

G_DEFINE_QUARK(eret - report - error, report_error)

typedef enum { TEXT, FLAG, NUMBER, DURATION } FieldKind;

typedef struct {
  const char *name;
  size_t offset;
  FieldKind kind; /* of char *, bool, int or double */
  bool required;  /* it must be there; a text must not be empty */
  gint64 least;   /* a number */
} Field;

#define FIELD(member) .name = #member, .offset = offsetof(CaseResult, member)

static const Field texts[] = {
    {FIELD(suite), TEXT, .required = true},
    {FIELD(name), TEXT, .required = true},
    {FIELD(message), TEXT},
    {FIELD(outcome), TEXT},
    {FIELD(expected), TEXT},
    {FIELD(started), TEXT},
    {FIELD(log), TEXT},
    {FIELD(details), TEXT},
    {FIELD(fingerprint), TEXT},
};
static const Field values[] = {
    {FIELD(no_kvm), FLAG},
    {FIELD(attempt), NUMBER, .least = 1},
    {FIELD(exit_status), NUMBER, .least = G_MININT32},
    {FIELD(cpus), NUMBER, .least = 0},
    {FIELD(seconds), DURATION},
    {FIELD(vmm_seconds), DURATION},
    {FIELD(kernel_seconds), DURATION},
    {FIELD(init_seconds), DURATION},
    {FIELD(command_seconds), DURATION},
};

static bool is_duration(double seconds) {
  return isfinite(seconds) && seconds >= 0;
}

/* Writing. */

/* A flag is left out where it is false. */
static void add_field(JsonBuilder *builder, const Field *field, const void *record) {
  const void *value = (const char *)record + field->offset;

  if (field->kind == TEXT)
    json_add_text(builder, field->name, *(char *const *)value);
  else if (field->kind == NUMBER)
    json_builder_add_int_value(json_builder_set_member_name(builder, field->name), *(const int *)value);
  else if (field->kind == FLAG && *(const bool *)value)
    json_builder_add_boolean_value(json_builder_set_member_name(builder, field->name), true);
  else if (field->kind == DURATION && is_duration(*(const double *)value))
    json_builder_add_double_value(json_builder_set_member_name(builder, field->name), *(const double *)value);
}

static void add_case(JsonBuilder *builder, const CaseResult *result) {
  json_builder_begin_object(builder);
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    add_field(builder, &texts[i], result);
  json_add_text(builder, "kind", result_kind_name(result->kind));
  for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
    add_field(builder, &values[i], result);
  json_builder_begin_array(json_builder_set_member_name(builder, "tags"));
  for (unsigned i = 0; i < result->tags->len; i++) {
    g_autofree char *tag = g_utf8_make_valid(g_ptr_array_index(result->tags, i), -1);
    json_builder_add_string_value(builder, tag);
  }
  json_builder_end_array(builder);
  json_builder_begin_array(json_builder_set_member_name(builder, "sub"));
  for (unsigned i = 0; i < result->sub->len; i++) {
    const SubResult *sub = g_ptr_array_index(result->sub, i);
    json_builder_begin_object(builder);
    json_add_text(builder, "name", sub->name);
    json_add_text(builder, "kind", result_kind_name(sub->kind));
    json_add_text(builder, "detail", sub->detail);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  json_builder_end_object(builder);
}

static void add_totals(JsonBuilder *builder, GPtrArray *results) {
  static const char *const names[N_GROUP_VERDICTS] = {
      [GROUP_PASSED] = "passed", [GROUP_FAILED] = "failed", [GROUP_ERROR] = "errors", [GROUP_SKIPPED] = "skipped", [GROUP_FLAKY] = "flaky"};
  g_autoptr(GPtrArray) groups = results_group(results);
  unsigned counts[N_GROUP_VERDICTS] = {0};

  for (unsigned i = 0; i < groups->len; i++)
    counts[((const CaseGroup *)g_ptr_array_index(groups, i))->verdict]++;
  json_builder_begin_object(json_builder_set_member_name(builder, "totals"));
  json_builder_add_int_value(json_builder_set_member_name(builder, "cases"), groups->len);
  for (unsigned i = 0; i < N_GROUP_VERDICTS; i++)
    json_builder_add_int_value(json_builder_set_member_name(builder, names[i]), counts[i]);
  json_builder_end_object(builder);
}

void report_json(GString *out, GPtrArray *results, unsigned shard, unsigned shards) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_builder_add_int_value(json_builder_set_member_name(builder, "version"), FORMAT_VERSION);
  json_add_text(builder, "eret", ERET_VERSION);
  if (shards > 1) {
    json_builder_begin_object(json_builder_set_member_name(builder, "shard"));
    json_builder_add_int_value(json_builder_set_member_name(builder, "index"), shard);
    json_builder_add_int_value(json_builder_set_member_name(builder, "of"), shards);
    json_builder_end_object(builder);
  }
  json_builder_begin_array(json_builder_set_member_name(builder, "cases"));
  for (unsigned i = 0; i < results->len; i++)
    add_case(builder, g_ptr_array_index(results, i));
  json_builder_end_array(builder);
  add_totals(builder, results);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  g_string_append(out, text);
}

/* Reading: each function is false, and ERROR set, where something is wrong; WHERE names the place: "FILE: cases[3]". */

static bool invalid(GError **error, const char *where, const char *member, const char *what) {
  g_set_error(error, REPORT_ERROR, REPORT_ERROR_INVALID, "%s%s%s %s", where, *where && *member ? ": " : "", member, what);
  return false;
}

/* NULL: it is not there. */
static JsonNode *get_member(JsonObject *object, const char *member) {
  JsonNode *node = json_object_get_member(object, member);

  return node && JSON_NODE_HOLDS_NULL(node) ? NULL : node;
}

static bool read_number(JsonNode *node, const Field *field, const char *where, int *value, GError **error) {
  gint64 number = json_node_get_int(node);

  if (number >= field->least && number <= G_MAXINT32) {
    *value = (int)number; /* the same in an unsigned */
    return true;
  }
  g_autofree char *what =
      g_strdup_printf("is %" G_GINT64_FORMAT ", and must be between %" G_GINT64_FORMAT " and %d", number, field->least, G_MAXINT32);
  return invalid(error, where, field->name, what);
}

static bool read_field(JsonObject *object, const Field *field, const char *where, void *record, GError **error) {
  static const struct {
    GType type;
    const char *wrong;
  } types[] = {[TEXT] = {G_TYPE_STRING, "must be a string"},
               [FLAG] = {G_TYPE_BOOLEAN, "must be true or false"},
               [NUMBER] = {G_TYPE_INT64, "must be a whole number"},
               [DURATION] = {G_TYPE_DOUBLE, "must be a number"}};
  void *value = (char *)record + field->offset;
  JsonNode *node = get_member(object, field->name);
  GType type = node ? json_node_get_value_type(node) : G_TYPE_INVALID;

  if (!node)
    return !field->required || invalid(error, where, field->name, "is missing");
  if (type != types[field->kind].type && !(field->kind == DURATION && type == G_TYPE_INT64))
    return invalid(error, where, field->name, types[field->kind].wrong);
  switch (field->kind) {
  case NUMBER:
    return read_number(node, field, where, value, error);
  case TEXT:
    g_free(*(char **)value);
    *(char **)value = json_node_dup_string(node);
    return !field->required || **(char **)value || invalid(error, where, field->name, "is empty");
  case FLAG:
    *(bool *)value = json_node_get_boolean(node);
    return true;
  case DURATION:
    *(double *)value = json_node_get_double(node);
    return is_duration(*(double *)value) || invalid(error, where, field->name, "must be a number of seconds, not negative");
  }
  return false;
}

static bool read_kind(JsonObject *object, const char *where, ResultKind *kind, GError **error) {
  static const Field field = {.name = "kind", .required = true};
  g_autofree char *text = NULL;

  return read_field(object, &field, where, &text, error) &&
         (result_kind_from_name(text, kind) || invalid(error, where, "kind", "must be passed, failed, skipped or error"));
}

/* Calls READ for each element of an array; no array is an empty one, unless REQUIRED. */
static bool read_array(JsonObject *object, const char *member, bool required, const char *where,
                       bool (*read)(JsonNode *node, const char *where, GPtrArray *out, GError **error), GPtrArray *out, GError **error) {
  JsonNode *node = get_member(object, member);

  if (!node)
    return !required || invalid(error, where, member, "is missing: this is no result of eret test, or not a whole one");
  if (!JSON_NODE_HOLDS_ARRAY(node))
    return invalid(error, where, member, "must be an array");
  JsonArray *array = json_node_get_array(node);
  for (unsigned i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *place = g_strdup_printf("%s: %s[%u]", where, member, i);
    if (!read(json_array_get_element(array, i), place, out, error))
      return false;
  }
  return true;
}

static bool read_tag(JsonNode *node, const char *where, GPtrArray *tags, GError **error) {
  if (json_node_get_value_type(node) != G_TYPE_STRING)
    return invalid(error, where, "", "must be a string");
  g_ptr_array_add(tags, json_node_dup_string(node));
  return true;
}

static bool read_sub(JsonNode *node, const char *where, GPtrArray *subs, GError **error) {
  static const Field name_field = {.name = "name", .offset = offsetof(SubResult, name), .required = true};
  static const Field detail_field = {.name = "detail", .offset = offsetof(SubResult, detail)};

  if (!JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, where, "", "must be an object");
  JsonObject *object = json_node_get_object(node);
  SubResult *sub = sub_result_new(NULL, RESULT_PASSED, NULL);
  g_ptr_array_add(subs, sub);
  return read_field(object, &name_field, where, sub, error) && read_kind(object, where, &sub->kind, error) &&
         read_field(object, &detail_field, where, sub, error);
}

static bool read_case(JsonNode *node, const char *where, GPtrArray *results, GError **error) {
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, where, "", "must be an object");
  JsonObject *object = json_node_get_object(node);
  CaseResult *result = case_result_new(NULL, NULL);
  g_ptr_array_add(results, result);
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    if (!read_field(object, &texts[i], where, result, error))
      return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
    if (!read_field(object, &values[i], where, result, error))
      return false;
  return read_kind(object, where, &result->kind, error) && read_array(object, "tags", false, where, read_tag, result->tags, error) &&
         read_array(object, "sub", false, where, read_sub, result->sub, error);
}

static bool read_shard(JsonObject *root, const char *path, LoadedResults *loaded, GError **error) {
  static const Field index_field = {"index", offsetof(LoadedResults, shard), NUMBER, .required = true, .least = 1};
  static const Field of_field = {"of", offsetof(LoadedResults, shards), NUMBER, .required = true, .least = 1};
  g_autofree char *where = g_strconcat(path, ": shard", NULL);
  JsonNode *node = get_member(root, "shard");

  loaded->shard = loaded->shards = 1;
  if (!node)
    return true;
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, where, "", "must be an object");
  JsonObject *object = json_node_get_object(node);
  return read_field(object, &index_field, where, loaded, error) && read_field(object, &of_field, where, loaded, error) &&
         (loaded->shard <= loaded->shards || invalid(error, where, "index", "is more than there are shards"));
}

static bool read_root(JsonNode *node, const char *path, LoadedResults *loaded, GError **error) {
  static const Field version_field = {.name = "version", .kind = NUMBER, .required = true, .least = 1};
  int version = 0;

  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, path, "this", "is not a JSON object, as eret test --json writes it");
  JsonObject *root = json_node_get_object(node);
  if (!read_field(root, &version_field, path, &version, error))
    return false;
  if (version != FORMAT_VERSION)
    return invalid(error, path, "version", "is not 1: it was written by a later eret, which can read it");
  return read_shard(root, path, loaded, error) && read_array(root, "cases", true, path, read_case, loaded->results, error);
}

LoadedResults *results_load_json(const char *path, GError **error) {
  g_autoptr(LoadedResults) loaded = g_new0(LoadedResults, 1);
  g_autoptr(GError) why = NULL;
  g_autoptr(JsonDocument) document = json_document_read(path, &limits, &why);

  loaded->results = g_ptr_array_new_with_free_func(case_result_free);
  if (!document) {
    bool bad = !g_error_matches(why, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE);
    g_set_error(error, REPORT_ERROR, bad ? REPORT_ERROR_INVALID : REPORT_ERROR_FILE, bad ? "%s: this is not JSON: %s" : "%s: %s", path,
                why->message);
    return NULL;
  }
  return read_root(json_document_root(document), path, loaded, error) ? g_steal_pointer(&loaded) : NULL;
}

void loaded_results_free(LoadedResults *loaded) {
  if (!loaded)
    return;
  g_ptr_array_unref(loaded->results);
  g_free(loaded);
}
