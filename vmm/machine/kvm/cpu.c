/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU features through KVM. Linux: Documentation/virt/kvm/api.rst, 4.82 (KVM_ARM_VCPU_INIT), 4.68 (KVM_SET_ONE_REG,
 * SVE), 4.119 (KVM_ARM_VCPU_FINALIZE), 4.139 (KVM_ARM_GET_REG_WRITABLE_MASKS), 7.27 (MTE); devices/vcpu.rst, 1 (PMU).
 * ID registers are the VM's, whichever vCPU they are written through, from Linux 6.7 on, the first that lets them be
 * written.
 */
#include "vmm/machine/kvm/cpu.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/base/mistakes.h"
#include "vmm/config/layout.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/regs.h"

/*
 * Where registers with op1 0, 1 and 3 are in the array of masks: three spaces of 8 CRm by 8 op2 (asm/kvm.h,
 * KVM_ARM_FEATURE_ID_RANGE_IDX). op1 is 0 here.
 */
#define MASK_INDEX(encoding) ((encoding)&0x3f)

void cpu_probe(CpuOffer *offer, int kvm_fd) {
  *offer = (CpuOffer){
      .sve = kvm_check(kvm_fd, KVM_CAP_ARM_SVE),
      .pauth = kvm_check(kvm_fd, KVM_CAP_ARM_PTRAUTH_ADDRESS) && kvm_check(kvm_fd, KVM_CAP_ARM_PTRAUTH_GENERIC),
      .pmu = kvm_check(kvm_fd, KVM_CAP_ARM_PMU_V3),
      .steal_time = kvm_check(kvm_fd, KVM_CAP_STEAL_TIME),
      .mte = kvm_check(kvm_fd, KVM_CAP_ARM_MTE),
      .el2 = kvm_check(kvm_fd, KVM_CAP_ARM_EL2),
      .el2_e2h0 = kvm_check(kvm_fd, KVM_CAP_ARM_EL2_E2H0),
  };
}

bool cpu_prepare_vm(int vm_fd, const CpuFeatures *features, GError **error) {
  return !features->mte || kvm_enable(vm_fd, KVM_CAP_ARM_MTE) ||
         kvm_fail(error, "cannot turn on memory tagging (KVM_ENABLE_CAP, KVM_CAP_ARM_MTE)");
}

uint32_t cpu_init_bits(const CpuFeatures *features) {
  return (features->sve ? 1u << KVM_ARM_VCPU_SVE : 0) | (features->el2 ? 1u << KVM_ARM_VCPU_HAS_EL2 : 0) |
         (features->el2_e2h0 ? 1u << KVM_ARM_VCPU_HAS_EL2_E2H0 : 0) | (features->pmu ? 1u << KVM_ARM_VCPU_PMU_V3 : 0) |
         (features->pauth ? 1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC : 0);
}

/* The register of lengths is 512 bits; those of the architecture are in the first 16. */
static bool set_sve_lengths(int fd, CpuSveLengths wanted, GError **error) {
  uint64_t lengths[KVM_ARM64_SVE_VLS_WORDS] = {0};
  struct kvm_one_reg request = {.id = KVM_REG_ARM64_SVE_VLS, .addr = (uintptr_t)lengths};
  CpuSveLengths chosen;

  if (ioctl(fd, KVM_GET_ONE_REG, &request) < 0)
    return kvm_fail(error, "cannot read the lengths of SVE vectors (KVM_REG_ARM64_SVE_VLS)");
  if (!cpu_sve_choose(wanted, (CpuSveLengths)lengths[0], &chosen, error))
    return false;
  lengths[0] = chosen;
  return ioctl(fd, KVM_SET_ONE_REG, &request) == 0 || kvm_fail(error, "cannot set the lengths of SVE vectors (KVM_REG_ARM64_SVE_VLS)");
}

bool cpu_configure(int fd, const CpuFeatures *features, GError **error) {
  int feature = KVM_ARM_VCPU_SVE;

  if (!features->sve)
    return true;
  if (features->sve_lengths && !set_sve_lengths(fd, features->sve_lengths, error))
    return false;
  return ioctl(fd, KVM_ARM_VCPU_FINALIZE, &feature) == 0 || kvm_fail(error, "cannot give a vCPU its SVE registers (KVM_ARM_VCPU_FINALIZE)");
}

static uint64_t register_id(const IdField *field) {
  return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | id_field_encoding(field);
}

void cpu_read_registers(int vcpu_fd, CpuRegister registers[ID_FIELDS]) {
  for (unsigned i = 0; i < ID_FIELDS; i++) {
    registers[i] = (CpuRegister){0};
    registers[i].known = reg_get(vcpu_fd, register_id(&id_fields[i]), &registers[i].value);
  }
}

/* False: KVM has no such masks. */
static bool read_masks(int vm_fd, CpuRegister registers[ID_FIELDS]) {
  uint64_t masks[KVM_ARM_FEATURE_ID_RANGE_SIZE] = {0};
  struct reg_mask_range request = {.addr = (uintptr_t)masks, .range = KVM_ARM_FEATURE_ID_RANGE};

  if (!kvm_check(vm_fd, KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES) || ioctl(vm_fd, KVM_ARM_GET_REG_WRITABLE_MASKS, &request) < 0)
    return false;
  for (unsigned i = 0; i < ID_FIELDS; i++)
    registers[i].writable = masks[MASK_INDEX(id_field_encoding(&id_fields[i]))];
  return true;
}

/* Field by field, so that each that KVM refuses can be named. */
static bool write_fields(int vcpu_fd, const CpuTemplate *template, GError **error) {
  g_autoptr(GString) refused = g_string_new(NULL);

  for (unsigned i = 0; i < ID_FIELDS; i++) {
    const IdField *field = &id_fields[i];
    uint64_t value;
    int wanted = template->fields[i];
    if (wanted < 0 || !reg_get(vcpu_fd, register_id(field), &value) || (int)id_field_get(field, value) == wanted)
      continue;
    if (!reg_set(vcpu_fd, register_id(field), id_field_set(field, value, (unsigned)wanted)))
      mistake(refused, "CPU template '%s': KVM refuses %d as %s.%s: %s", template->name, wanted, field->reg, field->name,
              g_strerror(errno));
  }
  if (refused->len)
    g_set_error_literal(error, CPU_ERROR, CPU_ERROR_HOST, refused->str);
  return refused->len == 0;
}

bool cpu_apply_template(int vcpu_fd, int vm_fd, const CpuTemplate *template, GError **error) {
  CpuRegister registers[ID_FIELDS];

  cpu_read_registers(vcpu_fd, registers);
  bool can_write = read_masks(vm_fd, registers);
  g_autofree char *refused = cpu_template_refused(template, registers, can_write);
  if (!refused)
    return write_fields(vcpu_fd, template, error);
  g_set_error_literal(error, CPU_ERROR, CPU_ERROR_HOST, refused);
  return false;
}

bool cpu_start_pmu(int vcpu_fd, GError **error) {
  int interrupt = 16 + LAYOUT_PPI_PMU; /* INTID */

  return kvm_set_attr(vcpu_fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &interrupt, "the PMU's interrupt", error) &&
         kvm_set_attr(vcpu_fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL, "up the PMU; --cpu host,pmu=off does without",
                      error);
}
