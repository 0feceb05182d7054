/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a device that every model shares: name, lock, and calls that a model may leave out. See device.h. */
#include "devices/device.h"

#include "devices/interrupt.h"

void device_init(Device *device, const DeviceOps *ops, const char *name, GMutex *shared_lock) {
  device->ops = ops;
  device->name = g_strdup(name);
  g_mutex_init(&device->own_lock);
  device->lock = shared_lock ? shared_lock : &device->own_lock;
}

void *device_new(size_t size, const DeviceOps *ops, const char *name) {
  Device *device = g_malloc0(size);

  device_init(device, ops, name, NULL);
  return device;
}

void device_clear(Device *device) {
  g_mutex_clear(&device->own_lock);
  g_clear_pointer(&device->name, g_free);
}

void device_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  if (device->ops->describe)
    device->ops->describe(device, slot, fdt);
}

void device_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  if (device->ops->describe_acpi)
    device->ops->describe_acpi(device, slot, acpi);
}

uint32_t device_slot_gsi(const DeviceSlot *slot) {
  return slot->spi == DEVICE_NO_SPI ? 0 : slot->spi + SPI_TO_INTID;
}

void device_begin_acpi(AcpiWriter *acpi, const char *name, const char *hid, unsigned uid, const DeviceSlot *slot) {
  aml_begin_device_of(acpi->aml, name, hid, uid);
  aml_registers(acpi->aml, slot->base, slot->size, device_slot_gsi(slot), slot->trigger);
}

void device_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  if (device->ops->connect)
    device->ops->connect(device, slot, shortcuts);
}

void device_reset(Device *device) {
  if (device->ops->reset)
    device->ops->reset(device);
}

void device_pause(Device *device) {
  if (device->ops->pause)
    device->ops->pause(device);
}

void device_resume(Device *device) {
  if (device->ops->resume)
    device->ops->resume(device);
}

void device_free(Device *device) {
  if (!device)
    return;
  if (device->ops->free) {
    device->ops->free(device);
    return;
  }
  device_clear(device);
  g_free(device);
}
