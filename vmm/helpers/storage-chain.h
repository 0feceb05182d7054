/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a disk is made of. An image may say that it is backed by another, or that its data is in another: any
 * name, of any file that this user can read, and its guest would read that file. So a file counts only if whoever asks
 * for the disk has named it, too; and the daemon is told of the files, not of what images say of them.
 *
 * Main thread.
 */
#pragma once

#include <stdint.h>

#include "vmm/helpers/storage-talk.h"

/* How many files may back one another. */
#define STORAGE_CHAIN_MAX 32

/*
 * Looks at the first file of GRAPH, and adds those that it is backed by: of ALLOWED (of char *: paths; NULL: none). All
 * are locked, unless GRAPH is to be without that; see storage_file_lock. *SIZE: that of the disk in bytes. TALK ends
 * with nothing open.
 */
bool storage_chain_follow(StorageGraph *graph, StorageTalk *talk, const StorageDaemon *daemon, const GPtrArray *allowed, uint64_t *size,
                          GError **error);
