/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive queue of a pair: virtio 1.2, 5.1.6.3 and 5.1.6.4. Frames are received straight into the guest's buffers,
 * of which some are always kept in stock. With VIRTIO_NET_F_MRG_RXBUF a frame fills as many buffers as it needs, and
 * the driver sees all of them at once; without, it has one.
 *
 * Behind the guest's buffers lies `overflow`, so that a frame that is longer than they are arrives whole all the same:
 * it is copied into more of them, or waits there until there are more. While there are none at all, frames stay with
 * the back end, and it is not listened to.
 */
#include <string.h>

#include "devices/virtio/net-header.h"
#include "devices/virtio/net-internal.h"

#define FRAME_OVERHEAD 18 /* two addresses, a type, a VLAN tag */
#define DEFAULT_MTU    1500

typedef enum { STEP_FRAME, STEP_NOTHING, STEP_STARVED, STEP_FAILED } Step;

static VirtQueue *queue_of(const NetPair *pair) {
  return &pair->net->base.queues[net_receiveq(pair)];
}

/* The stock. */

static struct iovec *stock_iov(NetStock *stock) {
  return stock->iov + 1 + stock->first_iov;
}

/* False: there is no place for one more. */
static bool stock_add(NetStock *stock, const VirtChain *chain) {
  if (stock->first + stock->n == NET_STOCK_CHAINS || stock->first_iov + stock->n_iov + chain->n_in > NET_STOCK_IOV) {
    memmove(stock->chains, stock->chains + stock->first, stock->n * sizeof *stock->chains);
    memmove(stock->iov + 1, stock_iov(stock), stock->n_iov * sizeof *stock->iov);
    stock->first = stock->first_iov = 0;
  }
  stock->full = stock->n == NET_STOCK_CHAINS || stock->n_iov + chain->n_in > NET_STOCK_IOV;
  if (stock->full)
    return false;
  stock->chains[stock->first + stock->n++] = (NetStockChain){chain->head, (uint16_t)chain->n_in, (uint32_t)chain->in_size};
  memcpy(stock_iov(stock) + stock->n_iov, chain->iov + chain->n_out, chain->n_in * sizeof *chain->iov);
  stock->n_iov += chain->n_in;
  stock->size += chain->in_size;
  return true;
}

/* The first N chains have gone. */
static void stock_remove(NetStock *stock, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    const NetStockChain *chain = &stock->chains[stock->first];

    stock->first++;
    stock->first_iov += chain->n_iov;
    stock->n_iov -= chain->n_iov;
    stock->size -= chain->size;
    stock->n--;
    stock->full = false;
  }
}

/* Copies into the buffers from byte OFFSET of the first chain on. There is room. */
static void stock_write(NetStock *stock, uint64_t offset, const void *from, size_t size) {
  const uint8_t *next = from;

  for (const struct iovec *part = stock_iov(stock); size; part++) {
    if (offset >= part->iov_len) {
      offset -= part->iov_len;
      continue;
    }
    size_t n = MIN(part->iov_len - offset, size);
    memcpy((uint8_t *)part->iov_base + offset, next, n);
    next += n;
    size -= n;
    offset = 0;
  }
}

static void stock_read(NetStock *stock, uint64_t offset, void *to, size_t size) {
  uint8_t *next = to;

  for (const struct iovec *part = stock_iov(stock); size; part++) {
    if (offset >= part->iov_len) {
      offset -= part->iov_len;
      continue;
    }
    size_t n = MIN(part->iov_len - offset, size);
    memcpy(next, (const uint8_t *)part->iov_base + offset, n);
    next += n;
    size -= n;
    offset = 0;
  }
}

static bool is_mergeable(const NetPair *pair) {
  return net_has(pair->net, NET_F_MRG_RXBUF);
}

/* What a frame may take with its header, as far as one can know. */
static uint64_t longest_frame(const NetPair *pair) {
  if (pair->receive_offloads & ~(unsigned)NET_OFFLOAD_CSUM)
    return NET_HEADER_SIZE + NET_FRAME_MAX;
  return NET_HEADER_SIZE + FRAME_OVERHEAD + MAX(pair->net->mtu, DEFAULT_MTU);
}

/*
 * Takes buffers from the queue until there are SIZE bytes, or one buffer where frames have no more. 1: there are; 0:
 * the guest has given no more, or the stock is as full as it gets; -1: the queue has failed.
 */
static int stock_up(NetPair *pair, uint64_t size) {
  VirtioDevice *device = &pair->net->base;
  NetStock *stock = &pair->stock;

  while (is_mergeable(pair) ? stock->size < size : !stock->n) {
    int popped = virtio_pop(device, net_receiveq(pair), &pair->chain);

    if (popped <= 0)
      return popped;
    if (!stock_add(stock, &pair->chain)) {
      virtqueue_unpop(queue_of(pair));
      return 0;
    }
  }
  return 1;
}

