/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio socket device (virtio 1.2, 5.10) whose sockets are the host's own kind: the kernel's vhost-vsock. */
#pragma once

#include "devices/virtio/virtio.h"

/*
 * The device behind PATH (VHOST_KERNEL_VSOCK). The guest's context ID is CID, which must be free on this host; 0: the
 * first that is. virtio_vhost_vsock_cid says which it has. PATH NULL: the device is only planned.
 */
VirtioDevice *virtio_vhost_vsock_new(const char *name, const GuestMemory *memory, const char *path, uint64_t cid, GError **error);
uint64_t virtio_vhost_vsock_cid(const VirtioDevice *device);
