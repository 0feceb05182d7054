/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offset between the host's counter and the guest's is the whole VM's, and can be set while no vCPU is looked at.
 */
#include "vmm/machine/kvm/pause.h"

#include <sys/ioctl.h>

#include "vmm/machine/kvm/regs.h"

#define NEAR (UINT64_C(1) << 22) /* counts that may well pass between two looks: 4 ms at 1 GHz */

static uint64_t host_count(void) {
  uint64_t count;

  __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
  return count;
}

void pause_begin(Pause *pause, Gate *gate, Vcpu *vcpus, unsigned n) {
  gate_close(gate);
  for (unsigned i = 0; i < n; i++)
    vcpu_interrupt(&vcpus[i]);
  gate_wait(gate);
  pause->known = reg_get(vcpus[0].fd, KVM_REG_ARM_TIMER_CNT, &pause->count);
}

static bool set_offset(int vm_fd, uint64_t offset) {
  const struct kvm_arm_counter_offset request = {.counter_offset = offset};
  return ioctl(vm_fd, KVM_ARM_SET_COUNTER_OFFSET, &request) == 0;
}

/*
 * Where the host is itself a guest, its counter as we read it may have an offset that KVM's has not: what comes of the
 * first try shows it.
 */
static void set_count(int vm_fd, int vcpu_fd, uint64_t wanted) {
  uint64_t offset = host_count() - wanted, count;

  if (!set_offset(vm_fd, offset) || !reg_get(vcpu_fd, KVM_REG_ARM_TIMER_CNT, &count) || count - wanted < NEAR)
    return;
  set_offset(vm_fd, offset + (count - wanted));
}

void pause_end(const Pause *pause, Gate *gate, Vcpu *vcpus, int vm_fd) {
  if (pause->known)
    set_count(vm_fd, vcpus[0].fd, pause->count);
  gate_open(gate);
}
