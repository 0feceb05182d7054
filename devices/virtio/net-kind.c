/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine knows of a network card before there is one: what can be asked of it, and which back end that is.
 *
 * The address is derived from the machine's name, so that its cards have the same wherever and whenever it starts; of
 * the host nothing goes into it. That of a machine without a name is derived from what the card is connected to; two
 * machines that meet at a socket name the same one, so that theirs are made up.
 */
#include <string.h>

#include "devices/backend/net-stream.h"
#include "devices/backend/tap.h"
#include "devices/printable.h"
#include "devices/vhost/vhost-kernel.h"
#include "devices/virtio/net.h"

#define MULTICAST 1 /* in the first byte: IEEE 802, 8.2 */

bool virtio_net_parse_mac(const char *text, uint8_t mac[NET_MAC_SIZE]) {
  static const uint8_t zeros[NET_MAC_SIZE];

  if (strlen(text) != 3 * NET_MAC_SIZE - 1)
    return false;
  for (unsigned i = 0; i < NET_MAC_SIZE; i++) {
    const char *digits = text + 3 * (size_t)i;

    if (!g_ascii_isxdigit(digits[0]) || !g_ascii_isxdigit(digits[1]) || (i + 1 < NET_MAC_SIZE && digits[2] != ':'))
      return false;
    mac[i] = (uint8_t)(g_ascii_xdigit_value(digits[0]) << 4 | g_ascii_xdigit_value(digits[1]));
  }
  return !(mac[0] & MULTICAST) && memcmp(mac, zeros, sizeof zeros) != 0;
}

/* That of a card which is only planned: a tap is others' while it is in use, and who meets a socket is met. */

static int nowhere_fd(NetBackend *backend, unsigned pair) {
  return -1;
}

static ssize_t nowhere_receive(NetBackend *backend, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n) {
  return 0;
}

static NetSent nowhere_send(NetBackend *backend, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n) {
  return NET_REFUSED;
}

static bool nowhere_set_offloads(NetBackend *backend, unsigned offloads) {
  return true;
}

static void nowhere_free(NetBackend *backend) {
  g_free(backend->name);
  g_free(backend);
}

static NetBackend *nowhere_new(unsigned n_pairs) {
  static const NetBackendOps ops = {
      .fd = nowhere_fd, .receive = nowhere_receive, .send = nowhere_send, .set_offloads = nowhere_set_offloads, .free = nowhere_free};
  NetBackend *backend = g_new0(NetBackend, 1);

  *backend = (NetBackend){.ops = &ops, .name = g_strdup("nowhere"), .n_pairs = n_pairs};
  return backend;
}

static NetBackend *open_backend(const NetConfig *config, GError **error) {
  unsigned n_pairs = MAX(config->queues, 1);
  int fds[NET_PAIRS_MAX];

  if (config->unix_path)
    return net_stream_meet(config->unix_path, error);
  if (config->tap)
    return tap_open(config->tap, n_pairs, error);
  for (unsigned i = 0; i < n_pairs; i++)
    fds[i] = (int)(config->fd + i);
  return tap_take_fds(fds, n_pairs, error);
}

/* PLACE: what the card is connected to. */
static void choose_mac(const DeviceParts *parts, const char *place, uint8_t mac[NET_MAC_SIZE]) {
  const NetConfig *config = parts->asked;

  if (config->mac && virtio_net_parse_mac(config->mac, mac))
    return;
  if (parts->machine) {
    virtio_net_derive_mac(parts->machine, parts->index, mac);
    return;
  }
  g_autofree char *made_up = g_strdup_printf("%08x%08x", g_random_int(), g_random_int());
  g_autofree char *identity = g_strdup_printf("%s %s", config->unix_path ? made_up : place, parts->name);
  virtio_net_derive_mac(identity, 0, mac);
}

/* Without a complaint where nobody insists on it. */
static bool try_vhost(const NetConfig *config, VirtioDevice *device, GError **error) {
  bool wanted = config->vhost != NET_VHOST_OFF && !config->unix_path;

  return !wanted || virtio_net_use_vhost(device, VHOST_KERNEL_NET, config->vhost == NET_VHOST_ON ? error : NULL) ||
         config->vhost != NET_VHOST_ON;
}

/* By a program of others' that is there when this returns. What it may see of the guest is what the machine shares. */
static VirtioDevice *make_user(const DeviceParts *parts, GError **error) {
  const NetConfig *config = parts->asked;
  const UserNetworkWish wish = {
      .card = parts->name,
      .forwards = config->forwards,
      .vhost_user = !config->framed && parts->memory->n_regions && parts->memory->regions[0].fd >= 0,
  };
  UserNetwork *network = parts->user_networks->start(parts->user_networks, &wish, error);
  uint8_t mac[NET_MAC_SIZE];

  if (!network)
    return NULL;
  choose_mac(parts, network->helper->name, mac);
  if (network->vhost_user)
    return virtio_net_of_user(parts->name, parts->memory, network, mac, config->mtu, error);
  return virtio_net_new(parts->name, parts->memory, net_stream_of(network, config->restricted), mac, config->mtu, error);
}

static VirtioDevice *net_make(const DeviceParts *parts, GError **error) {
  const NetConfig *config = parts->asked;
  if (config->user && !parts->plan_only)
    return make_user(parts, error);
  NetBackend *backend = parts->plan_only ? nowhere_new(MAX(config->queues, 1)) : open_backend(config, error);
  uint8_t mac[NET_MAC_SIZE];

  if (!backend)
    return NULL;
  choose_mac(parts, backend->name, mac);
  VirtioDevice *device = virtio_net_new(parts->name, parts->memory, backend, mac, config->mtu, error);
  if (device && !parts->plan_only && !try_vhost(config, device, error))
    g_clear_pointer(&device, virtio_device_free);
  return device;
}

static char *print_user(const NetConfig *config) {
  GString *text = g_string_new("user network");

  for (unsigned i = 0; config->forwards && i < config->forwards->len; i++) {
    g_autofree char *forward = printable_line_escaped(g_ptr_array_index(config->forwards, i), -1);
    g_string_append_printf(text, "%s%s", i ? ", " : ", forwards ", forward);
  }
  g_string_append(text, config->restricted ? ", restricted" : "");
  return g_string_free(text, FALSE);
}

static char *net_print_asked(const void *asked) {
  const NetConfig *config = asked;

  if (config->user)
    return print_user(config);
  g_autofree char *fd = g_strdup_printf("%u", config->fd);
  g_autofree char *where = printable_line_escaped(config->tap ? config->tap : config->unix_path ? config->unix_path : fd, -1);
  g_autofree char *queues = config->queues > 1 ? g_strdup_printf(", %u queues", config->queues) : g_strdup("");

  return g_strconcat(config->tap ? "tap " : config->unix_path ? "socket " : "tap at descriptor ", where, queues, NULL);
}

static DeviceBoot net_boot(const void *asked) {
  return (DeviceBoot){((const NetConfig *)asked)->boot_index, "ethernet", "ethernet-phy@0"};
}

const DeviceKind virtio_net_kind = {
    .name = "virtio-net",
    .print_asked = net_print_asked,
    .boot = net_boot,
    .make_virtio = net_make,
    .descriptors = 8 * NET_PAIRS_MAX, /* of each pair: a tap's, a vhost's or its thread's, two doorbells, two calls and two messages */
};
