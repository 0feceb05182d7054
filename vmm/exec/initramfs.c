/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted tree of paths; libarchive writes it down. Contents are mapped files or bytes: nothing is copied before the
 * archive is made.
 */
#include "vmm/exec/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(eret_initramfs_error, initramfs_error)

/* A newc header has 32 bits for a size. */
#define FILE_SIZE_MAX UINT32_MAX
#define PAGE          UINT64_C(4096) /* the smallest of an arm64 kernel's */

/* Where something comes from, and is put. */
typedef struct {
  InitramfsKind kind;
  char *source; /* of the host; NULL: eret's own */
  char *path;   /* in the archive, as a key */
} Origin;

static const Origin own[] = {[INITRAMFS_OWN] = {.kind = INITRAMFS_OWN}, [INITRAMFS_SYSTEM] = {.kind = INITRAMFS_SYSTEM}};

typedef struct {
  const Origin *origin;
  bool implied;  /* a directory that only something below it has made */
  unsigned mode; /* with its type */
  unsigned uid, gid;
  int64_t time;     /* of the last change, in seconds of Unix time */
  dev_t device;     /* of a device node */
  GBytes *bytes;    /* of a file, or NULL: empty */
  MappedFile *file; /* what the bytes lie in, or NULL: in memory */
  char *link;       /* of a symbolic link */
} Node;

struct Initramfs {
  GTree *nodes;       /* path without the first slash -> Node */
  GPtrArray *origins; /* Origin, of trees */
};

static void free_origin(gpointer data) {
  Origin *origin = data;
  g_free(origin->source);
  g_free(origin->path);
  g_free(origin);
}

static void free_node(gpointer data) {
  Node *node = data;
  g_clear_pointer(&node->bytes, g_bytes_unref);
  g_clear_pointer(&node->file, mapped_file_free);
  g_free(node->link);
  g_free(node);
}

static int compare_paths(gconstpointer a, gconstpointer b, gpointer opaque) {
  return strcmp(a, b);
}

Initramfs *initramfs_new(void) {
  Initramfs *initramfs = g_new0(Initramfs, 1);

  initramfs->nodes = g_tree_new_full(compare_paths, NULL, g_free, free_node);
  initramfs->origins = g_ptr_array_new_with_free_func(free_origin);
  return initramfs;
}

void initramfs_free(Initramfs *initramfs) {
  if (!initramfs)
    return;
  g_tree_unref(initramfs->nodes);
  g_ptr_array_unref(initramfs->origins);
  g_free(initramfs);
}

/* "a/b/c" of "/a//b/./c/". */
static char *normalise(const char *path) {
  g_autofree char *absolute = g_canonicalize_filename(path, "/");
  return g_strdup(absolute + strspn(absolute, "/"));
}

/* What is in the way of what. */

static char *describe_source(const Origin *origin, const char *key) {
  if (!origin->source)
    return g_strdup("eret's own");
  const char *below = g_str_has_prefix(key, origin->path) ? key + strlen(origin->path) : "";
  g_autofree char *source = g_build_filename(origin->source, *below == '/' || !*origin->path ? below : NULL, NULL);
  return g_strdup_printf("'%s'", source);
}

static const char *describe_mode(unsigned mode) {
  return S_ISDIR(mode)    ? "a directory"
         : S_ISREG(mode)  ? "a file"
         : S_ISLNK(mode)  ? "a link"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

static bool fail_taken(const char *key, const Node *what, const char *taken_key, const Node *taken, GError **error) {
  g_autofree char *source = describe_source(what->origin, key), *other = describe_source(taken->origin, taken_key);

  g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_TAKEN, "%s cannot be put at '/%s' in the guest: '/%s' is there already, %s of %s",
              source, key, taken_key, describe_mode(taken->mode), other);
  return false;
}

/* Directories above KEY; false: one of them is something else. */
static bool add_parents(Initramfs *initramfs, const char *key, const Node *what, GError **error) {
  for (const char *slash = strchr(key, '/'); slash; slash = strchr(slash + 1, '/')) {
    g_autofree char *parent = g_strndup(key, (gsize)(slash - key));
    const Node *old = g_tree_lookup(initramfs->nodes, parent);
    if (old && !S_ISDIR(old->mode) && what->origin->kind == INITRAMFS_FILES)
      return fail_taken(key, what, parent, old, error);
    if (old)
      continue;
    Node *node = g_new0(Node, 1);
    *node = (Node){.origin = what->origin, .implied = true, .mode = S_IFDIR | 0755};
    g_tree_insert(initramfs->nodes, g_steal_pointer(&parent), node);
  }
  return true;
}

static bool may_replace(const Node *old, const Node *what) {
  return what->origin->kind != INITRAMFS_FILES || (S_ISDIR(old->mode) && S_ISDIR(what->mode)) ||
         (!S_ISDIR(old->mode) && !S_ISDIR(what->mode) && old->origin->kind == INITRAMFS_SYSTEM);
}

