/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal, or a pipe or file in its place, as a character backend on two descriptors (normally 0 and 1).
 * On a terminal: raw mode, restored on every way out (free, exit, fatal signals), and Ctrl-A as the escape key:
 * x ends the machine, h helps, Ctrl-A or a sends a Ctrl-A, anything else is passed on with it.
 * Output is buffered (bounded) and written by the main loop, so that no vCPU thread waits for a slow reader.
 */
#pragma once

#include "devices/char-backend.h"

typedef enum {
  TERMINAL_QUIT,    /* Ctrl-A x */
  TERMINAL_GONE,    /* the output cannot be written any more (EPIPE, EIO ...) and vanishes from now on: reported once */
  TERMINAL_ENDED,   /* a stream's input has ended, and the front end has taken all of it */
  TERMINAL_STALLED, /* a stream's output is full, and its reader has taken nothing for TERMINAL_STALL_MS */
  TERMINAL_FLOWS,   /* after that: the reader takes again, or is gone */
} TerminalEvent;

#define TERMINAL_STALL_MS 1000

/*
 * The descriptors stay the caller's. EVENT is called on the main thread. Uses the default GMainContext: create and free
 * it on the main thread. End of input is no event: a guest goes on without a reader.
 */
CharBackend *terminal_new(int in_fd, int out_fd, void (*event)(TerminalEvent event, void *opaque), void *opaque, GError **error);
/*
 * A stream of bytes on two descriptors, of which one may be -1: no raw mode and no escape key, whatever is behind them,
 * and the end of the input is told.
 */
CharBackend *terminal_new_stream(int in_fd, int out_fd, void (*event)(TerminalEvent event, void *opaque), void *opaque);
/* Gives a terminal its own ways back while the process is stopped, and takes them again. Main thread. */
void terminal_leave(CharBackend *backend);
void terminal_return(CharBackend *backend);
/*
 * Why output was lost: the errno of the write that failed (EPIPE: nobody reads; ENOSPC: the disk is full ...); 0: none
 * was lost. Main thread.
 */
int terminal_lost(CharBackend *backend);
/* How many bytes the front end has written so far. Any thread. */
uint64_t terminal_taken(CharBackend *backend);
/*
 * Writes out all that is buffered; waits at most TIMEOUT_MS for a reader that takes nothing. False: it took nothing,
 * and there is more. Main thread.
 */
bool terminal_flush(CharBackend *backend, unsigned timeout_ms);
