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
#include "vmm/machine/elsewhere.h"
#include "vmm/machine/kvm/shortcuts.h"
#include "vmm/machine/kvm/vcpu.h"
#include "vmm/observe/device-counts.h"
#include "vmm/observe/stats.h"

/* KVM's own counts of a VM or a vCPU. */
typedef struct KvmStats KvmStats;

typedef struct {
  ExitCounts *counts; /* over all boots; NULL: nobody counts */
  VcpuWatch watch;
  GArray *kvm_before;  /* of StatsCounter: of the boots that are over */
  KvmStats *kvm_stats; /* of this boot, or NULL */
} WatchedVcpu;

typedef struct {
  const Config *config;
  Tell tell;
  OutputFile *stats_file; /* of --stats; NULL: none, or standard error */
  Timeline *timeline;
  Recorder *recorder;            /* NULL: no --record */
  const KvmShortcuts *shortcuts; /* NULL: none */
  DeviceCounts *devices;         /* NULL: neither flag */
  Elsewhere *elsewhere;          /* NULL: neither flag, or before there are devices */
  unsigned n_vcpus;              /* of those that are watched; 0: neither flag */
  WatchedVcpu *vcpus;
  GArray *vm_before;  /* of StatsCounter: the VM's, as kvm_before */
  KvmStats *vm_stats; /* of this boot, or NULL */
  unsigned boots;
} MachineTrace;

/* Before any thread of the machine is made, and makes none: from here on KVM's events of all of them are recorded. */
bool machine_trace_init(MachineTrace *trace, const Config *config, Tell tell, GError **error);
void machine_trace_clear(MachineTrace *trace);

/* What devices report to, or NULL. */
DeviceWatch *machine_trace_devices(MachineTrace *trace);
/* The board and the platform are known: facts and the address map go into the recording. */
void machine_trace_describe(MachineTrace *trace, const Board *board, const Platform *platform, const KernelImage *kernel,
                            const char *sandbox);
/* Statistics go to a file, as JSON. */
bool machine_trace_writes_json(const MachineTrace *trace);
/* The directory that it goes on to use by its path; NULL: none. */
const char *machine_trace_place(const MachineTrace *trace);
/* Threads may be made: the recording begins; once is enough. */
bool machine_trace_begin(MachineTrace *trace, GError **error);
/* VCPUS of the new boot exist and have not run. */
void machine_trace_begin_boot(MachineTrace *trace, Vcpu *vcpus, unsigned n, int vm_fd);
/* They are joined, and about to be destroyed; the platform is there. */
void machine_trace_end_boot(MachineTrace *trace);

/*
 * Prints what --stats asked for, as it is now; without --stats says that there is none. On standard error it waits at
 * most WAIT_MS for a reader that takes nothing (-1: for ever). False: its file could not be written, which is logged.
 */
bool machine_trace_print(MachineTrace *trace, const Platform *platform, int wait_ms);
/* Nothing runs any more: the recording is completed. False: it could not be written. */
bool machine_trace_finish(MachineTrace *trace, GError **error);
