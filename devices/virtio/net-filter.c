/* SPDX-License-Identifier: Apache-2.0 */
/* See net-filter.h. A table is short, and searched. No lock. */
#include "devices/virtio/net-filter.h"

#include <string.h>

#define MULTICAST 1 /* in the first byte: IEEE 802, 8.2 */

void net_filter_reset(NetFilter *filter) {
  *filter = (NetFilter){.modes[NET_RX_PROMISC] = true};
}

static bool contains(const NetTable *table, const uint8_t *address) {
  for (unsigned i = 0; i < table->n; i++)
    if (memcmp(table->addresses[i], address, NET_MAC_SIZE) == 0)
      return true;
  return table->overflow;
}

bool net_filter_takes(const NetFilter *filter, const uint8_t own[NET_MAC_SIZE], const uint8_t to[NET_MAC_SIZE]) {
  static const uint8_t broadcast[NET_MAC_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const bool *modes = filter->modes;

  if (modes[NET_RX_PROMISC])
    return true;
  if (memcmp(to, broadcast, sizeof broadcast) == 0)
    return !modes[NET_RX_NOBCAST];
  if (to[0] & MULTICAST)
    return !modes[NET_RX_NOMULTI] && (modes[NET_RX_ALLMULTI] || contains(&filter->multicast, to));
  return !modes[NET_RX_NOUNI] && (modes[NET_RX_ALLUNI] || memcmp(to, own, NET_MAC_SIZE) == 0 || contains(&filter->unicast, to));
}
