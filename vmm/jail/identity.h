/* SPDX-License-Identifier: Apache-2.0 */
/* Who the jailed process is. Linux: credentials(7), capabilities(7). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * The ID that TEXT is, a number or a name that this host knows. Returns NULL, or what is wrong, to be said behind an
 * option; free that with g_free.
 */
char *jail_identity_user(const char *text, uid_t *uid);
char *jail_identity_group(const char *text, gid_t *gid);

/*
 * The calling process becomes UID and GID for good: no groups beside, no capabilities, also none that a program could
 * give it (no_new_privs). Needs root, and a process of one thread.
 */
bool jail_identity_take(uid_t uid, gid_t gid, GError **error);
