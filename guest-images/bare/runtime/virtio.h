/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device behind PCI or memory-mapped, as its driver sees it: virtio 1.2, 2.7 (split virtqueues), 3.1 (set-up),
 * 4.1 (PCI), 4.2 (MMIO). No interrupts: a driver looks at its rings. Nothing here minds what is put into them, so a
 * program can break each rule.
 *
 * Boot CPU alone. All addresses are physical, and the same for the CPU.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUE_MAX  256 /* descriptors */
#define VIRTIO_QUEUES_MAX 17

/* Device status: 2.1. */
enum {
  VIRTIO_ACKNOWLEDGE = 1,
  VIRTIO_DRIVER = 2,
  VIRTIO_DRIVER_OK = 4,
  VIRTIO_FEATURES_OK = 8,
  VIRTIO_NEEDS_RESET = 64,
};

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

/* 2.7: descriptor table, available ring, used ring. */
typedef enum { VIRTIO_DESCRIPTORS, VIRTIO_AVAILABLE, VIRTIO_USED } VirtioArea;

/* 2.7.5 */
enum { VIRTIO_NEXT = 1, VIRTIO_WRITE = 2, VIRTIO_INDIRECT = 4 };
typedef struct {
  uint64_t address;
  uint32_t size;
  uint16_t flags, next;
} VirtioDescriptor;

/* 2.7.6, 2.7.8; behind each ring, an event index. */
typedef struct {
  uint16_t flags, idx, ring[VIRTIO_QUEUE_MAX + 1];
} VirtioAvail;
typedef struct {
  uint16_t flags, idx;
  struct {
    uint32_t id, written;
  } ring[VIRTIO_QUEUE_MAX];
  uint16_t event;
} VirtioUsed;

typedef struct VirtioBus VirtioBus;

typedef struct {
  VirtioDescriptor descriptors[VIRTIO_QUEUE_MAX] __attribute__((aligned(16)));
  VirtioAvail avail;
  VirtioUsed used __attribute__((aligned(4)));
  uint16_t size, next_used;
  const VirtioBus *bus;
  uint64_t doorbell;
} VirtioQueue;

typedef struct {
  const VirtioBus *bus;
  unsigned id;                     /* chapter 5 */
  uint64_t function;               /* PCI: configuration space */
  uint64_t common, config, notify; /* PCI: 4.1.4.3, 4.1.4.6, 4.1.4.4; MMIO: 4.2.2, all registers, and 0x100, and none */
  uint32_t notify_size, notify_multiplier;
  unsigned n_queues;
  VirtioQueue queues[VIRTIO_QUEUES_MAX];
} Virtio;

/* What the two transports do in ways of their own. `select` says which queue those behind it are about. */
struct VirtioBus {
  const char *name;
  uint8_t (*status)(const Virtio *virtio);
  void (*set_status)(const Virtio *virtio, uint8_t status);
  uint32_t (*offered)(const Virtio *virtio, unsigned word); /* bits 32 * WORD and up of the features */
  void (*accept)(const Virtio *virtio, unsigned word, uint32_t features);
  void (*select)(const Virtio *virtio, unsigned queue);
  uint32_t (*size)(const Virtio *virtio); /* PCI: as it is; MMIO: as it may be. 0: no such queue */
  void (*set_size)(const Virtio *virtio, uint32_t size);
  void (*place)(const Virtio *virtio, VirtioArea area, uint64_t address);
  void (*enable)(const Virtio *virtio, uint32_t value);
  bool (*enabled)(const Virtio *virtio);
  uint64_t (*doorbell)(const Virtio *virtio); /* where the queue's is */
  void (*ring)(uint64_t doorbell, unsigned queue);
};
extern const VirtioBus virtio_pci, virtio_mmio;

/* PCI: registers of the common configuration, 4.1.4.3. */
enum {
  VIRTIO_FEATURE_SELECT = 0x00,
  VIRTIO_FEATURE = 0x04,
  VIRTIO_DRIVER_FEATURE_SELECT = 0x08,
  VIRTIO_DRIVER_FEATURE = 0x0c,
  VIRTIO_NUM_QUEUES = 0x12,
  VIRTIO_STATUS = 0x14,
  VIRTIO_QUEUE_SELECT = 0x16,
  VIRTIO_QUEUE_SIZE = 0x18,
  VIRTIO_QUEUE_ENABLE = 0x1c,
  VIRTIO_QUEUE_NOTIFY_OFF = 0x1e,
  VIRTIO_QUEUE_DESC = 0x20,
  VIRTIO_QUEUE_DRIVER = 0x28,
  VIRTIO_QUEUE_DEVICE = 0x30,
};

/*
 * The device in the PCI slot SLOT, with its BAR placed; number NUMBER of the memory-mapped ones in the device tree.
 * False: there is none.
 */
#define VIRTIO_SLOTS 32
bool virtio_open_pci(Virtio *virtio, unsigned slot);
bool virtio_open_mmio(Virtio *virtio, unsigned number);
/* The first one behind PCI with this ID (chapter 5). False: there is none. */
bool virtio_find(Virtio *virtio, unsigned id);
/* All 64 bits of features that are offered. */
uint64_t virtio_offered(const Virtio *virtio);
/* Those that the driver takes, whether they are offered or not. */
void virtio_accept(const Virtio *virtio, uint64_t features);
/* From reset to FEATURES_OK, with those of WANTED that are offered. Returns them. */
uint64_t virtio_begin(Virtio *virtio, uint64_t wanted);
/* Queue INDEX, of SIZE descriptors, is empty and enabled. */
void virtio_enable_queue(Virtio *virtio, unsigned index, uint16_t size);
void virtio_go(Virtio *virtio);
void virtio_reset(Virtio *virtio);
uint8_t virtio_status(const Virtio *virtio);
/* PCI: a register of 64 bits in the common configuration. */
void virtio_write64(const Virtio *virtio, unsigned offset, uint64_t value);

/* Makes the chain at HEAD available; the device hears of it by the doorbell. */
void virtio_offer(VirtioQueue *queue, uint16_t head);
void virtio_ring(const VirtioQueue *queue, unsigned index);
/* The next that came back; false: none. */
bool virtio_take(VirtioQueue *queue, uint32_t *id, uint32_t *written);
