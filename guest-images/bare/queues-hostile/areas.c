/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of sizes that no device has, and areas where none can be (virtio 1.2, 2.7): the device may refuse the queue,
 * or need a reset once it should begin. Areas that lie in one another are good memory: nobody but the driver has to
 * mind.
 */
#include "queues-hostile.h"

#include "machine.h"

#define GOOD       ((uint64_t)playground)
#define NO_ADDRESS 0x2000ul /* below all RAM */

static const char *const area_names[] = {"descriptors", "the available ring", "the used ring"};
static const uint64_t alignment[] = {16, 2, 4};

typedef struct {
  const char *name;
  uint64_t (*address)(VirtioArea area);
} Place;

static uint64_t at_zero(VirtioArea area) {
  (void)area;
  return 0;
}

static uint64_t at_nothing(VirtioArea area) {
  (void)area;
  return NO_ADDRESS;
}

static uint64_t at_uart(VirtioArea area) {
  (void)area;
  return machine.uart ? machine.uart : 0x09000000;
}

static uint64_t at_gic(VirtioArea area) {
  (void)area;
  return machine.gic_distributor;
}

static uint64_t before_ram(VirtioArea area) {
  (void)area;
  return machine.ram_base - 16;
}

/* A size of 1 would be wholly inside, and is not asked for. */
static uint64_t at_end(VirtioArea area) {
  (void)area;
  return machine.ram_base + machine.ram_size - 16;
}

static uint64_t behind_end(VirtioArea area) {
  (void)area;
  return machine.ram_base + machine.ram_size;
}

static uint64_t at_top(VirtioArea area) {
  (void)area;
  return -UINT64_C(16);
}

static uint64_t at_half(VirtioArea area) {
  (void)area;
  return UINT64_C(1) << 63;
}

static uint64_t misaligned(VirtioArea area) {
  return GOOD + alignment[area] / 2;
}

static const Place places[] = {
    {"at 0", at_zero},
    {"where nothing is", at_nothing},
    {"in the UART", at_uart},
    {"in the interrupt controller", at_gic},
    {"across the start of memory", before_ram},
    {"across the end of memory", at_end},
    {"behind the end of memory", behind_end},
    {"across the end of all addresses", at_top},
    {"in the middle of all addresses", at_half},
    {"between two places where it may be", misaligned},
};

static const struct {
  const char *name;
  uint32_t size;
} sizes[] = {
    {"nothing", 0},   {"3", 3},         {"255", VIRTIO_QUEUE_MAX - 1}, {"512, more than any has", 2 * VIRTIO_QUEUE_MAX},
    {"32768", 32768}, {"65535", 65535},
};

/* All queues but QUEUE are good. That one is selected, and is to be enabled in ADDRESSES, which are good so far. */
static void prepare(Target *target, unsigned queue, uint64_t addresses[3]) {
  VirtioQueue *memory = &target->virtio->queues[queue];

  target_prepare(target, 0, queue);
  target_choose(target, queue);
  addresses[VIRTIO_DESCRIPTORS] = (uint64_t)memory->descriptors;
  addresses[VIRTIO_AVAILABLE] = (uint64_t)&memory->avail;
  addresses[VIRTIO_USED] = (uint64_t)&memory->used;
}

typedef enum { ANY_ANSWER, IS_BROKEN } Wanted;

static void begin(Target *target, unsigned queue, const uint64_t addresses[3], Wanted wanted, const char *what, const char *where) {
  const VirtioBus *bus = target->virtio->bus;

  for (unsigned area = 0; area < 3; area++)
    bus->place(target->virtio, area, addresses[area]);
  bus->enable(target->virtio, 1);
  bool enabled = bus->enabled(target->virtio);
  virtio_go(target->virtio);
  bool broken = target_needs_reset(target);
  target_done(target, queue, broken || !enabled || wanted == ANY_ANSWER,
              broken    ? "needs a reset"
              : enabled ? "is taken"
                        : "is refused",
              "%s %s", what, where);
}

static void misplace(Target *target, unsigned queue, VirtioArea area, const Place *place) {
  uint64_t addresses[3];

  prepare(target, queue, addresses);
  addresses[area] = place->address(area);
  begin(target, queue, addresses, IS_BROKEN, area_names[area], place->name);
}

static void choose_size(Target *target, unsigned queue, unsigned i) {
  uint64_t addresses[3];

  prepare(target, queue, addresses);
  target->virtio->bus->set_size(target->virtio, sizes[i].size);
  begin(target, queue, addresses, IS_BROKEN, "a queue of", sizes[i].name);
}

static void lay_over(Target *target, unsigned queue) {
  uint64_t addresses[3];

  prepare(target, queue, addresses);
  addresses[VIRTIO_AVAILABLE] = addresses[VIRTIO_USED] = addresses[VIRTIO_DESCRIPTORS];
  begin(target, queue, addresses, ANY_ANSWER, "all of a queue", "in one place");
  if (target->dead)
    return;
  prepare(target, queue, addresses);
  addresses[VIRTIO_USED] = addresses[VIRTIO_AVAILABLE] + 2;
  addresses[VIRTIO_USED] &= ~UINT64_C(3);
  begin(target, queue, addresses, ANY_ANSWER, "the used ring", "in the available ring");
  if (target->dead || target->virtio->n_queues < 2)
    return;
  prepare(target, queue, addresses);
  addresses[VIRTIO_USED] = (uint64_t)&target->virtio->queues[!queue].used;
  begin(target, queue, addresses, ANY_ANSWER, "the used ring", "in that of another queue");
}

/* Each of the queues has its turn. */
void misplace_areas(Target *target) {
  unsigned n = 0, n_queues = target->virtio->n_queues;

  for (VirtioArea area = 0; area < 3; area++)
    for (unsigned i = 0; i < sizeof places / sizeof *places && !target->dead; i++)
      misplace(target, n++ % n_queues, area, &places[i]);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes && !target->dead; i++)
    choose_size(target, n++ % n_queues, i);
  if (!target->dead)
    lay_over(target, n % n_queues);
}
