/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening what a disk is on: what it is, how large, and in what blocks. For block devices' ioctls see <linux/fs.h>, for
 * what sysfs tells of them Linux, Documentation/ABI/stable/sysfs-block.
 *
 * Locks: none; what is open does not change.
 */
#define _GNU_SOURCE /* O_DIRECT, statx, memfd_create */
#include "devices/backend/disk-file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/backend/file-holder.h"

#define FILE_BLOCK 4096 /* hosts keep files in such blocks */

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

/* A file in sysfs of one number. 0: there is none, or none that we can tell. */
static unsigned read_number(const char *path) {
  char text[24] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  guint64 number = 0;

  if (fd < 0)
    return 0;
  if (read(fd, text, sizeof text - 1) > 0)
    g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, UINT32_MAX, &number, NULL);
  close(fd);
  return (unsigned)number;
}

/* Of a partition, its disk has it. */
static unsigned discard_granularity(dev_t device) {
  static const char *const places[] = {"queue", "../queue"};
  unsigned granularity = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS(places) && !granularity; i++) {
    g_autofree char *path = g_strdup_printf("/sys/dev/block/%u:%u/%s/discard_granularity", major(device), minor(device), places[i]);
    granularity = read_number(path);
  }
  return granularity;
}

static bool is_block(unsigned size) {
  return size >= DISK_SECTOR_SIZE && (size & (size - 1)) == 0;
}

/* What the host does not tell, or tells in a way that we do not know, stays as it is of a file. */
static void ask_device(int fd, DiskTopology *topology) {
  unsigned physical = 0, least = 0, best = 0;
  int logical = 0, alignment = 0;
  struct stat status;

  if (ioctl(fd, BLKSSZGET, &logical) == 0 && is_block((unsigned)logical) && logical <= DISK_BLOCK_MAX)
    topology->logical = (unsigned)logical;
  if (ioctl(fd, BLKPBSZGET, &physical) == 0 && is_block(physical))
    topology->physical = physical;
  if (ioctl(fd, BLKALIGNOFF, &alignment) == 0 && alignment > 0)
    topology->alignment = (unsigned)alignment;
  topology->least = ioctl(fd, BLKIOMIN, &least) == 0 ? least : 0;
  topology->best = ioctl(fd, BLKIOOPT, &best) == 0 ? best : 0;
  topology->discard = fstat(fd, &status) == 0 ? discard_granularity(status.st_rdev) : 0;
}

/* Whatever was told, it goes together: numbers that are multiples of logical blocks, and not absurd. */
static void settle_topology(DiskTopology *topology) {
  unsigned logical = topology->logical;

  topology->physical = MAX(topology->physical, logical);
  topology->alignment = topology->alignment % logical ? 0 : topology->alignment;
  topology->least = MAX(topology->least - topology->least % logical, topology->physical);
  topology->best -= topology->best % logical;
  topology->discard = MAX(topology->discard - topology->discard % logical, topology->physical);
}

static void find_topology(DiskFile *file, unsigned logical) {
  file->topology = (DiskTopology){.logical = DISK_SECTOR_SIZE, .physical = FILE_BLOCK};
  if (file->block_device)
    ask_device(file->fd, &file->topology);
  if (logical)
    file->topology.logical = logical;
  settle_topology(&file->topology);
}

static bool find_size(const DiskFile *file, uint64_t *size, GError **error) {
  struct stat status;
  int result;

  if (file->block_device) {
    result = ioctl(file->fd, BLKGETSIZE64, size);
  } else {
    result = fstat(file->fd, &status);
    *size = result < 0 ? 0 : (uint64_t)status.st_size;
  }
  if (result < 0)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot find the size of disk image %s: %s", file->path, g_strerror(errno));
  return result >= 0;
}

static bool check_size(const DiskFile *file, GError **error) {
  if (file->size)
    return true;
  if (file->block_device)
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s is a block device of 0 bytes: there is no medium in it, or nothing is attached to it", file->path);
  else if (descriptor_is_made_as_read(file->fd))
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s " DESCRIPTOR_MADE_AS_READ, file->path);
  else
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "disk image %s is empty: 'truncate -s SIZE' gives it a size", file->path);
  return false;
}

