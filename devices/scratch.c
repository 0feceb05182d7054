/* SPDX-License-Identifier: Apache-2.0 */
/* Any size at any place. The device's lock guards the bytes. */
#include "devices/scratch.h"

#include <string.h>

typedef struct {
  Device device;
  uint8_t bytes[SCRATCH_SIZE];
} Scratch;

static uint64_t scratch_read(Device *device, uint64_t offset, unsigned size) {
  const Scratch *scratch = (const Scratch *)device;
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)scratch->bytes[offset + i] << i * 8;
  return value;
}

static void scratch_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  Scratch *scratch = (Scratch *)device;

  for (unsigned i = 0; i < size; i++)
    scratch->bytes[offset + i] = (uint8_t)(value >> i * 8);
}

static void scratch_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "scratch", slot->base);
  fdt_writer_string(fdt, "compatible", "eret,scratch");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_end(fdt);
}

static void scratch_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  device_begin_acpi(acpi, "SCR0", AML_COMPATIBLE_HID, 1, slot);
  aml_begin_properties(acpi->aml, "eret,scratch", 0);
  aml_end_properties(acpi->aml);
  aml_end(acpi->aml);
}

static void scratch_reset(Device *device) {
  Scratch *scratch = (Scratch *)device;
  memset(scratch->bytes, 0, sizeof scratch->bytes);
}

static const DeviceOps scratch_ops = {
    .access_sizes = ACCESS_ANY,
    .unaligned = true,
    .read = scratch_read,
    .write = scratch_write,
    .describe = scratch_describe,
    .describe_acpi = scratch_describe_acpi,
    .reset = scratch_reset,
};

static Device *scratch_make(const DeviceParts *parts, GError **error) {
  return device_new(sizeof(Scratch), &scratch_ops, "scratch");
}

const DeviceKind scratch_kind = {
    .name = "scratch",
    .note = "holds what is written",
    .size = SCRATCH_SIZE,
    .make = scratch_make,
};
