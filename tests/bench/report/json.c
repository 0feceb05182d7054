/* SPDX-License-Identifier: Apache-2.0 */
/* The run as JSON: all of the samples, and what the table has. */
#include <json-glib/json-glib.h>

#include "tests/bench/report/report.h"
#include "vmm/base/json-writer.h"

#define FORMAT 1 /* of this file; members may be added without a new number */

static const char *const kind_names[] = {[FIGURE_COUNT] = "count", [FIGURE_TIME] = "time", [FIGURE_RATE] = "rate"};

static void add_number(JsonBuilder *json, const char *name, double value) {
  json_builder_set_member_name(json, name);
  json_builder_add_double_value(json, value);
}

static void add_text(JsonBuilder *json, const char *name, const char *value) {
  json_builder_set_member_name(json, name);
  json_builder_add_string_value(json, value);
}

static void add_summary(JsonBuilder *json, const char *name, const Summary *summary) {
  if (summary->n == 0 && !summary->reason)
    return;
  json_builder_set_member_name(json, name);
  json_builder_begin_object(json);
  if (summary->n > 0) {
    add_number(json, "median", summary->median);
    add_number(json, "min", summary->min);
    add_number(json, "max", summary->max);
  } else {
    add_text(json, "none", summary->reason);
  }
}

static void add_subject(JsonBuilder *json, const Samples *samples, const Row *row, Subject subject) {
  const Summary *summary = &row->subjects[subject];

  if (summary->n == 0 && !summary->reason)
    return;
  add_summary(json, subject_name(subject), summary);
  const GArray *values = samples_values(samples, row->figure->id, subject_name(subject));
  if (values) {
    json_builder_set_member_name(json, "values");
    json_builder_begin_array(json);
    for (guint i = 0; i < values->len; i++)
      json_builder_add_double_value(json, g_array_index(values, double, i));
    json_builder_end_array(json);
  }
  json_builder_end_object(json);
}

static void add_row(JsonBuilder *json, const Samples *samples, const Row *row) {
  const Figure *figure = row->figure;
  g_autofree char *target = target_text(figure);

  json_builder_begin_object(json);
  add_text(json, "id", figure->id);
  add_text(json, "group", figure->group);
  add_text(json, "title", figure->title);
  add_text(json, "unit", figure->kind == FIGURE_COUNT && !*figure->unit ? "1" : figure->unit);
  add_text(json, "kind", kind_names[figure->kind]);
  add_text(json, "reference", subject_name(figure->reference));
  for (Subject subject = 0; subject < N_SUBJECTS; subject++)
    add_subject(json, samples, row, subject);
  if (row->ratio.n > 0) {
    add_summary(json, "ratio", &row->ratio);
    json_builder_end_object(json);
  }
  if (*target) {
    add_text(json, "target", target);
    add_text(json, "verdict", verdict_text(row->verdict));
  }
  json_builder_end_object(json);
}

static void add_info(JsonBuilder *json, const Samples *samples) {
  g_autoptr(GList) keys = samples_info_keys(samples);

  json_builder_set_member_name(json, "info");
  json_builder_begin_object(json);
  for (GList *key = keys; key; key = key->next)
    add_text(json, key->data, samples_info(samples, key->data));
  json_builder_end_object(json);
}

static void add_details(JsonBuilder *json, const GArray *details) {
  json_builder_set_member_name(json, "details");
  json_builder_begin_array(json);
  for (guint i = 0; i < details->len; i++) {
    const Detail *detail = &g_array_index(details, Detail, i);
    json_builder_begin_object(json);
    add_text(json, "figure", detail->figure);
    add_text(json, "subject", detail->subject);
    add_text(json, "name", detail->name);
    add_number(json, "value", detail->value);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

char *bench_json(const Samples *samples, const GArray *rows) {
  g_autoptr(JsonBuilder) json = json_builder_new();

  json_builder_begin_object(json);
  json_builder_set_member_name(json, "format");
  json_builder_add_int_value(json, FORMAT);
  json_builder_set_member_name(json, "absolute");
  json_builder_add_boolean_value(json, bench_is_absolute(samples));
  add_info(json, samples);
  json_builder_set_member_name(json, "figures");
  json_builder_begin_array(json);
  for (guint i = 0; i < rows->len; i++)
    add_row(json, samples, &g_array_index(rows, Row, i));
  json_builder_end_array(json);
  add_details(json, samples_details(samples));
  json_builder_end_object(json);

  g_autoptr(JsonNode) root = json_builder_get_root(json);
  return json_print(root);
}
