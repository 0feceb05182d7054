/* SPDX-License-Identifier: Apache-2.0 */
/* A source of random bytes: virtio 1.2, 5.4. */
#include "queues-hostile.h"

#include "text.h"

static uint8_t bytes[64];

static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  target->queue = 0;
  memset(bytes, 0, sizeof bytes);
  descriptors[0] = (VirtioDescriptor){(uint64_t)bytes, sizeof bytes, VIRTIO_WRITE, 0};
  return 1;
}

/* That eight bytes of them are 0 is so unlikely that it does not happen. */
static bool answered(Target *target, uint32_t written) {
  (void)target;
  return written == sizeof bytes && *(const uint64_t *)(bytes + sizeof bytes - 8) != 0;
}

const Kind rng_kind = {.id = 4, .name = "rng", .ask = ask, .answered = answered};
