/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device behind PCI: virtio 1.2, 4.1. */
#include "cpu.h"
#include "fdt.h"
#include "machine.h"
#include "mmu.h"
#include "virtio.h"

/* Where QEMU's `virt` has them: configuration space, and the window that BARs below 4 GiB are placed in. */
#define ECAM     0x3f000000ul
#define WINDOW32 0x10000000ul
#define BAR_SIZE 0x10000ul

/* PCI: type 0 header; virtio's capabilities, 4.1.4. */
enum { PCI_ID = 0x00, PCI_COMMAND = 0x04, PCI_BAR0 = 0x10, PCI_CAPABILITIES = 0x34 };
enum { COMMON_CFG = 1, NOTIFY_CFG = 2, DEVICE_CFG = 4 };
enum { CAP_NEXT = 1, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MULTIPLIER = 16 };
#define COMMAND_MEMORY    2
#define COMMAND_MASTER    4
#define VENDOR_CAPABILITY 9
#define VIRTIO_VENDOR     0x1af4u
#define VIRTIO_FIRST      0x1040u
#define VIRTIO_LAST       0x107fu

static void find_registers(Virtio *virtio, uint64_t bar) {
  for (unsigned at = mmio_read8(virtio->function + PCI_CAPABILITIES); at; at = mmio_read8(virtio->function + at + CAP_NEXT)) {
    uint64_t capability = virtio->function + at, address = bar + mmio_read32(capability + CAP_OFFSET);
    unsigned type = mmio_read8(capability + CAP_TYPE);
    if (mmio_read8(capability) != VENDOR_CAPABILITY || (type != COMMON_CFG && type != NOTIFY_CFG && type != DEVICE_CFG))
      continue;
    /* All are in one. */
    mmio_write32(virtio->function + PCI_BAR0 + 4u * mmio_read8(capability + CAP_BAR), (uint32_t)bar);
    *(type == COMMON_CFG ? &virtio->common : type == NOTIFY_CFG ? &virtio->notify : &virtio->config) = address;
    if (type != NOTIFY_CFG)
      continue;
    virtio->notify_size = mmio_read32(capability + CAP_LENGTH);
    virtio->notify_multiplier = mmio_read32(capability + CAP_MULTIPLIER);
  }
}

bool virtio_open_pci(Virtio *virtio, unsigned slot) {
  uint64_t function = ECAM + ((uint64_t)slot << 15);

  if (fdt_find_compatible(machine.fdt, "pci-host-ecam-generic") == FDT_NONE)
    return false;
  mmu_map_device(ECAM);
  mmu_map_device(WINDOW32);
  uint32_t id = mmio_read32(function + PCI_ID);
  if ((id & 0xffff) != VIRTIO_VENDOR || id >> 16 < VIRTIO_FIRST || id >> 16 > VIRTIO_LAST)
    return false;
  virtio->bus = &virtio_pci;
  virtio->id = (id >> 16) - VIRTIO_FIRST;
  virtio->function = function;
  find_registers(virtio, WINDOW32 + BAR_SIZE * (slot + 1));
  mmio_write16(function + PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
  virtio->n_queues = mmio_read16(virtio->common + VIRTIO_NUM_QUEUES);
  return true;
}

void virtio_write64(const Virtio *virtio, unsigned offset, uint64_t value) {
  mmio_write32(virtio->common + offset, (uint32_t)value);
  mmio_write32(virtio->common + offset + 4, (uint32_t)(value >> 32));
}

static uint8_t status(const Virtio *virtio) {
  return mmio_read8(virtio->common + VIRTIO_STATUS);
}

static void set_status(const Virtio *virtio, uint8_t value) {
  mmio_write8(virtio->common + VIRTIO_STATUS, value);
}

static uint32_t offered(const Virtio *virtio, unsigned word) {
  mmio_write32(virtio->common + VIRTIO_FEATURE_SELECT, word);
  return mmio_read32(virtio->common + VIRTIO_FEATURE);
}

static void accept(const Virtio *virtio, unsigned word, uint32_t features) {
  mmio_write32(virtio->common + VIRTIO_DRIVER_FEATURE_SELECT, word);
  mmio_write32(virtio->common + VIRTIO_DRIVER_FEATURE, features);
}

static void select(const Virtio *virtio, unsigned queue) {
  mmio_write16(virtio->common + VIRTIO_QUEUE_SELECT, (uint16_t)queue);
}

static uint32_t size(const Virtio *virtio) {
  return mmio_read16(virtio->common + VIRTIO_QUEUE_SIZE);
}

static void set_size(const Virtio *virtio, uint32_t value) {
  mmio_write16(virtio->common + VIRTIO_QUEUE_SIZE, (uint16_t)value);
}

static void place(const Virtio *virtio, VirtioArea area, uint64_t address) {
  virtio_write64(virtio, VIRTIO_QUEUE_DESC + 8 * (unsigned)area, address);
}

static void enable(const Virtio *virtio, uint32_t value) {
  mmio_write16(virtio->common + VIRTIO_QUEUE_ENABLE, (uint16_t)value);
}

static bool enabled(const Virtio *virtio) {
  return mmio_read16(virtio->common + VIRTIO_QUEUE_ENABLE);
}

static uint64_t doorbell(const Virtio *virtio) {
  return virtio->notify + (uint64_t)mmio_read16(virtio->common + VIRTIO_QUEUE_NOTIFY_OFF) * virtio->notify_multiplier;
}

static void ring(uint64_t at, unsigned queue) {
  mmio_write16(at, (uint16_t)queue);
}

const VirtioBus virtio_pci = {
    .name = "pci",
    .status = status,
    .set_status = set_status,
    .offered = offered,
    .accept = accept,
    .select = select,
    .size = size,
    .set_size = set_size,
    .place = place,
    .enable = enable,
    .enabled = enabled,
    .doorbell = doorbell,
    .ring = ring,
};
