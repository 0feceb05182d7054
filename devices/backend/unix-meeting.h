/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes that meet at the path of a Unix socket without agreeing who is there first: who comes first listens,
 * and the other connects.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * At PATH. True: *FD is a non-blocking stream socket, connected to who listens there, or, with *LISTENING, one that
 * listens there for the other. A socket that nobody listens at any more makes way.
 */
bool unix_meeting_join(const char *path, int *fd, bool *listening, GError **error);

/* One who listened: takes FD's next connection, -1 where there is none (errno). */
int unix_meeting_accept(int fd);

/* One who listens does so no more: closes FD, and PATH is free for the next. */
void unix_meeting_leave(const char *path, int fd);
