/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder and the reader: what goes in comes out; and files that are broken in every way. vmm/observe/recorder.c,
 * recording.c.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/vmm/trace/make-recording.h"
#include "vmm/observe/recorder.h"
#include "vmm/observe/recording-file.h"
#include "vmm/trace/recording.h"

#define LIMIT (UINT64_C(1) << 30)

typedef struct {
  char *directory, *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  fixture->path = g_build_filename(fixture->directory, "file.rec", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_unlink(fixture->path);
  g_rmdir(fixture->directory);
  g_free(fixture->path);
  g_free(fixture->directory);
}

static Recorder *begin(const Fixture *fixture, uint64_t limit) {
  g_autoptr(GError) error = NULL;
  Recorder *recorder = recorder_new(fixture->path, limit, false, &error);
  g_assert_no_error(error);
  return recorder;
}

static Recording *end(const Fixture *fixture, Recorder *recorder) {
  g_autoptr(GError) error = NULL;
  g_assert_true(recorder_finish(recorder, &error));
  Recording *recording = recording_load(fixture->path, &error);
  g_assert_no_error(error);
  return recording;
}

static const TraceRecord *at(const Recording *recording, guint index) {
  g_assert_cmpuint(index, <, recording->records->len);
  return &g_array_index(recording->records, TraceRecord, index);
}

static void test_round_trip(Fixture *fixture, gconstpointer data) {
  Recorder *recorder = begin(fixture, LIMIT);
  TraceRecord late = {.time = 20, .kind = TRACE_ERET_MARK, .vcpu = TRACE_NO_VCPU, .name = recorder_text(recorder, "late"), .a = 7};
  TraceRecord early = {.time = 10,
                       .kind = TRACE_ERET_RETURN,
                       .vcpu = 3,
                       .flags = 0x401,
                       .detail = recorder_text(recorder, "UARTDR"),
                       .a = 1,
                       .b = 2,
                       .c = 3,
                       .d = 4};

  g_assert_cmpuint(recorder_text(recorder, "late"), ==, late.name);
  g_assert_cmpuint(recorder_text(recorder, NULL), ==, 0);
  recorder_add(recorder, &late);
  recorder_add(recorder, &early);
  recorder_fact(recorder, "cpus", "2");
  recorder_fact(recorder, "cpus", "4");
  recorder_region(recorder, "pl011", 0x9000000, 0x1000);
  g_autoptr(Recording) recording = end(fixture, recorder);

  g_assert_false(recording->truncated);
  g_assert_cmpuint(recording->records->len, ==, 2);
  g_assert_cmpuint(at(recording, 0)->time, ==, 10);
  g_assert_cmpmem(at(recording, 0), sizeof(TraceRecord), &early, sizeof early);
  g_assert_cmpstr(recording_get_text(recording, at(recording, 0)->detail), ==, "UARTDR");
  g_assert_cmpstr(recording_get_text(recording, at(recording, 1)->name), ==, "late");
  g_assert_cmpstr(recording_fact(recording, "cpus"), ==, "4");
  g_assert_null(recording_fact(recording, "memory"));
  g_assert_cmpstr(recording_get_text(recording, recording_region(recording, 0x9000fff)->name), ==, "pl011");
  g_assert_null(recording_region(recording, 0x9001000));
  g_assert_null(recording_region(recording, 0x8ffffff));
  g_assert_cmpstr(recording_get_text(recording, 12345), ==, "");
}

/* Equal times keep the order in which they were added. */
static void test_stable_order(Fixture *fixture, gconstpointer data) {
  g_autoptr(Recording) recording = recording_new();

  for (unsigned i = 0; i < 100; i++)
    recording_add(recording, &(TraceRecord){.time = 50 - i / 2, .a = i});
  recording_finish(recording);
  for (guint i = 1; i < 100; i++) {
    g_assert_cmpuint(at(recording, i - 1)->time, <=, at(recording, i)->time);
    if (at(recording, i - 1)->time == at(recording, i)->time)
      g_assert_cmpuint(at(recording, i - 1)->a, <, at(recording, i)->a);
  }
}

static gpointer add_many(gpointer data) {
  Recorder *recorder = data;
  for (unsigned i = 0; i < 20000; i++) {
    g_autofree char *text = g_strdup_printf("text %u", i % 100);
    recorder_add(recorder,
                 &(TraceRecord){.time = trace_now(), .kind = TRACE_ERET_MARK, .name = recorder_text(recorder, text), .a = i % 100});
  }
  return NULL;
}

/* Nothing is lost, and each record has its own text, whoever else is adding. */
static void test_threads(Fixture *fixture, gconstpointer data) {
  Recorder *recorder = begin(fixture, LIMIT);
  GThread *threads[4];

  for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("producer", add_many, recorder);
  for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  g_autoptr(Recording) recording = end(fixture, recorder);
  uint64_t lost = 0;

  for (guint i = 0; i < recording->records->len; i++) {
    const TraceRecord *record = at(recording, i);
    if (record->kind == TRACE_LOST) {
      lost += record->a;
      continue;
    }
    g_autofree char *text = g_strdup_printf("text %" G_GUINT64_FORMAT, record->a);
    g_assert_cmpstr(recording_get_text(recording, record->name), ==, text);
  }
  g_assert_cmpuint(lost, ==, recording->lost[TRACE_SOURCE_ERET]);
  g_assert_cmpuint(recording->records->len - (lost ? 1 : 0) + lost, >=, 80000);
}

/* What does not fit is counted, and said where it is missing; what was there before stays. */
static void test_limit(Fixture *fixture, gconstpointer data) {
  Recorder *recorder = begin(fixture, 1000);
  TraceRecord record = {.time = 1, .kind = TRACE_ERET_MARK, .vcpu = TRACE_NO_VCPU};

  for (unsigned i = 0; i < 1000; i++)
    recorder_add(recorder, &record);
  g_autoptr(Recording) recording = end(fixture, recorder);
  uint64_t told = 0;
  for (guint i = 0; i < recording->records->len; i++)
    told += at(recording, i)->kind == TRACE_LOST ? at(recording, i)->a : 0;
  g_assert_cmpuint(recording->lost[TRACE_SOURCE_FILE], >=, 1000 - 1000 / sizeof record);
  g_assert_cmpuint(told, ==, recording->lost[TRACE_SOURCE_FILE]);
  g_assert_false(recording->truncated);
}

/* The guest chooses texts: their number is bounded, and what comes too late says so. */
static void test_too_many_texts(Fixture *fixture, gconstpointer data) {
  Recorder *recorder = begin(fixture, LIMIT);
  TraceString number = 0;

  for (unsigned i = 0; i < RECORDING_TEXTS_MAX + 100; i++) {
    g_autofree char *text = g_strdup_printf("%u", i);
    number = recorder_text(recorder, text);
    g_assert_cmpuint(number, >, 0);
    g_assert_cmpuint(number, <=, RECORDING_TEXTS_MAX);
  }
  recorder_add(recorder, &(TraceRecord){.kind = TRACE_ERET_MARK, .name = number});
  g_autoptr(Recording) recording = end(fixture, recorder);
  g_assert_cmpstr(recording_get_text(recording, at(recording, 0)->name), ==, "(too many texts)");
}

static void test_cannot_write(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *nowhere = g_build_filename(fixture->directory, "no", "file", NULL);

  g_assert_null(recorder_new(nowhere, LIMIT, false, &error));
  g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_IO);
  g_assert_nonnull(strstr(error->message, nowhere));
  g_clear_error(&error);
  Recorder *recorder = recorder_new("/dev/full", LIMIT, false, &error);
  g_assert_no_error(error);
  recorder_add(recorder, &(TraceRecord){.kind = TRACE_ERET_MARK});
  g_assert_false(recorder_finish(recorder, &error));
  g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_IO);
  g_assert_true(recorder_finish(NULL, NULL));
}

