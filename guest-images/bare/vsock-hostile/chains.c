/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that no driver may make, packets in odd pieces, resets in the middle of traffic, and random packets. */
#include "vsock-hostile.h"

#include "guest.h"
#include "text.h"

void break_chains(const char *name, unsigned queue) {
  unsigned n = 0, wrong = 0;

  for (;; n++) {
    socket_start(false);
    const char *what = hostile_chain(&device, queue, n);
    if (!what)
      break;
    if (queue == RXQ) { /* it is only looked at for something to tell */
      socket_offer(0, socket_packet(REQUEST, 1, NOBODYS), 0);
      virtio_ring(&device.queues[TXQ], TXQ);
    }
    HostileAnswer answer = hostile_wait(&device, queue);
    if (answer == NEEDS_RESET)
      continue;
    wrong++;
    print("# %s in %s: %s\n", what, name, answer == CAME_BACK ? "came back" : "nothing happens");
  }
  check(wrong == 0, "%u chains in %s that nobody may make: it needs a reset (%u times not)", n, name, wrong);
}

void odd_chains(void) {
  VirtioQueue *transmit = &device.queues[TXQ];
  unsigned wrong = 0;

  socket_start(true);
  for (uint32_t size = 1; size < HEADER_SIZE; size += 6) {
    transmit->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, size, 0, 0};
    virtio_offer(transmit, 0);
    virtio_ring(transmit, TXQ);
    wrong += hostile_wait(&device, TXQ) != CAME_BACK;
  }
  transmit->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, 100, VIRTIO_WRITE, 0};
  virtio_offer(transmit, 0);
  virtio_ring(transmit, TXQ);
  wrong += hostile_wait(&device, TXQ) != CAME_BACK;
  check(wrong == 0, "packets without a whole header come back (%u do not)", wrong);
  /* A header in as many buffers as it has bytes. */
  socket_sent[0] = socket_packet(REQUEST, socket_next_port, NOBODYS);
  for (uint16_t i = 0; i < HEADER_SIZE; i++)
    transmit->descriptors[i] = (VirtioDescriptor){(uint64_t)socket_sent + i, 1, i + 1 < HEADER_SIZE ? VIRTIO_NEXT : 0, (uint16_t)(i + 1)};
  virtio_offer(transmit, 0);
  virtio_ring(transmit, TXQ);
  check(hostile_wait(&device, TXQ) == CAME_BACK && socket_hears(RST, socket_next_port++), "a header in 44 pieces is one");
}

void reset_amid_traffic(void) {
  enum { TIMES = 20 };

  for (unsigned i = 0; i < TIMES; i++) {
    socket_start(i % 3 != 0);
    for (unsigned slot = 0; slot < 8; slot++) {
      Header header = socket_packet(RW, 300 + slot / 2, ECHO_PORT);
      header.len = 1000;
      socket_offer(2 * slot, socket_packet(REQUEST, 300 + slot / 2, slot == 0 ? ECHO_PORT : NOBODYS), 0);
      socket_offer(2 * slot + 1, header, 1000);
    }
    virtio_ring(&device.queues[TXQ], TXQ);
    if (i % 2)
      hostile_wait(&device, TXQ);
  }
  check(true, "%u resets amid traffic", TIMES);
}

static Header random_header(void) {
  static const uint32_t ports[] = {HOLD_PORT, HOLD_PORT, HOLD_PORT, NOBODYS, 0, 0xffffffff};
  Header header = socket_packet((uint16_t)hostile_random(9), 50000 + hostile_random(6), ports[hostile_random(6)]);

  header.len = header.op == RW ? hostile_random(2000) : 0;
  header.flags = hostile_random(4);
  header.fwd_cnt = hostile_random(2) ? 0 : hostile_random(0xffffffff);
  if (hostile_random(16) == 0)
    header.len = hostile_random(0xffffffff);
  if (hostile_random(16) == 0)
    ((uint8_t *)&header)[hostile_random(HEADER_SIZE)] = (uint8_t)hostile_random(256);
  return header;
}

void throw_random(unsigned count) {
  unsigned broken = 0;
  Header header;

  socket_start(true);
  for (unsigned i = 0; i < count; i++) {
    unsigned slot = i % (QUEUE_SIZE / 2);
    socket_offer(slot, random_header(), hostile_random(2) ? 0 : 1 + hostile_random(3000));
    if (slot + 1 < QUEUE_SIZE / 2)
      continue;
    if (hostile_random(4) == 0)
      hostile_random_chain(&device.queues[hostile_random(N_QUEUES)]);
    virtio_ring(&device.queues[TXQ], TXQ);
    hostile_wait(&device, TXQ);
    while (socket_receive(&header, counter_frequency() / 500))
      ;
    if (!(virtio_status(&device) & VIRTIO_NEEDS_RESET) && hostile_random(8))
      continue;
    broken++;
    socket_start(true);
  }
  check(true, "%u random packets, and %u resets", count, broken);
}
