/* SPDX-License-Identifier: Apache-2.0 */
/* Status and features out of their order: virtio 1.2, 2.1, 2.2, 3.1. */
#include "queues-hostile.h"

#include "cpu.h"

#define F_VERSION_1     VIRTIO_F_VERSION_1
#define F_RING_PACKED   (1ull << 34)
#define F_RESERVED      (1ull << 41)
#define BEGUN           (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define FAILED          128
#define RESERVED_STATUS 0x30
#define RESETS          20

static void set_status(Target *target, uint8_t status) {
  target->virtio->bus->set_status(target->virtio, status);
}

/* Whether exactly FEATURES are taken, in a new start. */
static bool takes(Target *target, uint64_t features) {
  virtio_reset(target->virtio);
  set_status(target, BEGUN);
  virtio_accept(target->virtio, features);
  set_status(target, BEGUN | VIRTIO_FEATURES_OK);
  return virtio_status(target->virtio) & VIRTIO_FEATURES_OK;
}

/* Whether a chain in a queue of a device that has not begun stays where it is. */
static bool is_asleep(Target *target) {
  const VirtioDescriptor descriptor = {(uint64_t)playground, 64, VIRTIO_WRITE, 0};
  unsigned queue = target->queue;

  target_offer(target, queue, &descriptor, 1);
  return hostile_wait_for(target->virtio, queue, 20) == NOTHING;
}

static bool go_without_features(Target *target) {
  virtio_reset(target->virtio);
  for (unsigned i = 0; i < target->virtio->n_queues; i++)
    target_enable(target, i);
  set_status(target, BEGUN | VIRTIO_DRIVER_OK);
  return !(virtio_status(target->virtio) & VIRTIO_DRIVER_OK) && is_asleep(target);
}

static bool go_with_refused_features(Target *target) {
  if (takes(target, 0))
    return false;
  set_status(target, BEGUN | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
  return !(virtio_status(target->virtio) & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK));
}

static bool set_all_at_once(Target *target) {
  virtio_reset(target->virtio);
  set_status(target, 0xff);
  return !(virtio_status(target->virtio) & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET));
}

static bool take_unoffered(Target *target) {
  uint64_t offered = virtio_offered(target->virtio);

  for (unsigned bit = 0; bit < 64; bit++)
    if (!(offered & 1ull << bit) && takes(target, F_VERSION_1 | 1ull << bit))
      return false;
  return true;
}

static bool take_all(Target *target) {
  return !takes(target, ~0ull);
}

static bool take_packed(Target *target) {
  return (virtio_offered(target->virtio) & F_RING_PACKED) || !takes(target, F_VERSION_1 | F_RING_PACKED);
}

static bool take_none(Target *target) {
  return !takes(target, 0) && !takes(target, virtio_offered(target->virtio) & ~F_VERSION_1);
}

/* 2.2: a device with this driver has 64 of them. */
static bool take_beyond(Target *target) {
  const VirtioBus *bus = target->virtio->bus;

  virtio_reset(target->virtio);
  set_status(target, BEGUN);
  virtio_accept(target->virtio, F_VERSION_1);
  for (uint32_t word = 2; word; word <<= 1) {
    if (bus->offered(target->virtio, word))
      return false;
    bus->accept(target->virtio, word, 0xffffffff);
  }
  bus->accept(target->virtio, 0xffffffff, 0xffffffff);
  set_status(target, BEGUN | VIRTIO_FEATURES_OK);
  return virtio_status(target->virtio) & VIRTIO_FEATURES_OK;
}

/* What was agreed on stays so, and the device works with it. */
static bool take_late(Target *target) {
  target_prepare(target, 0, NO_QUEUE);
  virtio_accept(target->virtio, ~0ull);
  virtio_accept(target->virtio, 0);
  virtio_go(target->virtio);
  virtio_accept(target->virtio, F_RESERVED);
  return target_works(target);
}

static bool ask_for_reset(Target *target) {
  target_start(target, 0);
  set_status(target, 0x0f | VIRTIO_NEEDS_RESET);
  return !target_needs_reset(target) && target_works(target);
}

static bool set_reserved(Target *target) {
  target_start(target, 0);
  set_status(target, 0x0f | RESERVED_STATUS);
  return target_works(target);
}

/* 2.1.1: a driver does not clear a bit. */
static bool clear_bits(Target *target) {
  target_start(target, 0);
  for (uint8_t status = 1; status < 0x10; status++)
    set_status(target, status);
  return target_works(target);
}

static bool go_again(Target *target) {
  target_start(target, 0);
  for (unsigned i = 0; i < 5; i++)
    virtio_go(target->virtio);
  return target_works(target);
}

static bool fail(Target *target) {
  target_start(target, 0);
  set_status(target, 0x0f | FAILED);
  return virtio_status(target->virtio) & FAILED;
}

static bool go_with_no_queue(Target *target) {
  virtio_begin(target->virtio, target->kind->features | F_VERSION_1);
  virtio_go(target->virtio);
  for (unsigned i = 0; i < target->virtio->n_queues; i++) {
    target->virtio->bus->select(target->virtio, i);
    target->virtio->bus->ring(target->virtio->bus->doorbell(target->virtio), i);
  }
  return virtio_status(target->virtio) & VIRTIO_DRIVER_OK;
}

/* Each in turn; what the device makes of that is its own. */
static bool go_with_one_queue(Target *target) {
  for (unsigned i = 0; i < target->virtio->n_queues; i++) {
    virtio_begin(target->virtio, target->kind->features | F_VERSION_1);
    target_enable(target, i);
    virtio_go(target->virtio);
    target_offer(target, i, &(VirtioDescriptor){(uint64_t)playground, 64, VIRTIO_WRITE, 0}, 1);
  }
  return true;
}

static bool reset_again(Target *target) {
  target_start(target, 0);
  for (unsigned i = 0; i < RESETS; i++)
    set_status(target, 0);
  return virtio_status(target->virtio) == 0;
}

/* Each time, with something to do. */
static bool reset_busy(Target *target) {
  for (unsigned i = 0; i < RESETS / 4; i++) {
    VirtioDescriptor descriptors[REQUEST_MAX];
    target_start(target, 0);
    unsigned n = target->kind->ask(target, descriptors);
    target_offer(target, target->queue, descriptors, n);
  }
  virtio_reset(target->virtio);
  return virtio_status(target->virtio) == 0;
}

static const struct {
  const char *name;
  bool (*act)(Target *target);
} ways[] = {
    {"it is to begin before features are agreed on", go_without_features},
    {"it is to begin after features were refused", go_with_refused_features},
    {"all bits of the status at once", set_all_at_once},
    {"each feature that it has not offered", take_unoffered},
    {"all features", take_all},
    {"packed queues, which it has not offered", take_packed},
    {"features without VERSION_1", take_none},
    {"features beyond the last", take_beyond},
    {"other features than were agreed on", take_late},
    {"the driver says that it needs a reset", ask_for_reset},
    {"bits of the status that nobody knows", set_reserved},
    {"bits of the status are cleared", clear_bits},
    {"it is to begin again and again", go_again},
    {"the driver gives up", fail},
    {"it is to begin without a queue", go_with_no_queue},
    {"it is to begin with one queue", go_with_one_queue},
    {"resets without end", reset_again},
    {"resets with something to do", reset_busy},
};

void break_status(Target *target) {
  for (unsigned i = 0; i < sizeof ways / sizeof *ways && !target->dead; i++) {
    bool right = ways[i].act(target);
    target_done(target, NO_QUEUE, right, right ? "is right" : "is not as it should be", "%s", ways[i].name);
  }
}
