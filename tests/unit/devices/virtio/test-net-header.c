/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of frames' headers: devices/virtio/net-header.c. */
#include "devices/virtio/net-header.h"

#include <string.h>

#define ALL (NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN | NET_OFFLOAD_UFO)

typedef struct {
  const char *about;
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset;
  unsigned offloads;
  uint64_t size;
  bool good;
} Case;

static const Case cases[] = {
    {"plain", 0, 0, 0, 0, 0, 0, 0, 60, true},
    {"the shortest", 0, 0, 0, 0, 0, 0, 0, 14, true},
    {"shorter", 0, 0, 0, 0, 0, 0, ALL, 13, false},
    {"nothing", 0, 0, 0, 0, 0, 0, ALL, 0, false},
    {"the longest", 0, 0, 0, 0, 0, 0, 0, NET_FRAME_MAX, true},
    {"longer", 0, 0, 0, 0, 0, 0, 0, NET_FRAME_MAX + 1, false},
    {"longer than 32 bits", 0, 0, 0, 0, 0, 0, 0, (UINT64_C(1) << 32) + 60, false},
    {"a checksum", 1, 0, 0, 0, 34, 16, NET_OFFLOAD_CSUM, 60, true},
    {"one not agreed on", 1, 0, 0, 0, 34, 16, 0, 60, false},
    {"one at the end", 1, 0, 0, 0, 34, 24, NET_OFFLOAD_CSUM, 60, true},
    {"half beyond the end", 1, 0, 0, 0, 34, 25, NET_OFFLOAD_CSUM, 60, false},
    {"beyond the end", 1, 0, 0, 0, 60, 0, NET_OFFLOAD_CSUM, 60, false},
    {"a sum that wraps at 16 bits", 1, 0, 0, 0, 0xfff0, 0x20, NET_OFFLOAD_CSUM, 60, false},
    {"start before the network header", 1, 0, 0, 0, 13, 16, NET_OFFLOAD_CSUM, 60, false},
    {"stray places without a checksum", 0, 0, 0, 0, 0xffff, 0xffff, ALL, 60, true},
    {"stray sizes without a segment", 0, 0, 0xffff, 0xffff, 0, 0, ALL, 60, true},
    {"a device's flags", 0x86, 0, 0, 0, 0, 0, ALL, 60, true},
    {"TCP over IPv4", 1, 1, 54, 1448, 34, 16, ALL, 60000, true},
    {"with ECN", 1, 0x81, 54, 1448, 34, 16, ALL, 60000, true},
    {"ECN not agreed on", 1, 0x81, 54, 1448, 34, 16, ALL & ~NET_OFFLOAD_ECN, 60000, false},
    {"TCP over IPv4 not agreed on", 1, 1, 54, 1448, 34, 16, ALL & ~NET_OFFLOAD_TSO4, 60000, false},
    {"TCP over IPv6", 1, 4, 74, 1428, 54, 16, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO6, 60000, true},
    {"TCP over IPv6 not agreed on", 1, 4, 74, 1428, 54, 16, ALL & ~NET_OFFLOAD_TSO6, 60000, false},
    {"UDP", 1, 3, 42, 1472, 34, 6, ALL, 60000, true},
    {"UDP not agreed on", 1, 3, 42, 1472, 34, 6, ALL & ~NET_OFFLOAD_UFO, 60000, false},
    {"UDP with ECN", 1, 0x83, 42, 1472, 34, 6, ALL, 60000, false},
    {"UDP with TCP's checksum", 1, 3, 42, 1472, 34, 16, ALL, 60000, false},
    {"TCP with UDP's", 1, 1, 54, 1448, 34, 6, ALL, 60000, false},
    {"ECN alone", 1, 0x80, 54, 1448, 34, 16, ALL, 60000, false},
    {"a kind that there is not", 1, 2, 54, 1448, 34, 16, ALL, 60000, false},
    {"UDP segments, which nobody offers", 1, 5, 42, 1448, 34, 6, ALL, 60000, false},
    {"another", 1, 0x7f, 54, 1448, 34, 16, ALL, 60000, false},
    {"a segment without a checksum", 0, 1, 54, 1448, 34, 16, ALL, 60000, false},
    {"frames of nothing", 1, 1, 54, 0, 34, 16, ALL, 60000, false},
    {"headers longer than all", 1, 1, 61, 1448, 34, 16, ALL, 60, false},
    {"headers as long as all", 1, 1, 60, 1448, 34, 16, ALL, 60, true},
    {"headers of no length", 1, 1, 0, 1448, 34, 16, ALL, 60000, true},
};

