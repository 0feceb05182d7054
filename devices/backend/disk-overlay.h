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

/*
 * For a disk on BASE, in the directory that the environment's TMPDIR names, else in /var/tmp, or where there is none in
 * /tmp.
 */
DiskOverlay *disk_overlay_new(const DiskFile *base, GError **error);
void disk_overlay_free(DiskOverlay *overlay); /* takes NULL */
