/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and printing a vCPU's registers. To be used by the vCPU's own thread, or while it does not run. */
#include "vmm/machine/kvm/regs.h"

#include <sys/ioctl.h>

#include "devices/exit-path.h"
#include "vmm/arm/esr.h"

ON_EXIT_PATH bool reg_get(int vcpu_fd, uint64_t id, uint64_t *value) {
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)value};
  return ioctl(vcpu_fd, KVM_GET_ONE_REG, &request) == 0;
}

ON_EXIT_PATH bool reg_set(int vcpu_fd, uint64_t id, uint64_t value) {
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&value};
  return ioctl(vcpu_fd, KVM_SET_ONE_REG, &request) == 0;
}

static const struct {
  const char *name;
  uint64_t id;
} special[] = {
    {"pc", REG_PC},           {"pstate", REG_PSTATE},   {"sp_el0", REG_SP},         {"sp_el1", REG_SP_EL1},
    {"elr_el1", REG_ELR_EL1}, {"far_el1", REG_FAR_EL1}, {"vbar_el1", REG_VBAR_EL1}, {"sctlr_el1", REG_SCTLR_EL1},
};

static void append_register(GString *text, int vcpu_fd, const char *name, uint64_t id, unsigned place) {
  uint64_t value;

  if (reg_get(vcpu_fd, id, &value))
    g_string_append_printf(text, "%10s %016" G_GINT64_MODIFIER "x%s", name, value, place % 4 == 3 ? "\n" : "");
}

char *regs_describe(int vcpu_fd) {
  GString *text = g_string_new(NULL);
  uint64_t esr;

  for (unsigned i = 0; i < G_N_ELEMENTS(special); i++)
    append_register(text, vcpu_fd, special[i].name, special[i].id, i);
  for (unsigned n = 0; n <= 30; n++) {
    g_autofree char *name = g_strdup_printf("x%u", n);
    append_register(text, vcpu_fd, name, REG_X(n), n);
  }
  if (reg_get(vcpu_fd, REG_ESR_EL1, &esr)) {
    g_autofree char *decoded = esr_describe(esr);
    g_string_append_printf(text, "\n  esr_el1 %s", decoded);
  }
  return g_string_free(text, FALSE);
}
