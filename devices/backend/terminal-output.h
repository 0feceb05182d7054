/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output half of a terminal back end (terminal.c): bytes of any thread on their way to a descriptor that the main
 * loop writes to. How, see terminal-output.c.
 *
 * Locks: `lock` guards the ring's counters and what is said to be; it is never held in system calls. The rest is the
 * main thread's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TERMINAL_OUTPUT_SIZE (64 * 1024)

typedef struct {
  int fd;            /* the user's */
  int write_fd;      /* that, or a second description of the same file that does not block */
  size_t write_max;  /* bytes at once that cannot block after poll has said yes */
  bool shares;       /* messages arrive there as well */
  bool never_blocks; /* no write does, whether poll was asked or not */
  bool is_terminal;
  bool full; /* of what never blocks: the last write was short, so poll has to say when to go on */
  bool gone;
  int error; /* why it is gone */

  GMutex lock;
  uint8_t *ring; /* of TERMINAL_OUTPUT_SIZE bytes, made when first used */
  size_t start, size;
  uint64_t taken; /* in all */
  bool refused;   /* a put was short */
  bool vanish;    /* nobody reads: output is taken and forgotten */
} TerminalOutput;

void terminal_output_init(TerminalOutput *self, int fd); /* zeroed before; FD stays the caller's */
void terminal_output_clear(TerminalOutput *self);

/* Takes up to SIZE bytes, and says whether the main loop has to be woken: WAKE_WHEN_FULL, to hear of that too. */
size_t terminal_output_put(TerminalOutput *self, const uint8_t *bytes, size_t size, bool wake_when_full, bool *wake);
/* One write of what poll has announced: how many bytes left the ring. ROOM: those who were refused may come again. */
size_t terminal_output_drain(TerminalOutput *self, bool *room);
size_t terminal_output_waiting(TerminalOutput *self);
bool terminal_output_is_full(TerminalOutput *self); /* somebody was refused, and not told of room since */

/* write(2), to which a reader that has gone, or a file at the process's limit, is an error and no signal. */
ssize_t terminal_output_write(int fd, const void *bytes, size_t size);
