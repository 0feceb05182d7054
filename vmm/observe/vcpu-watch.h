/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is seen of one vCPU's thread: when KVM_RUN is entered and left, and what the exit was about. It feeds the counts
 * of --stats and the recording of --record; without either a vCPU has none, and its loop only compares a pointer with
 * NULL.
 *
 * All calls on the vCPU's thread.
 */
#pragma once

#include "vmm/observe/exit-counts.h"
#include "vmm/observe/recorder.h"

typedef struct {
  unsigned index;
  ExitCounts *counts; /* NULL: nobody counts */
  Recorder *recorder; /* NULL: nobody records */
  uint64_t entered;   /* ns: the last KVM_RUN */
  bool open;          /* KVM_RUN has returned; the exit is not counted yet */
  ExitSite site;
  uint64_t run_ns;
  TraceRecord record;
} VcpuWatch;

void vcpu_watch_init(VcpuWatch *watch, unsigned index, ExitCounts *counts, Recorder *recorder);
/* The thread begins; it ends, or will not run the vCPU for a while. */
void vcpu_watch_begin(VcpuWatch *watch);
void vcpu_watch_end(VcpuWatch *watch);

/* Just before KVM_RUN, and just behind it: with REASON, or, when it failed, ERROR_NUMBER (else 0). */
void vcpu_watch_enter(VcpuWatch *watch);
void vcpu_watch_return(VcpuWatch *watch, uint32_t reason, int error_number);

/* What the exit was about; at most one of these between return and enter. Names live as long as the machine. */
void vcpu_watch_mmio(VcpuWatch *watch, const char *device, const char *reg, uint64_t address, unsigned size, bool write, uint64_t value);
void vcpu_watch_hypercall(VcpuWatch *watch, const char *service, uint32_t function, bool smc, uint64_t result);
void vcpu_watch_system_event(VcpuWatch *watch, const char *event);
