/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that qemu-storage-daemon serves (devices/virtio/disk-server.h): one of it a disk. */
#pragma once

#include "devices/virtio/disk-server.h"
#include "vmm/helpers/helper-process.h"

/*
 * Finds qemu-storage-daemon. NULL: it is not there, or not one that can be used: the error. BROKER: as in HelperConfig,
 * or NULL.
 */
DiskServers *disk_servers_new(Broker *broker, GError **error);
void disk_servers_free(DiskServers *servers); /* after the disks; takes NULL */
