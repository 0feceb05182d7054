/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry a device, found by its name's address first. There are as many as a board has devices, so a list is
 * searched.
 *
 * Locks: `lock` guards everything, but for the timeline, which has its own.
 */
#include "vmm/observe/device-counts.h"

#include <string.h>

struct DeviceCounts {
  DeviceWatch watch; /* first */
  GMutex lock;
  GArray *devices; /* of DeviceCount */
  Recorder *recorder;
  Timeline *timeline;
};

DeviceCount *device_count_find(GArray *devices, const char *device) {
  for (unsigned i = 0; i < devices->len; i++) {
    DeviceCount *count = &g_array_index(devices, DeviceCount, i);
    if (count->device == device || strcmp(count->device, device) == 0)
      return count;
  }
  DeviceCount fresh = {.device = device};
  g_array_append_val(devices, fresh);
  return &g_array_index(devices, DeviceCount, devices->len - 1);
}

static DeviceCount *find(const DeviceCounts *counts, const char *device) {
  return device_count_find(counts->devices, device);
}

QueueCount *device_count_queue(DeviceCount *count, unsigned queue) {
  unsigned index = MIN(queue, QUEUES_MAX - 1);

  count->n_queues = MAX(count->n_queues, index + 1);
  return &count->queues[index];
}

/* Takes `name` and `detail` apart from the rest, as the recorder has a lock of its own. */
static void record(const DeviceCounts *counts, TraceRecord entry, const char *device, const char *detail) {
  if (!counts->recorder)
    return;
  entry.vcpu = TRACE_NO_VCPU;
  entry.time = trace_now();
  entry.name = recorder_text(counts->recorder, device);
  entry.detail = recorder_text(counts->recorder, detail);
  recorder_add(counts->recorder, &entry);
}

static void doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
  DeviceCounts *counts = (DeviceCounts *)watch;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  DeviceCount *count = find(counts, device);
  count->doorbells += rings;
  device_count_queue(count, queue)->doorbells += rings;
  record(counts, (TraceRecord){.kind = TRACE_ERET_DOORBELL, .a = queue, .b = rings}, device, NULL);
}

static void interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
  DeviceCounts *counts = (DeviceCounts *)watch;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  DeviceCount *count = find(counts, device);
  count->interrupts++;
  device_count_queue(count, vector)->interrupts++;
  record(counts, (TraceRecord){.kind = TRACE_ERET_INTERRUPT, .b = vector}, device, NULL);
}

/* The last place takes what is too much: devices have a handful of kinds. */
static RequestCount *find_kind(DeviceCount *count, const char *kind) {
  unsigned i = 0;

  while (i < count->n_requests && count->requests[i].kind != kind)
    i++;
  if (i == count->n_requests && i < REQUEST_KINDS_MAX)
    count->requests[count->n_requests++].kind = kind;
  return &count->requests[MIN(i, REQUEST_KINDS_MAX - 1)];
}

static void request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started,
                    bool failed) {
  DeviceCounts *counts = (DeviceCounts *)watch;
  uint64_t took = trace_now() - started;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  DeviceCount *of_device = find(counts, device);
  QueueCount *of_queue = device_count_queue(of_device, queue);
  RequestCount *count = find_kind(of_device, kind);
  of_queue->requests++;
  of_queue->failed += failed;
  of_queue->bytes += failed ? 0 : bytes;
  count->count++;
  count->failed += failed;
  count->bytes += failed ? 0 : bytes;
  count->ns += took;
  record(counts, (TraceRecord){.kind = TRACE_ERET_REQUEST, .a = took, .b = bytes, .c = failed, .d = queue}, device, kind);
}

static void event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  DeviceCounts *counts = (DeviceCounts *)watch;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  DeviceCount *count = find(counts, device);
  unsigned i = 0;
  while (i < count->n_events && count->events[i].what != what)
    i++;
  i = MIN(i, EVENTS_MAX - 1);
  count->n_events = MAX(count->n_events, i + 1);
  count->events[i].what = i < EVENTS_MAX - 1 ? what : "something else"; /* the last place takes what is too much */
  count->events[i].count++;
  record(counts, (TraceRecord){.kind = TRACE_ERET_EVENT, .a = queue}, device, what);
}

static void step(DeviceWatch *watch, DeviceStep step) {
  static const Phase phases[] = {
      [DEVICE_STEP_TABLES] = PHASE_TABLES_TAKEN, [DEVICE_STEP_KERNEL] = PHASE_KERNEL_TAKEN, [DEVICE_STEP_DISK] = PHASE_FIRST_DISK_REQUEST};
  Timeline *timeline = ((DeviceCounts *)watch)->timeline;

  if (!timeline_has(timeline, phases[step]))
    timeline_add(timeline, phases[step]);
}

DeviceCounts *device_counts_new(Recorder *recorder, Timeline *timeline) {
  DeviceCounts *counts = g_new0(DeviceCounts, 1);

  counts->watch = (DeviceWatch){doorbell, interrupt, request, event, step};
  counts->devices = g_array_new(FALSE, TRUE, sizeof(DeviceCount));
  counts->recorder = recorder;
  counts->timeline = timeline;
  g_mutex_init(&counts->lock);
  return counts;
}

void device_counts_free(DeviceCounts *counts) {
  if (!counts)
    return;
  g_array_unref(counts->devices);
  g_mutex_clear(&counts->lock);
  g_free(counts);
}

DeviceWatch *device_counts_watch(DeviceCounts *counts) {
  return &counts->watch;
}

void device_counts_stop_recording(DeviceCounts *counts) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  counts->recorder = NULL;
}

GArray *device_counts_get(DeviceCounts *counts) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&counts->lock);
  GArray *copy = g_array_copy(counts->devices);
  return copy;
}
