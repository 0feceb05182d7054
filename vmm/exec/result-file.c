/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object; durations are seconds, and those not known are left out. */
#include "vmm/exec/result-file.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "devices/units.h"
#include "vmm/base/json-writer.h"
#include "vmm/exec/outcome.h"

static void add_duration(JsonBuilder *builder, const char *name, uint64_t from, uint64_t to) {
  if (!from || to < from)
    return;
  json_builder_set_member_name(builder, name);
  json_builder_add_double_value(builder, (double)(to - from) / NS_PER_SECOND);
}

static void add_times(JsonBuilder *builder, const ExecTimes *times) {
  json_builder_set_member_name(builder, "seconds");
  json_builder_begin_object(builder);
  add_duration(builder, "vmm", times->start, times->first_instruction);
  add_duration(builder, "kernel", times->first_instruction, times->init);
  add_duration(builder, "init", times->init, times->command_started);
  add_duration(builder, "command", times->command_started, times->command_ended);
  add_duration(builder, "total", times->start, times->end);
  json_builder_end_object(builder);
}

static void add_reports(JsonBuilder *builder, const GArray *reports) {
  json_builder_set_member_name(builder, "reports");
  json_builder_begin_object(builder);
  for (unsigned i = 0; reports && i < reports->len; i++) {
    const KernelReport *report = &g_array_index(reports, KernelReport, i);
    json_builder_set_member_name(builder, report->kind);
    json_builder_add_int_value(builder, report->count);
  }
  json_builder_end_object(builder);
}

bool exec_result_write(const ExecResult *result, OutputFile *file, GError **error) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "version");
  json_builder_add_int_value(builder, 1);
  json_add_text(builder, "outcome", result->outcome);
  json_builder_set_member_name(builder, "exit-status");
  json_builder_add_int_value(builder, result->exit_status);
  json_add_text(builder, "message", result->message);
  json_add_text(builder, "fingerprint", result->fingerprint);
  json_add_text(builder, "progress", result->progress);
  json_add_text(builder, "trace", result->trace);
  add_times(builder, &result->times);
  add_reports(builder, result->reports);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  return output_file_write(file, text, strlen(text), error);
}
