/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict, the findings by group, the advice. For people in a sentence, a table and a list, without what is not
 * known; as JSON in an object a group and a member a fact, where what is not known is null. No lock.
 */
#include "vmm/doctor/verdict.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "vmm/base/json-writer.h"

#define FORMAT_VERSION 1
#define LABEL_WIDTH    29
#define VALUE_WIDTH    12

static const struct {
  const char *group, *title;
} groups[] = {
    {"host", "Host"},
    {"cpu", "CPUs"},
    {"kvm", "KVM"},
    {"guests", "A guest can have"},
    {"cpu_features", "KVM can give a guest's CPUs"},
    {"monitor_features", "KVM can give a monitor"},
    {"memory", "Kinds of memory"},
    {"limits", "Limits of this process"},
    {"sandbox", "What holds a guest that breaks out"},
    {"tools", "Beside eret"},
    {"network", "Networks for guests"},
    {"shares", "Directories for guests"},
    {"disks", "Disks for guests"},
    {"images", "Container images for guests"},
};

static bool has_advice(const Doctor *doctor, const char *key) {
  for (unsigned i = 0; i < doctor->advice->len; i++)
    if (strcmp(((const Advice *)g_ptr_array_index(doctor->advice, i))->key, key) == 0)
      return true;
  return false;
}

static void add_group(GString *out, const Doctor *doctor, const char *group, const char *title) {
  bool begun = false;

  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (strcmp(finding->group, group) != 0 || !finding->text || !*finding->text)
      continue;
    if (!begun)
      g_string_append_printf(out, "\n%s\n", title);
    begun = true;
    if (finding->meaning)
      g_string_append_printf(out, "  %-*s %-*s  %s%s\n", LABEL_WIDTH, finding->label, VALUE_WIDTH, finding->text, finding->meaning,
                             has_advice(doctor, finding->key) ? ": see the advice" : "");
    else
      g_string_append_printf(out, "  %-*s %s\n", LABEL_WIDTH, finding->label, finding->text);
  }
}

void doctor_report_text(GString *out, const Doctor *doctor) {
  g_string_append_printf(out, "%s: %s.%s%s\n", doctor->guests ? "Guests run here" : "No guests here", doctor->reason,
                         doctor->cure ? " " : "", doctor->cure ? doctor->cure : "");
  for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
    add_group(out, doctor, groups[i].group, groups[i].title);
  if (doctor->advice->len)
    g_string_append(out, "\nAdvice\n");
  for (unsigned i = 0; i < doctor->advice->len; i++)
    g_string_append_printf(out, "  - %s\n", ((const Advice *)g_ptr_array_index(doctor->advice, i))->text);
}

/* JSON. */

static void add_text(JsonBuilder *builder, const char *member, const char *text) {
  if (text)
    json_add_text(builder, member, text);
  else
    json_builder_add_null_value(json_builder_set_member_name(builder, member));
}

static void add_verdict(JsonBuilder *builder, const Doctor *doctor) {
  json_builder_begin_object(json_builder_set_member_name(builder, "verdict"));
  json_builder_add_boolean_value(json_builder_set_member_name(builder, "guests"), doctor->guests);
  add_text(builder, "cause", doctor->cause);
  add_text(builder, "reason", doctor->reason);
  add_text(builder, "cure", doctor->cure);
  json_builder_end_object(builder);
}

static void add_clusters(JsonBuilder *builder, const HostFacts *host) {
  json_builder_begin_array(builder);
  for (unsigned i = 0; i < host->clusters->len; i++) {
    const HostCluster *cluster = g_ptr_array_index(host->clusters, i);
    g_autofree char *midr = g_strdup_printf("0x%08" G_GINT64_MODIFIER "x", cluster->midr);
    json_builder_begin_object(builder);
    add_text(builder, "name", cluster->name);
    add_text(builder, "midr", midr);
    json_builder_add_int_value(json_builder_set_member_name(builder, "count"), cluster->count);
    add_text(builder, "cpus", cluster->cpus);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_numbers(JsonBuilder *builder, const GArray *numbers) {
  json_builder_begin_array(builder);
  for (unsigned i = 0; i < numbers->len; i++)
    json_builder_add_int_value(builder, (gint64)g_array_index(numbers, uint64_t, i));
  json_builder_end_array(builder);
}

static void add_value(JsonBuilder *builder, const Doctor *doctor, const Finding *finding) {
  switch (finding->kind) {
  case VALUE_UNKNOWN:
    json_builder_add_null_value(builder);
    break;
  case VALUE_BOOL:
    json_builder_add_boolean_value(builder, finding->number != 0);
    break;
  case VALUE_NUMBER:
  case VALUE_SIZE:
    if (finding->number == floor(finding->number))
      json_builder_add_int_value(builder, (gint64)finding->number);
    else
      json_builder_add_double_value(builder, finding->number);
    break;
  case VALUE_TEXT:
    json_builder_add_string_value(builder, finding->text);
    break;
  case VALUE_NUMBERS:
    add_numbers(builder, finding->numbers);
    break;
  case VALUE_CLUSTERS:
    add_clusters(builder, doctor->host);
    break;
  }
}

/* Findings of a group follow one another. */
static void add_findings(JsonBuilder *builder, const Doctor *doctor) {
  const char *group = NULL;

  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (g_strcmp0(group, finding->group) != 0) {
      if (group)
        json_builder_end_object(builder);
      group = finding->group;
      json_builder_begin_object(json_builder_set_member_name(builder, group));
    }
    json_builder_set_member_name(builder, finding->key);
    add_value(builder, doctor, finding);
  }
  if (group)
    json_builder_end_object(builder);
}

static void add_advice(JsonBuilder *builder, const Doctor *doctor) {
  json_builder_begin_array(json_builder_set_member_name(builder, "advice"));
  for (unsigned i = 0; i < doctor->advice->len; i++) {
    const Advice *advice = g_ptr_array_index(doctor->advice, i);
    json_builder_begin_object(builder);
    add_text(builder, "key", advice->key);
    add_text(builder, "text", advice->text);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

void doctor_report_json(GString *out, const Doctor *doctor) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_builder_add_int_value(json_builder_set_member_name(builder, "version"), FORMAT_VERSION);
  add_text(builder, "eret", ERET_VERSION);
  add_verdict(builder, doctor);
  add_findings(builder, doctor);
  add_advice(builder, doctor);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  g_string_append(out, text);
}
