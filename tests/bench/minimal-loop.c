/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that runs a guest: one vCPU, one memory slot, the kernel's interrupt controller (without one KVM takes a
 * slower way through its timers), and a loop that does nothing on an exit but what the call itself needs. What a round
 * trip costs here is what it costs at all, on this machine and this kernel; a monitor can only add to it.
 *
 *   minimal-loop IMAGE      IMAGE: a flat program, loaded where its header wants it (512 KiB above the start of memory)
 *
 * Writes to the UART's data register go to standard output, which is outside of what is measured. Linux:
 * Documentation/virt/kvm/api.rst.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"

#define RAM_BASE    0x40000000ull
#define RAM_SIZE    (4ull << 20)
#define TEXT_OFFSET 0x80000ull
#define UARTDR      0x09000000ull
#define GIC_DIST    0x08000000ull
#define GIC_REDIST  0x080a0000ull /* GICv3 */
#define GIC_CPU     0x08010000ull /* GICv2 */
#define DOORBELL    0x0a000050ull /* QueueNotify of a virtio-mmio device */

/* SMC Calling Convention (DEN 0028): the function IDs that eret takes, docs/hypercalls.md. */
#define FORWARD_BASE 0xc6004500u
#define FORWARD_SIZE 0x100u

#define CORE_REG(member) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(member))

static int must(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
  return result;
}

static void set_register(int vcpu, uint64_t id, uint64_t value) {
  struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)(uintptr_t)&value};
  must(ioctl(vcpu, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

static void forward_hypercalls(int vm) {
  struct kvm_smccc_filter filter = {.base = FORWARD_BASE, .nr_functions = FORWARD_SIZE, .action = KVM_SMCCC_FILTER_FWD_TO_USER};
  struct kvm_device_attr attr = {.group = KVM_ARM_VM_SMCCC_CTRL, .attr = KVM_ARM_VM_SMCCC_FILTER, .addr = (uint64_t)(uintptr_t)&filter};

  if (ioctl(vm, KVM_SET_DEVICE_ATTR, &attr) < 0)
    fprintf(stderr, "minimal-loop: this kernel forwards no hypercalls\n");
}

static bool create_gic(int vm, uint32_t type, uint64_t second, uint64_t second_type) {
  struct kvm_create_device gic = {.type = type};
  uint64_t dist = GIC_DIST;
  struct kvm_device_attr address = {.group = KVM_DEV_ARM_VGIC_GRP_ADDR, .addr = (uint64_t)(uintptr_t)&dist};
  struct kvm_device_attr second_address = {.group = KVM_DEV_ARM_VGIC_GRP_ADDR, .attr = second_type, .addr = (uint64_t)(uintptr_t)&second};
  struct kvm_device_attr init = {.group = KVM_DEV_ARM_VGIC_GRP_CTRL, .attr = KVM_DEV_ARM_VGIC_CTRL_INIT};

  if (ioctl(vm, KVM_CREATE_DEVICE, &gic) < 0)
    return false;
  address.attr = type == KVM_DEV_TYPE_ARM_VGIC_V3 ? KVM_VGIC_V3_ADDR_TYPE_DIST : KVM_VGIC_V2_ADDR_TYPE_DIST;
  must(ioctl((int)gic.fd, KVM_SET_DEVICE_ATTR, &address), "the GIC's distributor");
  must(ioctl((int)gic.fd, KVM_SET_DEVICE_ATTR, &second_address), "the GIC's second region");
  must(ioctl((int)gic.fd, KVM_SET_DEVICE_ATTR, &init), "the GIC");
  return true;
}

static void *drain(void *data) {
  uint64_t count;

  while (read((int)(intptr_t)data, &count, sizeof count) == sizeof count)
    continue;
  return NULL;
}

/* A thread that is woken by the doorbell, and goes back to sleep. */
static void start_doorbell(int vm) {
  int fd = must(eventfd(0, EFD_CLOEXEC), "eventfd");
  struct kvm_ioeventfd request = {.addr = DOORBELL, .len = sizeof(uint32_t), .fd = fd};
  pthread_t thread;

  must(ioctl(vm, KVM_IOEVENTFD, &request), "KVM_IOEVENTFD");
  must(-pthread_create(&thread, NULL, drain, (void *)(intptr_t)fd), "a thread");
}

static void load(const char *path, unsigned char *ram) {
  int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
  must((int)read(fd, ram + TEXT_OFFSET, RAM_SIZE - TEXT_OFFSET), path);
  close(fd);
}

static int run(int vcpu, struct kvm_run *shared) {
  for (;;) {
    must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    switch (shared->exit_reason) {
    case KVM_EXIT_MMIO:
      if (shared->mmio.phys_addr == UARTDR && shared->mmio.is_write)
        putchar(shared->mmio.data[0]);
      break;
    case KVM_EXIT_HYPERCALL:
      set_register(vcpu, CORE_REG(regs.regs[0]), 0);
      break;
    case KVM_EXIT_SYSTEM_EVENT:
      return 0;
    default:
      fprintf(stderr, "minimal-loop: exit %u\n", shared->exit_reason);
      return 1;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: minimal-loop IMAGE\n");
    return 2;
  }
  int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  unsigned char *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ram == MAP_FAILED)
    must(-1, "memory");
  load(argv[1], ram);

  struct kvm_userspace_memory_region region = {
      .guest_phys_addr = RAM_BASE, .memory_size = RAM_SIZE, .userspace_addr = (uint64_t)(uintptr_t)ram};
  must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
  forward_hypercalls(vm);
  start_doorbell(vm);

  int vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  struct kvm_vcpu_init init;
  must(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
  init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
  must(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
  if (!create_gic(vm, KVM_DEV_TYPE_ARM_VGIC_V3, GIC_REDIST, KVM_VGIC_V3_ADDR_TYPE_REDIST) &&
      !create_gic(vm, KVM_DEV_TYPE_ARM_VGIC_V2, GIC_CPU, KVM_VGIC_V2_ADDR_TYPE_CPU))
    must(-1, "KVM_CREATE_DEVICE");
  set_register(vcpu, CORE_REG(regs.pc), RAM_BASE + TEXT_OFFSET);

  int size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *shared = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (shared == MAP_FAILED)
    must(-1, "the vCPU's shared memory");
  return run(vcpu, shared);
}
