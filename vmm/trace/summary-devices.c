/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the summary about devices: each queue's doorbells, interrupts and requests, what else happened, and what
 * queues have carried that are served elsewhere. No locks: pure function of the recording.
 */
#include "vmm/base/human.h"
#include "vmm/trace/device-table.h"
#include "vmm/trace/report.h"

static void append_more(GString *out, guint n) {
  if (n > DEVICE_ROWS_MAX)
    g_string_append_printf(out, "%12s  and %s more\n", "", human_count(n - DEVICE_ROWS_MAX).text);
}

static void append_queues(GString *out, const GArray *queues) {
  if (!queues->len)
    return;
  g_string_append_printf(out, "\nDevices, by queue\n%12s %12s %12s %12s %12s  %s\n", "doorbells", "interrupts", "requests", "failed",
                         "moved", "device");
  for (guint i = 0; i < MIN(queues->len, DEVICE_ROWS_MAX); i++) {
    const QueueRow *row = &g_array_index(queues, QueueRow, i);
    human_append_printf(out, "%12s %12s %12s %12s %12s  %s queue %u", human_count(row->doorbells).text, human_count(row->interrupts).text,
                        human_count(row->requests).text, human_count(row->failed).text, human_size(row->bytes).text, row->device,
                        row->queue);
    g_string_append_c(out, '\n');
  }
  append_more(out, queues->len);
}

static void append_events(GString *out, const GArray *events) {
  for (guint i = 0; i < MIN(events->len, DEVICE_ROWS_MAX); i++) {
    const DeviceEventRow *row = &g_array_index(events, DeviceEventRow, i);
    human_append_printf(out, "%12s  %s: %s", human_count(row->n).text, row->device, row->what);
    g_string_append_c(out, '\n');
  }
  append_more(out, events->len);
}

static void append_elsewhere(GString *out, const GArray *elsewhere) {
  for (guint i = 0; i < MIN(elsewhere->len, DEVICE_ROWS_MAX); i++) {
    const ElsewhereRow *row = &g_array_index(elsewhere, ElsewhereRow, i);
    human_append_printf(out, "%12s  %s, served by %s", "", row->device, row->server);
    if (!row->counted) {
      g_string_append(out, ", which does not tell\n");
      continue;
    }
    g_string_append_printf(out, ": received %s packets (%s)", human_count(row->received).text, human_size(row->received_bytes).text);
    g_string_append_printf(out, ", sent %s (%s)\n", human_count(row->sent).text, human_size(row->sent_bytes).text);
  }
  append_more(out, elsewhere->len);
}

void trace_devices(GString *out, const TraceSwitches *switches) {
  g_autoptr(DeviceTable) table = device_table_new(switches->recording);

  append_queues(out, table->queues);
  append_events(out, table->events);
  append_elsewhere(out, table->elsewhere);
}