static void test_check(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Case *c = &cases[i];
    NetHeader header = {c->flags,
                        c->gso_type,
                        GUINT16_TO_LE(c->hdr_len),
                        GUINT16_TO_LE(c->gso_size),
                        GUINT16_TO_LE(c->csum_start),
                        GUINT16_TO_LE(c->csum_offset),
                        0xffff};
    const char *wrong = net_header_check(&header, c->offloads, c->size);

    if (!wrong != c->good)
      g_error("%s: %s", c->about, wrong ? wrong : "taken");
    if (wrong)
      continue;
    g_assert_cmphex(header.flags, ==, c->flags & 1);
    g_assert_cmphex(header.gso_type, ==, c->gso_type);
    g_assert_cmpuint(header.num_buffers, ==, 0);
    /* What nobody needs goes nowhere. */
    g_assert_cmphex(GUINT16_FROM_LE(header.csum_start), ==, c->flags & 1 ? c->csum_start : 0);
    g_assert_cmphex(GUINT16_FROM_LE(header.csum_offset), ==, c->flags & 1 ? c->csum_offset : 0);
    g_assert_cmphex(GUINT16_FROM_LE(header.gso_size), ==, c->gso_type ? c->gso_size : 0);
    if (c->gso_type)
      g_assert_cmpuint(GUINT16_FROM_LE(header.hdr_len), ==, MAX(c->hdr_len, c->csum_start + c->csum_offset + 2));
    else
      g_assert_cmpuint(header.hdr_len, ==, 0);
  }
}

/* Whatever is in it: what comes out is of what was agreed on, and within the frame. */
static void test_any(void) {
  for (unsigned i = 0; i < 200000; i++) {
    unsigned offloads = (unsigned)g_test_rand_int_range(0, ALL + 1);
    uint64_t size = (uint64_t)g_test_rand_int_range(0, i % 2 ? 100 : 66000);
    NetHeader header;
    uint32_t words[3] = {(uint32_t)g_test_rand_int(), (uint32_t)g_test_rand_int(), (uint32_t)g_test_rand_int()};

    memcpy(&header, words, sizeof header);
    if (i % 3) {
      header.flags &= 1;
      header.gso_type %= 6;
      header.csum_start = GUINT16_TO_LE(GUINT16_FROM_LE(header.csum_start) % 64);
      header.csum_offset = GUINT16_TO_LE(i % 5 ? 16 : 6);
      header.hdr_len = GUINT16_TO_LE(GUINT16_FROM_LE(header.hdr_len) % 128);
    }
    if (net_header_check(&header, offloads, size))
      continue;
    if (header.flags) {
      g_assert_true(offloads & NET_OFFLOAD_CSUM);
      g_assert_cmpuint(GUINT16_FROM_LE(header.csum_start) + GUINT16_FROM_LE(header.csum_offset) + 2u, <=, size);
    }
    if (header.gso_type) {
      g_assert_cmphex(header.flags, ==, 1);
      g_assert_true(offloads & (NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_UFO));
      g_assert_cmpuint(GUINT16_FROM_LE(header.hdr_len), <=, size);
      g_assert_cmpuint(header.gso_size, !=, 0);
    }
  }
}

static void test_fit(void) {
  static const struct {
    uint8_t flags, gso_type;
    unsigned offloads;
    bool fits;
    uint8_t flags_left;
  } fits[] = {
      {0, 0, 0, true, 0},
      {NET_HEADER_F_DATA_VALID, 0, 0, true, 0},
      {NET_HEADER_F_DATA_VALID, 0, NET_OFFLOAD_CSUM, true, NET_HEADER_F_DATA_VALID},
      {NET_HEADER_F_NEEDS_CSUM, 0, NET_OFFLOAD_CSUM, true, NET_HEADER_F_NEEDS_CSUM},
      {NET_HEADER_F_NEEDS_CSUM, 0, 0, false, 0},
      {NET_HEADER_F_NEEDS_CSUM, NET_GSO_TCPV4, NET_OFFLOAD_CSUM, false, 0},
      {NET_HEADER_F_NEEDS_CSUM, NET_GSO_TCPV4, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4, true, NET_HEADER_F_NEEDS_CSUM},
      {NET_HEADER_F_NEEDS_CSUM, NET_GSO_TCPV4 | NET_GSO_ECN, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4, false, 0},
      {NET_HEADER_F_NEEDS_CSUM, NET_GSO_TCPV6, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4, false, 0},
      {NET_HEADER_F_NEEDS_CSUM, NET_GSO_UDP, ALL, true, NET_HEADER_F_NEEDS_CSUM},
      {NET_HEADER_F_NEEDS_CSUM, 0x40, ALL, false, 0},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(fits); i++) {
    NetHeader header = {.flags = fits[i].flags, .gso_type = fits[i].gso_type, .num_buffers = 7};

    g_assert_cmpint(net_header_fit(&header, fits[i].offloads), ==, fits[i].fits);
    if (fits[i].fits)
      g_assert_cmphex(header.flags, ==, fits[i].flags_left);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-header/check", test_check);
  g_test_add_func("/net-header/any", test_any);
  g_test_add_func("/net-header/fit", test_fit);
  return g_test_run();
}
