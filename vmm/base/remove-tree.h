/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a directory that somebody else has filled. No lock; while it works, the process has another directory. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * PATH with all that is below: no link is followed, and a directory that its owner may not enter is opened for him.
 * True where there is nothing.
 */
bool remove_tree(const char *path, GError **error);
