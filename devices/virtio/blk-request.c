/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of the virtio block device (virtio 1.2, 5.2.6): from a chain to the disk image, and from its answer to
 * the used ring.
 *
 * How a driver cuts a request into descriptors means nothing (2.7.4): header, data and status are found by counting
 * bytes, the header from the front of what we may read, the status as the last byte of what we may write. A request
 * that has no place for a status cannot be answered, so the device then needs a reset; everything else that is wrong
 * with it becomes its status.
 *
 * The image gets a request in pieces, one at a time, so that the device can stop between them: an honest driver's read
 * or write is one. Ranges are pieces of their own.
 *
 * A write is on the disk when it completes, unless the driver took on flushing: without VIRTIO_BLK_F_FLUSH, or with the
 * cache mode set to writethrough (VIRTIO_BLK_F_CONFIG_WCE), each is followed by a flush of ours (5.2.6.2).
 *
 * Locks: none; a request belongs to its queue's thread.
 */
#include <string.h>

#include "devices/virtio/blk-internal.h"

/* Request types and status: 5.2.6. */
enum { BLK_T_IN = 0, BLK_T_OUT = 1, BLK_T_FLUSH = 4, BLK_T_GET_ID = 8, BLK_T_DISCARD = 11, BLK_T_WRITE_ZEROES = 13 };
typedef enum { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2, BLK_PENDING } BlkStatus; /* the last is ours: it comes later */

typedef struct {
  uint32_t type;
  uint32_t reserved;
  uint64_t sector;
} BlkHeader;

#define BLK_SEGMENT_F_UNMAP 1u
typedef struct {
  uint64_t sector;
  uint32_t n_sectors;
  uint32_t flags;
} BlkSegment;

struct BlkRequest {
  DiskImageRequest io; /* first */
  BlkQueue *queue;
  BlkRequest *next_free;
  uint16_t head;
  const char *kind; /* for the device's watch */
  uint64_t started, bytes;
  uint32_t written;             /* what the used ring will say */
  uint8_t *status;              /* in guest memory */
  bool changes;                 /* data, and the flush that writethrough needs is still to come */
  DiskImageOperation operation; /* of each piece */
  uint64_t offset, left;        /* bytes: what of the transfer or range was not submitted */
  uint64_t piece;               /* bytes that are with the image */
  GList link;                   /* in `waiting` */
  unsigned segment, n_segments;
  BlkSegment segments[BLK_MAX_SEGMENTS];
  DiskVector vector; /* of a transfer: what of `iov` was not submitted */
  struct iovec iov[BLK_QUEUE_SIZE];
};

/* Requests. */

static BlkRequest *request_take(BlkQueue *queue) {
  BlkRequest *request = queue->free_requests;

  if (request)
    queue->free_requests = request->next_free;
  else
    request = g_new(BlkRequest, 1);
  request->queue = queue;
  request->kind = "unknown";
  request->started = device_watch_now(queue->blk->base.watch);
  request->bytes = 0;
  request->changes = false;
  request->left = request->piece = 0;
  request->link = (GList){.data = request};
  request->segment = request->n_segments = 0;
  queue->in_flight++;
  return request;
}

static void request_release(BlkRequest *request) {
  BlkQueue *queue = request->queue;

  queue->in_flight--;
  request->next_free = queue->free_requests;
  queue->free_requests = request;
}

static void request_finish(BlkRequest *request, BlkStatus status) {
  BlkQueue *queue = request->queue;
  VirtioDevice *device = &queue->blk->base;

  *request->status = (uint8_t)status;
  device_watch_request(device->watch, device->name, queue->index, request->kind, request->bytes, request->started, status != BLK_S_OK);
  virtio_push(device, queue->index, request->head, request->written);
  queue->pushed = true;
  request_release(request);
}

static void request_done(DiskImageRequest *io, int result);

static BlkStatus submit(BlkRequest *request, DiskImageOperation operation, uint64_t offset, uint64_t size) {
  request->io.operation = operation;
  request->io.offset = offset;
  request->io.size = size;
  request->io.done = request_done;
  disk_channel_submit(request->queue->channel, &request->io);
  return BLK_PENDING;
}

/* Cuts where the disk has a multiple of the size, so that a discard leaves no part of a host's block at each cut. */
static BlkStatus submit_piece(BlkRequest *request) {
  uint64_t offset = request->offset;
  uint64_t size = request->left <= BLK_PIECE_SIZE ? request->left : BLK_PIECE_SIZE - offset % BLK_PIECE_SIZE;

  if (request->operation == DISK_IMAGE_READ || request->operation == DISK_IMAGE_WRITE)
    request->io.iov = disk_vector_take(&request->vector, size, &request->io.n_iov);
  request->offset += size;
  request->left -= size;
  request->piece = size;
  request->queue->submitted += size;
  return submit(request, request->operation, offset, size);
}

