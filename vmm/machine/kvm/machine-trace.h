/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine's user sees of its work: --stats, --record, the timeline. Part of machine.c's object; see there for
 * its life. Without either flag only the timeline is kept.
 */
#pragma once

#include "vmm/base/output-file.h"
#include "vmm/base/tell.h"
#include "vmm/boot/kernel.h"
#include "vmm/config/board.h"
#include "vmm/machine/kvm/kvm-stats.h"
#include "vmm/machine/kvm/shortcuts.h"
#include "vmm/machine/kvm/vcpu.h"
#include "vmm/machine/platform.h"
#include "vmm/observe/device-counts.h"
#include "vmm/observe/stats.h"

typedef struct {
  const Config *config;
  Tell tell;
  OutputFile *stats_file; /* of --stats; NULL: none, or standard error */
  Timeline *timeline;
  Recorder *recorder;            /* NULL: no --record */
  const KvmShortcuts *shortcuts; /* NULL: none */
  DeviceCounts *devices;         /* NULL: neither flag */
  unsigned n_vcpus;              /* of those that are watched; 0: neither flag */
  ExitCounts **counts;           /* a vCPU each; over all boots */
  VcpuWatch *watches;
  GArray **kvm_before; /* a vCPU each, of StatsCounter: of the boots that are over */
  GArray *vm_before;   /* of StatsCounter */
  unsigned boots;

  /* One boot. */
  KvmStats **kvm_stats; /* a vCPU each, or NULL */
  KvmStats *vm_stats;
} MachineTrace;

/* Before any thread of the machine is made: from here on KVM's events of all of them are recorded. */
bool machine_trace_init(MachineTrace *trace, const Config *config, Tell tell, GError **error);
void machine_trace_clear(MachineTrace *trace);

/* What devices report to, or NULL. */
DeviceWatch *machine_trace_devices(MachineTrace *trace);
/* The board and the platform are known: facts and the address map go into the recording. */
void machine_trace_describe(MachineTrace *trace, const Board *board, const Platform *platform, const KernelImage *kernel);
/* VCPUS of the new boot exist and have not run. */
void machine_trace_begin_boot(MachineTrace *trace, Vcpu *vcpus, unsigned n, int vm_fd);
/* They are joined, and about to be destroyed. */
void machine_trace_end_boot(MachineTrace *trace);

/*
 * Prints what --stats asked for, as it is now; without --stats says that there is none. On standard error it waits at
 * most WAIT_MS for a reader that takes nothing (-1: for ever). False: its file could not be written, which is logged.
 */
bool machine_trace_print(MachineTrace *trace, const Platform *platform, int wait_ms);
/* Nothing runs any more: the recording is completed. False: it could not be written. */
bool machine_trace_finish(MachineTrace *trace, GError **error);
