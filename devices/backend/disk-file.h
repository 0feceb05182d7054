/* SPDX-License-Identifier: Apache-2.0 */
/* What disk requests go to: a regular file or block device that is open, and what there is to know of it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_SECTOR_SIZE 512 /* bytes: what disks are counted in */

typedef enum {
  DISK_IMAGE_ERROR_OPEN,
  DISK_IMAGE_ERROR_TYPE,
  DISK_IMAGE_ERROR_FORMAT,
  DISK_IMAGE_ERROR_BUSY,
  DISK_IMAGE_ERROR_ENGINE,
} DiskImageError;
#define DISK_IMAGE_ERROR (disk_image_error_quark())
GQuark disk_image_error_quark(void);

#define DISK_BLOCK_MAX 4096 /* the largest that Linux has */

/* What a disk may tell of its blocks, in bytes. */
typedef struct {
  unsigned logical;   /* of this are all requests a multiple, of who heeds it; 512 to DISK_BLOCK_MAX */
  unsigned physical;  /* what is written at once; at least as large. Both are powers of two */
  unsigned alignment; /* where the first whole physical block begins */
  unsigned least;     /* the smallest request that costs no more than it should, a multiple of logical blocks */
  unsigned best;      /* 0: it is not known */
  unsigned discard;   /* what is discarded at once */
} DiskTopology;

typedef struct {
  char *path;
  int fd;
  bool block_device;
  bool in_memory; /* on a file system that has no disk, so that nothing of it is waited for */
  DiskTopology topology;
  uint64_t size; /* bytes; a multiple of logical blocks; atomic */
  uint64_t end;  /* where it ended when it was opened, if that is within a block, whose rest reads as zeros; else 0; atomic */
  /* With direct I/O, of what buffers' addresses, and their lengths and places in the file, are multiples; else 0. */
  unsigned direct_memory, direct_block;
} DiskFile;

/*
 * Opens PATH, a regular file or block device, into FILE, which is to be closed whether that succeeds or not. Its size
 * is that which it has. One that is written and no others are to use is claimed (O_EXCL), if it is a block device: that
 * fails if it is mounted, a part of a volume, or claimed by somebody else, and keeps others from doing such things
 * meanwhile.
 */
bool disk_file_open(DiskFile *file, const char *path, bool writes, bool claims, GError **error);
/* Finds whether an open one is in memory: disk_file_open does; for files that are opened otherwise. */
void disk_file_find_memory(DiskFile *file);
/*
 * One in memory, of SIZE bytes from DATA on, which nobody can change; no child inherits it. To be closed as the other
 * is. NAME is for messages.
 */
bool disk_file_make(DiskFile *file, const char *name, const void *data, gsize size, GError **error);
/*
 * Finds its topology. Its size must not be nothing; one that ends within a block is filled up. LOGICAL: the size of its
 * blocks, whatever the host says; 0: as it does, or 512.
 */
bool disk_file_measure(DiskFile *file, unsigned logical, GError **error);
/* What is read and written goes past the host's page cache from now on. Once it is measured. */
bool disk_file_set_direct(DiskFile *file, GError **error);
/*
 * SIZE, a multiple of logical blocks and no less than before, is the file's from now on: it is made so long; or, of a
 * block device, or for 0, it is asked how large it is by now. Requests may be under way. One thread at a time.
 */
bool disk_file_grow(DiskFile *file, uint64_t size, GError **error);
void disk_file_close(DiskFile *file); /* also one that has -1 for FD */
