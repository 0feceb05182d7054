/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that stands still: no vCPU runs, no request is in flight, and the guest's counter does not go on, so that
 * it notices nothing but the clock on the host's wall. Linux: KVM_ARM_SET_COUNTER_OFFSET (6.4 and later; before it, the
 * guest sees its counter jump). Main thread.
 */
#pragma once

#include "vmm/machine/kvm/gate.h"
#include "vmm/machine/kvm/vcpu.h"

typedef struct {
  bool known;     /* the count, */
  uint64_t count; /* CNTVCT_EL0 of the guest, when it was stopped */
} Pause;

/* Returns when no vCPU runs any more. */
void pause_begin(Pause *pause, Gate *gate, Vcpu *vcpus, unsigned n);
void pause_end(const Pause *pause, Gate *gate, Vcpu *vcpus, int vm_fd);
