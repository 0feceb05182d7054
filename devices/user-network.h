/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user network: a network card's way out through another program, by the sockets of an ordinary process. Who can
 * start such programs hands a UserNetworks to the cards that are made; each gets a UserNetwork of its own.
 *
 * Main thread, but for what a helper says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/helper.h"

typedef struct {
  Helper *helper;      /* the program; NULL: it was handed on */
  bool vhost_user;     /* connections speak that; else of frames in a stream: devices/backend/net-stream.h */
  uint16_t *udp_ports; /* of the guest, that datagrams are forwarded to */
  unsigned n_udp_ports;
} UserNetwork;

/* What is asked for. */
typedef struct {
  const char *card;          /* for people: "virtio-net0" */
  const GPtrArray *forwards; /* of char *: "[ADDRESS:]HOSTPORT:GUESTPORT[/udp]"; NULL: none */
  bool vhost_user;           /* it may see the guest's memory */
} UserNetworkWish;

typedef struct UserNetworks UserNetworks;
struct UserNetworks {
  bool vhost_user; /* its programs can speak that */
  /* Starts one, and waits for it to be there. */
  UserNetwork *(*start)(UserNetworks *networks, const UserNetworkWish *wish, GError **error);
};

static inline void user_network_free(UserNetwork *network) { /* takes NULL */
  if (!network)
    return;
  helper_free(network->helper);
  g_free(network->udp_ports);
  g_free(network);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserNetwork, user_network_free)
