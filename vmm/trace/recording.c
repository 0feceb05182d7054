/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings in memory, and their reading from a file. A file may come from anywhere: each number in it is checked
 * before it is used, and a file that was cut off (the recorder was killed, the disk was full) is read as far as it
 * goes.
 *
 * No locks: a recording belongs to who made it.
 */
#include "vmm/trace/recording.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mapped-file.h"
#include "vmm/observe/recording-file.h"

Recording *recording_new(void) {
  Recording *recording = g_new0(Recording, 1);

  recording->records = g_array_new(FALSE, FALSE, sizeof(TraceRecord));
  recording->texts = g_ptr_array_new_with_free_func(g_free);
  recording->regions = g_array_new(FALSE, FALSE, sizeof(RecordingRegion));
  recording->facts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_ptr_array_add(recording->texts, g_strdup(""));
  return recording;
}

void recording_free(Recording *recording) {
  if (!recording)
    return;
  g_array_unref(recording->records);
  g_ptr_array_unref(recording->texts);
  g_array_unref(recording->regions);
  g_hash_table_unref(recording->facts);
  g_free(recording);
}

const char *recording_get_text(const Recording *recording, TraceString text) {
  const char *found = text < recording->texts->len ? g_ptr_array_index(recording->texts, text) : NULL;
  return found ? found : "";
}

const char *recording_fact(const Recording *recording, const char *key) {
  return g_hash_table_lookup(recording->facts, key);
}

bool recording_has_region(const Recording *recording, const char *name) {
  for (unsigned i = 0; i < recording->regions->len; i++)
    if (g_str_equal(recording_get_text(recording, g_array_index(recording->regions, RecordingRegion, i).name), name))
      return true;
  return false;
}

const RecordingRegion *recording_region(const Recording *recording, uint64_t address) {
  for (unsigned i = 0; i < recording->regions->len; i++) {
    const RecordingRegion *region = &g_array_index(recording->regions, RecordingRegion, i);
    if (address >= region->base && address - region->base < region->size)
      return region;
  }
  return NULL;
}

static int compare_times(gconstpointer a, gconstpointer b) {
  const TraceRecord *left = a, *right = b;
  return left->time < right->time ? -1 : left->time > right->time;
}

/* A record of a loss says the same as the file's end, which a file that was cut off has not. */
static void add_losses(Recording *recording) {
  uint64_t told[TRACE_N_SOURCES] = {0};

  for (guint i = 0; i < recording->records->len; i++) {
    const TraceRecord *record = &g_array_index(recording->records, TraceRecord, i);
    if (record->kind == TRACE_LOST && record->b < TRACE_N_SOURCES)
      told[record->b] += record->a;
  }
  for (unsigned source = 0; source < TRACE_N_SOURCES; source++)
    recording->lost[source] = MAX(recording->lost[source], told[source]);
}

void recording_finish(Recording *recording) {
  g_array_sort(recording->records, compare_times); /* which is stable */
  add_losses(recording);
}

/* Reading. */

typedef struct {
  const char *path;
  const uint8_t *bytes;
  size_t size, at;
} Source;

/* The N bytes at *AT of DATA, or NULL when there are not so many; moves on. */
static const uint8_t *take(const uint8_t *data, size_t size, size_t *at, size_t n) {
  if (n > size - *at)
    return NULL;
  const uint8_t *taken = data + *at;
  *at += n;
  return taken;
}

/*
 * Texts are numbered in the order they were met, but a hostile file may say anything. Returns what is wrong, or NULL.
 */
static const char *load_texts(Recording *recording, const uint8_t *data, size_t size) {
  size_t at = 0;

  while (at < size) {
    uint32_t head[2];
    const uint8_t *bytes = take(data, size, &at, sizeof head);
    if (!bytes)
      return "a text without its length";
    memcpy(head, bytes, sizeof head);
    bytes = head[1] <= RECORDING_TEXT_MAX ? take(data, size, &at, head[1]) : NULL;
    if (!bytes || head[0] == 0 || head[0] > RECORDING_TEXTS_MAX)
      return "a text with an impossible number or length";
    if (head[0] >= recording->texts->len)
      g_ptr_array_set_size(recording->texts, (int)head[0] + 1);
    g_free(g_ptr_array_index(recording->texts, head[0]));
    g_ptr_array_index(recording->texts, head[0]) = g_utf8_make_valid((const char *)bytes, head[1]);
  }
  return NULL;
}

/* The bytes are not aligned; the array's are. False: SIZE is no multiple of an entry's. */
static bool append_entries(GArray *entries, const uint8_t *data, size_t size) {
  guint width = g_array_get_element_size(entries);

  if (size % width == 0)
    g_array_append_vals(entries, data, (guint)(size / width));
  return size % width == 0;
}

