/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments do not go out: what a later one belongs to cannot be told, and DHCP, NDP and the first bytes of a
 * connection have no need of them. Nor do ICMP's requests; its answers to pings do, and its errors, which are about
 * packets that came.
 */
#include "devices/backend/answer-filter.h"

#define ETHERNET_SIZE 14
#define IPV6_SIZE     40

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86dd };
enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 }; /* IANA, protocol numbers */
enum { TCP_FLAGS = 13, TCP_SYN = 0x02, TCP_ACK = 0x10, TCP_RST = 0x04 };
enum { DHCP_CLIENT = 68, DHCP_SERVER = 67, DHCPV6_CLIENT = 546, DHCPV6_SERVER = 547 };
/* RFC 792 and RFC 4443: echo requests, and in ICMPv6 the first type that is no error. */
enum { ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETER_PROBLEM = 12 };
enum { ICMPV6_INFORMATIONAL = 128, ICMPV6_ECHO_REPLY = 129 };
/* RFC 4861, RFC 2710, RFC 3810: neighbours, routers, and which groups are listened to. */
enum { MLD_FIRST = 130, MLD_LAST = 132, NDP_FIRST = 133, NDP_LAST = 137, MLD2_REPORT = 143 };

static unsigned read_16(const uint8_t *at) {
  return (unsigned)at[0] << 8 | at[1];
}

static bool is_forwarded(const AnswerFilter *filter, unsigned port) {
  for (unsigned i = 0; i < filter->n_udp_ports; i++)
    if (filter->udp_ports[i] == port)
      return true;
  return false;
}

static bool passes_tcp(const uint8_t *tcp, size_t size) {
  if (size <= TCP_FLAGS)
    return false;
  return (tcp[TCP_FLAGS] & (TCP_ACK | TCP_RST)) && (tcp[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) != TCP_SYN;
}

static bool passes_udp(const AnswerFilter *filter, const uint8_t *udp, size_t size, unsigned client, unsigned server) {
  if (size < 8)
    return false;
  return (read_16(udp) == client && read_16(udp + 2) == server) || is_forwarded(filter, read_16(udp));
}

static bool passes_icmp(const uint8_t *icmp, size_t size) {
  return size > 0 &&
         (icmp[0] == ICMP_ECHO_REPLY || icmp[0] == ICMP_UNREACHABLE || icmp[0] == ICMP_TIME_EXCEEDED || icmp[0] == ICMP_PARAMETER_PROBLEM);
}

static bool passes_icmpv6(const uint8_t *icmp, size_t size) {
  if (size == 0)
    return false;
  return icmp[0] < ICMPV6_INFORMATIONAL || icmp[0] == ICMPV6_ECHO_REPLY || (icmp[0] >= MLD_FIRST && icmp[0] <= MLD_LAST) ||
         (icmp[0] >= NDP_FIRST && icmp[0] <= NDP_LAST) || icmp[0] == MLD2_REPORT;
}

static bool passes_ipv4(const AnswerFilter *filter, const uint8_t *ip, size_t size) {
  size_t header = size >= 20 ? (size_t)(ip[0] & 0xf) * 4 : 0;

  if (header < 20 || header > size || ip[0] >> 4 != 4 || (read_16(ip + 6) & 0x3fff))
    return false;
  switch (ip[9]) {
  case PROTOCOL_TCP:
    return passes_tcp(ip + header, size - header);
  case PROTOCOL_UDP:
    return passes_udp(filter, ip + header, size - header, DHCP_CLIENT, DHCP_SERVER);
  case PROTOCOL_ICMP:
    return passes_icmp(ip + header, size - header);
  default:
    return false;
  }
}

/* Listener reports come behind a header of options for each hop, with a router alert in it: the one that is known. */
static bool passes_ipv6(const AnswerFilter *filter, const uint8_t *ip, size_t size) {
  size_t header = IPV6_SIZE;

  if (size < IPV6_SIZE || ip[0] >> 4 != 6)
    return false;
  unsigned protocol = ip[6];
  if (protocol == 0) {
    if (size < IPV6_SIZE + 8 || ip[IPV6_SIZE] != PROTOCOL_ICMPV6 || ip[IPV6_SIZE + 1] != 0)
      return false;
    protocol = PROTOCOL_ICMPV6;
    header += 8;
  }
  switch (protocol) {
  case PROTOCOL_TCP:
    return passes_tcp(ip + header, size - header);
  case PROTOCOL_UDP:
    return passes_udp(filter, ip + header, size - header, DHCPV6_CLIENT, DHCPV6_SERVER);
  case PROTOCOL_ICMPV6:
    return passes_icmpv6(ip + header, size - header);
  default:
    return false;
  }
}

bool answer_filter_passes(const AnswerFilter *filter, const uint8_t *frame, size_t size) {
  if (size < ETHERNET_SIZE)
    return false;
  switch (read_16(frame + 12)) {
  case ETHERTYPE_ARP:
    return true;
  case ETHERTYPE_IPV4:
    return passes_ipv4(filter, frame + ETHERNET_SIZE, size - ETHERNET_SIZE);
  case ETHERTYPE_IPV6:
    return passes_ipv6(filter, frame + ETHERNET_SIZE, size - ETHERNET_SIZE);
  default:
    return false;
  }
}
