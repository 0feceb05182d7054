/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that works everywhere: up to MAX_WORKERS threads, made when there is work for them, each performing one
 * request at a time with plain system calls. Also the helper of the io_uring engine for the operations that need a
 * fallback.
 *
 * A flush is an fdatasync that begins after it was submitted, so it covers every write whose completion came before.
 *
 * Locks: `lock` guards the two lists between I/O thread and workers, and the counts of workers. `staged` is the I/O
 * thread's own.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/backend/disk-image-engine.h"

#define MAX_WORKERS 4

typedef struct {
  DiskEngine base;
  int event_fd; /* readable while `finished` has something */
  DiskRequestList staged;

  GMutex lock;
  GCond work;
  DiskRequestList pending, finished;
  unsigned n_pending;
  GThread *workers[MAX_WORKERS];
  unsigned n_workers, n_idle;
  bool quit;
} ThreadsEngine;

static void publish(ThreadsEngine *self, DiskImageRequest *request) {
  if (!self->finished.first)
    eventfd_write(self->event_fd, 1);
  disk_request_list_append(&self->finished, request);
}

static void *worker(void *data) {
  ThreadsEngine *self = data;
  DiskImageRequest *request;

  g_mutex_lock(&self->lock);
  while (!self->quit) {
    request = disk_request_list_take(&self->pending);
    if (!request) {
      self->n_idle++;
      g_cond_wait(&self->work, &self->lock);
      self->n_idle--;
      continue;
    }
    self->n_pending--;
    g_mutex_unlock(&self->lock);
    request->result = disk_request_perform(request);
    g_mutex_lock(&self->lock);
    publish(self, request);
  }
  g_mutex_unlock(&self->lock);
  return NULL;
}

/*
 * As many workers as there are requests that no idle one will take. Holds the lock. They inherit the I/O thread's
 * signal mask.
 */
static void add_workers(ThreadsEngine *self) {
  for (unsigned wanted = self->n_pending; wanted > self->n_idle && self->n_workers < MAX_WORKERS; wanted--) {
    GThread *thread = g_thread_try_new("disk", worker, self, NULL);

    if (!thread)
      return;
    self->workers[self->n_workers++] = thread;
  }
}

/* Without a single thread to be had, the I/O thread does the work: slow, but nothing is lost. Holds the lock. */
static void perform_here(ThreadsEngine *self) {
  DiskImageRequest *request;

  while ((request = disk_request_list_take(&self->pending))) {
    self->n_pending--;
    request->result = disk_request_perform(request);
    publish(self, request);
  }
}

static void threads_kick(DiskEngine *engine) {
  ThreadsEngine *self = (ThreadsEngine *)engine;
  DiskImageRequest *request;

  if (!self->staged.first)
    return;
  g_mutex_lock(&self->lock);
  while ((request = disk_request_list_take(&self->staged))) {
    disk_request_list_append(&self->pending, request);
    self->n_pending++;
    g_cond_signal(&self->work);
  }
  add_workers(self);
  if (!self->n_workers)
    perform_here(self);
  g_mutex_unlock(&self->lock);
}

static void threads_submit(DiskEngine *engine, DiskImageRequest *request) {
  ThreadsEngine *self = (ThreadsEngine *)engine;

  engine->outstanding++;
  disk_request_list_append(&self->staged, request);
}

static void deliver(void *opaque) {
  ThreadsEngine *self = opaque;
  DiskRequestList finished;
  DiskImageRequest *request;
  eventfd_t count;

  g_mutex_lock(&self->lock);
  eventfd_read(self->event_fd, &count); /* back to not readable; the list is what counts */
  finished = self->finished;
  self->finished = (DiskRequestList){0};
  g_mutex_unlock(&self->lock);
  if (!finished.first)
    return;
  while ((request = disk_request_list_take(&finished)))
    disk_engine_finish(&self->base, request, request->result);
  disk_engine_end_batch(&self->base);
}

static void threads_start(DiskEngine *engine, IoThread *thread) {
  engine->source = io_thread_add_source(thread, ((ThreadsEngine *)engine)->event_fd, deliver, engine);
}

static void threads_drain(DiskEngine *engine) {
  ThreadsEngine *self = (ThreadsEngine *)engine;

  while (engine->outstanding) {
    struct pollfd ready = {.fd = self->event_fd, .events = POLLIN};

    threads_kick(engine);
    poll(&ready, 1, -1);
    deliver(self);
  }
}

static void threads_free(DiskEngine *engine) {
  ThreadsEngine *self = (ThreadsEngine *)engine;

  g_mutex_lock(&self->lock);
  self->quit = true;
  g_cond_broadcast(&self->work);
  g_mutex_unlock(&self->lock);
  for (unsigned i = 0; i < self->n_workers; i++)
    g_thread_join(self->workers[i]);
  if (self->event_fd >= 0)
    close(self->event_fd);
  g_cond_clear(&self->work);
  g_mutex_clear(&self->lock);
  g_free(self);
}

static const DiskEngineOps threads_ops = {
    .name = "threads",
    .start = threads_start,
    .drain = threads_drain,
    .submit = threads_submit,
    .kick = threads_kick,
    .free = threads_free,
};

DiskEngine *disk_engine_threads_new(void) {
  ThreadsEngine *self = g_new0(ThreadsEngine, 1);

  self->base = (DiskEngine){.ops = &threads_ops};
  g_mutex_init(&self->lock);
  g_cond_init(&self->work);
  self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->event_fd < 0) {
    threads_free(&self->base);
    return NULL;
  }
  return &self->base;
}
