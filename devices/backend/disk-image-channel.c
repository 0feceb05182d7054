/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel of a disk image: which engine serves it, and on which file its requests are carried out.
 *
 * Locks: none; a channel belongs to the I/O thread it was started on.
 */
#include <errno.h>

#include "devices/backend/disk-image-internal.h"

static bool choose_engine(DiskChannel *channel, GError **error) {
  const DiskImage *image = channel->image;

  if (image->engine != DISK_IMAGE_ENGINE_THREADS) {
    channel->engine = disk_engine_uring_new();
    if (!channel->engine && image->engine == DISK_IMAGE_ENGINE_IO_URING) {
      g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE, "the host gives us no io_uring: %s", g_strerror(errno));
      return false;
    }
  }
  if (!channel->engine)
    channel->engine = disk_engine_threads_new();
  if (!channel->engine)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE, "cannot serve disk image %s: %s", image->file.path, g_strerror(errno));
  return channel->engine != NULL;
}

DiskChannel *disk_channel_new(DiskImage *image, GError **error) {
  g_autoptr(DiskChannel) channel = g_new0(DiskChannel, 1);

  channel->image = image;
  return choose_engine(channel, error) ? g_steal_pointer(&channel) : NULL;
}

void disk_channel_free(DiskChannel *channel) {
  if (!channel)
    return;
  if (channel->engine)
    channel->engine->ops->free(channel->engine);
  g_free(channel);
}

const char *disk_channel_engine(const DiskChannel *channel) {
  return channel->engine->ops->name;
}

void disk_channel_set_batch_end(DiskChannel *channel, void (*function)(void *opaque), void *opaque) {
  channel->engine->batch_end = function;
  channel->engine->opaque = opaque;
}

void disk_channel_start(DiskChannel *channel, IoThread *thread) {
  channel->engine->ops->start(channel->engine, thread);
}

void disk_channel_stop(DiskChannel *channel) {
  channel->engine->ops->drain(channel->engine);
  disk_engine_stop(channel->engine);
}

void disk_channel_submit(DiskChannel *channel, DiskImageRequest *request) {
  if (channel->image->overlay) {
    disk_channel_submit_overlaid(channel, request);
    return;
  }
  request->file = &channel->image->file;
  channel->engine->ops->submit(channel->engine, request);
}

void disk_channel_kick(DiskChannel *channel) {
  channel->engine->ops->kick(channel->engine);
}
