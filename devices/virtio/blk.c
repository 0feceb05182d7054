/*
 * The virtio block device (virtio 1.2, 5.2) on a disk image: one queue, reads, writes, flush, discard, write-zeroes and the serial.
 *
 * How a driver cuts a request into descriptors means nothing (2.7.4): header, data and status are found by counting bytes, the header from
 * the front of what we may read, the status as the last byte of what we may write. A request that has no place for a status cannot be
 * answered, so the device then needs a reset; everything else that is wrong with it becomes its status.
 *
 * A write is on the disk when it completes, unless the driver took on flushing: without VIRTIO_BLK_F_FLUSH, or with the cache mode set to
 * writethrough (VIRTIO_BLK_F_CONFIG_WCE), each is followed by a flush of ours (5.2.6.2).
 *
 * At most QUEUE_SIZE requests are in flight, made when needed and kept. More in a queue of that size is a guest that offers a chain twice; it
 * then waits for itself.
 *
 * Locks: none. Requests belong to the I/O thread; `cache_mode` is atomic, as the driver writes it from a vCPU thread.
 */
#include "devices/virtio/blk.h"

#include <stddef.h>
#include <string.h>

#define SECTOR_SIZE  512
#define QUEUE_SIZE   128
#define MAX_SEGMENTS 16 /* ranges in one discard or write-zeroes */
/* 1 GiB in one discard or write-zeroes: where the host has to write the zeros itself, that is a second, not minutes. */
#define MAX_SEGMENT_SECTORS (1u << 21)
/* Hosts keep files in 4 KiB blocks. */
#define PHYSICAL_BLOCK_EXP     3
#define PHYSICAL_BLOCK_SECTORS (1u << PHYSICAL_BLOCK_EXP)

/* Feature bits: 5.2.3. */
enum {
  BLK_F_SEG_MAX = 2,
  BLK_F_RO = 5,
  BLK_F_BLK_SIZE = 6,
  BLK_F_FLUSH = 9,
  BLK_F_TOPOLOGY = 10,
  BLK_F_CONFIG_WCE = 11,
  BLK_F_DISCARD = 13,
  BLK_F_WRITE_ZEROES = 14,
};
#define FEATURE(bit) (UINT64_C(1) << (bit))

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

/* 5.2.4, little-endian. */
typedef struct {
  uint64_t capacity;
  uint32_t size_max, seg_max;
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint32_t blk_size;
  uint8_t physical_block_exp, alignment_offset;
  uint16_t min_io_size;
  uint32_t opt_io_size;
  uint8_t writeback, unused0;
  uint16_t num_queues;
  uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
  uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
  uint8_t write_zeroes_may_unmap, unused1[3];
} BlkConfig;
G_STATIC_ASSERT(offsetof(BlkConfig, writeback) == 32 && sizeof(BlkConfig) == 64 && offsetof(BlkConfig, write_zeroes_may_unmap) == 56);
#define BLK_CONFIG_SIZE 60 /* the struct is padded */

typedef enum { CACHE_MODE_DEFAULT = -1, CACHE_MODE_WRITETHROUGH = 0, CACHE_MODE_WRITEBACK = 1 } CacheMode;

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkRequest BlkRequest;

struct BlkRequest {
  DiskImageRequest io; /* first */
  VirtioBlk *blk;
  BlkRequest *next_free;
  uint16_t head;
  uint32_t written; /* what the used ring will say */
  uint8_t *status;  /* in guest memory */
  bool changes;     /* data, and the flush that writethrough needs is still to come */
  unsigned segment, n_segments;
  BlkSegment segments[MAX_SEGMENTS];
  struct iovec iov[QUEUE_SIZE];
};

struct VirtioBlk {
  VirtioDevice base;
  DiskImage *image;
  uint8_t serial[VIRTIO_BLK_SERIAL_MAX]; /* padded with zeros */
  int cache_mode;                        /* CacheMode; atomic */

  /* The I/O thread's. */
  bool running;
  bool stalled; /* the queue was left alone as too many are in flight */
  bool pushed;  /* and no interrupt since */
  unsigned in_flight;
  BlkRequest *free_requests;
  VirtChain chain;
};

