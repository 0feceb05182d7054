/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio block device (virtio 1.2, 5.2) on a disk image: one queue, the features, and the configuration space. What
 * a request does is in blk-request.c.
 *
 * At most BLK_QUEUE_SIZE requests are in flight, made when needed and kept. A guest with more than its queue holds
 * waits for itself. Of their bytes the image has BLK_MAX_BYTES or so, the rest waits: a stop is over when those are,
 * and what then waits goes on after a resume, or is dropped by a reset.
 *
 * Locks: none. The queue is the I/O thread's; `cache_mode` is atomic, as the driver writes it from a vCPU thread.
 */
#include <stddef.h>
#include <string.h>

#include "devices/printable.h"
#include "devices/virtio/blk-internal.h"

/* Hosts keep files in 4 KiB blocks. */
#define PHYSICAL_BLOCK_EXP     3
#define PHYSICAL_BLOCK_SECTORS (1u << PHYSICAL_BLOCK_EXP)

#define BATCH 32 /* requests between two interrupts, where there is always one more */

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

bool blk_is_writeback(const VirtioBlk *blk) {
  int mode = __atomic_load_n(&blk->cache_mode, __ATOMIC_SEQ_CST);

  if ((blk->base.features & BLK_FEATURE(BLK_F_CONFIG_WCE)) && mode != CACHE_MODE_DEFAULT)
    return mode == CACHE_MODE_WRITEBACK;
  return blk->base.features & BLK_FEATURE(BLK_F_FLUSH);
}

/* The queue. */

static void interrupt(VirtioBlk *blk) {
  if (blk->pushed)
    virtio_interrupt(&blk->base, 0);
  blk->pushed = false;
}

static bool is_full(const VirtioBlk *blk) {
  return blk->in_flight == BLK_QUEUE_SIZE || !blk_has_room(blk);
}

/* Begins MAX requests at most. 0 when the queue is empty, 1 when there may be more, -1 when it has failed. */
static int begin_some(VirtioBlk *blk, unsigned max, unsigned *begun) {
  for (*begun = 0; *begun < max && !is_full(blk); (*begun)++) {
    int popped = virtio_pop(&blk->base, 0, &blk->chain);

    if (popped <= 0)
      return popped;
    if (!blk_begin(blk, &blk->chain))
      return -1;
  }
  return 1;
}

static void serve(VirtioBlk *blk) {
  VirtQueue *queue = &blk->base.queues[0];
  unsigned room = BATCH, begun;
  int more;

  if (!blk->running || (virtio_get_status(&blk->base) & VIRTIO_STATUS_NEEDS_RESET))
    return;
  virtqueue_disable_doorbell(queue);
  blk_continue(blk);
  /*
   * What the host can do at once is over after the kick. The guest has asked for more meanwhile: that goes into the
   * same interrupt. But where long requests are at work, others get the thread between their pieces.
   */
  do {
    more = begin_some(blk, room, &begun);
    room -= begun;
    disk_channel_kick(blk->channel);
  } while (begun && room && more >= 0 && !blk->waiting.length);
  if (more == 0 && virtqueue_enable_doorbell(queue)) {
    virtqueue_disable_doorbell(queue);
    more = 1;
  }
  blk->stalled = more > 0 && is_full(blk);
  interrupt(blk);
  /* A guest that never stops asking must not keep the thread from anything else. */
  if ((more > 0 && !blk->stalled) || (blk->waiting.length && blk_has_room(blk)))
    virtio_notify_again(&blk->base, 0);
}

static void batch_end(void *opaque) {
  VirtioBlk *blk = opaque;

  if (blk->stalled || blk->waiting.length)
    serve(blk);
  interrupt(blk);
}

static void blk_notify(VirtioDevice *device, unsigned queue) {
  serve((VirtioBlk *)device);
}

static void blk_start(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  disk_channel_start(blk->channel, device->io);
  blk->running = true;
}

static void blk_stop(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  if (!blk->running)
    return;
  blk->running = false;
  blk->stalled = false;
  disk_channel_stop(blk->channel);
  interrupt(blk);
}

/* Configuration. */

static void blk_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const VirtioBlk *blk = (const VirtioBlk *)device;
  const BlkConfig config = {
      .capacity = GUINT64_TO_LE(disk_image_size(blk->image) / BLK_SECTOR_SIZE),
      .seg_max = GUINT32_TO_LE(BLK_QUEUE_SIZE - 2), /* header and status take one descriptor each */
      .blk_size = GUINT32_TO_LE(BLK_SECTOR_SIZE),
      .physical_block_exp = PHYSICAL_BLOCK_EXP,
      .min_io_size = GUINT16_TO_LE(PHYSICAL_BLOCK_SECTORS),
      .writeback = blk_is_writeback(blk),
      .num_queues = GUINT16_TO_LE(1),
      .max_discard_sectors = GUINT32_TO_LE(BLK_MAX_SEGMENT_SECTORS),
      .max_discard_seg = GUINT32_TO_LE(BLK_MAX_SEGMENTS),
      .discard_sector_alignment = GUINT32_TO_LE(PHYSICAL_BLOCK_SECTORS),
      .max_write_zeroes_sectors = GUINT32_TO_LE(BLK_MAX_SEGMENT_SECTORS),
      .max_write_zeroes_seg = GUINT32_TO_LE(BLK_MAX_SEGMENTS),
      .write_zeroes_may_unmap = 1,
  };

  memcpy(to, (const uint8_t *)&config + offset, size);
}

