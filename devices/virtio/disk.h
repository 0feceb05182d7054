/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a disk, whoever serves it: virtio-blk here (blk.h), or a helper (disk-server.h). */
#pragma once

#include "devices/backend/disk-image.h"
#include "devices/virtio/rate-limit.h"

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

/* What is on a disk that no file has. Its device has a copy of it. */
typedef struct {
  const char *name; /* for people */
  GBytes *bytes;    /* NULL: it has not been made yet, and is for a plan alone */
} DiskContent;

/* The whole. */
typedef struct {
  char *path;                 /* NULL: it is elsewhere */
  char *nbd;                  /* where: an NBD URI (vmm/helpers/nbd-uri.h); NULL: it is elsewhere */
  const DiskContent *content; /* that is all, and only read; NULL: it is elsewhere */
  DiskImageOptions image;
  GPtrArray *backing; /* of char *: files that an image may say it is backed by; NULL: none */
  VirtioBlkOptions device;
  unsigned boot_index; /* 1: firmware tries it first; 0: it is not said when */
} DiskConfig;

/* Whether a helper has to serve it: disk-server.h. */
static inline bool disk_is_served(const DiskConfig *disk) {
  return disk->nbd || disk->image.format > DISK_IMAGE_FORMAT_RAW;
}
