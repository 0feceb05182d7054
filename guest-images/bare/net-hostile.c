/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of a virtio network card (virtio 1.2, 5.1) that breaks its rules: headers that lie about their frame, chains
 * that no driver may make, commands that are too short, too long or unknown, resets in the middle of traffic, queues
 * that are moved while they run, doorbells of queues that are not there; and then chains of random descriptors, the
 * same each time for the same seed. Each is answered as it should be, and the card works afterwards: a request for an
 * address (ARP, RFC 826) is answered by the host behind the card, which has 10.77.2.1, or comes back from an echo.
 *
 * Boot arguments: `echo` is that other machine: it sends back all that it gets until it is told to end. count=N (600)
 * random chains, seed=N (1); `wait` for a key before and after, so that somebody can look at the hypervisor.
 */
#include "net-hostile/net-hostile.h"

#include "guest.h"
#include "text.h"

const char *const guest_name = "net-hostile";

#define TYPE_BYE 0x88b5 /* IEEE 802, 9.2.3: for experiments */

/* The other machine. */

static bool is_bye(const uint8_t *buffer) {
  return buffer[HEADER_SIZE + 12] == TYPE_BYE >> 8 && buffer[HEADER_SIZE + 13] == (TYPE_BYE & 0xff);
}

static void echo(void) {
  VirtioQueue *receive = &card.queues[RECEIVEQ], *transmit = &card.queues[TRANSMITQ];
  uint32_t id, written, sent;

  card_features = virtio_begin(&card, FEATURES & ~F_MRG_RXBUF);
  for (unsigned i = 0; i < 2; i++)
    virtio_enable_queue(&card, i, QUEUE_SIZE);
  for (uint16_t i = 0; i < N_BUFFERS; i++)
    card_give_buffer(i);
  virtio_go(&card);
  for (;;) {
    while (virtio_take(transmit, &sent, &written)) {
      card_give_buffer((uint16_t)sent);
      virtio_ring(receive, RECEIVEQ);
    }
    if (!virtio_take(receive, &id, &written))
      continue;
    if (is_bye(card_buffers[id]))
      return;
    memset(card_buffers[id], 0, HEADER_SIZE);
    transmit->descriptors[id] = (VirtioDescriptor){(uint64_t)card_buffers[id], written, 0, 0};
    virtio_offer(transmit, (uint16_t)id);
    virtio_ring(transmit, TRANSMITQ);
  }
}

static void all(unsigned count) {
  lie_in_headers();
  card_works("headers that lie");
  break_chains("the transmit queue", TRANSMITQ);
  break_chains("the receive queue", RECEIVEQ);
  odd_chains();
  card_works("chains that are none");
  command();
  card_works("commands");
  reset_amid_traffic();
  move_queues();
  ring_all();
  misplace_queues();
  card_works("all that was done to its registers");
  throw_random(count);
  card_works("random chains");
}

void guest_main(void) {
  unsigned count = (unsigned)argument_number("count", 600);

  if (!virtio_find(&card, NET_ID))
    guest_skip("there is no network card");
  if (argument_present("echo")) {
    echo();
    return;
  }
  hostile_begin();
  card_works("a start like any other");
  all(100);
  hostile_pause("settled");
  all(count);
  card_make_frame(TYPE_BYE);
  card_send(SHORTEST);
  hostile_wait(&card, TRANSMITQ);
  hostile_pause("done");
}
