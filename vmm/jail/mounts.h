/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a jail's root: the plan of it, as this host has things. Nothing is mounted here. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
  JAIL_MOUNT_BIND, /* what is at SOURCE */
  JAIL_MOUNT_LINK, /* a symbolic link to SOURCE */
  JAIL_MOUNT_PROC, /* proc(5) of the jail's processes */
} JailMountKind;

typedef struct {
  JailMountKind kind;
  char *source;
  char *target; /* in the jail: absolute, without "." and "..", nor a slash at its end */
  bool is_directory, read_only;
  bool device; /* SOURCE is one; others are none in the jail, whatever they are */
} JailMount;

/* What somebody wants in it besides. */
typedef struct {
  const char *source, *target; /* TARGET may be NULL: at the same path */
  bool read_only;
} JailBind;

/*
 * What eret and its helpers need, PROGRAM (absolute) and BINDS: of JailMount, those first that others lie in. NULL:
 * what cannot be is the error's message. Free with g_ptr_array_unref.
 */
GPtrArray *jail_mounts_plan(const char *program, const JailBind *binds, unsigned n_binds, GError **error);
/* What is mounted at PATH (absolute), or above it; NULL: nothing is. */
const JailMount *jail_mounts_find(const GPtrArray *mounts, const char *path);
/* PATH without "." and empty parts; NULL: it is not absolute, or has "..", or characters that are not printed. */
char *jail_mounts_clean(const char *path);
