/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time: what a vCPU wanted to run and could not, because the host ran something else. KVM writes it to a page
 * that the guest finds by hypercall; `st` in its top(1). Arm DEN 0057 (Paravirtualized Time for Arm-based Systems);
 * Linux: Documentation/virt/kvm/devices/vcpu.rst, 3. No lock: main thread, before vCPUs run.
 */
#pragma once

#include "devices/guest-memory.h"
#include "vmm/machine/kvm/vcpu.h"
#include "vmm/machine/memory.h"

/* The page, at its place beside RAM in MEMORY. */
bool steal_time_init(GuestRam *page, GuestMemory *memory, GError **error);
/* Each vCPU gets its part of the page, if KVM keeps stolen time at all. */
bool steal_time_start(Vcpu *vcpus, unsigned n, GError **error);
