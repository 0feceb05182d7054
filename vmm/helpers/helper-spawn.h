/* SPDX-License-Identifier: Apache-2.0 */
/* A helper's process is made, with what is between it and us: a socket, what it says, how it tells that it is ready. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/helpers/helper-config.h"

/* Our ends; -1: there is none. */
typedef struct {
  int fd;     /* the other end of its socket, as HelperConfig says */
  int output; /* what it says; does not block */
  int ready;  /* where it tells that it is ready */
  int pid_fd; /* pidfd_open(2): readable when it has ended */
  GPid pid;
} HelperEnds;

#define HELPER_NO_ENDS ((HelperEnds){-1, -1, -1, -1, 0})

/* Child of this process. False: the error, and there are no ends. */
bool helper_spawn(const HelperConfig *config, HelperEnds *ends, GError **error);
/* All that are there. */
void helper_ends_close(HelperEnds *ends);
