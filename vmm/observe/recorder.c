/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder. Producers append to `records` under `lock` and leave; the recorder's thread swaps that array for an
 * empty one every few hundredths of a second and writes it out, then what the kernel has. Texts get their numbers under
 * the same lock, and are written before the records that came with them.
 *
 * Locks: `lock` guards the buffers and the table of texts. The file is the recorder thread's, and, when that has ended,
 * recorder_finish's.
 */
#include "vmm/observe/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "devices/units.h"
#include "vmm/base/output-file.h"
#include "vmm/observe/kernel-events.h"
#include "vmm/observe/recording-file.h"

G_DEFINE_QUARK(eret_recording_error, recording_error)

#define FLUSH_MS         40
#define BUFFERED_MAX     131072u /* own records, 7 MiB: some seconds of the wildest guest */
#define KERNEL_BATCH     16384u  /* kernel records written at once */
#define SMALL_BUFFER_MAX 65536u  /* bytes of facts, regions, texts that wait */
#define TOO_MANY_TEXTS   "(too many texts)"

struct Recorder {
  KernelEvents *kernel; /* NULL: eret's own events alone */
  FILE *file;
  char *path;
  uint64_t written, limit; /* bytes */
  int write_error;         /* errno of the first failure; nothing is written after it */
  uint64_t lost[TRACE_N_SOURCES], lost_told[TRACE_N_SOURCES];

  GThread *thread;
  GMutex lock;
  GCond wake; /* stop */
  bool stop;
  GArray *records; /* of TraceRecord: eret's own, not yet written */
  GArray *kernel_records;
  GByteArray *texts, *facts, *regions; /* payloads not yet written */
  GHashTable *numbers;                 /* text -> number */
};

uint64_t trace_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Producers. */

static TraceString new_text(Recorder *recorder, const char *text) {
  guint number = g_hash_table_size(recorder->numbers) + 1;
  uint32_t head[2] = {number, (uint32_t)MIN(strlen(text), RECORDING_TEXT_MAX)};

  g_hash_table_insert(recorder->numbers, g_strdup(text), GUINT_TO_POINTER(number));
  g_byte_array_append(recorder->texts, (const guint8 *)head, sizeof head);
  g_byte_array_append(recorder->texts, (const guint8 *)text, head[1]);
  return number;
}

TraceString recorder_text(Recorder *recorder, const char *text) {
  if (!text)
    return 0;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&recorder->lock);
  TraceString number = GPOINTER_TO_UINT(g_hash_table_lookup(recorder->numbers, text));
  /* The guest chooses the texts of marks: their number is bounded, and one place is kept for saying so. */
  if (!number && g_hash_table_size(recorder->numbers) >= RECORDING_TEXTS_MAX - 1)
    number = GPOINTER_TO_UINT(g_hash_table_lookup(recorder->numbers, text = TOO_MANY_TEXTS));
  if (!number)
    number = new_text(recorder, text);
  return number;
}

void recorder_add(Recorder *recorder, const TraceRecord *record) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&recorder->lock);
  if (recorder->records->len < BUFFERED_MAX)
    g_array_append_val(recorder->records, *record);
  else
    recorder->lost[TRACE_SOURCE_ERET]++;
}

void recorder_fact(Recorder *recorder, const char *key, const char *value) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&recorder->lock);
  if (recorder->facts->len < SMALL_BUFFER_MAX) {
    g_byte_array_append(recorder->facts, (const guint8 *)key, (guint)strlen(key) + 1);
    g_byte_array_append(recorder->facts, (const guint8 *)value, (guint)strlen(value) + 1);
  }
}

void recorder_region(Recorder *recorder, const char *name, uint64_t base, uint64_t size) {
  RecordingRegion region = {.name = recorder_text(recorder, name), .base = base, .size = size};

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&recorder->lock);
  if (recorder->regions->len < SMALL_BUFFER_MAX)
    g_byte_array_append(recorder->regions, (const guint8 *)&region, sizeof region);
}