static bool is_writeback(const VirtioBlk *blk) {
  int mode = g_atomic_int_get(&blk->cache_mode);

  if ((blk->base.features & FEATURE(BLK_F_CONFIG_WCE)) && mode != CACHE_MODE_DEFAULT)
    return mode == CACHE_MODE_WRITEBACK;
  return blk->base.features & FEATURE(BLK_F_FLUSH);
}

/* Requests. */

static BlkRequest *request_take(VirtioBlk *blk) {
  BlkRequest *request = blk->free_requests;

  if (request)
    blk->free_requests = request->next_free;
  else
    request = g_new(BlkRequest, 1);
  request->blk = blk;
  request->changes = false;
  request->segment = request->n_segments = 0;
  blk->in_flight++;
  return request;
}

static void request_finish(BlkRequest *request, BlkStatus status) {
  VirtioBlk *blk = request->blk;

  *request->status = (uint8_t)status;
  virtio_push(&blk->base, 0, request->head, request->written);
  blk->pushed = true;
  blk->in_flight--;
  request->next_free = blk->free_requests;
  blk->free_requests = request;
}

static void request_done(DiskImageRequest *io, int result);

static BlkStatus submit(BlkRequest *request, DiskImageOperation operation, uint64_t sector, uint64_t size) {
  request->io.operation = operation;
  request->io.offset = sector * SECTOR_SIZE;
  request->io.size = size;
  request->io.done = request_done;
  disk_image_submit(request->blk->image, &request->io);
  return BLK_PENDING;
}

static BlkStatus submit_segment(BlkRequest *request) {
  const BlkSegment *segment = &request->segments[request->segment];

  request->io.may_unmap = segment->flags & BLK_SEGMENT_F_UNMAP;
  return submit(request, request->io.operation, segment->sector, (uint64_t)segment->n_sectors * SECTOR_SIZE);
}

static void request_done(DiskImageRequest *io, int result) {
  BlkRequest *request = (BlkRequest *)io;

  if (result < 0) {
    request_finish(request, BLK_S_IOERR);
  } else if (request->segment + 1 < request->n_segments) {
    request->segment++;
    submit_segment(request);
  } else if (request->changes && !is_writeback(request->blk)) {
    request->changes = false;
    submit(request, DISK_IMAGE_FLUSH, 0, 0);
  } else {
    request_finish(request, BLK_S_OK);
  }
}

/* The SIZE bytes from OFFSET on as a vector in TO, which has room for a whole chain. */
static unsigned cut(struct iovec *to, const struct iovec *from, unsigned n, uint64_t offset, uint64_t size) {
  unsigned n_to = 0;

  for (unsigned i = 0; i < n && size; i++) {
    uint64_t skip = MIN(offset, from[i].iov_len);
    uint64_t length = MIN(from[i].iov_len - skip, size);

    offset -= skip;
    size -= length;
    if (length)
      to[n_to++] = (struct iovec){.iov_base = (uint8_t *)from[i].iov_base + skip, .iov_len = length};
  }
  return n_to;
}

static bool in_range(const VirtioBlk *blk, uint64_t sector, uint64_t n_sectors) {
  uint64_t capacity = disk_image_size(blk->image) / SECTOR_SIZE;

  return sector <= capacity && n_sectors <= capacity - sector;
}

/* Request types. CHAIN has a whole header and at least a byte for the status. */

static BlkStatus transfer(BlkRequest *request, const BlkHeader *header, const VirtChain *chain, bool is_write) {
  uint64_t size = is_write ? chain->out_size - sizeof *header : chain->in_size - 1;

  if (size % SECTOR_SIZE || !in_range(request->blk, header->sector, size / SECTOR_SIZE))
    return BLK_S_IOERR;
  if (!size)
    return BLK_S_OK;
  request->changes = is_write;
  request->io.iov = request->iov;
  request->io.n_iov = is_write ? cut(request->iov, chain->iov, chain->n_out, sizeof *header, size)
                               : cut(request->iov, chain->iov + chain->n_out, chain->n_in, 0, size);
  return submit(request, is_write ? DISK_IMAGE_WRITE : DISK_IMAGE_READ, header->sector, size);
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
  virt_chain_write(chain, 0, request->blk->serial, MIN(VIRTIO_BLK_SERIAL_MAX, chain->in_size - 1));
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
    if (segment->n_sectors > MAX_SEGMENT_SECTORS || !in_range(request->blk, segment->sector, segment->n_sectors))
      return BLK_S_IOERR;
  }
  request->changes = true;
  request->io.operation = operation;
  return submit_segment(request);
}

