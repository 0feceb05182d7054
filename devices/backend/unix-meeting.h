/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes that meet at the path of a Unix socket without agreeing who is there first: who comes first listens,
 * and the other connects.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A place to meet at; what was there last is not asked again by its path. */
typedef struct UnixMeeting UnixMeeting;

/* At PATH, where nothing is made yet. NULL: its directory is not there, or closed to us. */
UnixMeeting *unix_meeting_new(const char *path, GError **error);
void unix_meeting_free(UnixMeeting *meeting); /* takes NULL */

/*
 * True: *FD is a non-blocking stream socket, connected to who listens there, or, with *LISTENING, one that listens
 * there for the other. A socket that nobody listens at any more makes way.
 */
bool unix_meeting_join(const UnixMeeting *meeting, int *fd, bool *listening, GError **error);

/* One who listened: takes FD's next connection, -1 where there is none (errno). */
int unix_meeting_accept(int fd);

/* One who listens does so no more: closes FD, and the place is free for the next. */
void unix_meeting_leave(const UnixMeeting *meeting, int fd);