/* A complete file with a bit of everything. */
static GByteArray *sample(const Fixture *fixture) {
  Recorder *recorder = begin(fixture, LIMIT);
  char *bytes;
  gsize size;

  recorder_fact(recorder, "gic", "3");
  recorder_region(recorder, "pl011", 0x9000000, 0x1000);
  for (unsigned i = 0; i < 20; i++)
    recorder_add(recorder, &(TraceRecord){.time = i, .kind = TRACE_ERET_MARK, .name = recorder_text(recorder, "mark")});
  g_assert_true(recorder_finish(recorder, NULL));
  g_assert_true(g_file_get_contents(fixture->path, &bytes, &size, NULL));
  return g_byte_array_new_take((guint8 *)bytes, size);
}

static Recording *load_bytes(const Fixture *fixture, const void *bytes, gsize size, GError **error) {
  g_assert_true(g_file_set_contents(fixture->path, bytes, (gssize)size, NULL));
  return recording_load(fixture->path, error);
}

/* Cut off anywhere, a file is read as far as it goes, or refused in its first bytes; never more than there is. */
static void test_truncated(Fixture *fixture, gconstpointer data) {
  g_autoptr(GByteArray) bytes = sample(fixture);
  guint most = 0;

  for (guint size = 0; size < bytes->len; size++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Recording) recording = load_bytes(fixture, bytes->data, size, &error);
    if (size < sizeof(RecordingHeader)) {
      g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_FORMAT);
      continue;
    }
    g_assert_no_error(error);
    g_assert_true(recording->truncated);
    most = MAX(most, recording->records->len);
  }
  g_assert_cmpuint(most, ==, 20);
}

