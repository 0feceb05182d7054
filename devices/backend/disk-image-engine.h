/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a channel (disk-image-channel.c) asks of an engine, the way it moves bytes: io_uring (disk-image-uring.c) or
 * threads (disk-image-threads.c). Everything here runs on the I/O thread, except disk_request_perform, which is what a
 * worker thread does.
 */
#pragma once

#include "devices/backend/disk-image.h"

typedef struct DiskEngine DiskEngine;

typedef struct {
  const char *name;
  void (*start)(DiskEngine *engine, IoThread *thread);
  /* Waits until nothing is outstanding, including what the callbacks add meanwhile. */
  void (*drain)(DiskEngine *engine);
  void (*stop)(DiskEngine *engine); /* after drain; optional */
  void (*submit)(DiskEngine *engine, DiskImageRequest *request);
  void (*kick)(DiskEngine *engine);
  void (*free)(DiskEngine *engine); /* stopped */
} DiskEngineOps;

struct DiskEngine {
  const DiskEngineOps *ops;
  IoSource *source;     /* of completions, while started */
  unsigned outstanding; /* submitted, DONE not yet called */
  void (*batch_end)(void *opaque);
  void *opaque;
};

/* For requests to any files. NULL, with errno, where the host has no io_uring for us, or no descriptors. */
DiskEngine *disk_engine_uring_new(void);
DiskEngine *disk_engine_threads_new(void);

/* Requests in order, linked through their NEXT. */
typedef struct {
  DiskImageRequest *first, *last;
} DiskRequestList;

static inline void disk_request_list_append(DiskRequestList *list, DiskImageRequest *request) {
  request->next = NULL;
  if (list->first)
    list->last->next = request;
  else
    list->first = request;
  list->last = request;
}

static inline DiskImageRequest *disk_request_list_take(DiskRequestList *list) {
  DiskImageRequest *request = list->first;

  if (request)
    list->first = request->next;
  return request;
}

/* The next preadv or pwritev of a READ or WRITE may take this many elements of its vector. */
unsigned disk_request_n_iov(const DiskImageRequest *request);
/* SIZE bytes of a READ or WRITE are done: drops them from its front. */
void disk_request_advance(DiskImageRequest *request, uint64_t size);
/*
 * What a READ or WRITE comes to for which nothing was moved: 0 if what is left of it fills up the file's last block,
 * and was read as zeros; else the file has shrunk under us, and it is a negative errno.
 */
int disk_request_at_end(const DiskImageRequest *request);
/* Performs a READ or WRITE by MOVE, which is as preadv(2) and pwritev(2) of what is left of it, or of its beginning. */
int disk_request_transfer(DiskImageRequest *request, ssize_t (*move)(const DiskImageRequest *request, void *opaque), void *opaque);
/* Of a file with direct I/O, a READ or WRITE: whether its buffers are as the file wants them. */
bool disk_request_fits(const DiskImageRequest *request);
static inline bool disk_request_must_bounce(const DiskImageRequest *request) {
  return request->file->direct_memory && !disk_request_fits(request);
}
/* Performs it, with others. */
int disk_request_bounce(DiskImageRequest *request);
/* The whole request with plain system calls, waiting for them: 0 or a negative errno. Any thread. */
int disk_request_perform(DiskImageRequest *request);

static inline void disk_engine_stop(DiskEngine *engine) {
  if (engine->ops->stop)
    engine->ops->stop(engine);
  g_clear_pointer(&engine->source, io_source_free);
}

/* For engines: the request is over. */
static inline void disk_engine_finish(DiskEngine *engine, DiskImageRequest *request, int result) {
  engine->outstanding--;
  request->done(request, result);
}

/* For engines: the last of some completions was delivered, and not from within a kick. */
static inline void disk_engine_end_batch(DiskEngine *engine) {
  engine->ops->kick(engine);
  if (engine->batch_end)
    engine->batch_end(engine->opaque);
}
