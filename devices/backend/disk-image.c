/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a raw disk image: whether it is one, and whether somebody else has it.
 *
 * Locks: none; what is open does not change.
 */
#include <errno.h>
#include <unistd.h>

#include "devices/backend/disk-image-internal.h"
#include "devices/backend/disk-lock.h"

/* What cannot be read here is found by whoever reads it in earnest. Of what has no size, reading may wait for ever. */
static bool check_format(const DiskImage *image, GError **error) {
  char header[DISK_IMAGE_HEADER_SIZE];
  ssize_t size = image->file.size ? pread(image->file.fd, header, sizeof header, 0) : 0;
  DiskImageFormat format = size > 0 ? disk_image_format_of(header, (size_t)size) : DISK_IMAGE_FORMAT_AUTO;
  const char *name = disk_image_format_name(format);

  if (format == DISK_IMAGE_FORMAT_AUTO)
    return true;
  g_set_error(
      error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_FORMAT,
      "disk image %s is a %s image: ',format=%s' gives the guest the disk that is in it, ',format=raw' the file's bytes as they are",
      image->file.path, name, name);
  return false;
}

DiskImage *disk_image_open(const char *path, const DiskImageOptions *options, GError **error) {
  g_autoptr(DiskImage) image = g_new0(DiskImage, 1);
  bool writes = !options->read_only && !options->cow, locks = options->lock == DISK_LOCK_ON;

  image->read_only = options->read_only;
  image->engine = options->engine;
  if (!disk_file_open(&image->file, path, writes, locks, error) || (locks && !disk_lock(&image->file, writes, error)) ||
      (options->format == DISK_IMAGE_FORMAT_AUTO && !check_format(image, error)) ||
      !disk_file_measure(&image->file, (unsigned)options->block_size, error) ||
      (options->direct && !disk_file_set_direct(&image->file, error)))
    return NULL;
  if (image->file.end && writes)
    g_message("disk image %s has %" G_GUINT64_FORMAT " bytes, and the guest's disk %" G_GUINT64_FORMAT
              ", whole blocks: what is written behind its end makes it longer",
              path, image->file.end, image->file.size);
  if (options->cow && !(image->overlay = disk_overlay_new(&image->file, error)))
    return NULL;
  return g_steal_pointer(&image);
}

DiskImage *disk_image_of(const char *name, GBytes *content, GError **error) {
  static const uint8_t nothing[DISK_SECTOR_SIZE];
  g_autoptr(DiskImage) image = g_new0(DiskImage, 1);
  gsize size = sizeof nothing;
  const void *data = content ? g_bytes_get_data(content, &size) : nothing;

  image->read_only = true;
  return disk_file_make(&image->file, name, data, size, error) && disk_file_measure(&image->file, 0, error) ? g_steal_pointer(&image)
                                                                                                            : NULL;
}

void disk_image_free(DiskImage *image) {
  if (!image)
    return;
  if (image->file.size && !image->read_only && !image->overlay && fdatasync(image->file.fd) < 0)
    g_warning("disk image %s: the last writes may be lost: %s", image->file.path, g_strerror(errno));
  disk_overlay_free(image->overlay);
  disk_file_close(&image->file);
  g_free(image);
}

/* What is written there goes to the overlay, where there is one: then it alone has to be larger. */
static DiskFile *last_part(const DiskImage *image) {
  return image->overlay ? &image->overlay->file : (DiskFile *)&image->file;
}

uint64_t disk_image_size(const DiskImage *image) {
  return __atomic_load_n(&last_part(image)->size, __ATOMIC_ACQUIRE);
}

bool disk_image_grow(DiskImage *image, uint64_t size, GError **error) {
  uint64_t before = disk_image_size(image);
  unsigned block = image->file.topology.logical;

  if (size && (size % block || size < before)) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s cannot have %" G_GUINT64_FORMAT
                " bytes: a multiple of %u is possible, and no less than the %" G_GUINT64_FORMAT " that it has",
                image->file.path, size, block, before);
    return false;
  }
  if (size && image->read_only) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s is only read: it can be asked how large it is by now",
                image->file.path);
    return false;
  }
  return disk_file_grow(last_part(image), size, error);
}

const DiskTopology *disk_image_topology(const DiskImage *image) {
  return &image->file.topology;
}

bool disk_image_read_only(const DiskImage *image) {
  return image->read_only;
}
