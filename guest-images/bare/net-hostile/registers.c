/* SPDX-License-Identifier: Apache-2.0 */
/* Registers (virtio 1.2, 4.1.4): resets in the middle of traffic, queues that move, doorbells of none. */
#include "net-hostile.h"

#include "guest.h"
#include "text.h"

void reset_amid_traffic(void) {
  enum { TIMES = 30, FRAMES = 40 };

  for (unsigned i = 0; i < TIMES; i++) {
    card_start(i % 3 != 0);
    card_make_request();
    for (unsigned n = 0; n < FRAMES; n++)
      virtio_offer(&card.queues[TRANSMITQ], 0);
    card_send(SHORTEST);
    if (i % 2)
      card_hears(counter_frequency() / 500);
  }
  check(true, "%u resets amid traffic", TIMES);
}

void move_queues(void) {
  unsigned wrong = 0;

  card_start(true);
  for (uint16_t i = 0; i < card.n_queues; i++) {
    mmio_write16(card.common + VIRTIO_QUEUE_SELECT, i);
    uint32_t before = mmio_read32(card.common + VIRTIO_QUEUE_DESC), size = mmio_read16(card.common + VIRTIO_QUEUE_SIZE);
    virtio_write64(&card, VIRTIO_QUEUE_DESC, 0x123450);
    virtio_write64(&card, VIRTIO_QUEUE_DRIVER, ~0ull);
    virtio_write64(&card, VIRTIO_QUEUE_DEVICE, 0);
    mmio_write16(card.common + VIRTIO_QUEUE_SIZE, 3);
    mmio_write16(card.common + VIRTIO_QUEUE_ENABLE, 1);
    wrong += mmio_read32(card.common + VIRTIO_QUEUE_DESC) != before || mmio_read16(card.common + VIRTIO_QUEUE_SIZE) != size;
  }
  card_make_request();
  card_send(SHORTEST);
  check(wrong == 0 && hostile_wait(&card, TRANSMITQ) == CAME_BACK, "queues cannot be moved while they run (%u can)", wrong);
}

void ring_all(void) {
  virtio_begin(&card, FEATURES);
  virtio_go(&card);
  for (uint32_t at = 0; at < card.notify_size && at < 256; at += 4) {
    mmio_write16(card.notify + at, (uint16_t)(at / 4));
    mmio_write32(card.notify + at, 0xffffffff);
  }
  check(!(virtio_status(&card) & VIRTIO_NEEDS_RESET), "doorbells of queues that are not there");
}

/* A size may be refused at once. */
void misplace_queues(void) {
  const uint64_t good = (uint64_t)playground, end = machine.ram_base + machine.ram_size;
  const struct {
    uint16_t size;
    uint64_t address;
  } places[] = {{QUEUE_SIZE, 0}, {QUEUE_SIZE, ~0xfull}, {QUEUE_SIZE, good + 1}, {QUEUE_SIZE, end - 64}, {3, good}, {0xffff, good},
                {0, good}};
  unsigned n = sizeof places / sizeof *places, wrong = 0;

  for (unsigned i = 0; i < n; i++) {
    virtio_begin(&card, FEATURES);
    virtio_enable_queue(&card, TRANSMITQ, QUEUE_SIZE);
    mmio_write16(card.common + VIRTIO_QUEUE_SELECT, RECEIVEQ);
    mmio_write16(card.common + VIRTIO_QUEUE_SIZE, places[i].size);
    virtio_write64(&card, VIRTIO_QUEUE_DESC, places[i].address);
    virtio_write64(&card, VIRTIO_QUEUE_DRIVER, places[i].address);
    virtio_write64(&card, VIRTIO_QUEUE_DEVICE, places[i].address);
    mmio_write16(card.common + VIRTIO_QUEUE_ENABLE, 1);
    bool settled = mmio_read16(card.common + VIRTIO_QUEUE_ENABLE) && mmio_read16(card.common + VIRTIO_QUEUE_SIZE) == places[i].size;
    virtio_go(&card);
    wrong += settled && !(virtio_status(&card) & VIRTIO_NEEDS_RESET);
  }
  check(wrong == 0, "%u queues where none can be: it needs a reset (%u times not)", n, wrong);
}
