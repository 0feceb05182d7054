/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what devices tell of their work (devices/device-watch.h): doorbells, interrupts, requests with bytes and time,
 * other events; of the whole device, and of each queue. Any thread.
 */
#pragma once

#include "devices/device-watch.h"
#include "vmm/observe/recorder.h"
#include "vmm/observe/timeline.h"

typedef struct DeviceCounts DeviceCounts;

typedef struct {
  const char *kind; /* "read" */
  uint64_t count, failed, bytes, ns;
} RequestCount;

typedef struct {
  uint64_t doorbells, interrupts;
  uint64_t requests, failed, bytes;
  bool elsewhere; /* who serves it tells nothing of all this */
} QueueCount;

typedef struct {
  const char *what; /* "dropped: bad header" */
  uint64_t count;
} EventCount;

#define REQUEST_KINDS_MAX 8
#define QUEUES_MAX        32
#define EVENTS_MAX        32 /* UEFI selects up to 16 items of the firmware configuration device */

typedef struct {
  const char *device;
  const char *served_by; /* who serves queues elsewhere, for people; NULL: nobody */
  bool has_traffic;      /* somebody else counts what those carry */
  DeviceTraffic traffic;
  uint64_t doorbells, interrupts;
  unsigned n_requests, n_queues, n_events;
  RequestCount requests[REQUEST_KINDS_MAX];
  QueueCount queues[QUEUES_MAX]; /* the last one is of all further ones, too */
  EventCount events[EVENTS_MAX];
} DeviceCount;

/*
 * What is counted is also recorded, where RECORDER is not NULL. Steps of a boot go to TIMELINE, which must outlive the
 * devices.
 */
DeviceCounts *device_counts_new(Recorder *recorder, Timeline *timeline);
void device_counts_free(DeviceCounts *counts); /* takes NULL */
DeviceWatch *device_counts_watch(DeviceCounts *counts);
/* From now on nothing is recorded. */
void device_counts_stop_recording(DeviceCounts *counts);

/* The entry of DEVICE in a copy of the counts, made if it is missing; and of a queue of it. */
DeviceCount *device_count_find(GArray *devices, const char *device);
QueueCount *device_count_queue(DeviceCount *count, unsigned queue);

/* A copy: of DeviceCount, in the order in which they were first heard of. Free with g_array_unref. */
GArray *device_counts_get(DeviceCounts *counts);