static const char *load_records(Recording *recording, const uint8_t *data, size_t size) {
  return append_entries(recording->records, data, size) ? NULL : "a broken record";
}

static const char *load_regions(Recording *recording, const uint8_t *data, size_t size) {
  return append_entries(recording->regions, data, size) ? NULL : "a broken entry of the address map";
}

static const char *load_facts(Recording *recording, const uint8_t *data, size_t size) {
  size_t at = 0;

  while (at < size) {
    const uint8_t *key = data + at, *key_end = memchr(key, 0, size - at);
    const uint8_t *value = key_end ? key_end + 1 : NULL;
    const uint8_t *value_end = value ? memchr(value, 0, size - (size_t)(value - data)) : NULL;
    if (!value_end)
      return "a fact without its end";
    g_hash_table_replace(recording->facts, g_utf8_make_valid((const char *)key, -1), g_utf8_make_valid((const char *)value, -1));
    at = (size_t)(value_end + 1 - data);
  }
  return NULL;
}

static const char *load_end(Recording *recording, const uint8_t *data, size_t size) {
  if (size != sizeof recording->lost)
    return "a broken end mark";
  memcpy(recording->lost, data, size);
  recording->truncated = false;
  return NULL;
}

static const struct {
  RecordingChunkType type;
  const char *(*load)(Recording *recording, const uint8_t *data, size_t size);
} loaders[] = {
    {CHUNK_TEXTS, load_texts},     {CHUNK_RECORDS, load_records}, {CHUNK_FACTS, load_facts},
    {CHUNK_REGIONS, load_regions}, {CHUNK_END, load_end},
};

static bool load_chunk(Recording *recording, const Source *source, const RecordingChunk *chunk, const uint8_t *payload, GError **error) {
  for (unsigned i = 0; i < G_N_ELEMENTS(loaders); i++) {
    const char *wrong = chunk->type == loaders[i].type ? loaders[i].load(recording, payload, chunk->size) : NULL;
    if (!wrong)
      continue;
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT, "%s is damaged: %s, in the part that begins at byte %zu", source->path,
                wrong, source->at - chunk->size - sizeof *chunk);
    return false;
  }
  return true;
}

static bool check_header(Source *source, GError **error) {
  RecordingHeader header;
  const uint8_t *bytes = take(source->bytes, source->size, &source->at, sizeof header);

  if (!bytes || memcmp(bytes, RECORDING_MAGIC, RECORDING_MAGIC_SIZE) != 0) {
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT, "%s is no recording of eret; 'eret run --record FILE' makes one",
                source->path);
    return false;
  }
  memcpy(&header, bytes, sizeof header);
  if (header.version != RECORDING_VERSION)
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT, "%s is a recording of version %u, and this eret reads version %u",
                source->path, header.version, RECORDING_VERSION);
  else if (header.record_size != sizeof(TraceRecord))
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT, "%s is damaged: records of %u bytes, and those of version %u have %zu",
                source->path, header.record_size, RECORDING_VERSION, sizeof(TraceRecord));
  else
    return true;
  return false;
}

static bool load_chunks(Recording *recording, Source *source, GError **error) {
  const uint8_t *bytes;

  while ((bytes = take(source->bytes, source->size, &source->at, sizeof(RecordingChunk)))) {
    RecordingChunk chunk;
    memcpy(&chunk, bytes, sizeof chunk);
    if (chunk.size > RECORDING_CHUNK_MAX) {
      g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT, "%s is damaged: a part of %u bytes at byte %zu", source->path, chunk.size,
                  source->at - sizeof chunk);
      return false;
    }
    const uint8_t *payload = take(source->bytes, source->size, &source->at, chunk.size);
    if (!payload)
      break;
    if (!load_chunk(recording, source, &chunk, payload, error))
      return false;
  }
  return true;
}

Recording *recording_load(const char *path, GError **error) {
  g_autoptr(Recording) recording = recording_new();
  g_autoptr(GError) why = NULL;
  g_autoptr(MappedFile) file = mapped_file_open(path, MAPPED_FILE_READ_ONCE, &why);

  if (!file) {
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "cannot read the recording %s: %s", path, why->message);
    return NULL;
  }
  g_autoptr(GBytes) bytes = mapped_file_bytes(file);
  Source source = {.path = path};
  source.bytes = g_bytes_get_data(bytes, &source.size);
  recording->truncated = true;
  bool loaded = check_header(&source, &why) && load_chunks(recording, &source, &why);
  mapped_file_blame(file, &why);
  if (!loaded || why) {
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
  recording_finish(recording);
  return g_steal_pointer(&recording);
}
