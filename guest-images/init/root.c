/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root that the command sees. Where the host gave one, it takes the place of the initramfs for good, as in a system
 * that has booted: with a chroot alone the kernel would refuse a new user namespace, and pivot_root would find no mount
 * to exchange (user_namespaces(7), pivot_root(2)).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define ROOT_WAIT_MS 10000
#define POLL_MS      10
#define NEW_ROOT     "/newroot"
#define LAYER        "/eret/layer" /* above an image: what was copied in */

static bool wait_for_device(const char *path) {
  for (unsigned waited = 0; access(path, F_OK) < 0; waited += POLL_MS) {
    if (waited >= ROOT_WAIT_MS)
      return false;
    usleep(POLL_MS * 1000);
  }
  return true;
}

/* The image below, what was copied in above it, and what the command changes above both, in memory. */
static bool mount_image(const Spec *spec) {
  if (!wait_for_device(spec->root))
    return refuse("virtio_blk: there is no %s", spec->root);
  mkdir("/eret/image", 0755);
  mkdir("/eret/changes", 0755);
  mkdir(LAYER, 0755);
  if (mount(spec->root, "/eret/image", spec->root_type, MS_RDONLY, NULL) < 0 &&
      mount(spec->root, "/eret/image", spec->root_type, MS_RDONLY, "noload") < 0)
    return refuse(errno == ENODEV ? "%s: the kernel does not know this file system" : "%s: the image cannot be mounted as such",
                  spec->root_type);
  if (!lay_files(spec, "/eret/image", LAYER))
    return false;
  if (mount("tmpfs", "/eret/changes", "tmpfs", 0, "mode=0755") < 0 || mkdir("/eret/changes/upper", 0755) < 0 ||
      mkdir("/eret/changes/work", 0755) < 0)
    return refuse("tmpfs: %s", strerror(errno));
  if (mount("overlay", NEW_ROOT, "overlay", 0, "lowerdir=" LAYER ":/eret/image,upperdir=/eret/changes/upper,workdir=/eret/changes/work") <
      0)
    return refuse(errno == ENODEV ? "overlay: the kernel does not know this file system (CONFIG_OVERLAY_FS)%s" : "overlay: %s",
                  errno == ENODEV ? "" : strerror(errno));
  return true;
}

/* A directory of the initramfs is no mount yet, and only mounts can be moved. */
static bool mount_directory(const Spec *spec) {
  if (!lay_files(spec, NEW_ROOT, NEW_ROOT))
    return false;
  return mount(NEW_ROOT, NEW_ROOT, NULL, MS_BIND, NULL) == 0 || refuse("root: %s", strerror(errno));
}

bool enter_root(const Spec *spec) {
  static const char *const moved[] = {"/proc", "/sys", "/dev", "/run"};
  char path[64];

  if (!spec->root)
    return true;
  mkdir(NEW_ROOT, 0755);
  if (spec->root_type ? !mount_image(spec) : !mount_directory(spec))
    return false;
  for (unsigned i = 0; i < sizeof moved / sizeof *moved; i++) {
    snprintf(path, sizeof path, NEW_ROOT "%s", moved[i]);
    mkdir(path, 0755);
    if (mount(moved[i], path, NULL, MS_MOVE, NULL) < 0)
      console_say("cannot move %s to %s: %s", moved[i], path, strerror(errno));
  }
  if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
    return refuse("root: %s", strerror(errno));
  mount_tmp();
  return true;
}
