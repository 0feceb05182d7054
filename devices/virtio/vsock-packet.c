/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of virtio socket packets: virtio 1.2, 5.10.6, struct virtio_vsock_hdr. The guest writes anything: nothing of
 * a header is used before it is judged here, and what is judged is a copy.
 */
#include "devices/virtio/vsock-packet.h"

#include <glib.h>
#include <string.h>

/* As it lies in memory; no field is out of its alignment but for the last word of padding that the size lacks. */
typedef struct {
  uint64_t src_cid, dst_cid;
  uint32_t src_port, dst_port, len;
  uint16_t type, op;
  uint32_t flags, buf_alloc, fwd_cnt;
} WireHeader;

G_STATIC_ASSERT(offsetof(WireHeader, fwd_cnt) + sizeof(uint32_t) == VSOCK_HEADER_SIZE);

void vsock_header_encode(const VsockHeader *header, uint8_t bytes[VSOCK_HEADER_SIZE]) {
  const WireHeader wire = {
      .src_cid = GUINT64_TO_LE(header->src_cid),
      .dst_cid = GUINT64_TO_LE(header->dst_cid),
      .src_port = GUINT32_TO_LE(header->src_port),
      .dst_port = GUINT32_TO_LE(header->dst_port),
      .len = GUINT32_TO_LE(header->len),
      .type = GUINT16_TO_LE(header->type),
      .op = GUINT16_TO_LE(header->op),
      .flags = GUINT32_TO_LE(header->flags),
      .buf_alloc = GUINT32_TO_LE(header->buf_alloc),
      .fwd_cnt = GUINT32_TO_LE(header->fwd_cnt),
  };

  memcpy(bytes, &wire, VSOCK_HEADER_SIZE);
}

static void decode(const WireHeader *wire, VsockHeader *header) {
  *header = (VsockHeader){
      .src_cid = GUINT64_FROM_LE(wire->src_cid),
      .dst_cid = GUINT64_FROM_LE(wire->dst_cid),
      .src_port = GUINT32_FROM_LE(wire->src_port),
      .dst_port = GUINT32_FROM_LE(wire->dst_port),
      .len = GUINT32_FROM_LE(wire->len),
      .type = GUINT16_FROM_LE(wire->type),
      .op = GUINT16_FROM_LE(wire->op),
      .flags = GUINT32_FROM_LE(wire->flags),
      .buf_alloc = GUINT32_FROM_LE(wire->buf_alloc),
      .fwd_cnt = GUINT32_FROM_LE(wire->fwd_cnt),
  };
}

VsockVerdict vsock_header_take(const VirtChain *chain, uint64_t guest_cid, VsockHeader *header) {
  WireHeader wire = {0};

  if (virt_chain_read(chain, 0, &wire, VSOCK_HEADER_SIZE) < VSOCK_HEADER_SIZE)
    return VSOCK_PACKET_IGNORED;
  decode(&wire, header);
  /* 5.10.6.4.1: a guest speaks for itself alone. */
  if (header->src_cid != guest_cid)
    return VSOCK_PACKET_IGNORED;
  bool good = header->dst_cid == VSOCK_CID_HOST && header->type == VSOCK_TYPE_STREAM && header->op > VSOCK_OP_INVALID &&
              header->op <= VSOCK_OP_CREDIT_REQUEST && header->len <= chain->out_size - VSOCK_HEADER_SIZE;
  if (good)
    return VSOCK_PACKET_GOOD;
  /* A reset is never answered with another, or two would do so for ever. */
  return header->op == VSOCK_OP_RST ? VSOCK_PACKET_IGNORED : VSOCK_PACKET_REFUSED;
}

VsockHeader vsock_reset_for(const VsockHeader *header) {
  return (VsockHeader){
      .src_cid = header->dst_cid,
      .dst_cid = header->src_cid,
      .src_port = header->dst_port,
      .dst_port = header->src_port,
      .type = header->type,
      .op = VSOCK_OP_RST,
  };
}
