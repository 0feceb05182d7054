/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames a network card takes: virtio 1.2, 5.1.6.5.1 (modes) and 5.1.6.5.2 (tables of addresses). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/net-backend.h"

#define NET_FILTER_MAX 64 /* addresses in each table; a longer one means all */

typedef struct {
  uint8_t addresses[NET_FILTER_MAX][NET_MAC_SIZE];
  unsigned n;
  bool overflow; /* there are more than that */
} NetTable;

/* The modes of VIRTIO_NET_CTRL_RX, by their commands' numbers. */
enum { NET_RX_PROMISC, NET_RX_ALLMULTI, NET_RX_ALLUNI, NET_RX_NOMULTI, NET_RX_NOUNI, NET_RX_NOBCAST, NET_RX_MODES };

typedef struct {
  bool modes[NET_RX_MODES];
  NetTable unicast, multicast;
} NetFilter;

/* Power-on: everything is taken, as by a driver that knows of no filter. */
void net_filter_reset(NetFilter *filter);
/* Whether a card with the address OWN takes a frame for TO. */
bool net_filter_takes(const NetFilter *filter, const uint8_t own[NET_MAC_SIZE], const uint8_t to[NET_MAC_SIZE]);
