/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <linux/kvm.h>, with what Debian 12's headers (Linux 6.1) do not have yet. The interface is the kernel's and fixed:
 * each piece is defined only where the header does not define it, and whether the running kernel has it is asked at run
 * time.
 */
#pragma once

#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>

/* Linux 6.4: arch/arm64/include/uapi/asm/kvm.h and Documentation/virt/kvm/devices/vm.rst, 6. */
#ifndef KVM_ARM_SET_COUNTER_OFFSET
struct kvm_arm_counter_offset {
  uint64_t counter_offset;
  uint64_t reserved;
};
#define KVM_ARM_SET_COUNTER_OFFSET _IOW(KVMIO, 0xb5, struct kvm_arm_counter_offset)
#endif

#ifndef KVM_ARM_VM_SMCCC_CTRL
#define KVM_ARM_VM_SMCCC_CTRL   0
#define KVM_ARM_VM_SMCCC_FILTER 0

enum kvm_smccc_filter_action {
  KVM_SMCCC_FILTER_HANDLE = 0,
  KVM_SMCCC_FILTER_DENY,
  KVM_SMCCC_FILTER_FWD_TO_USER,
};

struct kvm_smccc_filter {
  uint32_t base;
  uint32_t nr_functions;
  uint8_t action;
  uint8_t pad[15];
};
#endif

/* Linux 6.7: include/uapi/linux/kvm.h, arch/arm64/include/uapi/asm/kvm.h; api.rst, 4.139. */
#ifndef KVM_ARM_GET_REG_WRITABLE_MASKS
#define KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES 230
#define KVM_ARM_FEATURE_ID_RANGE              0
#define KVM_ARM_FEATURE_ID_RANGE_SIZE         (3 * 8 * 8)

struct reg_mask_range {
  uint64_t addr; /* of KVM_ARM_FEATURE_ID_RANGE_SIZE masks of 64 bits */
  uint32_t range;
  uint32_t reserved[13];
};
#define KVM_ARM_GET_REG_WRITABLE_MASKS _IOR(KVMIO, 0xb6, struct reg_mask_range)
#endif

/* Linux 6.16: include/uapi/linux/kvm.h; devices/arm-vgic-v3.rst, KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ. */
#ifndef KVM_CAP_ARM_EL2
#define KVM_CAP_ARM_EL2 240
#endif
#ifndef KVM_CAP_ARM_EL2_E2H0
#define KVM_CAP_ARM_EL2_E2H0 241
#endif
#ifndef KVM_ARM_VCPU_HAS_EL2_E2H0
#define KVM_ARM_VCPU_HAS_EL2_E2H0 8
#endif
#ifndef KVM_ARM_VCPU_HAS_EL2
#define KVM_ARM_VCPU_HAS_EL2 7
#endif
#ifndef KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ
#define KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ 9
#endif

#ifndef KVM_HYPERCALL_EXIT_SMC
#define KVM_HYPERCALL_EXIT_SMC (1U << 0)
#endif

/* kvm_run.hypercall.flags, which shares its place with `longmode` of older headers: the 64 bits behind `ret`. */
static inline uint64_t kvm_hypercall_flags(const struct kvm_run *run) {
  uint64_t flags;
  memcpy(&flags, (const char *)&run->hypercall.ret + sizeof run->hypercall.ret, sizeof flags);
  return flags;
}
