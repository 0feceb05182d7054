/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/parts.h"

#include <stddef.h>
#include <string.h>

#include "vmm/exec/defaults.h"
#include "vmm/exec/init-image.h"
#include "vmm/exec/initramfs.h"
#include "vmm/exec/root-parts.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ROOT_INPUT   "/eret/in"

#define COPY_OUT_ENTRIES_MAX (1u << 20)

/* Devices by their types (virtio 1.2, section 5), and Linux's modules for them. */
static const struct Driver {
  unsigned type;
  const char *module;
  size_t list, flag; /* of Config: there is one for each in this list, or where this is so; 0: neither */
} drivers[] = {
    {2, "virtio_blk", .list = offsetof(Config, disks)}, {1, "virtio_net", .list = offsetof(Config, nets)},
    {4, "virtio_rng", .flag = offsetof(Config, rng)},   {19, "vmw_vsock_virtio_transport", .list = offsetof(Config, vsock)},
    {26, "virtiofs", .list = offsetof(Config, shares)},
};

static bool has_device(const Config *config, const struct Driver *driver) {
  if (driver->flag)
    return G_STRUCT_MEMBER(bool, config, driver->flag);
  return G_STRUCT_MEMBER(GPtrArray *, config, driver->list)->len > 0;
}

static void add_text(Initramfs *initramfs, const char *path, const char *text) {
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  initramfs_add_bytes(initramfs, path, 0644, INITRAMFS_SYSTEM, bytes);
}

/* The least that programs look for. */
static bool add_small_system(Initramfs *initramfs, const ExecOptions *options, GError **error) {
  static const char *const directories[] = {"/etc", "/root", "/var", "/mnt", "/usr/bin", "/sbin", "/lib"};
  g_autoptr(MappedFile) busybox = busybox_open(options->busybox, error);

  if (!busybox)
    return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++)
    initramfs_add_directory(initramfs, directories[i], 0755);
  initramfs_add_mapped(initramfs, "/bin/busybox", 0755, INITRAMFS_SYSTEM, busybox);
  add_text(initramfs, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  add_text(initramfs, "/etc/group", "root:x:0:\nnogroup:x:65534:\n");
  add_text(initramfs, "/etc/hosts", "127.0.0.1 localhost\n");
  return true;
}

static bool has_root(const ExecOptions *options) {
  return options->config->root != ROOT_NONE;
}

/* Where the N-th of the user's files goes; into a root of the user's init takes it: a path may have links there. */
static char *input_path(const ExecOptions *options, unsigned n) {
  const ExecCopy *copy = g_ptr_array_index(options->copy_in, n);

  return has_root(options) ? g_strdup_printf(ROOT_INPUT "/%u", n) : g_strdup(copy->destination);
}

static bool add_copy(Initramfs *initramfs, const ExecCopy *copy, const char *path, GError **error) {
  if (initramfs_add_tree(initramfs, copy->source, path, INITRAMFS_FILES, error))
    return true;
  g_prefix_error(error, "--copy-in: ");
  return false;
}

/* Whether one of the user's files is in the way of another: in an initramfs of nothing else. */
static bool check_copies(const ExecOptions *options, GError **error) {
  g_autoptr(Initramfs) alone = initramfs_new();

  for (unsigned i = 0; i < options->copy_in->len; i++) {
    const ExecCopy *copy = g_ptr_array_index(options->copy_in, i);
    if (!add_copy(alone, copy, copy->destination, error))
      return false;
  }
  return true;
}

static bool add_files(Initramfs *initramfs, const ExecOptions *options, GError **error) {
  if (has_root(options) && !check_copies(options, error))
    return false; /* each has a place of its own below */
  if (!root_parts_add_tree(initramfs, options->config, error))
    return false;
  for (unsigned i = 0; i < options->copy_in->len; i++) {
    g_autofree char *path = input_path(options, i);
    if (!add_copy(initramfs, g_ptr_array_index(options->copy_in, i), path, error))
      return false;
  }
  return true;
}

/* Modules. */

