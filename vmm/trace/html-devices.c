/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/trace/html-devices.h"

#include "vmm/base/human.h"
#include "vmm/trace/device-table.h"

static void add_text(JsonBuilder *builder, const char *text) {
  g_autoptr(GString) harmless = g_string_new(NULL);

  human_append_text(harmless, text);
  json_builder_add_string_value(builder, harmless->str);
}

static void add_numbers(JsonBuilder *builder, const uint64_t *numbers, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    json_builder_add_int_value(builder, (gint64)MIN(numbers[i], (uint64_t)G_MAXINT64));
}

static void add_queue(JsonBuilder *builder, const GArray *rows, guint i) {
  const QueueRow *row = &g_array_index(rows, QueueRow, i);
  const uint64_t numbers[] = {row->queue, row->doorbells, row->interrupts, row->requests, row->failed, row->bytes};

  add_text(builder, row->device);
  add_numbers(builder, numbers, G_N_ELEMENTS(numbers));
}

static void add_event(JsonBuilder *builder, const GArray *rows, guint i) {
  const DeviceEventRow *row = &g_array_index(rows, DeviceEventRow, i);

  add_text(builder, row->device);
  add_text(builder, row->what);
  add_numbers(builder, &row->n, 1);
}

static void add_elsewhere(JsonBuilder *builder, const GArray *rows, guint i) {
  const ElsewhereRow *row = &g_array_index(rows, ElsewhereRow, i);
  const uint64_t numbers[] = {row->received, row->received_bytes, row->sent, row->sent_bytes};

  add_text(builder, row->device);
  add_text(builder, row->server);
  json_builder_add_boolean_value(builder, row->counted);
  add_numbers(builder, numbers, G_N_ELEMENTS(numbers));
}

static void add_rows(JsonBuilder *builder, const char *name, const GArray *rows,
                     void (*add)(JsonBuilder *builder, const GArray *rows, guint i)) {
  g_autofree char *left_out = g_strconcat(name, "LeftOut", NULL);

  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
  for (guint i = 0; i < MIN(rows->len, DEVICE_ROWS_MAX); i++) {
    json_builder_begin_array(builder);
    add(builder, rows, i);
    json_builder_end_array(builder);
  }
  json_builder_end_array(builder);
  json_builder_set_member_name(builder, left_out);
  json_builder_add_int_value(builder, rows->len - MIN(rows->len, DEVICE_ROWS_MAX));
}

void html_add_devices(JsonBuilder *builder, const Recording *recording) {
  g_autoptr(DeviceTable) table = device_table_new(recording);

  json_builder_set_member_name(builder, "deviceTable");
  json_builder_begin_object(builder);
  add_rows(builder, "queues", table->queues, add_queue);
  add_rows(builder, "events", table->events, add_event);
  add_rows(builder, "elsewhere", table->elsewhere, add_elsewhere);
  json_builder_end_object(builder);
}
