/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card whose frames a user network's program takes from the guest's own memory: its queues are served by
 * vhost-user, and its back end here has nothing to do but to call for the next such program.
 *
 * Locks: none. The Vhost is the I/O thread's while that serves the card, and at a reset nobody's.
 */
#include "devices/vhost/vhost-user.h"
#include "devices/virtio/net-internal.h"

typedef struct {
  NetBackend base;
  Vhost *vhost; /* of the card's queues */
} UserBackend;

/* No frame comes this way. */

static int user_fd(NetBackend *base, unsigned pair) {
  return -1;
}

static ssize_t user_receive(NetBackend *base, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n) {
  return 0;
}

static NetSent user_send(NetBackend *base, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n) {
  return NET_REFUSED;
}

static bool user_set_offloads(NetBackend *base, unsigned offloads) {
  return !offloads;
}

/* One may have ended while no driver was there to see it. */
static void user_reset(NetBackend *base) {
  Vhost *vhost = ((UserBackend *)base)->vhost;

  vhost->ops->renew(vhost, true);
}

static void user_free(NetBackend *base) {
  g_free(base->name);
  g_free(base);
}

VirtioDevice *virtio_net_of_user(const char *name, const GuestMemory *memory, UserNetwork *take_network, const uint8_t mac[NET_MAC_SIZE],
                                 unsigned mtu, GError **error) {
  static const NetBackendOps ops = {
      .fd = user_fd,
      .receive = user_receive,
      .send = user_send,
      .set_offloads = user_set_offloads,
      .reset = user_reset,
      .free = user_free,
  };
  g_autoptr(UserNetwork) network = take_network;
  g_autoptr(Vhost) vhost = vhost_user_new_of(g_steal_pointer(&network->helper), false);
  UserBackend *user;

  vhost_begin(vhost);
  if (!vhost->ops->connect(vhost, error))
    return NULL;
  user = g_new0(UserBackend, 1);
  *user = (UserBackend){
      .base = {.ops = &ops, .name = g_strdup(vhost->name), .n_pairs = 1, .link = true},
      .vhost = vhost,
  };
  VirtioDevice *device = virtio_net_new(name, memory, &user->base, mac, mtu, error);
  if (!device)
    return NULL;
  Vhost *serving = g_steal_pointer(&vhost);
  if (!net_hand_over((VirtioNet *)device, &serving, 1, error))
    g_clear_pointer(&device, virtio_device_free);
  return device;
}
