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

typedef struct {
  char *path;
  int fd;
  bool block_device;
  uint64_t size; /* bytes; a multiple of sectors */
} DiskFile;

/*
 * Opens PATH, a regular file or block device, into FILE, which is to be closed whether that succeeds or not. Its size is
 * that which it has. One that is written and no others are to use is claimed (O_EXCL), if it is a block device: that fails if it is mounted, a part
 * of a volume, or claimed by somebody else, and keeps others from doing such things meanwhile.
 */
bool disk_file_open(DiskFile *file, const char *path, bool writes, bool claims, GError **error);
/* Its size: a whole number of sectors, and not none (a trailing part sector is an error that says so). */
bool disk_file_measure(DiskFile *file, GError **error);
void disk_file_close(DiskFile *file); /* also one that has -1 for FD */
