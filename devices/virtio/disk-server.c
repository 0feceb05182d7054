/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that a helper serves is a vhost-user device like any, but for its place among the disks. No lock: see
 * vhost-user.c.
 */
#include "devices/virtio/disk-server.h"

#include "devices/vhost/vhost-user.h"
#include "devices/virtio/vhost-user.h"

/* virtio 1.2, 5.2.3. */
#define F_CONFIG_WCE (UINT64_C(1) << 11)
#define F_DISCARD    (UINT64_C(1) << 13)

static unsigned n_queues(const DiskConfig *disk) {
  return MAX(disk->device.queues, 1);
}

/*
 * qemu-storage-daemon (7.2, 10.0) says that it has no write cache (wce 0), and has one all the same. A driver that
 * cannot choose flushes what is to last (5.2.5), so it is not offered the choice.
 */
VirtioDevice *disk_server_make(const DeviceParts *parts, GError **error) {
  const DiskConfig *disk = parts->asked;
  const VhostUserDevicePlan plan = {
      .type = VIRTIO_ID_BLOCK,
      .queues = n_queues(disk),
      .never = F_CONFIG_WCE | (disk->device.discard == DISK_DISCARD_OFF ? F_DISCARD : 0),
  };

  if (parts->plan_only)
    return virtio_vhost_user_new_planned(parts->name, parts->memory, &plan, error);
  Helper *helper = parts->disk_servers->start(parts->disk_servers, parts->name, disk, error);
  return helper ? virtio_vhost_user_new_of(parts->name, parts->memory, vhost_user_new_of(helper, true), &plan, error) : NULL;
}

/*
 * And of the helper its connection, its output, its end, its event, and what is written to no file of the user's; and
 * by which files are locked: the image, and those that back it.
 */
unsigned disk_server_descriptors(const DiskConfig *disk) {
  return VHOST_USER_DESCRIPTORS(n_queues(disk)) + 6 + (disk->backing ? disk->backing->len : 0);
}
