/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arm64 Linux says on its console when something is wrong (kernels 5.10 to 7.x: kernel/panic.c,
 * arch/arm64/kernel/traps.c, arch/arm64/mm/fault.c, init/initramfs.c, lib/bug.c, mm/oom_kill.c and the debugging
 * facilities). Pure functions of one line; the guest is hostile, so nothing is believed beyond that line.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

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

/*
 * The text behind "<6>", "[    1.234567] " and "[   T12] ". *TIMED: there was a time before it, as there is before the
 * kernel's own lines.
 */
const char *kernel_line_text(const char *line, bool *timed);
/* TEXT: as above. */
KernelLine kernel_line_kind(const char *text);
/* Where in a line without times a panic or an oops begins, if it does not begin the line; NULL: nowhere. */
const char *kernel_line_inside(const char *line);
/*
 * Whether a kernel with this command line writes news (KERN_INFO) on its console, as far as that tells (Linux: quiet,
 * loglevel, debug, ignore_loglevel).
 */
bool kernel_tells_news(const char *command_line);
/* The reason in a line of KERNEL_LINE_PANIC or KERNEL_LINE_OOPS; points into TEXT. */
const char *kernel_line_reason(const char *text);
/* What facility reports something in TEXT: "WARNING", "KASAN", "RCU stall" ...; NULL: none. */
const char *kernel_line_report(const char *text);
/*
 * The first functions of the call trace in TRACE (lines), without those that only print it: "a < b < c", at most 5.
 * NULL: there is none.
 */
char *kernel_trace_fingerprint(const char *trace);
