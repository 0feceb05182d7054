/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process writes to one of its descriptors, kept in a file: as much of it as a limit allows. A pipe lies in
 * between and not the file itself, because the process is fed by a guest, and a limit on the size of its files
 * (RLIMIT_FSIZE) would be one on its disk images, too. Main thread; the default main context.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int pipe, file; /* -1: not open */
  guint source;   /* 0: nothing more is wanted */
  uint64_t size, limit;
  int error;     /* errno of a write to the file that failed; 0: none did */
  bool too_much; /* the process wrote more than the limit: what came before is in the file */
  void (*ended)(void *opaque);
  void *opaque;
} Capture;

/*
 * The file at PATH is made, or emptied. ENDED is called once, from the main context, when LIMIT or an error has been
 * met: nothing more is taken from the process then. The end to write to, for the process, which the caller closes; -1:
 * errno says why not, and nothing is open.
 */
int capture_open(Capture *capture, const char *path, uint64_t limit, void (*ended)(void *opaque), void *opaque);
/* The process has ended: takes what is left in the pipe, without waiting for more. ENDED is not called any more. */
void capture_finish(Capture *capture);
/* Closes what is open; for a capture that is all zeros, too. */
void capture_clear(Capture *capture);
