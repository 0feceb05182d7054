/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio network card (virtio 1.2, 5.1): its features, its configuration space, and its life. Frames go by the
 * queues of net-receive.c and net-transmit.c, which are a pair's (net-pairs.c), commands by net-control.c.
 *
 * A feature is offered where the back end or this device can keep what it promises, and counts only with those that it
 * needs (5.1.3.1), whatever a driver took.
 *
 * Locks: none. A pair is its thread's, what commands change the device's own thread's; address, status and counts are
 * atomic.
 */
#include <stddef.h>
#include <string.h>

#include "devices/virtio/net-internal.h"

#define LOCALLY_ADMINISTERED 2 /* in the first byte of an address; with MULTICAST clear: IEEE 802, 8.2 */
#define MULTICAST            1

/* 5.1.4, little-endian. */
typedef struct {
  uint8_t mac[NET_MAC_SIZE];
  uint16_t status;
  uint16_t max_virtqueue_pairs;
  uint16_t mtu;
} NetConfigSpace;
G_STATIC_ASSERT(sizeof(NetConfigSpace) == 12 && offsetof(NetConfigSpace, status) == 6);

enum { NET_S_LINK_UP = 1, NET_S_ANNOUNCE = 2 };

/* Each offload by its bit in either direction, and what it needs beside it (one of them): 5.1.3.1. */
static const struct {
  unsigned offload;
  unsigned receive, send; /* NET_F_... */
  unsigned needs;
} offload_features[] = {
    {NET_OFFLOAD_CSUM, NET_F_GUEST_CSUM, NET_F_CSUM, 0},
    {NET_OFFLOAD_TSO4, NET_F_GUEST_TSO4, NET_F_HOST_TSO4, NET_OFFLOAD_CSUM},
    {NET_OFFLOAD_TSO6, NET_F_GUEST_TSO6, NET_F_HOST_TSO6, NET_OFFLOAD_CSUM},
    {NET_OFFLOAD_ECN, NET_F_GUEST_ECN, NET_F_HOST_ECN, NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6},
    {NET_OFFLOAD_UFO, NET_F_GUEST_UFO, NET_F_HOST_UFO, NET_OFFLOAD_CSUM},
};

static unsigned offloads_of(uint64_t features, bool receive) {
  unsigned offloads = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS(offload_features); i++) {
    unsigned bit = receive ? offload_features[i].receive : offload_features[i].send;

    if ((features & NET_FEATURE(bit)) && (!offload_features[i].needs || (offloads & offload_features[i].needs)))
      offloads |= offload_features[i].offload;
  }
  return offloads;
}

unsigned net_receive_offloads(uint64_t features) {
  return offloads_of(features, true);
}

static uint64_t features_of(const NetBackend *backend, unsigned mtu) {
  uint64_t features = NET_FEATURE(NET_F_MAC) | NET_FEATURE(NET_F_STATUS) | NET_FEATURE(NET_F_MRG_RXBUF) | NET_FEATURE(NET_F_CTRL_VQ) |
                      NET_FEATURE(NET_F_CTRL_RX) | NET_FEATURE(NET_F_CTRL_RX_EXTRA) | NET_FEATURE(NET_F_CTRL_MAC_ADDR) |
                      NET_FEATURE(NET_F_GUEST_ANNOUNCE);

  for (unsigned i = 0; i < G_N_ELEMENTS(offload_features); i++) {
    if (backend->receive_offloads & offload_features[i].offload)
      features |= NET_FEATURE(offload_features[i].receive) | NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS);
    if (backend->send_offloads & offload_features[i].offload)
      features |= NET_FEATURE(offload_features[i].send);
  }
  if (mtu)
    features |= NET_FEATURE(NET_F_MTU);
  if (backend->n_pairs > 1)
    features |= NET_FEATURE(NET_F_MQ);
  return features;
}

/* Link, announcement, counts. */

static void change_status(VirtioNet *net, int bit, bool set) {
  int before = set ? __atomic_fetch_or(&net->status, bit, __ATOMIC_SEQ_CST) : __atomic_fetch_and(&net->status, ~bit, __ATOMIC_SEQ_CST);

  if (!(before & bit) == set)
    virtio_config_changed(&net->base);
}

bool net_link_is_up(const VirtioNet *net) {
  return !(__atomic_load_n(&net->status, __ATOMIC_SEQ_CST) & (NET_CABLE_OUT | NET_BACKEND_DOWN));
}

void net_look_at_link(VirtioNet *net) {
  bool down = __atomic_load_n(&net->status, __ATOMIC_RELAXED) & NET_BACKEND_DOWN;
  bool up = net_backend_has_link(net->backend);

  if (down == up)
    change_status(net, NET_BACKEND_DOWN, !up);
}