static BlkStatus begin_discard(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return begin_ranges(request, chain, DISK_IMAGE_DISCARD, 0);
}

static BlkStatus begin_write_zeroes(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  return begin_ranges(request, chain, DISK_IMAGE_WRITE_ZEROES, BLK_SEGMENT_F_UNMAP);
}

static const struct {
  uint32_t type;
  bool writes;
  uint64_t feature; /* that must have been negotiated, or 0 */
  BlkStatus (*begin)(BlkRequest *request, const BlkHeader *header, const VirtChain *chain);
} types[] = {
    {BLK_T_IN, false, 0, begin_read},
    {BLK_T_OUT, true, 0, begin_write},
    {BLK_T_FLUSH, false, 0, begin_flush},
    {BLK_T_GET_ID, false, 0, begin_get_id},
    {BLK_T_DISCARD, true, FEATURE(BLK_F_DISCARD), begin_discard},
    {BLK_T_WRITE_ZEROES, true, FEATURE(BLK_F_WRITE_ZEROES), begin_write_zeroes},
};

static BlkStatus begin_type(BlkRequest *request, const BlkHeader *header, const VirtChain *chain) {
  const VirtioBlk *blk = request->blk;

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
    if (types[i].type != header->type)
      continue;
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
static bool begin(VirtioBlk *blk, const VirtChain *chain) {
  BlkRequest *request;
  BlkHeader header;
  BlkStatus status;

  if (chain->out_size < sizeof header || !chain->in_size || chain->n_out + chain->n_in > QUEUE_SIZE) {
    virtio_fail(&blk->base, "a block request without a whole header or without a place for its status");
    return false;
  }
  virt_chain_read(chain, 0, &header, sizeof header);
  header = (BlkHeader){.type = GUINT32_FROM_LE(header.type), .sector = GUINT64_FROM_LE(header.sector)};
  request = request_take(blk);
  request->head = chain->head;
  request->written = (uint32_t)MIN(chain->in_size, UINT32_MAX);
  request->status = last_byte(chain);
  status = begin_type(request, &header, chain);
  if (status != BLK_PENDING)
    request_finish(request, status);
  return true;
}

/* The queue. */

static void interrupt(VirtioBlk *blk) {
  if (blk->pushed)
    virtio_interrupt(&blk->base, 0);
  blk->pushed = false;
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed. */
static int begin_some(VirtioBlk *blk) {
  int popped = 1;

  for (unsigned n = 0; n < QUEUE_SIZE && blk->in_flight < QUEUE_SIZE; n++) {
    popped = virtio_pop(&blk->base, 0, &blk->chain);
    if (popped <= 0)
      return popped;
    if (!begin(blk, &blk->chain))
      return -1;
  }
  return popped;
}

static void serve(VirtioBlk *blk) {
  VirtQueue *queue = &blk->base.queues[0];
  int more;

  if (!blk->running || (virtio_get_status(&blk->base) & VIRTIO_STATUS_NEEDS_RESET))
    return;
  virtqueue_disable_doorbell(queue);
  more = begin_some(blk);
  if (more == 0 && virtqueue_enable_doorbell(queue)) {
    virtqueue_disable_doorbell(queue);
    more = 1;
  }
  blk->stalled = more > 0 && blk->in_flight == QUEUE_SIZE;
  disk_image_kick(blk->image);
  interrupt(blk);
  /* A guest that never stops asking must not keep the thread from anything else. */
  if (more > 0 && !blk->stalled)
    virtio_ring_doorbell(&blk->base, 0);
}

static void batch_end(void *opaque) {
  VirtioBlk *blk = opaque;

  interrupt(blk);
  if (blk->stalled)
    serve(blk);
}

static void blk_notify(VirtioDevice *device, unsigned queue) {
  serve((VirtioBlk *)device);
}

static void blk_start(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;
  g_autoptr(GError) error = NULL;

  if (!disk_image_start(blk->image, device->io, &error)) {
    virtio_fail(device, error->message);
    return;
  }
  blk->running = true;
}

static void blk_stop(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  if (!blk->running)
    return;
  blk->running = false;
  blk->stalled = false;
  disk_image_stop(blk->image);
  interrupt(blk);
}

/* Configuration. */

static void blk_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const VirtioBlk *blk = (const VirtioBlk *)device;
  const BlkConfig config = {
      .capacity = GUINT64_TO_LE(disk_image_size(blk->image) / SECTOR_SIZE),
      .seg_max = GUINT32_TO_LE(QUEUE_SIZE - 2), /* header and status take one descriptor each */
      .blk_size = GUINT32_TO_LE(SECTOR_SIZE),
      .physical_block_exp = PHYSICAL_BLOCK_EXP,
      .min_io_size = GUINT16_TO_LE(PHYSICAL_BLOCK_SECTORS),
      .writeback = is_writeback(blk),
      .num_queues = GUINT16_TO_LE(1),
      .max_discard_sectors = GUINT32_TO_LE(MAX_SEGMENT_SECTORS),
      .max_discard_seg = GUINT32_TO_LE(MAX_SEGMENTS),
      .discard_sector_alignment = GUINT32_TO_LE(PHYSICAL_BLOCK_SECTORS),
      .max_write_zeroes_sectors = GUINT32_TO_LE(MAX_SEGMENT_SECTORS),
      .max_write_zeroes_seg = GUINT32_TO_LE(MAX_SEGMENTS),
      .write_zeroes_may_unmap = 1,
  };

  memcpy(to, (const uint8_t *)&config + offset, size);
}

/* Only the cache mode is the driver's. */
static void blk_config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  VirtioBlk *blk = (VirtioBlk *)device;
  const unsigned writeback = offsetof(BlkConfig, writeback);

  if ((device->features & FEATURE(BLK_F_CONFIG_WCE)) && offset <= writeback && writeback - offset < size)
    g_atomic_int_set(&blk->cache_mode, ((const uint8_t *)from)[writeback - offset] ? CACHE_MODE_WRITEBACK : CACHE_MODE_WRITETHROUGH);
}

