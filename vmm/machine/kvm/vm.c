/* SPDX-License-Identifier: Apache-2.0 */
/* The VM and what is in it, in the order in which KVM wants it made. Linux: Documentation/virt/kvm/api.rst. */
#include "vmm/machine/kvm/vm.h"

#include <unistd.h>

#include "vmm/machine/kvm/cpu.h"
#include "vmm/machine/kvm/regs.h"
#include "vmm/machine/kvm/smccc.h"
#include "vmm/machine/kvm/steal-time.h"
#include "vmm/machine/machine.h"

static bool create_vcpus(Vm *vm, const VmParts *parts, GError **error) {
  vm->n_vcpus = parts->board->cpus;
  vm->vcpus = g_new(Vcpu, vm->n_vcpus);
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    vm->vcpus[i] = (Vcpu){.fd = -1};
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!vcpu_create(&vm->vcpus[i], &vm->shared, i, parts->kvm->fd, error))
      return false;
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!vcpu_init(&vm->vcpus[i], error))
      return false;
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!cpu_configure(vm->vcpus[i].fd, vm->shared.features, error))
      return false;
  return (!parts->template || cpu_apply_template(vm->vcpus[0].fd, vm->fd, parts->template, error)) &&
         (!vm->shared.features->steal_time || steal_time_start(vm->vcpus, vm->n_vcpus, error));
}

static bool start_pmus(const Vm *vm, GError **error) {
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!cpu_start_pmu(vm->vcpus[i].fd, error))
      return false;
  return true;
}

bool vm_create(Vm *vm, const VmParts *parts, GError **error) {
  *vm = VM_NONE;
  vm->fd = kvm_create_vm(parts->kvm, parts->board->ipa_bits, error);
  if (vm->fd < 0)
    return false;
  vm->shared = parts->vcpus;
  vm->shared.vm_fd = vm->fd;
  kvm_take_accesses_without_syndrome(vm->fd);
  kvm_offer_suspend(vm->fd);
  return cpu_prepare_vm(vm->fd, vm->shared.features, error) && kvm_map_memory(vm->fd, vm->shared.memory, error) &&
         (!parts->smccc || smccc_filter_install(vm->fd, parts->smccc, error)) && create_vcpus(vm, parts, error) &&
         gic_create(&vm->gic, vm->fd, parts->board, vm->shared.features->el2, error) &&
         (!vm->shared.features->pmu || start_pmus(vm, error));
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
  for (unsigned i = 0; i < vm->n_vcpus; i++)
    if (!vcpu_start(&vm->vcpus[i], error))
      return false;
  return true;
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
