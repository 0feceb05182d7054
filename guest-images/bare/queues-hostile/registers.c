/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of queues, doorbells and configuration: virtio 1.2, 4.1.4 and 4.2.2. */
#include "queues-hostile.h"

#include "cpu.h"

#define PCI_DOORBELLS 0x1000 /* bytes: where they are, and behind them */
#define RING_RESET    0x0c0  /* MMIO; a feature that was not agreed on, as the next */
enum { PCI_NOTIF_CONFIG_DATA = 0x38, PCI_QUEUE_RESET = 0x3a, PCI_CONFIG_VECTOR = 0x10, PCI_QUEUE_VECTOR = 0x1a };
enum { NO_VECTOR = 0xffff, MMIO_INTERRUPT_ACK = 0x064, MMIO_LAST = 0x0fc };

static bool is_pci(const Target *target) {
  return target->virtio->bus == &virtio_pci;
}

/* The queue that a request goes to is selected. */
static const VirtioBus *select(Target *target, unsigned queue) {
  target->virtio->bus->select(target->virtio, queue);
  return target->virtio->bus;
}

static void spoil(Target *target, unsigned queue) {
  const VirtioBus *bus = select(target, queue);

  for (VirtioArea area = 0; area < 3; area++)
    bus->place(target->virtio, area, 0x123450);
  bus->set_size(target->virtio, 3);
  bus->enable(target->virtio, 1);
}

/* Where a queue is, is settled once it is enabled. */
static bool move_enabled(Target *target) {
  target_prepare(target, 0, NO_QUEUE);
  for (unsigned i = 0; i < target->virtio->n_queues; i++)
    spoil(target, i);
  virtio_go(target->virtio);
  return target_works(target);
}

static bool move_running(Target *target) {
  target_start(target, 0);
  for (unsigned i = 0; i < target->virtio->n_queues; i++)
    spoil(target, i);
  return target_works(target);
}

static bool enable_late(Target *target) {
  unsigned queue = target->virtio->n_queues - 1;

  target_prepare(target, 0, queue);
  virtio_go(target->virtio);
  select(target, queue);
  virtio_enable_queue(target->virtio, queue, 2);
  target_offer(target, queue, &(VirtioDescriptor){(uint64_t)playground, 64, VIRTIO_WRITE, 0}, 1);
  return true;
}

/* 4.1.4.3.2, 4.2.2.2: 1 is the only value that enables. */
static bool enable_otherwise(Target *target) {
  bool enabled = false;

  virtio_begin(target->virtio, VIRTIO_F_VERSION_1);
  for (unsigned value = 2; value < 0x10000; value <<= 1) {
    select(target, 0)->enable(target->virtio, value | (value >> 1 & ~1u));
    enabled |= target->virtio->bus->enabled(target->virtio);
  }
  return !enabled;
}

/* By MMIO that ends the queue, by PCI it means nothing. */
static bool disable(Target *target) {
  target_start(target, 0);
  for (unsigned i = 0; i < target->virtio->n_queues; i++) {
    select(target, i)->enable(target->virtio, 0);
    virtio_ring(&target->virtio->queues[i], i);
  }
  return is_pci(target) ? target_works(target) : !target->virtio->bus->enabled(target->virtio);
}

static bool disable_busy(Target *target) {
  VirtioDescriptor descriptors[REQUEST_MAX];

  target_start(target, 0);
  unsigned n = target->kind->ask(target, descriptors);
  target_offer(target, target->queue, descriptors, n);
  select(target, target->queue)->enable(target->virtio, 0);
  select(target, target->queue)->enable(target->virtio, 1);
  virtio_ring(&target->virtio->queues[target->queue], target->queue);
  return true;
}

/* By PCI there are 16 bits of a queue's number. */
static bool select_none(Target *target) {
  const uint32_t queues[] = {target->virtio->n_queues, VIRTIO_QUEUES_MAX + 1, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff};
  bool wrong = false;

  target_prepare(target, 0, NO_QUEUE);
  for (unsigned i = 0; i < sizeof queues / sizeof *queues; i++) {
    spoil(target, queues[i]);
    wrong |= target->virtio->bus->size(target->virtio) || target->virtio->bus->enabled(target->virtio);
  }
  virtio_go(target->virtio);
  return !wrong && target_works(target);
}

static void ring_everywhere(const Target *target) {
  const Virtio *virtio = target->virtio;

  for (uint32_t at = 0; is_pci(target) && at < PCI_DOORBELLS; at += at < 0x100 ? 2 : 0x7c) {
    mmio_write16(virtio->notify + at, (uint16_t)at);
    mmio_write32(virtio->notify + (at & ~3u), 0xffffffff);
    mmio_write8(virtio->notify + at + 1, 0xff);
  }
  for (uint32_t value = virtio->n_queues; !is_pci(target) && value; value <<= 1)
    virtio->bus->ring(virtio->bus->doorbell(virtio), value);
  if (!is_pci(target))
    virtio->bus->ring(virtio->bus->doorbell(virtio), 0xffffffff);
}

static bool ring_none(Target *target) {
  target_start(target, 0);
  ring_everywhere(target);
  return target_works(target);
}

