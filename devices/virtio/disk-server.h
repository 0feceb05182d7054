/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks that a helper serves (devices/helper.h): what is in a format that nothing here reads, or on a network. Who can
 * start such programs hands a DiskServers to the disks that are made; each gets a program of its own, which speaks
 * vhost-user.
 *
 * Main thread, but for what a helper says.
 */
#pragma once

#include "devices/helper.h"
#include "devices/virtio/disk.h"
#include "devices/virtio/virtio.h"

typedef struct DiskServers DiskServers;
struct DiskServers {
  /* Starts one that serves DISK, the device NAME ("virtio-blk0"), and waits for it to be there. */
  Helper *(*start)(DiskServers *servers, const char *name, const DiskConfig *disk, GError **error);
};

/* The device of PARTS' disk, which is served so: virtio_blk_kind's. And the descriptors that it has open at most. */
VirtioDevice *disk_server_make(const DeviceParts *parts, GError **error);
unsigned disk_server_descriptors(const DiskConfig *disk);
