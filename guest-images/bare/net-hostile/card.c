/* SPDX-License-Identifier: Apache-2.0 */
/* A driver as it should be, for what comes before and after the others. */
#include "net-hostile.h"

#include "guest.h"
#include "text.h"

#define ANSWER_TRIES 15

Virtio card;
uint64_t card_features;
unsigned card_controlq;
uint8_t card_buffers[N_BUFFERS][BUFFER_SIZE] __attribute__((aligned(64)));
struct CardFrame card_out __attribute__((aligned(64)));

void card_give_buffer(uint16_t n) {
  VirtioQueue *queue = &card.queues[RECEIVEQ];

  queue->descriptors[n] = (VirtioDescriptor){(uint64_t)card_buffers[n], BUFFER_SIZE, VIRTIO_WRITE, 0};
  virtio_offer(queue, n);
}

void card_start(bool with_buffers) {
  card_features = virtio_begin(&card, FEATURES);
  if (card.n_queues > VIRTIO_QUEUES_MAX)
    guest_fail("%u queues are more than this driver has room for", card.n_queues);
  card_controlq = card_features & F_MQ ? card.n_queues - 1 : 2;
  for (unsigned i = 0; i < card.n_queues; i++)
    virtio_enable_queue(&card, i, QUEUE_SIZE);
  for (uint16_t i = 0; with_buffers && i < N_BUFFERS; i++)
    card_give_buffer(i);
  virtio_go(&card);
}

void card_send(uint32_t size) {
  VirtioQueue *queue = &card.queues[TRANSMITQ];

  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)&card_out.header, HEADER_SIZE, VIRTIO_NEXT, 1};
  queue->descriptors[1] = (VirtioDescriptor){(uint64_t)card_out.frame, size, 0, 0};
  virtio_offer(queue, 0);
  virtio_ring(queue, TRANSMITQ);
}

static void put16(uint8_t *to, unsigned value) {
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

void card_make_frame(unsigned type) {
  memset(&card_out, 0, sizeof card_out);
  memset(card_out.frame, 0xff, 6);
  for (unsigned i = 0; i < 6; i++)
    card_out.frame[6 + i] = mmio_read8(card.config + i);
  put16(card_out.frame + 12, type);
}

void card_make_request(void) {
  static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, 1}, own[] = {10, 77, 2, 2}, wanted[] = {10, 77, 2, 1};

  card_make_frame(0x0806);
  memcpy(card_out.frame + 14, fixed, sizeof fixed);
  memcpy(card_out.frame + 22, card_out.frame + 6, 6);
  memcpy(card_out.frame + 28, own, sizeof own);
  memcpy(card_out.frame + 38, wanted, sizeof wanted);
}

bool card_hears(uint64_t ticks) {
  uint64_t end = counter() + ticks;
  uint32_t id, written;

  while (counter() < end)
    if (virtio_take(&card.queues[RECEIVEQ], &id, &written))
      return written > HEADER_SIZE;
  return false;
}

void card_works(const char *after) {
  bool heard = false;

  card_start(true);
  for (unsigned i = 0; i < ANSWER_TRIES && !heard; i++) {
    card_make_request();
    card_send(SHORTEST);
    heard = hostile_wait(&card, TRANSMITQ) == CAME_BACK && card_hears(2 * counter_frequency());
  }
  check(heard, "the card works after %s", after);
}
