/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a network card: Ethernet frames out and in, one a call, over one or several queue pairs. A tap, a
 * stream of frames, a test's own.
 *
 * Calls for a pair are on that pair's I/O thread, others on that of the device that has it, unless said otherwise;
 * pairs may have different ones. No call waits. A back end that is gone for good has no descriptor (fd is -1) and no
 * link, and has said so in the log.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "devices/device-watch.h"

#define NET_MAC_SIZE  6
#define NET_FRAME_MIN 14 /* two addresses and a type */
#define NET_FRAME_MAX                                                                                                                      \
  (65535 + 40 + 14 + 4)  /* the longest segment before segmentation: IPv6's header is not counted in it; with a VLAN tag */
#define NET_PAIRS_MAX 8  /* queue pairs */
#define NET_MTU_MIN   68 /* virtio 1.2, 5.1.4.1 */

/* Before each frame: virtio 1.2, 5.1.6, struct virtio_net_hdr, little-endian. */
#define NET_HEADER_SIZE 12
typedef struct {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} NetHeader;
G_STATIC_ASSERT(sizeof(NetHeader) == NET_HEADER_SIZE);

enum { NET_HEADER_F_NEEDS_CSUM = 1, NET_HEADER_F_DATA_VALID = 2 };
enum { NET_GSO_NONE = 0, NET_GSO_TCPV4 = 1, NET_GSO_UDP = 3, NET_GSO_TCPV6 = 4, NET_GSO_ECN = 0x80 };

/* Work on a frame that is left to who gets it. */
typedef enum {
  NET_OFFLOAD_CSUM = 1, /* a checksum that is not made yet */
  NET_OFFLOAD_TSO4 = 2, /* a TCP segment that is to be cut into frames */
  NET_OFFLOAD_TSO6 = 4,
  NET_OFFLOAD_ECN = 8, /* such a segment with ECN bits */
  NET_OFFLOAD_UFO = 16,
} NetOffload;

typedef enum {
  NET_SENT,
  NET_SENT_FULL, /* sent; no more until the descriptor is writable and ready_to_send says so */
  NET_FULL,      /* not taken, to be offered again as above */
  NET_REFUSED,   /* not taken, and never will be */
  NET_FORBIDDEN, /* the same: what the guest may not send */
} NetSent;

typedef struct NetBackend NetBackend;
typedef struct {
  /*
   * What to wait for, for frames (readable) and after a full one (writable); may be another after any call. -1: none.
   */
  int (*fd)(NetBackend *backend, unsigned pair);
  /*
   * The next frame's bytes into iov[1 .. n), where there is room for NET_FRAME_MAX, its header into HEADER; iov[0] is
   * the back end's to use. Returns the frame's size, 0 where there is none now.
   */
  ssize_t (*receive)(NetBackend *backend, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n);
  /* Sends the frame in iov[1 .. n), whose header is checked; iov[0] is the back end's to use. */
  NetSent (*send)(NetBackend *backend, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n);
  /*
   * After NET_SENT_FULL or NET_FULL, the descriptor being writable: whether it takes frames again. Optional: it does.
   */
  bool (*ready_to_send)(NetBackend *backend, unsigned pair);
  /* What may be left undone of frames that are received from now on: NetOffload bits, of those in receive_offloads. */
  bool (*set_offloads)(NetBackend *backend, unsigned offloads);
  /* Frames arrive at the first N pairs only; the others are not served meanwhile. Optional with one pair. */
  bool (*set_pairs)(NetBackend *backend, unsigned n);
  /*
   * The card is reset: who was lost may be called back. Any thread; the I/O thread is not at work. Optional.
   */
  void (*reset)(NetBackend *backend);
  /*
   * What has gone through it since whenever, as the host's kernel counts it: also what nobody here has seen. False: it
   * is not known. Any thread. Optional.
   */
  bool (*traffic)(const NetBackend *backend, DeviceTraffic *traffic);
  void (*free)(NetBackend *backend); /* any thread */
} NetBackendOps;

struct NetBackend {
  const NetBackendOps *ops;
  char *name;                               /* for people: "tap tap0" */
  unsigned receive_offloads, send_offloads; /* NetOffload bits: what it can leave undone; what may be left to it */
  unsigned n_pairs;                         /* at least 1 */
  unsigned mtu;                             /* bytes; 0: not known */
  bool kernels;                             /* its descriptors are the kernel's, with a NetHeader each frame: for vhost */
  bool link;                                /* there is somebody at the other end; atomic where there are several pairs */
};

static inline bool net_backend_has_link(const NetBackend *backend) {
  return __atomic_load_n(&backend->link, __ATOMIC_SEQ_CST);
}

static inline void net_backend_free(NetBackend *backend) { /* takes NULL */
  if (backend)
    backend->ops->free(backend);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetBackend, net_backend_free)
