/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a helper is connected to: stream sockets of unix(7) that nobody else can reach. What goes wrong is an error of
 * NAME's, the helper.
 *
 * No lock: pure but for the file system.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* *OURS and *ITS are the ends of a pair; the caller's. */
bool helper_socket_pair(const char *name, int *ours, int *its, GError **error);
/* *ITS is a socket that listens, and *OURS is connected to it already, as the only one that ever will be. */
bool helper_socket_listening(const char *name, int *ours, int *its, GError **error);
