/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets of a virtio socket device (virtio 1.2, 5.10.6): a header in front of each, little-endian in the guest's
 * memory, and at most as many bytes as it says. Pure functions, no lock.
 */
#pragma once

#include <stdint.h>

#include "devices/virtio/virtqueue.h"

#define VSOCK_HEADER_SIZE 44
/* What Linux puts into one packet at most: include/linux/virtio_vsock.h, VIRTIO_VSOCK_MAX_PKT_BUF_SIZE. */
#define VSOCK_PAYLOAD_MAX (64 * 1024)

/* Context IDs: 5.10.4. 0, 1, and those that do not fit into 32 bits are nobody's. */
#define VSOCK_CID_HOST      2
#define VSOCK_CID_FIRST     3
#define VSOCK_CID_LAST      (UINT32_MAX - 1)
#define VSOCK_PORT_ANY      UINT32_MAX /* Linux: VMADDR_PORT_ANY; nobody listens there */
#define VSOCK_PORT_DIGITS   10
#define VSOCK_TYPE_STREAM   1
#define VSOCK_SHUTDOWN_BOTH (VSOCK_SHUTDOWN_RECEIVE | VSOCK_SHUTDOWN_SEND)

/* 5.10.6.6.1: who sends this will not receive, or not send, any more. */
enum { VSOCK_SHUTDOWN_RECEIVE = 1, VSOCK_SHUTDOWN_SEND = 2 };

/* 5.10.6. */
typedef enum {
  VSOCK_OP_INVALID,
  VSOCK_OP_REQUEST,
  VSOCK_OP_RESPONSE,
  VSOCK_OP_RST,
  VSOCK_OP_SHUTDOWN,
  VSOCK_OP_RW,
  VSOCK_OP_CREDIT_UPDATE,
  VSOCK_OP_CREDIT_REQUEST,
} VsockOp;

typedef struct {
  uint64_t src_cid, dst_cid;
  uint32_t src_port, dst_port;
  uint32_t len; /* bytes behind the header */
  uint16_t type, op;
  uint32_t flags;
  uint32_t buf_alloc, fwd_cnt; /* 5.10.6.3: the sender's buffer, and what has left it so far, modulo 2^32 */
} VsockHeader;

typedef enum {
  VSOCK_PACKET_GOOD,
  VSOCK_PACKET_IGNORED, /* no packet, or one that nobody may answer */
  VSOCK_PACKET_REFUSED, /* to be answered with a reset, and the end of its connection if it has one */
} VsockVerdict;

void vsock_header_encode(const VsockHeader *header, uint8_t bytes[VSOCK_HEADER_SIZE]);
/*
 * Copies the header of a packet that GUEST_CID sent, once, and judges it. HEADER is filled in unless the packet is
 * ignored; header->len bytes are behind it in the chain if it is good.
 */
VsockVerdict vsock_header_take(const VirtChain *chain, uint64_t guest_cid, VsockHeader *header);
/* The reset that answers HEADER: 5.10.6.4, 5.10.6.6. */
VsockHeader vsock_reset_for(const VsockHeader *header);
