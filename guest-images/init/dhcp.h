/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the Dynamic Host Configuration Protocol (RFC 2131; options: RFC 2132 and RFC 3442): what it sends, when,
 * and what it makes of the answers. Pure: no socket, no clock of its own. The network is not believed: every length is
 * checked, every list bounded, and an address that no card can have is none.
 *
 * A lease is not renewed: the guest of a command does not live for long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_PACKET_SIZE 328 /* of what is sent: IPv4 and UDP headers, and BOOTP's least (RFC 1542, 2.1) */
#define DHCP_MAC_SIZE    6
#define DHCP_ROUTES_MAX  16
#define DHCP_SERVERS_MAX 3 /* resolv.conf(5): MAXNS */
#define DHCP_DOMAIN_MAX  253

/* Addresses are in the host's byte order. */
typedef struct {
  uint32_t destination;
  unsigned bits;    /* of its netmask */
  uint32_t gateway; /* 0: on the link */
} DhcpRoute;

typedef struct {
  uint32_t address;
  unsigned bits; /* of its netmask */
  DhcpRoute routes[DHCP_ROUTES_MAX];
  unsigned n_routes;
  uint32_t servers[DHCP_SERVERS_MAX]; /* of names */
  unsigned n_servers;
  unsigned mtu;                     /* 0: not said */
  char domain[DHCP_DOMAIN_MAX + 1]; /* "": not said */
} DhcpLease;

typedef struct {
  uint8_t mac[DHCP_MAC_SIZE];
  uint32_t transaction;
  uint32_t offered, server; /* what is requested, and of whom; 0: nothing was offered yet */
  unsigned tries;           /* of this message */
  uint64_t next_ms;         /* when there is something to send again */
  bool bound;               /* LEASE is there, and nothing more will be sent */
  DhcpLease lease;
} DhcpClient;

/* TRANSACTION: a number that others on the network do not use. */
void dhcp_start(DhcpClient *client, const uint8_t mac[DHCP_MAC_SIZE], uint32_t transaction);
/* The IPv4 packet to be broadcast now, of DHCP_PACKET_SIZE bytes; false: there is none before client->next_ms. */
bool dhcp_next(DhcpClient *client, uint64_t now_ms, uint8_t packet[DHCP_PACKET_SIZE]);
/* Any IPv4 packet that came to the card; its UDP checksum may not be there yet, and is not looked at. */
void dhcp_received(DhcpClient *client, const uint8_t *packet, size_t size);