static void blk_reset(VirtioDevice *device) {
  g_atomic_int_set(&((VirtioBlk *)device)->cache_mode, CACHE_MODE_DEFAULT);
}

static void blk_free(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;
  BlkRequest *request;

  virtio_device_clear(device);
  disk_image_free(blk->image);
  while ((request = blk->free_requests)) {
    blk->free_requests = request->next_free;
    g_free(request);
  }
  g_free(blk);
}

static const VirtioDeviceOps blk_ops = {
    .id = VIRTIO_ID_BLOCK,
    .name = "virtio-blk",
    .config_size = BLK_CONFIG_SIZE,
    .config_read = blk_config_read,
    .config_write = blk_config_write,
    .start = blk_start,
    .notify = blk_notify,
    .stop = blk_stop,
    .reset = blk_reset,
    .free = blk_free,
};

VirtioDevice *virtio_blk_new(const char *name, const GuestMemory *memory, DiskImage *image, const char *serial, GError **error) {
  static const uint16_t queue_size = QUEUE_SIZE;
  uint64_t features = FEATURE(BLK_F_SEG_MAX) | FEATURE(BLK_F_BLK_SIZE) | FEATURE(BLK_F_TOPOLOGY);
  VirtioBlk *blk = g_new0(VirtioBlk, 1);

  if (disk_image_read_only(image))
    features |= FEATURE(BLK_F_RO);
  else
    features |= FEATURE(BLK_F_FLUSH) | FEATURE(BLK_F_CONFIG_WCE) | FEATURE(BLK_F_DISCARD) | FEATURE(BLK_F_WRITE_ZEROES);
  blk->image = image;
  blk->cache_mode = CACHE_MODE_DEFAULT;
  if (serial)
    memcpy(blk->serial, serial, strnlen(serial, sizeof blk->serial));
  disk_image_set_batch_end(image, batch_end, blk);
  if (!virtio_device_init(&blk->base, &blk_ops, name, memory, features, 1, &queue_size, error)) {
    disk_image_free(image);
    g_free(blk);
    return NULL;
  }
  return &blk->base;
}
