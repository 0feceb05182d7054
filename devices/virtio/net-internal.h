/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the network card share: net.c has the device, net-pairs.c its pairs of queues, net-receive.c and
 * net-transmit.c the queues of a pair, net-control.c the commands.
 */
#pragma once

#include "devices/virtio/net-filter.h"
#include "devices/virtio/net.h"
#include "devices/virtio/vhost-queues.h"

#define NET_QUEUE_SIZE 256
#define NET_BATCH      64 /* frames served before anything else has its turn */

/* Feature bits: 5.1.3. */
enum {
  NET_F_CSUM = 0,
  NET_F_GUEST_CSUM = 1,
  NET_F_CTRL_GUEST_OFFLOADS = 2,
  NET_F_MTU = 3,
  NET_F_MAC = 5,
  NET_F_GUEST_TSO4 = 7,
  NET_F_GUEST_TSO6 = 8,
  NET_F_GUEST_ECN = 9,
  NET_F_GUEST_UFO = 10,
  NET_F_HOST_TSO4 = 11,
  NET_F_HOST_TSO6 = 12,
  NET_F_HOST_ECN = 13,
  NET_F_HOST_UFO = 14,
  NET_F_MRG_RXBUF = 15,
  NET_F_STATUS = 16,
  NET_F_CTRL_VQ = 17,
  NET_F_CTRL_RX = 18,
  NET_F_CTRL_RX_EXTRA = 20,
  NET_F_GUEST_ANNOUNCE = 21,
  NET_F_MQ = 22,
  NET_F_CTRL_MAC_ADDR = 23,
};
#define NET_FEATURE(bit) (UINT64_C(1) << (bit))
/* What VIRTIO_NET_F_CTRL_GUEST_OFFLOADS may name: 5.1.6.5.6.1. */
#define NET_RECEIVE_FEATURES                                                                                                               \
  (NET_FEATURE(NET_F_GUEST_CSUM) | NET_FEATURE(NET_F_GUEST_TSO4) | NET_FEATURE(NET_F_GUEST_TSO6) | NET_FEATURE(NET_F_GUEST_ECN) |          \
   NET_FEATURE(NET_F_GUEST_UFO))

/*
 * Buffers of the guest's that were taken from the receive queue and wait for frames, first come first; so a frame can
 * be received straight into them, as they lie in `iov`.
 */
#define NET_STOCK_CHAINS 64
#define NET_STOCK_IOV    512
typedef struct {
  uint16_t head;
  uint16_t n_iov;
  uint32_t size; /* bytes */
} NetStockChain;
typedef struct {
  unsigned first, n;         /* chains[first .. first + n) */
  unsigned first_iov, n_iov; /* iov[1 + first_iov .. 1 + first_iov + n_iov) */
  uint64_t size;             /* bytes, of all of them */
  bool full;                 /* the queue has one more, for which there was no place */
  NetStockChain chains[NET_STOCK_CHAINS];
  struct iovec iov[1 + NET_STOCK_IOV + 1]; /* with a place in front of them, and one behind */
} NetStock;

typedef struct VirtioNet VirtioNet;

/*
 * A receive queue and a transmit queue. Its I/O thread's: the first one's, and of all that others serve, is the
 * device's; each other has one of its own. What commands change and frames depend on it has a copy of.
 */
typedef struct {
  VirtioNet *net;
  unsigned index;
  IoThread *io;
  bool serving;
  unsigned receive_offloads;
  NetFilter filter;
  VirtChain chain;
  VhostQueues *vhost;       /* who serves both queues in our place; NULL: nobody */
  IoSource *input, *output; /* what is waited for; NULL: not */
  int input_fd;
  bool starved;    /* the guest has given no buffers */
  bool full;       /* the back end takes no more frames now */
  bool owed;       /* the transmit queue's interrupt, for a lone frame */
  IoTimer *settle; /* of what is owed */
  NetStock stock;
  uint8_t *overflow; /* of NET_FRAME_MAX bytes: what the guest's buffers may have no room for */
  size_t waiting;    /* bytes of a frame in there that waits for buffers; kept while stopped */
  NetHeader waiting_header;
  struct iovec iov[1 + NET_QUEUE_SIZE]; /* of a frame that is sent, behind a place for the back end */
} NetPair;

struct VirtioNet {
  VirtioDevice base;
  NetBackend *backend;
  unsigned n_pairs;
  unsigned mtu;                    /* 0: not told */
  uint8_t first_mac[NET_MAC_SIZE]; /* at power-on */
  uint64_t mac;                    /* the first byte lowest; atomic */
  int status;                      /* atomic: bits below */
  uint64_t counts[NET_COUNTS];     /* atomic */

  /* The device's I/O thread's. */
  bool running;
  bool configured; /* since the last reset */
  unsigned active_pairs;
  unsigned receive_offloads, send_offloads; /* NetOffload bits: agreed on, or of those what the guest wants now */
  NetFilter filter;
  NetPair *pairs;
};

/* VirtioNet.status. */
enum { NET_CABLE_OUT = 1, NET_BACKEND_DOWN = 2, NET_ANNOUNCING = 4 };

static inline bool net_has(const VirtioNet *net, unsigned feature) {
  return net->base.features & NET_FEATURE(feature);
}

static inline unsigned net_receiveq(const NetPair *pair) {
  return 2 * pair->index;
}

static inline unsigned net_transmitq(const NetPair *pair) {
  return 2 * pair->index + 1;
}

static inline bool net_may_serve(const NetPair *pair) {
  return pair->serving && !(virtio_get_status(&pair->net->base) & VIRTIO_STATUS_NEEDS_RESET);
}

/* Of a frame for QUEUE, or from there. */
void net_count(VirtioNet *net, unsigned queue, NetCount count);

bool net_link_is_up(const VirtioNet *net);
/* After calls into the back end: the guest hears of a link that is another. */
void net_look_at_link(VirtioNet *net);
/* The offloads of received frames that FEATURES (a driver's, as virtio numbers them) stand for. */
unsigned net_receive_offloads(uint64_t features);
/* A thread of the pair's own, once it is started. end: it has the device's again. */
bool net_pair_give_thread(NetPair *pair, GError **error);
void net_pair_end_thread(NetPair *pair);
/* Into service and out of it, on its thread. False: the host has no thread for it. Stop is for any pair. */
bool net_pair_start(NetPair *pair);
void net_pair_stop(NetPair *pair);
/* Frames are exchanged over the first N pairs. False: the back end cannot, or the host has no more threads. */
bool net_set_active_pairs(VirtioNet *net, unsigned n);
/* Of receive_offloads and filter, that are others, the pairs have taken notice when this returns. */
void net_tell_pairs(VirtioNet *net);

/*
 * VHOSTS, N of them, one a pair, serve the pairs from now on, and are taken over, whatever happens. Before the device
 * is connected.
 */
bool net_hand_over(VirtioNet *net, Vhost **vhosts, unsigned n, GError **error);

void net_receive_start(NetPair *pair);
void net_receive_stop(NetPair *pair);
void net_receive_serve(NetPair *pair);

void net_transmit_start(NetPair *pair);
void net_transmit_stop(NetPair *pair);
void net_transmit_serve(NetPair *pair);

void net_control_serve(VirtioNet *net, unsigned queue);
