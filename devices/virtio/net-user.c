/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network card whose frames a user network's program takes from the guest's own memory: its queues are served by
 * vhost-user, and its back end here has nothing to do but to know of the program, and to call for the next one.
 *
 * Locks: none. The Vhost is the I/O thread's while that serves the card, and at a reset nobody's.
 */
#include <poll.h>

#include "devices/vhost/vhost-user.h"
#include "devices/virtio/net-internal.h"

#define PATIENCE_MS 2000 /* for a program that was called for and is not there yet; below VHOST_PATIENCE_US */

typedef struct {
  NetBackend base;
  UserNetwork *network;
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

static bool has_hung_up(int fd) {
  struct pollfd end = {.fd = fd};

  return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP);
}

/* One may have ended while no driver was there to see it. */
static void user_reset(NetBackend *base) {
  const UserBackend *user = (UserBackend *)base;
  Vhost *vhost = user->vhost;

  if (vhost->connected && has_hung_up(vhost->watch_fds[0]))
    vhost->ops->disconnect(vhost);
  if (!vhost->connected)
    user->network->ops->renew(user->network);
}

static void user_free(NetBackend *base) {
  user_network_free(((UserBackend *)base)->network);
  g_free(base->name);
  g_free(base);
}

static int open_connection(void *opaque, GError **error) {
  UserNetwork *network = opaque;
  struct pollfd ready = {.fd = network->event_fd, .events = POLLIN};
  int fd = network->ops->take(network);

  if (fd < 0 && poll(&ready, 1, PATIENCE_MS) == 1)
    fd = network->ops->take(network);
  if (fd < 0)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s is not there", network->name);
  return fd;
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
  g_autoptr(Vhost) vhost = vhost_user_new_with(network->name, false, open_connection, network, NULL);
  UserBackend *user;

  vhost_begin(vhost);
  if (!vhost->ops->connect(vhost, error))
    return NULL;
  user = g_new0(UserBackend, 1);
  *user = (UserBackend){
      .base = {.ops = &ops, .name = g_strdup(network->name), .n_pairs = 1, .link = true},
      .network = network,
      .vhost = vhost,
  };
  g_steal_pointer(&network);
  VirtioDevice *device = virtio_net_new(name, memory, &user->base, mac, mtu, error);
  if (!device)
    return NULL;
  Vhost *serving = g_steal_pointer(&vhost);
  if (!net_hand_over((VirtioNet *)device, &serving, 1, error))
    g_clear_pointer(&device, virtio_device_free);
  return device;
}