/* Takes bytes, file and link, also if it fails. */
static bool add_node(Initramfs *initramfs, const char *key, const Node *what, GError **error) {
  static const Node root = {.origin = &own[INITRAMFS_OWN], .mode = S_IFDIR | 0755};
  const Node *old = *key ? g_tree_lookup(initramfs->nodes, key) : &root;
  Node *node = g_memdup2(what, sizeof *what);
  bool possible = add_parents(initramfs, key, what, error) && (!old || may_replace(old, what) || fail_taken(key, what, key, old, error));

  if (!possible || (old && !old->implied && S_ISDIR(old->mode) && S_ISDIR(what->mode)))
    free_node(node);
  else
    g_tree_replace(initramfs->nodes, g_strdup(key), node);
  return possible;
}

/* Of eret's own, nothing of which is in the way of another. */
static void add_own(Initramfs *initramfs, const char *path, const Node *what) {
  g_autofree char *key = normalise(path);
  add_node(initramfs, key, what, NULL);
}

void initramfs_add_directory(Initramfs *initramfs, const char *path, unsigned mode) {
  add_own(initramfs, path, &(Node){.origin = &own[INITRAMFS_OWN], .mode = S_IFDIR | (mode & 07777)});
}

void initramfs_add_bytes(Initramfs *initramfs, const char *path, unsigned mode, InitramfsKind kind, GBytes *bytes) {
  add_own(initramfs, path, &(Node){.origin = &own[kind], .mode = S_IFREG | (mode & 07777), .bytes = bytes ? g_bytes_ref(bytes) : NULL});
}

void initramfs_add_mapped(Initramfs *initramfs, const char *path, unsigned mode, InitramfsKind kind, MappedFile *file) {
  add_own(initramfs, path,
          &(Node){.origin = &own[kind], .mode = S_IFREG | (mode & 07777), .bytes = mapped_file_bytes(file), .file = mapped_file_ref(file)});
}

/* From the host. */

typedef struct {
  Initramfs *initramfs;
  const Origin *origin;
} Tree;

/* Who is not root cannot make files of others: what he has unpacked as his own is meant to be root's. */
static Node node_of(const Tree *tree, const struct stat *status) {
  Node node = {.origin = tree->origin, .mode = status->st_mode, .time = status->st_mtime, .device = status->st_rdev};

  if (tree->origin->kind == INITRAMFS_SYSTEM) {
    node.uid = status->st_uid == geteuid() ? 0 : status->st_uid;
    node.gid = status->st_gid == getegid() ? 0 : status->st_gid;
  }
  return node;
}

/* Opens a file, of which STATUS is what is opened: another may lie there by now than was looked at. */
static MappedFile *open_file(const char *source, bool follow, struct stat *status, GError **error) {
  int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));

  if (fd >= 0 && fstat(fd, status) == 0)
    return mapped_file_new_take_fd(fd, source, MAPPED_FILE_READ_ONCE, error);
  g_set_error_literal(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, g_strerror(errno));
  if (fd >= 0)
    close(fd);
  return NULL;
}

static bool add_file(const Tree *tree, const char *source, const char *path, bool follow, GError **error) {
  struct stat status;
  g_autoptr(MappedFile) file = open_file(source, follow, &status, error);

  if (!file) {
    g_prefix_error(error, "'%s' cannot be read: ", source);
    return false;
  }
  g_autoptr(GBytes) bytes = mapped_file_bytes(file);
  if (g_bytes_get_size(bytes) > FILE_SIZE_MAX) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "'%s' is larger than the 4 GiB that a file in an initramfs can have", source);
    return false;
  }
  Node node = node_of(tree, &status);
  node.bytes = g_steal_pointer(&bytes);
  node.file = g_steal_pointer(&file);
  return add_node(tree->initramfs, path, &node, error);
}

static bool add_path(const Tree *tree, const char *source, const char *path, bool follow, GError **error);

static bool add_directory(const Tree *tree, const char *source, const char *path, const struct stat *status, GError **error) {
  g_autoptr(GDir) directory = g_dir_open(source, 0, error);
  Node node = node_of(tree, status);

  if (!directory)
    return false;
  if (!add_node(tree->initramfs, path, &node, error))
    return false;
  for (const char *name; (name = g_dir_read_name(directory));) {
    g_autofree char *below = g_build_filename(source, name, NULL);
    g_autofree char *below_path = *path ? g_build_filename(path, name, NULL) : g_strdup(name);
    if (!add_path(tree, below, below_path, false, error))
      return false;
  }
  return true;
}

