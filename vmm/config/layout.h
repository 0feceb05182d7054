/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical address map and the interrupt numbers, with the devices that a machine may have: the only place with
 * addresses. They follow QEMU's `virt` machine
 * (hw/arm/virt.c), so that bare-metal programs and firmware built for it find what they expect; where eret needs less
 * (one PCI bus), the start is the same and the size smaller.
 *
 *   0x00000000  flash, where there is firmware  0x10000000  PCI memory, 32 bit
 *   0x08000000  GIC                             0x3f000000  PCI ECAM, one bus
 *   0x09000000  PL011, PL031, fw_cfg, PL061     0x40000000  RAM
 *   0x0a000000  virtio-mmio                     above RAM   more redistributors, PCI memory, 64 bit
 */
#pragma once

#include <stdint.h>

typedef struct {
  uint64_t base, size; /* bytes */
} AddressRange;

static const struct {
  AddressRange gic_distributor, gic_cpu_interface, gic_its, gic_redistributor, steal_time, virtio_mmio, pci_window32, pci_io;
  uint64_t ram_base;
} LAYOUT = {
    .gic_distributor = {0x08000000, 0x00010000},
    .gic_cpu_interface = {0x08010000, 0x00010000}, /* GICv2 */
    .gic_its = {0x08080000, 0x00020000},           /* GICv3 */
    .gic_redistributor = {0x080a0000, 0x00f60000}, /* GICv3: 123 vCPUs; further ones lie in the high region */
    .steal_time = {0x09300000, 0x00010000},        /* memory, but not the guest's to use */
    .virtio_mmio = {0x0a000000, 0x00004000},       /* 32 devices of 0x200 bytes */
    .pci_window32 = {0x10000000, 0x2eff0000},
    .pci_io = {0x3eff0000, 0x00010000},
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

#define LAYOUT_GICV2M   0x08020000 /* GICv2 */
#define LAYOUT_DOORBELL 0x09100000

/* SPI numbers (INTID - 32), as on QEMU's virt. */
enum {
  LAYOUT_SPI_PCI_INTX = 3,     /* INTA .. INTD: 3 .. 6 */
  LAYOUT_SPI_VIRTIO_MMIO = 16, /* 16 .. 47 */
  LAYOUT_SPI_GICV2M = 48,      /* 48 .. 111 */
};

/*
 * The devices, in the order in which they are made: the kind of each (devices/device-kind.h), where it is, and when it
 * is there. A new device is a row.
 *
 *   AT(ADDRESS, SPI)   registers of its own, and its first SPI, or DEVICE_NO_SPI
 *   ON_VIRTIO          the next place on the transport in use
 *
 *   IF(FIELD)          this option of the Config is on
 *   IF_IS(FIELD, X)    this choice is X
 *   EACH(FIELD)        one for each in this list, which is asked for what the element says
 *   WHERE(FUNCTION)    FUNCTION(board) says so: board.c
 *
 * Linux names disks in the order of discovery: that of --disk. The power button on virtio is last, so that it takes no
 * place that another device has without it.
 */
#define LAYOUT_DEVICES(DEVICE)                                                                                                             \
  DEVICE(flash_kind, AT(0x00000000, DEVICE_NO_SPI), EACH(firmware))                                                                        \
  DEVICE(pl011_kind, AT(0x09000000, 1), IF_IS(console, CONSOLE_PL011))                                                                     \
  DEVICE(pl031_kind, AT(0x09010000, 2), IF(defaults))                                                                                      \
  DEVICE(fw_cfg_kind, AT(0x09020000, DEVICE_NO_SPI), WHERE(has_fw_cfg))                                                                    \
  DEVICE(pl061_kind, AT(0x09030000, 7), WHERE(has_gpio_button))                                                                            \
  DEVICE(sp805_kind, AT(0x09400000, 10), WHERE(has_watchdog))                                                                              \
  DEVICE(pvpanic_kind, AT(0x09410000, DEVICE_NO_SPI), IF(pvpanic))                                                                         \
  DEVICE(vmgenid_kind, AT(0x09420000, 11), EACH(vmgenid))                                                                                  \
  DEVICE(vmclock_kind, AT(0x09430000, 12), IF(vmclock))                                                                                    \
  DEVICE(hypercall_doorbell_kind, AT(LAYOUT_DOORBELL, DEVICE_NO_SPI), IF(defaults))                                                        \
  DEVICE(scratch_kind, AT(0x09200000, DEVICE_NO_SPI), IF(scratch))                                                                         \
  DEVICE(gicv2m_kind, AT(LAYOUT_GICV2M, LAYOUT_SPI_GICV2M), WHERE(has_gicv2m))                                                             \
  DEVICE(pci_host_kind, AT(0x3f000000, LAYOUT_SPI_PCI_INTX), WHERE(has_pci))                                                               \
  DEVICE(virtio_console_kind, ON_VIRTIO, IF_IS(console, CONSOLE_VIRTIO))                                                                   \
  DEVICE(virtio_console_ports_kind, ON_VIRTIO, IF(ports))                                                                                  \
  DEVICE(virtio_blk_kind, ON_VIRTIO, EACH(disks))                                                                                          \
  DEVICE(virtio_net_kind, ON_VIRTIO, EACH(nets))                                                                                           \
  DEVICE(virtio_rng_kind, ON_VIRTIO, IF(rng))                                                                                              \
  DEVICE(virtio_vsock_kind, ON_VIRTIO, EACH(vsock))                                                                                        \
  DEVICE(virtio_fs_kind, ON_VIRTIO, EACH(shares))                                                                                          \
  DEVICE(virtio_vhost_user_kind, ON_VIRTIO, EACH(devices))                                                                                 \
  DEVICE(virtio_input_kind, ON_VIRTIO, WHERE(has_virtio_button))

/* PPI number (INTID - 16): that of Arm's Base System Architecture (DEN 0094), table of PPIs, and QEMU's virt. */
#define LAYOUT_PPI_GIC_MAINTENANCE 9 /* Arm BSA (DEN 0094), "PPI assignments", as is the next */
#define LAYOUT_PPI_PMU             7
#define LAYOUT_GIC_IRQS            256 /* interrupt IDs of the distributor: 0 .. 255, SPIs 0 .. 223 */

#define LAYOUT_GICV2_MAX_CPUS 8 /* GICv2 (IHI 0048), 8 CPU interfaces */
