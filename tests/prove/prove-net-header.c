/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver may write before a frame: of what is let through, each place that the header names lies in the frame,
 * and nothing is left undone that was not agreed on. What a back end writes is no more than the driver asked for.
 *
 * bounds: none: any header, offloads and size
 * cbmc: --unwind 4 --unsigned-overflow-check
 * fault: devices/virtio/net-header.c s# || end > size# || start > size#
 * fault: devices/virtio/net-header.c s#uint32_t end = start#uint16_t end = start#
 * fault: devices/virtio/net-header.c s#hdr_len) > size#hdr_len) > size + 1#
 * fault: devices/virtio/net-header.c s#(offloads \& segments\[i\].offload) \&\& ##
 * fault: devices/virtio/net-header.c s#if (!header->gso_size)#if (false)#
 * fault: devices/virtio/net-header.c s#MIN(end, UINT16_MAX)#end#
 */
#include "devices/virtio/net-header.c"
#include "tests/prove/prove.h"

/* Whether a segmentation of this kind was agreed on. */
static bool agreed(uint8_t type, unsigned offloads) {
  unsigned plain = type & ~NET_GSO_ECN;

  if ((type & NET_GSO_ECN) && (plain == NET_GSO_UDP || !(offloads & NET_OFFLOAD_ECN)))
    return false;
  return (plain == NET_GSO_TCPV4 && (offloads & NET_OFFLOAD_TSO4)) || (plain == NET_GSO_TCPV6 && (offloads & NET_OFFLOAD_TSO6)) ||
         (plain == NET_GSO_UDP && (offloads & NET_OFFLOAD_UFO));
}

static void prove_driver(void) {
  NetHeader header, before;
  unsigned offloads = any_unsigned();
  uint64_t size = any_u64();

  before = header;
  if (net_header_check(&header, offloads, size))
    return;
  prove(size >= NET_FRAME_MIN && size <= NET_FRAME_MAX);
  prove(header.num_buffers == 0 && (header.flags & ~NET_HEADER_F_NEEDS_CSUM) == 0);
  if (header.flags) {
    prove(offloads & NET_OFFLOAD_CSUM);
    prove(header.csum_start >= NET_FRAME_MIN && (uint64_t)header.csum_start + header.csum_offset + CHECKSUM_SIZE <= size);
  } else {
    prove(header.csum_start == 0 && header.csum_offset == 0 && header.gso_type == NET_GSO_NONE);
  }
  prove(header.gso_type == before.gso_type);
  if (header.gso_type == NET_GSO_NONE) {
    prove(header.gso_size == 0 && header.hdr_len == 0);
  } else {
    prove(agreed(header.gso_type, offloads) && header.gso_size > 0);
    /* The headers that are copied to each frame hold the checksum at least. */
    prove(header.hdr_len <= size && header.hdr_len >= MIN(header.csum_start + header.csum_offset + CHECKSUM_SIZE, UINT16_MAX));
  }
}

static void prove_back_end(void) {
  NetHeader header;
  unsigned offloads = any_unsigned();

  if (!net_header_fit(&header, offloads))
    return;
  prove(header.num_buffers == 0);
  prove(header.gso_type == NET_GSO_NONE || agreed(header.gso_type, offloads));
  prove(!(header.flags & NET_HEADER_F_NEEDS_CSUM) || (offloads & NET_OFFLOAD_CSUM));
}

int main(void) {
  prove_driver();
  prove_back_end();
}
