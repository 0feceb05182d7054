/* SPDX-License-Identifier: Apache-2.0 */
/* modules.dep has a line a module: its path, a colon, and the paths of all that it needs. libarchive unpacks. */
#include "vmm/exec/modules.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "vmm/base/whole-file.h"

#define MODULE_SIZE_MAX (UINT64_C(256) << 20)
#define LIST_SIZE_MAX   ((gsize)64 << 20) /* Debian's modules.dep has less than one MiB */

typedef struct {
  const char *directory;
  Initramfs *initramfs;
  GHashTable *dependencies; /* name -> line of modules.dep, "path: path..." */
  GHashTable *builtin;      /* names */
  GHashTable *added;        /* names */
  unsigned n;
} Modules;

/* "virtio_blk" of "kernel/drivers/block/virtio-blk.ko.xz". */
static char *module_name(const char *path) {
  char *name = g_path_get_basename(path);
  char *suffix = strstr(name, ".ko");

  if (suffix)
    *suffix = 0;
  return g_strdelimit(name, "-", '_');
}

static char **read_lines(const char *directory, const char *file, GError **error) {
  g_autofree char *path = g_build_filename(directory, file, NULL);
  g_autofree char *text = whole_file_read(path, LIST_SIZE_MAX, "list of modules", NULL, error);

  if (!text)
    g_prefix_error(error, "'%s' cannot be read: ", path);
  return text ? g_strsplit(text, "\n", -1) : NULL;
}

static bool read_lists(Modules *modules, GError **error) {
  g_auto(GStrv) dep = read_lines(modules->directory, "modules.dep", error);
  g_auto(GStrv) builtin = dep ? read_lines(modules->directory, "modules.builtin", NULL) : NULL;

  if (!dep)
    return false;
  for (unsigned i = 0; dep[i]; i++) {
    char *colon = strchr(dep[i], ':');
    g_autofree char *path = colon ? g_strndup(dep[i], (gsize)(colon - dep[i])) : NULL;
    if (path)
      g_hash_table_replace(modules->dependencies, module_name(path), g_strdup(dep[i]));
  }
  for (unsigned i = 0; builtin && builtin[i]; i++)
    g_hash_table_add(modules->builtin, module_name(builtin[i]));
  return true;
}

/* The whole of a packed file. */
static GBytes *unpack(struct archive *archive, const char *path, GError **error) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  struct archive_entry *entry;
  guint8 chunk[65536];
  la_ssize_t got = 0;

  archive_read_support_filter_all(archive);
  archive_read_support_format_raw(archive);
  archive_read_support_format_empty(archive);
  if (archive_read_open_filename(archive, path, sizeof chunk) == ARCHIVE_OK && archive_read_next_header(archive, &entry) == ARCHIVE_OK)
    while ((got = archive_read_data(archive, chunk, sizeof chunk)) > 0 && bytes->len < MODULE_SIZE_MAX)
      g_byte_array_append(bytes, chunk, (guint)got);
  if (got == 0 && bytes->len >= 4 && memcmp(bytes->data, "\177ELF", 4) == 0)
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
  const char *reason = archive_error_string(archive);
  g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_MODULE, "'%s' is not a kernel module that can be unpacked: %s", path,
              reason ? reason : "it is no ELF file");
  return NULL;
}

static bool add_module(Modules *modules, const char *path, GError **error) {
  g_autofree char *name = module_name(path);
  g_autofree char *file = g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(modules->directory, path, NULL);
  g_autofree char *in_guest = g_strdup_printf("/eret/modules/%03u-%s.ko", modules->n, name);
  struct archive *archive = archive_read_new();
  g_autoptr(GBytes) bytes = unpack(archive, file, error);

  archive_read_free(archive);
  if (!bytes)
    return false;
  modules->n++;
  initramfs_add_bytes(modules->initramfs, in_guest, 0644, INITRAMFS_OWN, bytes);
  return true;
}

/* A module after those it needs. */
static bool add_with_dependencies(Modules *modules, const char *name, GError **error) {
  const char *line = g_hash_table_lookup(modules->dependencies, name);

  if (!line || !g_hash_table_add(modules->added, g_strdup(name)))
    return true;
  const char *colon = strchr(line, ':');
  g_autofree char *path = g_strndup(line, (gsize)(colon - line));
  g_auto(GStrv) needed = g_strsplit(colon + 1, " ", -1);
  for (unsigned i = 0; needed[i]; i++) {
    g_autofree char *other = *needed[i] ? module_name(needed[i]) : NULL;
    if (other && !add_with_dependencies(modules, other, error))
      return false;
  }
  return add_module(modules, path, error);
}

static bool has_module(const Modules *modules, const char *name) {
  return g_hash_table_contains(modules->dependencies, name) || g_hash_table_contains(modules->builtin, name);
}

bool initramfs_add_modules(Initramfs *initramfs, const char *directory, const char *const *names, GPtrArray *missing, GError **error) {
  g_autoptr(GHashTable) dependencies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) builtin = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) added = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Modules modules = {.directory = directory, .initramfs = initramfs, .dependencies = dependencies, .builtin = builtin, .added = added};

  if (!read_lists(&modules, error))
    return false;
  for (unsigned i = 0; names[i]; i++) {
    g_autofree char *name = module_name(names[i]);
    if (!has_module(&modules, name))
      g_ptr_array_add(missing, g_strdup(names[i]));
    if (initramfs && !add_with_dependencies(&modules, name, error))
      return false;
  }
  return true;
}
