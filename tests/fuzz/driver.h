/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for a target: virtio devices on either transport of a machine, from reset to DRIVER_OK, and chains in their
 * rings. It does right what it is not told to do wrong.
 */
#pragma once

#include "tests/fuzz/machine.h"

#define QUEUE_SIZE 16u
#define QUEUE_ROOM 0x1000u /* bytes of memory for a queue's rings: descriptors, then the driver's area, the device's, an indirect table */
#define DRIVER     0x400u
#define DEVICE     0x800u
#define INDIRECTED 0xc00u
#define QUEUES     4u /* places for rings a device; then they are shared, as are those of more than so many devices */
#define DEVICES    8u
#define BUFFERS    (QUEUE_ROOM * QUEUES * DEVICES)
#define BUFFER     0x1000u /* bytes */

#define ECAM     UINT64_C(0x3f000000)
#define BARS     UINT64_C(0x10000000)
#define BAR_SIZE 0x10000u

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

typedef struct {
  FuzzMachine *machine;
  const PlatformDevice *made;
  VirtioDevice *device;
  unsigned index; /* among the virtio devices */
} Driver;

static inline Bus *bus_of(const Driver *driver) {
  return driver->machine->platform->bus;
}

static inline bool on_pci(const PlatformDevice *made) {
  return made->plan->pci_slot >= 0;
}

/* The function's configuration space; its memory, or the registers of one that is no function. */
static inline uint64_t function_of(const PlatformDevice *made) {
  return ECAM + ((uint64_t)(unsigned)MAX(made->plan->pci_slot, 0) << 15);
}

static inline uint64_t base_of(const PlatformDevice *made) {
  return on_pci(made) ? BARS + (uint64_t)made->plan->pci_slot * BAR_SIZE : made->plan->slot.base;
}

static inline Driver driver_of(FuzzMachine *machine, unsigned wanted) {
  Driver driver = {.machine = machine, .index = wanted};

  for (unsigned i = 0;; i++) {
    driver.made = &g_array_index(machine->platform->devices, PlatformDevice, i);
    driver.device = driver.made->virtio;
    if (driver.device && wanted-- == 0)
      return driver;
  }
}

/* How many there are. */
static inline unsigned driver_count(const FuzzMachine *machine) {
  unsigned n = 0;

  for (unsigned i = 0; i < machine->platform->devices->len; i++)
    n += g_array_index(machine->platform->devices, PlatformDevice, i).virtio != NULL;
  return n;
}

static inline void driver_place_bar(const Driver *driver) {
  if (!on_pci(driver->made))
    return;
  bus_write(bus_of(driver), function_of(driver->made) + 0x10, 4, base_of(driver->made));
  bus_write(bus_of(driver), function_of(driver->made) + 0x04, 2, 6);
}

static inline uint32_t driver_rings(const Driver *driver, unsigned queue) {
  return (driver->index % DEVICES * QUEUES + queue % QUEUES) * QUEUE_ROOM;
}

static inline uint8_t *driver_at(const Driver *driver, uint32_t offset) {
  return driver->machine->ram + offset;
}

static inline uint16_t *driver_word(const Driver *driver, unsigned queue, uint32_t area, unsigned word) {
  return (uint16_t *)(void *)driver_at(driver, driver_rings(driver, queue) + area + 2 * word);
}

/* virtio 1.2, 4.2.2 and 4.1.4.3 have the offsets. */
static inline void driver_set_queue(const Driver *driver, unsigned queue, unsigned size) {
  bool pci = on_pci(driver->made);
  uint64_t base = base_of(driver->made), rings = RAM_BASE + driver_rings(driver, queue);

  memset(driver_at(driver, driver_rings(driver, queue)), 0, QUEUE_ROOM);
  bus_write(bus_of(driver), base + (pci ? 0x4016 : 0x30), pci ? 2 : 4, queue);
  bus_write(bus_of(driver), base + (pci ? 0x4018 : 0x38), pci ? 2 : 4, size);
  if (pci)
    bus_write(bus_of(driver), base + 0x401a, 2, queue); /* its vector */
  for (unsigned i = 0; i < 3; i++) {
    uint64_t area = base + (pci ? 0x4020 + 8 * i : 0x80 + 16 * i);
    bus_write(bus_of(driver), area, 4, (uint32_t)(rings + DRIVER * i));
    bus_write(bus_of(driver), area + 4, 4, (rings + DRIVER * i) >> 32);
  }
  bus_write(bus_of(driver), base + (pci ? 0x401c : 0x44), pci ? 2 : 4, 1);
}

