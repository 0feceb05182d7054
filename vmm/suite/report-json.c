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

typedef struct {
  const char *name;
  size_t offset;
  bool required; /* a text: it must be there, and not be empty */
  gint64 least;  /* a number */
} Field;

#define FIELD(member) .name = #member, .offset = offsetof(CaseResult, member)

static const Field texts[] = {
    {FIELD(suite), .required = true},
    {FIELD(name), .required = true},
    {FIELD(message)},
    {FIELD(outcome)},
    {FIELD(expected)},
    {FIELD(started)},
    {FIELD(log)},
    {FIELD(details)},
    {FIELD(fingerprint)},
};
static const Field durations[] = {
    {FIELD(seconds)}, {FIELD(vmm_seconds)}, {FIELD(kernel_seconds)}, {FIELD(init_seconds)}, {FIELD(command_seconds)}};
static const Field flags[] = {{FIELD(no_kvm)}}; /* left out where they are false */
static const Field numbers[] = {{FIELD(attempt), .least = 1}, {FIELD(exit_status), .least = G_MININT32}, {FIELD(cpus), .least = 0}};

#define MEMBER(type, result, field) ((type *)((char *)(result) + (field)->offset))

/* Writing. */

static void add_number(JsonBuilder *builder, const char *name, gint64 number) {
  json_builder_set_member_name(builder, name);
  json_builder_add_int_value(builder, number);
}

static void add_flag(JsonBuilder *builder, const char *name, bool flag) {
  if (!flag)
    return;
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, flag);
}

