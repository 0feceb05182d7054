/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group of a jail, of version 2: PARENT/ID below where that hierarchy is mounted. Its limits hold for all
 * that runs in it, by its end all that is in it is killed. Linux: Documentation/admin-guide/cgroup-v2.rst.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct JailCgroup JailCgroup;

/* Of TEXT, as of /proc/self/mountinfo: where version 2 is mounted, or NULL; *OLD: version 1 is. Free with g_free. */
char *jail_cgroup_mount_of(const char *text, bool *old);
/* NULL: "FILE=VALUE" is a limit that a group may be given; else what is wrong with it. Free with g_free. */
char *jail_cgroup_check_setting(const char *setting);
/* The same of a parent's path, which is relative to where the hierarchy is mounted. */
char *jail_cgroup_check_parent(const char *parent);

/*
 * Makes the group, with the controllers that SETTINGS (of char *: "memory.max=1G") need, and writes them. What a killed
 * jail of this name has left in it is ended. NULL with an error: nothing is left; also where another jail is in it.
 */
JailCgroup *jail_cgroup_new(const char *parent, const char *id, const GPtrArray *settings, GError **error);
/* The calling process, and all that it will start, is in it. */
bool jail_cgroup_enter(JailCgroup *cgroup, GError **error);
/* Kills what is in it, and removes it, and the parents that came with it once they are empty. Takes NULL. */
void jail_cgroup_free(JailCgroup *cgroup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JailCgroup, jail_cgroup_free)
