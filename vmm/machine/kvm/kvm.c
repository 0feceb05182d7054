/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/kvm and the VM descriptor. Linux: Documentation/virt/kvm/api.rst; devices/vm.rst for attributes.
 * No lock: used while a machine is made and between its boots, on the main thread.
 */
#include "vmm/machine/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/cpu.h"
#include "vmm/machine/machine.h"

#define DEVICE_PATH     "/dev/kvm"
#define IPA_BITS_LEGACY 40 /* of VM type 0, on kernels without KVM_CAP_ARM_VM_IPA_SIZE (before 4.20) */

/* Whether KVM has started. Its module, which is always built in, is there even where it has not. */
static bool kvm_runs(void) {
  g_autofree char *devices = NULL;
  return g_file_get_contents("/proc/misc", &devices, NULL, NULL) && g_regex_match_simple("^ *\\d+ kvm$", devices, G_REGEX_MULTILINE, 0);
}

/* Why there is no usable /dev/kvm, in words, with what to do. */
static char *explain_missing(int error_number) {
  switch (error_number) {
  case ENOENT:
    if (kvm_runs())
      return g_strdup("cannot open " DEVICE_PATH
                      ": no such file, although the kernel has KVM; it was not given to this container: start the container with "
                      "--device /dev/kvm");
    return g_strdup(
        "cannot open " DEVICE_PATH
        ": no such file: KVM did not start on this kernel. `eret doctor` says more; most often Linux was entered at EL1 instead of "
        "EL2: in a virtual machine turn on nested virtualisation in the outer one, on a board update its firmware");
  case EACCES:
  case EPERM:
    return g_strdup("cannot open " DEVICE_PATH
                    ": permission denied; add yourself to the group that owns it (sudo usermod -aG kvm $USER, then log "
                    "in again) or run as root");
  case ENODEV:
  case ENXIO:
    return g_strdup("cannot open " DEVICE_PATH
                    ": the device is there but no KVM answers; load the kernel's kvm support, see `dmesg | grep -i kvm`");
  default:
    return g_strdup_printf("cannot open " DEVICE_PATH ": %s", g_strerror(error_number));
  }
}

bool kvm_offers_smccc_filter(int vm_fd) {
  /* KVM_CAP_VM_ATTRIBUTES is 0 on arm64 although the attributes work: the attribute itself has to be asked for. */
  return kvm_has_attr(vm_fd, KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER);
}

/* Interrupt controllers can only be asked for on a VM. */
static bool probe_vm(Kvm *kvm, GError **error) {
  int vm_fd = kvm_create_vm(kvm, MIN(kvm->ipa_limit, IPA_BITS_LEGACY), error);

  if (vm_fd < 0)
    return false;
  kvm->gic_v2 = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2);
  kvm->gic_v3 = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3);
  kvm->its = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_ITS);
  kvm->smccc_filter = kvm_offers_smccc_filter(vm_fd);
  close(vm_fd);
  return true;
}

bool kvm_open(Kvm *kvm, GError **error) {
  memset(kvm, 0, sizeof *kvm);
  kvm->fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
  if (kvm->fd < 0) {
    g_autofree char *why = explain_missing(errno);
    g_set_error_literal(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM, why);
    return false;
  }
  int version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION) {
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM, DEVICE_PATH " is not KVM as this program knows it (API version %d, not %d)",
                version, KVM_API_VERSION);
    kvm_close(kvm);
    return false;
  }
  kvm->ipa_limit = kvm_check(kvm->fd, KVM_CAP_ARM_VM_IPA_SIZE);
  kvm->max_cpus = MAX(1u, kvm_check(kvm->fd, KVM_CAP_MAX_VCPUS));
  cpu_probe(&kvm->cpu, kvm->fd);
  if (!probe_vm(kvm, error)) {
    kvm_close(kvm);
    return false;
  }
  return true;
}

void kvm_close(Kvm *kvm) {
  if (kvm->fd >= 0)
    close(kvm->fd);
  kvm->fd = -1;
}

bool kvm_choose_gic(const Kvm *kvm, GicVersion wanted, GicVersion *chosen, GError **error) {
  bool v3 = kvm->gic_v3 && kvm->its;

  if (wanted == GIC_AUTO)
    wanted = v3 ? GIC_V3 : GIC_V2;
  *chosen = wanted;
  if (wanted == GIC_V3 ? v3 : kvm->gic_v2)
    return true;
  g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST, "KVM on this host offers no GICv%d to guests; it offers %s%s%s", wanted,
              v3 ? "GICv3 (--gic 3)" : "", kvm->gic_v2 ? "GICv2 (--gic 2)" : "",
              v3 || kvm->gic_v2 ? "" : "none: its interrupt controller has no virtualisation support");
  return false;
}

unsigned kvm_ipa_bits_max(const Kvm *kvm) {
  return kvm->ipa_limit ? kvm->ipa_limit : IPA_BITS_LEGACY;
}

int kvm_create_vm(const Kvm *kvm, unsigned ipa_bits, GError **error) {
  int vm_fd = ioctl(kvm->fd, KVM_CREATE_VM, kvm->ipa_limit ? KVM_VM_TYPE_ARM_IPA_SIZE(ipa_bits) : 0UL);
  if (vm_fd < 0)
    kvm_fail(error, "cannot create a VM (KVM_CREATE_VM)");
  return vm_fd;
}

bool kvm_map_memory(int vm_fd, const GuestMemory *memory, GError **error) {
  for (unsigned i = 0; i < memory->n_regions; i++) {
    const GuestMemoryRegion *region = &memory->regions[i];
    struct kvm_userspace_memory_region slot = {
        .slot = i,
        .guest_phys_addr = region->base,
        .memory_size = region->size,
        .userspace_addr = (uintptr_t)region->host,
    };
    if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
      return kvm_fail(error, "cannot give the VM its memory (KVM_SET_USER_MEMORY_REGION)");
  }
  return true;
}
