/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries in an array under a lock; what has happened in this boot is also a word of bits, so that a vCPU thread can
 * ask without the lock.
 */
#include "vmm/observe/timeline.h"

#include <string.h>
#include <time.h>

#include "devices/units.h"

#define ENTRIES_MAX 1024 /* the guest chooses the number of its marks */

struct Timeline {
  GMutex lock;
  GArray *entries; /* of TimelineEntry */
  guint seen;      /* atomic: bit of each phase of this boot */
  Recorder *recorder;
};

static const struct {
  const char *name, *text; /* the same words, so that nobody has to translate */
  bool once;               /* a boot */
} phases[PHASE_N] = {
    [PHASE_PROCESS_START] = {"process-start", "process start", true},
    [PHASE_OPTIONS_READ] = {"options-read", "options read", true},
    [PHASE_RECORDING_BEGUN] = {"recording-begun", "recording begun", true},
    [PHASE_DEVICES_MADE] = {"devices-made", "devices made", true},
    [PHASE_KVM_OBJECTS_MADE] = {"kvm-objects-made", "KVM objects made", true},
    [PHASE_KERNEL_LOADED] = {"kernel-loaded", "kernel loaded", true},
    [PHASE_FIRST_INSTRUCTION] = {"first-instruction", "first instruction", true},
    [PHASE_FIRST_EXIT] = {"first-exit", "first exit", true},
    [PHASE_FIRST_OUTPUT] = {"first-output", "first output", true},
    [PHASE_TABLES_TAKEN] = {"tables-taken", "tables taken", true},
    [PHASE_FIRST_DISK_REQUEST] = {"first-disk-request", "first disk request", true},
    [PHASE_KERNEL_TAKEN] = {"kernel-taken", "kernel taken", true},
    [PHASE_FIRMWARE_LEFT] = {"firmware-left", "firmware left", true},
    [PHASE_KERNEL_STARTED] = {"kernel-started", "kernel started", true},
    [PHASE_INIT] = {"init", "init", true},
    [PHASE_READY] = {"ready", "ready", true},
    [PHASE_REBOOT] = {"reboot", "reboot", false},
    [PHASE_GUEST_END] = {"guest-end", "guest end", false},
    [PHASE_ENDED] = {"ended", "ended", false},
    [PHASE_MARK] = {"mark", "mark", false},
};

static void clear_entry(gpointer data) {
  g_free(((TimelineEntry *)data)->text);
}

const char *phase_name(Phase phase) {
  return phases[phase].name;
}

const char *phase_text(Phase phase) {
  return phases[phase].text;
}

static void record_entry(Recorder *recorder, const TimelineEntry *entry) {
  bool mark = entry->phase == PHASE_MARK;
  TraceRecord record = {
      .time = entry->ns,
      .kind = mark ? TRACE_ERET_MARK : TRACE_ERET_PHASE,
      .vcpu = TRACE_NO_VCPU,
      .name = recorder_text(recorder, mark ? entry->text : phase_name(entry->phase)),
      .a = entry->number,
  };
  recorder_add(recorder, &record);
}

/* Takes entry.text. */
static void append(Timeline *timeline, TimelineEntry entry) {
  g_mutex_lock(&timeline->lock);
  bool room = timeline->entries->len < ENTRIES_MAX;
  if (room && timeline->recorder)
    record_entry(timeline->recorder, &entry);
  if (room)
    g_array_append_val(timeline->entries, entry);
  g_mutex_unlock(&timeline->lock);
  if (!room)
    g_free(entry.text);
}

/*
 * The kernel tells when a process began in hundredths of a second only, so its start is taken from the processor time
 * that it has used.
 */
static uint64_t process_start(void) {
  struct timespec used;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return trace_now() - ((uint64_t)used.tv_sec * NS_PER_SECOND + (uint64_t)used.tv_nsec);
}

Timeline *timeline_new(void) {
  Timeline *timeline = g_new0(Timeline, 1);

  g_mutex_init(&timeline->lock);
  timeline->entries = g_array_new(FALSE, FALSE, sizeof(TimelineEntry));
  g_array_set_clear_func(timeline->entries, clear_entry);
  append(timeline, (TimelineEntry){.phase = PHASE_PROCESS_START, .ns = process_start()});
  timeline->seen = 1u << PHASE_PROCESS_START;
  return timeline;
}

void timeline_free(Timeline *timeline) {
  if (!timeline)
    return;
  g_array_unref(timeline->entries);
  g_mutex_clear(&timeline->lock);
  g_free(timeline);
}

void timeline_record(Timeline *timeline, Recorder *recorder) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&timeline->lock);
  timeline->recorder = recorder;
  for (unsigned i = 0; recorder && i < timeline->entries->len; i++)
    record_entry(recorder, &g_array_index(timeline->entries, TimelineEntry, i));
}

