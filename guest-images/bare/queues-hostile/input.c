/* SPDX-License-Identifier: Apache-2.0 */
/* A keyboard: virtio 1.2, 5.8. Boot argument `input`: somebody has pressed a key, so the device looks for buffers. */
#include "queues-hostile.h"

#include "machine.h"

enum { EVENTQ, STATUSQ };

/* A light that is to be on. */
static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  static const struct {
    uint16_t type, code;
    uint32_t value;
  } light = {0x11, 0, 1};

  target->queue = STATUSQ;
  descriptors[0] = (VirtioDescriptor){(uint64_t)&light, sizeof light, 0, 0};
  return 1;
}

static bool answered(Target *target, uint32_t written) {
  (void)target;
  return written == 0;
}

static bool skips(const Target *target, unsigned queue) {
  (void)target;
  return queue == EVENTQ && !argument_present("input");
}

const Kind input_kind = {.id = 18, .name = "input", .ask = ask, .answered = answered, .skips = skips};
