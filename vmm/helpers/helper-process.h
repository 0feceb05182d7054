/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of somebody else's that works for a machine (passt): started with a socket that leads here, ended with the
 * machine, and with eret however that ends. What it says goes to eret's log, a line each behind its name; it is not
 * believed in anything, and never waited for.
 *
 * No lock: main thread, default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/helpers/helper-config.h"

typedef struct HelperProcess HelperProcess;

/* *FD is the other end of its socket, a stream socket, and the caller's. CONFIG is only read. */
HelperProcess *helper_process_start(const HelperConfig *config, int *fd, GError **error);
/*
 * Waits, at most MS milliseconds, until one that tells is ready; or, of another, until it has said something at FD,
 * which is the caller's to read. False: it has ended, which is not told in another way then, or has not come so far; it
 * is to be freed.
 */
bool helper_process_wait(HelperProcess *process, int fd, unsigned ms, GError **error);
/* How long that may be, of the first one of a machine's: an emulated host is slow. */
#define HELPER_READY_MS 30000
int helper_process_pid(const HelperProcess *process);
/* Asks it to end, and ends it if it does not; waits for that. Takes NULL. `ended` is not called any more. */
void helper_process_free(HelperProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelperProcess, helper_process_free)
/* The same of one that is of no use, and of *FD, the other end of its socket. NULL. */
HelperProcess *helper_process_give_up(HelperProcess *process, const int *fd);