bool timeline_has(const Timeline *timeline, Phase phase) {
  return __atomic_load_n(&timeline->seen, __ATOMIC_SEQ_CST) & 1u << phase;
}

void timeline_add(Timeline *timeline, Phase phase) {
  if (phase == PHASE_REBOOT) /* the process started once, and its machine's devices live on; the rest begins anew */
    __atomic_store_n(&timeline->seen,
                     1u << PHASE_PROCESS_START | 1u << PHASE_OPTIONS_READ | 1u << PHASE_RECORDING_BEGUN | 1u << PHASE_DEVICES_MADE,
                     __ATOMIC_SEQ_CST);
  else if ((__atomic_fetch_or(&timeline->seen, 1u << phase, __ATOMIC_SEQ_CST) & 1u << phase) && phases[phase].once)
    return;
  append(timeline, (TimelineEntry){.phase = phase, .ns = trace_now()});
}

void timeline_mark(Timeline *timeline, uint64_t number, const char *text, uint64_t ns) {
  append(timeline, (TimelineEntry){.phase = PHASE_MARK, .ns = ns, .number = number, .text = g_strdup(text)});
}

static int compare_entries(gconstpointer a, gconstpointer b) {
  const TimelineEntry *left = a, *right = b;
  return left->ns < right->ns ? -1 : left->ns > right->ns;
}

GArray *timeline_entries(const Timeline *timeline) {
  GArray *copy = g_array_new(FALSE, FALSE, sizeof(TimelineEntry));

  g_array_set_clear_func(copy, clear_entry);
  g_mutex_lock((GMutex *)&timeline->lock);
  for (unsigned i = 0; i < timeline->entries->len; i++) {
    TimelineEntry entry = g_array_index(timeline->entries, TimelineEntry, i);
    entry.text = g_strdup(entry.text);
    g_array_append_val(copy, entry);
  }
  g_mutex_unlock((GMutex *)&timeline->lock);
  g_array_sort(copy, compare_entries);
  return copy;
}

/* Columns of the text beside the bars: name, at, took. */
#define NAME_COLUMNS   26
#define NUMBER_COLUMNS 14
#define BAR_MIN        10

static char *label(const TimelineEntry *entry) {
  if (entry->phase != PHASE_MARK)
    return g_strdup(phase_text(entry->phase));
  if (!entry->text || !*entry->text)
    return g_strdup_printf("mark %" G_GUINT64_FORMAT, entry->number);
  g_autofree char *whole = g_strdup_printf("mark %" G_GUINT64_FORMAT " %s", entry->number, entry->text);
  return g_utf8_substring(whole, 0, MIN(g_utf8_strlen(whole, -1), NAME_COLUMNS));
}

/* From FROM to TO of the columns 0 .. COLUMNS; what took any time at all is seen. */
static void append_bar(GString *out, double from, double to, unsigned columns) {
  unsigned first = (unsigned)(from * columns), last = (unsigned)(to * columns + 0.5);

  first = MIN(first, columns - 1);
  last = CLAMP(last, first + 1, columns);
  g_string_append_printf(out, "%*s", (int)first, "");
  for (unsigned i = first; i < last; i++)
    g_string_append_c(out, '#');
}

void timeline_print(const GArray *entries, unsigned width, GString *out) {
  unsigned used = NAME_COLUMNS + 2 * NUMBER_COLUMNS + 2;
  unsigned columns = width > used + BAR_MIN ? width - used : BAR_MIN;

  if (entries->len == 0)
    return;
  uint64_t start = g_array_index(entries, TimelineEntry, 0).ns;
  uint64_t all = MAX(g_array_index(entries, TimelineEntry, entries->len - 1).ns - start, 1);
  uint64_t before = start;
  g_string_append_printf(out, "%-*s%*s%*s\n", NAME_COLUMNS, "boot", NUMBER_COLUMNS, "at", NUMBER_COLUMNS, "took");
  for (unsigned i = 0; i < entries->len; i++) {
    const TimelineEntry *entry = &g_array_index(entries, TimelineEntry, i);
    g_autofree char *name = label(entry);
    g_string_append_printf(out, "%-*s%*.3f ms%*.3f ms  ", NAME_COLUMNS, name, NUMBER_COLUMNS - 3, (double)(entry->ns - start) / NS_PER_MS,
                           NUMBER_COLUMNS - 3, (double)(entry->ns - before) / NS_PER_MS);
    if (entry->ns > before)
      append_bar(out, (double)(before - start) / (double)all, (double)(entry->ns - start) / (double)all, columns);
    while (out->str[out->len - 1] == ' ')
      g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
    before = entry->ns;
  }
}
