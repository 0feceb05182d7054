/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's root, where it is asked for: an image is one more disk, and a directory one that is shared, where the
 * host has a virtiofsd; else it is packed into the initramfs.
 */
#include <errno.h>
#include <string.h>

#include "vmm/boot/command-line.h"
#include "vmm/config/config-check.h"
#include "vmm/helpers/virtiofsd.h"

/* The last of the disks, whichever source they are from. */
static void add_disk(OptionDraft *draft, Config *config, const char *where, const char *image) {
  const Option *disks = option_find(config_options, "disk");
  g_autofree char *path = option_double_commas(image), *disk = g_strconcat(path, ",ro", NULL);

  option_keep_list(draft, disks);
  option_add_text(draft, config, disks, where, NULL, disk);
}

/* An overlay in the guest knows nothing of mount points below it. */
static void add_share(OptionDraft *draft, Config *config, const char *where, const RootfsConfig *root) {
  const Option *shares = option_find(config_options, "share");

  option_keep_list(draft, shares);
  ShareConfig *share = option_add_element(draft, config, shares, where);
  share->path = g_strdup(root->path);
  share->tag = g_strdup(CONFIG_ROOT_TAG);
  share->read_only = share->one_file_system = !root->writable;
  share->xattr = share->is_root = true;
  share->cache = root->cache;
}

static void settle_directory(OptionDraft *draft, Config *config, const char *where, const RootfsConfig *root) {
  g_autoptr(GError) error = NULL;

  config->root = ROOT_PACKED;
  if (root->packed && root->writable)
    option_mistake(draft, where, "copy: what is written to a copy is gone with the guest: leave out rw");
  if (root->packed && root->cache != SHARE_CACHE_AUTO)
    option_mistake(draft, where, "cache: nothing of a copy is the host's any more: leave out one of the two");
  if (root->packed)
    return;
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(&error);
  if (virtiofsd) {
    config->root = ROOT_SHARED;
    add_share(draft, config, where, root);
  } else if (root->writable || config->own_root) {
    option_mistake(draft, where, "%s", error->message);
  }
}

static void settle_image(OptionDraft *draft, Config *config, const char *where, const RootfsConfig *root) {
  if (root->writable || root->packed)
    option_mistake(draft, where, "%s: of an image nothing is changed; give one that is written by --disk, and root=/dev/vda by --append",
                   root->writable ? "rw" : "copy");
  if (root->cache != SHARE_CACHE_AUTO)
    option_mistake(draft, where, "cache: that is for directories, which the host may change: leave it out");
  config->root = ROOT_IMAGE;
  add_disk(draft, config, where, root->path);
}

/* An initramfs of the user's own can have the root that the kernel's command line names, and no overlay of ours. */
static void check_with_initrd(OptionDraft *draft, const Config *config, const char *where, const RootfsConfig *root) {
  if (config->root != ROOT_SHARED || !root->writable)
    option_mistake(draft, where, "with an initrd of one's own it can be a directory with rw, by virtiofsd: leave out --initrd");
}

void config_tell_root(Config *config) {
  static const char *const words[] = {"rw", "rootfstype=virtiofs", "root=" CONFIG_ROOT_TAG};

  for (unsigned i = 0; i < G_N_ELEMENTS(words) && config->initrd && config->root == ROOT_SHARED; i++)
    command_line_add(&config->append, words[i]);
}

void config_check_rootfs(OptionDraft *draft, Config *config) {
  GPtrArray *all = config->rootfs;
  const char *where = option_where(draft, "rootfs", (int)all->len - 1);
  struct stat status;

  option_keep_last(all, option_find(config_options, "rootfs")->element);
  const RootfsConfig *root = all->len ? all->pdata[0] : NULL;
  if (root && root->of_image)
    settle_directory(draft, config, where, root);
  if (!root || !root->path)
    return;
  if (stat(root->path, &status) < 0) {
    option_mistake(draft, where, "cannot open '%s': %s", root->path, g_strerror(errno));
    return;
  }
  (S_ISDIR(status.st_mode) ? settle_directory : settle_image)(draft, config, where, root);
  if (config->initrd)
    check_with_initrd(draft, config, where, root);
  else if (!config->kernel && !config->needs_kernel && !draft->incomplete && !option_has_failed(draft, "kernel", -1))
    option_mistake(draft, where, "a root needs a kernel that mounts it: add --kernel FILE");
}
