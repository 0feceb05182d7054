/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pairs of a network card in the kernel's hands: one vhost device each (Linux: drivers/vhost/net.c), which moves
 * frames between a queue of a tap and the guest's rings. Commands, link and configuration stay with the card; what a
 * driver asks it to filter is not filtered then, which a driver must bear (virtio 1.2, 5.1.6.5.1: it is best effort).
 *
 * Locks: none; before the device is connected.
 */
#include "devices/vhost/vhost-kernel.h"
#include "devices/virtio/net-internal.h"

/* What is a matter of the rings, and of how a frame lies in its buffers: nobody but who serves them can promise it. */
#define OF_WHO_SERVES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | NET_FEATURE(NET_F_MRG_RXBUF))

bool net_hand_over(VirtioNet *net, Vhost **vhosts, unsigned n, GError **error) {
  uint64_t promised = OF_WHO_SERVES;
  bool done = true;

  for (unsigned i = 0; i < n; i++) {
    promised &= vhosts[i]->features;
    net_pair_end_thread(&net->pairs[i]);
    net->pairs[i].vhost = vhost_queues_new(&net->base, vhosts[i], 2 * i, 2, done ? error : NULL);
    done &= net->pairs[i].vhost != NULL;
  }
  net->base.offered_features &= promised | ~OF_WHO_SERVES;
  return done;
}

bool virtio_net_use_vhost(VirtioDevice *device, const char *path, GError **error) {
  VirtioNet *net = (VirtioNet *)device;
  Vhost *vhosts[NET_PAIRS_MAX];
  unsigned n = net->n_pairs;

  if (!net->backend->kernels) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is nothing that the kernel's vhost can serve: only a tap is",
                net->backend->name);
    return false;
  }
  for (unsigned i = 0; i < n; i++) {
    vhosts[i] = vhost_kernel_net_new(path, net->backend->ops->fd(net->backend, i), error);
    if (vhosts[i])
      continue;
    while (i > 0)
      vhost_free(vhosts[--i]);
    return false;
  }
  return net_hand_over(net, vhosts, n, error);
}
