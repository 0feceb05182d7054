/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --stats shows: counts of one machine at one moment, gathered by the machine (vmm/machine/kvm/machine-trace.c),
 * and their two forms: a text for people and JSON for programs. docs/statistics.md has the JSON's members.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "vmm/observe/device-counts.h"
#include "vmm/observe/exit-counts.h"
#include "vmm/observe/timeline.h"

/* A counter of KVM's own (KVM_GET_STATS_FD). */
typedef struct {
  char name[48];
  uint64_t value;
} StatsCounter;

typedef struct {
  unsigned index;
  GArray *sites; /* of ExitSite */
  uint64_t run_ns, user_ns;
  GArray *kvm; /* of StatsCounter; empty where the kernel has none */
} StatsVcpu;

/* All that concerns one device. */
typedef struct {
  const char *name;
  uint64_t exits, ns;      /* MMIO exits, and the time that they spent in userspace */
  const DeviceCount *work; /* NULL: it told of none */
} StatsDevice;

typedef struct {
  GArray *vcpus;               /* of StatsVcpu */
  GArray *kvm;                 /* of StatsCounter: the VM's */
  GArray *devices;             /* of DeviceCount */
  GArray *timeline;            /* of TimelineEntry */
  unsigned boots;              /* over which it counts */
  uint64_t deferred_writes;    /* that had no exit of their own */
  uint64_t unclaimed, refused; /* accesses to the bus that nobody took, or took so */
} Stats;

Stats *stats_new(void);
void stats_free(Stats *stats); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stats, stats_free)

/* Adds MORE to the counter NAME of COUNTERS (of StatsCounter). */
void stats_counter_add(GArray *counters, const char *name, uint64_t more);
/* All vCPUs together; its arrays are new. Clear with stats_vcpu_clear. */
StatsVcpu stats_total(const Stats *stats);
void stats_vcpu_clear(gpointer vcpu);
/* Of StatsDevice, those with most time first. TOTAL is stats_total's; both must outlive it. */
GArray *stats_devices(const Stats *stats, const StatsVcpu *total);

char *stats_text(const Stats *stats); /* free with g_free, both */
char *stats_json(const Stats *stats);
