/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of net-hostile.c: a driver of a virtio network card (virtio 1.2, 5.1), and what it does that no driver
 * may.
 */
#pragma once

#include "hostile.h"

#define NET_ID      1
#define QUEUE_SIZE  64
#define BUFFER_SIZE 2048
#define N_BUFFERS   32
#define HEADER_SIZE 12
#define SHORTEST    60 /* bytes of a frame: IEEE 802.3, 3.2.8 */
#define RECEIVEQ    0
#define TRANSMITQ   1

/* 5.1.3 */
#define F_CSUM           (1ull << 0)
#define F_GUEST_CSUM     (1ull << 1)
#define F_GUEST_OFFLOADS (1ull << 2)
#define F_HOST_TSO4      (1ull << 11)
#define F_HOST_TSO6      (1ull << 12)
#define F_HOST_ECN       (1ull << 13)
#define F_MRG_RXBUF      (1ull << 15)
#define F_CTRL_VQ        (1ull << 17)
#define F_CTRL_RX        (1ull << 18)
#define F_MQ             (1ull << 22)
#define F_CTRL_MAC       (1ull << 23)
#define FEATURES                                                                                                                           \
  (F_CSUM | F_GUEST_CSUM | F_GUEST_OFFLOADS | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF | F_CTRL_VQ | F_CTRL_RX | F_MQ |        \
   F_CTRL_MAC | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1)

/* 5.1.6 */
typedef struct {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} Header;
_Static_assert(sizeof(Header) == HEADER_SIZE, "as on the wire");

extern Virtio card;
extern uint64_t card_features; /* that were agreed on */
extern unsigned card_controlq;
extern uint8_t card_buffers[N_BUFFERS][BUFFER_SIZE];
/* What is sent next. */
extern struct CardFrame {
  Header header;
  uint8_t frame[BUFFER_SIZE];
} card_out;

/* card.c: as a driver should. */

/* Resets the card and starts it anew: what it was told before is forgotten. */
void card_start(bool with_buffers);
/* Makes buffer N the card's, to receive into. */
void card_give_buffer(uint16_t n);
/* A frame of SIZE bytes, with what CARD_OUT has as header. */
void card_send(uint32_t size);
/* Empty, from this card to all, of TYPE. */
void card_make_frame(unsigned type);
/* Who has 10.77.2.1? */
void card_make_request(void);
/* Whether some frame arrives within TICKS. */
bool card_hears(uint64_t ticks);
/* Checks it, with a new start. AFTER what, for people. */
void card_works(const char *after);

/* headers.c, chains.c, commands.c, registers.c: as none may. Each checks what the card does about it. */

/* Whatever a header says, its chain comes back. */
void lie_in_headers(void);
/* Of a queue, which people call NAME: chains that break virtio's rules, each with a new start. */
void break_chains(const char *name, unsigned queue);
/* N DESCRIPTORS, which people call WHAT, in QUEUE: a good chain for a bad purpose, which comes back. */
void offer_odd(const char *what, unsigned queue, const VirtioDescriptor *descriptors, unsigned n);
void odd_chains(void);
/* COUNT of them, in all queues. */
void throw_random(unsigned count);
/* In the control queue. */
void command(void);
void reset_amid_traffic(void);
/* Where a queue lies is settled once it is enabled. */
void move_queues(void);
/* Of queues that were never enabled, and of those that are not there. */
void ring_all(void);
/* Queues of impossible sizes and places. */
void misplace_queues(void);
