/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's CPUs as they were decided on (vmm/cpu/), brought into KVM. The steps have an order: cpu_prepare_vm before
 * vCPUs are created; the vCPUs' features with KVM_ARM_VCPU_INIT (vcpu.c); cpu_configure and
 * cpu_apply_template behind it; cpu_start_pmu once the GIC is up. Main thread, before any vCPU runs.
 */
#pragma once

#include "vmm/cpu/features.h"

/* What KVM gives guests here. */
void cpu_probe(CpuOffer *offer, int kvm_fd);

bool cpu_prepare_vm(int vm_fd, const CpuFeatures *features, GError **error);
/* The bits of KVM_ARM_VCPU_INIT. */
uint32_t cpu_init_bits(const CpuFeatures *features);
/* Vector lengths and KVM_ARM_VCPU_FINALIZE, of a vCPU that is initialised. */
bool cpu_configure(int vcpu_fd, const CpuFeatures *features, GError **error);
/* ID registers, which are the VM's, by one of its vCPUs. All are configured. */
bool cpu_apply_template(int vcpu_fd, int vm_fd, const CpuTemplate *template, GError **error);
bool cpu_start_pmu(int vcpu_fd, GError **error);

/* The ID registers of a vCPU, field by field. */
void cpu_read_registers(int vcpu_fd, CpuRegister registers[ID_FIELDS]);
