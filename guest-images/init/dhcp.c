/* SPDX-License-Identifier: Apache-2.0 */
/* Discover, offer, request, acknowledgement (RFC 2131, 3.1); what is lost is sent again, at growing distances. */
#include "dhcp.h"

#include <string.h>

#define CLIENT_PORT 68
#define SERVER_PORT 67
#define BROADCAST   0xffffffff

#define FIRST_RETRY_MS  100 /* a server of the same computer answers at once, if it has come up */
#define LONGEST_RETRY   2000
#define REQUESTS_MAX    4 /* of one offer */
#define MTU_MIN         576
#define MAGIC           0x63825363 /* RFC 2131, 3: what options begin with */
#define PROTOCOL_UDP    17
#define HARDWARE_ETHER  1
#define BOOT_REQUEST    1
#define BOOT_REPLY      2
#define IP_MIN_SIZE     20
#define UDP_HEADER_SIZE 8

/* Offsets in a message (RFC 2131, 2). */
enum { AT_OP = 0, AT_HTYPE = 1, AT_HLEN = 2, AT_XID = 4, AT_YIADDR = 16, AT_CHADDR = 28, AT_MAGIC = 236, AT_OPTIONS = 240 };

/* RFC 2132; RFC 3442 for the last but one. */
enum {
  OPTION_PAD = 0,
  OPTION_MASK = 1,
  OPTION_ROUTER = 3,
  OPTION_NAME_SERVERS = 6,
  OPTION_DOMAIN = 15,
  OPTION_MTU = 26,
  OPTION_ADDRESS = 50,
  OPTION_TYPE = 53,
  OPTION_SERVER = 54,
  OPTION_WANTED = 55,
  OPTION_ROUTES = 121,
  OPTION_END = 255
};

enum { TYPE_DISCOVER = 1, TYPE_OFFER = 2, TYPE_REQUEST = 3, TYPE_ACK = 5, TYPE_NAK = 6 };

