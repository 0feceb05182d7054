/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header before each frame: virtio 1.2, 5.1.6.2 (what a driver may write) and 5.1.6.4 (what a device may). What
 * a driver writes goes on to the host's network stack, so it is held against the frame first. No lock.
 */
#include "devices/virtio/net-header.h"

#define CHECKSUM_SIZE       2
#define TCP_CHECKSUM_OFFSET 16 /* RFC 9293, 3.1 */
#define UDP_CHECKSUM_OFFSET 6  /* RFC 768 */

static const struct {
  uint8_t type;
  unsigned offload;
  uint16_t checksum_offset;
  bool ecn; /* may be with NET_GSO_ECN */
} segments[] = {
    {NET_GSO_TCPV4, NET_OFFLOAD_TSO4, TCP_CHECKSUM_OFFSET, true},
    {NET_GSO_TCPV6, NET_OFFLOAD_TSO6, TCP_CHECKSUM_OFFSET, true},
    {NET_GSO_UDP, NET_OFFLOAD_UFO, UDP_CHECKSUM_OFFSET, false},
};

/* Whether a segment of TYPE may be left undone; of which row it is. */
static bool find_segment(uint8_t type, unsigned offloads, unsigned *row) {
  for (unsigned i = 0; i < G_N_ELEMENTS(segments); i++)
    if (segments[i].type == (type & ~NET_GSO_ECN)) {
      *row = i;
      return (offloads & segments[i].offload) && (!(type & NET_GSO_ECN) || (segments[i].ecn && (offloads & NET_OFFLOAD_ECN)));
    }
  return false;
}

const char *net_header_check(NetHeader *header, unsigned offloads, uint64_t size) {
  uint32_t start = GUINT16_FROM_LE(header->csum_start), offset = GUINT16_FROM_LE(header->csum_offset);
  uint32_t end = start + offset + CHECKSUM_SIZE;
  unsigned row;

  header->num_buffers = 0;
  header->flags &= NET_HEADER_F_NEEDS_CSUM; /* the others are a device's */
  if (size < NET_FRAME_MIN)
    return "frame is shorter than its addresses";
  if (size > NET_FRAME_MAX)
    return "frame is longer than any segment";
  if (!header->flags) {
    header->csum_start = header->csum_offset = 0;
  } else if (!(offloads & NET_OFFLOAD_CSUM)) {
    return "a checksum is left to do, which was not agreed on";
  } else if (start < NET_FRAME_MIN || end > size) {
    return "the place of the checksum lies outside the frame";
  }
  if (header->gso_type == NET_GSO_NONE) {
    header->gso_size = header->hdr_len = 0;
    return NULL;
  }
  if (!find_segment(header->gso_type, offloads, &row))
    return "a segmentation is left to do, which was not agreed on";
  if (!header->flags || offset != segments[row].checksum_offset)
    return "a segment's checksum is not left to do, or not where its kind has it";
  if (!header->gso_size)
    return "a segment is to be cut into frames of nothing";
  if (GUINT16_FROM_LE(header->hdr_len) > size)
    return "the headers of a segment are longer than the segment";
  /* 5.1.6.2.2: a hint, which may be too small. The checksum is within the headers at least. */
  header->hdr_len = GUINT16_TO_LE((uint16_t)MAX(GUINT16_FROM_LE(header->hdr_len), MIN(end, UINT16_MAX)));
  return NULL;
}

bool net_header_fit(NetHeader *header, unsigned offloads) {
  unsigned row;

  header->num_buffers = 0;
  if (!(offloads & NET_OFFLOAD_CSUM)) {
    if (header->flags & NET_HEADER_F_NEEDS_CSUM)
      return false;
    header->flags = 0;
  }
  return header->gso_type == NET_GSO_NONE || find_segment(header->gso_type, offloads, &row);
}
