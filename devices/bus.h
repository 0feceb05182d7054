/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address map at run time: guest physical address to device. Built, sealed, then only read, so a look-up takes no
 * lock. An access that no device claims, or that a device does not allow (size, alignment), reads as zeros, is counted,
 * and is logged once for each device or page.
 */
#pragma once

#include "devices/device.h"

typedef struct Bus Bus;

typedef enum { BUS_ERROR_OVERLAP, BUS_ERROR_RANGE } BusError;
#define BUS_ERROR (bus_error_quark())
GQuark bus_error_quark(void);

Bus *bus_new(void);
void bus_free(Bus *bus); /* the devices stay their owner's */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bus, bus_free)

/*
 * Claims slot->base .. slot->base + slot->size for DEVICE. An overlap or an empty or wrapping range is an error that
 * names both.
 */
bool bus_add(Bus *bus, const DeviceSlot *slot, Device *device, GError **error);
/* Ends building: sorts for the look-up. bus_add is a programming error afterwards. */
void bus_seal(Bus *bus);

/* Finds the device at ADDRESS and its offset in it; NULL where nothing is. For traces and the paths below. */
Device *bus_find(const Bus *bus, uint64_t address, uint64_t *offset);

/*
 * What is at ADDRESS, for traces and statistics: the device's name, and in *REG its register's; "" for a register
 * without a name. NULL, and "", where nothing is. Both live as long as the devices.
 */
const char *bus_name(const Bus *bus, uint64_t address, const char **reg);

/* SIZE is 1, 2, 4 or 8 bytes; any thread. Anything else counts as an access that nothing claims. */
uint64_t bus_read(Bus *bus, uint64_t address, unsigned size);
void bus_write(Bus *bus, uint64_t address, unsigned size, uint64_t value);

/* Accesses that nothing claimed, and accesses that a device did not allow, so far. */
uint64_t bus_unclaimed(const Bus *bus);
uint64_t bus_refused(const Bus *bus);
