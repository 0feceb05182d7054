/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a kernel's console as it comes: finds the lines in which the kernel says that something is wrong, wherever in a
 * line of somebody else's they begin, and keeps the traces that follow. What such a line means for the run is not
 * decided here: it is text, and a guest can write any. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/exec/kernel-log.h"

typedef struct KernelWatch KernelWatch;

KernelWatch *kernel_watch_new(void);
void kernel_watch_free(KernelWatch *watch); /* takes NULL */

typedef struct {
  /*
   * A line of the kernel's, or, of kind KERNEL_LINE_OTHER, one that may be anybody's. TEXT begins where the kernel's
   * does.
   */
  void (*line)(void *opaque, KernelLine kind, const char *text, bool of_kernel);
} KernelWatchOps;

/* Bytes in any pieces. OPS->line is called for each line that they complete. */
void kernel_watch_feed(KernelWatch *watch, const void *bytes, size_t size, const KernelWatchOps *ops, void *opaque);
/* Nothing more will come: what there is of a line counts as one. */
void kernel_watch_end(KernelWatch *watch, const KernelWatchOps *ops, void *opaque);

/* The trace that is running is complete. */
void kernel_watch_end_trace(KernelWatch *watch);
/* A place in what has been kept of traces so far, and the way back to it: what has been kept since is forgotten. */
size_t kernel_watch_mark(const KernelWatch *watch);
void kernel_watch_forget(KernelWatch *watch, size_t mark);

/* The kept traces, whole, printable; NULL: none. The watch's. */
const char *kernel_watch_trace(const KernelWatch *watch);
/* The last line that was not empty, printable; NULL: none. The watch's. */
const char *kernel_watch_last_line(const KernelWatch *watch);
/* Whether lines came that the kernel writes in every boot, unless it was told to keep such news to itself. */
bool kernel_watch_is_talkative(const KernelWatch *watch);
/* Of KernelReport; the watch's. */
GArray *kernel_watch_reports(const KernelWatch *watch);

/* What the kernel's debugging facilities have reported: kind and how often. */
typedef struct {
  const char *kind; /* a constant */
  unsigned count;
} KernelReport;
