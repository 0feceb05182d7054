/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of this process: the first three, and how many more it may open (RLIMIT_NOFILE). GLib ends the
 * process where a main loop finds no descriptor, and a guest that runs cannot be told; so whoever will need some asks
 * first.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What a command needs beside a machine: main loops, the files that its options name. */
#define DESCRIPTORS_OF_A_COMMAND 32

/*
 * Descriptors 0, 1 and 2 belong to the standard streams, also where whoever started the process has closed them: a file
 * that is opened next would take the place of a closed one, and what was meant for the terminal would be written into
 * it. So this is called before anything is opened. A closed descriptor becomes /dev/null, opened for reading: a
 * standard input reads as empty, and writing to a standard output is the error (EBADF) that it was before. False: it
 * could not be done, and nothing may be opened.
 */
bool descriptors_keep_standard(void);

/*
 * LOOK is given one open descriptor after the other, which it may close, until it returns false. False: it did, or they
 * cannot be listed (errno). Linux: proc(5), "/proc/PID/fd".
 */
bool descriptors_look_at(bool (*look)(int fd, void *opaque), void *opaque);

/*
 * Whether WANTED more descriptors can be had. The soft limit is raised to the hard one first: it is low for the sake of
 * programs that use select(2). On failure the error (G_FILE_ERROR) names the limit that would do.
 */
bool descriptors_suffice(unsigned wanted, GError **error);
