/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames a network card takes: devices/virtio/net-filter.c. */
#include "devices/virtio/net-filter.h"

#include <string.h>

static const uint8_t own[NET_MAC_SIZE] = {2, 1, 2, 3, 4, 5}, second[NET_MAC_SIZE] = {2, 1, 2, 3, 4, 6},
                     other[NET_MAC_SIZE] = {2, 9, 9, 9, 9, 9}, group[NET_MAC_SIZE] = {1, 0, 0x5e, 0, 0, 1},
                     other_group[NET_MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1}, broadcast[NET_MAC_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t *const addresses[] = {own, second, other, group, other_group, broadcast};

/* Which of the six are taken, as a text. */
static void assert_takes(const NetFilter *filter, const char *wanted) {
  for (unsigned i = 0; i < G_N_ELEMENTS(addresses); i++)
    g_assert_cmpint(net_filter_takes(filter, own, addresses[i]), ==, wanted[i] == '+');
}

static void test_modes(void) {
  NetFilter filter;

  net_filter_reset(&filter);
  assert_takes(&filter, "++++++");
  filter.modes[NET_RX_PROMISC] = false;
  assert_takes(&filter, "+----+");
  memcpy(filter.unicast.addresses[0], second, NET_MAC_SIZE);
  filter.unicast.n = 1;
  memcpy(filter.multicast.addresses[0], group, NET_MAC_SIZE);
  filter.multicast.n = 1;
  assert_takes(&filter, "++-+-+");
  filter.modes[NET_RX_ALLMULTI] = true;
  assert_takes(&filter, "++-+++");
  filter.modes[NET_RX_ALLUNI] = true;
  assert_takes(&filter, "++++++");
  filter.modes[NET_RX_NOBCAST] = true;
  assert_takes(&filter, "+++++-");
  filter.modes[NET_RX_NOMULTI] = true;
  assert_takes(&filter, "+++---");
  filter.modes[NET_RX_NOUNI] = true;
  assert_takes(&filter, "------");
  filter.modes[NET_RX_PROMISC] = true;
  assert_takes(&filter, "++++++");
}

static void test_overflow(void) {
  NetFilter filter = {.unicast.overflow = true};

  assert_takes(&filter, "+++--+");
  filter = (NetFilter){.multicast.overflow = true};
  assert_takes(&filter, "+--+++");
}

static void test_full_table(void) {
  NetFilter filter = {.unicast.n = NET_FILTER_MAX};
  uint8_t address[NET_MAC_SIZE] = {2};

  for (unsigned i = 0; i < NET_FILTER_MAX; i++)
    filter.unicast.addresses[i][0] = 2, filter.unicast.addresses[i][5] = (uint8_t)i;
  for (unsigned i = 0; i < 256; i++) {
    address[5] = (uint8_t)i;
    g_assert_cmpint(net_filter_takes(&filter, own, address), ==, i < NET_FILTER_MAX);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-filter/modes", test_modes);
  g_test_add_func("/net-filter/overflow", test_overflow);
  g_test_add_func("/net-filter/full-table", test_full_table);
  return g_test_run();
}
