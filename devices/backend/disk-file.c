/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening what a disk is on: what it is, and how large.
 *
 * Locks: none; what is open does not change.
 */
#include "devices/backend/disk-file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/backend/file-holder.h"

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

static bool check_type(DiskFile *file, const struct stat *status, GError **error) {
  file->block_device = S_ISBLK(status->st_mode);
  if (S_ISREG(status->st_mode) || file->block_device)
    return true;
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "%s is %s: a disk is a regular file or a block device", file->path,
              describe_type(status->st_mode));
  return false;
}

static bool fail_busy(const DiskFile *file, const struct stat *status, GError **error) {
  g_autofree char *holder = file_holder(status);

  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY,
              "disk image %s is in use by %s: who is to write a block device has it alone; with ',ro' or ',cow' it is only read",
              file->path, holder ? holder : "the host, which has mounted it or a part of it, or has it in a volume (lsblk shows that)");
  return false;
}

static bool fail_open(const DiskFile *file, bool writes, GError **error) {
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot open disk image %s for %s: %s%s", file->path,
              writes ? "reading and writing" : "reading", g_strerror(errno),
              writes && (errno == EACCES || errno == EROFS || errno == EPERM) ? "; with ',ro' or ',cow' it is only read" : "");
  return false;
}

/*
 * What it is, the descriptor says. The look before is for those whose opening alone has effects, such as a tape drive;
 * should another thing lie there when it is opened, descriptor_open keeps those small. The descriptor must be one that
 * waits afterwards: io_uring would take O_NONBLOCK for a wish not to wait for the disk.
 */
static bool open_path(DiskFile *file, bool writes, bool claims, GError **error) {
  struct stat status;

  if (stat(file->path, &status) < 0) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot open disk image %s: %s", file->path, g_strerror(errno));
    return false;
  }
  if (!check_type(file, &status, error))
    return false;
  file->fd = descriptor_open(file->path, (writes ? O_RDWR : O_RDONLY) | (writes && claims && file->block_device ? O_EXCL : 0));
  if (file->fd < 0 && errno == EBUSY && file->block_device)
    return fail_busy(file, &status, error);
  if (file->fd < 0 || fstat(file->fd, &status) < 0)
    return fail_open(file, writes, error);
  return check_type(file, &status, error);
}

static bool find_size(DiskFile *file, GError **error) {
  struct stat status;
  int result;

  if (file->block_device) {
    result = ioctl(file->fd, BLKGETSIZE64, &file->size);
  } else {
    result = fstat(file->fd, &status);
    file->size = result < 0 ? 0 : (uint64_t)status.st_size;
  }
  if (result < 0)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot find the size of disk image %s: %s", file->path, g_strerror(errno));
  return result >= 0;
}

static bool check_size(const DiskFile *file, GError **error) {
  if (file->size && file->size % DISK_SECTOR_SIZE == 0)
    return true;
  if (file->block_device)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s is a block device of %" G_GUINT64_FORMAT " bytes: there is no medium in it, or nothing is attached to it",
                file->path, file->size);
  else if (file->size)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s has %" G_GUINT64_FORMAT
                " bytes, which is no whole number of %d-byte sectors: 'truncate -s %%%d' rounds it up",
                file->path, file->size, DISK_SECTOR_SIZE, DISK_SECTOR_SIZE);
  else if (descriptor_is_made_as_read(file->fd))
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s " DESCRIPTOR_MADE_AS_READ, file->path);
  else
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s is empty: 'truncate -s SIZE' gives it a size", file->path);
  return false;
}

bool disk_file_open(DiskFile *file, const char *path, bool writes, bool claims, GError **error) {
  *file = (DiskFile){.path = g_strdup(path), .fd = -1};
  return open_path(file, writes, claims, error) && find_size(file, error);
}

bool disk_file_measure(DiskFile *file, GError **error) {
  return check_size(file, error);
}

void disk_file_close(DiskFile *file) {
  if (file->fd >= 0)
    close(file->fd);
  file->fd = -1;
  g_clear_pointer(&file->path, g_free);
}
