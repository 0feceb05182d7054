/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transmit queue of a pair: virtio 1.2, 5.1.6.2. A chain is a header and a frame; the header is copied, checked and
 * handed on from the copy, the frame goes out straight from the guest's memory. What is dropped is counted, and its
 * chain returned like any other: there is nothing that a card says about it (5.1.6.2).
 *
 * Where the back end takes no more, the queue waits for it, with the chain that was not taken at its front.
 *
 * The interrupt of this queue has a driver take back what it gave, for which nobody waits as long as there is little of
 * it. A lone short frame is a question as a rule, and an acknowledgement else: its answer, or the next data, brings the
 * driver here anyway, and that takes its buffers back then. So the interrupt for one is owed for a while, and is only
 * due if the driver has not looked by then. There is never more than one frame for which it is owed.
 */
#include "devices/virtio/net-header.h"
#include "devices/virtio/net-internal.h"

#define SHORT_FRAME 1024             /* bytes, with its header */
#define OWED_NS     UINT64_C(200000) /* as hardware's cards wait before they interrupt */

/* What is wrong with the frame in pair->chain; NET_COUNT_SENT: nothing. Its header is in *HEADER then. */
static NetCount judge(const NetPair *pair, NetHeader *header) {
  const VirtioNet *net = pair->net;
  const VirtChain *chain = &pair->chain;

  if (virt_chain_read(chain, 0, header, NET_HEADER_SIZE) < NET_HEADER_SIZE || chain->out_size == NET_HEADER_SIZE)
    return NET_COUNT_BAD_BUFFER;
  if (net_header_check(header, net->send_offloads, chain->out_size - NET_HEADER_SIZE))
    return NET_COUNT_BAD_HEADER;
  return net_link_is_up(net) ? NET_COUNT_SENT : NET_COUNT_LINK_DOWN;
}

/* The frame of pair->chain into pair->iov[1 ...]. How many there are with the back end's own. */
static unsigned lay_out(NetPair *pair) {
  const VirtChain *chain = &pair->chain;
  size_t skip = NET_HEADER_SIZE;
  unsigned n = 1;

  for (unsigned i = 0; i < chain->n_out; i++) {
    struct iovec part = chain->iov[i];

    if (skip >= part.iov_len) {
      skip -= part.iov_len;
      continue;
    }
    pair->iov[n++] = (struct iovec){(uint8_t *)part.iov_base + skip, part.iov_len - skip};
    skip = 0;
  }
  return n;
}

/* False: the frame was not taken, and is to be offered again. */
static bool transmit(NetPair *pair) {
  VirtioNet *net = pair->net;
  uint64_t started = device_watch_now(net->base.watch);
  uint64_t size = pair->chain.out_size;
  NetHeader header;
  NetCount count = judge(pair, &header);

  if (count == NET_COUNT_SENT) {
    NetSent sent = net->backend->ops->send(net->backend, pair->index, &header, pair->iov, lay_out(pair));

    pair->full = sent == NET_FULL || sent == NET_SENT_FULL;
    if (sent == NET_FULL)
      return false;
    if (sent == NET_REFUSED || sent == NET_FORBIDDEN)
      count = sent == NET_FORBIDDEN ? NET_COUNT_FORBIDDEN : NET_COUNT_REFUSED;
  }
  net_count(net, net_transmitq(pair), count);
  device_watch_request(net->base.watch, net->base.name, net_transmitq(pair), "transmit",
                       size > NET_HEADER_SIZE ? size - NET_HEADER_SIZE : 0, started, count != NET_COUNT_SENT);
  return true;
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed or the back end is full. */
static int transmit_some(NetPair *pair, VirtUsed *used, unsigned *served) {
  VirtioDevice *device = &pair->net->base;

  for (*served = 0; *served < NET_BATCH && !pair->full; (*served)++) {
    int popped = virtio_pop(device, net_transmitq(pair), &pair->chain);

    if (popped <= 0)
      return popped;
    if (!transmit(pair)) {
      virtqueue_unpop(&device->queues[net_transmitq(pair)]);
      return -1;
    }
    used[*served] = (VirtUsed){.head = pair->chain.head};
  }
  return pair->full ? -1 : 1;
}

static void writable(void *opaque);

/* Waits for the back end exactly while it is full. */
static void wait_for_room(NetPair *pair) {
  NetBackend *backend = pair->net->backend;
  int fd = backend->ops->fd(backend, pair->index);

  if (!pair->full || fd < 0)
    g_clear_pointer(&pair->output, io_source_free);
  else if (!pair->output)
    pair->output = io_thread_add_output_source(pair->io, fd, writable, pair);
  if (fd < 0)
    pair->full = false; /* whatever comes now is refused */
}

/* Now, if the driver still wants it. */
static void settle(void *opaque) {
  NetPair *pair = opaque;

  if (!pair->owed)
    return;
  pair->owed = false;
  io_timer_cancel(pair->settle);
  virtio_interrupt(&pair->net->base, net_transmitq(pair));
}

/* N chains, of which the last is pair->chain, are the driver's again. MORE: there may be others behind them. */
static void give_back(NetPair *pair, const VirtUsed *used, unsigned n, bool more) {
  bool lone = n == 1 && !more && pair->chain.out_size <= SHORT_FRAME;

  virtio_push_many(&pair->net->base, net_transmitq(pair), used, n);
  pair->owed = true;
  if (lone)
    io_timer_set(pair->settle, OWED_NS);
  else
    settle(pair);
}

void net_transmit_serve(NetPair *pair) {
  VirtioDevice *device = &pair->net->base;
  VirtQueue *queue = &device->queues[net_transmitq(pair)];
  VirtUsed used[NET_BATCH];
  unsigned served;
  int more;

  if (!net_may_serve(pair) || pair->full)
    return;
  virtqueue_disable_doorbell(queue);
  settle(pair);
  more = transmit_some(pair, used, &served);
  if (served)
    give_back(pair, used, served, more != 0);
  wait_for_room(pair);
  net_look_at_link(pair->net);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (more > 0 || (more < 0 && !pair->full && net_may_serve(pair)))
    virtio_notify_again(device, net_transmitq(pair));
}

static void writable(void *opaque) {
  NetPair *pair = opaque;
  NetBackend *backend = pair->net->backend;

  if (!net_may_serve(pair)) {
    g_clear_pointer(&pair->output, io_source_free);
    return;
  }
  pair->full = backend->ops->ready_to_send && !backend->ops->ready_to_send(backend, pair->index);
  wait_for_room(pair);
  net_transmit_serve(pair);
}

void net_transmit_start(NetPair *pair) {
  NetBackend *backend = pair->net->backend;

  /* The rest of a frame may be waiting since before a stop. */
  pair->full = backend->ops->ready_to_send && !backend->ops->ready_to_send(backend, pair->index);
  wait_for_room(pair);
  pair->settle = io_thread_add_timer(pair->io, settle, pair);
}

void net_transmit_stop(NetPair *pair) {
  settle(pair);
  g_clear_pointer(&pair->settle, io_timer_free);
  g_clear_pointer(&pair->output, io_source_free);
  pair->full = false;
}
