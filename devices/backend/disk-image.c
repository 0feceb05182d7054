/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a raw disk image: what it is, how large, whether somebody else has it, and which engine serves it.
 *
 * The lock on the file is an open file description lock (fcntl(2), F_OFD_SETLK) on the whole of it: advisory, ours as
 * long as the descriptor is open, and gone with the process however that ends.
 *
 * Locks: none; a running image belongs to the I/O thread it was started on.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "devices/backend/disk-image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/backend/disk-image-engine.h"

#define SECTOR_SIZE 512

struct DiskImage {
  char *path;
  int fd;
  bool read_only;
  bool block_device;
  uint64_t size; /* bytes */
  DiskEngine *engine;
};

G_DEFINE_QUARK(disk - image - error - quark, disk_image_error)

static const char *describe_type(mode_t mode) {
  if (S_ISDIR(mode))
    return "a directory";
  if (S_ISCHR(mode))
    return "a character device";
  if (S_ISFIFO(mode))
    return "a pipe";
  return "a socket";
}

static bool check_type(DiskImage *image, const struct stat *status, GError **error) {
  image->block_device = S_ISBLK(status->st_mode);
  if (S_ISREG(status->st_mode) || image->block_device)
    return true;
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "%s is %s: a disk is a regular file or a block device", image->path,
              describe_type(status->st_mode));
  return false;
}

static bool fail_open(const DiskImage *image, GError **error) {
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot open disk image %s for %s: %s%s", image->path,
              image->read_only ? "reading" : "reading and writing", g_strerror(errno),
              !image->read_only && (errno == EACCES || errno == EROFS || errno == EPERM) ? "; with ',ro' it is only read" : "");
  return false;
}

/*
 * What it is, the descriptor says. The look before is for those whose opening alone has effects, such as a tape drive;
 * should another thing lie there when it is opened, descriptor_open keeps those small. The descriptor must be one that
 * waits afterwards: io_uring would take O_NONBLOCK for a wish not to wait for the disk.
 */
static bool open_file(DiskImage *image, GError **error) {
  struct stat status;

  if (stat(image->path, &status) < 0) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot open disk image %s: %s", image->path, g_strerror(errno));
    return false;
  }
  if (!check_type(image, &status, error))
    return false;
  image->fd = descriptor_open(image->path, image->read_only ? O_RDONLY : O_RDWR);
  if (image->fd < 0 || fstat(image->fd, &status) < 0)
    return fail_open(image, error);
  return check_type(image, &status, error);
}

static bool lock_file(DiskImage *image, GError **error) {
  struct flock lock = {.l_type = image->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET}; /* length 0: all of it */

  if (fcntl(image->fd, F_OFD_SETLK, &lock) == 0)
    return true;
  if (errno == EAGAIN || errno == EACCES)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY,
                "disk image %s is in use by another machine: a disk has one writer, or any number of readers (',ro')", image->path);
  else
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot lock disk image %s: %s", image->path, g_strerror(errno));
  return false;
}

/* What cannot be read here is found by whoever reads it in earnest. Of what has no size, reading may wait for ever. */
static bool check_format(const DiskImage *image, GError **error) {
  char header[DISK_IMAGE_HEADER_SIZE];
  ssize_t size = image->size ? pread(image->fd, header, sizeof header, 0) : 0;
  const char *format = size > 0 ? disk_image_format_name(header, (size_t)size) : NULL;

  if (!format)
    return true;
  g_set_error(
      error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_FORMAT,
      "disk image %s is a %s image, and a disk is a raw one: 'qemu-img convert -O raw %s NEW' makes NEW of it; ',format=raw' gives the "
      "guest the file's bytes as they are",
      image->path, format, image->path);
  return false;
}

static bool measure(DiskImage *image, GError **error) {
  struct stat status;
  int result;

  if (image->block_device) {
    result = ioctl(image->fd, BLKGETSIZE64, &image->size);
  } else {
    result = fstat(image->fd, &status);
    image->size = result < 0 ? 0 : (uint64_t)status.st_size;
  }
  if (result < 0) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot find the size of disk image %s: %s", image->path,
                g_strerror(errno));
    return false;
  }
  return true;
}

static bool check_size(const DiskImage *image, GError **error) {
  if (image->size && image->size % SECTOR_SIZE == 0)
    return true;
  if (image->block_device)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s is a block device of %" G_GUINT64_FORMAT " bytes: there is no medium in it, or nothing is attached to it",
                image->path, image->size);
  else if (image->size)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s has %" G_GUINT64_FORMAT
                " bytes, which is no whole number of %d-byte sectors: 'truncate -s %%%d' rounds it up",
                image->path, image->size, SECTOR_SIZE, SECTOR_SIZE);
  else if (descriptor_is_made_as_read(image->fd))
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s " DESCRIPTOR_MADE_AS_READ, image->path);
  else
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s is empty: 'truncate -s SIZE' gives it a size", image->path);
  return false;
}

static bool choose_engine(DiskImage *image, DiskImageEngine engine, GError **error) {
  if (engine != DISK_IMAGE_ENGINE_THREADS) {
    image->engine = disk_engine_uring_new(image->fd, image->block_device);
    if (!image->engine && engine == DISK_IMAGE_ENGINE_IO_URING) {
      g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE, "the host gives us no io_uring: %s", g_strerror(errno));
      return false;
    }
  }
  if (!image->engine)
    image->engine = disk_engine_threads_new(image->fd, image->block_device);
  if (!image->engine)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE, "cannot serve disk image %s: %s", image->path, g_strerror(errno));
  return image->engine != NULL;
}

DiskImage *disk_image_open(const char *path, bool read_only, DiskImageFormat format, DiskImageEngine engine, GError **error) {
  g_autoptr(DiskImage) image = g_new0(DiskImage, 1);

  image->path = g_strdup(path);
  image->fd = -1;
  image->read_only = read_only;
  if (!open_file(image, error) || !lock_file(image, error) || !measure(image, error) ||
      (format == DISK_IMAGE_FORMAT_AUTO && !check_format(image, error)) || !check_size(image, error) ||
      !choose_engine(image, engine, error))
    return NULL;
  return g_steal_pointer(&image);
}

void disk_image_free(DiskImage *image) {
  if (!image)
    return;
  if (image->engine) {
    if (!image->read_only && fdatasync(image->fd) < 0)
      g_warning("disk image %s: the last writes may be lost: %s", image->path, g_strerror(errno));
    image->engine->ops->free(image->engine);
  }
  if (image->fd >= 0)
    close(image->fd);
  g_free(image->path);
  g_free(image);
}

uint64_t disk_image_size(const DiskImage *image) {
  return image->size;
}

bool disk_image_read_only(const DiskImage *image) {
  return image->read_only;
}

const char *disk_image_engine(const DiskImage *image) {
  return image->engine->ops->name;
}

void disk_image_set_batch_end(DiskImage *image, void (*function)(void *opaque), void *opaque) {
  image->engine->batch_end = function;
  image->engine->opaque = opaque;
}

bool disk_image_start(DiskImage *image, IoThread *thread, GError **error) {
  image->engine->ops->start(image->engine, thread);
  return true;
}

void disk_image_stop(DiskImage *image) {
  image->engine->ops->drain(image->engine);
  disk_engine_stop(image->engine);
}

void disk_image_submit(DiskImage *image, DiskImageRequest *request) {
  image->engine->ops->submit(image->engine, request);
}

void disk_image_kick(DiskImage *image) {
  image->engine->ops->kick(image->engine);
}
