/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installing the plan for hypercalls in KVM. A range is added once and for good, so a VM gets its whole plan before it
 * runs.
 */
#include "vmm/machine/kvm/smccc.h"

#include <sys/ioctl.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/hypercall/policy.h"
#include "vmm/machine/kvm/call.h"

G_STATIC_ASSERT((int)SMCCC_KERNEL == KVM_SMCCC_FILTER_HANDLE);
G_STATIC_ASSERT((int)SMCCC_DENY == KVM_SMCCC_FILTER_DENY);
G_STATIC_ASSERT((int)SMCCC_FORWARD == KVM_SMCCC_FILTER_FWD_TO_USER);

bool smccc_filter_offered(int vm_fd) {
  /* KVM_CAP_VM_ATTRIBUTES is 0 on arm64 although the attributes work: the attribute itself has to be asked for. */
  struct kvm_device_attr request = {.group = KVM_ARM_VM_SMCCC_CTRL, .attr = KVM_ARM_VM_SMCCC_FILTER};
  return ioctl(vm_fd, KVM_HAS_DEVICE_ATTR, &request) == 0;
}

bool smccc_filter_install(int vm_fd, const GArray *plan, GError **error) {
  for (unsigned i = 0; i < plan->len; i++) {
    const SmcccRange *range = &g_array_index(plan, SmcccRange, i);
    struct kvm_smccc_filter filter = {
        .base = range->first,
        .nr_functions = range->last - range->first + 1,
        .action = (uint8_t)range->action,
    };
    g_autofree char *what = g_strdup_printf("the SMCCC filter for 0x%08x-0x%08x (%s)", range->first, range->last, range->origin);
    if (!kvm_set_attr(vm_fd, KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER, &filter, what, error))
      return false;
  }
  return true;
}
