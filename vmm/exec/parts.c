/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/parts.h"

#include <string.h>

#include "vmm/exec/defaults.h"
#include "vmm/exec/device-parts.h"
#include "vmm/exec/init-image.h"
#include "vmm/exec/initramfs.h"
#include "vmm/exec/root-parts.h"

#define ROOT_INPUT "/eret/in"

#define COPY_OUT_ENTRIES_MAX (1u << 20)

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
  device_parts_add_modules(names, config);
  for (unsigned i = 0; i < options->module->len; i++)
    g_ptr_array_add(names, g_ptr_array_index(options->module, i));
  /* Without a tree none was asked for: exec_options_parse has looked, as it has for those that are missing. */
  return root_parts_put_modules(initramfs, options->modules, names, error);
}

/* The specification. */

static void add_spec(Initramfs *initramfs, const ExecOptions *options, const char *root_type) {
  g_autoptr(GByteArray) spec = g_byte_array_new();

  spec_add(spec, "version", "1");
  program_add_records(spec, &options->program, "dumb");
  for (unsigned i = 0; i < options->copy_out->len; i++)
    spec_add(spec, "copy-out", ((const ExecCopy *)g_ptr_array_index(options->copy_out, i))->source);
  for (unsigned i = 0; has_root(options) && i < options->copy_in->len; i++)
    spec_add(spec, "copy-in", ((const ExecCopy *)g_ptr_array_index(options->copy_in, i))->destination);
  device_parts_add_records(spec, options->config);
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
