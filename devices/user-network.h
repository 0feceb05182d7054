/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user network: a network card's way out through another program, by the sockets of an ordinary process. Who can
 * start such programs hands a UserNetworks to the cards that are made; each gets a UserNetwork of its own, which is one
 * such program, and after that has ended, upon wish, the next.
 *
 * Main thread, but for what says otherwise.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UserNetwork UserNetwork;
typedef struct {
  /* A connected stream socket, the caller's, each but once. -1: there is none now. Does not wait. Any thread. */
  int (*take)(UserNetwork *network);
  /*
   * The connection that was taken is lost, and another is wanted: the program is started again, once that is so of its
   * side, too. Does not wait. Any thread.
   */
  void (*renew)(UserNetwork *network);
  void (*free)(UserNetwork *network); /* ends the program */
} UserNetworkOps;

struct UserNetwork {
  const UserNetworkOps *ops;
  const char *name;          /* of the program, for people: "passt" */
  bool vhost_user;           /* connections speak that; else of frames in a stream: devices/backend/net-stream.h */
  int event_fd;              /* readable while there is a connection to be taken */
  const uint16_t *udp_ports; /* of the guest, that datagrams are forwarded to */
  unsigned n_udp_ports;
};

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
  if (network)
    network->ops->free(network);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserNetwork, user_network_free)
