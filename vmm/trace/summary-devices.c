/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the summary about devices: each queue's doorbells, interrupts and requests, what else happened, and what
 * queues have carried that are served elsewhere. No locks: pure function of the recording.
 */
#include "vmm/base/human.h"
#include "vmm/trace/report.h"

#define ROWS_MAX 100 /* a file may say anything */

/* What is counted together: of a device's queue, or one thing that happened to a device. */
typedef struct {
  uint64_t key;
  const TraceRecord *example;
  uint64_t doorbells, interrupts, requests, failed, bytes, events;
} Row;

typedef struct {
  const Recording *recording;
  GArray *rows;       /* of Row */
  GHashTable *by_key; /* uint64_t *, owned -> index in rows, plus 1 */
} Table;

static Table table_new(const Recording *recording) {
  return (Table){recording, g_array_new(FALSE, TRUE, sizeof(Row)), g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL)};
}

static void table_clear(Table *table) {
  g_array_unref(table->rows);
  g_hash_table_unref(table->by_key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Table, table_clear)

static Row *row_of(const Table *table, const TraceRecord *record, uint64_t number) {
  uint64_t key = (uint64_t)record->name << 32 | MIN(number, UINT32_MAX);
  guint index = GPOINTER_TO_UINT(g_hash_table_lookup(table->by_key, &key));

  if (!index) {
    Row row = {.key = key, .example = record};
    g_array_append_val(table->rows, row);
    index = table->rows->len;
    g_hash_table_insert(table->by_key, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(index));
  }
  return &g_array_index(table->rows, Row, index - 1);
}

static void count(const Table *queues, const Table *events, const TraceRecord *record) {
  switch (record->kind) {
  case TRACE_ERET_DOORBELL:
    row_of(queues, record, record->a)->doorbells += record->b;
    break;
  case TRACE_ERET_INTERRUPT:
    row_of(queues, record, record->b)->interrupts++;
    break;
  case TRACE_ERET_REQUEST: {
    Row *row = row_of(queues, record, record->d);
    row->requests++;
    row->failed += record->c != 0;
    row->bytes += record->c ? 0 : record->b;
    break;
  }
  case TRACE_ERET_EVENT:
    row_of(events, record, record->detail)->events++;
    break;
  default:
    break;
  }
}

static int compare_rows(gconstpointer a, gconstpointer b) {
  uint64_t left = ((const Row *)a)->key, right = ((const Row *)b)->key;
  return left < right ? -1 : left > right;
}

static void append_more(GString *out, guint n) {
  if (n > ROWS_MAX)
    g_string_append_printf(out, "%12s  and %s more\n", "", human_count(n - ROWS_MAX).text);
}

static void append_queues(GString *out, const Table *queues) {
  if (!queues->rows->len)
    return;
  g_array_sort(queues->rows, compare_rows);
  g_string_append_printf(out, "\nDevices, by queue\n%12s %12s %12s %12s %12s  %s\n", "doorbells", "interrupts", "requests", "failed",
                         "moved", "device");
  for (guint i = 0; i < MIN(queues->rows->len, ROWS_MAX); i++) {
    const Row *row = &g_array_index(queues->rows, Row, i);
    human_append_printf(out, "%12s %12s %12s %12s %12s  %s queue %u", human_count(row->doorbells).text, human_count(row->interrupts).text,
                        human_count(row->requests).text, human_count(row->failed).text, human_size(row->bytes).text,
                        recording_get_text(queues->recording, row->example->name), (uint32_t)row->key);
    g_string_append_c(out, '\n');
  }
  append_more(out, queues->rows->len);
}

static void append_events(GString *out, const Table *events) {
  g_array_sort(events->rows, compare_rows);
  for (guint i = 0; i < MIN(events->rows->len, ROWS_MAX); i++) {
    const Row *row = &g_array_index(events->rows, Row, i);
    human_append_printf(out, "%12s  %s: %s", human_count(row->events).text, recording_get_text(events->recording, row->example->name),
                        recording_get_text(events->recording, row->example->detail));
    g_string_append_c(out, '\n');
  }
  append_more(out, events->rows->len);
}

static void append_traffic(GString *out, const Recording *recording, const TraceRecord *traffic) {
  human_append_printf(out, "%12s  %s, served by %s", "", recording_get_text(recording, traffic->name),
                      recording_get_text(recording, traffic->detail));
  if (traffic->flags & TRACE_TRAFFIC_UNKNOWN) {
    g_string_append(out, ", which does not tell\n");
    return;
  }
  g_string_append_printf(out, ": received %s packets (%s)", human_count(traffic->a).text, human_size(traffic->b).text);
  g_string_append_printf(out, ", sent %s (%s)\n", human_count(traffic->c).text, human_size(traffic->d).text);
}

/* Each is so far: the last one of a device stands. */
static void append_elsewhere(GString *out, const Recording *recording) {
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

  for (guint i = recording->records->len; i-- > 0;) {
    const TraceRecord *record = &g_array_index(recording->records, TraceRecord, i);
    if (record->kind == TRACE_ERET_TRAFFIC && g_hash_table_size(seen) < ROWS_MAX && g_hash_table_add(seen, GUINT_TO_POINTER(record->name)))
      append_traffic(out, recording, record);
  }
}

void trace_devices(GString *out, const TraceSwitches *switches) {
  const Recording *recording = switches->recording;
  g_auto(Table) queues = table_new(recording), events = table_new(recording);

  for (guint i = 0; i < recording->records->len; i++)
    count(&queues, &events, &g_array_index(recording->records, TraceRecord, i));
  append_queues(out, &queues);
  append_events(out, &events);
  append_elsewhere(out, recording);
}
