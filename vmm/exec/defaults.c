/* SPDX-License-Identifier: Apache-2.0 */
/* Where distributions and the kernel's own build put things. */
#include "vmm/exec/defaults.h"

#include <string.h>
#include <unistd.h>

#include "vmm/base/little-endian.h"
#include "vmm/base/own-files.h"
#include "vmm/boot/command-line.h"
#include "vmm/exec/initramfs.h"

/* Busybox: a static program for ARM64 (gABI; ELF for the Arm 64-bit Architecture, IHI 0056). */

static bool is_arm64_elf(GBytes *bytes) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);

  /* gABI: e_ident, ELFCLASS64, e_machine EM_AARCH64 (183). */
  return size > 64 && memcmp(data, "\177ELF\002\001", 6) == 0 && data[18] == 183 && data[19] == 0;
}

/* gABI: a PT_INTERP (3) among the program headers names the dynamic linker, which the guest does not have. */
static bool is_static(GBytes *bytes) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  uint64_t at = le64(data + 32), entry_size = le16(data + 54), n = le16(data + 56);

  if (at > size || n * entry_size > size - at)
    return false;
  for (; n && entry_size >= 4; n--, at += entry_size)
    if (le32(data + at) == 3)
      return false;
  return true;
}

static MappedFile *load(const char *path, GError **error) {
  g_autoptr(MappedFile) file = mapped_file_open(path, MAPPED_FILE_READ_ONCE, error);
  g_autoptr(GBytes) bytes = file ? mapped_file_bytes(file) : NULL;

  bool is_program = bytes && is_arm64_elf(bytes);
  if (is_program && is_static(bytes))
    return g_steal_pointer(&file);
  if (bytes)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                is_program ? "'%s' is not linked statically: it would not start in the guest" : "'%s' is not a program for ARM64", path);
  else
    g_prefix_error(error, "'%s' cannot be read: ", path);
  return NULL;
}

MappedFile *busybox_open(const char *named, GError **error) {
  static const char *const systems[] = {"/bin", "/usr/bin"};
  g_auto(GStrv) own = own_directories();
  unsigned n_own = g_strv_length(own);

  if (named)
    return load(named, error);
  for (unsigned i = 0; i < n_own + G_N_ELEMENTS(systems); i++) {
    g_autofree char *path = g_build_filename(i < n_own ? own[i] : systems[i - n_own], "busybox", NULL);
    MappedFile *file = load(path, NULL);
    if (file)
      return file;
  }
  g_set_error_literal(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                      "there is no busybox for ARM64: install busybox-static, name one with --busybox, or give the guest a --rootfs");
  return NULL;
}

/* Modules. */

bool is_module_tree(const char *directory) {
  g_autofree char *dep = g_build_filename(directory, "modules.dep", NULL);
  return access(dep, R_OK) == 0;
}

/* The only tree in DIRECTORY/lib/modules, or NULL. */
static char *only_tree_beside(const char *directory) {
  g_autofree char *all = g_build_filename(directory, "lib", "modules", NULL);
  g_autoptr(GDir) dir = g_dir_open(all, 0, NULL);
  g_autofree char *found = NULL;

  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(all, name, NULL);
    if (!is_module_tree(path))
      continue;
    if (found)
      return NULL;
    found = g_steal_pointer(&path);
  }
  return g_steal_pointer(&found);
}

/*
 * Where the modules of a kernel belong: beside it, as /usr/lib/modules/VERSION/vmlinuz has them and as `make
 * modules_install` with INSTALL_MOD_PATH puts them; or where distributions have those of /boot/vmlinuz-VERSION.
 */
char *default_modules(const char *kernel) {
  g_autofree char *name = g_path_get_basename(kernel);
  g_autofree char *directory = g_path_get_dirname(kernel);
  const char *version = strchr(name, '-');

  if (is_module_tree(directory))
    return g_steal_pointer(&directory);
  char *beside = only_tree_beside(directory);
  if (beside)
    return beside;
  g_autofree char *path = version ? g_build_filename("/lib/modules", version + 1, NULL) : NULL;
  return path && is_module_tree(path) ? g_steal_pointer(&path) : NULL;
}

/* The command line. */

/*
 * A panic ends the guest; and it is quiet unless somebody reads it, or has said how much is to be said. In a panic or
 * an oops Linux says everything all the same. The console's word is there already, as for every machine.
 */
bool add_default_arguments(Config *config, bool quiet, char **why) {
  static const char *const volumes[] = {"loglevel", "debug", "ignore_loglevel"};
  char **line = &config->append;
  size_t user_length = strlen(*line);

  for (unsigned i = 0; i < G_N_ELEMENTS(volumes); i++)
    quiet = quiet && !command_line_has(*line, volumes[i]);
  if (quiet)
    command_line_add(line, "quiet");
  command_line_add(line, "panic=-1");
  return command_line_fits(*line, user_length, why);
}
