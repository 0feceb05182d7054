/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that may answer and not begin: which of the frames that it sends go out. It gets its address (DHCP, DHCPv6,
 * NDP), resolves its neighbours (ARP, NDP), and answers what came to it; connections of its own it has none. No state
 * is kept: a TCP segment that begins a connection is known by its flags, and an answer by UDP comes from a port that
 * somebody forwards.
 *
 * Ethernet II; IPv4 (RFC 791), IPv6 (RFC 8200) without extension headers, TCP (RFC 9293), UDP (RFC 768), ICMPv6
 * (RFC 4443). What is anything else, or not whole, does not go out. No lock: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const uint16_t *udp_ports; /* of the guest, that are forwarded to it */
  unsigned n_udp_ports;
} AnswerFilter;

/* The first bytes of a frame that are looked at: Ethernet, the longest IPv4 header or IPv6's, and TCP's flags. */
#define ANSWER_FILTER_BYTES (14 + 60 + 20)

/* FRAME: its first SIZE bytes, all of it or at least ANSWER_FILTER_BYTES. */
bool answer_filter_passes(const AnswerFilter *filter, const uint8_t *frame, size_t size);
