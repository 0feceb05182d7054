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
#define LAYER        "/eret/layer" /* above what is not changed: what was copied in */
#define INIT_MAX     256

static bool wait_for_device(const char *path) {
  for (unsigned waited = 0; access(path, F_OK) < 0; waited += POLL_MS) {
    if (waited >= ROOT_WAIT_MS)
      return false;
    usleep(POLL_MS * 1000);
  }
  return true;
}

static bool refuse_type(const Spec *spec) {
  return refuse(errno == ENODEV ? "%s: the kernel does not know this file system" : "%s: the root cannot be mounted as such",
                spec->root_type);
}

/* A directory of the host's, which what is written goes to. */
static bool mount_writable(const Spec *spec) {
  return mount(spec->root, NEW_ROOT, spec->root_type, 0, NULL) == 0 || refuse_type(spec);
}

/*
 * An image, or a directory of the host's, below, what was copied in above it, and what the command changes above both,
 * in memory.
 */
static bool mount_overlay(const Spec *spec) {
  if (strcmp(spec->root_type, "virtiofs") != 0 && !wait_for_device(spec->root))
    return refuse("virtio_blk: there is no %s", spec->root);
  mkdir("/eret/image", 0755);
  mkdir("/eret/changes", 0755);
  mkdir(LAYER, 0755);
  if (mount(spec->root, "/eret/image", spec->root_type, MS_RDONLY, NULL) < 0 &&
      (errno == ENODEV || mount(spec->root, "/eret/image", spec->root_type, MS_RDONLY, "noload") < 0))
    return refuse_type(spec);
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
  bool (*mount_root)(const Spec *) = !spec->root_type                                        ? mount_directory
                                     : spec->root_mode && strcmp(spec->root_mode, "rw") == 0 ? mount_writable
                                                                                             : mount_overlay;
  if (!mount_root(spec))
    return false;
  for (unsigned i = 0; i < sizeof moved / sizeof *moved; i++) {
    snprintf(path, sizeof path, NEW_ROOT "%s", moved[i]);
    mkdir(path, 0755);
    if (mount(moved[i], path, NULL, MS_MOVE, NULL) < 0)
      console_say("cannot move %s to %s: %s", moved[i], path, strerror(errno));
  }
  if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
    return refuse("root: %s", strerror(errno));
  if (!spec->boot)
    mount_tmp();
  return true;
}

/* The last init= of the kernel's command line. Linux: init/main.c, init_setup. */
static bool init_asked_for(char path[INIT_MAX]) {
  char line[4096] = "", *rest = line;
  FILE *file = fopen("/proc/cmdline", "re");
  bool found = false;

  if (!file)
    return false;
  (void)!fgets(line, sizeof line, file);
  fclose(file);
  for (char *word; (word = strsep(&rest, " \n"));)
    if (strncmp(word, "init=", 5) == 0) {
      snprintf(path, INIT_MAX, "%s", word + 5);
      found = true;
    }
  return found;
}

/* Linux: init/main.c, kernel_init. */
void boot_root(char **argv) {
  static const char *const usual[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
  char asked[INIT_MAX];

  if (init_asked_for(asked)) {
    argv[0] = asked;
    execv(asked, argv);
    console_say("init=%s: %s", asked, strerror(errno));
    return;
  }
  for (unsigned i = 0; i < sizeof usual / sizeof *usual; i++) {
    argv[0] = (char *)usual[i];
    execv(usual[i], argv);
  }
  console_say("the root has no init: neither /sbin/init nor /etc/init, /bin/init or /bin/sh");
}
