/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root directory with nothing in it but the places that a machine still reaches: each at its path, or where its
 * descriptor says that it is (/proc/self/fd/N), which is no file of proc any more. Linux: open_tree(2), move_mount(2),
 * pivot_root(2), mount_namespaces(7).
 */
#pragma once

#include <stdbool.h>

#include "vmm/cage/places.h"

/*
 * The current directory, where something is mounted, becomes the root, and the old one is gone. In namespaces of this
 * process's own, while it may mount. False with errno.
 */
bool root_become_current(void);

/*
 * In namespaces of this process's own (namespaces_enter), while it may mount. Descriptors of PLACES lead to the same
 * directories afterwards, but not out of them. False with errno: the root is the one that it was.
 */
bool root_give_away(Places *places);
