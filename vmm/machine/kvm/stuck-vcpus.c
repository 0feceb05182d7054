/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the registers that say whether a vCPU is stuck, and tells of it. On the main thread, while no vCPU runs. */
#include "vmm/machine/kvm/stuck-vcpus.h"

#include "vmm/machine/kvm/regs.h"
#include "vmm/observe/stuck.h"

#define SCTLR_M  (UINT64_C(1) << 0)
#define TOLD_MAX 4 /* vCPUs: the others have the same trouble */

static bool read_registers(int fd, StuckRegisters *registers, uint64_t *sctlr) {
  return reg_get(fd, REG_PC, &registers->pc) && reg_get(fd, REG_PSTATE, &registers->pstate) && reg_get(fd, REG_ELR_EL1, &registers->elr) &&
         reg_get(fd, REG_ESR_EL1, &registers->esr) && reg_get(fd, REG_FAR_EL1, &registers->far) &&
         reg_get(fd, REG_VBAR_EL1, &registers->vbar) && reg_get(fd, REG_SCTLR_EL1, sctlr);
}

void stuck_vcpus_tell(const Vcpu *vcpus, unsigned n, const GuestMemory *memory) {
  StuckRegisters registers;
  unsigned told = 0;
  uint64_t sctlr;

  for (unsigned i = 0; i < n && told < TOLD_MAX; i++) {
    if (!read_registers(vcpus[i].fd, &registers, &sctlr) || !stuck_in_vectors(&registers))
      continue;
    /* With the MMU on, a virtual address alone says nothing of memory. */
    bool has_memory = sctlr & SCTLR_M || guest_memory_slice(memory, registers.elr, sizeof(uint32_t));
    g_autofree char *text = stuck_describe(vcpus[i].index, &registers, has_memory);
    g_message("the guest is stuck: %s", text);
    told++;
  }
}
