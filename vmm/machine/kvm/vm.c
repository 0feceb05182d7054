/* SPDX-License-Identifier: Apache-2.0 */
/* The VM and what is in it, in the order in which KVM wants it made. Linux: Documentation/virt/kvm/api.rst. */
#include "vmm/machine/kvm/vm.h"

#include <unistd.h>

#include "vmm/config/layout.h"
#include "vmm/hypercall/policy.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/cpu.h"
#include "vmm/machine/kvm/regs.h"
#include "vmm/machine/machine.h"

#define STEAL_TIME_SIZE 64 /* of a vCPU's structure: DEN 0057, 4.1 */

G_STATIC_ASSERT((int)SMCCC_KERNEL == KVM_SMCCC_FILTER_HANDLE);
G_STATIC_ASSERT((int)SMCCC_DENY == KVM_SMCCC_FILTER_DENY);
G_STATIC_ASSERT((int)SMCCC_FORWARD == KVM_SMCCC_FILTER_FWD_TO_USER);

/*
 * Which hypercalls leave the kernel. A range is added once and for good, so a VM gets its whole PLAN (of SmcccRange)
 * before it runs. Linux: devices/vm.rst, 6. KVM_ARM_VM_SMCCC_CTRL.
 */
static bool install_smccc_filter(int vm_fd, const GArray *plan, GError **error) {
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

/*
 * Stolen time: what a vCPU wanted to run and could not, because the host ran something else. KVM, if it keeps it at
 * all, writes it to a vCPU's part of a page that the guest finds by hypercall; `st` in its top(1). Arm DEN 0057
 * (Paravirtualized Time for Arm-based Systems); Linux: devices/vcpu.rst, 3.
 */
static bool start_steal_time(Vcpu *vcpu, GError **error) {
  uint64_t offset = (uint64_t)vcpu->index * STEAL_TIME_SIZE, address = LAYOUT.steal_time.base + offset;

  return offset >= LAYOUT.steal_time.size || !kvm_has_attr(vcpu->fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA) ||
         kvm_set_attr(vcpu->fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, &address, "where a vCPU's stolen time is kept", error);
}

static bool configure(Vcpu *vcpu, GError **error) {
  return cpu_configure(vcpu->fd, vcpu->shared->features, error);
}

static bool start_pmu(Vcpu *vcpu, GError **error) {
  return cpu_start_pmu(vcpu->fd, error);
}

static bool each_vcpu(const Vm *vm, bool (*step)(Vcpu *vcpu, GError **error), GError **error) {
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!step(&vm->vcpus[i], error))
      return false;
  return true;
}

static bool create_vcpus(Vm *vm, int kvm_fd, unsigned n, const CpuTemplate *template, GError **error) {
  vm->n_vcpus = n;
  vm->vcpus = g_new(Vcpu, n);
  for (unsigned i = 0; i < n; i++)
    vm->vcpus[i] = (Vcpu){.fd = -1};
  for (unsigned i = 0; i < n; i++)
    if (!vcpu_create(&vm->vcpus[i], &vm->shared, i, kvm_fd, error))
      return false;
  return each_vcpu(vm, vcpu_init, error) && each_vcpu(vm, configure, error) &&
         (!template || cpu_apply_template(vm->vcpus[0].fd, vm->fd, template, error)) &&
         (!vm->shared.features->steal_time || each_vcpu(vm, start_steal_time, error));
}

bool vm_create(Vm *vm, const Kvm *kvm, const Board *board, const CpuTemplate *template, const GArray *smccc, const VcpuShared *vcpus,
               GError **error) {
  *vm = VM_NONE;
  vm->fd = kvm_create_vm(kvm, board->ipa_bits, error);
  if (vm->fd < 0)
    return false;
  vm->shared = *vcpus;
  vm->shared.vm_fd = vm->fd;
  /*
   * Accesses outside RAM that KVM cannot emulate become KVM_EXIT_ARM_NISV. Where KVM has no such thing (before Linux
   * 5.5, protected VMs), KVM_RUN fails with ENOSYS.
   */
  kvm_enable(vm->fd, KVM_CAP_ARM_NISV_TO_USER);
  /* PSCI SYSTEM_SUSPEND is offered to the guest, and becomes a system event (Linux 5.19 and later). */
  kvm_enable(vm->fd, KVM_CAP_ARM_SYSTEM_SUSPEND);
  return cpu_prepare_vm(vm->fd, vm->shared.features, error) && kvm_map_memory(vm->fd, vm->shared.memory, error) &&
         (!smccc || install_smccc_filter(vm->fd, smccc, error)) && create_vcpus(vm, kvm->fd, board->cpus, template, error) &&
         gic_create(&vm->gic, vm->fd, board, vm->shared.features->el2, error) &&
         (!vm->shared.features->pmu || each_vcpu(vm, start_pmu, error));
}

bool vm_check_page_size(const Vm *vm, unsigned page_size, const char *kernel, GError **error) {
  /*
   * ID_AA64MMFR0_EL1: TGran16 is bits 23:20 (0: no), TGran64 bits 27:24 and TGran4 bits 31:28 (0xf: no). Arm ARM D24.2.
   */
  uint64_t mmfr0;

  if (page_size == 0 || !reg_get(vm->vcpus[0].fd, REG_ID_AA64MMFR0_EL1, &mmfr0))
    return true;
  bool offered = page_size == 4096    ? (mmfr0 >> 28 & 0xf) != 0xf
                 : page_size == 16384 ? (mmfr0 >> 20 & 0xf) != 0
                                      : (mmfr0 >> 24 & 0xf) != 0xf;
  if (!offered)
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST,
                "%s is built for pages of %u KiB, which this host's CPU does not offer; use a kernel built for another page size", kernel,
                page_size / 1024);
  return offered;
}

bool vm_start(Vm *vm, GError **error) {
  return each_vcpu(vm, vcpu_start, error);
}

void vm_stop(Vm *vm) {
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    vcpu_kick(&vm->vcpus[i]);
}

void vm_join(Vm *vm) {
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    vcpu_join(&vm->vcpus[i]);
}

void vm_destroy(Vm *vm) {
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    vcpu_destroy(&vm->vcpus[i]);
  g_free(vm->vcpus);
  gic_destroy(&vm->gic);
  if (vm->fd >= 0)
    close(vm->fd);
  *vm = VM_NONE;
}
