/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a recording says of devices, counted: for the summary and for the page. Texts are the recording's, and may be
 * anybody's. No locks: a pure function.
 */
#pragma once

#include <stdbool.h>

#include "vmm/trace/recording.h"

typedef struct {
  const char *device;
  uint32_t queue;
  uint64_t doorbells, interrupts, requests, failed, bytes; /* of requests that were done */
} QueueRow;

/* What else happened to a device: "dropped: bad header". */
typedef struct {
  const char *device, *what;
  uint64_t n;
} DeviceEventRow;

/* Queues that somebody else serves, and what the guest has received and sent by them. */
typedef struct {
  const char *device, *server;
  bool counted; /* else nobody knows the numbers */
  uint64_t received, received_bytes, sent, sent_bytes;
} ElsewhereRow;

typedef struct {
  GArray *queues;    /* of QueueRow, by device and queue */
  GArray *events;    /* of DeviceEventRow, by device */
  GArray *elsewhere; /* of ElsewhereRow, one a device: the last that the recording has */
} DeviceTable;

/* A file may say anything: who shows rows shows so many. */
#define DEVICE_ROWS_MAX 100

DeviceTable *device_table_new(const Recording *recording);
void device_table_free(DeviceTable *table); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DeviceTable, device_table_free)
