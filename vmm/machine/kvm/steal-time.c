/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A structure of 64 bytes for each vCPU (DEN 0057, 4.1), in its own page of memory: 64 KiB, which is a page for every
 * guest and every host.
 */
#include "vmm/machine/kvm/steal-time.h"

#include <sys/ioctl.h>

#include "vmm/config/layout.h"
#include "vmm/machine/kvm/call.h"

#define STRUCTURE_SIZE 64

bool steal_time_init(GuestRam *page, GuestMemory *memory, GError **error) {
  if (!guest_ram_init(page, LAYOUT.steal_time.size, error))
    return false;
  guest_memory_add(memory, LAYOUT.steal_time.base, page->size, page->host);
  return true;
}

static bool is_offered(const Vcpu *vcpu) {
  const struct kvm_device_attr attribute = {.group = KVM_ARM_VCPU_PVTIME_CTRL, .attr = KVM_ARM_VCPU_PVTIME_IPA};
  return ioctl(vcpu->fd, KVM_HAS_DEVICE_ATTR, &attribute) == 0;
}

bool steal_time_start(Vcpu *vcpus, unsigned n, GError **error) {
  for (unsigned i = 0; i < n && (uint64_t)i * STRUCTURE_SIZE < LAYOUT.steal_time.size && is_offered(&vcpus[i]); i++) {
    uint64_t address = LAYOUT.steal_time.base + (uint64_t)i * STRUCTURE_SIZE;
    if (!kvm_set_attr(vcpus[i].fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, &address, "where a vCPU's stolen time is kept",
                      error))
      return false;
  }
  return true;
}
