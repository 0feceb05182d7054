/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is made by open(2) with O_TMPFILE, or where the file system has not that, with a name that it loses at once.
 * It has the size of the disk, and no block of it: what is not written reads as zeros, which is what discarded sectors
 * are.
 *
 * Locks: none but that of the map.
 */
#define _GNU_SOURCE /* O_TMPFILE */
#include "devices/backend/disk-overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LITTLE (UINT64_C(64) << 20)

/* /tmp may lie in memory, so it is the last choice. */
const char *disk_overlay_directory(void) {
  const char *chosen = g_getenv("TMPDIR");

  if (chosen && *chosen)
    return chosen;
  return g_file_test("/var/tmp", G_FILE_TEST_IS_DIR) ? "/var/tmp" : "/tmp";
}

int disk_overlay_open_file(const char *directory) {
  int fd = open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return fd;
  g_autofree char *path = g_build_filename(directory, "eret-XXXXXX", NULL);
  fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0)
    g_unlink(path);
  return fd;
}

/* A full disk is an error of the guest's; that it is soon to come, its user may want to know. */
static void look_for_room(const char *directory, const DiskFile *base, const DiskFile *file) {
  struct statvfs status;

  if (fstatvfs(file->fd, &status) < 0)
    return;
  uint64_t room = (uint64_t)status.f_bavail * status.f_frsize;
  if (room < MIN(LITTLE, base->size))
    g_message("in %s there are %" G_GUINT64_FORMAT " KiB left for what is written to %s: the environment's TMPDIR names another directory",
              directory, room / 1024, base->path);
}

static bool make_file(DiskFile *file, const char *directory, const DiskFile *base, GError **error) {
  file->size = base->size;
  file->topology = base->topology;
  file->path = g_strdup_printf("%s (what is written to %s)", directory, base->path);
  file->fd = disk_overlay_open_file(directory);
  if (file->fd >= 0 && ftruncate(file->fd, (off_t)file->size) == 0) {
    disk_file_find_memory(file);
    look_for_room(directory, base, file);
    return true;
  }
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN,
              "cannot make a file of %" G_GUINT64_FORMAT " bytes in %s for what is written to disk image %s: %s; the environment's TMPDIR "
              "names another directory",
              file->size, directory, base->path, g_strerror(errno));
  return false;
}

DiskOverlay *disk_overlay_new(const DiskFile *base, GError **error) {
  DiskOverlay *overlay = g_new0(DiskOverlay, 1);

  overlay->written = sector_map_new(base->size / DISK_SECTOR_SIZE);
  if (!overlay->written)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN,
                "disk image %s is too large: there is no memory to keep track of its sectors", base->path);
  overlay->file.fd = -1;
  if (overlay->written && make_file(&overlay->file, disk_overlay_directory(), base, error))
    return overlay;
  disk_overlay_free(overlay);
  return NULL;
}

void disk_overlay_free(DiskOverlay *overlay) {
  if (!overlay)
    return;
  disk_file_close(&overlay->file);
  sector_map_free(overlay->written);
  g_free(overlay);
}
