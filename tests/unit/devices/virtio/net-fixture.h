/* SPDX-License-Identifier: Apache-2.0 */
/* A network card with a fake tap and a fake driver, for tests. */
#pragma once

#include <poll.h>

#include "devices/virtio/net-internal.h"
#include "tests/unit/devices/virtio/fake-guest.h"
#include "tests/unit/devices/virtio/fake-net.h"

#define RX 0
#define TX 1

#define OFFLOAD_FEATURES                                                                                                                   \
  (NET_RECEIVE_FEATURES | NET_FEATURE(NET_F_CSUM) | NET_FEATURE(NET_F_HOST_TSO4) | NET_FEATURE(NET_F_HOST_TSO6) |                          \
   NET_FEATURE(NET_F_HOST_ECN) | NET_FEATURE(NET_F_HOST_UFO))
#define CTRL_FEATURES                                                                                                                      \
  (NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_CTRL_RX) | NET_FEATURE(NET_F_CTRL_RX_EXTRA) | NET_FEATURE(NET_F_CTRL_MAC_ADDR) |         \
   NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS) | NET_FEATURE(NET_F_GUEST_ANNOUNCE) | NET_FEATURE(NET_F_STATUS))

static const uint8_t card_mac[NET_MAC_SIZE] = {2, 0x11, 0x22, 0x33, 0x44, 0x55};

typedef struct {
  FakeGuest *guest;
  FakeNet *net;
} Card;

static inline Card card_new(unsigned n_pairs, unsigned offloads, unsigned mtu, uint64_t features) {
  Card card = {fake_guest_new(), fake_net_new(n_pairs, offloads)};
  g_autoptr(GError) error = NULL;

  fake_guest_plug(card.guest, virtio_net_new("net", &card.guest->memory, &card.net->base, card_mac, mtu, &error));
  g_assert_no_error(error);
  fake_guest_start(card.guest, features);
  fake_settle(card.guest);
  return card;
}

static inline void card_free(Card *card) {
  fake_guest_free(card->guest);
}

static inline uint64_t count_of(const Card *card, NetCount what) {
  return virtio_net_count(card->guest->device, what);
}

/* A frame for TO, of SIZE bytes, that is like no other: FIRST says which. */
static inline void make_frame(uint8_t *frame, size_t size, const uint8_t *to, uint8_t first) {
  for (size_t i = 0; i < size; i++)
    frame[i] = (uint8_t)(first + i * 7 + (i >> 8));
  if (size >= NET_MAC_SIZE)
    memcpy(frame, to, NET_MAC_SIZE);
}

/* From the network to the card, with HEADER. */
static inline void net_say(const Card *card, unsigned pair, const NetHeader *header, const uint8_t *frame, size_t size) {
  struct iovec iov[] = {{(void *)header, NET_HEADER_SIZE}, {(void *)frame, size}};

  g_assert_cmpint(writev(card->net->theirs[pair], iov, 2), ==, (ssize_t)(NET_HEADER_SIZE + size));
}

/* What the card has sent, within WAIT_MS; 0: nothing. */
static inline size_t net_hear(const Card *card, unsigned pair, NetHeader *header, uint8_t *frame, size_t max, int wait_ms) {
  struct pollfd ready = {.fd = card->net->theirs[pair], .events = POLLIN};
  struct iovec iov[] = {{header, NET_HEADER_SIZE}, {frame, max}};

  if (poll(&ready, 1, wait_ms) <= 0)
    return 0;
  ssize_t got = readv(card->net->theirs[pair], iov, 2);
  g_assert_cmpint(got, >, NET_HEADER_SIZE);
  return (size_t)got - NET_HEADER_SIZE;
}

#define HEAR_MS 20000 /* a hang, not a slow machine */

/* Gives the card a buffer of SIZE bytes in one piece; its address. */
static inline uint64_t give_buffer(const Card *card, unsigned queue, uint32_t size) {
  FakeBuffer buffer = {fake_alloc(card->guest, size), size, true};

  fake_add(card->guest, queue, &buffer, 1);
  return buffer.address;
}

/* The guest sends HEADER and FRAME in one buffer each, and takes the chain back. */
static inline void guest_send(const Card *card, unsigned queue, const NetHeader *header, const uint8_t *frame, uint32_t size) {
  uint64_t at = fake_alloc(card->guest, NET_HEADER_SIZE + size);
  FakeBuffer buffers[] = {{at, NET_HEADER_SIZE, false}, {at + NET_HEADER_SIZE, size, false}};
  uint32_t written;

  memcpy(fake_at(card->guest, at), header, NET_HEADER_SIZE);
  memcpy((uint8_t *)fake_at(card->guest, at) + NET_HEADER_SIZE, frame, size);
  uint16_t head = fake_add(card->guest, queue, buffers, 2);
  fake_kick(card->guest, queue);
  g_assert_cmpuint(fake_take(card->guest, queue, &written), ==, head);
  g_assert_cmpuint(written, ==, 0);
}

/* A command; the answer, or -1 where there was none. */
static inline int command(const Card *card, unsigned queue, uint8_t class, uint8_t number, const void *data, uint32_t size) {
  uint64_t at = fake_alloc(card->guest, size + 3);
  uint8_t *bytes = fake_at(card->guest, at);
  FakeBuffer buffers[] = {{at, 2, false}, {at + 2, size, false}, {at + 2 + size, 1, true}};
  uint32_t written;

  bytes[0] = class;
  bytes[1] = number;
  if (size)
    memcpy(bytes + 2, data, size);
  else
    buffers[1] = buffers[2];
  bytes[2 + size] = 0xee;
  fake_add(card->guest, queue, buffers, size ? 3 : 2);
  fake_kick(card->guest, queue);
  fake_take(card->guest, queue, &written);
  g_assert_cmpuint(written, ==, 1);
  return bytes[2 + size];
}
