/* SPDX-License-Identifier: Apache-2.0 */
/* virtio block device (virtio 1.2, 5.2). */
#pragma once

#include "devices/virtio/disk.h"
#include "devices/virtio/virtio.h"

/* Opens the image. */
extern const DeviceKind virtio_blk_kind; /* of a DiskConfig */

/* Takes IMAGE (also on failure). */
VirtioDevice *virtio_blk_new(const char *name, const GuestMemory *memory, DiskImage *image, const VirtioBlkOptions *options,
                             GError **error);

/*
 * The disk of DEVICE, one of virtio_blk_new's, has SIZE bytes from now on, as disk_image_grow says; the guest is told.
 * Any thread, one at a time.
 */
bool virtio_blk_resize(VirtioDevice *device, uint64_t size, GError **error);
