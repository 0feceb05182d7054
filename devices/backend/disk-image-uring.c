/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on io_uring: reads, writes and flushes go to the kernel many at a time with one system call. What the
 * kernel could do at once (data in its page cache) is over when that call returns, and is delivered then; for the rest
 * the I/O thread waits on the ring's own descriptor, which is readable while there are completions. Discards, zeroing,
 * and whatever the ring turns down go to a helper of threads, which knows what to fall back on; it is made when first
 * needed. See io_uring(7), io_uring_enter(2).
 *
 * A file in memory (tmpfs) has nothing to wait for, unless it was swapped out; yet its file system cannot be asked not
 * to wait (RWF_NOWAIT), and so the kernel hands each request to a worker of its own. These are carried out here, with
 * plain system calls, when it is their turn.
 *
 * At most DEPTH requests are in the ring, so the completion ring (twice as long) cannot overflow; others wait in
 * `queued`. A flush is an fdatasync that begins after it was submitted, so it covers every write whose completion came
 * before.
 *
 * Locks: none; all of it belongs to the I/O thread.
 */
#include <errno.h>
#include <liburing.h>

#include "devices/backend/disk-image-engine.h"

#define DEPTH    128
#define RETRY_US 1000

typedef struct {
  DiskEngine base;
  DiskEngine *helper; /* or NULL; started when this one is */
  IoThread *thread;   /* while started */
  struct io_uring ring;
  bool have_ring;
  DiskRequestList queued;
  unsigned in_ring;
  bool advancing;
} UringEngine;

static void prepare(UringEngine *self, struct io_uring_sqe *sqe, DiskImageRequest *request) {
  switch (request->operation) {
  case DISK_IMAGE_READ:
    io_uring_prep_readv(sqe, request->file->fd, request->iov, disk_request_n_iov(request), request->offset);
    break;
  case DISK_IMAGE_WRITE:
    io_uring_prep_writev(sqe, request->file->fd, request->iov, disk_request_n_iov(request), request->offset);
    break;
  default:
    io_uring_prep_fsync(sqe, request->file->fd, IORING_FSYNC_DATASYNC);
    break;
  }
  io_uring_sqe_set_data(sqe, request);
}

static void try_again(void *opaque);

/*
 * What the kernel does not take (it has no memory just now) stays in the submission ring. Completions submit again, but
 * there may be none to come, so the I/O thread calls itself.
 */
static void submit_prepared(UringEngine *self) {
  int submitted;

  do
    submitted = io_uring_submit(&self->ring);
  while (submitted == -EINTR || (submitted > 0 && io_uring_sq_ready(&self->ring)));
  if (submitted <= 0 && self->thread)
    io_thread_post(self->thread, try_again, self);
}

/* Of the first that is queued. False: the ring has no room. */
static bool put_into_ring(UringEngine *self) {
  struct io_uring_sqe *sqe = self->in_ring < DEPTH ? io_uring_get_sqe(&self->ring) : NULL;

  if (!sqe)
    return false;
  prepare(self, sqe, disk_request_list_take(&self->queued));
  self->in_ring++;
  return true;
}

/* Whether any was carried out on the way, and delivered. */
static bool submit_queued(UringEngine *self) {
  bool any = false;

  while (self->queued.first) {
    if (self->queued.first->file->in_memory) {
      DiskImageRequest *request = disk_request_list_take(&self->queued);

      disk_engine_finish(&self->base, request, disk_request_perform(request));
      any = true;
    } else if (!put_into_ring(self)) {
      break;
    }
  }
  if (io_uring_sq_ready(&self->ring))
    submit_prepared(self);
  return any;
}

/* What the callbacks of a helper's batch have submitted may be for the ring. */
static void helper_batch_end(void *opaque) {
  UringEngine *self = opaque;

  disk_engine_end_batch(&self->base);
}

static void delegate(UringEngine *self, DiskImageRequest *request) {
  if (!self->helper) {
    self->helper = disk_engine_threads_new();
    if (self->helper) {
      self->helper->batch_end = helper_batch_end;
      self->helper->opaque = self;
      self->helper->ops->start(self->helper, self->thread);
    }
  }
  if (!self->helper) {
    /* No descriptor left for a helper. */
    disk_engine_finish(&self->base, request, disk_request_perform(request));
    return;
  }
  self->base.outstanding--;
  self->helper->ops->submit(self->helper, request);
}

/* Whether it is one of those that the kernel is asked for as they are. */
static bool is_for_ring(const DiskImageRequest *request) {
  if (request->operation == DISK_IMAGE_FLUSH)
    return true;
  return (request->operation == DISK_IMAGE_READ || request->operation == DISK_IMAGE_WRITE) && !disk_request_must_bounce(request);
}

static void uring_submit(DiskEngine *engine, DiskImageRequest *request) {
  UringEngine *self = (UringEngine *)engine;

  engine->outstanding++;
  if (!is_for_ring(request))
    delegate(self, request);
  else
    disk_request_list_append(&self->queued, request);
}

