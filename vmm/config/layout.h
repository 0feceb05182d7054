/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical address map and the interrupt numbers: the only place with addresses. They follow QEMU's `virt` machine
 * (hw/arm/virt.c), so that bare-metal programs and firmware built for it find what they expect; where eret needs less
 * (one PCI bus), the start is the same and the size smaller.
 *
 *   0x00000000  flash window (empty)            0x10000000  PCI memory, 32 bit
 *   0x08000000  GIC                             0x3f000000  PCI ECAM, one bus
 *   0x09000000  PL011, PL031, PL061             0x40000000  RAM
 *   0x0a000000  virtio-mmio                     above RAM   more redistributors, PCI memory, 64 bit
 */
#pragma once

#include <stdint.h>

typedef struct {
  uint64_t base, size; /* bytes */
} AddressRange;

static const struct {
  AddressRange gic_distributor, gic_cpu_interface, gicv2m, gic_its, gic_redistributor;
  AddressRange pl011, pl031, pl061, hypercall_doorbell, scratch, steal_time, virtio_mmio, pci_window32, pci_ecam;
  uint64_t ram_base;
} LAYOUT = {
    .gic_distributor = {0x08000000, 0x00010000},
    .gic_cpu_interface = {0x08010000, 0x00010000}, /* GICv2 */
    .gicv2m = {0x08020000, 0x00001000},            /* GICv2 */
    .gic_its = {0x08080000, 0x00020000},           /* GICv3 */
    .gic_redistributor = {0x080a0000, 0x00f60000}, /* GICv3: 123 vCPUs; further ones lie in the high region */
    .pl011 = {0x09000000, 0x00001000},
    .pl031 = {0x09010000, 0x00001000},
    .pl061 = {0x09030000, 0x00001000},
    .hypercall_doorbell = {0x09100000, 0x00010000},
    .scratch = {0x09200000, 0x00001000},
    .steal_time = {0x09300000, 0x00010000},  /* memory, but not the guest's to use */
    .virtio_mmio = {0x0a000000, 0x00004000}, /* 32 devices of 0x200 bytes */
    .pci_window32 = {0x10000000, 0x2eff0000},
    .pci_ecam = {0x3f000000, 0x00100000},
    .ram_base = 0x40000000,
};

#define LAYOUT_VIRTIO_MMIO_SLOTS        32
#define LAYOUT_GIC_REDISTRIBUTOR_STRIDE 0x20000 /* RD_base and SGI_base, 64 KiB each (GICv3, IHI 0069, 12.10) */

/*
 * The high region starts above RAM but not below 39 GiB, so that its addresses are the same for all guests of up to 38
 * GiB and all of it lies below 48 GiB: 36 bits of address are enough for them. 1 GiB for redistributors, then the PCI
 * window.
 */
#define LAYOUT_HIGH_MIN          (UINT64_C(39) << 30)
#define LAYOUT_HIGH_ALIGN        (UINT64_C(1) << 30)
#define LAYOUT_HIGH_PCI_OFFSET   (UINT64_C(1) << 30)
#define LAYOUT_PCI_WINDOW64_SIZE (UINT64_C(8) << 30)

/* SPI numbers (INTID - 32), as on QEMU's virt. */
enum {
  LAYOUT_SPI_PL011 = 1,
  LAYOUT_SPI_PL031 = 2,
  LAYOUT_SPI_PCI_INTX = 3, /* INTA .. INTD: 3 .. 6 */
  LAYOUT_SPI_PL061 = 7,
  LAYOUT_SPI_VIRTIO_MMIO = 16, /* 16 .. 47 */
  LAYOUT_SPI_GICV2M = 48,      /* 48 .. 111 */
};
/* PPI number (INTID - 16): that of Arm's Base System Architecture (DEN 0094), table of PPIs, and QEMU's virt. */
#define LAYOUT_PPI_GIC_MAINTENANCE 9 /* Arm BSA (DEN 0094), "PPI assignments", as is the next */
#define LAYOUT_PPI_PMU             7
#define LAYOUT_GICV2M_SPIS         64
#define LAYOUT_GIC_IRQS            256 /* interrupt IDs of the distributor: 0 .. 255, SPIs 0 .. 223 */

#define LAYOUT_GICV2_MAX_CPUS 8 /* GICv2 (IHI 0048), 8 CPU interfaces */
