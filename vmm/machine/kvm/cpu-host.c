/* SPDX-License-Identifier: Apache-2.0 */
/* The host's CPU as guests see it: read from a vCPU that is made for this and never runs. No lock: main thread. */
#include "vmm/machine/cpu-host.h"

#include <unistd.h>

#include "vmm/machine/kvm/cpu.h"
#include "vmm/machine/kvm/kvm.h"
#include "vmm/machine/kvm/vcpu.h"

#define IPA_BITS 32 /* no memory: the fewest that KVM takes */

static bool make_vcpu(const Kvm *kvm, const VcpuShared *shared, const CpuTemplate *template, Vcpu *vcpu, GError **error) {
  return cpu_prepare_vm(shared->vm_fd, shared->features, error) && vcpu_create(vcpu, shared, 0, kvm->fd, error) && vcpu_init(vcpu, error) &&
         cpu_configure(vcpu->fd, shared->features, error) && (!template || cpu_apply_template(vcpu->fd, shared->vm_fd, template, error));
}

static CpuTemplate *read_vcpu(const Vcpu *vcpu) {
  CpuTemplate *template = cpu_template_new(g_get_host_name());
  CpuRegister registers[ID_FIELDS];

  cpu_read_registers(vcpu->fd, registers);
  for (unsigned i = 0; i < ID_FIELDS; i++)
    if (registers[i].known)
      template->fields[i] = id_field_get(&id_fields[i], registers[i].value);
  return template;
}

CpuTemplate *cpu_host_read(const Config *config, GError **error) {
  CpuTemplate *template = NULL;
  CpuFeatures features;
  Vcpu vcpu = {.fd = -1};
  Kvm kvm;

  if (!kvm_open(&kvm, error))
    return NULL;
  VcpuShared shared = {.vm_fd = -1, .features = &features};
  if (cpu_features_decide(config_cpu(config), config->cpu_fields, &kvm.cpu, &features, error))
    shared.vm_fd = kvm_create_vm(&kvm, IPA_BITS, error);
  if (shared.vm_fd >= 0 && make_vcpu(&kvm, &shared, config->cpu_fields, &vcpu, error))
    template = read_vcpu(&vcpu);
  vcpu_destroy(&vcpu);
  if (shared.vm_fd >= 0)
    close(shared.vm_fd);
  kvm_close(&kvm);
  return template;
}
