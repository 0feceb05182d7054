/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-kernel GIC: GICv3 with an ITS, or GICv2. Linux: Documentation/virt/kvm/devices/arm-vgic-v3.rst,
 * arm-vgic-its.rst and arm-vgic.rst. Order matters to KVM: vCPUs first, then addresses and number of interrupts, then
 * CTRL_INIT. No lock: main thread.
 */
#include "vmm/machine/kvm/gic.h"

#include <unistd.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/kvm/call.h"

/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: number of redistributors in bits 63:52, address, flags 0, index in bits 11:0. */
#define REDIST_REGION(count, base, index) ((uint64_t)(count) << 52 | (base) | (index))

static bool set_address(int fd, uint64_t type, uint64_t address, const char *what, GError **error) {
  return kvm_set_attr(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, type, &address, what, error);
}

static bool set_irqs_and_init(int fd, GError **error) {
  uint32_t n_irqs = LAYOUT_GIC_IRQS;
  return kvm_set_attr(fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n_irqs, "the GIC's number of interrupts", error) &&
         kvm_set_attr(fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, "up the GIC", error);
}

static bool create_v2(Gic *gic, int vm_fd, GError **error) {
  gic->fd = kvm_create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2, "GICv2", error);
  return gic->fd >= 0 &&
         set_address(gic->fd, KVM_VGIC_V2_ADDR_TYPE_DIST, LAYOUT.gic_distributor.base, "the GIC distributor's address", error) &&
         set_address(gic->fd, KVM_VGIC_V2_ADDR_TYPE_CPU, LAYOUT.gic_cpu_interface.base, "the GIC CPU interface's address", error) &&
         set_irqs_and_init(gic->fd, error);
}

static bool set_redistributors(Gic *gic, const Board *board, GError **error) {
  for (unsigned i = 0; i < G_N_ELEMENTS(board->redistributors) && board->redistributors[i].size; i++) {
    const AddressRange *range = &board->redistributors[i];
    uint64_t region = REDIST_REGION(range->size / LAYOUT_GIC_REDISTRIBUTOR_STRIDE, range->base, i);
    if (!set_address(gic->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, region, "the GIC redistributors' address", error))
      return false;
  }
  return true;
}

static bool create_its(Gic *gic, int vm_fd, GError **error) {
  gic->its_fd = kvm_create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_ITS, "GIC ITS", error);
  return gic->its_fd >= 0 && set_address(gic->its_fd, KVM_VGIC_ITS_ADDR_TYPE, LAYOUT.gic_its.base, "the ITS's address", error) &&
         kvm_set_attr(gic->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, "up the ITS", error);
}

static bool set_maintenance_interrupt(int fd, GError **error) {
  uint32_t intid = 16 + LAYOUT_PPI_GIC_MAINTENANCE;
  return kvm_set_attr(fd, KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, 0, &intid, "the GIC's maintenance interrupt", error);
}

static bool create_v3(Gic *gic, int vm_fd, const Board *board, bool el2, GError **error) {
  gic->fd = kvm_create_device(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3, "GICv3", error);
  return gic->fd >= 0 &&
         set_address(gic->fd, KVM_VGIC_V3_ADDR_TYPE_DIST, LAYOUT.gic_distributor.base, "the GIC distributor's address", error) &&
         set_redistributors(gic, board, error) && (!el2 || set_maintenance_interrupt(gic->fd, error)) &&
         set_irqs_and_init(gic->fd, error) && create_its(gic, vm_fd, error);
}

bool gic_create(Gic *gic, int vm_fd, const Board *board, bool el2, GError **error) {
  *gic = (Gic){.fd = -1, .its_fd = -1};
  if (board->gic == GIC_V3 ? create_v3(gic, vm_fd, board, el2, error) : create_v2(gic, vm_fd, error))
    return true;
  gic_destroy(gic);
  return false;
}

void gic_destroy(Gic *gic) {
  if (gic->its_fd >= 0)
    close(gic->its_fd);
  if (gic->fd >= 0)
    close(gic->fd);
  *gic = (Gic){.fd = -1, .its_fd = -1};
}
