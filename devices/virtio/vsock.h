/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio socket device (virtio 1.2, 5.10), with stream sockets of the host behind it. */
#pragma once

#include "devices/backend/vsock-hybrid.h"
#include "devices/virtio/virtio.h"

/* What can be asked of it. */
typedef struct {
  char *cid;          /* "auto", or a number; NULL: nothing was said */
  uint32_t guest_cid; /* what that comes to; of the kernel's auto 0: the first that is free */
  char *path;         /* of the hybrid's sockets; NULL: the sockets are the kernel's */
  bool later;         /* the directory of PATH is made with the machine, so that a plan does not find it */
} VsockConfig;

extern const DeviceKind virtio_vsock_kind; /* of a VsockConfig */

/*
 * The context ID that TEXT asks for, as VsockConfig has it. False: *WHY says what it has to be. With sockets of its own
 * no machine meets another's, so that AUTO is the first one; with the KERNELS it is to be found out.
 */
bool virtio_vsock_parse_cid(const char *text, bool kernels, uint32_t *cid, char **why);

/* The context ID of a device of that kind. */
uint32_t virtio_vsock_get_cid(const VirtioDevice *device);

/*
 * GUEST_CID: VSOCK_CID_FIRST to VSOCK_CID_LAST (vsock-packet.h). HYBRID is the device's from now on, whatever happens.
 * Whoever connects to it before the guest's driver is there waits.
 */
VirtioDevice *virtio_vsock_new(const char *name, const GuestMemory *memory, uint64_t guest_cid, VsockHybrid *hybrid, GError **error);
