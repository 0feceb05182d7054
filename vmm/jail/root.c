/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root belongs to the jailed user, who may have processes outside. So nothing is mounted by a path in it: each
 * place is opened by the new root's descriptor, through no link, and what is held is mounted upon.
 */
#define _GNU_SOURCE /* O_PATH, open_tree, move_mount, mount_setattr */
#include "vmm/jail/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/cage/root.h"
#include "vmm/jail/fail.h"
#include "vmm/jail/mounts.h"

/* Before. */

/* Whether it is in what another one brings along: then it is there, or has no place. */
static bool has_place(const GPtrArray *mounts, const JailMount *mount) {
  g_autofree char *parent = g_path_get_dirname(mount->target);
  const JailMount *above = jail_mounts_find(mounts, parent);

  return above && above->kind != JAIL_MOUNT_LINK;
}

static bool make_place(JailPlace *place, const JailMount *mount, GError **error) {
  if (mount->kind == JAIL_MOUNT_LINK)
    return jail_place_make_link(place, mount->target, mount->source, error);
  return mount->is_directory ? jail_place_make_directory(place, mount->target, error) : jail_place_make_file(place, mount->target, error);
}

bool jail_root_prepare(JailPlace *place, const GPtrArray *mounts, unsigned uid, unsigned gid, GError **error) {
  if (!jail_place_make_root(place, uid, gid, error))
    return false;
  for (unsigned i = 0; i < mounts->len; i++)
    if (!has_place(mounts, mounts->pdata[i]) && !make_place(place, mounts->pdata[i], error))
      return false;
  return jail_place_make_own_directory(place, "/tmp", uid, gid, error) && jail_place_make_own_directory(place, "/run", uid, gid, error);
}

/* Mounting. */

static bool restrain(int tree, uint64_t attributes, bool all) {
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | attributes};

  return mount_setattr(tree, "", AT_EMPTY_PATH | (all ? AT_RECURSIVE : 0), &attr, sizeof attr) == 0;
}

static int clone_of(const JailMount *mount) {
  int tree = open_tree(AT_FDCWD, mount->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount->is_directory ? AT_RECURSIVE : 0));
  uint64_t attributes = (mount->read_only ? MOUNT_ATTR_RDONLY : 0) | (mount->device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);

  if (tree < 0 || restrain(tree, attributes, true))
    return tree;
  int code = errno;
  close(tree);
  errno = code;
  return -1;
}

static int proc_of_jail(void) {
  int context = fsopen("proc", FSOPEN_CLOEXEC), mounted = -1;

  if (context < 0)
    return -1;
  if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    mounted = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  int code = errno;
  close(context);
  errno = code;
  return mounted;
}

static int open_target(int root, const char *target) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};

  return (int)syscall(SYS_openat2, root, target, &how, sizeof how);
}

/* On what TARGET is held as. */
static bool attach(int tree, int root, const char *target) {
  int at = open_target(root, target);
  bool attached = at >= 0 && move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
  int code = errno;

  if (at >= 0)
    close(at);
  errno = code;
  return attached;
}

static bool mount_one(const JailMount *mount, int root, GError **error) {
  if (mount->kind == JAIL_MOUNT_LINK)
    return true;
  int tree = mount->kind == JAIL_MOUNT_PROC ? proc_of_jail() : clone_of(mount);
  if (tree < 0)
    return jail_fail_errno(error, "cannot put '%s' into the jail", mount->source ? mount->source : mount->target);
  bool attached = attach(tree, root, mount->target);
  if (!attached)
    jail_fail_errno(error, "there is no place for '%s' in the jail", mount->target);
  close(tree);
  return attached;
}

/* PATH, mounted upon itself, so that it can be a root; -1: ERROR. */
static int mount_root(const char *path, GError **error) {
  int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  bool mounted = tree >= 0 && restrain(tree, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, false) &&
                 move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;

  if (!mounted)
    jail_fail_errno(error, "cannot mount '%s'", path);
  else if (fchdir(tree) < 0)
    mounted = jail_fail_errno(error, "cannot go to '%s'", path);
  if (!mounted && tree >= 0)
    close(tree);
  return mounted ? tree : -1;
}

bool jail_root_enter(const char *path, const GPtrArray *mounts, GError **error) {
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
    return jail_fail_errno(error, "cannot have mounts of its own");
  int root = mount_root(path, error);
  bool mounted = root >= 0;
  for (unsigned i = 0; mounted && i < mounts->len; i++)
    mounted = mount_one(mounts->pdata[i], root, error);
  if (root >= 0)
    close(root);
  if (!mounted)
    return false;
  return (root_become_current() && chdir("/") == 0) || jail_fail_errno(error, "cannot make the jail's root the root");
}