/*
 * A buffer in which a frame could not begin goes back empty: the guest is not to wait for it (5.1.6.3.1 forbids such).
 */
static void return_useless(NetPair *pair, bool *pushed) {
  while (pair->stock.n && pair->stock.chains[pair->stock.first].size < NET_HEADER_SIZE) {
    virtio_push(&pair->net->base, net_receiveq(pair), pair->stock.chains[pair->stock.first].head, 0);
    stock_remove(&pair->stock, 1);
    net_count(pair->net, net_receiveq(pair), NET_COUNT_BAD_BUFFER);
    *pushed = true;
  }
}

/* Frames. */

/* The frame of SIZE bytes, all there, goes to the guest. */
static void deliver(NetPair *pair, NetHeader *header, size_t size) {
  NetStock *stock = &pair->stock;
  uint64_t left = NET_HEADER_SIZE + size;
  VirtUsed used[NET_STOCK_CHAINS];
  unsigned n = 0;

  for (; left; n++) {
    const NetStockChain *chain = &stock->chains[stock->first + n];

    used[n] = (VirtUsed){chain->head, (uint32_t)MIN(left, chain->size)};
    left -= used[n].written;
  }
  header->num_buffers = GUINT16_TO_LE((uint16_t)n); /* 5.1.6.4.1: 1 where they are not merged */
  stock_write(stock, 0, header, NET_HEADER_SIZE);
  virtio_push_many(&pair->net->base, net_receiveq(pair), used, n);
  stock_remove(stock, n);
}

/*
 * What becomes of a frame of SIZE bytes, of which the first DIRECT lie in the guest's buffers already and the others in
 * `overflow`. NET_COUNT_RECEIVED: it goes to the guest.
 */
static NetCount judge(NetPair *pair, NetHeader *header, size_t size, size_t direct) {
  VirtioNet *net = pair->net;
  uint8_t to[NET_MAC_SIZE], own[sizeof net->mac];
  uint64_t mac = GUINT64_TO_LE(__atomic_load_n(&net->mac, __ATOMIC_RELAXED));

  if (!net_link_is_up(net))
    return NET_COUNT_LINK_DOWN;
  if (size < NET_FRAME_MIN || size > NET_FRAME_MAX)
    return size < NET_FRAME_MIN ? NET_COUNT_BAD_BUFFER : NET_COUNT_TOO_LONG;
  size_t near = MIN(direct, sizeof to);
  stock_read(&pair->stock, NET_HEADER_SIZE, to, near);
  memcpy(to + near, pair->overflow, sizeof to - near);
  memcpy(own, &mac, sizeof own);
  if (!net_filter_takes(&pair->filter, own, to))
    return NET_COUNT_FILTERED;
  return net_header_fit(header, pair->receive_offloads) ? NET_COUNT_RECEIVED : NET_COUNT_NOT_AGREED;
}

/* Whether it is no use to wait for more buffers. */
static bool has_all_buffers(const NetPair *pair) {
  return !is_mergeable(pair) || pair->stock.full || pair->stock.n == queue_of(pair)->config.size;
}

/* The frame waits, whole, in `overflow`. */
static void set_aside(NetPair *pair, const NetHeader *header, size_t size, size_t direct) {
  memmove(pair->overflow + direct, pair->overflow, size - direct);
  stock_read(&pair->stock, NET_HEADER_SIZE, pair->overflow, direct);
  pair->waiting = size;
  pair->waiting_header = *header;
}

/* Bytes that a frame may have in the buffers that there are, with its header. */
static uint64_t room_for_frame(const NetPair *pair) {
  return is_mergeable(pair) ? pair->stock.size : pair->stock.chains[pair->stock.first].size;
}

/* Sees to a frame as above. STEP_STARVED: it waits for more buffers. */
static Step take(NetPair *pair, NetHeader *header, size_t size, size_t direct) {
  VirtioNet *net = pair->net;
  uint64_t started = device_watch_now(net->base.watch);
  NetCount count = judge(pair, header, size, direct);

  if (count == NET_COUNT_RECEIVED && stock_up(pair, NET_HEADER_SIZE + size) < 0)
    return STEP_FAILED;
  if (count == NET_COUNT_RECEIVED && room_for_frame(pair) < NET_HEADER_SIZE + size) {
    if (!has_all_buffers(pair)) {
      set_aside(pair, header, size, direct);
      return STEP_STARVED;
    }
    count = NET_COUNT_TOO_LONG;
  }
  if (count == NET_COUNT_RECEIVED) {
    stock_write(&pair->stock, NET_HEADER_SIZE + direct, pair->overflow, size - direct);
    deliver(pair, header, size);
  }
  net_count(net, net_receiveq(pair), count);
  if (count != NET_COUNT_FILTERED)
    device_watch_request(net->base.watch, net->base.name, net_receiveq(pair), "receive", size, started, count != NET_COUNT_RECEIVED);
  return STEP_FRAME;
}

