/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that somebody names, read whole. It may be of any kind, as a pipe is what shells make of <(command); so it has
 * no size that could be known before, and there is a bound: /dev/zero has no end. What nobody has written yet is waited
 * for; where that takes longer than a second, a message says so, if there is a terminal to read it at. A regular file
 * that would be waited for, as /proc/kmsg, is refused.
 */
#pragma once

#include <glib.h>

/*
 * What is in the file, ended by a NUL that *SIZE (where it is not NULL) does not count. Free with g_free. NULL: it
 * cannot be read, or has more than MAX bytes. Errors: G_FILE_ERROR; the reason without the path, such as "larger than
 * 16 MiB: this is no suite", where WHAT is "suite". MAX: whole MiB.
 */
char *whole_file_read(const char *path, gsize max, const char *what, gsize *size, GError **error);
/* The first half of it: a descriptor; -1: errno says why not. A FIFO's is there whether anybody writes it or not. */
int whole_file_open(const char *path);
/* The second half: of FD from where it stands, which stays the caller's. PATH is for messages. */
char *whole_file_read_fd(int fd, const char *path, gsize max, const char *what, gsize *size, GError **error);