static bool ring_early(Target *target) {
  virtio_reset(target->virtio);
  ring_everywhere(target);
  target_prepare(target, 0, NO_QUEUE);
  for (unsigned i = 0; i < target->virtio->n_queues; i++)
    virtio_ring(&target->virtio->queues[i], i);
  virtio_go(target->virtio);
  return target_works(target);
}

/* Registers of VIRTIO_F_RING_RESET and VIRTIO_F_NOTIF_CONFIG_DATA, which were not agreed on: nothing happens. */
static bool reset_queues(Target *target) {
  uint64_t registers = target->virtio->common;

  target_start(target, 0);
  for (unsigned i = 0; i < target->virtio->n_queues; i++) {
    select(target, i);
    if (is_pci(target)) {
      mmio_write16(registers + PCI_QUEUE_RESET, 1);
      mmio_write16(registers + PCI_NOTIF_CONFIG_DATA, 0xffff);
    } else {
      mmio_write32(registers + RING_RESET, 1);
    }
  }
  return target_works(target);
}

static bool pick_vectors(Target *target) {
  uint64_t registers = target->virtio->common;
  bool wrong = false;

  if (!is_pci(target))
    return true;
  target_start(target, 0);
  for (uint16_t vector = 0xfffe; vector > 0x100; vector >>= 1) {
    mmio_write16(registers + PCI_CONFIG_VECTOR, vector);
    select(target, 0);
    mmio_write16(registers + PCI_QUEUE_VECTOR, vector);
    wrong |= mmio_read16(registers + PCI_CONFIG_VECTOR) != NO_VECTOR || mmio_read16(registers + PCI_QUEUE_VECTOR) != NO_VECTOR;
  }
  return !wrong && target_works(target);
}

/* Accesses of other sizes than the registers have, in them and between them. */
static bool access_oddly(Target *target) {
  uint64_t registers = target->virtio->common;

  target_start(target, 0);
  for (unsigned at = 0; at < (is_pci(target) ? 0x40 : MMIO_LAST); at += is_pci(target) ? 1 : 12) {
    mmio_read8(registers + at);
    mmio_read16(registers + (at & ~1u));
    mmio_read64(registers + (at & ~7u));
    if (!is_pci(target))
      mmio_write16(registers + (at & ~1u) + 2, 0xffff);
  }
  return target_works(target);
}

/* All is written anywhere; what became of the device is its own. */
static bool write_everything(Target *target) {
  uint64_t registers = target->virtio->common;

  target_start(target, 0);
  for (unsigned i = 0; i < 100; i++) {
    uint32_t value = hostile_random(4) ? hostile_random(0xffffffff) : hostile_random(16);
    if (is_pci(target))
      mmio_write32(registers + 4 * hostile_random(0x10), value);
    else
      mmio_write32(registers + 4 * hostile_random(0x40), value);
    if (is_pci(target) && hostile_random(2))
      mmio_write16(registers + 2 * hostile_random(0x20), (uint16_t)value);
    if (hostile_random(8) == 0)
      virtio_ring(&target->virtio->queues[0], 0);
  }
  return true;
}

static bool fill_config(Target *target) {
  uint64_t config = target->virtio->config;
  unsigned size = is_pci(target) ? 0x400 : 0x100;

  target_start(target, 0);
  for (unsigned at = 0; config && at < size; at += at < 32 ? 1 : 28) {
    mmio_write8(config + at, 0xff);
    mmio_read8(config + at);
    mmio_write32(config + (at & ~3u), 0xffffffff);
    mmio_write64(config + (at & ~7u), ~0ull);
    mmio_read64(config + (at & ~7u));
  }
  return true;
}

static bool acknowledge_all(Target *target) {
  target_start(target, 0);
  for (unsigned i = 0; i < 5 && !is_pci(target); i++)
    mmio_write32(target->virtio->common + MMIO_INTERRUPT_ACK, 0xffffffff);
  return target_works(target);
}

static const struct {
  const char *name;
  bool (*act)(Target *target);
} ways[] = {
    {"queues are moved once they are enabled", move_enabled},
    {"queues are moved while they run", move_running},
    {"a queue is enabled once it has begun", enable_late},
    {"queues are enabled by another number than 1", enable_otherwise},
    {"queues are disabled while they run", disable},
    {"a queue is disabled while it works, and enabled", disable_busy},
    {"queues that are not there", select_none},
    {"doorbells that are not there", ring_none},
    {"doorbells before it has begun", ring_early},
    {"resets of queues, which it has not offered", reset_queues},
    {"vectors that are not there", pick_vectors},
    {"interrupts are acknowledged that were none", acknowledge_all},
    {"accesses of odd sizes", access_oddly},
    {"its configuration is written over", fill_config},
    {"its registers are written over", write_everything},
};

void break_registers(Target *target) {
  for (unsigned i = 0; i < sizeof ways / sizeof *ways && !target->dead; i++) {
    bool right = ways[i].act(target);
    target_done(target, NO_QUEUE, right, right ? "is right" : "is not as it should be", "%s", ways[i].name);
  }
}
