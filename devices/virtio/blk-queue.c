/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queues of the virtio block device: how they come into service and leave it, and how they are served. Each but the
 * first has an I/O thread of its own, and each its own channel to the image, so that what several CPUs of the guest ask
 * for goes on side by side, with no lock between them.
 *
 * At most BLK_QUEUE_SIZE requests of a queue are in flight, made when needed and kept. A guest with more than its queue
 * holds waits for itself. Of their bytes the image has BLK_MAX_BYTES or so, the rest waits: a stop is over when those
 * are, and what then waits goes on after a resume, or is dropped by a reset.
 *
 * Locks: none. A queue is its thread's.
 */
#define _GNU_SOURCE /* SCHED_BATCH */
#include <sched.h>
#include <time.h>

#include "devices/virtio/blk-internal.h"

#define BATCH 64 /* requests between two interrupts, where there is always one more; what is usual at a time is less */

/* Doorbells, but for PATIENCE_WORTH: requests behind one. */
#define PATIENCE_WORTH       2
#define PATIENCE_TRY         8
#define PATIENCE_WITHOUT_MIN 64
#define PATIENCE_WITHOUT_MAX 1024

/* On the queue's thread. */

static void interrupt(BlkQueue *queue) {
  if (queue->pushed)
    virtio_interrupt(&queue->blk->base, queue->index);
  queue->pushed = false;
}

static bool is_full(const BlkQueue *queue) {
  return queue->in_flight == BLK_QUEUE_SIZE || !blk_has_room(queue);
}

uint64_t blk_now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* What the limit does not let through stays in the ring, and the driver is not asked to tell of more. */
static bool must_wait(BlkQueue *queue) {
  VirtioBlk *blk = queue->blk;
  uint64_t now = blk_now(), wait = MAX(rate_limit_wait(&blk->requests, now), rate_limit_wait(&blk->bytes, now));

  if (wait && !queue->waits) {
    queue->waits = true;
    io_timer_set(queue->timer, wait);
    device_watch_event(blk->base.watch, blk->base.name, queue->index, "waited for its rate limit");
  }
  return wait;
}

/*
 * Begins MAX requests at most. 0 when the queue is empty, 1 when there may be more, -1 when it has failed. A chain is
 * taken before it is known how much it asks for: that is paid for by the next.
 */
static int begin_some(BlkQueue *queue, unsigned max, unsigned *begun) {
  VirtioBlk *blk = queue->blk;

  for (*begun = 0; *begun < max && !is_full(queue); (*begun)++) {
    if (blk->is_limited && must_wait(queue))
      return 1;
    int popped = virtio_pop(&blk->base, queue->index, &queue->chain);
    if (popped <= 0)
      return popped;
    if (blk->is_limited)
      rate_limit_take(&blk->requests, 1, blk_now());
    if (!blk_begin(queue, &queue->chain))
      return -1;
  }
  return 1;
}

/*
 * ROOM requests at most, and that is less then. What the host can do at once is over after the kick. The guest has
 * asked for more meanwhile: that goes into the same interrupt. But where long requests are at work, others get the
 * thread between their pieces.
 */
static int serve_some(BlkQueue *queue, unsigned *room) {
  unsigned begun;
  int more;

  do {
    more = begin_some(queue, *room, &begun);
    *room -= begun;
    disk_channel_kick(queue->channel);
  } while (begun && *room && more >= 0 && !queue->waiting.length);
  return more;
}

/*
 * Patience. Where thread and vCPU share a CPU, a doorbell takes the CPU from a guest that was about to ask for more,
 * and so each request has a doorbell, two switches and an interrupt for itself. As SCHED_BATCH, a thread that is woken
 * waits until the CPU is free (sched(7)), and finds all that the guest had to ask for. A guest that had no more goes to
 * sleep meanwhile, and has to be woken; a thread with a CPU of its own is served at once either way. Nobody tells which
 * it is, so while requests come one by one it is tried now and then, and kept as long as it is worth it.
 */
