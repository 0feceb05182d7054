/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM as an object: /dev/kvm, what it can do, and one VM. Every failure is a GError of MACHINE_ERROR that names the
 * step and the reason. Linux: Documentation/virt/kvm/api.rst.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/guest-memory.h"
#include "vmm/config/config.h"
#include "vmm/cpu/features.h"

typedef struct {
  int fd;
  unsigned ipa_limit; /* bits of guest physical address that a VM may have */
  unsigned max_cpus;
  bool gic_v2, gic_v3, its; /* what KVM_CREATE_DEVICE offers */
  CpuOffer cpu;             /* what CPUs may be given */
  bool smccc_filter;        /* hypercalls can be forwarded: Linux 6.4 and later */
} Kvm;

/* Opens /dev/kvm and probes it. NO_KVM errors say which of the known causes it is and its cure. */
bool kvm_open(Kvm *kvm, GError **error);
void kvm_close(Kvm *kvm);

/* GIC_AUTO: the best that is there. An error names what the host offers. */
bool kvm_choose_gic(const Kvm *kvm, GicVersion wanted, GicVersion *chosen, GError **error);

/* A new VM with IPA_BITS of address space, at most kvm_ipa_bits_max; its descriptor, or -1. */
int kvm_create_vm(const Kvm *kvm, unsigned ipa_bits, GError **error);
/* How many bits of guest physical address a VM can have. */
unsigned kvm_ipa_bits_max(const Kvm *kvm);
/* KVM's SMCCC filter, by which hypercalls leave the kernel: Linux 6.4 and later. */
bool kvm_offers_smccc_filter(int vm_fd);
/* Gives the VM its RAM: one memory slot a region. */
bool kvm_map_memory(int vm_fd, const GuestMemory *memory, GError **error);
