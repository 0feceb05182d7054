/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the kernel puts times before its lines, only what stands behind a time is the kernel's: a program that prints
 * "Kernel panic" on the console is no panic. A program's line may be unfinished when the kernel writes, so that the
 * kernel's begins in the middle; the kernel's own, by contrast, comes in one piece.
 */
#include "vmm/exec/kernel-watch.h"

#include <string.h>

#include "devices/printable.h"

#define LINE_MAX_SIZE  4096
#define LINE_OVERLAP   1024 /* of a longer one; no line by which we know anything is */
#define LAST_LINE_MAX  400
#define PLACES_MAX     8 /* times in one line, behind which the kernel's text is looked for */
#define TRACE_MAX_SIZE (64 * 1024)

struct KernelWatch {
  GString *line;
  char *last_line;
  bool timed; /* the kernel puts times before its lines */
  bool talkative;
  GString *trace;      /* what is kept */
  GString *candidate;  /* what may become more of it; NULL: no trace is running */
  bool candidate_oops; /* there was an oops or a panic in it */
  GArray *reports;
};

KernelWatch *kernel_watch_new(void) {
  KernelWatch *watch = g_new0(KernelWatch, 1);

  watch->line = g_string_new(NULL);
  watch->trace = g_string_new(NULL);
  watch->reports = g_array_new(FALSE, FALSE, sizeof(KernelReport));
  return watch;
}

void kernel_watch_free(KernelWatch *watch) {
  if (!watch)
    return;
  g_string_free(watch->line, TRUE);
  g_string_free(watch->trace, TRUE);
  if (watch->candidate)
    g_string_free(watch->candidate, TRUE);
  g_array_unref(watch->reports);
  g_free(watch->last_line);
  g_free(watch);
}

static void count_report(KernelWatch *watch, const char *kind) {
  for (unsigned i = 0; i < watch->reports->len; i++) {
    KernelReport *report = &g_array_index(watch->reports, KernelReport, i);
    if (strcmp(report->kind, kind) == 0) {
      report->count++;
      return;
    }
  }
  g_array_append_vals(watch->reports, &(KernelReport){kind, 1}, 1);
}

/* Traces. */

static void drop_candidate(KernelWatch *watch) {
  if (watch->candidate)
    g_string_free(watch->candidate, TRUE);
  watch->candidate = NULL;
  watch->candidate_oops = false;
}

void kernel_watch_end_trace(KernelWatch *watch) {
  if (watch->candidate && watch->candidate_oops && watch->trace->len + watch->candidate->len <= TRACE_MAX_SIZE)
    g_string_append_len(watch->trace, watch->candidate->str, (gssize)watch->candidate->len);
  drop_candidate(watch);
}

size_t kernel_watch_mark(const KernelWatch *watch) {
  return watch->trace->len;
}

void kernel_watch_forget(KernelWatch *watch, size_t mark) {
  g_string_truncate(watch->trace, mark);
  drop_candidate(watch);
}

static void collect(KernelWatch *watch, KernelLine kind) {
  bool starts = kind == KERNEL_LINE_TRACE_START || kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;

  if (starts && !watch->candidate)
    watch->candidate = g_string_new(NULL);
  if (!watch->candidate)
    return;
  watch->candidate_oops |= kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;
  if (watch->candidate->len + watch->line->len < TRACE_MAX_SIZE) {
    g_autofree char *text = printable(watch->line->str, (gssize)watch->line->len);
    g_string_append_printf(watch->candidate, "%s\n", text);
  }
  if (kind == KERNEL_LINE_TRACE_END || kind == KERNEL_LINE_PANIC_END)
    kernel_watch_end_trace(watch);
}

/* Lines. */

static bool is_news(const char *text) {
  return kernel_line_kind(text) != KERNEL_LINE_OTHER || kernel_line_report(text);
}

/* Where the kernel's text begins; *TIMED: behind a time. Of several places, the first with something that we know. */
static const char *find_text(const char *line, bool any, bool *timed) {
  const char *first = kernel_line_text(line, timed);

  if ((*timed || any) && is_news(first))
    return first;
  unsigned tried = 0;
  for (const char *next = line; tried < PLACES_MAX && (next = strchr(next, '[')); next++) {
    bool behind_time;
    const char *text = kernel_line_text(next, &behind_time);
    tried += behind_time;
    if (behind_time && is_news(text)) {
      *timed = true;
      return text;
    }
  }
  const char *inside = any ? kernel_line_inside(line) : NULL;
  return inside ? inside : first;
}

static void take_line(KernelWatch *watch, const KernelWatchOps *ops, void *opaque) {
  bool timed;

  if (watch->line->len && watch->line->str[watch->line->len - 1] == '\r')
    g_string_truncate(watch->line, watch->line->len - 1);
  const char *text = find_text(watch->line->str, !watch->timed, &timed);
  watch->timed |= timed;
  if (*text) {
    g_free(watch->last_line);
    watch->last_line = printable_line(watch->line->str, (gssize)MIN(watch->line->len, LAST_LINE_MAX));
  }
  bool of_kernel = timed || !watch->timed;
  KernelLine kind = of_kernel ? kernel_line_kind(text) : KERNEL_LINE_OTHER;
  const char *report = of_kernel ? kernel_line_report(text) : NULL;
  watch->talkative |= kind == KERNEL_LINE_INFO;
  if (report)
    count_report(watch, report);
  if (of_kernel)
    collect(watch, kind);
  ops->line(opaque, kind, text, timed);
  g_string_truncate(watch->line, 0);
}

void kernel_watch_feed(KernelWatch *watch, const void *bytes, size_t size, const KernelWatchOps *ops, void *opaque) {
  const char *text = bytes;

  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\n')
      take_line(watch, ops, opaque);
    else if (text[i])
      g_string_append_c(watch->line, text[i]);
    if (watch->line->len == LINE_MAX_SIZE) /* the kernel's line may stand at the end of one that never ends */
      g_string_erase(watch->line, 0, LINE_MAX_SIZE - LINE_OVERLAP);
  }
}

void kernel_watch_end(KernelWatch *watch, const KernelWatchOps *ops, void *opaque) {
  if (watch->line->len)
    take_line(watch, ops, opaque);
}

const char *kernel_watch_trace(const KernelWatch *watch) {
  return watch->trace->len ? watch->trace->str : NULL;
}

const char *kernel_watch_last_line(const KernelWatch *watch) {
  return watch->last_line;
}

bool kernel_watch_is_talkative(const KernelWatch *watch) {
  return watch->talkative;
}

GArray *kernel_watch_reports(const KernelWatch *watch) {
  return watch->reports;
}
