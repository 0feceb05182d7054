/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buffers. From the guest: filled by any thread, emptied by the main loop, at most BUFFER_MAX; what does not fit is
 * refused, and announced when there is room again. To the guest: the main thread's own; what is sent here is written by
 * eret itself and small, and what a guest that takes nothing cannot have is dropped.
 *
 * Locks: `lock` guards the buffer from the guest and `refused`; no callback runs under it. `front_full` is atomic.
 */
#include "devices/backend/channel.h"

#include <string.h>

#define BUFFER_MAX (256 * 1024)

typedef struct Channel Channel;

typedef struct {
  GSource source; /* first: this is the source */
  Channel *channel;
} ChannelSource;

struct Channel {
  CharBackend base; /* first */
  const ChannelOps *ops;
  void *opaque;
  ChannelSource *source;

  GMutex lock;
  GByteArray *received;
  bool refused;

  GByteArray *to_send; /* main thread */
  int front_full;      /* atomic: the front end had no room, and has not called accept since */
};

static size_t channel_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  Channel *channel = (Channel *)backend;

  g_mutex_lock(&channel->lock);
  size_t taken = MIN(size, BUFFER_MAX - channel->received->len);
  bool wake = taken && channel->received->len == 0;
  g_byte_array_append(channel->received, bytes, (guint)taken);
  channel->refused |= taken < size;
  g_mutex_unlock(&channel->lock);
  if (wake)
    g_main_context_wakeup(NULL);
  return taken;
}

static void channel_accept(CharBackend *backend) {
  __atomic_store_n(&((Channel *)backend)->front_full, 0, __ATOMIC_SEQ_CST);
  g_main_context_wakeup(NULL);
}

static bool has_received(Channel *channel) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&channel->lock);
  return channel->received->len > 0;
}

static bool can_send(Channel *channel) {
  return channel->base.frontend && channel->to_send->len > 0 && !__atomic_load_n(&channel->front_full, __ATOMIC_SEQ_CST);
}

/* `front_full` is set before the question, so that an accept in between is not lost. */
static void send_some(Channel *channel) {
  while (can_send(channel)) {
    __atomic_store_n(&channel->front_full, 1, __ATOMIC_SEQ_CST);
    size_t size = MIN(channel->base.frontend->room(channel->base.opaque), channel->to_send->len);
    if (size == 0)
      return;
    __atomic_store_n(&channel->front_full, 0, __ATOMIC_SEQ_CST);
    channel->base.frontend->receive(channel->base.opaque, channel->to_send->data, size);
    g_byte_array_remove_range(channel->to_send, 0, (guint)size);
  }
}

void channel_flush(CharBackend *backend) {
  Channel *channel = (Channel *)backend;

  g_mutex_lock(&channel->lock);
  g_autoptr(GByteArray) bytes = g_steal_pointer(&channel->received);
  channel->received = g_byte_array_new();
  bool announce = channel->refused;
  channel->refused = false;
  g_mutex_unlock(&channel->lock);

  if (bytes->len)
    channel->ops->received(channel->opaque, bytes->data, bytes->len);
  if (announce && channel->base.frontend)
    channel->base.frontend->writable(channel->base.opaque);
}

static gboolean source_ready(GSource *source) {
  Channel *channel = ((ChannelSource *)source)->channel;
  return has_received(channel) || can_send(channel);
}

static gboolean source_prepare(GSource *source, gint *timeout) {
  *timeout = -1;
  return source_ready(source);
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
  Channel *channel = ((ChannelSource *)source)->channel;

  channel_flush(&channel->base);
  send_some(channel);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.prepare = source_prepare, .check = source_ready, .dispatch = source_dispatch};

static void channel_free(CharBackend *backend) {
  Channel *channel = (Channel *)backend;

  g_source_destroy(&channel->source->source);
  g_source_unref(&channel->source->source);
  g_byte_array_unref(channel->received);
  g_byte_array_unref(channel->to_send);
  g_mutex_clear(&channel->lock);
  g_free(channel);
}

static const CharBackendOps channel_ops = {.write = channel_write, .accept = channel_accept, .free = channel_free};

CharBackend *channel_new(const ChannelOps *ops, void *opaque) {
  Channel *channel = g_new0(Channel, 1);

  channel->base.ops = &channel_ops;
  channel->ops = ops;
  channel->opaque = opaque;
  channel->received = g_byte_array_new();
  channel->to_send = g_byte_array_new();
  g_mutex_init(&channel->lock);
  channel->source = (ChannelSource *)g_source_new(&source_funcs, sizeof *channel->source);
  channel->source->channel = channel;
  g_source_attach(&channel->source->source, NULL);
  return &channel->base;
}

void channel_send(CharBackend *backend, const void *bytes, size_t size) {
  GByteArray *to_send = ((Channel *)backend)->to_send;

  if (size <= BUFFER_MAX - MIN(to_send->len, BUFFER_MAX))
    g_byte_array_append(to_send, bytes, (guint)size);
}