void recorder_this_is_vcpu(Recorder *recorder, unsigned index) {
  if (recorder->kernel)
    kernel_events_this_is_vcpu(recorder->kernel, index);
}

/* The file. */

static void write_bytes(Recorder *recorder, const void *bytes, size_t size) {
  if (recorder->write_error || size == 0)
    return;
  if (fwrite(bytes, 1, size, recorder->file) != size)
    recorder->write_error = errno ? errno : EIO;
  recorder->written += size;
}

static void write_chunk(Recorder *recorder, RecordingChunkType type, const void *payload, size_t size) {
  RecordingChunk chunk = {.type = type, .size = (uint32_t)size};

  if (size == 0)
    return;
  write_bytes(recorder, &chunk, sizeof chunk);
  write_bytes(recorder, payload, size);
}

/* Records count against the limit; what describes them does not: it is bounded by itself. */
static void write_records(Recorder *recorder, GArray *records) {
  size_t size = (size_t)records->len * sizeof(TraceRecord);

  if (recorder->written + size > recorder->limit)
    recorder->lost[TRACE_SOURCE_FILE] += records->len;
  else
    write_chunk(recorder, CHUNK_RECORDS, records->data, size);
  g_array_set_size(records, 0);
}

static void take_kernel_record(void *opaque, const TraceRecord *record) {
  Recorder *recorder = opaque;

  if (record->kind == TRACE_LOST)
    recorder->lost_told[TRACE_SOURCE_KERNEL] += record->a;
  g_array_append_val(recorder->kernel_records, *record);
  if (recorder->kernel_records->len >= KERNEL_BATCH)
    write_records(recorder, recorder->kernel_records);
}

/*
 * A loss is an event of its own, so that a reader sees where nothing may be concluded from what is missing. Those that
 * the kernel told where they are have been.
 */
static void tell_losses(Recorder *recorder) {
  for (unsigned source = 0; source < TRACE_N_SOURCES; source++) {
    uint64_t fresh = recorder->lost[source] > recorder->lost_told[source] ? recorder->lost[source] - recorder->lost_told[source] : 0;
    TraceRecord record = {.time = trace_now(), .kind = TRACE_LOST, .vcpu = TRACE_NO_VCPU, .a = fresh, .b = source};
    if (fresh == 0)
      continue;
    recorder->lost_told[source] += fresh;
    write_chunk(recorder, CHUNK_RECORDS, &record, sizeof record);
  }
}

static GByteArray *swap(GByteArray **buffer) {
  GByteArray *full = *buffer;
  *buffer = g_byte_array_new();
  return full;
}

static void flush(Recorder *recorder) {
  g_mutex_lock(&recorder->lock);
  g_autoptr(GByteArray) texts = swap(&recorder->texts);
  g_autoptr(GByteArray) facts = swap(&recorder->facts);
  g_autoptr(GByteArray) regions = swap(&recorder->regions);
  g_autoptr(GArray) records = g_steal_pointer(&recorder->records);
  recorder->records = g_array_new(FALSE, FALSE, sizeof(TraceRecord));
  g_mutex_unlock(&recorder->lock);

  write_chunk(recorder, CHUNK_TEXTS, texts->data, texts->len);
  write_chunk(recorder, CHUNK_FACTS, facts->data, facts->len);
  write_chunk(recorder, CHUNK_REGIONS, regions->data, regions->len);
  write_records(recorder, records);
  if (recorder->kernel) {
    kernel_events_drain(recorder->kernel, take_kernel_record, recorder);
    write_records(recorder, recorder->kernel_records);
    recorder->lost[TRACE_SOURCE_KERNEL] = kernel_events_lost(recorder->kernel);
  }
  tell_losses(recorder);
  if (fflush(recorder->file) != 0 && !recorder->write_error)
    recorder->write_error = errno;
}

