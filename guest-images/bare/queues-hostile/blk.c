/* SPDX-License-Identifier: Apache-2.0 */
/* A disk: virtio 1.2, 5.2. Its first sector begins with `queues`. */
#include "queues-hostile.h"

#include "text.h"

#define F_MQ   (1ull << 12)
#define SECTOR 512
enum { T_IN = 0, S_OK = 0 };

static struct {
  uint32_t type, reserved;
  uint64_t sector;
} header;
static uint8_t data[SECTOR + 1];

/* All queues in turn. */
static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  target->queue = target->features & F_MQ ? target->turn++ % target->virtio->n_queues : 0;
  header.type = T_IN;
  memset(data, 0xff, sizeof data);
  descriptors[0] = (VirtioDescriptor){(uint64_t)&header, sizeof header, 0, 0};
  descriptors[1] = (VirtioDescriptor){(uint64_t)data, SECTOR, VIRTIO_WRITE, 0};
  descriptors[2] = (VirtioDescriptor){(uint64_t)data + SECTOR, 1, VIRTIO_WRITE, 0};
  return 3;
}

static bool answered(Target *target, uint32_t written) {
  (void)target;
  return written == SECTOR + 1 && data[SECTOR] == S_OK && text_starts((const char *)data, "queues");
}

const Kind blk_kind = {.id = 2, .name = "blk", .features = F_MQ, .ask = ask, .answered = answered};
