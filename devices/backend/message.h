/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on standard error, where a guest's output may be as well: on one terminal, in one pipe (2>&1) or file. No
 * message begins in the middle of a line of the guest's: it starts on a line of its own. Whatever else is written there
 * is told here, so that it is known how the last line ended. Where the two do not lead to the same place, nothing is
 * changed.
 *
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether what is written to FD arrives where messages do. */
bool message_shares(int fd);

/*
 * write(2) to FD, which shares, by WRITE; no message comes between it and the note of how it ended.
 */
ssize_t message_write_beside(int fd, const void *bytes, size_t size, ssize_t (*write_bytes)(int fd, const void *bytes, size_t size));

/*
 * TEXT, whole lines, on standard error; on a terminal each begins at the left edge, in raw mode too. Waits at most
 * TIMEOUT_MS for a reader that takes nothing (-1: as long as it takes); the rest is lost then, as there is nobody to
 * tell. Async-signal-unsafe.
 */
void message_say(const char *text, int timeout_ms);

/*
 * A line that is written over and over: what is on it now (NULL or empty: nothing). It makes way for a message, and is
 * gone then.
 */
void message_show_status(const char *text);
