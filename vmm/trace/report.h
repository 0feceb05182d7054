/* SPDX-License-Identifier: Apache-2.0 */
/* What `eret trace` makes of a recording. Each writes to a GString or a file and knows nothing of terminals. */
#pragma once

#include "vmm/trace/switches.h"
#include "vmm/trace/symbols.h"

/*
 * --summary: switches by class with count, total, median, 99th percentile; shares of time; devices' queues; the ten
 * places that trap most; losses. SYMBOLS may be NULL.
 */
void trace_summary(GString *out, const TraceSwitches *switches, const Symbols *symbols);

/* The part of the summary that says which vCPUs are stuck in faults at the end; nothing where none is. */
void trace_fault_loops(GString *out, const TraceSwitches *switches, const Symbols *symbols);

/* The part about devices: their queues, and what else happened; nothing where they did nothing. */
void trace_devices(GString *out, const TraceSwitches *switches);

/* --explain: one line a switch, in words, as a learner reads it. */
void trace_explain(GString *out, const TraceSwitches *switches, const Symbols *symbols);
/* The line of one, without its end of line: also what the page shows. Times only in the last part: ", 3.1 us". */
void trace_explain_switch(GString *out, const TraceSwitches *switches, const TraceSwitch *one, const Symbols *symbols);

/*
 * --chrome: Trace Event Format (JSON) for Perfetto and chrome://tracing. A track a vCPU with slices guest, kernel,
 * userspace; devices' requests; marks.
 */
void trace_chrome(GString *out, const TraceSwitches *switches, const Symbols *symbols);

/* --html: one self-contained page. */
void trace_html(GString *out, const TraceSwitches *switches, const Symbols *symbols);
