/* SPDX-License-Identifier: Apache-2.0 */
/* A console of several ports: virtio 1.2, 5.3. Port 0 has queues 0 and 1, port N queues 2N + 2 and 2N + 3. */
#include "queues-hostile.h"

#include "cpu.h"
#include "text.h"

#define F_MULTIPORT (1ull << 1)
enum { CONTROL_RECEIVEQ = 2, CONTROL_TRANSMITQ = 3, OUTPUT = 7 /* of port 2 */, MAX_PORTS = 4 /* in the configuration, 5.3.4 */ };
enum { DEVICE_READY = 0, DEVICE_ADD = 1 };

typedef struct {
  uint32_t id;
  uint16_t event, value;
} Message;

static Message ready, news[VIRTIO_QUEUE_MAX];

static unsigned n_ports(const Target *target) {
  return mmio_read32(target->virtio->config + MAX_PORTS);
}

/* There are as many buffers as there will be messages: one for each port. */
static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  VirtioQueue *receive = &target->virtio->queues[CONTROL_RECEIVEQ];

  for (uint16_t i = 0; i < n_ports(target); i++) {
    receive->descriptors[i] = (VirtioDescriptor){(uint64_t)&news[i], sizeof *news, VIRTIO_WRITE, 0};
    virtio_offer(receive, i);
  }
  ready = (Message){.event = DEVICE_READY, .value = 1};
  target->queue = CONTROL_TRANSMITQ;
  descriptors[0] = (VirtioDescriptor){(uint64_t)&ready, sizeof ready, 0, 0};
  return 1;
}

static bool answered(Target *target, uint32_t written) {
  (void)written;
  return hostile_wait(target->virtio, CONTROL_RECEIVEQ) == CAME_BACK && news[0].event == DEVICE_ADD && news[0].id == 0;
}

/* Nobody writes to a port that is not open; and one port is like another. */
static bool skips(const Target *target, unsigned queue) {
  (void)target;
  return queue > OUTPUT || (queue != CONTROL_RECEIVEQ && queue % 2 == 0);
}

static void poke(Target *target, unsigned queue) {
  static const Message message = {.event = DEVICE_READY, .value = 1};

  if (queue == CONTROL_RECEIVEQ)
    target_offer(target, CONTROL_TRANSMITQ, &(VirtioDescriptor){(uint64_t)&message, sizeof message, 0, 0}, 1);
}

const Kind ports_kind = {.id = 3, .name = "ports", .features = F_MULTIPORT, .ask = ask, .answered = answered, .skips = skips, .poke = poke};
