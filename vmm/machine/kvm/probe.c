/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks KVM what it can do: capabilities, device types, attributes, and what only a vCPU knows. The VM and its vCPUs
 * never run. Linux: Documentation/virt/kvm/api.rst. Capabilities newer than Debian 12's headers (Linux 6.1) are numbers
 * of the kernel's fixed interface.
 */
#include "vmm/machine/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/kvm.h"
#include "vmm/machine/kvm/regs.h"

/* include/uapi/linux/kvm.h of Linux 7.3. */
enum {
  CAP_ARM_DIRTY_RING = 223, /* KVM_CAP_DIRTY_LOG_RING_ACQ_REL */
  CAP_DIRTY_RING_WITH_BITMAP = 225,
  CAP_COUNTER_OFFSET = 227,
  CAP_GUEST_MEMFD = 234,
  CAP_WRITABLE_IMP_ID_REGS = 239,
  CAP_PMU_V3_STRICT = 251,
  DEVICE_VGIC_V5 = 16, /* KVM_DEV_TYPE_ARM_VGIC_V5 */
};
#define IPA_BITS_MIN    32 /* api.rst, KVM_CREATE_VM: what every host has */
#define IPA_BITS_LEGACY 40 /* of VM type 0, before KVM_CAP_ARM_VM_IPA_SIZE (4.20) */

typedef struct {
  int capability;
  size_t offset; /* of a bool in KvmFacts */
} Capability;

static const Capability capabilities[] = {
    {KVM_CAP_ARM_SVE, offsetof(KvmFacts, sve)},
    {KVM_CAP_ARM_MTE, offsetof(KvmFacts, mte)},
    {KVM_CAP_ARM_PMU_V3, offsetof(KvmFacts, pmu)},
    {CAP_PMU_V3_STRICT, offsetof(KvmFacts, pmu_strict)},
    {KVM_CAP_STEAL_TIME, offsetof(KvmFacts, steal_time)},
    {KVM_CAP_ARM_EL1_32BIT, offsetof(KvmFacts, aarch32)},
    {KVM_CAP_ARM_EL2, offsetof(KvmFacts, el2)},
    {KVM_CAP_ARM_EL2_E2H0, offsetof(KvmFacts, el2_e2h0)},
    {CAP_DIRTY_RING_WITH_BITMAP, offsetof(KvmFacts, dirty_ring_with_bitmap)},
    {CAP_GUEST_MEMFD, offsetof(KvmFacts, guest_memfd)},
    {KVM_CAP_ARM_NISV_TO_USER, offsetof(KvmFacts, nisv)},
    {CAP_COUNTER_OFFSET, offsetof(KvmFacts, counter_offset)},
    {KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, offsetof(KvmFacts, writable_id_regs)},
    {CAP_WRITABLE_IMP_ID_REGS, offsetof(KvmFacts, writable_implementation)},
    {KVM_CAP_ARM_SYSTEM_SUSPEND, offsetof(KvmFacts, system_suspend)},
    {KVM_CAP_PTP_KVM, offsetof(KvmFacts, ptp)},
    {KVM_CAP_READONLY_MEM, offsetof(KvmFacts, read_only_memory)},
    {KVM_CAP_BINARY_STATS_FD, offsetof(KvmFacts, statistics)},
};

static void probe_capabilities(KvmFacts *facts, int vm_fd) {
  for (unsigned i = 0; i < G_N_ELEMENTS(capabilities); i++)
    *(bool *)((char *)facts + capabilities[i].offset) = kvm_check(vm_fd, capabilities[i].capability) != 0;
  facts->pauth = kvm_check(vm_fd, KVM_CAP_ARM_PTRAUTH_ADDRESS) && kvm_check(vm_fd, KVM_CAP_ARM_PTRAUTH_GENERIC);
  facts->max_cpus = MAX(1u, kvm_check(vm_fd, KVM_CAP_MAX_VCPUS));
  facts->dirty_ring = kvm_check(vm_fd, CAP_ARM_DIRTY_RING);
  facts->breakpoints = kvm_check(vm_fd, KVM_CAP_GUEST_DEBUG_HW_BPS);
  facts->watchpoints = kvm_check(vm_fd, KVM_CAP_GUEST_DEBUG_HW_WPS);
  facts->gic_v2 = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2);
  facts->gic_v3 = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3);
  facts->its = kvm_offers_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_ITS);
  facts->gic_v5 = kvm_offers_device(vm_fd, DEVICE_VGIC_V5);
  facts->smccc_filter = kvm_offers_smccc_filter(vm_fd);
}

static int create_vm(int kvm_fd) {
  unsigned limit = kvm_check(kvm_fd, KVM_CAP_ARM_VM_IPA_SIZE);
  int fd;

  do
    fd = ioctl(kvm_fd, KVM_CREATE_VM, limit ? KVM_VM_TYPE_ARM_IPA_SIZE(MIN(limit, IPA_BITS_MIN)) : 0UL);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/*
 * Reads register ID of a vCPU with FEATURES, on a VM of its own: features are a VM's. VALUE stays as it is where there
 * is no such register. 0, or the errno of making the vCPU.
 */
static int ask_vcpu(int kvm_fd, uint32_t features, uint64_t id, uint64_t *value) {
  int vm_fd = create_vm(kvm_fd), vcpu_fd = vm_fd < 0 ? -1 : ioctl(vm_fd, KVM_CREATE_VCPU, 0UL);
  struct kvm_vcpu_init init;
  bool made = vcpu_fd >= 0 && ioctl(vm_fd, KVM_ARM_PREFERRED_TARGET, &init) == 0;

  init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2 | features;
  made = made && ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init) == 0;
  int reason = made ? 0 : errno;
  if (made)
    reg_get(vcpu_fd, id, value);
  if (vcpu_fd >= 0)
    close(vcpu_fd);
  if (vm_fd >= 0)
    close(vm_fd);
  return reason;
}

static void probe_vcpus(KvmFacts *facts, int kvm_fd) {
  uint64_t psci_version = 0, lengths[KVM_ARM64_SVE_VLS_WORDS] = {0};

  facts->vcpu_error = ask_vcpu(kvm_fd, 0, KVM_REG_ARM_PSCI_VERSION, &psci_version);
  facts->psci_version = (uint32_t)psci_version;
  /* The lengths are known between KVM_ARM_VCPU_INIT and KVM_ARM_VCPU_FINALIZE. */
  if (facts->sve)
    ask_vcpu(kvm_fd, 1u << KVM_ARM_VCPU_SVE, KVM_REG_ARM64_SVE_VLS, lengths);
  facts->sve_lengths = (uint32_t)lengths[0]; /* 16 quadwords at most */
}

static void probe_vm(KvmFacts *facts, int kvm_fd) {
  int vm_fd = create_vm(kvm_fd);

  if (vm_fd < 0) {
    facts->vm_error = errno;
    return;
  }
  unsigned limit = kvm_check(kvm_fd, KVM_CAP_ARM_VM_IPA_SIZE);
  facts->ipa_bits = limit ? limit : IPA_BITS_LEGACY;
  probe_capabilities(facts, vm_fd);
  close(vm_fd);
  probe_vcpus(facts, kvm_fd);
}

void kvm_probe(KvmFacts *facts) {
  *facts = (KvmFacts){.built = true, .api_version = -1};
  int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    facts->open_error = errno;
    return;
  }
  facts->api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
  facts->api_known = facts->api_version == KVM_API_VERSION;
  if (facts->api_known)
    probe_vm(facts, fd);
  close(fd);
}
