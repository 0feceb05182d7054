/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor from before belongs to the mounts from before: by it one can neither mount nor be kept in (".." goes on
 * to what was its parent). So each place is found again by its path, among the own mounts, and checked to be the same.
 *
 * The new root is mounted over /proc, which is there and of no more use, and becomes the root from there. Where the old
 * one is the kernel's first (initramfs), which nothing replaces, it is moved over that.
 */
#define _GNU_SOURCE /* O_PATH, dup3 */
#include "vmm/cage/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABOVE       "/proc"
#define OPTIONS     "mode=0755,size=1m,nr_inodes=4096"
#define NOT_MUCH    (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NAME_OF_FD  "/proc/self/fd/%d"
#define TARGET_SIZE (PATH_MAX + sizeof ABOVE)

/* Before it is covered. */

static bool is_same(int fd, const char *path) {
  struct stat held, found;

  return fstat(fd, &held) == 0 && stat(path, &found) == 0 && held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* What its mount may be used for: not to run programs, and devices where it is one. */
static bool restrain(const Place *place) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (place->is_directory ? MOUNT_ATTR_NODEV : 0)};

  return syscall(SYS_mount_setattr, place->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0;
}

static bool pick_up(Place *place) {
  char link[sizeof NAME_OF_FD + 16], path[PATH_MAX];

  snprintf(link, sizeof link, NAME_OF_FD, place->fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0)
    return false;
  path[length] = 0;
  if (!is_same(place->fd, path)) {
    errno = ENOENT;
    return false;
  }
  place->tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  return place->tree >= 0 && restrain(place);
}

/* Putting together. */

/* With all directories above it; the last part is a directory or a file. */
static bool make_target(char *path, bool is_directory) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made)
      return false;
  }
  if (is_directory)
    return mkdir(path, 0755) == 0 || errno == EEXIST;
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

static bool put_down(const Place *place) {
  char target[TARGET_SIZE];

  if (place->path)
    snprintf(target, sizeof target, ABOVE "%s", place->path);
  else
    snprintf(target, sizeof target, ABOVE NAME_OF_FD, place->fd);
  return make_target(target, place->is_directory) &&
         syscall(SYS_move_mount, place->tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/* The shorter paths first: the others may lie below them. */
static bool put_all_down(const Places *places) {
  for (size_t length = 0; length < PATH_MAX; length++) {
    bool more = false;

    for (unsigned i = 0; i < places->n; i++) {
      const Place *place = &places->places[i];
      size_t its = place->path ? strlen(place->path) : 0;
      more |= its > length;
      if (its == length && !put_down(place))
        return false;
    }
    if (!more)
      return true;
  }
  return true;
}

bool root_become_current(void) {
  if (syscall(SYS_pivot_root, ".", ".") == 0)
    return umount2(".", MNT_DETACH) == 0;
  return errno == EINVAL && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0;
}

/* Afterwards. */

static void open_again(const Places *places) {
  for (unsigned i = 0; i < places->n; i++) {
    const Place *place = &places->places[i];
    char path[sizeof NAME_OF_FD + 16];

    if (place->path)
      continue;
    snprintf(path, sizeof path, NAME_OF_FD, place->fd);
    int fd = open(path, place->flags | O_CLOEXEC);
    if (fd < 0 || dup3(fd, place->fd, O_CLOEXEC) < 0)
      close(place->fd); /* rather none than one that leads out */
    if (fd >= 0)
      close(fd);
  }
}

/* Relative paths of places lead there as before; where there is none, to nothing. */
static void return_to(char *directory) {
  if (make_target(directory, true) && chdir(directory) == 0)
    return;
  if (chdir("/") < 0)
    errno = 0;
}

bool root_give_away(Places *places) {
  char here[PATH_MAX];

  if (!getcwd(here, sizeof here))
    strcpy(here, "/");
  for (unsigned i = 0; i < places->n; i++)
    if (!pick_up(&places->places[i]))
      return false;
  if (mount("none", ABOVE, "tmpfs", NOT_MUCH, OPTIONS) < 0)
    return false;
  if (!put_all_down(places) || chdir(ABOVE) < 0 || !root_become_current()) {
    int code = errno;
    if (chdir(here) < 0 || umount2(ABOVE, MNT_DETACH) < 0)
      errno = code;
    errno = code;
    return false;
  }
  open_again(places);
  return_to(here);
  mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | NOT_MUCH, NULL);
  return true;
}