static void add_sub_results(JsonBuilder *builder, const GPtrArray *subs) {
  json_builder_set_member_name(builder, "sub");
  json_builder_begin_array(builder);
  for (unsigned i = 0; i < subs->len; i++) {
    const SubResult *sub = g_ptr_array_index(subs, i);
    json_builder_begin_object(builder);
    json_add_text(builder, "name", sub->name);
    json_add_text(builder, "kind", result_kind_name(sub->kind));
    json_add_text(builder, "detail", sub->detail);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_case(JsonBuilder *builder, CaseResult *result) {
  json_builder_begin_object(builder);
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    json_add_text(builder, texts[i].name, *MEMBER(char *, result, &texts[i]));
  json_add_text(builder, "kind", result_kind_name(result->kind));
  for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
    add_flag(builder, flags[i].name, *MEMBER(bool, result, &flags[i]));
  for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
    add_number(builder, numbers[i].name, *MEMBER(int, result, &numbers[i]));
  for (unsigned i = 0; i < G_N_ELEMENTS(durations); i++) {
    double seconds = *MEMBER(double, result, &durations[i]);
    if (!(seconds >= 0) || !isfinite(seconds))
      continue;
    json_builder_set_member_name(builder, durations[i].name);
    json_builder_add_double_value(builder, seconds);
  }
  json_builder_set_member_name(builder, "tags");
  json_builder_begin_array(builder);
  for (unsigned i = 0; i < result->tags->len; i++) {
    g_autofree char *tag = g_utf8_make_valid(g_ptr_array_index(result->tags, i), -1);
    json_builder_add_string_value(builder, tag);
  }
  json_builder_end_array(builder);
  add_sub_results(builder, result->sub);
  json_builder_end_object(builder);
}

static void add_totals(JsonBuilder *builder, GPtrArray *results) {
  static const char *const names[N_GROUP_VERDICTS] = {
      [GROUP_PASSED] = "passed", [GROUP_FAILED] = "failed", [GROUP_ERROR] = "errors", [GROUP_SKIPPED] = "skipped", [GROUP_FLAKY] = "flaky"};
  g_autoptr(GPtrArray) groups = results_group(results);
  unsigned counts[N_GROUP_VERDICTS] = {0};

  for (unsigned i = 0; i < groups->len; i++)
    counts[((const CaseGroup *)g_ptr_array_index(groups, i))->verdict]++;
  json_builder_set_member_name(builder, "totals");
  json_builder_begin_object(builder);
  add_number(builder, "cases", groups->len);
  for (unsigned i = 0; i < N_GROUP_VERDICTS; i++)
    add_number(builder, names[i], counts[i]);
  json_builder_end_object(builder);
}

void report_json(GString *out, GPtrArray *results, unsigned shard, unsigned shards) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  add_number(builder, "version", FORMAT_VERSION);
  json_add_text(builder, "eret", ERET_VERSION);
  if (shards > 1) {
    json_builder_set_member_name(builder, "shard");
    json_builder_begin_object(builder);
    add_number(builder, "index", shard);
    add_number(builder, "of", shards);
    json_builder_end_object(builder);
  }
  json_builder_set_member_name(builder, "cases");
  json_builder_begin_array(builder);
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

static bool invalid(GError **error, const char *where, const char *name, const char *what) {
  g_set_error(error, REPORT_ERROR, REPORT_ERROR_INVALID, "%s%s%s %s", where, *where && *name ? ": " : "", name, what);
  return false;
}

/* *NODE: NULL, if it is not there. */
static bool get_member(JsonObject *object, const char *name, JsonNode **node) {
  *node = json_object_get_member(object, name);
  if (*node && JSON_NODE_HOLDS_NULL(*node))
    *node = NULL;
  return *node != NULL;
}

static bool read_text(JsonObject *object, const Field *field, const char *where, char **text, GError **error) {
  JsonNode *node;

  if (!get_member(object, field->name, &node))
    return !field->required || invalid(error, where, field->name, "is missing");
  if (json_node_get_value_type(node) != G_TYPE_STRING)
    return invalid(error, where, field->name, "must be a string");
  if (field->required && !*json_node_get_string(node))
    return invalid(error, where, field->name, "is empty");
  g_free(*text);
  *text = json_node_dup_string(node);
  return true;
}

static bool read_number(JsonObject *object, const Field *field, const char *where, gint64 *number, GError **error) {
  JsonNode *node;

  if (!get_member(object, field->name, &node))
    return !field->required || invalid(error, where, field->name, "is missing");
  if (json_node_get_value_type(node) != G_TYPE_INT64)
    return invalid(error, where, field->name, "must be a whole number");
  *number = json_node_get_int(node);
  if (*number >= field->least && *number <= G_MAXINT32)
    return true;
  g_autofree char *what =
      g_strdup_printf("is %" G_GINT64_FORMAT ", and must be between %" G_GINT64_FORMAT " and %d", *number, field->least, G_MAXINT32);
  return invalid(error, where, field->name, what);
}

static bool read_duration(JsonObject *object, const Field *field, const char *where, double *seconds, GError **error) {
  JsonNode *node;

  if (!get_member(object, field->name, &node))
    return true;
  if (json_node_get_value_type(node) != G_TYPE_DOUBLE && json_node_get_value_type(node) != G_TYPE_INT64)
    return invalid(error, where, field->name, "must be a number");
  *seconds = json_node_get_double(node);
  return (isfinite(*seconds) && *seconds >= 0) || invalid(error, where, field->name, "must be a number of seconds, not negative");
}

static bool read_flag(JsonObject *object, const Field *field, const char *where, bool *flag, GError **error) {
  JsonNode *node;

  if (!get_member(object, field->name, &node))
    return true;
  if (json_node_get_value_type(node) != G_TYPE_BOOLEAN)
    return invalid(error, where, field->name, "must be true or false");
  *flag = json_node_get_boolean(node);
  return true;
}

static bool read_kind(JsonObject *object, const char *where, ResultKind *kind, GError **error) {
  static const Field field = {.name = "kind", .required = true};
  g_autofree char *name = NULL;

  if (!read_text(object, &field, where, &name, error))
    return false;
  return result_kind_from_name(name, kind) || invalid(error, where, "kind", "must be passed, failed, skipped or error");
}

/* Calls READ for each element of an array; no array is an empty one, unless REQUIRED. */
static bool read_array(JsonObject *object, const char *name, bool required, const char *where,
                       bool (*read)(JsonNode *node, const char *where, GPtrArray *out, GError **error), GPtrArray *out, GError **error) {
  JsonNode *node;

  if (!get_member(object, name, &node))
    return !required || invalid(error, where, name, "is missing: this is no result of eret test, or not a whole one");
  if (!JSON_NODE_HOLDS_ARRAY(node))
    return invalid(error, where, name, "must be an array");
  JsonArray *array = json_node_get_array(node);
  for (unsigned i = 0; i < json_array_get_length(array); i++) {
    g_autofree char *place = g_strdup_printf("%s: %s[%u]", where, name, i);
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
  static const Field name = {.name = "name", .required = true}, detail = {.name = "detail"};

  if (!JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, where, "", "must be an object");
  JsonObject *object = json_node_get_object(node);
  SubResult *sub = sub_result_new(NULL, RESULT_PASSED, NULL);
  g_ptr_array_add(subs, sub);
  return read_text(object, &name, where, &sub->name, error) && read_kind(object, where, &sub->kind, error) &&
         read_text(object, &detail, where, &sub->detail, error);
}

static bool read_case(JsonNode *node, const char *where, GPtrArray *results, GError **error) {
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, where, "", "must be an object");
  JsonObject *object = json_node_get_object(node);
  CaseResult *result = case_result_new(NULL, NULL);
  g_ptr_array_add(results, result);
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    if (!read_text(object, &texts[i], where, MEMBER(char *, result, &texts[i]), error))
      return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(durations); i++)
    if (!read_duration(object, &durations[i], where, MEMBER(double, result, &durations[i]), error))
      return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
    if (!read_flag(object, &flags[i], where, MEMBER(bool, result, &flags[i]), error))
      return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
    gint64 number = *MEMBER(int, result, &numbers[i]);
    if (!read_number(object, &numbers[i], where, &number, error))
      return false;
    *MEMBER(int, result, &numbers[i]) = (int)number; /* at most G_MAXINT32: the same in an unsigned */
  }
  return read_kind(object, where, &result->kind, error) && read_array(object, "tags", false, where, read_tag, result->tags, error) &&
         read_array(object, "sub", false, where, read_sub, result->sub, error);
}

static bool read_shard(JsonObject *root, const char *path, LoadedResults *loaded, GError **error) {
  static const Field index_field = {.name = "index", .required = true, .least = 1}, of_field = {.name = "of", .required = true, .least = 1};
  g_autofree char *where = g_strconcat(path, ": shard", NULL);
  gint64 shard = 1, shards = 1;
  JsonNode *node;

  if (get_member(root, "shard", &node)) {
    if (!JSON_NODE_HOLDS_OBJECT(node))
      return invalid(error, where, "", "must be an object");
    if (!read_number(json_node_get_object(node), &index_field, where, &shard, error) ||
        !read_number(json_node_get_object(node), &of_field, where, &shards, error))
      return false;
  }
  loaded->shard = (unsigned)shard;
  loaded->shards = (unsigned)shards;
  return shard <= shards || invalid(error, where, "index", "is more than there are shards");
}

static bool read_root(JsonNode *node, const char *path, LoadedResults *loaded, GError **error) {
  static const Field version_field = {.name = "version", .required = true, .least = 1};
  gint64 version = 0;

  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return invalid(error, path, "this", "is not a JSON object, as eret test --json writes it");
  JsonObject *root = json_node_get_object(node);
  if (!read_number(root, &version_field, path, &version, error))
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
