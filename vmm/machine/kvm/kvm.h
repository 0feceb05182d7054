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
/*
 * Accesses outside RAM that KVM cannot emulate become KVM_EXIT_ARM_NISV. Where KVM has no such thing (before Linux 5.5,
 * protected VMs), KVM_RUN fails with ENOSYS.
 */
void kvm_take_accesses_without_syndrome(int vm_fd);
/* PSCI SYSTEM_SUSPEND is offered to the guest, and becomes a system event (Linux 5.19 and later). */
void kvm_offer_suspend(int vm_fd);
/* Gives the VM its RAM: one memory slot a region. */
bool kvm_map_memory(int vm_fd, const GuestMemory *memory, GError **error);
