/* SPDX-License-Identifier: Apache-2.0 */
/* At the end of a machine that did not end by itself: which of its vCPUs were stuck. */
#pragma once

#include "devices/guest-memory.h"
#include "vmm/machine/kvm/vcpu.h"

/* A line to the log for each vCPU that is stuck in its exception vectors. None of them runs. */
void stuck_vcpus_tell(const Vcpu *vcpus, unsigned n, const GuestMemory *memory);
