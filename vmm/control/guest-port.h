/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream to a port of a guest's vsock device, from another process than the machine's: by the local socket that the
 * machine listens at (devices/backend/vsock-hybrid.h has the protocol; this is its client), or by the kernel's AF_VSOCK
 * (vsock(7)). No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
  GUEST_PORT_ERROR_NOBODY, /* nobody listens, or the guest has not come so far */
  GUEST_PORT_ERROR_HOST,   /* the host refuses, or what answers is no machine's socket */
} GuestPortError;
#define GUEST_PORT_ERROR (guest_port_error_quark())
GQuark guest_port_error_quark(void);

/* Where a guest's sockets are. */
typedef struct {
  char *path;   /* of the local socket; NULL: they are the kernel's */
  uint32_t cid; /* 0: the guest has none */
} GuestSockets;

/* How long whoever connects will wait. */
typedef struct {
  int64_t until;                 /* monotonic time: g_get_monotonic_time() */
  void (*waiting)(void *opaque); /* called about every second; NULL: nobody looks */
  void *opaque;
} GuestPortPatience;

/*
 * Connects to PORT of the guest and waits until it has taken the connection: a descriptor, the caller's, on which
 * nothing but the stream is to be read. -1: the error says why not. A guest's driver that is not there yet takes it
 * later, so waiting is worth the while; the kernel's sockets wait for a second at most.
 */
int guest_port_connect(const GuestSockets *sockets, uint32_t port, const GuestPortPatience *patience, GError **error);

/* The part of it that talks: asks for PORT on FD, a stream socket that is connected to a machine's. */
bool guest_port_greet(int fd, uint32_t port, const GuestPortPatience *patience, GError **error);
