/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare-metal program that has a device do something and waits for its interrupt, as a driver does: doorbell, the
 * monitor's thread, interrupt, and back in the guest. The device is a virtio entropy source behind virtio-mmio,
 * wherever it sits among the 32 of the `virt` machine. Prints like trips.S.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2: 4.2 "Virtio Over MMIO", 2.7 "Split Virtqueues", 5.4 "Entropy Device".
 *
 * Boot arguments: rounds=N (100), of a batch.
 */
#include "gic.h"
#include "guest.h"

const char *const guest_name = "ring";

#define BATCHES 8

/* The slots of the `virt` machine, and their interrupts. */
#define SLOTS      0x0a000000ull
#define SLOT_SIZE  0x200
#define N_SLOTS    32
#define SLOT_INTID (32 + 16)

/* 4.2.2 "MMIO Device Register Layout" */
#define MAGIC_VALUE         0x000
#define VERSION             0x004
#define DEVICE_ID           0x008
#define DRIVER_FEATURES     0x020
#define DRIVER_FEATURES_SEL 0x024
#define QUEUE_SEL           0x030
#define QUEUE_NUM           0x038
#define QUEUE_READY         0x044
#define QUEUE_NOTIFY        0x050
#define INTERRUPT_STATUS    0x060
#define INTERRUPT_ACK       0x064
#define STATUS              0x070
#define QUEUE_DESC          0x080
#define QUEUE_DRIVER        0x090
#define QUEUE_DEVICE        0x0a0

#define MAGIC          0x74726976
#define VERSION_MODERN 2
#define ENTROPY        4
#define FEATURE_V1     1 /* VIRTIO_F_VERSION_1, in the upper half */

/* 2.1 "Device Status Field" */
#define ACKNOWLEDGE 1
#define DRIVER      2
#define FEATURES_OK 8
#define DRIVER_OK   4

/* IHI 0069, 12.9: two bits an interrupt, the upper one: edge-triggered; a register an interrupt. */
#define GICD_IGROUPR    0x0080
#define GICD_ISENABLER  0x0100
#define GICD_IPRIORITYR 0x0400
#define GICD_ITARGETSR  0x0800 /* GICv2 */
#define GICD_ICFGR      0x0c00
#define GICD_IROUTER    0x6000 /* GICv3 */
#define EDGE            2u
#define PRIORITY        0xa0

#define QUEUE_SIZE 4 /* a power of two; one is in use at a time */
#define BYTES      8
#define F_WRITE    2 /* VIRTQ_DESC_F_WRITE */

typedef struct {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
} Descriptor;

static struct {
  Descriptor descriptors[QUEUE_SIZE] __attribute__((aligned(16)));
  struct {
    uint16_t flags, index, ring[QUEUE_SIZE];
  } driver __attribute__((aligned(2)));
  struct {
    uint16_t flags, index;
    struct {
      uint32_t id, length;
    } ring[QUEUE_SIZE];
  } device __attribute__((aligned(4)));
} queue;
static uint8_t bytes[BYTES];

static uint64_t find_device(unsigned *intid) {
  for (unsigned slot = 0; slot < N_SLOTS; slot++) {
    uint64_t base = SLOTS + slot * SLOT_SIZE;
    if (mmio_read32(base + MAGIC_VALUE) != MAGIC || mmio_read32(base + VERSION) != VERSION_MODERN ||
        mmio_read32(base + DEVICE_ID) != ENTROPY)
      continue;
    *intid = SLOT_INTID + slot;
    return base;
  }
  return 0;
}

static void write_address(uint64_t reg, const void *pointer) {
  mmio_write32(reg, (uint32_t)(uintptr_t)pointer);
  mmio_write32(reg + 4, (uint32_t)((uintptr_t)pointer >> 32));
}

static void start_device(uint64_t base) {
  mmio_write32(base + STATUS, 0);
  mmio_write32(base + STATUS, ACKNOWLEDGE | DRIVER);
  mmio_write32(base + DRIVER_FEATURES_SEL, 0);
  mmio_write32(base + DRIVER_FEATURES, 0);
  mmio_write32(base + DRIVER_FEATURES_SEL, 1);
  mmio_write32(base + DRIVER_FEATURES, FEATURE_V1);
  mmio_write32(base + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  mmio_write32(base + QUEUE_SEL, 0);
  mmio_write32(base + QUEUE_NUM, QUEUE_SIZE);
  write_address(base + QUEUE_DESC, queue.descriptors);
  write_address(base + QUEUE_DRIVER, &queue.driver);
  write_address(base + QUEUE_DEVICE, &queue.device);
  mmio_write32(base + QUEUE_READY, 1);
  mmio_write32(base + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void enable_interrupt(unsigned intid) {
  uint64_t gicd = machine.gic_distributor;
  uint32_t bit = 1u << intid % 32, config = mmio_read32(gicd + GICD_ICFGR + intid / 16 * 4);

  mmio_write32(gicd + GICD_ICFGR + intid / 16 * 4, config | EDGE << intid % 16 * 2);
  mmio_write32(gicd + GICD_IGROUPR + intid / 32 * 4, mmio_read32(gicd + GICD_IGROUPR + intid / 32 * 4) | bit);
  mmio_write8(gicd + GICD_IPRIORITYR + intid, PRIORITY);
  if (machine.gic == GIC_V3)
    mmio_write64(gicd + GICD_IROUTER + (uint64_t)intid * 8, machine.mpidr[0]);
  else
    mmio_write8(gicd + GICD_ITARGETSR + intid, 1);
  mmio_write32(gicd + GICD_ISENABLER + intid / 32 * 4, bit);
}

/* One request, its interrupt taken. PSTATE.I stays set: WFI ends when the interrupt is pending. */
static void round_trip(uint64_t base, unsigned intid) {
  uint16_t index = queue.driver.index;

  queue.driver.ring[index % QUEUE_SIZE] = 0;
  __atomic_store_n(&queue.driver.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
  dsb();
  mmio_write32(base + QUEUE_NOTIFY, 0);
  while (__atomic_load_n(&queue.device.index, __ATOMIC_ACQUIRE) == index)
    wait_for_interrupt();

  GicInterrupt interrupt;
  while ((interrupt = gic_acknowledge()).intid == GIC_SPURIOUS)
    wait_for_interrupt(); /* the ring is written before the interrupt is raised */
  if (interrupt.intid != intid)
    guest_fail("interrupt %u and not %u", interrupt.intid, intid);
  mmio_write32(base + INTERRUPT_ACK, mmio_read32(base + INTERRUPT_STATUS));
  gic_end(interrupt);
}

static void print_line(const char *name, uint64_t rounds, uint64_t value) {
  print("%s %016lx %016lx\n", name, rounds, value);
}

void guest_main(void) {
  unsigned intid = 0;
  uint64_t base = find_device(&intid), rounds = argument_number("rounds", 100);

  if (!base)
    guest_skip("there is no entropy source behind virtio-mmio");
  if (!gic_init())
    guest_skip("there is no interrupt controller");
  enable_interrupt(intid);
  queue.descriptors[0] = (Descriptor){.address = (uint64_t)(uintptr_t)bytes, .length = BYTES, .flags = F_WRITE};
  start_device(base);

  print_line("counter", rounds, counter_frequency());
  for (unsigned batch = 0; batch < BATCHES; batch++) {
    uint64_t before = counter();
    for (uint64_t i = 0; i < rounds; i++)
      round_trip(base, intid);
    print_line("interrupt", rounds, counter() - before);
  }
}
