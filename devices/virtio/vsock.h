/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio socket device (virtio 1.2, 5.10), with stream sockets of the host behind it. */
#pragma once

#include "devices/backend/vsock-hybrid.h"
#include "devices/virtio/virtio.h"

/* The descriptors that a device has open at most: connections, each with its socket, and what waits for them. */
#define VIRTIO_VSOCK_DESCRIPTORS (2 * 1024 + 8)

/*
 * GUEST_CID: VSOCK_CID_FIRST to VSOCK_CID_LAST (vsock-packet.h). HYBRID is the device's from now on, whatever happens.
 * Whoever connects to it before the guest's driver is there waits.
 */
VirtioDevice *virtio_vsock_new(const char *name, const GuestMemory *memory, uint64_t guest_cid, VsockHybrid *hybrid, GError **error);
