/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio block device (virtio 1.2, 5.2) on a disk image: its life, the features, and the configuration space. Its
 * queues are in blk-queue.c, what a request does in blk-request.c.
 *
 * Locks: none. `cache_mode` is atomic, as the driver writes it from a vCPU thread; the image's size is, as it may grow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "devices/printable.h"
#include "devices/virtio/blk-internal.h"
#include "devices/virtio/disk-server.h"

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

/* The device's life: its I/O thread. */

static IoThread *blk_io(const VirtioDevice *device, unsigned queue) {
  return ((const VirtioBlk *)device)->queues[queue].io;
}

static void blk_notify(VirtioDevice *device, unsigned queue) {
  blk_queue_serve(&((VirtioBlk *)device)->queues[queue]);
}

static void blk_start(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  for (unsigned i = 0; i < blk->n_queues; i++)
    if (device->queues[i].running)
      blk_queue_start(&blk->queues[i]);
}

static void blk_stop(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  for (unsigned i = 0; i < blk->n_queues; i++)
    blk_queue_stop(&blk->queues[i]);
}

/* Configuration. */

static void blk_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const VirtioBlk *blk = (const VirtioBlk *)device;
  const DiskTopology *topology = disk_image_topology(blk->image);
  unsigned block = topology->logical;
  const BlkConfig config = {
      .capacity = GUINT64_TO_LE(disk_image_size(blk->image) / BLK_SECTOR_SIZE),
      .seg_max = GUINT32_TO_LE(BLK_QUEUE_SIZE - 2), /* header and status take one descriptor each */
      .blk_size = GUINT32_TO_LE(block),
      .physical_block_exp = (uint8_t)__builtin_ctz(topology->physical / block),
      .alignment_offset = (uint8_t)MIN(topology->alignment / block, UINT8_MAX),
      .min_io_size = GUINT16_TO_LE((uint16_t)MIN(topology->least / block, UINT16_MAX)),
      .opt_io_size = GUINT32_TO_LE(topology->best / block),
      .writeback = blk_is_writeback(blk),
      .num_queues = GUINT16_TO_LE((uint16_t)blk->n_queues),
      .max_discard_sectors = GUINT32_TO_LE(BLK_MAX_SEGMENT_SECTORS),
      .max_discard_seg = GUINT32_TO_LE(BLK_MAX_SEGMENTS),
      .discard_sector_alignment = GUINT32_TO_LE(topology->discard / BLK_SECTOR_SIZE),
      .max_write_zeroes_sectors = GUINT32_TO_LE(BLK_MAX_SEGMENT_SECTORS),
      .max_write_zeroes_seg = GUINT32_TO_LE(BLK_MAX_SEGMENTS),
      .write_zeroes_may_unmap = blk->unmaps,
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
  blk_drop_waiting(&((VirtioBlk *)device)->queues[queue]);
}

static void blk_free(VirtioDevice *device) {
  VirtioBlk *blk = (VirtioBlk *)device;

  for (unsigned i = 0; i < blk->n_queues; i++)
    blk_queue_clear(&blk->queues[i]);
  virtio_device_clear(device);
  disk_image_free(blk->image);
  g_free(blk->queues);
  g_free(blk);
}

static const VirtioDeviceOps blk_ops = {
    .id = VIRTIO_ID_BLOCK,
    .name = "virtio-blk",
    .config_size = BLK_CONFIG_SIZE,
    .config_read = blk_config_read,
    .config_write = blk_config_write,
    .io = blk_io,
    .start = blk_start,
    .notify = blk_notify,
    .stop = blk_stop,
    .reset = blk_reset,
    .queue_reset = blk_queue_reset,
    .free = blk_free,
};

static uint64_t features_of(const VirtioBlk *blk) {
  uint64_t features = BLK_FEATURE(BLK_F_SEG_MAX) | BLK_FEATURE(BLK_F_BLK_SIZE) | BLK_FEATURE(BLK_F_TOPOLOGY);

  if (disk_image_read_only(blk->image))
    features |= BLK_FEATURE(BLK_F_RO);
  else
    features |= BLK_FEATURE(BLK_F_FLUSH) | BLK_FEATURE(BLK_F_CONFIG_WCE) | BLK_FEATURE(BLK_F_WRITE_ZEROES);
  if (blk->unmaps)
    features |= BLK_FEATURE(BLK_F_DISCARD);
  if (blk->n_queues > 1)
    features |= BLK_FEATURE(BLK_F_MQ);
  return features;
}

static bool make_queues(VirtioBlk *blk, GError **error) {
  blk->queues = g_new0(BlkQueue, blk->n_queues);
  for (unsigned i = 0; i < blk->n_queues; i++)
    if (!blk_queue_init(&blk->queues[i], blk, i, error))
      return false;
  return true;
}

