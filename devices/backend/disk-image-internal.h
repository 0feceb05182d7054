/* SPDX-License-Identifier: Apache-2.0 */
/* What an image and its channels share: disk-image.c opens it, disk-image-channel.c has its requests. */
#pragma once

#include "devices/backend/disk-image-engine.h"
#include "devices/backend/disk-overlay.h"

struct DiskImage {
  DiskFile file;
  DiskOverlay *overlay; /* NULL: it is written itself */
  bool read_only;
  DiskImageEngine engine; /* of its channels */
};

struct DiskChannel {
  DiskImage *image;
  DiskEngine *engine;
};

/* Of an image with an overlay. */
void disk_channel_submit_overlaid(DiskChannel *channel, DiskImageRequest *request);
