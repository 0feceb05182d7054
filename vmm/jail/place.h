/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of a jail, BASE/eret/ID, as the jailer of Firecracker has it: its root in `root`, and the process that
 * waits for it in `pid`. Whoever has it holds a lock on it. What a killed jail has left in it goes when the next one of
 * that name comes.
 *
 * A directory `root` that was there before is somebody's who has put something in it: it stays, with all that eret has
 * not made. Linux: flock(2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define JAIL_ID_MAX 64

typedef struct JailPlace JailPlace;

/* NULL: ID is a name for a jail; else what is wrong with it. Static. */
const char *jail_place_check_id(const char *id);

/* Makes and locks it. An error also where a jail of that name runs. */
JailPlace *jail_place_new(const char *base, const char *id, GError **error);
/* Removes it. Nothing may run in it any more. Takes NULL. */
void jail_place_free(JailPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JailPlace, jail_place_free)

/* Makes the root, without what was left in it, empty or as somebody has filled it; UID and GID own it. */
bool jail_place_make_root(JailPlace *place, unsigned uid, unsigned gid, GError **error);
const char *jail_place_root(const JailPlace *place);
/*
 * Makes PATH, which begins with a slash, in the root, with all above it: a directory, or an empty file to mount upon.
 * Follows no link. True where there is one already.
 */
bool jail_place_make_directory(JailPlace *place, const char *path, GError **error);
bool jail_place_make_file(JailPlace *place, const char *path, GError **error);
bool jail_place_make_link(JailPlace *place, const char *path, const char *target, GError **error);
/* The same, of a directory that is the user's alone. */
bool jail_place_make_own_directory(JailPlace *place, const char *path, unsigned uid, unsigned gid, GError **error);