/* A file that ends within a block is filled up; of a device, which has no room for that, the part is left out. */
static void fill_up(DiskFile *file) {
  unsigned part = file->size % file->topology.logical;

  if (part && file->block_device) {
    file->size -= part;
  } else if (part) {
    file->end = file->size;
    file->size += file->topology.logical - part;
  }
}

void disk_file_find_memory(DiskFile *file) {
  struct statfs status;

  file->in_memory =
      !file->block_device && fstatfs(file->fd, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

bool disk_file_open(DiskFile *file, const char *path, bool writes, bool claims, GError **error) {
  *file = (DiskFile){.path = g_strdup(path), .fd = -1};
  if (!open_path(file, writes, claims, error))
    return false;
  disk_file_find_memory(file);
  return find_size(file, &file->size, error);
}

bool disk_file_measure(DiskFile *file, unsigned logical, GError **error) {
  find_topology(file, logical);
  fill_up(file);
  return check_size(file, error);
}

static bool fill(int fd, const void *data, gsize size) {
  for (gsize done = 0; done < size;) {
    ssize_t written = write(fd, (const char *)data + done, size - done);
    if (written < 0 && errno != EINTR)
      return false;
    done += written > 0 ? (gsize)written : 0;
  }
  return true;
}

bool disk_file_make(DiskFile *file, const char *name, const void *data, gsize size, GError **error) {
  *file = (DiskFile){.path = g_strdup(name), .fd = memfd_create("eret-disk", MFD_CLOEXEC | MFD_ALLOW_SEALING), .size = size};
  if (file->fd >= 0 && fill(file->fd, data, size) &&
      fcntl(file->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
    return true;
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot have %s in memory: %s", name, g_strerror(errno));
  return false;
}

/* What the kernel does not tell, before Linux 6.1 or of some file systems, is tried. */
static void find_direct_alignment(DiskFile *file) {
  uint8_t sector[DISK_SECTOR_SIZE] __attribute__((aligned(DISK_BLOCK_MAX)));
  struct statx status;

  if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 && (status.stx_mask & STATX_DIOALIGN) && status.stx_dio_mem_align &&
      status.stx_dio_offset_align) {
    file->direct_memory = status.stx_dio_mem_align;
    file->direct_block = status.stx_dio_offset_align;
    return;
  }
  file->direct_memory = file->direct_block = DISK_SECTOR_SIZE;
  if (pread(file->fd, sector, sizeof sector, 0) < 0 && errno == EINVAL)
    file->direct_memory = file->direct_block = DISK_BLOCK_MAX;
}

bool disk_file_set_direct(DiskFile *file, GError **error) {
  int flags = fcntl(file->fd, F_GETFL);

  if (flags < 0 || fcntl(file->fd, F_SETFL, flags | O_DIRECT) < 0) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s cannot be read past the host's page cache: %s; leave out ',direct'", file->path,
                errno == EINVAL ? "its file system does not know how" : g_strerror(errno));
    return false;
  }
  find_direct_alignment(file);
  if (file->direct_block > file->topology.logical || file->end) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE,
                "disk image %s has direct I/O in blocks of %u bytes only, and the disk has %s: leave out ',direct'%s", file->path,
                file->direct_block, file->end ? "an end within a block" : "smaller ones",
                file->end ? ", or have truncate(1) round its size" : ", or make it one with ',block-size=4096'");
    return false;
  }
  return true;
}

/* To SIZE, or 0: as it is by now. *SIZE is then what it is, in whole blocks. */
static bool set_size(DiskFile *file, uint64_t *size, GError **error) {
  uint64_t wanted = *size;

  if (wanted && !file->block_device && ftruncate(file->fd, (off_t)wanted) < 0) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot make disk image %s larger: %s", file->path, g_strerror(errno));
    return false;
  }
  if (!find_size(file, size, error))
    return false;
  *size -= *size % file->topology.logical;
  if (*size >= file->size && (!wanted || *size == wanted))
    return true;
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE, "%s has %" G_GUINT64_FORMAT " bytes: it is to be made larger first",
              file->path, *size);
  return false;
}

bool disk_file_grow(DiskFile *file, uint64_t size, GError **error) {
  if (!set_size(file, &size, error))
    return false;
  __atomic_store_n(&file->end, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&file->size, size, __ATOMIC_RELEASE);
  return true;
}

void disk_file_close(DiskFile *file) {
  if (file->fd >= 0)
    close(file->fd);
  file->fd = -1;
  g_clear_pointer(&file->path, g_free);
}
