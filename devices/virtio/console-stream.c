/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is lost in either direction, and nobody waits. Output: what the back end does not take stays in its chain,
 * and the device goes on with it when there is room again. Input: it stays in the back end until the guest has given
 * buffers; `stash` carries it from the main thread to the I/O thread, which alone may touch the queues, and keeps it
 * over a reset.
 *
 * Locks: `lock` guards the stash and what the two threads tell each other about it; no callback runs under it. The
 * queues and the output state are the I/O thread's.
 */
#include "devices/virtio/console-stream.h"

#include <string.h>

#define BATCH 64 /* chains served before anything else has its turn */

/*
 * A guest that never stops asking must not keep the thread from anything else: the rest comes with another round of the
 * thread.
 */
static void yield(ConsoleStream *stream, unsigned queue) {
  virtio_notify_again(stream->device, queue);
}

static bool may_serve(const ConsoleStream *stream) {
  return stream->running && !(virtio_get_status(stream->device) & VIRTIO_STATUS_NEEDS_RESET);
}

/* Output: the I/O thread. */

/* Hands the chain on from `progress` on; false when the back end is full. */
static bool put_out(ConsoleStream *stream, const VirtChain *chain) {
  uint64_t skip = stream->progress;

  if (!stream->backend)
    return true;
  for (unsigned i = 0; i < chain->n_out; i++) {
    const uint8_t *bytes = chain->iov[i].iov_base;
    size_t size = chain->iov[i].iov_len, taken;

    if (skip >= size) {
      skip -= size;
      continue;
    }
    taken = char_backend_write(stream->backend, bytes + skip, size - skip);
    stream->progress += taken;
    if (taken < size - skip)
      return false;
    skip = 0;
  }
  return true;
}

