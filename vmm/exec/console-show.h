/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's console on standard error (--verbose). Whoever reads that may be slow or stand still: nothing here waits
 * for it while the machine runs, as the clocks of the run and the search for a panic are on the same thread. Main
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ConsoleShow ConsoleShow;

/*
 * FD stays the caller's. At most LIMIT bytes wait for the reader; what comes beyond them is left out, and how much that
 * was is said in its place.
 */
ConsoleShow *console_show_new(int fd, size_t limit);
void console_show_free(ConsoleShow *show); /* takes NULL */

void console_show_write(ConsoleShow *show, const void *bytes, size_t size);
/*
 * Writes out what waits; waits at most TIMEOUT_MS for a reader that takes nothing. False: it took nothing, and there is
 * more.
 */
bool console_show_flush(ConsoleShow *show, unsigned timeout_ms);
