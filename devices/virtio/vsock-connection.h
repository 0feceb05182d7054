/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream between a port of the guest and a socket of the host: its life, its credit in both directions (virtio 1.2,
 * 5.10.6.3), and half a close at a time (5.10.6.6). It neither knows the device's queues nor waits for anything: it is
 * handed packets and told what its socket is ready for, and asked what it has to say.
 *
 * No lock: all calls are on the device's I/O thread, or while that serves nothing.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/virtio/vsock-packet.h"

typedef enum {
  VSOCK_GREETING,    /* the host's end has not said yet which port it wants: the guest does not know of it */
  VSOCK_REQUESTED,   /* the guest is asked, and has not answered */
  VSOCK_ESTABLISHED, /* bytes flow */
  VSOCK_DRAINING,    /* the guest has forgotten it; what it sent last is on its way to the host */
} VsockState;

/* By these a connection is known. */
typedef struct {
  uint32_t host, guest;
} VsockPorts;

typedef struct {
  VsockState state;
  bool from_guest; /* who asked for it */
  VsockPorts ports;
  int fd;           /* does not wait; -1: the host's end is gone */
  bool readable;    /* the socket may have bytes, or their end */
  bool ending;      /* nothing will come behind what it has */
  bool gone;        /* nor does anybody read what is written to it */
  bool blocked;     /* the socket takes no more for now */
  bool end_passed;  /* the end of the guest's bytes is the socket's, too */
  int64_t deadline; /* when it has failed, by g_get_monotonic_time; 0: it may take its time */

  /* Guest to host. What the socket does not take at once waits here: a ring that is there while it is needed. */
  uint32_t window; /* bytes that the guest may have under way: the ring's size */
  uint8_t *ring;
  uint32_t ring_start, ring_size;
  uint32_t received, forwarded, told; /* bytes modulo 2^32: come, gone on, and gone on as far as the guest knows */

  /* Host to guest. */
  uint32_t sent, peer_window, peer_forwarded;
  bool credit_asked; /* since it ran out */

  /* What the guest is to be told: operations as bits, and who has shut what (VSOCK_SHUTDOWN_...). */
  unsigned say;
  unsigned guest_shut, host_shut, told_shut;

  GList all, ready; /* the device's: links in its lists, data points here */
  bool is_ready;
  bool output_watched;
} VsockConnection;

/* What becomes of a connection after a packet of its. */
typedef enum {
  VSOCK_GOES_ON,
  VSOCK_CLOSED, /* the guest is done with it, and wants a reset as the answer; what it sent is to be drained */
  VSOCK_GONE,   /* the guest has reset it: the same, without an answer */
  VSOCK_BROKEN, /* the guest broke a rule: reset, and nothing is left of it */
} VsockFate;

/* FD is the connection's from now on. WINDOW: bytes, not 0. It begins in VSOCK_GREETING. */
VsockConnection *vsock_connection_new(int fd, uint32_t window);
void vsock_connection_free(VsockConnection *connection); /* takes NULL */

/* The guest is to be asked for a connection; or has asked, by REQUEST, and is answered. */
void vsock_connection_request(VsockConnection *connection, VsockPorts ports);
void vsock_connection_accept(VsockConnection *connection, const VsockHeader *request);

/* A good packet of the guest's for this connection, but not the request that made it. */
VsockFate vsock_connection_take(VsockConnection *connection, const VsockHeader *header, const VirtChain *chain);
/* What the socket is ready for: epoll(7)'s bits. */
void vsock_connection_awake(VsockConnection *connection, uint32_t events);
/* The guest knows no more of it. False: nothing is left to drain either. */
bool vsock_connection_drain(VsockConnection *connection);

/* Whether it would say something, had it a buffer of the guest's. */
bool vsock_connection_has_news(const VsockConnection *connection);
/*
 * The next packet without bytes that it has to say, as HEADER but for the guest's context ID. False: none, perhaps
 * bytes.
 */
bool vsock_connection_say(VsockConnection *connection, VsockHeader *header);
/* The bytes that it may read for the guest now; 0: none. */
uint32_t vsock_connection_may_read(const VsockConnection *connection);
/*
 * Reads bytes for the guest to IOV, which is SIZE bytes, and returns how many came. 0: has_news has changed.
 */
uint32_t vsock_connection_read(VsockConnection *connection, const struct iovec *iov, unsigned n_iov, uint32_t size);
/* The header of the next LEN of these bytes. */
void vsock_connection_say_bytes(VsockConnection *connection, uint32_t len, VsockHeader *header);

/*
 * The part of IOV from byte OFFSET on, SIZE bytes at most, as TO, which has as many entries as IOV. Returns how many it
 * uses.
 */
unsigned vsock_slice(const struct iovec *iov, unsigned n_iov, uint64_t offset, uint64_t size, struct iovec *to);