static void set_patience(BlkQueue *queue, bool has) {
  const struct sched_param none = {0};

  sched_setscheduler(0, has ? SCHED_BATCH : SCHED_OTHER, &none);
  queue->patience.has = has;
  queue->patience.rung = queue->patience.served = 0;
}

static void weigh_patience(BlkQueue *queue) {
  BlkPatience *patience = &queue->patience;

  if (patience->served >= PATIENCE_WORTH * patience->rung) {
    patience->rung = patience->served = patience->in_vain = 0;
    return;
  }
  patience->in_vain = CLAMP(2 * patience->in_vain, PATIENCE_WITHOUT_MIN, PATIENCE_WITHOUT_MAX);
  patience->without = patience->in_vain;
  set_patience(queue, false);
}

/* After a doorbell that had SERVED requests behind it, one at least. */
static void learn_patience(BlkQueue *queue, unsigned served) {
  BlkPatience *patience = &queue->patience;

  if (patience->has) {
    patience->served += served;
    if (++patience->rung == PATIENCE_TRY)
      weigh_patience(queue);
  } else if (served < PATIENCE_WORTH) {
    if (patience->without > 0)
      patience->without--;
    else if (sched_getscheduler(0) == SCHED_OTHER) /* or somebody has chosen another policy for eret */
      set_patience(queue, true);
  }
}

void blk_queue_serve(BlkQueue *queue) {
  VirtioDevice *device = &queue->blk->base;
  VirtQueue *ring = &device->queues[queue->index];
  unsigned room = BATCH;
  int more;

  if (!queue->running || (virtio_get_status(device) & VIRTIO_STATUS_NEEDS_RESET))
    return;
  virtqueue_disable_doorbell(ring);
  blk_continue(queue);
  more = serve_some(queue, &room);
  if (room < BATCH)
    learn_patience(queue, BATCH - room);
  if (more == 0 && virtqueue_enable_doorbell(ring)) {
    virtqueue_disable_doorbell(ring);
    more = 1;
  }
  queue->stalled = more > 0 && is_full(queue);
  interrupt(queue);
  /* A guest that never stops asking must not keep the thread from anything else. */
  if ((more > 0 && !queue->stalled && !queue->waits) || (queue->waiting.length && blk_has_room(queue)))
    virtio_notify_again(device, queue->index);
}

static void batch_end(void *opaque) {
  BlkQueue *queue = opaque;

  if (queue->stalled || queue->waiting.length)
    blk_queue_serve(queue);
  interrupt(queue);
}

static void waited(void *opaque) {
  BlkQueue *queue = opaque;

  queue->waits = false;
  blk_queue_serve(queue);
}

static void start(void *opaque) {
  BlkQueue *queue = opaque;

  disk_channel_start(queue->channel, queue->io);
  if (queue->blk->is_limited)
    queue->timer = io_thread_add_timer(queue->io, waited, queue);
  queue->running = true;
}

static void stop(void *opaque) {
  BlkQueue *queue = opaque;

  queue->running = queue->stalled = queue->waits = false;
  g_clear_pointer(&queue->timer, io_timer_free);
  disk_channel_stop(queue->channel);
  interrupt(queue);
}

/* On the device's. */

void blk_queue_start(BlkQueue *queue) {
  io_thread_call(queue->io, start, queue);
}

void blk_queue_stop(BlkQueue *queue) {
  if (queue->running)
    io_thread_call(queue->io, stop, queue);
}

bool blk_queue_init(BlkQueue *queue, VirtioBlk *blk, unsigned index, GError **error) {
  queue->blk = blk;
  queue->index = index;
  queue->patience.without = PATIENCE_WITHOUT_MIN;
  queue->channel = disk_channel_new(blk->image, error);
  if (!queue->channel)
    return false;
  disk_channel_set_batch_end(queue->channel, batch_end, queue);
  queue->io = index ? virtio_new_queue_thread(&blk->base, index, error) : blk->base.io;
  return queue->io != NULL;
}

void blk_queue_clear(BlkQueue *queue) {
  if (queue->index)
    io_thread_free(queue->io);
  disk_channel_free(queue->channel);
  blk_drop_waiting(queue);
  blk_free_requests(queue);
}