void virtio_net_set_link(VirtioDevice *device, bool up) {
  change_status((VirtioNet *)device, NET_CABLE_OUT, !up);
}

void virtio_net_announce(VirtioDevice *device) {
  VirtioNet *net = (VirtioNet *)device;

  if (net_has(net, NET_F_GUEST_ANNOUNCE))
    change_status(net, NET_ANNOUNCING, true);
}

void net_count(VirtioNet *net, unsigned queue, NetCount count) {
  static const char *const events[NET_COUNTS] = {
      [NET_COUNT_FILTERED] = "dropped: not for this card",
      [NET_COUNT_BAD_HEADER] = "dropped: bad header",
      [NET_COUNT_BAD_BUFFER] = "dropped: bad buffer",
      [NET_COUNT_TOO_LONG] = "dropped: longer than the guest's buffers",
      [NET_COUNT_NOT_AGREED] = "dropped: left undone what the guest cannot do",
      [NET_COUNT_LINK_DOWN] = "dropped: link down",
      [NET_COUNT_REFUSED] = "dropped: refused by the back end",
      [NET_COUNT_FORBIDDEN] = "dropped: forbidden",
  };

  __atomic_fetch_add(&net->counts[count], 1, __ATOMIC_RELAXED);
  if (events[count])
    device_watch_event(net->base.watch, net->base.name, queue, events[count]);
}

uint64_t virtio_net_count(const VirtioDevice *device, NetCount count) {
  return __atomic_load_n(&((const VirtioNet *)device)->counts[count], __ATOMIC_RELAXED);
}

static uint64_t pack_mac(const uint8_t *mac) {
  uint64_t packed = 0;

  memcpy(&packed, mac, NET_MAC_SIZE);
  return GUINT64_FROM_LE(packed);
}

void virtio_net_derive_mac(const char *identity, unsigned index, uint8_t mac[NET_MAC_SIZE]) {
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
  uint8_t digest[32];
  gsize size = sizeof digest;
  uint32_t number = GUINT32_TO_LE(index);

  g_checksum_update(checksum, (const guchar *)identity, (gssize)strlen(identity) + 1);
  g_checksum_update(checksum, (const guchar *)&number, sizeof number);
  g_checksum_get_digest(checksum, digest, &size);
  memcpy(mac, digest, NET_MAC_SIZE);
  mac[0] = (uint8_t)((mac[0] & ~MULTICAST) | LOCALLY_ADMINISTERED);
}

/* The device's life: the I/O thread. */

/* A driver that took no VIRTIO_NET_F_MQ knows three queues (5.1.2). */
static unsigned control_queue(const VirtioNet *net) {
  return net_has(net, NET_F_MQ) ? 2 * net->n_pairs : 2;
}

static bool is_control(const VirtioNet *net, unsigned queue) {
  return net_has(net, NET_F_CTRL_VQ) && queue == control_queue(net);
}

/* Without VIRTIO_NET_F_MQ, commands are where the second pair would be, which may be vhost's. */
static bool net_serves(const VirtioDevice *device, unsigned queue) {
  return is_control((const VirtioNet *)device, queue);
}

static IoThread *net_io(const VirtioDevice *device, unsigned queue) {
  const VirtioNet *net = (const VirtioNet *)device;

  return is_control(net, queue) || queue / 2 >= net->n_pairs ? device->io : net->pairs[queue / 2].io;
}

/* A pair knows itself whether it is active: it is served then. */
static void net_notify(VirtioDevice *device, unsigned queue) {
  VirtioNet *net = (VirtioNet *)device;

  if (is_control(net, queue))
    net_control_serve(net, queue);
  else if (queue / 2 < net->n_pairs && queue % 2)
    net_transmit_serve(&net->pairs[queue / 2]);
  else if (queue / 2 < net->n_pairs)
    net_receive_serve(&net->pairs[queue / 2]);
}

static void net_start(VirtioDevice *device) {
  VirtioNet *net = (VirtioNet *)device;

  if (!net->configured) {
    net->active_pairs = 1;
    net->receive_offloads = net_receive_offloads(device->features);
    net->send_offloads = offloads_of(device->features, false);
    net->configured = true;
  }
  net->running = true;
  /* A back end that was lost does neither, and says by its link that it is. */
  if ((!net->backend->ops->set_offloads(net->backend, net->receive_offloads) ||
       (net->backend->ops->set_pairs && !net->backend->ops->set_pairs(net->backend, net->active_pairs))) &&
      net_backend_has_link(net->backend)) {
    virtio_fail(device, "the back end does not do any more what it said that it could");
    return;
  }
  for (unsigned i = 0; i < net->active_pairs; i++)
    if (!net_pair_start(&net->pairs[i]))
      virtio_fail(device, "the host has no more threads for its queues");
  net_look_at_link(net);
}

