/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that goes on without its terminal (--detach). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/control/named-machine.h"

typedef struct {
  int ready_fd; /* to the parent: a byte when the machine runs; -1: it has been sent */
} Detached;

/*
 * Forks, before there is any thread. False in the parent, once the machine runs or has ended: *STATUS is then the
 * command's, and it has all been said. True in the child, which has no terminal any more: what it says goes to the log
 * of NAMED.
 */
bool detach(NamedMachine *named, Detached *detached, int *status, GError **error);
/* In the child: the machine runs. */
void detached_tell_started(Detached *detached);
