/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's SMCCC filter: which hypercalls leave the kernel. Linux: Documentation/virt/kvm/devices/vm.rst, 6.
 * KVM_ARM_VM_SMCCC_CTRL.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Whether the kernel has it: Linux 6.4 and later. */
bool smccc_filter_offered(int vm_fd);
/* Installs PLAN (of SmcccRange, from policy_plan). Before any vCPU has run. */
bool smccc_filter_install(int vm_fd, const GArray *plan, GError **error);
