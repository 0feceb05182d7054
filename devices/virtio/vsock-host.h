/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All streams of one guest, and the sockets of the host behind them: a table of connections, the list of those that
 * have something to say, and resets that are owed. It knows packets, but neither queues nor buffers.
 *
 * No lock: all calls are on the device's I/O thread, or while that serves nothing.
 */
#pragma once

#include "devices/backend/vsock-hybrid.h"
#include "devices/virtio/vsock-connection.h"

typedef struct VsockHost VsockHost;

/* Connections of each side's asking, and resets that are remembered, at most. */
#define VSOCK_CONNECTIONS_MAX 1024
#define VSOCK_RESETS_MAX      4096

/* HYBRID is the host's from now on, whatever happens; NULL: nobody comes, and nobody is there. */
VsockHost *vsock_host_new(VsockHybrid *hybrid, uint64_t guest_cid, GError **error);
/* Takes NULL. Waits up to a second for the host to read what the guest sent it. */
void vsock_host_free(VsockHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsockHost, vsock_host_free)
/* The guest has no connection any more, and is owed nothing. */
void vsock_host_reset(VsockHost *host);

/* Readable when there is something to do; then serve. */
int vsock_host_fd(const VsockHost *host);
void vsock_host_serve(VsockHost *host);

/* A packet of the guest's. False: it was dropped or refused. */
bool vsock_host_take(VsockHost *host, const VirtChain *chain, VsockHeader *header);

/* Whether the guest is to be told something. */
bool vsock_host_has_news(const VsockHost *host);
/*
 * The next thing to tell: a packet without bytes (true); or the connection whose turn it is to bring bytes; or NULL,
 * where it turns out that there is nothing after all.
 */
bool vsock_host_next(VsockHost *host, VsockHeader *header, VsockConnection **connection);
/* After bytes of CONNECTION, or none: it lines up again if it has more. */
void vsock_host_done(VsockHost *host, VsockConnection *connection);
