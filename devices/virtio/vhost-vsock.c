/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio socket device of the kernel: virtio 1.2, 5.10. Its receive and transmit queues are the kernel's
 * (drivers/vhost/vsock.c), which carries bytes between the guest's sockets and AF_VSOCK sockets of the host. The event
 * queue is ours: on it a driver would hear that its machine was moved, so its buffers stay where they are.
 *
 * Locks: none; the configuration is constant.
 */
#include "devices/virtio/vhost-vsock.h"

#include <string.h>

#include "devices/vhost/vhost-kernel.h"
#include "devices/virtio/vhost-queues.h"

#define KERNEL_QUEUES    2 /* receive, transmit: 5.10.2 */
#define QUEUE_SIZE       256
#define EVENT_QUEUE_SIZE 16

/* 5.10.4, little-endian. */
typedef struct {
  uint64_t guest_cid;
} VsockSpace;

typedef struct {
  VirtioDevice base; /* first */
  uint64_t cid;
  VhostQueues *queues;
} VhostVsock;

static void config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const VsockSpace config = {.guest_cid = GUINT64_TO_LE(((VhostVsock *)device)->cid)};

  memcpy(to, (const uint8_t *)&config + offset, size);
}

static void start(VirtioDevice *device) {
  vhost_queues_start(((VhostVsock *)device)->queues);
}

static void notify(VirtioDevice *device, unsigned queue) {
}

static void stop(VirtioDevice *device) {
  vhost_queues_stop(((VhostVsock *)device)->queues);
}

static void reset(VirtioDevice *device) {
  VhostQueues *queues = ((VhostVsock *)device)->queues;

  if (queues)
    vhost_queues_reset(queues);
}

static void vsock_free(VirtioDevice *device) {
  VhostVsock *vsock = (VhostVsock *)device;

  vhost_queues_free(vsock->queues);
  virtio_device_clear(device);
  g_free(vsock);
}

static const VirtioDeviceOps vsock_ops = {
    .id = VIRTIO_ID_VSOCK,
    .name = "vhost-vsock",
    .config_size = sizeof(VsockSpace),
    .config_read = config_read,
    .start = start,
    .notify = notify,
    .stop = stop,
    .reset = reset,
    .free = vsock_free,
};

VirtioDevice *virtio_vhost_vsock_new(const char *name, const GuestMemory *memory, const char *path, uint64_t cid, GError **error) {
  static const uint16_t sizes[] = {QUEUE_SIZE, QUEUE_SIZE, EVENT_QUEUE_SIZE};
  uint64_t asked = cid;
  g_autoptr(Vhost) vhost = path ? vhost_kernel_vsock_new(path, &cid, error) : NULL;

  if (path && !vhost)
    return NULL;
  VhostVsock *vsock = g_new0(VhostVsock, 1);
  uint64_t features = vhost ? vhost_queues_features(vhost) : 0;
  vsock->cid = cid;
  if (vhost && !asked)
    g_message("%s: the guest is CID %" G_GUINT64_FORMAT, name, cid);
  bool done = virtio_device_init(&vsock->base, &vsock_ops, name, memory, features, G_N_ELEMENTS(sizes), sizes, error);
  if (done && vhost) {
    vsock->base.offered_features = features;
    vsock->queues = vhost_queues_new(&vsock->base, g_steal_pointer(&vhost), 0, KERNEL_QUEUES, error);
    done = vsock->queues != NULL;
  }
  if (done)
    return &vsock->base;
  vsock_free(&vsock->base);
  return NULL;
}

uint64_t virtio_vhost_vsock_cid(const VirtioDevice *device) {
  return ((const VhostVsock *)device)->cid;
}