static void net_stop(VirtioDevice *device) {
  VirtioNet *net = (VirtioNet *)device;

  net->running = false;
  for (unsigned i = 0; i < net->n_pairs; i++)
    net_pair_stop(&net->pairs[i]);
}

static void net_reset(VirtioDevice *device) {
  VirtioNet *net = (VirtioNet *)device;

  net->configured = false;
  net->active_pairs = 0;
  net_filter_reset(&net->filter);
  __atomic_store_n(&net->mac, pack_mac(net->first_mac), __ATOMIC_RELAXED);
  __atomic_fetch_and(&net->status, ~NET_ANNOUNCING, __ATOMIC_SEQ_CST);
  if (net->backend->ops->reset)
    net->backend->ops->reset(net->backend);
}

static void net_queue_reset(VirtioDevice *device, unsigned queue) {
  VirtioNet *net = (VirtioNet *)device;

  if (queue % 2 == 0 && queue / 2 < net->n_pairs)
    net->pairs[queue / 2].waiting = 0;
}

static void net_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  VirtioNet *net = (VirtioNet *)device;
  uint64_t mac = GUINT64_TO_LE(__atomic_load_n(&net->mac, __ATOMIC_RELAXED));
  bool announcing = __atomic_load_n(&net->status, __ATOMIC_SEQ_CST) & NET_ANNOUNCING;
  NetConfigSpace config = {
      .status = GUINT16_TO_LE((net_link_is_up(net) ? NET_S_LINK_UP : 0) | (announcing ? NET_S_ANNOUNCE : 0)),
      .max_virtqueue_pairs = GUINT16_TO_LE((uint16_t)net->n_pairs),
      .mtu = GUINT16_TO_LE((uint16_t)net->mtu),
  };

  memcpy(config.mac, &mac, sizeof config.mac);
  memcpy(to, (const uint8_t *)&config + offset, size);
}

/* Of pairs that are served here the device's own counts are to be had. */
static bool net_traffic(const VirtioDevice *device, DeviceTraffic *traffic) {
  const VirtioNet *net = (const VirtioNet *)device;

  return net->pairs[0].vhost && net->backend->ops->traffic && net->backend->ops->traffic(net->backend, traffic);
}

static void net_free(VirtioDevice *device) {
  VirtioNet *net = (VirtioNet *)device;

  for (unsigned i = 0; i < net->n_pairs && net->pairs; i++)
    vhost_queues_free(net->pairs[i].vhost);
  for (unsigned i = 0; i < net->n_pairs && net->pairs; i++)
    net_pair_end_thread(&net->pairs[i]);
  virtio_device_clear(device);
  net_backend_free(net->backend);
  for (unsigned i = 0; i < net->n_pairs; i++)
    g_free(net->pairs[i].overflow);
  g_free(net->pairs);
  g_free(net);
}

static const VirtioDeviceOps net_ops = {
    .id = VIRTIO_ID_NET,
    .name = "virtio-net",
    .config_size = sizeof(NetConfigSpace),
    .config_read = net_config_read,
    .start = net_start,
    .notify = net_notify,
    .stop = net_stop,
    .serves = net_serves,
    .io = net_io,
    .reset = net_reset,
    .queue_reset = net_queue_reset,
    .traffic = net_traffic,
    .free = net_free,
};

VirtioDevice *virtio_net_new(const char *name, const GuestMemory *memory, NetBackend *backend, const uint8_t mac[NET_MAC_SIZE],
                             unsigned mtu, GError **error) {
  unsigned n_queues = 2 * backend->n_pairs + 1;
  uint16_t sizes[2 * NET_PAIRS_MAX + 1];
  VirtioNet *net = g_new0(VirtioNet, 1);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
    sizes[i] = NET_QUEUE_SIZE;
  net->backend = backend;
  net->n_pairs = backend->n_pairs;
  net->mtu = mtu ? mtu : backend->mtu;
  net->status = backend->link ? 0 : NET_BACKEND_DOWN;
  memcpy(net->first_mac, mac, NET_MAC_SIZE);
  if (!virtio_device_init(&net->base, &net_ops, name, memory, features_of(backend, net->mtu), n_queues, sizes, error)) {
    net_backend_free(backend);
    g_free(net);
    return NULL;
  }
  net->pairs = g_new0(NetPair, net->n_pairs);
  for (unsigned i = 0; i < net->n_pairs; i++)
    net->pairs[i] = (NetPair){.net = net, .index = i, .io = net->base.io, .input_fd = -1, .overflow = g_malloc(NET_FRAME_MAX)};
  for (unsigned i = 1; i < net->n_pairs; i++)
    if (!net_pair_give_thread(&net->pairs[i], error)) {
      net_free(&net->base);
      return NULL;
    }
  net_reset(&net->base);
  return &net->base;
}
