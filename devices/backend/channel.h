/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A character back end whose other end is code of this process: what the guest writes arrives on the main thread, and
 * what is to be sent waits until the front end takes it. For consoles that are watched, and for control channels.
 */
#pragma once

#include "devices/char-backend.h"

typedef struct {
  /* Bytes from the guest, in order, on the main thread. */
  void (*received)(void *opaque, const uint8_t *bytes, size_t size);
} ChannelOps;

/*
 * Uses the default GMainContext: create and free it on the main thread. What is not received in time is refused, not
 * lost: a guest that floods waits.
 */
CharBackend *channel_new(const ChannelOps *ops, void *opaque);
/* Queues BYTES for the guest; a guest that has not taken 256 KiB yet gets none of them. Main thread. */
void channel_send(CharBackend *channel, const void *bytes, size_t size);
/* Hands over now what has been written so far. Main thread. */
void channel_flush(CharBackend *channel);
