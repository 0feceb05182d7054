/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's tracepoints, through an instance of the kernel's trace facilities of our own (tracefs: Linux
 * Documentation/trace/ftrace.rst), so that nobody else's tracing is disturbed. Only threads of this process are traced:
 * the machine's vCPUs, and whoever injects interrupts into it.
 */
#pragma once

#include <glib.h>

#include "vmm/observe/record.h"

typedef struct KernelEvents KernelEvents;

/*
 * From now on, for this thread and all that it makes. NULL: not possible; the error says what is missing and what to
 * do.
 */
KernelEvents *kernel_events_open(GError **error);
void kernel_events_free(KernelEvents *events); /* takes NULL */
/* On the thread itself: it runs vCPU INDEX. */
void kernel_events_this_is_vcpu(KernelEvents *events, unsigned index);
/* The directory below which it goes on to use files, by their paths: a text that lasts. */
const char *kernel_events_place(void);
/* No new events; those that are there can still be drained. */
void kernel_events_stop(KernelEvents *events);
/* Hands over what has arrived, in order of time. Not from two threads at once. */
void kernel_events_drain(KernelEvents *events, void (*take)(void *opaque, const TraceRecord *record), void *opaque);
/* Events that the kernel's buffer lost so far. */
uint64_t kernel_events_lost(KernelEvents *events);