static inline void driver_set_status(const Driver *driver, unsigned status) {
  bool pci = on_pci(driver->made);

  bus_write(bus_of(driver), base_of(driver->made) + (pci ? 0x4014 : 0x70), pci ? 1 : 4, status);
}

static inline void driver_set_features(const Driver *driver, uint64_t features) {
  bool pci = on_pci(driver->made);

  for (unsigned word = 0; word < 2; word++) {
    bus_write(bus_of(driver), base_of(driver->made) + (pci ? 0x4008 : 0x24), 4, word);
    bus_write(bus_of(driver), base_of(driver->made) + (pci ? 0x400c : 0x20), 4, (uint32_t)(features >> 32 * word));
  }
}

/* With all that the device offers but WITHOUT, and the queues but those in LEFT_OUT. */
static inline void driver_start(const Driver *driver, uint64_t without, unsigned left_out, unsigned size) {
  driver_set_status(driver, 0);
  driver_set_status(driver, 3);
  driver_set_features(driver, (driver->device->offered_features & ~without) | VIRTIO_F_VERSION_1);
  driver_set_status(driver, 11);
  for (unsigned i = 0; i < driver->device->n_queues; i++)
    if (!(left_out >> i % 8 & 1))
      driver_set_queue(driver, i, size);
  driver_set_status(driver, 15);
  machine_settle(driver->device);
}

static inline void driver_kick(const Driver *driver, unsigned queue) {
  bool pci = on_pci(driver->made);

  bus_write(bus_of(driver), base_of(driver->made) + (pci ? 0xc000 + 4 * queue : 0x50), pci ? 2 : 4, queue);
  machine_settle(driver->device);
}

static inline void put_descriptor(uint8_t *at, uint64_t address, uint32_t size, uint16_t flags, uint16_t next) {
  memcpy(at, &address, 8);
  memcpy(at + 8, &size, 4);
  memcpy(at + 12, &flags, 2);
  memcpy(at + 14, &next, 2);
}

/* A chain in the making. */
typedef struct {
  const Driver *driver;
  unsigned queue, size;
  uint16_t head, n;
  uint8_t *table, *last; /* NULL: nothing yet */
  unsigned table_size;
} Chain;

static inline Chain chain_begin(const Driver *driver, unsigned queue, bool indirect) {
  unsigned size = MIN(driver->device->queues[queue].config.size, QUEUE_SIZE);
  uint8_t *rings = driver_at(driver, driver_rings(driver, queue));
  Chain chain = {.driver = driver, .queue = queue, .size = MAX(size, 1), .table = indirect ? rings + INDIRECTED : rings};

  chain.table_size = indirect ? QUEUE_SIZE : chain.size;
  chain.head = driver_word(driver, queue, DRIVER, 1)[0] * 3 % chain.size;
  return chain;
}

/* SIZE bytes at a place of its own, or at WHERE that is not 0; what is there first is BYTES, N of them. */
static inline void chain_add(Chain *chain, uint64_t where, uint32_t size, uint16_t flags, const void *bytes, size_t n) {
  unsigned at = chain->table_size == chain->size ? (chain->head + chain->n) % chain->size : chain->n % chain->table_size;
  uint32_t place = BUFFERS + (at % QUEUE_SIZE) * BUFFER;
  uint16_t index = (uint16_t)at, next = NEXT;

  if (chain->last) {
    uint16_t old;
    memcpy(&old, chain->last + 12, 2);
    next |= old;
    memcpy(chain->last + 12, &next, 2);
    memcpy(chain->last + 14, &index, 2);
  }
  if (n)
    memcpy(driver_at(chain->driver, place), bytes, MIN(n, BUFFER));
  chain->last = chain->table + 16 * at;
  put_descriptor(chain->last, where ? where : RAM_BASE + place, size, flags, 0);
  chain->n++;
}

static inline void chain_offer(const Driver *driver, unsigned queue, unsigned size, uint16_t head) {
  uint16_t *avail = driver_word(driver, queue, DRIVER, 0), at = avail[1];

  avail[2 + at % size] = head;
  __atomic_store_n(&avail[1], (uint16_t)(at + 1), __ATOMIC_RELEASE);
}

/* Available, and the doorbell rung. */
static inline void chain_send(const Chain *chain) {
  uint8_t *rings = driver_at(chain->driver, driver_rings(chain->driver, chain->queue));

  if (chain->table != rings)
    put_descriptor(rings + 16 * (chain->head % chain->size), RAM_BASE + (uint64_t)(chain->table - chain->driver->machine->ram),
                   16 * chain->n, INDIRECT, 0);
  chain_offer(chain->driver, chain->queue, chain->size, chain->head);
  driver_kick(chain->driver, chain->queue);
}
