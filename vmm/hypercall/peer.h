/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service outside the process: calls in a range go to a local stream socket in messages of fixed size, and the
 * answers come back the same way. docs/hypercalls.md, "Services outside the process", specifies the messages.
 */
#pragma once

#include "vmm/hypercall/hypercall.h"

typedef struct HypercallPeer HypercallPeer;

/*
 * How long a call may take, its turn behind other vCPUs' included, in milliseconds: a vCPU stands still meanwhile, and
 * so does whoever wants to pause it.
 */
#define HYPERCALL_PEER_TIMEOUT_DEFAULT 1000
#define HYPERCALL_PEER_TIMEOUT_MAX     10000

#define HYPERCALL_PEER_MAGIC   0x74657265u /* "eret", little-endian */
#define HYPERCALL_PEER_VERSION 1u

/* All fields little-endian. Request and answer have the same layout; the answer repeats sequence. */
typedef struct {
  uint32_t magic, version;
  uint64_t sequence;
  uint32_t function, vcpu;
  uint64_t x[HYPERCALL_N_REGISTERS]; /* request: x[0] is the function, x[1..17] the arguments; answer: the results */
} HypercallMessage;
G_STATIC_ASSERT(sizeof(HypercallMessage) == 24 + 8 * HYPERCALL_N_REGISTERS);

typedef enum { HYPERCALL_PEER_ERROR_PATH, HYPERCALL_PEER_ERROR_TIMEOUT, HYPERCALL_PEER_ERROR_CONNECT } HypercallPeerError;
#define HYPERCALL_PEER_ERROR (hypercall_peer_error_quark())
GQuark hypercall_peer_error_quark(void);

/*
 * Connects at once, so that a wrong path is an error before the guest runs; later it reconnects when the peer comes
 * back. TIMEOUT_MS a call: 1 .. HYPERCALL_PEER_TIMEOUT_MAX.
 */
HypercallPeer *hypercall_peer_new(uint32_t first, uint32_t last, const char *path, unsigned timeout_ms, GError **error);
void hypercall_peer_free(HypercallPeer *peer); /* takes NULL */
/*
 * The vCPUs are to stop: calls that wait for an answer or for their turn end at once, with an error, and so does every
 * further one. Any thread.
 */
void hypercall_peer_stop(HypercallPeer *peer);
/* No vCPU runs: from now on there are calls again. */
void hypercall_peer_go_on(HypercallPeer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HypercallPeer, hypercall_peer_free)
/* False when its range overlaps another service's. All doors; HYPERCALLS must not be called after PEER is freed. */
bool hypercall_peer_add(HypercallPeer *peer, Hypercalls *hypercalls);
