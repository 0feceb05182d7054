/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container image as the guest's root: a directory, as --rootfs has them, that is made of it when all else is known
 * to be right. What it needs of the machine does not depend on what is in it.
 */
#include <string.h>

#include "vmm/boot/installed-kernel.h"
#include "vmm/config/config-check.h"

static void check_name(OptionDraft *draft, const Config *config, const char *where) {
  g_autofree char *why = NULL;
  g_autoptr(ImageName) name = image_name_parse(config->image, &why);
  g_autoptr(GError) error = NULL;
  struct stat status;

  if (!name)
    option_mistake(draft, where, "%s", why);
  if (!name || !name->path)
    return;
  if (!name->directory && !config_check_file(draft, where, name->path, false, &status))
    return;
  if (name->directory && !g_file_test(name->path, G_FILE_TEST_IS_DIR))
    option_mistake(draft, where, "'%s' is no directory, as an image of oci: is one", name->path);
  named_files_read(config->named, where, name->path, draft->mistakes);
}

static void check_beside(OptionDraft *draft, const Config *config, const char *where) {
  if (config->rootfs->len && !config->own_root)
    option_mistake(draft, where, "the root is the image's, and none of --rootfs: leave one of them out");
  if (config->initrd)
    option_mistake(draft, where, "it runs under eret's own init, and in no initrd of one's own: leave one of them out");
}

/* The directory has no path yet. */
static void add_root(OptionDraft *draft, Config *config, const char *where) {
  RootfsConfig *root = option_add_element(draft, config, option_find(config_options, "rootfs"), where);

  root->of_image = true;
}

/* Firmware is told which kernel it starts. */
static void find_kernel(OptionDraft *draft, Config *config) {
  if (config->kernel || config_has_firmware(config) || draft->incomplete || option_has_failed(draft, "kernel", -1))
    return;
  config->kernel = installed_kernel_running();
  if (!config->kernel)
    config->kernel = installed_kernel_newest("/boot");
}

/* What stands behind -- is for what is in an image. What would be the system's disk is told where that stands. */
static void check_words(OptionDraft *draft, const Config *config) {
  const char *meant = NULL, *first = config->command->len ? config->command->pdata[0] : NULL;

  if (!first || config->image)
    return;
  bool misplaced = config->system->len == 0 && config_takes_operand(first);
  g_autofree char *explanation =
      misplaced ? g_strdup(": a disk image stands before --, and words for an --image behind it") : config_explain_stray(first, &meant);
  option_mistake(draft, NULL, "unexpected argument '%s'%s", first, explanation);
  draft->operand_lost |= misplaced;
  if (meant)
    option_set_failed(draft, meant, -1);
}

void config_check_image(OptionDraft *draft, Config *config) {
  const char *where = option_where(draft, "image", -1);

  check_words(draft, config);
  if (config->entrypoint && !config->image && !option_has_failed(draft, "image", -1))
    option_mistake(draft, option_where(draft, "entrypoint", -1), "there is no --image whose entry point this would replace");
  if (!config->image)
    return;
  check_name(draft, config, where);
  check_beside(draft, config, where);
  find_kernel(draft, config);
  config->needs_kernel = true;
  config->own_init = true;
  if (!config->rootfs->len && !config->initrd)
    add_root(draft, config, where);
}

/* The directory that is shared for the root has the same path. */
static void set_root(Config *config, char *path) {
  RootfsConfig *root = config->rootfs->pdata[0];

  root->path = path;
  for (unsigned i = 0; i < config->shares->len; i++) {
    ShareConfig *share = config->shares->pdata[i];
    if (share->is_root)
      share->path = g_strdup(path);
  }
}

ImageConfig *config_take_image(Config *config, ImageWaiting *waiting, GError **error) {
  g_autofree char *why = NULL;
  g_autoptr(ImageName) name = image_name_parse(config->image, &why);
  const ImageTools tools = {name, waiting};
  g_autoptr(Image) image = image_store_take(&tools, error);

  if (!image) {
    g_prefix_error(error, "--image %s: ", config->image);
    return NULL;
  }
  set_root(config, g_steal_pointer(&image->root));
  return g_steal_pointer(&image->config);
}
