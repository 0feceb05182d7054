/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a kernel's console as it comes: finds the lines in which arm64 Linux says that something is wrong, wherever in
 * a line of somebody else's they begin, and keeps the traces that follow (kernels 5.10 to 7.x: kernel/panic.c,
 * arch/arm64/kernel/traps.c, arch/arm64/mm/fault.c, init/initramfs.c, lib/bug.c, mm/oom_kill.c and the debugging
 * facilities). What such a line means for the run is not decided here: it is text, and a guest can write any. No lock:
 * one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
  KERNEL_LINE_OTHER,
  KERNEL_LINE_TRACE_START, /* the first line of what may become an oops: "Unable to handle", "cut here", "BUG:" */
  KERNEL_LINE_OOPS,        /* "Internal error: ..." */
  KERNEL_LINE_TRACE_END,   /* "---[ end trace" */
  KERNEL_LINE_PANIC,       /* "Kernel panic - not syncing: ..." */
  KERNEL_LINE_PANIC_END,   /* "---[ end Kernel panic" */
  KERNEL_LINE_OOM_KILL,    /* "Out of memory: Killed process", "Memory cgroup out of memory" */
  KERNEL_LINE_UNPACK_FULL, /* "Initramfs unpacking failed: write error" */
  KERNEL_LINE_INIT,        /* "Run /init as init process", or what only follows it */
  KERNEL_LINE_INFO,        /* what every kernel says on its way there, as news of the same level as "Run /init" */
} KernelLine;

/* Of one line, pure: nothing is believed beyond it. */

/*
 * The text behind "<6>", "[    1.234567] " and "[   T12] ". *TIMED: there was a time before it, as there is before the
 * kernel's own lines.
 */
const char *kernel_line_text(const char *line, bool *timed);
/* The reason in such a text of KERNEL_LINE_PANIC or KERNEL_LINE_OOPS; points into TEXT. */
const char *kernel_line_reason(const char *text);
/* What facility reports something in TEXT: "WARNING", "KASAN", "RCU stall" ...; NULL: none. */
const char *kernel_line_report(const char *text);
/*
 * Whether a kernel with this command line writes news (KERN_INFO) on its console, as far as that tells (Linux: quiet,
 * loglevel, debug, ignore_loglevel).
 */
bool kernel_tells_news(const char *command_line);
/*
 * The first functions of the call trace in TRACE (lines), "sysrq_handle_crash < __handle_sysrq < ...", at most 5,
 * without those that only print it: the same crash has the same. NULL: there is none, or no TRACE. Free with g_free.
 */
char *kernel_trace_fingerprint(const char *trace);

/* Of the stream. */

/* What the kernel's debugging facilities have reported: kind and how often. */
typedef struct {
  const char *kind; /* a constant */
  unsigned count;
} KernelReport;

/*
 * A line of the kernel's, or, of kind KERNEL_LINE_OTHER, one that may be anybody's. TEXT begins where the kernel's
 * does.
 */
typedef void KernelLineSeen(void *opaque, KernelLine kind, const char *text, bool of_kernel);

typedef struct {
  KernelLineSeen *seen;
  void *opaque;
  GString *line;       /* that is not complete yet */
  char *last_line;     /* that was not empty, printable; NULL: none */
  bool timed;          /* the kernel puts times before its lines */
  bool talkative;      /* lines came that it writes in every boot, unless it was told to keep such news to itself */
  GString *trace;      /* what is kept of traces, whole, printable */
  GString *candidate;  /* what may become more of it; empty: no trace is running */
  bool candidate_oops; /* there was an oops or a panic in it */
  GArray *reports;     /* of KernelReport */
} KernelWatch;

void kernel_watch_init(KernelWatch *watch, KernelLineSeen *seen, void *opaque);
void kernel_watch_clear(KernelWatch *watch);

/* Bytes in any pieces. SEEN is called for each line that they complete. */
void kernel_watch_feed(KernelWatch *watch, const void *bytes, size_t size);
/* Nothing more will come: what there is of a line counts as one. */
void kernel_watch_end(KernelWatch *watch);

/* The trace that is running is complete. */
void kernel_watch_end_trace(KernelWatch *watch);
/* What has been kept of traces since there were MARK bytes of them is forgotten. */
void kernel_watch_forget(KernelWatch *watch, size_t mark);