static void tell_drained(ConsoleStream *stream) {
  stream->draining = false;
  if (stream->output_drained)
    stream->output_drained(stream);
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed or the back end is full. */
static int put_some(ConsoleStream *stream, unsigned *served) {
  for (*served = 0; *served < BATCH; (*served)++) {
    int popped = virtio_pop(stream->device, stream->transmitq, &stream->chain);

    if (popped <= 0)
      return popped;
    if (!put_out(stream, &stream->chain)) {
      stream->blocked = true;
      virtqueue_unpop(&stream->device->queues[stream->transmitq]);
      return -1;
    }
    stream->progress = 0;
    virtio_push(stream->device, stream->transmitq, stream->chain.head, 0);
  }
  return 1;
}

void console_stream_serve_output(ConsoleStream *stream) {
  VirtQueue *queue = &stream->device->queues[stream->transmitq];
  unsigned served;
  int more;

  if (!may_serve(stream) || stream->blocked)
    return;
  virtqueue_disable_doorbell(queue);
  more = put_some(stream, &served);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(stream->device, stream->transmitq);
  if (more > 0)
    yield(stream, stream->transmitq);
  else if (more == 0 && stream->draining)
    tell_drained(stream);
}

void console_stream_drain_output(ConsoleStream *stream) {
  stream->draining = true;
  console_stream_serve_output(stream);
}

static void resume_output(void *opaque) {
  ConsoleStream *stream = opaque;

  stream->blocked = false;
  console_stream_serve_output(stream);
}

/* Input: the I/O thread. */

/* Fills one buffer of the guest's from the stash; false when there was none, or the queue has failed. */
static bool fill_buffer(ConsoleStream *stream) {
  size_t size;

  if (virtio_pop(stream->device, stream->receiveq, &stream->chain) <= 0)
    return false;
  g_mutex_lock(&stream->lock);
  size = virt_chain_write(&stream->chain, 0, stream->stash, stream->stash_size);
  stream->stash_size -= size;
  memmove(stream->stash, stream->stash + size, stream->stash_size);
  g_mutex_unlock(&stream->lock);
  virtio_push(stream->device, stream->receiveq, stream->chain.head, (uint32_t)size);
  return true;
}

/* Tells the back end, once, that there is room again after it was told that there is none. */
static void announce_room(ConsoleStream *stream, bool buffers) {
  bool announce;

  g_mutex_lock(&stream->lock);
  stream->buffers = buffers;
  announce = buffers && stream->starved && stream->stash_size < stream->stash_max;
  if (announce)
    stream->starved = false;
  g_mutex_unlock(&stream->lock);
  if (announce)
    char_backend_accept(stream->backend);
}

static bool stash_is_empty(ConsoleStream *stream) {

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
  return !stream->stash_size;
}

/* The end of the input goes to the guest behind its last byte. */
static bool reached_end(ConsoleStream *stream) {
  bool reached;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
  reached = stream->ending && !stream->stash_size;
  stream->ending &= !reached;
  return reached;
}

void console_stream_serve_input(ConsoleStream *stream) {
  VirtQueue *queue = &stream->device->queues[stream->receiveq];
  unsigned served = 0;
  bool buffers;

  if (!may_serve(stream) || !stream->connected || !stream->backend)
    return;
  while (served < BATCH && !stash_is_empty(stream) && fill_buffer(stream))
    served++;
  /* New buffers are news only while there are none. */
  buffers = virtqueue_enable_doorbell(queue);
  if (buffers)
    virtqueue_disable_doorbell(queue);
  if (served)
    virtio_interrupt(stream->device, stream->receiveq);
  announce_room(stream, buffers);
  if (buffers && may_serve(stream) && !stash_is_empty(stream))
    yield(stream, stream->receiveq);
  else if (reached_end(stream) && stream->input_ended)
    stream->input_ended(stream);
}

void console_stream_set_connected(ConsoleStream *stream, bool connected) {
  stream->connected = connected;
  if (connected) {
    console_stream_serve_input(stream);
    return;
  }
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
  stream->buffers = false;
}

static void input_arrived(void *opaque) {
  console_stream_serve_input(opaque);
}

/* The back end's callbacks: the main thread. */

static size_t stream_room(void *opaque) {
  ConsoleStream *stream = opaque;
  size_t room;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
  room = stream->buffers ? stream->stash_max - stream->stash_size : 0;
  stream->starved = !room;
  return room;
}

static void stream_receive(void *opaque, const uint8_t *bytes, size_t size) {
  ConsoleStream *stream = opaque;
  bool was_empty;

  g_mutex_lock(&stream->lock);
  was_empty = !stream->stash_size;
  size = MIN(size, stream->stash_max - stream->stash_size);
  memcpy(stream->stash + stream->stash_size, bytes, size);
  stream->stash_size += size;
  g_mutex_unlock(&stream->lock);
  if (was_empty)
    io_thread_post(stream->device->io, input_arrived, stream);
}

static void stream_writable(void *opaque) {
  ConsoleStream *stream = opaque;

  io_thread_post(stream->device->io, resume_output, stream);
}

static const CharFrontend stream_frontend = {.room = stream_room, .receive = stream_receive, .writable = stream_writable};

void console_stream_end_input(ConsoleStream *stream) {
  g_mutex_lock(&stream->lock);
  stream->ending = true;
  g_mutex_unlock(&stream->lock);
  io_thread_post(stream->device->io, input_arrived, stream);
}

/* From the device's life. */

void console_stream_start(ConsoleStream *stream) {
  stream->running = true;
  stream->blocked = false;
}

void console_stream_stop(ConsoleStream *stream) {
  stream->running = false;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&stream->lock);
  stream->buffers = false;
}

void console_stream_reset(ConsoleStream *stream) {
  stream->draining = false;
}

void console_stream_queue_reset(ConsoleStream *stream, unsigned queue) {
  if (queue == stream->transmitq)
    stream->progress = 0;
}

void console_stream_init(ConsoleStream *stream, VirtioDevice *device, unsigned receiveq, unsigned transmitq, CharBackend *backend,
                         size_t stash_max) {
  g_mutex_init(&stream->lock);
  stream->device = device;
  stream->receiveq = receiveq;
  stream->transmitq = transmitq;
  stream->backend = backend;
  stream->stash = g_malloc(stash_max);
  stream->stash_max = stash_max;
  if (backend)
    char_backend_connect(backend, &stream_frontend, stream);
}

void console_stream_disconnect(ConsoleStream *stream) {
  if (stream->backend)
    char_backend_connect(stream->backend, NULL, NULL);
}

void console_stream_clear(ConsoleStream *stream) {
  if (!stream->device)
    return;
  g_free(stream->stash);
  g_mutex_clear(&stream->lock);
}