/* Only the cache mode is the driver's; it counts with VIRTIO_BLK_F_CONFIG_WCE. */
static void blk_config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  VirtioBlk *blk = (VirtioBlk *)device;
  const unsigned writeback = offsetof(BlkConfig, writeback);

  if (offset <= writeback && writeback - offset < size)
    __atomic_store_n(&blk->cache_mode, ((const uint8_t *)from)[writeback - offset] ? CACHE_MODE_WRITEBACK : CACHE_MODE_WRITETHROUGH,
                     __ATOMIC_SEQ_CST);
}

static void blk_reset(VirtioDevice *device) {
  __atomic_store_n(&((VirtioBlk *)device)->cache_mode, CACHE_MODE_DEFAULT, __ATOMIC_SEQ_CST);
}

static void blk_queue_reset(VirtioDevice *device, unsigned queue) {
  blk_drop_waiting((VirtioBlk *)device);
}

static void blk_free(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  virtio_device_clear(device);
  disk_channel_free(blk->channel);
  disk_image_free(blk->image);
  blk_drop_waiting(blk);
  blk_free_requests(blk);
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
    .queue_reset = blk_queue_reset,
    .free = blk_free,
};

VirtioDevice *virtio_blk_new(const char *name, const GuestMemory *memory, DiskImage *image, const char *serial, GError **error) {
  static const uint16_t queue_size = BLK_QUEUE_SIZE;
  uint64_t features = BLK_FEATURE(BLK_F_SEG_MAX) | BLK_FEATURE(BLK_F_BLK_SIZE) | BLK_FEATURE(BLK_F_TOPOLOGY);
  VirtioBlk *blk = g_new0(VirtioBlk, 1);

  if (disk_image_read_only(image))
    features |= BLK_FEATURE(BLK_F_RO);
  else
    features |= BLK_FEATURE(BLK_F_FLUSH) | BLK_FEATURE(BLK_F_CONFIG_WCE) | BLK_FEATURE(BLK_F_DISCARD) | BLK_FEATURE(BLK_F_WRITE_ZEROES);
  blk->image = image;
  blk->cache_mode = CACHE_MODE_DEFAULT;
  if (serial)
    memcpy(blk->serial, serial, strnlen(serial, sizeof blk->serial));
  blk->channel = disk_channel_new(image, error);
  if (!blk->channel || !virtio_device_init(&blk->base, &blk_ops, name, memory, features, 1, &queue_size, error)) {
    disk_channel_free(blk->channel);
    disk_image_free(image);
    g_free(blk);
    return NULL;
  }
  disk_channel_set_batch_end(blk->channel, batch_end, blk);
  return &blk->base;
}

/* For a plan alone, nobody else's use of the image counts, and nothing is written. */
static VirtioDevice *blk_make(const DeviceParts *parts, GError **error) {
  const DiskConfig *disk = parts->asked;
  DiskImageOptions options = disk->image;

  if (parts->plan_only) {
    options.read_only = true;
    options.cow = false;
    options.lock = DISK_LOCK_OFF;
  }
  DiskImage *image = disk_image_open(disk->path, &options, error);

  return image ? virtio_blk_new(parts->name, parts->memory, image, disk->serial, error) : NULL;
}

/* Its file, and in brackets what is not as usual. */
static char *blk_print_asked(const void *asked) {
  const DiskConfig *disk = asked;
  g_autofree char *path = printable_line_escaped(disk->path, -1);
  g_autoptr(GPtrArray) notes = g_ptr_array_new();

  if (disk->image.read_only)
    g_ptr_array_add(notes, "read-only");
  if (disk->image.cow)
    g_ptr_array_add(notes, "copy-on-write");
  if (disk->image.lock == DISK_LOCK_OFF)
    g_ptr_array_add(notes, "not locked");
  g_ptr_array_add(notes, NULL);
  g_autofree char *joined = g_strjoinv(", ", (char **)notes->pdata);
  return *joined ? g_strdup_printf("%s (%s)", path, joined) : g_steal_pointer(&path);
}

static DeviceBoot blk_boot(const void *asked) {
  return (DeviceBoot){((const DiskConfig *)asked)->boot_index, "scsi", "disk@0,0"};
}

const DeviceKind virtio_blk_kind = {
    .name = "virtio-blk",
    .print_asked = blk_print_asked,
    .boot = blk_boot,
    .make_virtio = blk_make,
};
