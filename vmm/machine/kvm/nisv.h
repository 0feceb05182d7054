/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses outside RAM that KVM leaves to us: see nisv.c. */
#pragma once

#include "vmm/machine/kvm/vcpu.h"

/* Carries out the instruction, or gives the guest an external abort. On the vCPU's thread. */
Verdict exit_nisv(Vcpu *vcpu);
