/* SPDX-License-Identifier: Apache-2.0 */
/* A driver as it should be, for what comes before and after the others. */
#include "vsock-hostile.h"

#include "guest.h"
#include "text.h"

Virtio device;
uint64_t socket_cid;
uint32_t socket_next_port = 20000;
static uint8_t buffers[N_BUFFERS][BUFFER_SIZE] __attribute__((aligned(64)));
Header socket_sent[QUEUE_SIZE / 2];

static void give_buffer(uint16_t n) {
  VirtioQueue *queue = &device.queues[RXQ];

  queue->descriptors[n] = (VirtioDescriptor){(uint64_t)buffers[n], BUFFER_SIZE, VIRTIO_WRITE, 0};
  virtio_offer(queue, n);
}

void socket_start(bool with_buffers) {
  virtio_begin(&device, FEATURES);
  for (unsigned i = 0; i < N_QUEUES; i++)
    virtio_enable_queue(&device, i, i < 2 ? QUEUE_SIZE : 16);
  for (uint16_t i = 0; with_buffers && i < N_BUFFERS; i++)
    give_buffer(i);
  virtio_go(&device);
  socket_cid = mmio_read32(device.config);
}

Header socket_packet(uint16_t op, uint32_t guest_port, uint32_t host_port) {
  return (Header){
      .src_cid = socket_cid, .dst_cid = CID_HOST, .src_port = guest_port, .dst_port = host_port, .type = 1, .op = op, .buf_alloc = WINDOW};
}

void socket_offer(unsigned slot, Header header, uint32_t size) {
  VirtioQueue *queue = &device.queues[TXQ];
  uint16_t at = (uint16_t)(2 * slot);

  socket_sent[slot] = header;
  queue->descriptors[at] = (VirtioDescriptor){(uint64_t)&socket_sent[slot], HEADER_SIZE, size ? VIRTIO_NEXT : 0, (uint16_t)(at + 1)};
  queue->descriptors[at + 1] = (VirtioDescriptor){(uint64_t)playground, size, 0, 0};
  virtio_offer(queue, at);
}

bool socket_send(Header header, uint32_t size) {
  socket_offer(0, header, size);
  virtio_ring(&device.queues[TXQ], TXQ);
  return hostile_wait(&device, TXQ) == CAME_BACK;
}

bool socket_receive(Header *header, uint64_t ticks) {
  uint64_t end = counter() + ticks;
  uint32_t id, written;

  do {
    if (!virtio_take(&device.queues[RXQ], &id, &written))
      continue;
    if (id >= N_BUFFERS) /* a random chain's */
      continue;
    memcpy(header, buffers[id], sizeof *header);
    bool whole = written == HEADER_SIZE + header->len;
    give_buffer((uint16_t)id);
    virtio_ring(&device.queues[RXQ], RXQ);
    if (whole)
      return true;
    print("# a packet of %u bytes says that it has %u\n", written, header->len);
  } while (counter() < end);
  return false;
}

bool socket_hears(uint16_t op, uint32_t guest_port) {
  uint64_t end = counter() + 10 * counter_frequency();
  Header header;

  while (counter() < end)
    if (socket_receive(&header, counter_frequency() / 100) && header.dst_port == guest_port && header.op == op)
      return true;
  return false;
}

void socket_quiet(void) {
  Header header;

  while (socket_receive(&header, counter_frequency() / 50))
    ;
}

bool socket_connect(uint32_t guest_port, uint32_t host_port) {
  return socket_send(socket_packet(REQUEST, guest_port, host_port), 0) && socket_hears(RESPONSE, guest_port);
}

void socket_close(uint32_t guest_port, uint32_t host_port) {
  socket_send(socket_packet(RST, guest_port, host_port), 0);
}

void socket_works(const char *after) {
  uint32_t port = socket_next_port++;
  bool well;

  socket_start(true);
  well = socket_connect(port, ECHO_PORT);
  Header header = socket_packet(RW, port, ECHO_PORT);
  header.len = 100;
  well = well && socket_send(header, 100) && socket_hears(RW, port);
  socket_close(port, ECHO_PORT);
  check(well, "the device works after %s", after);
}
