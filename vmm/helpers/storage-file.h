/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the files that a disk is made of: where it is, of which format, and that nobody else spoils it. What is in it
 * is for qemu-storage-daemon to read.
 *
 * No lock: main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/backend/disk-image-format.h"

typedef struct {
  char *given; /* its path as its user wrote it; or an NBD URI */
  char *path;  /* absolute; NULL: it is an NBD server's */
  bool block_device;
  DiskImageFormat format; /* not AUTO */
  int fd;                 /* open for reading, and locked by storage_file_lock; -1: not open */
} StorageFile;

/* What is on a network, or whatever is at PATH (NULL: nothing), without a look at it. */
StorageFile *storage_file_new(const char *given, const char *path, DiskImageFormat format);
/* The regular file or block device GIVEN, which bears no other format's mark. */
StorageFile *storage_file_open(const char *given, DiskImageFormat format, GError **error);
void storage_file_free(gpointer file); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageFile, storage_file_free)

/*
 * Locks one that is open for a reader, as long as FILE lasts: nobody writes it. Or sees whether one who WRITES could
 * have it, which is the daemon's to lock. One that is in use is an error that says by whom.
 */
bool storage_file_lock(StorageFile *file, bool writes, GError **error);

/* "disk image a.qcow2 WHAT", the error. Returns false. */
bool storage_file_refuse(const StorageFile *file, GError **error, const char *what, ...) G_GNUC_PRINTF(3, 4);
