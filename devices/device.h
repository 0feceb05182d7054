/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract every device fulfils.
 *
 * A device is a block of registers. It does not know its address, but to hand it on: the bus subtracts the base, checks
 * width and alignment against ops->access_sizes, holds the device's lock, and only then calls read or write. What the
 * guest can see sits in one plain struct inside the device, apart from host handles. Interrupt line, clock and back end
 * are handed in at creation.
 *
 * A model embeds Device as its first member and frees itself in ops->free.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/shortcuts.h"
#include "fdt/acpi/acpi-writer.h"
#include "fdt/fdt-writer.h"

typedef struct Device Device;

/* Where the board put a device. */
typedef struct {
  uint64_t base;         /* guest physical address, bytes */
  uint64_t size;         /* bytes */
  uint32_t spi;          /* SPI number (INTID - 32), or DEVICE_NO_SPI */
  FdtIrqTrigger trigger; /* of that SPI */
} DeviceSlot;

#define DEVICE_NO_SPI UINT32_MAX

/* Bits of DeviceOps.access_sizes: the sizes in bytes themselves, so `access_sizes & size` is the check. */
typedef enum { ACCESS_1 = 1, ACCESS_2 = 2, ACCESS_4 = 4, ACCESS_8 = 8, ACCESS_ANY = 15 } AccessSize;

typedef struct {
  unsigned access_sizes; /* AccessSize bits; an access of another size reads as zeros and is counted */
  unsigned
      read_sizes; /* more of them, for reads alone: what lies in a RegisterPage the guest loads as it likes, with and without shortcuts */
  bool unaligned; /* accesses need not be naturally aligned */

  /* Called with the lock held; offset + size lies inside the slot. A read returns the value zero-extended. */
  uint64_t (*read)(Device *device, uint64_t offset, unsigned size);
  void (*write)(Device *device, uint64_t offset, unsigned size, uint64_t value);

  /* Name of the register at an offset ("UARTDR"), for traces; NULL where there is none. Optional. No lock. */
  const char *(*register_name)(const Device *device, uint64_t offset);

  /*
   * Name of the device at an offset, where this one is the way to others (a PCI window); NULL: this one. Optional. No
   * lock.
   */
  const char *(*part_name)(const Device *device, uint64_t offset);

  /* Writes the device's own tree node, and its children. Optional: a part of another device has none. */
  void (*describe)(const Device *device, const DeviceSlot *slot, FdtWriter *fdt);
  /* The same for ACPI: its own object in \_SB, and its tables. Optional: one that ACPI has no name for is not there. */
  void (*describe_acpi)(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi);

  /* Tells the device where the guest finds it, for shortcuts: once, before any vCPU runs. Optional. */
  void (*connect)(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts);

  /* Back to power-on. No vCPU runs. Optional. */
  void (*reset)(Device *device);
  /* Leaves no request in flight and starts none until resume. No vCPU runs. Optional, both. */
  void (*pause)(Device *device);
  void (*resume)(Device *device);

  /* Optional: one that device_new has made, and that holds nothing. */
  void (*free)(Device *device);
} DeviceOps;

struct Device {
  const DeviceOps *ops;
  char *name;   /* of this instance: "virtio-blk0"; for people */
  GMutex *lock; /* what the bus holds around read and write: own_lock, or that of the device this one is a part of */
  GMutex own_lock;
};

/* For models: SIZE bytes, zeroed, that begin with the base part. */
void *device_new(size_t size, const DeviceOps *ops, const char *name);
/* The base part alone. NAME is copied; SHARED_LOCK may be NULL. */
void device_init(Device *device, const DeviceOps *ops, const char *name, GMutex *shared_lock);
void device_clear(Device *device);

void device_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt);
void device_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi);
/* The interrupt of a slot as ACPI counts them: its INTID. */
uint32_t device_slot_gsi(const DeviceSlot *slot);
/*
 * Begins an object with the slot's registers and wire, of which there need be none. NAME: at most four letters, other
 * devices have others. The caller ends it.
 */
void device_begin_acpi(AcpiWriter *acpi, const char *name, const char *hid, unsigned uid, const DeviceSlot *slot);
void device_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts);
void device_reset(Device *device);
void device_pause(Device *device);
void device_resume(Device *device);
void device_free(Device *device); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Device, device_free)
