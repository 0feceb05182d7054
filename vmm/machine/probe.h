/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What KVM answers when it is asked what it can do. Nothing here fails: a refusal is an answer too.
 * vmm/machine/kvm/probe.c asks; in a build for another processor vmm/machine/none/machine.c has nobody to ask. No lock:
 * asked once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  bool built;      /* this program can talk to KVM */
  int open_error;  /* errno of opening /dev/kvm; 0: it is open */
  int api_version; /* KVM_API_VERSION is 12; -1: it is not KVM */
  bool api_known;  /* and it is the one that eret speaks */
  int vm_error;    /* errno of KVM_CREATE_VM; the rest is only known where it is 0 */
  int vcpu_error;  /* errno of the first throw-away vCPU, made or initialised */

  unsigned ipa_bits; /* of guest physical address */
  unsigned max_cpus;
  bool gic_v2, gic_v3, its, gic_v5;
  bool smccc_filter;
  uint32_t psci_version; /* major << 16 | minor; 0: not known */

  /* What a guest's CPUs could have. */
  bool sve, pauth, mte, pmu, pmu_strict, steal_time, aarch32, el2, el2_e2h0;
  uint32_t sve_lengths; /* bit N: vectors of (N + 1) * 128 bits; the longest are 2048 */
  unsigned breakpoints, watchpoints;

  /* What a monitor could use. */
  uint64_t dirty_ring; /* bytes; 0: none */
  bool dirty_ring_with_bitmap, guest_memfd, nisv, counter_offset, writable_id_regs, writable_implementation, system_suspend, ptp;
  bool read_only_memory, statistics;
} KvmFacts;

/* Asks the KVM of this machine, on a VM and vCPUs that are gone afterwards. */
void kvm_probe(KvmFacts *facts);
