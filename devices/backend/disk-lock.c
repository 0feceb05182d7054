/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open file description locks (fcntl(2), F_OFD_SETLK), which are advisory, on the bytes that QEMU locks
 * (block/file-posix.c: RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE; the permissions' numbers:
 * include/block/block-common.h, BLK_PERM_*). For each permission that a user of the image has, it holds a shared lock
 * on one byte; for each that it does not grant to others, on another. It first takes its own, and then looks whether
 * others have locks that are contrary: two that come at a time may both be refused, and never both be let in.
 *
 * So an image has one writer, which may change its size too, or any number of readers, whoever they are. Programs that
 * lock all of a file exclusively are kept out too, and keep us out.
 *
 * Locks: none.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "devices/backend/disk-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "devices/backend/file-holder.h"

#define HELD_BASE   100
#define DENIED_BASE 200

/*
 * Permissions. There is a third between the last two, to write what is there already, which is nobody's business here.
 */
enum { READ = 1 << 0, WRITE = 1 << 1, RESIZE = 1 << 3, PERMISSIONS = 4 };

typedef struct {
  unsigned held, denied;
} Use;

static const Use reader = {READ, WRITE | RESIZE}, writer = {READ | WRITE | RESIZE, WRITE | RESIZE};

static bool lock_byte(int fd, off_t byte) {
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void unlock(int fd) {
  struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

  fcntl(fd, F_OFD_SETLK, &all);
}

/* Whether nobody else has a lock on it; EAGAIN: somebody has. */
static bool is_free(int fd, off_t byte) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
    return false;
  errno = EAGAIN;
  return lock.l_type == F_UNLCK;
}

static bool take(int fd, const Use *use) {
  for (unsigned i = 0; i < PERMISSIONS; i++)
    if (((use->held & 1u << i) && !lock_byte(fd, HELD_BASE + i)) || ((use->denied & 1u << i) && !lock_byte(fd, DENIED_BASE + i)))
      return false;
  for (unsigned i = 0; i < PERMISSIONS; i++)
    if (((use->held & 1u << i) && !is_free(fd, DENIED_BASE + i)) || ((use->denied & 1u << i) && !is_free(fd, HELD_BASE + i)))
      return false;
  return true;
}

/* Who is in the way, and not we ourselves. Free with g_free. */
static char *find_holder(int fd) {
  struct stat status;

  unlock(fd);
  return fstat(fd, &status) == 0 ? file_holder(&status) : NULL;
}

bool disk_lock(const DiskFile *file, bool writes, GError **error) {
  if (take(file->fd, writes ? &writer : &reader))
    return true;
  if (errno != EAGAIN && errno != EACCES) {
    g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN, "cannot lock disk image %s: %s; ',lock=off' does without", file->path,
                g_strerror(errno));
    return false;
  }
  g_autofree char *holder = find_holder(file->fd);
  g_set_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY,
              "disk image %s is in use by %s: a disk has one writer, or any number of readers (',ro' and ',cow')", file->path,
              holder ? holder : "another program");
  return false;
}
