/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are taken apart, and every directory on the way is opened by its one name, without following links: whatever the guest calls its files, they end up below the
 * destination.
 */
#include "vmm/exec/copy-out.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/exec/archive-error.h"

G_DEFINE_QUARK(eret_copy_out_error, copy_out_error)

#define DEPTH_MAX 256

struct CopyOut {
  char **destinations;
  unsigned n_destinations;
  uint64_t size, limit;
  int spool;
};

CopyOut *copy_out_new(const char *const *destinations, uint64_t limit, GError **error) {
  g_autofree char *name = NULL;
  int spool = g_file_open_tmp("eret-copy-out-XXXXXX", &name, error);

  if (spool < 0)
    return NULL;
  g_unlink(name);
  CopyOut *copy = g_new0(CopyOut, 1);
  copy->destinations = g_strdupv((char **)destinations);
  copy->n_destinations = g_strv_length(copy->destinations);
  copy->limit = limit;
  copy->spool = spool;
  return copy;
}

void copy_out_free(CopyOut *copy) {
  if (!copy)
    return;
  close(copy->spool);
  g_strfreev(copy->destinations);
  g_free(copy);
}

static bool fail(GError **error, CopyOutError code, const char *what) {
  g_set_error(error, COPY_OUT_ERROR, (int)code, "%s: %s", what, g_strerror(errno));
  return false;
}

bool copy_out_feed(CopyOut *copy, const void *bytes, size_t size, GError **error) {
  if (size > copy->limit - copy->size) {
    g_set_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_LIMIT, "the guest sent more than %" PRIu64 " MiB", copy->limit >> 20);
    return false;
  }
  copy->size += size;
  for (const char *next = bytes; size;) {
    ssize_t written = write(copy->spool, next, size);
    if (written < 0 && errno != EINTR)
      return fail(error, COPY_OUT_ERROR_FILE, "a temporary file cannot be written");
    next += MAX(written, 0);
    size -= (size_t)MAX(written, 0);
  }
  return true;
}

/* Names. */

/* The parts of "3/usr/bin": "usr", "bin"; *INDEX 3. NULL: not a name that our init would send. */
static char **split_name(const CopyOut *copy, const char *name, unsigned *index) {
  g_auto(GStrv) parts = g_strsplit(name, "/", -1);
  guint64 number;

  if (!parts[0] || !g_ascii_string_to_unsigned(parts[0], 10, 0, copy->n_destinations - 1, &number, NULL) ||
      g_strv_length(parts) > DEPTH_MAX)
    return NULL;
  for (unsigned i = 1; parts[i]; i++)
    if (!*parts[i] || strcmp(parts[i], ".") == 0 || strcmp(parts[i], "..") == 0)
      return NULL;
  *index = (unsigned)number;
  return g_strdupv(parts + 1);
}

/* Whether a link in the directory of PARTS, whose last is the link itself, stays within. */
static bool stays_inside(char **parts, const char *target) {
  g_auto(GStrv) steps = g_strsplit(target, "/", -1);
  int depth = (int)g_strv_length(parts) - 1;

  if (*target == '/')
    return false;
  for (unsigned i = 0; steps[i]; i++) {
    if (strcmp(steps[i], "..") == 0)
      depth--;
    else if (*steps[i] && strcmp(steps[i], ".") != 0)
      depth++;
    if (depth < 0)
      return false;
  }
  return true;
}

/* Directories. */

/* One step down, by a name without slashes. */
static int step_down(int parent, const char *name) {
  if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
    return -1;
  return openat(parent, name, O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC);
}

