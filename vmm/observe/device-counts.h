/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what devices tell of their work (devices/device-watch.h): doorbells, interrupts, requests with bytes and time.
 * Any thread.
 */
#pragma once

#include "devices/device-watch.h"
#include "vmm/observe/recorder.h"

typedef struct DeviceCounts DeviceCounts;

typedef struct {
  const char *kind; /* "read" */
  uint64_t count, failed, bytes, ns;
} RequestCount;

#define REQUEST_KINDS_MAX 8

typedef struct {
  const char *device;
  uint64_t doorbells, interrupts;
  unsigned n_requests;
  RequestCount requests[REQUEST_KINDS_MAX];
} DeviceCount;

/* What is counted is also recorded, where RECORDER is not NULL. */
DeviceCounts *device_counts_new(Recorder *recorder);
void device_counts_free(DeviceCounts *counts); /* takes NULL */
DeviceWatch *device_counts_watch(DeviceCounts *counts);
/* From now on nothing is recorded. */
void device_counts_stop_recording(DeviceCounts *counts);

/* A copy: of DeviceCount, in the order in which they were first heard of. Free with g_array_unref. */
GArray *device_counts_get(DeviceCounts *counts);
