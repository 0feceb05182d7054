/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system device: virtio 1.2, 5.11. It is a vhost-user device as any, whose back end is a helper that is started
 * for it, and whose configuration is known here, as older helpers tell none.
 *
 * What a helper keeps of a driver (files, and how often they were named) it forgets with its end alone, so the next
 * driver has the next.
 *
 * No lock: see vhost-user.c.
 */
#include "devices/virtio/fs.h"

#include <string.h>

#include "devices/printable.h"
#include "devices/share.h"
#include "devices/vhost/vhost-user.h"
#include "devices/virtio/vhost-user.h"

#define ID     26
#define QUEUES 2 /* 5.11.2: one for what must not wait, and one of requests: virtiofsd serves no more */

/* 5.11.4. */
typedef struct {
  char tag[SHARE_TAG_MAX];
  uint32_t num_request_queues;
} FsConfig;
G_STATIC_ASSERT(sizeof(FsConfig) == 40);

static VirtioDevice *fs_make(const DeviceParts *parts, GError **error) {
  const ShareConfig *asked = parts->asked;
  FsConfig config = {.num_request_queues = GUINT32_TO_LE(QUEUES - 1)};
  const VhostUserDevicePlan plan = {.type = ID, .queues = QUEUES, .config = &config, .config_size = sizeof config};

  g_assert(strlen(asked->tag) <= sizeof config.tag);
  memcpy(config.tag, asked->tag, strlen(asked->tag));
  if (parts->plan_only)
    return virtio_vhost_user_new_planned(parts->name, parts->memory, &plan, error);
  Helper *helper = parts->shares->start(parts->shares, parts->name, asked, error);
  if (!helper)
    return NULL;
  Vhost *vhost = vhost_user_new_of(helper, false);
  vhost->one_driver = true;
  return virtio_vhost_user_new_of(parts->name, parts->memory, vhost, &plan, error);
}

static char *fs_print_asked(const void *opaque) {
  const ShareConfig *asked = opaque;
  g_autofree char *path = printable_line_escaped(asked->path, -1), *at = asked->at ? printable_line_escaped(asked->at, -1) : NULL;

  return g_strconcat(path, " as ", asked->tag, asked->read_only ? ", read-only" : "", at ? ", at " : "", at, NULL);
}

const DeviceKind virtio_fs_kind = {
    .name = "virtio-fs",
    .print_asked = fs_print_asked,
    .make_virtio = fs_make,
    .shares_memory = true,
    .descriptors = VHOST_USER_DESCRIPTORS(QUEUES) + 4, /* and of the program its connection, its output, its end and its event */
};
