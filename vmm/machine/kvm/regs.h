/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of a vCPU through KVM_GET_ONE_REG and KVM_SET_ONE_REG. Linux: Documentation/virt/kvm/api.rst, 4.68. */
#pragma once

#include "vmm/arm/kvm-abi.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Identifiers of 64-bit registers. */
#define REG_CORE(field) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | (offsetof(struct kvm_regs, field) / sizeof(uint32_t)))
#define REG_X(n)        (REG_CORE(regs.regs[0]) + 2 * (n))
#define REG_PC          REG_CORE(regs.pc)
#define REG_SP          REG_CORE(regs.sp)
#define REG_PSTATE      REG_CORE(regs.pstate)
#define REG_ELR_EL1     REG_CORE(elr_el1)
#define REG_SP_EL1      REG_CORE(sp_el1)
#define REG_V(n)                                                                                                                           \
  (KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE | (offsetof(struct kvm_regs, fp_regs.vregs[0]) / sizeof(uint32_t) + 4 * (n)))
#define REG_CPTR_EL2  ARM64_SYS_REG(3, 4, 1, 1, 2)
#define REG_HCR_EL2   ARM64_SYS_REG(3, 4, 1, 1, 0)
#define REG_SCTLR_EL2 ARM64_SYS_REG(3, 4, 1, 0, 0)
#define REG_TTBR0_EL2 ARM64_SYS_REG(3, 4, 2, 0, 0)
#define REG_TTBR1_EL2 ARM64_SYS_REG(3, 4, 2, 0, 1)
#define REG_TCR_EL2   ARM64_SYS_REG(3, 4, 2, 0, 2)
#define REG_SP_EL2    ARM64_SYS_REG(3, 6, 4, 1, 0)
#define REG_CPACR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 2)
#define REG_TTBR0_EL1 ARM64_SYS_REG(3, 0, 2, 0, 0)
#define REG_TTBR1_EL1 ARM64_SYS_REG(3, 0, 2, 0, 1)
#define REG_TCR_EL1   ARM64_SYS_REG(3, 0, 2, 0, 2)
/* Of both regimes with EL0, EL1's and EL2's. Not every CPU has them. */
#define REG_TCR2(el2)        ARM64_SYS_REG(3, (el2) ? 4 : 0, 2, 0, 3)
#define REG_PIRE0(el2)       ARM64_SYS_REG(3, (el2) ? 4 : 0, 10, 2, 2)
#define REG_PIR(el2)         ARM64_SYS_REG(3, (el2) ? 4 : 0, 10, 2, 3)
#define REG_POR(el2)         ARM64_SYS_REG(3, (el2) ? 4 : 0, 10, 2, 4)
#define REG_POR_EL0          ARM64_SYS_REG(3, 3, 10, 2, 4)
#define REG_ESR_EL1          ARM64_SYS_REG(3, 0, 5, 2, 0)
#define REG_FAR_EL1          ARM64_SYS_REG(3, 0, 6, 0, 0)
#define REG_VBAR_EL1         ARM64_SYS_REG(3, 0, 12, 0, 0)
#define REG_SCTLR_EL1        ARM64_SYS_REG(3, 0, 1, 0, 0)
#define REG_CLIDR_EL1        ARM64_SYS_REG(3, 1, 0, 0, 1)
#define REG_ID_AA64MMFR0_EL1 ARM64_SYS_REG(3, 0, 0, 7, 0)

/* False with errno set. The vCPU must not be running. */
bool reg_get(int vcpu_fd, uint64_t id, uint64_t *value);
bool reg_set(int vcpu_fd, uint64_t id, uint64_t value);

/*
 * All that helps to see what a stopped vCPU was doing: general registers, PC, PSTATE and the decoded EL1 syndrome;
 * several lines.
 */
char *regs_describe(int vcpu_fd);