/* The directory that the last of PARTS belongs in. PARTS may be empty: then it is the destination's own, whose path is the user's and may have links. */
static int open_parent(const char *destination, char **parts, GError **error) {
  g_autofree char *start = *parts ? g_strdup(destination) : g_path_get_dirname(destination);
  int fd = g_mkdir_with_parents(start, 0755) < 0 ? -1 : open(start, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

  for (; fd >= 0 && *parts && parts[1]; parts++) {
    int below = step_down(fd, *parts);
    close(fd);
    fd = below;
  }
  if (fd < 0)
    fail(error, COPY_OUT_ERROR_FILE, *parts ? *parts : start);
  return fd;
}

/* Entries. */

static bool put_file(int parent, const char *name, struct archive *archive, struct archive_entry *entry, GError **error) {
  int fd = -1;

  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, archive_entry_perm(entry) & 0777);
  if (fd < 0)
    return fail(error, COPY_OUT_ERROR_FILE, name);
  bool ok = archive_read_data_into_fd(archive, fd) == ARCHIVE_OK;
  if (!ok)
    g_set_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_STREAM, "%s: %s", name, archive_reason(archive));
  if (close(fd) < 0 && ok)
    return fail(error, COPY_OUT_ERROR_FILE, name);
  return ok;
}

static bool put_directory(int parent, const char *name, GError **error) {
  int fd = step_down(parent, name);

  if (fd < 0)
    return fail(error, COPY_OUT_ERROR_FILE, name);
  close(fd);
  return true;
}

static bool put_link(int parent, const char *name, char **parts, const char *target, GError **error) {
  if (!target || !stays_inside(parts, target)) {
    g_warning("--copy-out: the link %s is left out: it leads elsewhere", name);
    return true;
  }
  if ((unlinkat(parent, name, 0) < 0 && errno != ENOENT) || symlinkat(target, parent, name) < 0)
    return fail(error, COPY_OUT_ERROR_FILE, name);
  return true;
}

static bool put_entry(const CopyOut *copy, struct archive *archive, struct archive_entry *entry, GError **error) {
  const char *path = archive_entry_pathname(entry);
  unsigned index = 0, type = archive_entry_filetype(entry);
  g_auto(GStrv) parts = path ? split_name(copy, path, &index) : NULL;

  if (!parts) {
    g_set_error_literal(error, COPY_OUT_ERROR, COPY_OUT_ERROR_STREAM, "the guest sent a name that does not belong to what was asked for");
    return false;
  }
  const char *destination = copy->destinations[index];
  unsigned n = g_strv_length(parts);
  g_autofree char *name = n ? g_strdup(parts[n - 1]) : g_path_get_basename(destination);
  if (!n && type == AE_IFDIR)
    return g_mkdir_with_parents(destination, 0755) == 0 || fail(error, COPY_OUT_ERROR_FILE, destination);
  int parent = open_parent(destination, parts, error);
  if (parent < 0)
    return false;
  bool ok = true;
  if (type == AE_IFREG)
    ok = put_file(parent, name, archive, entry, error);
  else if (type == AE_IFDIR)
    ok = put_directory(parent, name, error);
  else if (type == AE_IFLNK)
    ok = put_link(parent, name, parts, archive_entry_symlink(entry), error);
  else
    g_warning("--copy-out: %s is left out: it is neither a file, a directory, nor a link", name);
  close(parent);
  return ok;
}

static bool put_all(const CopyOut *copy, struct archive *archive, GError **error) {
  struct archive_entry *entry;
  int result;

  archive_read_support_format_cpio(archive);
  result = archive_read_open_fd(archive, copy->spool, 65536);
  while (result == ARCHIVE_OK && (result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK)
    if (!put_entry(copy, archive, entry, error))
      return false;
  if (result == ARCHIVE_EOF)
    return true;
  g_set_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_STREAM, "the guest's files did not come whole: %s", archive_reason(archive));
  return false;
}

bool copy_out_finish(CopyOut *copy, GError **error) {
  struct archive *archive;

  if (lseek(copy->spool, 0, SEEK_SET) < 0)
    return fail(error, COPY_OUT_ERROR_FILE, "a temporary file cannot be read");
  archive = archive_read_new();
  bool ok = put_all(copy, archive, error);
  archive_read_free(archive);
  return ok;
}
