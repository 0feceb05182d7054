/* SPDX-License-Identifier: Apache-2.0 */
/* Recognising image formats that hold a disk in another form than its bytes one after the other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * AUTO: a raw image, unless its first bytes are another format's: that is an error. RAW: whatever is in it is the
 * disk's bytes. The others nothing here reads: a helper does (devices/virtio/disk-server.h).
 */
typedef enum {
  DISK_IMAGE_FORMAT_AUTO,
  DISK_IMAGE_FORMAT_RAW,
  DISK_IMAGE_FORMAT_QCOW2,
  DISK_IMAGE_FORMAT_QCOW,
  DISK_IMAGE_FORMAT_QED,
  DISK_IMAGE_FORMAT_VMDK,
  DISK_IMAGE_FORMAT_VHDX,
  DISK_IMAGE_FORMAT_VHD,
  DISK_IMAGE_FORMAT_VDI,
  DISK_IMAGE_FORMAT_PARALLELS,
} DiskImageFormat;

#define DISK_IMAGE_HEADER_SIZE 512 /* bytes at the start of an image in which every format that is known shows itself */

/*
 * The format whose mark HEADER, the first SIZE bytes of an image, bears; AUTO: none, the bytes are a disk's, as far as
 * one can tell. Only the mark is looked at, so that no content of a file, which a guest may have written, can do more
 * than be refused.
 */
DiskImageFormat disk_image_format_of(const void *header, size_t size);

/* Its name, as in --disk FILE,format=; and QEMU's, which is another for one. Of AUTO they are "raw". */
const char *disk_image_format_name(DiskImageFormat format);
const char *disk_image_format_driver(DiskImageFormat format);
/* Whether an image of FORMAT may name another that it is backed by: where it says nothing itself, that one is read. */
bool disk_image_format_has_backing(DiskImageFormat format);
