/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of vsock-hostile.c: a driver of a virtio socket device (virtio 1.2, 5.10), and what it does that no driver
 * may.
 */
#pragma once

#include "hostile.h"

#define VSOCK_ID    19
#define QUEUE_SIZE  64
#define BUFFER_SIZE 4096
#define N_BUFFERS   32
#define N_QUEUES    3
#define HEADER_SIZE 44
#define RXQ         0
#define TXQ         1
#define CID_HOST    2
#define ECHO_PORT   1000
#define HOLD_PORT   1001 /* where what is sent is read, and nothing comes back */
#define NOBODYS     77
#define WINDOW      0x10000
#define FEATURES    (1ull | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1)

/* 5.10.6 */
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };
typedef struct __attribute__((packed)) {
  uint64_t src_cid, dst_cid;
  uint32_t src_port, dst_port, len;
  uint16_t type, op;
  uint32_t flags, buf_alloc, fwd_cnt;
} Header;
_Static_assert(sizeof(Header) == HEADER_SIZE, "as on the wire");

extern Virtio device;
extern uint64_t socket_cid;       /* of this guest */
extern uint32_t socket_next_port; /* of this guest, that no connection has had */
extern Header socket_sent[QUEUE_SIZE / 2];

/* socket.c: as a driver should. */

void socket_start(bool with_buffers);
/* A packet of the guest's, as it should be. */
Header socket_packet(uint16_t op, uint32_t guest_port, uint32_t host_port);
/* HEADER, and SIZE bytes of the playground behind it, from slot SLOT; the doorbell is rung later. */
void socket_offer(unsigned slot, Header header, uint32_t size);
/* The same with the doorbell; whether it came back. */
bool socket_send(Header header, uint32_t size);
/* The next packet from the device; its buffer is given back. False: none for so long. */
bool socket_receive(Header *header, uint64_t ticks);
/* Waits for a packet with operation OP for GUEST_PORT, whatever comes before it. */
bool socket_hears(uint16_t op, uint32_t guest_port);
/* Returns when nothing is on its way to the guest any more. */
void socket_quiet(void);
bool socket_connect(uint32_t guest_port, uint32_t host_port);
void socket_close(uint32_t guest_port, uint32_t host_port);
/* Checks it, with a new start and an echo. AFTER what, for people. */
void socket_works(const char *after);

/* strays.c, connections.c, chains.c: as none may. Each checks what the device does about it. */

/* Packets that belong to no connection: answered with a reset, or not at all. */
void stray(void);
/* What ends a connection that is there. */
void break_connections(void);
/* Credit is the guest's to give, and to spoil. */
void spoil_credit(void);
/* N requests to ports where nobody listens, and N to one where somebody does. */
void request_all(unsigned n);
/* Of a queue, which people call NAME: chains that break virtio's rules. */
void break_chains(const char *name, unsigned queue);
void odd_chains(void);
void reset_amid_traffic(void);
/* COUNT packets, most of them of a few connections; and now and then a chain that is none. */
void throw_random(unsigned count);