static void start_segment(BlkRequest *request) {
  const BlkSegment *segment = &request->segments[request->segment];

  request->io.may_unmap = request->queue->blk->unmaps && (segment->flags & BLK_SEGMENT_F_UNMAP);
  request->offset = segment->sector * BLK_SECTOR_SIZE;
  request->left = (uint64_t)segment->n_sectors * BLK_SECTOR_SIZE;
}

/* The guest hears that it failed, and not why: that is the host's. */
static void tell_error(BlkRequest *request, int code) {
  g_autofree char *what = g_strdup_printf("a %s failed: %s: %s", request->kind, request->io.file->path, g_strerror(code));

  log_limit_say(&request->queue->errors, request->queue->blk->base.name, what);
}

static void request_done(DiskImageRequest *io, int result) {
  BlkRequest *request = (BlkRequest *)io;
  BlkQueue *queue = request->queue;

  queue->submitted -= request->piece;
  request->piece = 0;
  if (result < 0) {
    tell_error(request, -result);
    request_finish(request, BLK_S_IOERR);
  } else if (request->left) {
    g_queue_push_tail_link(&queue->waiting, &request->link);
  } else if (request->segment + 1 < request->n_segments) {
    request->segment++;
    start_segment(request);
    g_queue_push_tail_link(&queue->waiting, &request->link);
  } else if (request->changes && !blk_is_writeback(queue->blk)) {
    request->changes = false;
    submit(request, DISK_IMAGE_FLUSH, 0, 0);
  } else {
    request_finish(request, BLK_S_OK);
  }
}

/* Once round: a piece may be over, and its request wait again, before submit returns. */
void blk_continue(BlkQueue *queue) {
  for (unsigned n = queue->waiting.length; n && blk_has_room(queue); n--)
    submit_piece(g_queue_pop_head_link(&queue->waiting)->data);
}

void blk_drop_waiting(BlkQueue *queue) {
  while (queue->waiting.length)
    request_release(g_queue_pop_head_link(&queue->waiting)->data);
}

/* The SIZE bytes from OFFSET on as a vector in TO, which has room for a whole chain. */
static void cut(struct iovec *to, const struct iovec *from, unsigned n, uint64_t offset, uint64_t size) {
  for (unsigned i = 0; i < n && size; i++) {
    uint64_t skip = MIN(offset, from[i].iov_len);
    uint64_t length = MIN(from[i].iov_len - skip, size);

    offset -= skip;
    size -= length;
    if (length)
      *to++ = (struct iovec){.iov_base = (uint8_t *)from[i].iov_base + skip, .iov_len = length};
  }
}

static bool in_range(const VirtioBlk *blk, uint64_t sector, uint64_t n_sectors) {
  uint64_t capacity = disk_image_size(blk->image) / BLK_SECTOR_SIZE;

  return sector <= capacity && n_sectors <= capacity - sector;
}

/* Request types. CHAIN has a whole header and at least a byte for the status. */

static BlkStatus transfer(BlkRequest *request, const BlkHeader *header, const VirtChain *chain, bool is_write) {
  uint64_t size = is_write ? chain->out_size - sizeof *header : chain->in_size - 1;

  if (size % BLK_SECTOR_SIZE || !in_range(request->queue->blk, header->sector, size / BLK_SECTOR_SIZE))
    return BLK_S_IOERR;
  if (!size)
    return BLK_S_OK;
  if (request->queue->blk->is_limited)
    rate_limit_take(&request->queue->blk->bytes, size, blk_now());
  request->bytes = size;
  request->changes = is_write;
  request->operation = is_write ? DISK_IMAGE_WRITE : DISK_IMAGE_READ;
  request->offset = header->sector * BLK_SECTOR_SIZE;
  request->left = size;
  if (is_write)
    cut(request->iov, chain->iov, chain->n_out, sizeof *header, size);
  else
    cut(request->iov, chain->iov + chain->n_out, chain->n_in, 0, size);
  request->vector = disk_vector(request->iov);
  device_watch_step(request->queue->blk->base.watch, DEVICE_STEP_DISK);
  return submit_piece(request);
}

static BlkStatus begin_read(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return transfer(request, header, chain, false);
}

static BlkStatus begin_write(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return transfer(request, header, chain, true);
}

static BlkStatus begin_flush(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return submit(request, DISK_IMAGE_FLUSH, 0, 0);
}

