/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card: virtio 1.2, 5.1. Behind it is 10.77.2.1, which answers when it is asked for its address (ARP, RFC
 * 826), and may say more.
 */
#include "queues-hostile.h"

#include "cpu.h"
#include "text.h"

#define F_CTRL_VQ (1ull << 17)
#define F_CTRL_RX (1ull << 18)
#define F_MQ      (1ull << 22)
enum { RECEIVEQ, TRANSMITQ, HEADER_SIZE = 12, ARP_SIZE = 60 /* IEEE 802.3, 3.2.8 */, TRIES = 15 };
enum { CTRL_RX = 0, CTRL_MQ = 4, OK = 0 }; /* 5.1.6.5 */

static uint8_t out[HEADER_SIZE + ARP_SIZE], in[2048], command[4], ack;

static void make_frame(const Target *target) {
  static const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, own[] = {10, 77, 2, 2}, wanted[] = {10, 77, 2, 1};
  uint8_t *frame = out + HEADER_SIZE;

  memset(out, 0, sizeof out);
  memset(frame, 0xff, 6);
  for (unsigned i = 0; i < 6; i++)
    frame[6 + i] = mmio_read8(target->virtio->config + i);
  memcpy(frame + 12, fixed, sizeof fixed);
  memcpy(frame + 22, frame + 6, 6);
  memcpy(frame + 28, own, sizeof own);
  memcpy(frame + 38, wanted, sizeof wanted);
}

/* All pairs are to be used, where there are several; else it hears everything. */
static bool commands(Target *target) {
  Virtio *virtio = target->virtio;
  unsigned queue = target->features & F_MQ ? virtio->n_queues - 1 : 2, pairs = (virtio->n_queues - 1) / 2;
  bool multi = target->features & F_MQ;
  const VirtioDescriptor descriptors[] = {{(uint64_t)command, multi ? 4 : 3, 0, 0}, {(uint64_t)&ack, 1, VIRTIO_WRITE, 0}};

  if (!(target->features & F_CTRL_VQ))
    return true;
  command[0] = multi ? CTRL_MQ : CTRL_RX;
  command[1] = 0;
  command[2] = multi ? (uint8_t)pairs : 1;
  command[3] = 0;
  ack = 0xff;
  target_offer(target, queue, descriptors, 2);
  return hostile_wait(virtio, queue) == CAME_BACK && ack == OK;
}

static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  VirtioQueue *receive = &target->virtio->queues[RECEIVEQ];

  receive->descriptors[0] = (VirtioDescriptor){(uint64_t)in, sizeof in, VIRTIO_WRITE, 0};
  virtio_offer(receive, 0);
  virtio_ring(receive, RECEIVEQ);
  make_frame(target);
  descriptors[0] = (VirtioDescriptor){(uint64_t)out, HEADER_SIZE, 0, 0};
  descriptors[1] = (VirtioDescriptor){(uint64_t)out + HEADER_SIZE, ARP_SIZE, 0, 0};
  target->queue = TRANSMITQ;
  return 2;
}

/* The first question may be one too early for who is behind it. */
static bool answered(Target *target, uint32_t written) {
  const VirtioDescriptor descriptor = {(uint64_t)out, sizeof out, 0, 0};
  HostileAnswer heard = NOTHING;

  for (unsigned i = 0; i < TRIES && heard != CAME_BACK && written == 0; i++) {
    heard = hostile_wait_for(target->virtio, RECEIVEQ, 500);
    if (heard != CAME_BACK) {
      target_offer(target, TRANSMITQ, &descriptor, 1);
      hostile_wait_for(target->virtio, TRANSMITQ, 500);
    }
  }
  return heard == CAME_BACK && commands(target);
}

const Kind net_kind = {.id = 1, .name = "net", .features = F_CTRL_VQ | F_CTRL_RX | F_MQ, .ask = ask, .answered = answered};