static gpointer recorder_thread(gpointer data) {
  Recorder *recorder = data;
  bool stop = false;
  OutputGuard guard;

  output_guard_begin(&guard); /* a full disk, or a reader that has gone, is not the guest's end */
  while (!stop) {
    gint64 until = g_get_monotonic_time() + FLUSH_MS * G_TIME_SPAN_MILLISECOND;
    g_mutex_lock(&recorder->lock);
    while (!recorder->stop && g_cond_wait_until(&recorder->wake, &recorder->lock, until))
      ;
    stop = recorder->stop;
    g_mutex_unlock(&recorder->lock);
    flush(recorder);
  }
  output_guard_end(&guard);
  return NULL;
}

/* Making and ending. */

static void free_recorder(Recorder *recorder) {
  if (recorder->file)
    fclose(recorder->file);
  kernel_events_free(recorder->kernel);
  g_array_unref(recorder->records);
  g_array_unref(recorder->kernel_records);
  g_byte_array_unref(recorder->texts);
  g_byte_array_unref(recorder->facts);
  g_byte_array_unref(recorder->regions);
  g_hash_table_unref(recorder->numbers);
  g_mutex_clear(&recorder->lock);
  g_cond_clear(&recorder->wake);
  g_free(recorder->path);
  g_free(recorder);
}

static void open_kernel(Recorder *recorder) {
  g_autoptr(GError) why = NULL;

  recorder->kernel = kernel_events_open(&why);
  recorder_fact(recorder, "kvm-events", why ? why->message : "yes");
  if (why)
    g_message("--record: only eret's own events are recorded, KVM's are not: %s", why->message);
}

Recorder *recorder_new(const char *path, uint64_t limit, bool kernel, GError **error) {
  RecordingHeader header = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION, .record_size = sizeof(TraceRecord)};
  g_autoptr(GError) why = NULL;
  Recorder *recorder = g_new0(Recorder, 1);

  recorder->path = g_strdup(path);
  recorder->limit = limit;
  recorder->records = g_array_new(FALSE, FALSE, sizeof(TraceRecord));
  recorder->kernel_records = g_array_new(FALSE, FALSE, sizeof(TraceRecord));
  recorder->texts = g_byte_array_new();
  recorder->facts = g_byte_array_new();
  recorder->regions = g_byte_array_new();
  recorder->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init(&recorder->lock);
  g_cond_init(&recorder->wake);
  recorder->file = output_file_stream(path, &why);
  if (!recorder->file) {
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "--record: %s", why->message);
    free_recorder(recorder);
    return NULL;
  }
  write_bytes(recorder, &header, sizeof header);
  if (kernel)
    open_kernel(recorder);
  return recorder;
}

bool recorder_begin(Recorder *recorder, GError **error) {
  if (!recorder || recorder->thread)
    return true;
  recorder->thread = g_thread_try_new("recorder", recorder_thread, recorder, error);
  if (!recorder->thread)
    g_prefix_error(error, "--record: ");
  return recorder->thread;
}

const char *recorder_kernel_place(const Recorder *recorder) {
  return recorder && recorder->kernel ? kernel_events_place() : NULL;
}

/* With what is not written yet. */
static void end_thread(Recorder *recorder) {
  g_mutex_lock(&recorder->lock);
  recorder->stop = true;
  g_cond_signal(&recorder->wake);
  g_mutex_unlock(&recorder->lock);
  if (recorder->thread)
    g_thread_join(recorder->thread);
  else
    recorder_thread(recorder);
}

bool recorder_finish(Recorder *recorder, GError **error) {
  OutputGuard guard;

  if (!recorder)
    return true;
  if (recorder->kernel)
    kernel_events_stop(recorder->kernel);
  end_thread(recorder);
  output_guard_begin(&guard);
  write_chunk(recorder, CHUNK_END, recorder->lost, sizeof recorder->lost);
  if (fclose(g_steal_pointer(&recorder->file)) != 0 && !recorder->write_error)
    recorder->write_error = errno;
  output_guard_end(&guard);
  bool done = recorder->write_error == 0;
  if (!done)
    g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "cannot write '%s': %s; it is cut off", recorder->path,
                g_strerror(recorder->write_error));
  free_recorder(recorder);
  return done;
}
