/* SPDX-License-Identifier: Apache-2.0 */
/* A console: virtio 1.2, 5.3. Boot argument `input`: somebody types without end, so the device looks for buffers. */
#include "queues-hostile.h"

#include "machine.h"

enum { RECEIVEQ, TRANSMITQ };

static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  static const char line[] = "\n";

  target->queue = TRANSMITQ;
  descriptors[0] = (VirtioDescriptor){(uint64_t)line, sizeof line - 1, 0, 0};
  return 1;
}

static bool answered(Target *target, uint32_t written) {
  (void)target;
  return written == 0;
}

static bool skips(const Target *target, unsigned queue) {
  (void)target;
  return queue == RECEIVEQ && !argument_present("input");
}

const Kind console_kind = {.id = 3, .name = "console", .ask = ask, .answered = answered, .skips = skips};
