/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network cards: what each asks for, as far as it can be seen without going there, and that no two want the same. What
 * is taken is kept by its name, so that a thousand cards take no longer than a thousand times one.
 */
#include "vmm/config/config-check.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>

#include "vmm/helpers/passt.h"

/* What the cards before have: names, such as "tap tap0", and the number of the first card that has each. */
typedef struct {
  GHashTable *names;    /* char * -> unsigned * */
  GHashTable *forwards; /* char *: "TCP 80", at any address, and "TCP 80 ADDRESS" */
} Taken;

/* The number of the card that has NAME already, from 1; 0: none has, and card INDEX does from now on. Takes NAME. */
static unsigned take(Taken *taken, char *name, unsigned index) {
  const unsigned *before = g_hash_table_lookup(taken->names, name);

  if (!before) {
    g_hash_table_insert(taken->names, name, g_memdup2(&index, sizeof index));
    return 0;
  }
  g_free(name);
  return *before + 1;
}

/* Whether somebody listens there already; from now on FORWARD does. One at all addresses keeps any other away. */
static bool take_port(Taken *taken, const PasstForward *forward) {
  g_autofree char *port = g_strdup_printf("%s %u", forward->udp ? "UDP" : "TCP", forward->host_port);
  g_autofree char *everywhere = g_strconcat(port, " *", NULL);
  g_autofree char *there = g_strconcat(port, " ", forward->address ? forward->address : "*", NULL);
  bool is_taken =
      g_hash_table_contains(taken->forwards, everywhere) || g_hash_table_contains(taken->forwards, forward->address ? there : port);

  g_hash_table_add(taken->forwards, g_steal_pointer(&port));
  g_hash_table_add(taken->forwards, g_steal_pointer(&there));
  return is_taken;
}

static void check_forwards(OptionDraft *draft, const NetConfig *net, const char *where, Taken *taken) {
  for (unsigned i = 0; i < net->forwards->len; i++) {
    const char *text = net->forwards->pdata[i], *why;
    PasstForward forward = {0};

    if (!passt_parse_forward(text, &forward, &why))
      option_mistake(draft, where, "forward: '%s': %s", text, why);
    else if (take_port(taken, &forward))
      option_mistake(draft, where, "forward: %s port %u of the host is forwarded twice", forward.udp ? "UDP" : "TCP", forward.host_port);
    g_free(forward.address);
  }
}

/* What one of the places has, and the others have not. */
static void check_place(OptionDraft *draft, const NetConfig *net, const char *where) {
  bool is_tap = !net->unix_path && !net->user;

  if (!is_tap && net->queues > 1)
    option_mistake(draft, where, "queues: a %s has one queue each way", net->user ? "user network" : "socket");
  if (!is_tap && net->vhost == NET_VHOST_ON)
    option_mistake(draft, where, "vhost: the host's kernel serves taps, and no %s", net->user ? "user networks" : "sockets");
  if (!net->user && (net->forwards->len || net->restricted))
    option_mistake(draft, where, "%s is for a user network: --net user", net->restricted ? "restrict" : "forward");
}

/* Where it is connected. Of a card that is nowhere, nothing else can be said. */
static void check_places(OptionDraft *draft, const NetConfig *net, const char *where, bool failed) {
  int places = (net->tap != NULL) + (net->fd != 0) + (net->unix_path != NULL) + net->user + net->none;

  if (places > 1 || (places == 0 && !failed))
    option_mistake(draft, where, "%s: give one of user, tap=NAME, fd=N and unix=PATH",
                   places ? "a card has one place where it is connected" : "it is not said where the card is connected");
  if (places > 0 && !net->none)
    check_place(draft, net, where);
}

static void check_tap(OptionDraft *draft, const NetConfig *net, unsigned index, const char *where, Taken *taken) {
  if (!net->tap)
    return;
  if (strlen(net->tap) >= IFNAMSIZ || strpbrk(net->tap, "/: \t\n") || strcmp(net->tap, ".") == 0 || strcmp(net->tap, "..") == 0)
    option_mistake(draft, where, "tap: '%s' is no name of a network device: 1 to %d characters, and no slash, colon or space among them",
                   net->tap, IFNAMSIZ - 1);
  unsigned other = take(taken, g_strconcat("tap ", net->tap, NULL), index);
  if (other)
    option_mistake(draft, where, "tap: '%s' is that of card number %u, too", net->tap, other);
}

/* Each of its descriptors; one that is taken or closed is enough to be said. */
static void check_descriptors(OptionDraft *draft, const NetConfig *net, unsigned index, const char *where, Taken *taken) {
  bool told = false;

  for (unsigned fd = net->fd; net->fd && fd < net->fd + MAX(net->queues, 1); fd++) {
    unsigned other = take(taken, g_strdup_printf("descriptor %u", fd), index);
    if (other && !told)
      option_mistake(draft, where, "fd: descriptor %u is one of card number %u, too", fd, other);
    bool open = fcntl((int)fd, F_GETFD) >= 0;
    if (!other && !open && !told)
      option_mistake(draft, where, "fd: descriptor %u is not open", fd);
    told = told || other || !open;
  }
}

static void check_mac(OptionDraft *draft, const NetConfig *net, unsigned index, const char *where, Taken *taken) {
  uint8_t mac[NET_MAC_SIZE];

  if (!net->mac)
    return;
  if (!virtio_net_parse_mac(net->mac, mac)) {
    option_mistake(draft, where, "mac: '%s' is not the address of a card, such as 02:00:00:12:34:56", net->mac);
    return;
  }
  g_autofree char *lower = g_ascii_strdown(net->mac, -1);
  unsigned other = take(taken, g_strconcat("mac ", lower, NULL), index);
  if (other)
    option_mistake(draft, where, "mac: '%s' is that of card number %u, too", net->mac, other);
}

static void check_net(OptionDraft *draft, const NetConfig *net, unsigned index, Taken *taken) {
  const char *where = option_where(draft, "net", (int)index);

  check_places(draft, net, where, option_has_failed(draft, "net", (int)index));
  check_tap(draft, net, index, where, taken);
  check_descriptors(draft, net, index, where, taken);
  if (net->unix_path)
    config_check_socket(draft, where, "unix", net->unix_path, true);
  check_forwards(draft, net, where, taken);
  check_mac(draft, net, index, where, taken);
}

/* Those that say that there is none. */
static void remove_none(OptionDraft *draft, GPtrArray *nets) {
  const OptionElement *element = option_find(config_options, "net")->element;

  for (unsigned i = nets->len; i > 0; i--) {
    NetConfig *net = nets->pdata[i - 1];
    if (!net->none)
      continue;
    if (nets->len > 1)
      option_mistake(draft, option_where(draft, "net", (int)i - 1), "there is another --net: leave out one of them");
    option_record_clear(element->options, net);
    g_ptr_array_remove_index(nets, i - 1);
  }
}

void config_check_nets(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) forwards = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Taken taken = {names, forwards};

  for (unsigned i = 0; i < config->nets->len; i++) {
    NetConfig *net = config->nets->pdata[i];
    check_net(draft, net, i, &taken);
    net->framed = net->restricted || config_has_firmware(config); /* passt expects a buffer for a frame to be of one piece */
  }
  remove_none(draft, config->nets);
}
