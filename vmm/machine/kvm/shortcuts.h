/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shortcuts on KVM: memory that stands for registers is a read-only memory slot, writes that may be deferred wait in
 * KVM's coalesced MMIO ring. Linux: Documentation/virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION (KVM_MEM_READONLY),
 * KVM_REGISTER_COALESCED_MMIO.
 */
#pragma once

#include "devices/bus.h"
#include "devices/shortcuts.h"

typedef struct KvmShortcuts KvmShortcuts;

KvmShortcuts *kvm_shortcuts_new(void);
void kvm_shortcuts_free(KvmShortcuts *shortcuts); /* takes NULL */

/* What devices are handed. */
Shortcuts *kvm_shortcuts_base(KvmShortcuts *shortcuts);
/* Late writes go to the devices of BUS, which must be there before the first vCPU runs. */
void kvm_shortcuts_set_bus(KvmShortcuts *shortcuts, Bus *bus);

/*
 * Another VM: from now on everything asked for so far, and later, is in force there. SHARED is what a vCPU of it shares
 * with the kernel (mmap of its descriptor) and SIZE its bytes. What the VM cannot do it goes without.
 */
void kvm_shortcuts_connect(KvmShortcuts *shortcuts, int vm_fd, void *shared, size_t size);
/* No vCPU runs: deferred writes are carried out. The VM may be closed. */
void kvm_shortcuts_disconnect(KvmShortcuts *shortcuts);

/*
 * Carries out the writes that are deferred, if any, before what the vCPU has come with. Any thread that holds no
 * device's lock. Takes NULL.
 */
void kvm_shortcuts_catch_up(KvmShortcuts *shortcuts);
/* Writes that were deferred, so far; 0 of NULL. */
uint64_t kvm_shortcuts_deferred_writes(const KvmShortcuts *shortcuts);