static void complete(UringEngine *self, DiskImageRequest *request, int result) {
  bool transfers = request->operation != DISK_IMAGE_FLUSH;

  if (result > 0 && transfers) {
    disk_request_advance(request, (uint64_t)result);
    result = 0;
    if (request->size) {
      disk_request_list_append(&self->queued, request); /* the rest of a short transfer */
      return;
    }
  } else if (result == 0 && transfers && request->size) {
    result = disk_request_at_end(request);
  }
  if (result == -EINTR)
    disk_request_list_append(&self->queued, request);
  else if (result == -EAGAIN || result == -ECANCELED || result == -EINVAL || result == -EOPNOTSUPP)
    delegate(self, request); /* plain system calls may do it, or else give the true reason */
  else
    disk_engine_finish(&self->base, request, result);
}

/* Whether there was a completion. */
static bool reap(UringEngine *self) {
  struct io_uring_cqe *cqe;
  bool any = false;

  while (io_uring_peek_cqe(&self->ring, &cqe) == 0) {
    DiskImageRequest *request = io_uring_cqe_get_data(cqe);
    int result = cqe->res;

    /* First give the slot back: DONE may submit, and must find what is true. */
    io_uring_cqe_seen(&self->ring, cqe);
    self->in_ring--;
    complete(self, request, result);
    any = true;
  }
  return any;
}

/*
 * Submits what is queued and delivers what is over, until one or the other is nothing. Whether anything was delivered.
 */
static bool advance(UringEngine *self) {
  bool any = false, reaped;

  if (self->advancing)
    return false; /* a DONE that kicks: its caller goes on below */
  self->advancing = true;
  do {
    any |= submit_queued(self);
    reaped = reap(self);
    any |= reaped;
  } while (reaped && self->queued.first);
  self->advancing = false;
  if (self->helper)
    self->helper->ops->kick(self->helper);
  return any;
}

static void uring_kick(DiskEngine *engine) {
  advance((UringEngine *)engine);
}

static void completed(void *opaque) {
  UringEngine *self = opaque;

  if (advance(self))
    disk_engine_end_batch(&self->base);
}

static void try_again(void *opaque) {
  UringEngine *self = opaque;

  if (self->thread)
    completed(self);
}

static void uring_start(DiskEngine *engine, IoThread *thread) {
  UringEngine *self = (UringEngine *)engine;

  self->thread = thread;
  engine->source = io_thread_add_source(thread, self->ring.ring_fd, completed, self);
  if (self->helper)
    self->helper->ops->start(self->helper, thread);
}

static void uring_drain(DiskEngine *engine) {
  UringEngine *self = (UringEngine *)engine;

  while (engine->outstanding || (self->helper && self->helper->outstanding)) {
    struct io_uring_cqe *cqe;

    if (advance(self))
      disk_engine_end_batch(engine);
    else if (self->in_ring > io_uring_sq_ready(&self->ring))
      io_uring_wait_cqe(&self->ring, &cqe);
    else if (self->helper && self->helper->outstanding)
      self->helper->ops->drain(self->helper);
    else
      g_usleep(RETRY_US); /* the kernel took nothing */
  }
}

static void uring_stop(DiskEngine *engine) {
  UringEngine *self = (UringEngine *)engine;

  if (self->helper)
    disk_engine_stop(self->helper);
  self->thread = NULL;
}

static void uring_free(DiskEngine *engine) {
  UringEngine *self = (UringEngine *)engine;

  if (self->helper)
    self->helper->ops->free(self->helper);
  if (self->have_ring)
    io_uring_queue_exit(&self->ring);
  g_free(self);
}

static const DiskEngineOps uring_ops = {
    .name = "io_uring",
    .start = uring_start,
    .drain = uring_drain,
    .stop = uring_stop,
    .submit = uring_submit,
    .kick = uring_kick,
    .free = uring_free,
};

/*
 * What a ring carries out no system-call filter sees. So it takes what the engine asks for, and nothing else, from
 * before the first request on. Linux 5.10: io_uring_register(2), IORING_REGISTER_RESTRICTIONS.
 */
static int restrict_ring(struct io_uring *ring) {
  struct io_uring_restriction only[] = {
      {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV},
      {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV},
      {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC},
  };
  /* liburing 2.3 declares functions for these two, and has none. */
  int result = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, only, G_N_ELEMENTS(only));

  return result < 0 ? result : io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

DiskEngine *disk_engine_uring_new(void) {
  UringEngine *self = g_new0(UringEngine, 1);
  int result;

  self->base = (DiskEngine){.ops = &uring_ops};
  result = io_uring_queue_init(DEPTH, &self->ring, IORING_SETUP_R_DISABLED);
  self->have_ring = result == 0;
  if (result == 0)
    result = restrict_ring(&self->ring);
  if (result < 0) {
    uring_free(&self->base);
    errno = -result;
    return NULL;
  }
  return &self->base;
}
