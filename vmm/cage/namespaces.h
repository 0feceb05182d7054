/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of this process's own. Linux: namespaces(7), unshare(2), user_namespaces(7). */
#pragma once

#include <stdbool.h>

/*
 * Mounts, System V's objects, the host's name, and with NETWORK its network are this process's own from here on; so is
 * a user namespace, in which there is nobody but its user, where it needs one for that. For a process of one thread.
 * False with errno: nothing has changed, or at most who it is.
 */
bool namespaces_enter(bool network);
/* Whether this host would; in a process of its own. False with errno. */
bool namespaces_are_to_be_had(void);