/* Every byte changed once: an error or a recording, and no sanitizer's complaint. */
static void test_damaged(Fixture *fixture, gconstpointer data) {
  g_autoptr(GByteArray) bytes = sample(fixture);
  unsigned refused = 0;

  for (guint i = 0; i < bytes->len; i++) {
    g_autoptr(GError) error = NULL;
    bytes->data[i] ^= 0xff;
    g_autoptr(Recording) recording = load_bytes(fixture, bytes->data, bytes->len, &error);
    g_assert_true((recording == NULL) == (error != NULL));
    refused += error != NULL;
    bytes->data[i] ^= 0xff;
  }
  g_assert_cmpuint(refused, >, RECORDING_MAGIC_SIZE);
}

static void test_foreign_files(Fixture *fixture, gconstpointer data) {
  RecordingHeader newer = {.magic = RECORDING_MAGIC, .version = 99, .record_size = sizeof(TraceRecord)};
  g_autoptr(GError) error = NULL;

  g_assert_null(load_bytes(fixture, "hello", 5, &error));
  g_assert_nonnull(strstr(error->message, "is no recording of eret"));
  g_clear_error(&error);
  g_assert_null(load_bytes(fixture, &newer, sizeof newer, &error));
  g_assert_nonnull(strstr(error->message, "version 99"));
  g_clear_error(&error);
  RecordingHeader damaged = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION, .record_size = 0};
  g_assert_null(load_bytes(fixture, &damaged, sizeof damaged, &error));
  g_assert_nonnull(strstr(error->message, "is damaged: records of 0 bytes, and those of version 1 have "));
  g_clear_error(&error);
  g_assert_null(recording_load("/does/not/exist", &error));
  g_assert_error(error, RECORDING_ERROR, RECORDING_ERROR_IO);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(path, function) g_test_add("/recording/" path, Fixture, NULL, set_up, function, tear_down)
  ADD("round-trip", test_round_trip);
  ADD("stable-order", test_stable_order);
  ADD("threads", test_threads);
  ADD("limit", test_limit);
  ADD("too-many-texts", test_too_many_texts);
  ADD("cannot-write", test_cannot_write);
  ADD("truncated", test_truncated);
  ADD("damaged", test_damaged);
  ADD("foreign-files", test_foreign_files);
  return g_test_run();
}
