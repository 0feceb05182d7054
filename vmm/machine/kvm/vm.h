/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One boot of a machine on KVM: the VM, its GIC and its vCPUs. A reboot of the guest makes all of it anew, so that
 * nothing of the kernel's state survives one. No lock: main thread.
 */
#pragma once

#include "vmm/config/board.h"
#include "vmm/machine/kvm/gic.h"
#include "vmm/machine/kvm/kvm.h"
#include "vmm/machine/kvm/vcpu.h"

typedef struct {
  int fd; /* -1: none */
  Gic gic;
  VcpuShared shared;
  Vcpu *vcpus; /* of the board's number, or NULL */
  unsigned n_vcpus;
} Vm;

#define VM_NONE ((Vm){.fd = -1, .gic = {-1, -1}})

/*
 * Makes all of it, with the vCPUs in their power-on state and not running; VCPUS is what they share, but for its vm_fd.
 * TEMPLATE may be NULL. SMCCC (of SmcccRange): which calls leave the kernel; NULL: KVM has no filter. After a failure
 * vm_destroy takes what there is.
 */
bool vm_create(Vm *vm, const Kvm *kvm, const Board *board, const CpuTemplate *template, const GArray *smccc, const VcpuShared *vcpus,
               GError **error);
/*
 * Refuses a kernel that is built for pages of PAGE_SIZE bytes (0: it does not say) where the vCPUs have no such pages;
 * KERNEL is its name.
 */
bool vm_check_page_size(const Vm *vm, unsigned page_size, const char *kernel, GError **error);
bool vm_start(Vm *vm, GError **error);
/* Tells all vCPUs to leave KVM_RUN, and not to come back to it. */
void vm_stop(Vm *vm);
void vm_join(Vm *vm);    /* waits for their threads */
void vm_destroy(Vm *vm); /* stopped and joined */
