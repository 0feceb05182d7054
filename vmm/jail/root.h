/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root of a jail, in a mount namespace of its own. It is pivoted to, and not a chroot(2): from that no process
 * could make a user namespace, and eret's sandbox and passt do. Linux: mount_namespaces(7), pivot_root(2),
 * open_tree(2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/jail/place.h"

/* Directories and files to mount MOUNTS (vmm/jail/mounts.h) upon, and what is the user's: /tmp and /run. */
bool jail_root_prepare(JailPlace *place, const GPtrArray *mounts, unsigned uid, unsigned gid, GError **error);
/*
 * The calling process, of one thread, has a mount namespace of its own, and PATH, which jail_root_prepare() has
 * filled, becomes its root and directory. After an error it is not to go on.
 */
bool jail_root_enter(const char *path, const GPtrArray *mounts, GError **error);
