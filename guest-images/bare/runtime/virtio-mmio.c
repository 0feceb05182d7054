/* SPDX-License-Identifier: Apache-2.0 */
/* A memory-mapped virtio device: virtio 1.2, 4.2. */
#include "cpu.h"
#include "fdt.h"
#include "machine.h"
#include "text.h"
#include "virtio.h"

#define COMPATIBLE "virtio,mmio" /* Linux: bindings/virtio/mmio.yaml */
#define MAGIC      0x74726976    /* "virt" */
#define MODERN     2

/* 4.2.2 */
enum { MAGIC_VALUE = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, DEVICE_FEATURES = 0x010, DEVICE_FEATURES_SEL = 0x014 };
enum { DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SEL = 0x024, QUEUE_SEL = 0x030, QUEUE_SIZE_MAX = 0x034, QUEUE_SIZE = 0x038 };
enum { QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050, STATUS = 0x070, QUEUE_AREAS = 0x080, AREA_STEP = 0x010, CONFIG = 0x100 };

static void select(const Virtio *virtio, unsigned queue) {
  mmio_write32(virtio->common + QUEUE_SEL, queue);
}

static uint32_t size(const Virtio *virtio) {
  return mmio_read32(virtio->common + QUEUE_SIZE_MAX);
}

static unsigned count_queues(const Virtio *virtio) {
  unsigned n = 0;

  for (select(virtio, 0); n < VIRTIO_QUEUES_MAX && size(virtio); select(virtio, n))
    n++;
  return n;
}

/* The tree says where there may be one, and the ID 0 that there is none. */
static bool open_node(Virtio *virtio, FdtNode node) {
  uint64_t base, length;

  if (!fdt_reg(machine.fdt, node, 0, &base, &length) || mmio_read32(base + MAGIC_VALUE) != MAGIC || mmio_read32(base + VERSION) != MODERN)
    return false;
  virtio->id = mmio_read32(base + DEVICE_ID);
  virtio->bus = &virtio_mmio;
  virtio->common = base;
  virtio->config = base + CONFIG;
  virtio->n_queues = count_queues(virtio);
  return virtio->id != 0;
}

bool virtio_open_mmio(Virtio *virtio, unsigned number) {
  FdtNode node = FDT_NONE;

  while ((node = fdt_next(machine.fdt, node))) {
    const char *compatible = fdt_string(machine.fdt, node, "compatible");
    if (compatible && text_equal(compatible, COMPATIBLE) && number-- == 0)
      return open_node(virtio, node);
  }
  return false;
}

static uint8_t status(const Virtio *virtio) {
  return (uint8_t)mmio_read32(virtio->common + STATUS);
}

static void set_status(const Virtio *virtio, uint8_t value) {
  mmio_write32(virtio->common + STATUS, value);
}

static uint32_t offered(const Virtio *virtio, unsigned word) {
  mmio_write32(virtio->common + DEVICE_FEATURES_SEL, word);
  return mmio_read32(virtio->common + DEVICE_FEATURES);
}

static void accept(const Virtio *virtio, unsigned word, uint32_t features) {
  mmio_write32(virtio->common + DRIVER_FEATURES_SEL, word);
  mmio_write32(virtio->common + DRIVER_FEATURES, features);
}

static void set_size(const Virtio *virtio, uint32_t value) {
  mmio_write32(virtio->common + QUEUE_SIZE, value);
}

static void place(const Virtio *virtio, VirtioArea area, uint64_t address) {
  uint64_t at = virtio->common + QUEUE_AREAS + AREA_STEP * (unsigned)area;

  mmio_write32(at, (uint32_t)address);
  mmio_write32(at + 4, (uint32_t)(address >> 32));
}

static void enable(const Virtio *virtio, uint32_t value) {
  mmio_write32(virtio->common + QUEUE_READY, value);
}

static bool enabled(const Virtio *virtio) {
  return mmio_read32(virtio->common + QUEUE_READY);
}

static uint64_t doorbell(const Virtio *virtio) {
  return virtio->common + QUEUE_NOTIFY;
}

static void ring(uint64_t at, unsigned queue) {
  mmio_write32(at, queue);
}

const VirtioBus virtio_mmio = {
    .name = "mmio",
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