static bool add_modules(Initramfs *initramfs, const ExecOptions *options, const char *root_type, GError **error) {
  const Config *config = options->config;
  g_autoptr(GPtrArray) names = g_ptr_array_new_null_terminated(1, NULL, true);

  root_parts_add_modules(names, config, root_type);
  g_ptr_array_add(names, (char *)"virtio_console");
  for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++)
    if (has_device(config, &drivers[i]))
      g_ptr_array_add(names, (char *)drivers[i].module);
  for (unsigned i = 0; i < options->module->len; i++)
    g_ptr_array_add(names, g_ptr_array_index(options->module, i));
  /* Without a tree none was asked for: exec_options_parse has looked, as it has for those that are missing. */
  return root_parts_put_modules(initramfs, options->modules, names, error);
}

/* The specification. */

static void add_environment(GByteArray *spec, const ExecOptions *options) {
  static const struct {
    const char *name, *variable;
  } defaults[] = {{"PATH", "PATH=" DEFAULT_PATH}, {"HOME", "HOME=/root"}, {"TERM", "TERM=dumb"}};

  for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
    if (!g_environ_getenv((char **)options->env->pdata, defaults[i].name))
      spec_add(spec, "env", defaults[i].variable);
  for (unsigned i = 0; i < options->env->len; i++)
    spec_add(spec, "env", g_ptr_array_index(options->env, i));
}

static void add_drivers(GByteArray *spec, const Config *config) {
  for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
    g_autofree char *words = g_strdup_printf("%u %s", drivers[i].type, drivers[i].module);
    if (has_device(config, &drivers[i]))
      spec_add(spec, "driver", words);
  }
}

/* "ro TAG PLACE". */
static void add_shares(GByteArray *spec, const Config *config) {
  for (unsigned i = 0; i < config->shares->len; i++) {
    const ShareConfig *share = config->shares->pdata[i];
    g_autofree char *words = share->at ? g_strdup_printf("%s %s %s", share->read_only ? "ro" : "rw", share->tag, share->at) : NULL;
    if (words)
      spec_add(spec, "share", words);
  }
}

static void add_spec(Initramfs *initramfs, const ExecOptions *options, const char *root_type) {
  g_autoptr(GByteArray) spec = g_byte_array_new();

  spec_add(spec, "version", "1");
  for (unsigned i = 0; i + 1 < options->command->len; i++)
    spec_add(spec, "arg", g_ptr_array_index(options->command, i));
  add_environment(spec, options);
  if (options->cwd)
    spec_add(spec, "cwd", options->cwd);
  for (unsigned i = 0; i < options->copy_out->len; i++)
    spec_add(spec, "copy-out", ((const ExecCopy *)g_ptr_array_index(options->copy_out, i))->source);
  for (unsigned i = 0; has_root(options) && i < options->copy_in->len; i++)
    spec_add(spec, "copy-in", ((const ExecCopy *)g_ptr_array_index(options->copy_in, i))->destination);
  add_drivers(spec, options->config);
  for (unsigned i = 0; i < options->config->nets->len; i++)
    spec_add(spec, "net", "dhcp");
  add_shares(spec, options->config);
  root_parts_add_records(spec, options->config, root_type);
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(g_steal_pointer(&spec));
  initramfs_add_bytes(initramfs, "/eret/spec", 0600, INITRAMFS_OWN, bytes);
}

GBytes *exec_make_initramfs(const ExecOptions *options, uint64_t *files, GError **error) {
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GBytes) init = init_image_bytes();
  const char *root_type;

  if (!root_parts_find_type(options->config, &root_type, error))
    return NULL;
  initramfs_add_bytes(initramfs, "/init", 0755, INITRAMFS_OWN, init);
  add_spec(initramfs, options, root_type);
  if (!add_modules(initramfs, options, root_type, error) || (!has_root(options) && !add_small_system(initramfs, options, error)) ||
      !add_files(initramfs, options, error))
    return NULL;
  return initramfs_build(initramfs, files, error);
}

CopyOut *exec_copy_out_new(const ExecOptions *options, GError **error) {
  const CopyOutLimits limits = {.bytes = options->copy_out_limit, .entries = COPY_OUT_ENTRIES_MAX};
  g_autoptr(GPtrArray) destinations = g_ptr_array_new_null_terminated(1, NULL, true);

  for (unsigned i = 0; i < options->copy_out->len; i++)
    g_ptr_array_add(destinations, ((const ExecCopy *)g_ptr_array_index(options->copy_out, i))->destination);
  return copy_out_new((const char *const *)destinations->pdata, &limits, error);
}
