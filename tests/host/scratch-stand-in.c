/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/host/scratch-stand-in.h"

#include "devices/scratch.h"

static uint64_t scratch_read(Device *device, uint64_t offset, unsigned size) {
  return 0;
}

static void scratch_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  scratch_stand_in_written();
}

static void scratch_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "scratch", slot->base);
  fdt_writer_string(fdt, "compatible", "eret,scratch");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_end(fdt);
}

static Device *scratch_make(const DeviceParts *parts, GError **error) {
  static const DeviceOps ops = {
      .access_sizes = ACCESS_ANY,
      .unaligned = true,
      .read = scratch_read,
      .write = scratch_write,
      .describe = scratch_describe,
  };

  return device_new(sizeof(Device), &ops, "scratch");
}

const DeviceKind scratch_kind = {.name = "scratch", .size = SCRATCH_SIZE, .make = scratch_make};
