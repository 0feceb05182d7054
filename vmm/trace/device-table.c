/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/trace/device-table.h"

/* While it is made: rows are found by two numbers, that of the device's name and another. */
typedef struct {
  const Recording *recording;
  GHashTable *queues, *events; /* uint64_t *, owned -> Counted *, owned */
} Maker;

typedef struct {
  uint64_t key;
  union {
    QueueRow queue;
    DeviceEventRow event;
  };
} Counted;

static Counted *counted(GHashTable *rows, const TraceRecord *record, uint64_t number) {
  uint64_t key = (uint64_t)record->name << 32 | MIN(number, UINT32_MAX);
  Counted *row = g_hash_table_lookup(rows, &key);

  if (!row) {
    row = g_new0(Counted, 1);
    row->key = key;
    g_hash_table_insert(rows, &row->key, row);
  }
  return row;
}

static QueueRow *queue_of(const Maker *maker, const TraceRecord *record, uint64_t queue) {
  QueueRow *row = &counted(maker->queues, record, queue)->queue;

  row->device = recording_get_text(maker->recording, record->name);
  row->queue = (uint32_t)MIN(queue, UINT32_MAX);
  return row;
}

static void count_request(QueueRow *row, const TraceRecord *record) {
  row->requests++;
  row->failed += record->c != 0;
  row->bytes += record->c ? 0 : record->b;
}

static void count_event(const Maker *maker, const TraceRecord *record) {
  DeviceEventRow *row = &counted(maker->events, record, record->detail)->event;

  row->device = recording_get_text(maker->recording, record->name);
  row->what = recording_get_text(maker->recording, record->detail);
  row->n++;
}

static void count(const Maker *maker, const TraceRecord *record) {
  if (record->kind == TRACE_ERET_DOORBELL)
    queue_of(maker, record, record->a)->doorbells += record->b;
  else if (record->kind == TRACE_ERET_INTERRUPT)
    queue_of(maker, record, record->b)->interrupts++;
  else if (record->kind == TRACE_ERET_REQUEST)
    count_request(queue_of(maker, record, record->d), record);
  else if (record->kind == TRACE_ERET_EVENT)
    count_event(maker, record);
}

static int compare(gconstpointer a, gconstpointer b) {
  uint64_t left = (*(Counted *const *)a)->key, right = (*(Counted *const *)b)->key;

  return left < right ? -1 : left > right;
}

/* Of each of ROWS, in their order, its SIZE bytes at OFFSET. */
static GArray *sorted(GHashTable *rows, gsize offset, guint size) {
  GArray *array = g_array_new(FALSE, FALSE, size);
  g_autoptr(GPtrArray) order = g_ptr_array_new();
  GHashTableIter iter;
  gpointer row;

  g_hash_table_iter_init(&iter, rows);
  while (g_hash_table_iter_next(&iter, NULL, &row))
    g_ptr_array_add(order, row);
  g_ptr_array_sort(order, compare);
  for (guint i = 0; i < order->len; i++)
    g_array_append_vals(array, (const char *)order->pdata[i] + offset, 1);
  return array;
}

static void add_elsewhere(GArray *rows, const Recording *recording, const TraceRecord *record) {
  const ElsewhereRow row = {
      .device = recording_get_text(recording, record->name),
      .server = recording_get_text(recording, record->detail),
      .counted = !(record->flags & TRACE_TRAFFIC_UNKNOWN),
      .received = record->a,
      .received_bytes = record->b,
      .sent = record->c,
      .sent_bytes = record->d,
  };
  g_array_append_val(rows, row);
}

DeviceTable *device_table_new(const Recording *recording) {
  g_autoptr(GHashTable) queues = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  g_autoptr(GHashTable) events = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  const Maker maker = {recording, queues, events};
  DeviceTable *table = g_new0(DeviceTable, 1);

  table->elsewhere = g_array_new(FALSE, FALSE, sizeof(ElsewhereRow));
  /* What is said of queues elsewhere is so far: the last of a device stands. */
  for (guint i = recording->records->len; i-- > 0;) {
    const TraceRecord *record = &g_array_index(recording->records, TraceRecord, i);
    count(&maker, record);
    if (record->kind == TRACE_ERET_TRAFFIC && g_hash_table_add(seen, GUINT_TO_POINTER(record->name)))
      add_elsewhere(table->elsewhere, recording, record);
  }
  table->queues = sorted(queues, G_STRUCT_OFFSET(Counted, queue), sizeof(QueueRow));
  table->events = sorted(events, G_STRUCT_OFFSET(Counted, event), sizeof(DeviceEventRow));
  return table;
}

void device_table_free(DeviceTable *table) {
  if (!table)
    return;
  g_array_unref(table->queues);
  g_array_unref(table->events);
  g_array_unref(table->elsewhere);
  g_free(table);
}
