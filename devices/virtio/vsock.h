/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio socket device (virtio 1.2, 5.10), with stream sockets of the host behind it. */
#pragma once

#include "devices/backend/vsock-hybrid.h"
#include "devices/virtio/virtio.h"

/* What can be asked of it. */
typedef struct {
  char *cid;          /* "auto", or a number; NULL: nothing was said */
  uint32_t guest_cid; /* what that comes to */
  char *path;         /* of the hybrid's sockets */
} VsockConfig;

extern const DeviceKind virtio_vsock_kind; /* of a VsockConfig */

/*
 * The context ID that TEXT asks for, as VsockConfig has it. False: *WHY says what it has to be. AUTO is the first one:
 * with sockets of its own no machine meets another's.
 */
bool virtio_vsock_parse_cid(const char *text, uint32_t *cid, char **why);

/*
 * GUEST_CID: VSOCK_CID_FIRST to VSOCK_CID_LAST (vsock-packet.h). HYBRID is the device's from now on, whatever happens.
 * Whoever connects to it before the guest's driver is there waits.
 */
VirtioDevice *virtio_vsock_new(const char *name, const GuestMemory *memory, uint64_t guest_cid, VsockHybrid *hybrid, GError **error);
