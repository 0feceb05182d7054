/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a recording while a machine runs: eret's own events from any thread, and KVM's tracepoints where the kernel
 * lets us. Whoever adds an event never waits for the disk: events lie in a bounded buffer that the recorder's own
 * thread writes out; what does not fit is counted as lost.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/observe/record.h"

typedef struct Recorder Recorder;

/*
 * Creates FILE. LIMIT: bytes the file may have; records beyond are counted as lost. KERNEL: with
 * KVM's tracepoints of the threads that this process makes from now on; where that is not possible the message that
 * says why is kept as the fact "kvm-events", logged, and eret's own events are recorded alone.
 */
Recorder *recorder_new(const char *path, uint64_t limit, bool kernel, GError **error);
/* What was added, and what will be, goes into the file from now on; again, it does nothing. Takes NULL. */
bool recorder_begin(Recorder *recorder, GError **error);
/* The directory that it uses by its path; NULL: none. Takes NULL. */
const char *recorder_kernel_place(const Recorder *recorder);
/*
 * The rest is written and the file completed. False: the file could not be written (the disk is full ...), and is cut
 * off. No thread adds events any more. TAKES the recorder; NULL is fine.
 */
bool recorder_finish(Recorder *recorder, GError **error);

/* All of these from any thread. */
TraceString recorder_text(Recorder *recorder, const char *text); /* the same text gives the same number; NULL gives 0 */
void recorder_add(Recorder *recorder, const TraceRecord *record);
void recorder_fact(Recorder *recorder, const char *key, const char *value);
void recorder_region(Recorder *recorder, const char *name, uint64_t base, uint64_t size);
/* The calling thread runs vCPU INDEX from now on: KVM's events on it are that vCPU's. */
void recorder_this_is_vcpu(Recorder *recorder, unsigned index);

/* ns, CLOCK_MONOTONIC: the clock of every record. */
uint64_t trace_now(void);
