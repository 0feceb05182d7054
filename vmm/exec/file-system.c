/* SPDX-License-Identifier: Apache-2.0 */
/* Magic numbers: Linux, include/uapi/linux/magic.h, and each file system's own superblock. */
#include "vmm/exec/file-system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "vmm/exec/initramfs.h"

static const struct {
  const char *type;
  uint64_t offset;
  const char *magic;
  unsigned size;
} known[] = {
    {"ext4", 0x438, "\x53\xef", 2}, {"squashfs", 0, "hsqs", 4},        {"erofs", 1024, "\xe2\xe1\xf5\xe0", 4},
    {"xfs", 0, "XFSB", 4},          {"btrfs", 0x10040, "_BHRfS_M", 8},
};

const char *file_system_type(const char *path, GError **error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe has no magic either */
  char bytes[8];
  const char *type = NULL;

  if (fd < 0) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "--rootfs: '%s' cannot be read: %s", path, g_strerror(errno));
    return NULL;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(known) && !type; i++)
    if (pread(fd, bytes, known[i].size, (off_t)known[i].offset) == (ssize_t)known[i].size &&
        memcmp(bytes, known[i].magic, known[i].size) == 0)
      type = known[i].type;
  close(fd);
  if (!type)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                "--rootfs: '%s' is neither a directory nor an image of ext4, squashfs, erofs, xfs or btrfs; an image with partitions has "
                "to be taken apart first",
                path);
  return type;
}
