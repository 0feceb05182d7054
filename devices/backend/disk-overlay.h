/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written to a disk whose own file is to stay as it is: a sparse file without a name, which is gone when it is
 * closed, and which of its sectors count.
 */
#pragma once

#include "devices/backend/disk-file.h"
#include "devices/backend/sector-map.h"

typedef struct {
  DiskFile file;
  SectorMap *written; /* the disk's sectors that are in `file`; the others are where they were */
} DiskOverlay;

/* Where such files are: the directory that TMPDIR names in the environment, else /var/tmp, or /tmp. */
const char *disk_overlay_directory(void);
/* Makes one there, empty, for reading and writing; no child inherits it. -1: errno. */
int disk_overlay_open_file(const char *directory);

/* For a disk on BASE. */
DiskOverlay *disk_overlay_new(const DiskFile *base, GError **error);
void disk_overlay_free(DiskOverlay *overlay); /* takes NULL */
