/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cloud-init in the guest is told: the files are read, the keys are checked, and there is one more disk. What is
 * on it is made for a run, and not for a plan: vmm/cmd/seed.c.
 */
#include <string.h>

#include "vmm/base/whole-file.h"
#include "vmm/config/config-check.h"

static GBytes *read_file(OptionDraft *draft, const char *where, const char *path, SeedPart part) {
  g_autofree char *what = g_strconcat("file of ", cloud_seed_part_name(part), NULL);
  g_autoptr(GError) error = NULL;
  gsize size;
  char *text = whole_file_read(path, SEED_FILE_MAX, what, &size, &error);

  if (!text)
    option_mistake(draft, where, "%s: cannot read '%s': %s", cloud_seed_part_name(part), path, error->message);
  return text ? g_bytes_new_take(text, size) : NULL;
}

static void look_at(OptionDraft *draft, Config *config, const char *where, const char *path, SeedPart part, GBytes *bytes) {
  bool is_data = part == SEED_USER_DATA || part == SEED_VENDOR_DATA;
  const char *why = is_data ? cloud_seed_explain_user_data(bytes) : NULL;

  if (why)
    config_note_that(config, "--cloud-init: %s: '%s': %s", cloud_seed_part_name(part), path, why);
  if (part == SEED_META_DATA && !cloud_seed_has_instance(bytes))
    option_mistake(draft, where, "meta-data: '%s' has no instance-id, without which cloud-init does not take it: instance-id: NAME", path);
}

/* The last of those that name PART, which counts; -1: none does. What the others say of it is said no more. */
static int settle_part(GPtrArray *all, SeedPart part) {
  int last = -1;

  for (int i = (int)all->len - 1; i >= 0; i--) {
    CloudInitConfig *asked = all->pdata[i];
    if (last >= 0)
      g_clear_pointer(&asked->parts[part], g_free);
    else if (asked->parts[part])
      last = i;
  }
  return last;
}

static void read_part(OptionDraft *draft, Config *config, SeedPart part) {
  int index = settle_part(config->cloud_init, part);
  const char *where = option_where(draft, "cloud-init", index);

  if (index < 0)
    return;
  const CloudInitConfig *asked = config->cloud_init->pdata[index];
  const char *path = asked->parts[part];
  GBytes *bytes = read_file(draft, where, path, part);
  config->seed->own[part] = bytes;
  if (bytes)
    look_at(draft, config, where, path, part, bytes);
}

static void read_parts(OptionDraft *draft, Config *config) {
  if (config->cloud_init->len == 0)
    return;
  for (SeedPart part = 0; part < SEED_PARTS; part++)
    read_part(draft, config, part);
  const char *conflict = cloud_seed_explain_conflict(config->seed);
  if (conflict)
    option_mistake(draft, option_where(draft, "cloud-init", (int)config->cloud_init->len - 1), "%s", conflict);
}

static void read_keys(OptionDraft *draft, Config *config) {
  for (unsigned i = 0; i < config->ssh_keys->len; i++) {
    const SshKeyConfig *asked = config->ssh_keys->pdata[i];
    g_autoptr(GError) error = NULL;
    g_autoptr(SshKey) key = asked->path ? ssh_key_read(asked->path, &error) : NULL;

    if (error)
      option_mistake(draft, option_where(draft, "ssh-key", (int)i), "%s", error->message);
    if (key)
      g_ptr_array_add(config->seed->keys, g_strdup(key->line));
  }
}

static void read_password(OptionDraft *draft, Config *config) {
  const char *where = option_where(draft, "password", -1);
  g_autoptr(GError) error = NULL;
  gsize size;

  if (!config->password)
    return;
  config->seed->asks_password = strcmp(config->password, CONFIG_PASSWORD_ASKED) == 0;
  if (config->seed->asks_password)
    return;
  g_autofree char *text = whole_file_read(config->password, SEED_FILE_MAX, "password", &size, &error);
  const char *why = text ? cloud_seed_take_password(config->seed, text, size) : NULL;
  if (error)
    option_mistake(draft, where, "cannot read '%s': %s", config->password, error->message);
  else if (why)
    option_mistake(draft, where, "'%s': %s", config->password, why);
}

/* After the machine, or the image that it boots from. */
static char *find_hostname(const Config *config) {
  const DiskConfig *disk = config->disks->len ? config->disks->pdata[0] : NULL;

  if (config->name || !disk || !disk->path)
    return config->name ? cloud_seed_hostname(config->name) : NULL;
  g_autofree char *name = g_path_get_basename(disk->path);
  char *dot = strrchr(name, '.');
  if (dot)
    *dot = 0;
  return cloud_seed_hostname(name);
}

static void add_disk(OptionDraft *draft, Config *config, const char *where) {
  const Option *disks = option_find(config_options, "disk");

  option_keep_list(draft, disks);
  DiskConfig *disk = option_add_element(draft, config, disks, where);
  disk->content = &config->seed_content;
  disk->image.read_only = true;
}

void config_check_seed(OptionDraft *draft, Config *config) {
  const char *name = config->cloud_init->len ? "cloud-init" : config->ssh_keys->len ? "ssh-key" : config->password ? "password" : NULL;

  if (!name || config->needs_kernel)
    return;
  config->seed = cloud_seed_new();
  config->seed->hostname = find_hostname(config);
  read_keys(draft, config);
  read_password(draft, config);
  read_parts(draft, config);
  g_autofree char *where = g_strconcat("--", name, NULL);
  add_disk(draft, config, where);
}
