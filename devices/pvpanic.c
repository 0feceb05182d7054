/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvpanic, memory-mapped. QEMU: docs/specs/pvpanic.rst; Linux: drivers/misc/pvpanic/. One byte: read, it says which
 * events are heard; written, it is an event. The device's lock guards the state.
 */
#include "devices/pvpanic.h"

#include "devices/guest-events.h"

/* Linux: include/uapi/misc/pvpanic.h. */
enum { PANICKED = 1 << 0, CRASH_LOADED = 1 << 1 };

typedef struct {
  bool told; /* a kernel panics once; one that says so again and again is not listened to */
} PvPanicState;

typedef struct {
  Device device;
  PvPanicState state;
  GuestEvents *events;
} PvPanic;

static uint64_t pvpanic_read(Device *device, uint64_t offset, unsigned size) {
  return offset == 0 ? PANICKED | CRASH_LOADED : 0;
}

static void pvpanic_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  PvPanic *panic = (PvPanic *)device;

  if (offset != 0 || !(value & (PANICKED | CRASH_LOADED)) || panic->state.told)
    return;
  panic->state.told = true;
  panic->events->panicked(panic->events, !(value & PANICKED));
}

static const char *pvpanic_register_name(const Device *device, uint64_t offset) {
  return offset == 0 ? "EVENT" : NULL;
}

/* Linux: bindings/misc/pvpanic-mmio.txt. */
static void pvpanic_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "pvpanic", slot->base);
  fdt_writer_string(fdt, "compatible", "qemu,pvpanic-mmio");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_end(fdt);
}

static void pvpanic_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  device_begin_acpi(acpi, "PEVT", "QEMU0001", 0, slot);
  aml_end(acpi->aml);
}

static void pvpanic_reset(Device *device) {
  ((PvPanic *)device)->state = (PvPanicState){0};
}

static const DeviceOps pvpanic_ops = {
    .access_sizes = ACCESS_1 | ACCESS_2,
    .read = pvpanic_read,
    .write = pvpanic_write,
    .register_name = pvpanic_register_name,
    .describe = pvpanic_describe,
    .describe_acpi = pvpanic_describe_acpi,
    .reset = pvpanic_reset,
};

static Device *pvpanic_make(const DeviceParts *parts, GError **error) {
  PvPanic *panic = device_new(sizeof *panic, &pvpanic_ops, "pvpanic");

  panic->events = parts->events;
  return &panic->device;
}

const DeviceKind pvpanic_kind = {
    .name = "pvpanic",
    .note = "tells of panics",
    .size = PVPANIC_SIZE,
    .make = pvpanic_make,
};
