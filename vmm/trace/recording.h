/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording in memory: its records in the order of their times, its texts, and what is known about the machine. Read
 * from a file that `eret run --record` wrote (docs/recording.md), or filled by a test.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/observe/record.h"
#include "vmm/observe/recording-file.h"

typedef struct {
  GArray *records;                /* of TraceRecord, sorted by time; equal times in the order of their arrival */
  GPtrArray *texts;               /* of char *: texts[0] is "" */
  GArray *regions;                /* of RecordingRegion: the machine's address map, for naming addresses that KVM alone has seen */
  GHashTable *facts;              /* char * -> char *: docs/recording.md has the names; one may be missing */
  uint64_t lost[TRACE_N_SOURCES]; /* by TraceSource; recording_finish adds what records tell of losses */
  bool truncated;                 /* the file ends without its end mark: the recorder was killed, or the disk was full */
} Recording;

Recording *recording_new(void);
/* An error says what is wrong with the file and where. A file that was cut off is read as far as it goes. */
Recording *recording_load(const char *path, GError **error);
void recording_free(Recording *recording); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recording, recording_free)

/* Once everything is there: sorts. */
void recording_finish(Recording *recording);

/* Never NULL; "" for 0 and for a number that is not in the table. */
const char *recording_get_text(const Recording *recording, TraceString text);
const char *recording_fact(const Recording *recording, const char *key); /* or NULL */
bool recording_has_region(const Recording *recording, const char *name);
/* The region at ADDRESS, or NULL. */
const RecordingRegion *recording_region(const Recording *recording, uint64_t address);
