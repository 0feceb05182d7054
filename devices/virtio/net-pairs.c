/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pairs of queues of a network card (virtio 1.2, 5.1.2): how they come into service and leave it. Each but the
 * first has an I/O thread of its own, so that what several CPUs of the guest send and receive goes on side by side.
 * Commands are the device's own thread's: what they change reaches a pair as a copy, on its thread, and a command is
 * not answered before all have it.
 *
 * Where another serves the queues of a pair, they are handed over and taken back here.
 *
 * Locks: none. All but what is called on a pair's thread is for the device's.
 */
#include <string.h>

#include "devices/virtio/net-internal.h"

/* On the pair's thread. */

static void take_notice(void *opaque) {
  NetPair *pair = opaque;

  pair->receive_offloads = pair->net->receive_offloads;
  pair->filter = pair->net->filter;
}

static void start(void *opaque) {
  NetPair *pair = opaque;

  pair->serving = true;
  take_notice(pair);
  if (pair->vhost) {
    vhost_queues_start(pair->vhost);
    return;
  }
  net_transmit_start(pair);
  net_receive_start(pair);
}

static void stop(void *opaque) {
  NetPair *pair = opaque;

  pair->serving = false;
  if (pair->vhost) {
    vhost_queues_stop(pair->vhost);
    return;
  }
  net_receive_stop(pair);
  net_transmit_stop(pair);
}

/* What was given before it was asked for. */
static void look(void *opaque) {
  NetPair *pair = opaque;

  virtio_notify_again(&pair->net->base, net_receiveq(pair));
  virtio_notify_again(&pair->net->base, net_transmitq(pair));
}

/* On the device's. */

bool net_pair_start(NetPair *pair) {
  if (!io_thread_start(pair->io, pair->net->base.threads, NULL))
    return false;
  io_thread_call(pair->io, start, pair);
  return true;
}

void net_pair_stop(NetPair *pair) {
  if (pair->serving)
    io_thread_call(pair->io, stop, pair);
}

void net_tell_pairs(VirtioNet *net) {
  for (unsigned i = 0; i < net->active_pairs; i++)
    if (net->pairs[i].serving)
      io_thread_call(net->pairs[i].io, take_notice, &net->pairs[i]);
}

/* What arrives comes by the first N. They are all that may be served meanwhile. */
static bool spread_over(VirtioNet *net, unsigned n) {
  return !net->backend->ops->set_pairs || net->backend->ops->set_pairs(net->backend, n);
}

/* Those that are not among the first N any more. */
static void stop_pairs(VirtioNet *net, unsigned n) {
  for (; net->active_pairs > n; net->active_pairs--)
    net_pair_stop(&net->pairs[net->active_pairs - 1]);
}

static bool start_pairs(VirtioNet *net, unsigned n) {
  for (; net->active_pairs < n; net->active_pairs++) {
    NetPair *pair = &net->pairs[net->active_pairs];

    if (!net_pair_start(pair))
      return false;
    io_thread_call(pair->io, look, pair);
  }
  return true;
}

bool net_set_active_pairs(VirtioNet *net, unsigned n) {
  unsigned before = net->active_pairs;

  stop_pairs(net, n);
  if (spread_over(net, n) && start_pairs(net, n))
    return true;
  stop_pairs(net, before);
  spread_over(net, before);
  start_pairs(net, before);
  return false;
}

bool net_pair_give_thread(NetPair *pair, GError **error) {
  IoThread *own = virtio_new_queue_thread(&pair->net->base, pair->index, error);

  if (own)
    pair->io = own;
  return own != NULL;
}

void net_pair_end_thread(NetPair *pair) {
  if (pair->io != pair->net->base.io)
    io_thread_free(pair->io);
  pair->io = pair->net->base.io;
}
