/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that no driver may make, good ones for a bad purpose, and random ones. */
#include "net-hostile.h"

#include "guest.h"
#include "text.h"

void break_chains(const char *name, unsigned queue) {
  const char *what;
  unsigned n = 0, wrong = 0;

  for (;; n++) {
    card_start(false);
    what = hostile_chain(&card, queue, n);
    if (!what)
      break;
    HostileAnswer answer = hostile_wait(&card, queue);
    if (answer == NEEDS_RESET)
      continue;
    wrong++;
    print("# %s in %s: %s\n", what, name, answer == CAME_BACK ? "came back" : "nothing happens");
  }
  check(wrong == 0, "%u chains in %s that nobody may make: it needs a reset (%u times not)", n, name, wrong);
}

void offer_odd(const char *what, unsigned queue, const VirtioDescriptor *descriptors, unsigned n) {
  card_start(false);
  for (unsigned i = 0; i < n; i++)
    card.queues[queue].descriptors[i] = descriptors[i];
  virtio_offer(&card.queues[queue], 0);
  virtio_ring(&card.queues[queue], queue);
  check(hostile_wait(&card, queue) == CAME_BACK, "%s comes back", what);
}

void odd_chains(void) {
  const uint64_t at = (uint64_t)playground;
  const VirtioDescriptor writable[] = {{at, 100, VIRTIO_WRITE, 0}};
  const VirtioDescriptor short_header[] = {{at, 11, 0, 0}};
  const VirtioDescriptor header_alone[] = {{at, 12, 0, 0}};
  const VirtioDescriptor longest[] = {{(uint64_t)&card_out, 12, VIRTIO_NEXT, 1}, {at, PLAYGROUND_SIZE, 0, 0}};
  const VirtioDescriptor readable[] = {{at, 2000, 0, 0}};
  const VirtioDescriptor small[] = {{at, 5, VIRTIO_WRITE, 0}};

  memset(&card_out, 0, sizeof card_out);
  offer_odd("a frame that is to be written", TRANSMITQ, writable, 1);
  offer_odd("half a header", TRANSMITQ, short_header, 1);
  offer_odd("a header without a frame", TRANSMITQ, header_alone, 1);
  offer_odd("a frame of half a MiB", TRANSMITQ, longest, 2);
  offer_odd("a buffer for frames that is to be read", RECEIVEQ, readable, 1);
  offer_odd("a buffer for half a header", RECEIVEQ, small, 1);
}

void throw_random(unsigned count) {
  unsigned broken = 0;

  card_start(true);
  for (unsigned i = 0; i < count; i++) {
    unsigned queue = hostile_random(4) ? TRANSMITQ : hostile_random(card.n_queues);
    hostile_random_chain(&card.queues[queue]);
    if (i % 4 == 3)
      virtio_ring(&card.queues[queue], queue);
    if (i % 16 != 15)
      continue;
    card_hears(counter_frequency() / 1000);
    if (!(virtio_status(&card) & VIRTIO_NEEDS_RESET) && hostile_random(8))
      continue;
    broken++;
    card_start(hostile_random(2));
  }
  check(true, "%u random chains, and %u resets", count, broken);
}