static BlkStatus begin_get_id(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  virt_chain_write(chain, 0, request->queue->blk->serial, MIN(VIRTIO_BLK_SERIAL_MAX, chain->in_size - 1));
  return BLK_S_OK;
}

/* All ranges are checked before the first is touched. */
static BlkStatus begin_ranges(BlkRequest *request, const VirtChain *chain, DiskImageOperation operation, uint32_t known_flags) {
  uint64_t size = chain->out_size - sizeof(BlkHeader);

  if (!size || size % sizeof(BlkSegment) || size > sizeof request->segments)
    return BLK_S_IOERR;
  request->n_segments = (unsigned)(size / sizeof(BlkSegment));
  virt_chain_read(chain, sizeof(BlkHeader), request->segments, size);
  for (unsigned i = 0; i < request->n_segments; i++) {
    BlkSegment *segment = &request->segments[i];

    segment->sector = GUINT64_FROM_LE(segment->sector);
    segment->n_sectors = GUINT32_FROM_LE(segment->n_sectors);
    segment->flags = GUINT32_FROM_LE(segment->flags);
    if (segment->flags & ~known_flags)
      return BLK_S_UNSUPP;
    if (segment->n_sectors > BLK_MAX_SEGMENT_SECTORS || !in_range(request->queue->blk, segment->sector, segment->n_sectors))
      return BLK_S_IOERR;
    request->bytes += (uint64_t)segment->n_sectors * BLK_SECTOR_SIZE;
  }
  request->changes = true;
  request->operation = operation;
  start_segment(request);
  return submit_piece(request);
}

static BlkStatus begin_discard(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return begin_ranges(request, chain, DISK_IMAGE_DISCARD, 0);
}

static BlkStatus begin_write_zeroes(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return begin_ranges(request, chain, DISK_IMAGE_WRITE_ZEROES, BLK_SEGMENT_F_UNMAP);
}

static const struct {
  uint32_t type;
  const char *kind;
  bool writes;
  uint64_t feature; /* that must have been negotiated, or 0 */
  BlkStatus (*begin)(BlkRequest *request, const BlkHeader *header, const VirtChain *chain);
} types[] = {
    {BLK_T_IN, "read", false, 0, begin_read},
    {BLK_T_OUT, "write", true, 0, begin_write},
    {BLK_T_FLUSH, "flush", false, 0, begin_flush},
    {BLK_T_GET_ID, "get-id", false, 0, begin_get_id},
    {BLK_T_DISCARD, "discard", true, BLK_FEATURE(BLK_F_DISCARD), begin_discard},
    {BLK_T_WRITE_ZEROES, "write-zeroes", true, BLK_FEATURE(BLK_F_WRITE_ZEROES), begin_write_zeroes},
};

static BlkStatus begin_type(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  const VirtioBlk *blk = request->queue->blk;

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
    if (types[i].type != header->type)
      continue;
    request->kind = types[i].kind;
    if (types[i].writes && disk_image_read_only(blk->image))
      return BLK_S_IOERR;
    if (types[i].feature & ~blk->base.features)
      return BLK_S_UNSUPP;
    return types[i].begin(request, header, chain);
  }
  return BLK_S_UNSUPP;
}

static uint8_t *last_byte(const VirtChain *chain) {
  unsigned i = chain->n_out + chain->n_in - 1;

  while (i > chain->n_out && !chain->iov[i].iov_len)
    i--;
  return (uint8_t *)chain->iov[i].iov_base + chain->iov[i].iov_len - 1;
}

/* False: the chain was no request, and the device has failed. */
bool blk_begin(BlkQueue *queue, const VirtChain *chain) {
  BlkRequest *request;
  BlkHeader header;
  BlkStatus status;

  if (chain->out_size < sizeof header || !chain->in_size || chain->n_out + chain->n_in > BLK_QUEUE_SIZE) {
    virtio_fail(&queue->blk->base, "a block request without a whole header or without a place for its status");
    return false;
  }
  virt_chain_read(chain, 0, &header, sizeof header);
  header = (BlkHeader){.type = GUINT32_FROM_LE(header.type), .sector = GUINT64_FROM_LE(header.sector)};
  request = request_take(queue);
  request->head = chain->head;
  request->written = (uint32_t)MIN(chain->in_size, UINT32_MAX);
  request->status = last_byte(chain);
  status = begin_type(request, &header, chain);
  if (status != BLK_PENDING)
    request_finish(request, status);
  return true;
}

void blk_free_requests(BlkQueue *queue) {
  BlkRequest *request;

  while ((request = queue->free_requests)) {
    queue->free_requests = request->next_free;
    g_free(request);
  }
}
