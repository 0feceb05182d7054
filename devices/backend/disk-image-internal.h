/* SPDX-License-Identifier: Apache-2.0 */
/* What an image and its channels share: disk-image.c opens it, disk-image-channel.c has its requests. */
#pragma once

#include "devices/backend/disk-image.h"

struct DiskImage {
  DiskFile file;
  bool read_only;
  DiskImageEngine engine; /* of its channels */
};