static bool add_path(const Tree *tree, const char *source, const char *path, bool follow, GError **error) {
  struct stat status;

  if ((follow ? stat : lstat)(source, &status) < 0) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "'%s' cannot be read: %s", source, g_strerror(errno));
    return false;
  }
  if (S_ISDIR(status.st_mode))
    return add_directory(tree, source, path, &status, error);
  if (S_ISREG(status.st_mode))
    return add_file(tree, source, path, follow, error);
  if (!S_ISLNK(status.st_mode) && tree->origin->kind == INITRAMFS_FILES) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "'%s' is %s, and only files, directories and links can be copied", source,
                describe_mode(status.st_mode));
    return false;
  }
  if (S_ISSOCK(status.st_mode)) {
    g_debug("'%s' is left out: a socket is nothing without who listens to it", source);
    return true;
  }
  Node node = node_of(tree, &status);
  if (S_ISLNK(status.st_mode) && !(node.link = g_file_read_link(source, error)))
    return false;
  return add_node(tree->initramfs, path, &node, error);
}

bool initramfs_add_tree(Initramfs *initramfs, const char *source, const char *path, InitramfsKind kind, GError **error) {
  Origin *origin = g_new0(Origin, 1);
  const Tree tree = {initramfs, origin};

  *origin = (Origin){.kind = kind, .source = g_strdup(source), .path = normalise(path)};
  g_ptr_array_add(initramfs->origins, origin);
  return add_path(&tree, source, origin->path, true, error);
}

/* The archive. */

typedef struct {
  struct archive *archive;
  struct archive_entry *entry;
  int64_t inode;
  uint64_t files;
  bool failed;
  GError *error; /* NULL: of libarchive */
} Writer;

static la_ssize_t append(struct archive *archive, void *opaque, const void *bytes, size_t size) {
  g_byte_array_append(opaque, bytes, (guint)size);
  return (la_ssize_t)size;
}

/* What Linux leaves out of an initramfs without a word (init/initramfs.c): no file of it can have such a name. */
static bool check_length(const char *path, GError **error) {
  bool fits = strlen(path) < PATH_MAX;

  for (const char *part = path; fits && *part; part += strspn(part, "/")) {
    size_t length = strcspn(part, "/");
    fits = length <= NAME_MAX;
    part += length;
  }
  if (!fits)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                "'/%s' is too long a path for the guest: %d bytes are the most, and %d a name", path, PATH_MAX - 1, NAME_MAX);
  return fits;
}

static gboolean write_node(gpointer key, gpointer value, gpointer data) {
  const Node *node = value;
  Writer *writer = data;
  gsize size = 0;
  const void *bytes = node->bytes ? g_bytes_get_data(node->bytes, &size) : NULL;

  writer->failed = !check_length(key, &writer->error);
  if (writer->failed)
    return true;
  writer->files += (size + PAGE - 1) / PAGE * PAGE;
  archive_entry_clear(writer->entry);
  archive_entry_set_pathname(writer->entry, key);
  archive_entry_set_mode(writer->entry, (mode_t)node->mode);
  archive_entry_set_size(writer->entry, (int64_t)size);
  archive_entry_set_ino64(writer->entry, ++writer->inode);
  archive_entry_set_nlink(writer->entry, S_ISDIR(node->mode) ? 2 : 1);
  archive_entry_set_uid(writer->entry, node->uid);
  archive_entry_set_gid(writer->entry, node->gid);
  archive_entry_set_mtime(writer->entry, CLAMP(node->time, 0, UINT32_MAX), 0); /* 32 bits of the format's */
  if (S_ISCHR(node->mode) || S_ISBLK(node->mode))
    archive_entry_set_rdev(writer->entry, node->device);
  if (node->link)
    archive_entry_set_symlink(writer->entry, node->link);
  writer->failed = archive_write_header(writer->archive, writer->entry) < ARCHIVE_WARN ||
                   (size && archive_write_data(writer->archive, bytes, size) != (la_ssize_t)size) ||
                   (node->file && !mapped_file_check(node->file, &writer->error));
  return writer->failed;
}

GBytes *initramfs_build(const Initramfs *initramfs, uint64_t *files, GError **error) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  Writer writer = {.archive = archive_write_new(), .entry = archive_entry_new()};

  archive_write_set_format_cpio_newc(writer.archive);
  archive_write_set_bytes_per_block(writer.archive, 0);
  bool ok = archive_write_open(writer.archive, bytes, NULL, append, NULL) == ARCHIVE_OK;
  if (ok)
    g_tree_foreach(initramfs->nodes, write_node, &writer);
  ok = ok && !writer.failed && archive_write_close(writer.archive) == ARCHIVE_OK;
  const char *reason = archive_error_string(writer.archive);
  if (writer.error)
    g_propagate_error(error, writer.error);
  else if (!ok)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "the initramfs cannot be written: %s", reason ? reason : "not known why");
  if (files)
    *files = writer.files;
  archive_entry_free(writer.entry);
  archive_write_free(writer.archive);
  return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&bytes)) : NULL;
}
