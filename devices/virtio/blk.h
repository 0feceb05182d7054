/* SPDX-License-Identifier: Apache-2.0 */
/* virtio block device (virtio 1.2, 5.2). */
#pragma once

#include "devices/backend/disk-image.h"
#include "devices/virtio/rate-limit.h"
#include "devices/virtio/virtio.h"

#define VIRTIO_BLK_SERIAL_MAX 20 /* bytes: virtio 1.2, 5.2.6 VIRTIO_BLK_T_GET_ID */
#define VIRTIO_BLK_QUEUES_MAX 16

/* OFF: blocks of the image stay allocated, whatever the guest gives back. */
typedef enum { DISK_DISCARD_ON, DISK_DISCARD_OFF } DiskDiscard;

/* Of the device, whatever its image is. */
typedef struct {
  DiskDiscard discard;
  char *serial;    /* at most VIRTIO_BLK_SERIAL_MAX bytes; NULL: none */
  unsigned queues; /* at most VIRTIO_BLK_QUEUES_MAX; 0: one */
  unsigned iops;   /* requests that it takes in a second, of all kinds; 0: any number */
  uint64_t bps;    /* bytes that it reads and writes in a second, at most RATE_LIMIT_MAX; 0: any number */
} VirtioBlkOptions;

/* What can be asked of it. */
typedef struct {
  char *path;
  DiskImageOptions image;
  VirtioBlkOptions device;
  unsigned boot_index; /* 1: firmware tries it first; 0: it is not said when */
} DiskConfig;

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