VirtioDevice *virtio_blk_new(const char *name, const GuestMemory *memory, DiskImage *image, const VirtioBlkOptions *options,
                             GError **error) {
  uint16_t sizes[VIRTIO_BLK_QUEUES_MAX];
  VirtioBlk *blk = g_new0(VirtioBlk, 1);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
    sizes[i] = BLK_QUEUE_SIZE;
  blk->image = image;
  blk->n_queues = MAX(options->queues, 1);
  blk->max_bytes = MAX(BLK_MAX_BYTES / blk->n_queues, BLK_PIECE_SIZE);
  blk->is_limited = options->iops || options->bps;
  blk->requests.per_second = options->iops;
  blk->bytes.per_second = options->bps;
  blk->cache_mode = CACHE_MODE_DEFAULT;
  blk->unmaps = options->discard == DISK_DISCARD_ON && !disk_image_read_only(image);
  if (options->serial)
    memcpy(blk->serial, options->serial, strnlen(options->serial, sizeof blk->serial));
  if (!virtio_device_init(&blk->base, &blk_ops, name, memory, features_of(blk), blk->n_queues, sizes, error)) {
    disk_image_free(image);
    g_free(blk);
    return NULL;
  }
  if (!make_queues(blk, error)) {
    blk_free(&blk->base);
    return NULL;
  }
  return &blk->base;
}

bool virtio_blk_resize(VirtioDevice *device, uint64_t size, GError **error) {
  VirtioBlk *blk = (VirtioBlk *)device;
  uint64_t before = disk_image_size(blk->image);

  if (!disk_image_grow(blk->image, size, error))
    return false;
  if (disk_image_size(blk->image) == before)
    return true;
  device_watch_event(device->watch, device->name, 0, "resized");
  virtio_config_changed(device);
  return true;
}

/* For a plan alone, nobody else's use of the image counts, and nothing is written. */
static VirtioDevice *blk_make(const DeviceParts *parts, GError **error) {
  const DiskConfig *disk = parts->asked;
  DiskImageOptions options = disk->image;

  if (disk_is_served(disk))
    return disk_server_make(parts, error);
  if (parts->plan_only) {
    options.read_only = true;
    options.cow = options.direct = false;
    options.lock = DISK_LOCK_OFF;
  }
  DiskImage *image =
      disk->content ? disk_image_of(disk->content->name, disk->content->bytes, error) : disk_image_open(disk->path, &options, error);

  return image ? virtio_blk_new(parts->name, parts->memory, image, &disk->device, error) : NULL;
}

static G_GNUC_PRINTF(3, 4) void note(GString *notes, bool is_so, const char *format, ...) {
  va_list arguments;

  if (!is_so)
    return;
  if (notes->len)
    g_string_append(notes, ", ");
  va_start(arguments, format);
  g_string_append_vprintf(notes, format, arguments);
  va_end(arguments);
}

/* Where it is, and in brackets what is not as usual. */
static char *blk_print_asked(const void *asked) {
  const DiskConfig *disk = asked;
  const DiskImageOptions *image = &disk->image;
  const VirtioBlkOptions *device = &disk->device;
  g_autofree char *place = printable_line_escaped(disk->content ? disk->content->name : disk->nbd ? disk->nbd : disk->path, -1);
  g_autoptr(GString) notes = g_string_new(NULL);

  note(notes, image->format > DISK_IMAGE_FORMAT_RAW, "%s", disk_image_format_name(image->format));
  note(notes, image->read_only, "read-only");
  note(notes, image->cow, "copy-on-write");
  note(notes, image->direct, "direct");
  note(notes, image->lock == DISK_LOCK_OFF, "not locked");
  note(notes, image->block_size, "blocks of %d bytes", image->block_size);
  note(notes, device->discard == DISK_DISCARD_OFF, "no discard");
  note(notes, device->queues > 1, "%u queues", device->queues);
  note(notes, device->iops, "%u requests a second", device->iops);
  note(notes, device->bps, "%" G_GUINT64_FORMAT " bytes a second", device->bps);
  return notes->len ? g_strdup_printf("%s (%s)", place, notes->str) : g_steal_pointer(&place);
}

static DeviceBoot blk_boot(const void *asked) {
  return (DeviceBoot){((const DiskConfig *)asked)->boot_index, "scsi", "disk@0,0"};
}

/*
 * Of each queue but the first: its ring, those that tell of threads' work and wake its own, its doorbell, its message.
 */
static unsigned blk_more_descriptors(const void *asked) {
  const DiskConfig *disk = asked;

  return disk_is_served(disk) ? disk_server_descriptors(disk) : 5 * (MAX(disk->device.queues, 1) - 1);
}

static bool blk_may_share_memory(const void *asked) {
  return disk_is_served(asked);
}

const DeviceKind virtio_blk_kind = {
    .name = "virtio-blk",
    .print_asked = blk_print_asked,
    .boot = blk_boot,
    .make_virtio = blk_make,
    .more_descriptors = blk_more_descriptors,
    .may_share_memory = blk_may_share_memory,
};
