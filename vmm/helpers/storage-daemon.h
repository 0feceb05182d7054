/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qemu-storage-daemon(1): disks of other formats, and disks on a network, behind vhost-user-blk. It reads what others
 * have written, so it is a process of its own, which no name in an image leads to any network.
 *
 * Main thread.
 */
#pragma once

#include <glib.h>

#include "vmm/helpers/helper-process.h"
#include "vmm/helpers/storage-graph.h"

typedef struct {
  char *program; /* its path */
  char *version; /* "7.2.22" */
} StorageDaemon;

/* Finds it in PATH and asks it, which takes some milliseconds. NULL: it is not there, or too old: the error. */
StorageDaemon *storage_daemon_find(GError **error);
void storage_daemon_free(StorageDaemon *daemon); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageDaemon, storage_daemon_free)

/* Its arguments to serve GRAPH behind a socket that listens, HELPER_FD; ended by NULL. Free with g_ptr_array_unref. */
GPtrArray *storage_daemon_arguments(const StorageDaemon *daemon, const StorageGraph *graph);
/* What of what it says is no news: as in HelperConfig. */
bool storage_daemon_is_noise(const char *line);
size_t storage_daemon_skip(const char *line);
/*
 * An error from WHAT it says of FILE, which is fit to be shown: what is wrong, in our words where they are known, and
 * what to do.
 */
void storage_daemon_set_error(const StorageDaemon *daemon, const StorageFile *file, const char *what, GError **error);
