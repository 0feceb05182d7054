/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program as another user, in surroundings of its own: a root, namespaces, a control group, limits. What there is of
 * them is made before it starts, and gone when it has ended: docs/security.md.
 *
 *   place      the directory, locked              mounts     what is in the root, as a plan
 *   root       the root: made, mounted, entered   cgroup     the control group
 *   identity   who the program is                 limits     resource limits
 *   supervise  signals, the terminal, its end
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "vmm/jail/limits.h"
#include "vmm/jail/mounts.h"

#define JAIL_NETNS_NEW "new"

typedef struct {
  const char *base, *id;
  uid_t uid;
  gid_t gid;
  char *const *argv;        /* the first is the program: absolute, on the host as in the jail; ended by NULL */
  char *const *environment; /* ended by NULL */
  const GPtrArray *mounts;  /* jail_mounts_plan() */
  const char *parent_cgroup;
  const GPtrArray *cgroup_settings; /* of char * */
  bool cgroup_wanted;               /* else there is one if it can be had */
  const char *netns;                /* a file, or JAIL_NETNS_NEW; NULL: that of the caller */
  JailLimits limits;
  bool pid_namespace;
  void (*started)(void *opaque); /* the program runs; may be NULL */
  void *opaque;
} JailPlan;

/*
 * Runs it, as root, in a process of one thread, and waits. *STATUS is as of waitpid(2). False: it has not begun, and
 * nothing is left of it.
 */
bool jail_run(const JailPlan *plan, int *status, GError **error);
