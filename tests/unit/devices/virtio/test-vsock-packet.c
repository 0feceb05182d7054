/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of virtio socket packets: devices/virtio/vsock-packet.c. */
#include "devices/virtio/vsock-packet.h"

#include <glib.h>
#include <string.h>

#define GUEST 5

static const VsockHeader good = {
    .src_cid = GUEST,
    .dst_cid = VSOCK_CID_HOST,
    .src_port = 1000,
    .dst_port = 2000,
    .len = 4,
    .type = VSOCK_TYPE_STREAM,
    .op = VSOCK_OP_RW,
    .buf_alloc = 4096,
    .fwd_cnt = 17,
};

/* The packet of HEADER with PAYLOAD bytes behind it, in pieces of PIECE bytes. */
static VsockVerdict take(const VsockHeader *header, size_t payload, size_t piece, VsockHeader *taken) {
  g_autofree uint8_t *bytes = g_malloc0(VSOCK_HEADER_SIZE + payload);
  size_t size = VSOCK_HEADER_SIZE + payload;
  VirtChain chain = {.out_size = size};

  vsock_header_encode(header, bytes);
  for (size_t at = 0; at < size; at += piece)
    chain.iov[chain.n_out++] = (struct iovec){bytes + at, MIN(piece, size - at)};
  return vsock_header_take(&chain, GUEST, taken);
}

static void test_layout(void) {
  static const uint8_t wanted[VSOCK_HEADER_SIZE] = {
      5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,  0xe8, 3, 0,  0, 0xd0, 7,
      0, 0, 4, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 16, 0,    0, 17, 0, 0,    0,
  };
  uint8_t bytes[VSOCK_HEADER_SIZE];

  vsock_header_encode(&good, bytes);
  g_assert_cmpmem(bytes, sizeof bytes, wanted, sizeof wanted);
}

static void test_pieces(void) {
  static const size_t pieces[] = {1, 2, 7, 20, 43, 44, 45, 48};

  for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
    uint8_t bytes[VSOCK_HEADER_SIZE], wanted[VSOCK_HEADER_SIZE];
    VsockHeader taken;
    g_assert_cmpint(take(&good, 4, pieces[i], &taken), ==, VSOCK_PACKET_GOOD);
    vsock_header_encode(&taken, bytes);
    vsock_header_encode(&good, wanted);
    g_assert_cmpmem(bytes, sizeof bytes, wanted, sizeof wanted);
  }
}

static void test_short(void) {
  uint8_t bytes[VSOCK_HEADER_SIZE];
  VsockHeader taken;

  vsock_header_encode(&good, bytes);
  for (size_t size = 0; size < VSOCK_HEADER_SIZE; size++) {
    g_autofree uint8_t *exact = g_memdup2(bytes, size); /* the sanitizer sees a step beyond */
    VirtChain chain = {.n_out = size ? 1 : 0, .out_size = size, .iov = {{exact, size}}};
    g_assert_cmpint(vsock_header_take(&chain, GUEST, &taken), ==, VSOCK_PACKET_IGNORED);
  }
}

static void test_verdicts(void) {
  static const struct {
    VsockHeader header;
    VsockVerdict verdict;
  } rows[] = {
      {{.src_cid = GUEST + 1, .dst_cid = 2, .type = 1, .op = 1}, VSOCK_PACKET_IGNORED},
      {{.src_cid = UINT64_C(1) << 32 | GUEST, .dst_cid = 2, .type = 1, .op = 1}, VSOCK_PACKET_IGNORED},
      {{.src_cid = VSOCK_CID_HOST, .dst_cid = 2, .type = 1, .op = 1}, VSOCK_PACKET_IGNORED},
      {{.src_cid = GUEST, .dst_cid = 3, .type = 1, .op = 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = GUEST, .type = 1, .op = 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = UINT64_C(1) << 32 | 2, .type = 1, .op = 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 0, .op = 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 2, .op = 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 0}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 8}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 0xffff}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 5, .len = 5}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 5, .len = UINT32_MAX}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 5, .len = UINT32_MAX - VSOCK_HEADER_SIZE + 1}, VSOCK_PACKET_REFUSED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 5, .len = 3}, VSOCK_PACKET_GOOD},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 5, .len = 0}, VSOCK_PACKET_GOOD},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 3}, VSOCK_PACKET_GOOD},
      {{.src_cid = GUEST, .dst_cid = 9, .type = 1, .op = 3}, VSOCK_PACKET_IGNORED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 7, .op = 3}, VSOCK_PACKET_IGNORED},
      {{.src_cid = GUEST, .dst_cid = 2, .type = 1, .op = 3, .len = 100}, VSOCK_PACKET_IGNORED},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
    VsockHeader taken;
    g_test_message("row %u", i);
    g_assert_cmpint(take(&rows[i].header, 4, 48, &taken), ==, rows[i].verdict);
  }
}

static void test_reset(void) {
  VsockHeader reset =
      vsock_reset_for(&(VsockHeader){.src_cid = GUEST, .dst_cid = 7, .src_port = 1, .dst_port = 2, .len = 9, .type = 3, .op = 5});

  g_assert_cmpuint(reset.src_cid, ==, 7);
  g_assert_cmpuint(reset.dst_cid, ==, GUEST);
  g_assert_cmpuint(reset.src_port, ==, 2);
  g_assert_cmpuint(reset.dst_port, ==, 1);
  g_assert_cmpuint(reset.type, ==, 3);
  g_assert_cmpuint(reset.op, ==, VSOCK_OP_RST);
  g_assert_cmpuint(reset.len, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vsock-packet/layout", test_layout);
  g_test_add_func("/vsock-packet/pieces", test_pieces);
  g_test_add_func("/vsock-packet/short", test_short);
  g_test_add_func("/vsock-packet/verdicts", test_verdicts);
  g_test_add_func("/vsock-packet/reset", test_reset);
  return g_test_run();
}
