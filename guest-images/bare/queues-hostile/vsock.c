/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: virtio 1.2, 5.10. Nobody listens at port 77 of the host, so who asks for it is reset. */
#include "queues-hostile.h"

#include "cpu.h"

#define F_STREAM (1ull << 0)
#define CID_HOST 2
#define NOBODYS  77
enum { RXQ, TXQ, EVENTQ };
enum { REQUEST = 1, RST = 3, STREAM = 1 };

typedef struct __attribute__((packed)) {
  uint64_t src_cid, dst_cid;
  uint32_t src_port, dst_port, len;
  uint16_t type, op;
  uint32_t flags, buf_alloc, fwd_cnt;
} Header;

static Header asked, got[16]; /* a buffer of one header alone would be too small */

static VirtioDescriptor request(Target *target) {
  asked = (Header){.src_cid = mmio_read32(target->virtio->config), .dst_cid = CID_HOST, .src_port = 1000 + target->turn++};
  asked.dst_port = NOBODYS;
  asked.type = STREAM;
  asked.op = REQUEST;
  asked.buf_alloc = 0x10000;
  return (VirtioDescriptor){(uint64_t)&asked, sizeof asked, 0, 0};
}

static unsigned ask(Target *target, VirtioDescriptor *descriptors) {
  VirtioQueue *receive = &target->virtio->queues[RXQ];

  receive->descriptors[0] = (VirtioDescriptor){(uint64_t)got, sizeof got, VIRTIO_WRITE, 0};
  virtio_offer(receive, 0);
  virtio_ring(receive, RXQ);
  descriptors[0] = request(target);
  target->queue = TXQ;
  return 1;
}

static bool answered(Target *target, uint32_t written) {
  return written == 0 && hostile_wait(target->virtio, RXQ) == CAME_BACK && got[0].op == RST && got[0].dst_port == asked.src_port;
}

static bool skips(const Target *target, unsigned queue) {
  (void)target;
  return queue == EVENTQ;
}

static void poke(Target *target, unsigned queue) {
  if (queue != RXQ)
    return;
  VirtioDescriptor descriptor = request(target);
  target_offer(target, TXQ, &descriptor, 1);
}

const Kind vsock_kind = {.id = 19, .name = "vsock", .features = F_STREAM, .ask = ask, .answered = answered, .skips = skips, .poke = poke};
