/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtiofsd(1), which serves a directory to a guest as a vhost-user device: the one in Rust (Debian 13 has 1.13), or
 * the one in C that came with QEMU until 7.2 (Debian 12). What the installed one can is asked of itself.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/share.h"
#include "vmm/helpers/id-map.h"

typedef struct {
  char *program;                                               /* its path */
  bool legacy;                                                 /* the one in C */
  bool read_only, file_handles, translates, uid_map, metadata; /* options that it has */
  bool tells_submounts;                                        /* the guest is told of mount points unless that is declined */
} Virtiofsd;

/* Finds it and asks it, which takes some milliseconds. NULL: it is not there, or does not answer: the error. */
Virtiofsd *virtiofsd_find(GError **error);
void virtiofsd_free(Virtiofsd *virtiofsd); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Virtiofsd, virtiofsd_free)
/* "1.13.2", by what it says itself; NULL: it does not. Free with g_free. */
char *virtiofsd_version(const Virtiofsd *virtiofsd);

/* Who starts it, where, for what. */
typedef struct {
  uint32_t uid, gid;           /* of this process; 0: it may be anybody */
  IdRange sub_uids, sub_gids;  /* that it may use beside, both or none; COUNT 0: none */
  uint32_t owner, owner_group; /* of the directory */
  const IdMap *uid_map, *gid_map;
  bool alone;  /* it is root where nobody else is: cage.h */
  bool chroot; /* it cannot have namespaces of its own: let it have the directory as its root alone */
} VirtiofsdPlace;

/* Whether it can serve CONFIG from PLACE as is asked; the error says what to install or leave out. */
bool virtiofsd_can(const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place, GError **error);
/* What it is started with, its path first, ended by NULL; its socket is a descriptor that listens, HELPER_FD. */
GPtrArray *virtiofsd_arguments(const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place);
/* What it says that nobody needs to read. */
bool virtiofsd_is_noise(const char *line);
