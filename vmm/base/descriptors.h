/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many files this process may still open (RLIMIT_NOFILE). GLib ends the process where a main loop finds no
 * descriptor, and a guest that runs cannot be told; so whoever will need some asks first.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What a command needs beside a machine: main loops, the files that its options name. */
#define DESCRIPTORS_OF_A_COMMAND 32

/*
 * Whether WANTED more descriptors can be had. The soft limit is raised to the hard one first: it is low for the sake of
 * programs that use select(2). On failure the error (G_FILE_ERROR) names the limit that would do.
 */
bool descriptors_suffice(unsigned wanted, GError **error);
