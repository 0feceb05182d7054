/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings put together in memory: what a file would have said. recording_finish comes last. */
#pragma once

#include "vmm/trace/recording.h"

/* The same text gives the same number; NULL gives 0. */
static inline TraceString recording_text(Recording *recording, const char *text) {
  if (!text)
    return 0;
  for (unsigned i = 0; i < recording->texts->len; i++)
    if (g_strcmp0(g_ptr_array_index(recording->texts, i), text) == 0)
      return i;
  g_ptr_array_add(recording->texts, g_strdup(text));
  return recording->texts->len - 1;
}

static inline void recording_add(Recording *recording, const TraceRecord *record) {
  g_array_append_val(recording->records, *record);
}

static inline void recording_add_region(Recording *recording, const char *name, uint64_t base, uint64_t size) {
  RecordingRegion region = {.name = recording_text(recording, name), .base = base, .size = size};
  g_array_append_val(recording->regions, region);
}

static inline void recording_set_fact(Recording *recording, const char *key, const char *value) {
  g_hash_table_replace(recording->facts, g_strdup(key), g_strdup(value));
}
