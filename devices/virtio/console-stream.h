/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One port of a virtio console (virtio 1.2, 5.3): a queue that takes bytes to the guest and one that brings its bytes,
 * on a character back end. Part of a device type: console.c has one, console-ports.c one a port.
 *
 * Calls are on the device's I/O thread unless said otherwise.
 */
#pragma once

#include "devices/char-backend.h"
#include "devices/virtio/virtio.h"

typedef struct ConsoleStream ConsoleStream;

struct ConsoleStream {
  VirtioDevice *device;
  unsigned receiveq, transmitq;
  CharBackend *backend; /* or NULL */
  /*
   * Optional. After console_stream_end_input: the guest has all of the input. After console_stream_drain_output: the
   * back end has all of the output.
   */
  void (*input_ended)(ConsoleStream *stream);
  void (*output_drained)(ConsoleStream *stream);

  GMutex lock;
  uint8_t *stash; /* on its way to the guest */
  size_t stash_size, stash_max;
  bool buffers; /* the guest has given some, and wants input */
  bool starved; /* the back end was told that there is no room */
  bool ending;  /* no more input will come */

  /* The I/O thread's. */
  bool running, connected;
  bool blocked;      /* the chain at the front of the transmit queue waits for the back end */
  bool draining;     /* output_drained is owed */
  uint64_t progress; /* bytes of that chain which are out already; kept over a pause */
  VirtChain chain;
};

/* STASH_MAX: bytes between the back end and the guest. BACKEND may be NULL, and stays the caller's. Main thread. */
void console_stream_init(ConsoleStream *stream, VirtioDevice *device, unsigned receiveq, unsigned transmitq, CharBackend *backend,
                         size_t stash_max);
/*
 * First disconnect, while the device still has its thread; then clear, when it has none. Both take a zeroed stream.
 * Main thread.
 */
void console_stream_disconnect(ConsoleStream *stream);
void console_stream_clear(ConsoleStream *stream);

/* From the device type's operations of the same names. */
void console_stream_start(ConsoleStream *stream);
void console_stream_stop(ConsoleStream *stream);
void console_stream_reset(ConsoleStream *stream);
void console_stream_queue_reset(ConsoleStream *stream, unsigned queue); /* takes other streams' queues */
void console_stream_serve_input(ConsoleStream *stream);
void console_stream_serve_output(ConsoleStream *stream);

/* Whether the guest listens: until it does, input waits in the back end. */
void console_stream_set_connected(ConsoleStream *stream, bool connected);
/* Owes output_drained: called at once or as soon as the back end has taken everything. */
void console_stream_drain_output(ConsoleStream *stream);
/* The back end has delivered its last byte. Main thread. */
void console_stream_end_input(ConsoleStream *stream);