/*
 * The stock from behind a header on, with `overflow` behind it, as the back end wants it. It is made where the stock
 * lies, whose parts are many; so what had another meaning there is kept meanwhile.
 */
typedef struct {
  struct iovec *iov; /* the first one is the back end's */
  unsigned n;
  uint64_t room; /* bytes of the stock */
  struct iovec was[2];
} Window;

static Window open_window(NetPair *pair) {
  struct iovec *iov = stock_iov(&pair->stock);
  unsigned n = pair->stock.n_iov, first = 0; /* where frames are not merged there is one buffer */
  size_t skip = NET_HEADER_SIZE;

  iov[n] = (struct iovec){pair->overflow, NET_FRAME_MAX};
  while (first < n && skip >= iov[first].iov_len)
    skip -= iov[first++].iov_len;
  Window window = {.iov = iov + first - 1, .n = n - first + 2, .room = room_for_frame(pair) - NET_HEADER_SIZE};
  memcpy(window.was, window.iov, sizeof window.was);
  iov[first].iov_base = (uint8_t *)iov[first].iov_base + skip;
  iov[first].iov_len -= skip;
  return window;
}

static void close_window(const Window *window) {
  memcpy(window->iov, window->was, sizeof window->was);
}

static Step receive(NetPair *pair, bool *pushed) {
  NetBackend *backend = pair->net->backend;
  uint64_t want = longest_frame(pair);
  NetHeader header;

  if (stock_up(pair, want) < 0)
    return STEP_FAILED;
  return_useless(pair, pushed);
  if (!pair->stock.n)
    return STEP_STARVED;
  if (pair->waiting) {
    size_t size = pair->waiting;

    header = pair->waiting_header;
    pair->waiting = 0;
    return take(pair, &header, size, 0);
  }
  if (is_mergeable(pair) && pair->stock.size < want) {
    struct iovec iov[] = {{NULL, 0}, {pair->overflow, NET_FRAME_MAX}};
    ssize_t size = backend->ops->receive(backend, pair->index, &header, iov, G_N_ELEMENTS(iov));

    return size > 0 ? take(pair, &header, (size_t)size, 0) : STEP_NOTHING;
  }
  Window window = open_window(pair);
  ssize_t size = backend->ops->receive(backend, pair->index, &header, window.iov, window.n);

  close_window(&window);
  return size > 0 ? take(pair, &header, (size_t)size, MIN((size_t)size, window.room)) : STEP_NOTHING;
}

static void readable(void *opaque) {
  net_receive_serve(opaque);
}

/* Listens to the back end's descriptor, whichever it is now, unless there is no place for what it might have. */
static void wait_for_frames(NetPair *pair) {
  NetBackend *backend = pair->net->backend;
  int fd = pair->starved ? -1 : backend->ops->fd(backend, pair->index);

  if (pair->input && pair->input_fd == fd)
    return;
  g_clear_pointer(&pair->input, io_source_free);
  pair->input_fd = fd;
  if (fd >= 0)
    pair->input = io_thread_add_source(pair->io, fd, readable, pair);
}

/* Doorbells are of interest only while there are no buffers. True: some have come meanwhile. */
static bool ask_for_buffers(NetPair *pair) {
  if (!virtqueue_enable_doorbell(queue_of(pair)))
    return false;
  virtqueue_disable_doorbell(queue_of(pair));
  return true;
}

void net_receive_serve(NetPair *pair) {
  VirtioDevice *device = &pair->net->base;
  Step step = STEP_FRAME;
  bool pushed = false;
  unsigned served = 0;

  if (!net_may_serve(pair)) {
    g_clear_pointer(&pair->input, io_source_free); /* it has failed, and would be called again and again */
    return;
  }
  if (pair->starved)
    virtqueue_disable_doorbell(queue_of(pair));
  while (step == STEP_FRAME && served < NET_BATCH) {
    step = receive(pair, &pushed);
    served += step == STEP_FRAME;
  }
  if (served || pushed)
    virtio_interrupt(device, net_receiveq(pair));
  if (step == STEP_STARVED && ask_for_buffers(pair))
    step = STEP_FRAME;
  pair->starved = step == STEP_STARVED;
  wait_for_frames(pair);
  net_look_at_link(pair->net);
  if (step == STEP_FRAME)
    virtio_notify_again(device, net_receiveq(pair));
}

void net_receive_start(NetPair *pair) {
  pair->starved = false;
  virtqueue_disable_doorbell(queue_of(pair));
  wait_for_frames(pair);
}

void net_receive_stop(NetPair *pair) {
  g_clear_pointer(&pair->input, io_source_free);
  while (pair->stock.n) {
    virtqueue_unpop(queue_of(pair));
    stock_remove(&pair->stock, 1);
  }
  pair->stock = (NetStock){0};
}