static void put16(uint8_t *bytes, uint16_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

static void put32(uint8_t *bytes, uint32_t value) {
  put16(bytes, (uint16_t)(value >> 16));
  put16(bytes + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *bytes) {
  return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes) {
  return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

void dhcp_start(DhcpClient *client, const uint8_t mac[DHCP_MAC_SIZE], uint32_t transaction) {
  memset(client, 0, sizeof *client);
  memcpy(client->mac, mac, DHCP_MAC_SIZE);
  client->transaction = transaction;
}

/* Sending. */

/* RFC 1071. */
static uint16_t checksum(const uint8_t *bytes, size_t size) {
  uint32_t sum = 0;

  for (size_t i = 0; i + 1 < size; i += 2)
    sum += get16(bytes + i);
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* UDP's checksum is left out, as IPv4 allows (RFC 768). */
static void put_headers(uint8_t packet[DHCP_PACKET_SIZE]) {
  uint8_t *udp = packet + IP_MIN_SIZE;

  packet[0] = 0x45; /* version 4, five words */
  put16(packet + 2, DHCP_PACKET_SIZE);
  put16(packet + 6, 0x4000); /* not to be fragmented */
  packet[8] = 64;            /* time to live */
  packet[9] = PROTOCOL_UDP;
  put32(packet + 16, BROADCAST);
  put16(packet + 10, checksum(packet, IP_MIN_SIZE));
  put16(udp, CLIENT_PORT);
  put16(udp + 2, SERVER_PORT);
  put16(udp + 4, DHCP_PACKET_SIZE - IP_MIN_SIZE);
}

static uint8_t *put_option32(uint8_t *next, uint8_t code, uint32_t value) {
  *next++ = code;
  *next++ = sizeof value;
  put32(next, value);
  return next + sizeof value;
}

static void put_message(const DhcpClient *client, uint8_t packet[DHCP_PACKET_SIZE]) {
  /* The routes before the router, which a server may leave out for them (RFC 3442). */
  static const uint8_t wanted[] = {OPTION_MASK, OPTION_ROUTES, OPTION_ROUTER, OPTION_NAME_SERVERS, OPTION_DOMAIN, OPTION_MTU};
  uint8_t *message = packet + IP_MIN_SIZE + UDP_HEADER_SIZE, *next = message + AT_OPTIONS;

  memset(packet, 0, DHCP_PACKET_SIZE);
  put_headers(packet);
  message[AT_OP] = BOOT_REQUEST;
  message[AT_HTYPE] = HARDWARE_ETHER;
  message[AT_HLEN] = DHCP_MAC_SIZE;
  put32(message + AT_XID, client->transaction);
  memcpy(message + AT_CHADDR, client->mac, DHCP_MAC_SIZE);
  put32(message + AT_MAGIC, MAGIC);
  *next++ = OPTION_TYPE;
  *next++ = 1;
  *next++ = client->offered ? TYPE_REQUEST : TYPE_DISCOVER;
  if (client->offered) {
    next = put_option32(next, OPTION_ADDRESS, client->offered);
    next = put_option32(next, OPTION_SERVER, client->server);
  }
  *next++ = OPTION_WANTED;
  *next++ = sizeof wanted;
  memcpy(next, wanted, sizeof wanted);
  next[sizeof wanted] = OPTION_END;
}

static void forget_offer(DhcpClient *client) {
  client->offered = client->server = 0;
  client->tries = 0;
}

bool dhcp_next(DhcpClient *client, uint64_t now_ms, uint8_t packet[DHCP_PACKET_SIZE]) {
  if (client->bound || now_ms < client->next_ms)
    return false;
  if (client->offered && client->tries == REQUESTS_MAX)
    forget_offer(client);
  put_message(client, packet);
  uint64_t distance = client->tries < 5 ? (uint64_t)FIRST_RETRY_MS << client->tries : LONGEST_RETRY;
  client->next_ms = now_ms + distance;
  client->tries += client->tries < 5;
  return true;
}

/* Receiving. */

/* The DHCP message in an IPv4 packet, if it is one for a client, whole; else NULL. */
static const uint8_t *message_of(const uint8_t *packet, size_t size, size_t *message_size) {
  size_t header = size >= IP_MIN_SIZE ? (packet[0] & 15u) * 4u : 0;

  if (header < IP_MIN_SIZE || packet[0] >> 4 != 4 || packet[9] != PROTOCOL_UDP || (get16(packet + 6) & 0x3fff))
    return NULL; /* the last: a fragment */
  size_t total = get16(packet + 2);
  if (total > size || total < header + UDP_HEADER_SIZE + AT_OPTIONS)
    return NULL;
  const uint8_t *udp = packet + header;
  size_t udp_size = get16(udp + 4);
  if (get16(udp) != SERVER_PORT || get16(udp + 2) != CLIENT_PORT || udp_size > total - header || udp_size < UDP_HEADER_SIZE + AT_OPTIONS)
    return NULL;
  *message_size = udp_size - UDP_HEADER_SIZE;
  return udp + UDP_HEADER_SIZE;
}

static bool is_for(const DhcpClient *client, const uint8_t *message) {
  return message[AT_OP] == BOOT_REPLY && message[AT_HTYPE] == HARDWARE_ETHER && message[AT_HLEN] == DHCP_MAC_SIZE &&
         get32(message + AT_XID) == client->transaction && memcmp(message + AT_CHADDR, client->mac, DHCP_MAC_SIZE) == 0 &&
         get32(message + AT_MAGIC) == MAGIC;
}

typedef struct {
  const uint8_t *bytes; /* NULL: there is no such option */
  size_t size;
} Value;

/* The first option of this number that lies within the message and has at least SIZE bytes. */
static Value find_option(const uint8_t *message, size_t message_size, uint8_t code, size_t size) {
  size_t at = AT_OPTIONS;

  while (at < message_size && message[at] != OPTION_END) {
    if (message[at] == OPTION_PAD) {
      at++;
      continue;
    }
    if (at + 2 > message_size || message[at + 1] > message_size - at - 2)
      break;
    if (message[at] == code && message[at + 1] >= size)
      return (Value){message + at + 2, message[at + 1]};
    at += 2u + message[at + 1];
  }
  return (Value){NULL, 0};
}

/* Whether a card or a router can have it: not of "this network", not the loopback's, no group's and none reserved. */
static bool is_of_a_host(uint32_t address) {
  unsigned first = address >> 24;
  return first != 0 && first != 127 && first < 224;
}

static uint32_t mask_of(unsigned bits) {
  return bits ? ~UINT32_C(0) << (32 - bits) : 0;
}

/* Without a netmask that is one: of the address's class. */
static unsigned netmask_bits(Value mask, uint32_t address) {
  uint32_t value = mask.bytes ? get32(mask.bytes) : 0;

  for (unsigned bits = 1; bits <= 32; bits++)
    if (value == mask_of(bits))
      return bits;
  return address >> 31 == 0 ? 8 : address >> 30 == 2 ? 16 : 24;
}

static void add_route(DhcpLease *lease, uint32_t destination, unsigned bits, uint32_t gateway) {
  if (lease->n_routes < DHCP_ROUTES_MAX)
    lease->routes[lease->n_routes++] = (DhcpRoute){destination & mask_of(bits), bits, gateway};
}

/* RFC 3442: a netmask's bits, as many bytes of the destination as these need, and the router, which may be 0. */
static void take_routes(DhcpLease *lease, Value value) {
  size_t at = 0;

  while (at < value.size) {
    unsigned bits = value.bytes[at++], bytes = (bits + 7) / 8;
    uint8_t destination[4] = {0};
    if (bits > 32 || value.size - at < bytes + 4u)
      return;
    memcpy(destination, value.bytes + at, bytes);
    uint32_t gateway = get32(value.bytes + at + bytes);
    at += bytes + 4u;
    if (!gateway || is_of_a_host(gateway))
      add_route(lease, get32(destination), bits, gateway);
  }
}

/* The way to a router of another network than the card's is the link, too: some clouds do so. */
static void take_router(DhcpLease *lease, Value value) {
  uint32_t router = value.bytes ? get32(value.bytes) : 0;

  if (!is_of_a_host(router))
    return;
  if ((router ^ lease->address) & mask_of(lease->bits))
    add_route(lease, router, 32, 0);
  add_route(lease, 0, 0, router);
}

static void take_name_servers(DhcpLease *lease, Value value) {
  for (size_t at = 0; at + 4 <= value.size && lease->n_servers < DHCP_SERVERS_MAX; at += 4) {
    uint32_t address = get32(value.bytes + at);
    if (is_of_a_host(address))
      lease->servers[lease->n_servers++] = address;
  }
}

/* It is to stand in a line of a file: one name, or none. */
static void take_domain(DhcpLease *lease, Value value) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  size_t size = value.size;

  while (size && value.bytes[size - 1] == 0)
    size--;
  if (size > DHCP_DOMAIN_MAX)
    return;
  for (size_t i = 0; i < size; i++)
    if (!value.bytes[i] || !strchr(letters, value.bytes[i]))
      return;
  if (size)
    memcpy(lease->domain, value.bytes, size);
}

static void take_lease(DhcpClient *client, const uint8_t *message, size_t size) {
  DhcpLease *lease = &client->lease;
  Value routes = find_option(message, size, OPTION_ROUTES, 5), mtu = find_option(message, size, OPTION_MTU, 2);

  memset(lease, 0, sizeof *lease);
  lease->address = get32(message + AT_YIADDR);
  lease->bits = netmask_bits(find_option(message, size, OPTION_MASK, 4), lease->address);
  take_routes(lease, routes);
  if (!routes.bytes)
    take_router(lease, find_option(message, size, OPTION_ROUTER, 4));
  take_name_servers(lease, find_option(message, size, OPTION_NAME_SERVERS, 4));
  take_domain(lease, find_option(message, size, OPTION_DOMAIN, 1));
  if (mtu.bytes && get16(mtu.bytes) >= MTU_MIN)
    lease->mtu = get16(mtu.bytes);
  client->bound = true;
}

void dhcp_received(DhcpClient *client, const uint8_t *packet, size_t size) {
  size_t message_size;
  const uint8_t *message = message_of(packet, size, &message_size);

  if (!message || client->bound || !is_for(client, message))
    return;
  Value type = find_option(message, message_size, OPTION_TYPE, 1), server = find_option(message, message_size, OPTION_SERVER, 4);
  if (!type.bytes || !server.bytes)
    return;
  bool usable = is_of_a_host(get32(message + AT_YIADDR)), of_ours = get32(server.bytes) == client->server;
  if (type.bytes[0] == TYPE_OFFER && !client->offered && usable) {
    client->offered = get32(message + AT_YIADDR);
    client->server = get32(server.bytes);
    client->tries = 0;
    client->next_ms = 0;
  } else if (type.bytes[0] == TYPE_ACK && client->offered && of_ours && usable) {
    take_lease(client, message, message_size);
  } else if (type.bytes[0] == TYPE_NAK && client->offered && of_ours) {
    forget_offer(client); /* the next try is when the request's would have been */
  }
}
