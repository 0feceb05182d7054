/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of an image whose file stays as it is. What changes something goes to the overlay, whole sectors to where
 * they are in the image, so nothing has to be read or copied first; when it is done its sectors are marked, and not
 * before: until then, and where it fails, what was there is still there. A read is cut into runs of sectors that are
 * all in the one file or all in the other, one after the other, so that the most ragged image costs time and no memory;
 * one that is a run as a whole, as nearly all are, goes through as it is.
 *
 * Discarded sectors are holes in the overlay that count as written: they read as zeros, whatever the image has there.
 * A flush has nothing to do: when the host goes down, the overlay is gone.
 *
 * Two requests at a time for the same sectors are in no order, as on any disk.
 *
 * Locks: none but that of the overlay's map. A request is its channel's thread's.
 */
#include "devices/backend/disk-image-internal.h"

/* The next sectors of a read that lie in one file, of SIZE bytes at OFFSET: as many bytes. */
static uint64_t aim_read(DiskImageRequest *request, uint64_t offset, uint64_t size) {
  const DiskImage *image = request->channel->image;
  bool written;
  uint64_t run = sector_map_run(image->overlay->written, offset / DISK_SECTOR_SIZE, size / DISK_SECTOR_SIZE, &written);

  request->file = written ? &image->overlay->file : &image->file;
  return run * DISK_SECTOR_SIZE;
}

static void submit(DiskImageRequest *request) {
  DiskEngine *engine = request->channel->engine;

  engine->ops->submit(engine, request);
}

static void finish(DiskImageRequest *request, int result) {
  request->done = request->whole.done;
  request->done(request, result);
}

static void submit_run(DiskImageRequest *request, uint64_t run) {
  request->offset = request->whole.offset;
  request->size = run;
  request->iov = disk_vector_take(&request->whole.vector, run, &request->n_iov);
  request->whole.offset += run;
  request->whole.size -= run;
  submit(request);
}

static void run_read(DiskImageRequest *request, int result) {
  if (result < 0 || !request->whole.size)
    finish(request, result);
  else
    submit_run(request, aim_read(request, request->whole.offset, request->whole.size));
}

static void submit_read(DiskImageRequest *request) {
  uint64_t run = aim_read(request, request->offset, request->size);

  if (run >= request->size) {
    submit(request);
    return;
  }
  request->whole.vector = disk_vector(request->iov);
  request->done = run_read;
  submit_run(request, run);
}

static void changed(DiskImageRequest *request, int result) {
  if (result == 0)
    sector_map_mark(request->channel->image->overlay->written, request->whole.offset / DISK_SECTOR_SIZE,
                    request->whole.size / DISK_SECTOR_SIZE);
  finish(request, result);
}

void disk_channel_submit_overlaid(DiskChannel *channel, DiskImageRequest *request) {
  request->channel = channel;
  request->file = &channel->image->overlay->file;
  if (request->operation == DISK_IMAGE_FLUSH || !request->size) {
    request->done(request, 0);
    return;
  }
  request->whole.offset = request->offset;
  request->whole.size = request->size;
  request->whole.done = request->done;
  if (request->operation == DISK_IMAGE_READ) {
    submit_read(request);
    return;
  }
  request->may_unmap = true; /* of its blocks the guest knows nothing */
  request->done = changed;
  submit(request);
}
