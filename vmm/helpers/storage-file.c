/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/helpers/storage-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/backend/disk-lock.h"
#include "vmm/helpers/helper-process.h"

StorageFile *storage_file_new(const char *given, const char *path, DiskImageFormat format) {
  StorageFile *file = g_new0(StorageFile, 1);

  *file = (StorageFile){.given = g_strdup(given), .path = g_strdup(path), .format = format, .fd = -1};
  return file;
}

void storage_file_free(gpointer opaque) {
  StorageFile *file = opaque;

  if (!file)
    return;
  if (file->fd >= 0)
    close(file->fd);
  g_free(file->given);
  g_free(file->path);
  g_free(file);
}

bool storage_file_refuse(const StorageFile *file, GError **error, const char *what, ...) {
  va_list values;

  va_start(values, what);
  g_autofree char *text = g_strdup_vprintf(what, values);
  va_end(values);
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s %s %s", file->path ? "disk image" : "NBD disk", file->given, text);
  return false;
}

/* To open what is of another type may take for ever, or do something. */
static bool check_type(StorageFile *file, const struct stat *status, GError **error) {
  file->block_device = S_ISBLK(status->st_mode);
  return file->block_device || S_ISREG(status->st_mode) || storage_file_refuse(file, error, "is neither a regular file nor a block device");
}

static bool open_file(StorageFile *file, GError **error) {
  struct stat status;

  if (!g_utf8_validate(file->given, -1, NULL))
    return storage_file_refuse(file, error, "has no name in UTF-8, as qemu-storage-daemon takes them alone: make a link to it");
  if (stat(file->path, &status) < 0)
    return storage_file_refuse(file, error, "cannot be opened: %s", g_strerror(errno));
  if (!check_type(file, &status, error))
    return false;
  file->fd = descriptor_open(file->path, O_RDONLY);
  if (file->fd < 0 || fstat(file->fd, &status) < 0)
    return storage_file_refuse(file, error, "cannot be opened: %s", g_strerror(errno));
  return check_type(file, &status, error);
}

/* Another format's mark says more than what a reader of this one makes of it. A raw file may have any in it. */
static bool check_mark(const StorageFile *file, GError **error) {
  char header[DISK_IMAGE_HEADER_SIZE];
  ssize_t size = file->format != DISK_IMAGE_FORMAT_RAW ? pread(file->fd, header, sizeof header, 0) : 0;
  DiskImageFormat format = size > 0 ? disk_image_format_of(header, (size_t)size) : DISK_IMAGE_FORMAT_AUTO;
  const char *name = disk_image_format_name(format);

  return format == DISK_IMAGE_FORMAT_AUTO || format == file->format ||
         storage_file_refuse(file, error, "is no %s image, but a %s image: ',format=%s'", disk_image_format_name(file->format), name, name);
}

StorageFile *storage_file_open(const char *given, DiskImageFormat format, GError **error) {
  g_autofree char *directory = g_path_is_absolute(given) ? NULL : g_get_current_dir();
  g_autofree char *path = directory ? g_build_filename(directory, given, NULL) : g_strdup(given);
  g_autoptr(StorageFile) file = storage_file_new(given, path, format);

  return open_file(file, error) && check_mark(file, error) ? g_steal_pointer(&file) : NULL;
}

bool storage_file_lock(StorageFile *file, bool writes, GError **error) {
  const DiskFile locked = {.path = file->given, .fd = file->fd};
  bool is_free = file->fd < 0 || disk_lock(&locked, writes, error);

  if (writes && file->fd >= 0) { /* its locks go with it */
    close(file->fd);
    file->fd = -1;
  }
  return is_free;
}
