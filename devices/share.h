/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of the host that a guest has: what can be asked of one, and who starts the programs that serve them
 * (virtiofsd): each directory's device gets one of its own, which speaks vhost-user.
 *
 * Main thread, but for what a helper says.
 */
#pragma once

#include <stdbool.h>

#include "devices/helper.h"

#define SHARE_TAG_MAX 36 /* bytes; virtio 1.2, 5.11.4 */

/* What the guest's kernel keeps of files, and for how long. NEVER: everything is asked for each time. */
typedef enum { SHARE_CACHE_AUTO, SHARE_CACHE_ALWAYS, SHARE_CACHE_METADATA, SHARE_CACHE_NEVER } ShareCache;

typedef struct {
  char *path;
  char *tag;      /* by which the guest knows it */
  bool read_only; /* whatever the guest does */
  char *at;       /* where it is to be in the guest; NULL: the guest's own matter */
  ShareCache cache;
  bool xattr;
  GPtrArray *uid_map, *gid_map; /* of char *: who the guest's users and groups are here: vmm/helpers/id-map.h */
  /* No options of their own: the guest is to see no mount points in it; it is the guest's root. */
  bool one_file_system, is_root;
} ShareConfig;

typedef struct Shares Shares;
struct Shares {
  /* Starts one that serves CONFIG, of the device NAME ("virtio-fs0"), and waits for it to be there. */
  Helper *(*start)(Shares *shares, const char *name, const ShareConfig *config, GError **error);
};
