/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted tree of paths; libarchive writes it down. Contents are mapped files or bytes: nothing is copied before the archive is made.
 */
#include "vmm/exec/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/exec/archive-error.h"

G_DEFINE_QUARK(eret_initramfs_error, initramfs_error)

/* A newc header has 32 bits for a size. */
#define FILE_SIZE_MAX UINT32_MAX

typedef struct {
  unsigned mode; /* with its type */
  GBytes *bytes; /* of a file, or NULL: empty */
  char *link;    /* of a symbolic link */
} Node;

struct Initramfs {
  GTree *nodes; /* path without the first slash -> Node */
};

static void free_node(gpointer data) {
  Node *node = data;
  g_clear_pointer(&node->bytes, g_bytes_unref);
  g_free(node->link);
  g_free(node);
}

static int compare_paths(gconstpointer a, gconstpointer b, gpointer opaque) {
  return strcmp(a, b);
}

Initramfs *initramfs_new(void) {
  Initramfs *initramfs = g_new0(Initramfs, 1);

  initramfs->nodes = g_tree_new_full(compare_paths, NULL, g_free, free_node);
  return initramfs;
}

void initramfs_free(Initramfs *initramfs) {
  if (!initramfs)
    return;
  g_tree_unref(initramfs->nodes);
  g_free(initramfs);
}

/* "a/b/c" of "/a//b/./c/". */
static char *normalise(const char *path) {
  g_autofree char *absolute = g_canonicalize_filename(path, "/");
  return g_strdup(absolute + strspn(absolute, "/"));
}

static void add_parents(Initramfs *initramfs, const char *path) {
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    g_autofree char *parent = g_strndup(path, (gsize)(slash - path));
    if (g_tree_lookup(initramfs->nodes, parent))
      continue;
    Node *node = g_new0(Node, 1);
    node->mode = S_IFDIR | 0755;
    g_tree_insert(initramfs->nodes, g_steal_pointer(&parent), node);
  }
}

static void add_node(Initramfs *initramfs, const char *path, unsigned mode, GBytes *bytes, const char *target) {
  g_autofree char *key = normalise(path);
  const Node *old = g_tree_lookup(initramfs->nodes, key);

  if (!*key || (S_ISDIR(mode) && old && S_ISDIR(old->mode)))
    return;
  Node *node = g_new0(Node, 1);
  node->mode = mode;
  node->bytes = bytes ? g_bytes_ref(bytes) : NULL;
  node->link = g_strdup(target);
  add_parents(initramfs, key);
  g_tree_replace(initramfs->nodes, g_steal_pointer(&key), node);
}

void initramfs_add_directory(Initramfs *initramfs, const char *path, unsigned mode) {
  add_node(initramfs, path, S_IFDIR | (mode & 07777), NULL, NULL);
}

void initramfs_add_bytes(Initramfs *initramfs, const char *path, unsigned mode, GBytes *bytes) {
  add_node(initramfs, path, S_IFREG | (mode & 07777), bytes, NULL);
}

void initramfs_add_link(Initramfs *initramfs, const char *path, const char *target) {
  add_node(initramfs, path, S_IFLNK | 0777, NULL, target);
}

/* From the host. */

static bool add_file(Initramfs *initramfs, const char *source, const char *path, const struct stat *status, GError **error) {
  g_autoptr(GMappedFile) file = g_mapped_file_new(source, FALSE, error);

  if (!file)
    return false;
  if (g_mapped_file_get_length(file) > FILE_SIZE_MAX) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "'%s' is larger than the 4 GiB that a file in an initramfs can have", source);
    return false;
  }
  g_autoptr(GBytes) bytes = g_mapped_file_get_bytes(file);
  initramfs_add_bytes(initramfs, path, status->st_mode, bytes);
  return true;
}

static bool add_path(Initramfs *initramfs, const char *source, const char *path, bool follow, GError **error);

static bool add_directory(Initramfs *initramfs, const char *source, const char *path, const struct stat *status, GError **error) {
  g_autoptr(GDir) directory = g_dir_open(source, 0, error);

  if (!directory)
    return false;
  initramfs_add_directory(initramfs, path, status->st_mode);
  for (const char *name; (name = g_dir_read_name(directory));) {
    g_autofree char *below = g_build_filename(source, name, NULL);
    g_autofree char *below_path = g_build_filename(path, name, NULL);
    if (!add_path(initramfs, below, below_path, false, error))
      return false;
  }
  return true;
}

static bool add_path(Initramfs *initramfs, const char *source, const char *path, bool follow, GError **error) {
  struct stat status;

  if ((follow ? stat : lstat)(source, &status) < 0) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "'%s' cannot be read: %s", source, g_strerror(errno));
    return false;
  }
  if (S_ISDIR(status.st_mode))
    return add_directory(initramfs, source, path, &status, error);
  if (S_ISREG(status.st_mode))
    return add_file(initramfs, source, path, &status, error);
  if (!S_ISLNK(status.st_mode)) {
    g_debug("'%s' is left out: it is neither a file, a directory, nor a link", source);
    return true;
  }
  g_autofree char *target = g_file_read_link(source, error);
  if (!target)
    return false;
  initramfs_add_link(initramfs, path, target);
  return true;
}

bool initramfs_add_tree(Initramfs *initramfs, const char *source, const char *path, GError **error) {
  return add_path(initramfs, source, path, true, error);
}

/* The archive. */

typedef struct {
  struct archive *archive;
  struct archive_entry *entry;
  int64_t inode;
  bool failed;
} Writer;

static la_ssize_t append(struct archive *archive, void *opaque, const void *bytes, size_t size) {
  g_byte_array_append(opaque, bytes, (guint)size);
  return (la_ssize_t)size;
}

static gboolean write_node(gpointer key, gpointer value, gpointer data) {
  const Node *node = value;
  Writer *writer = data;
  gsize size = 0;
  const void *bytes = node->bytes ? g_bytes_get_data(node->bytes, &size) : NULL;

  archive_entry_clear(writer->entry);
  archive_entry_set_pathname(writer->entry, key);
  archive_entry_set_mode(writer->entry, (mode_t)node->mode);
  archive_entry_set_size(writer->entry, (int64_t)size);
  archive_entry_set_ino64(writer->entry, ++writer->inode);
  archive_entry_set_nlink(writer->entry, S_ISDIR(node->mode) ? 2 : 1);
  archive_entry_set_mtime(writer->entry, 0, 0);
  if (node->link)
    archive_entry_set_symlink(writer->entry, node->link);
  writer->failed = archive_write_header(writer->archive, writer->entry) < ARCHIVE_WARN ||
                   (size && archive_write_data(writer->archive, bytes, size) != (la_ssize_t)size);
  return writer->failed;
}

GBytes *initramfs_build(const Initramfs *initramfs, GError **error) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  Writer writer = {.archive = archive_write_new(), .entry = archive_entry_new()};

  archive_write_set_format_cpio_newc(writer.archive);
  archive_write_set_bytes_per_block(writer.archive, 0);
  bool ok = archive_write_open(writer.archive, bytes, NULL, append, NULL) == ARCHIVE_OK;
  if (ok)
    g_tree_foreach(initramfs->nodes, write_node, &writer);
  ok = ok && !writer.failed && archive_write_close(writer.archive) == ARCHIVE_OK;
  if (!ok)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "the initramfs cannot be written: %s", archive_reason(writer.archive));
  archive_entry_free(writer.entry);
  archive_write_free(writer.archive);
  return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&bytes)) : NULL;
}
