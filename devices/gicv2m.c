/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv2m: a frame of registers that turns a write of an interrupt number into an edge on an SPI, which gives
 * message-signalled interrupts to a machine with a GICv2. Arm Server Base System Architecture (DEN 0029) 2.3, appendix
 * E, "GICv2m Architecture".
 *
 * Devices of this machine do not come through here: their messages go to KVM as routes to the same SPIs. The frame
 * answers the driver that asks for the range of SPIs, and CPUs that write a message themselves. No state, hence nothing
 * to lock.
 */
#include "devices/gicv2m.h"

#define MSI_TYPER 0x008
#define MSI_IIDR  0xfcc

#define MSI_TYPER_BASE_SHIFT 16

typedef struct {
  Device device;
  uint32_t first_spi;
  IrqLines *irqs;
} GicV2m;

/* MSI_IIDR is zero, as is all else: no implementer's quirks; Linux knows some by this register. */
static uint64_t gicv2m_read(Device *device, uint64_t offset, unsigned size) {
  const GicV2m *frame = (const GicV2m *)device;
  unsigned byte = offset % 4;

  if (offset - byte == MSI_TYPER)
    return ((frame->first_spi + SPI_TO_INTID) << MSI_TYPER_BASE_SHIFT | GICV2M_SPIS) >> (8 * byte) & (UINT64_MAX >> (64 - 8 * size));
  return 0;
}

static void gicv2m_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  GicV2m *frame = (GicV2m *)device;
  uint64_t spi = value - SPI_TO_INTID - frame->first_spi;

  if (offset == GICV2M_SETSPI_NS && value >= SPI_TO_INTID && spi < GICV2M_SPIS)
    irq_line_set(frame->irqs->line(frame->irqs, (uint32_t)(value - SPI_TO_INTID), FDT_IRQ_EDGE_RISING), true);
}

static const char *gicv2m_register_name(const Device *device, uint64_t offset) {
  switch (offset) {
  case MSI_TYPER:
    return "MSI_TYPER";
  case GICV2M_SETSPI_NS:
    return "MSI_SETSPI_NS";
  case MSI_IIDR:
    return "MSI_IIDR";
  default:
    return NULL;
  }
}

static const DeviceOps gicv2m_ops = {
    .access_sizes = ACCESS_4,
    .read_sizes = ACCESS_1 | ACCESS_2,
    .read = gicv2m_read,
    .write = gicv2m_write,
    .register_name = gicv2m_register_name,
};

static Device *gicv2m_make(const DeviceParts *parts, GError **error) {
  GicV2m *frame = device_new(sizeof *frame, &gicv2m_ops, "gicv2m");
  frame->first_spi = parts->slot->spi;
  frame->irqs = parts->irqs;
  return &frame->device;
}

const DeviceKind gicv2m_kind = {
    .name = "gicv2m",
    .note = "MSI to",
    .size = 0x1000,
    .n_spis = GICV2M_SPIS,
    .trigger = FDT_IRQ_EDGE_RISING,
    .make = gicv2m_make,
};
