/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's own statistics of a VM or a vCPU: KVM_GET_STATS_FD. Linux: Documentation/virt/kvm/api.rst, 4.133. Needs no
 * privilege; Linux 5.14 and later.
 */
#pragma once

#include <glib.h>

typedef struct KvmStats KvmStats;

/*
 * Of the VM or vCPU behind FD; NULL where the kernel has none. Before a vCPU runs: while it does, KVM answers no other
 * ioctl on it. Reading is possible at any time, also when FD is closed.
 */
KvmStats *kvm_stats_open(int fd);
void kvm_stats_free(KvmStats *stats); /* takes NULL */
/* Adds every counter as it is now to COUNTERS (of StatsCounter). Histograms are left out. NULL adds nothing. */
void kvm_stats_add(const KvmStats *stats, GArray *counters);
