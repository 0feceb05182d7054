/* SPDX-License-Identifier: Apache-2.0 */
/* The first option that names a file stands for it; the key says which file it is. */
#include "vmm/base/named-files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/output-file.h"

typedef struct {
  char *option, *path;
  bool written;
  bool descriptor; /* written to where it stands, after what was written there before */
} NamedFile;

static void free_file(gpointer data) {
  NamedFile *file = data;

  g_free(file->option);
  g_free(file->path);
  g_free(file);
}

NamedFiles *named_files_new(void) {
  return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_file);
}

void named_files_free(NamedFiles *files) {
  g_clear_pointer(&files, g_hash_table_unref);
}

/* NULL: nothing that could be lost. */
static char *key_of(const struct stat *status) {
  if (S_ISREG(status->st_mode))
    return g_strdup_printf("file %jx:%jx", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
  return S_ISBLK(status->st_mode) ? g_strdup_printf("device %jx", (uintmax_t)status->st_rdev) : NULL;
}

static char *key_of_input(const char *path) {
  struct stat status;

  return stat(path, &status) == 0 ? key_of(&status) : NULL;
}

static char *key_of_output(const char *path, bool *descriptor) {
  int fd = -1;
  g_autofree char *target = output_file_target(path, &fd);
  struct stat status;

  *descriptor = fd >= 0;
  if (*descriptor)
    return fstat(fd, &status) == 0 ? key_of(&status) : NULL;
  if (stat(path, &status) == 0)
    return key_of(&status);
  if (!target || errno != ENOENT)
    return NULL;
  g_autofree char *directory = g_path_get_dirname(target), *name = g_path_get_basename(target);
  return stat(directory, &status) == 0 ? g_strdup_printf("new %jx:%jx %s", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino, name) : NULL;
}

/* A file has two names, and WRITER is the one that would be written. */
static void report_clash(const NamedFile *writer, const NamedFile *other, GString *mistakes) {
  bool same_name = strcmp(writer->path, other->path) == 0;

  mistake(mistakes, "%s: '%s' is also the file of %s%s%s%s%s: name another file", writer->option, writer->path, other->option,
          same_name ? "" : " ('", same_name ? "" : other->path, same_name ? "" : "')",
          other->written ? "" : ", which would be overwritten");
}

/* Takes KEY. */
static void add(NamedFiles *files, char *key, const NamedFile *named, GString *mistakes) {
  const NamedFile *before = g_hash_table_lookup(files, key);

  if (!before) {
    NamedFile *file = g_new(NamedFile, 1);
    *file = *named;
    file->option = g_strdup(named->option);
    file->path = g_strdup(named->path);
    g_hash_table_insert(files, key, file);
    return;
  }
  if (named->written && !(before->written && before->descriptor && named->descriptor))
    report_clash(named, before, mistakes);
  else if (!named->written && before->written)
    report_clash(before, named, mistakes);
  g_free(key);
}

void named_files_read(NamedFiles *files, const char *option, const char *path, GString *mistakes) {
  const NamedFile named = {.option = (char *)option, .path = (char *)path};
  char *key = path ? key_of_input(path) : NULL;

  if (key)
    add(files, key, &named, mistakes);
}

void named_files_write(NamedFiles *files, const char *option, const char *path, GString *mistakes) {
  NamedFile named = {.option = (char *)option, .path = (char *)path, .written = true};
  char *key = path ? key_of_output(path, &named.descriptor) : NULL;

  if (key)
    add(files, key, &named, mistakes);
}

void named_files_read_all(NamedFiles *files, const char *prefix, const NamedFiles *other, GString *mistakes) {
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init(&iter, (GHashTable *)other);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    const NamedFile *file = value;
    g_autofree char *option = g_strconcat(prefix, " ", file->option, NULL);
    const NamedFile named = {.option = option, .path = file->path};
    if (!file->written)
      add(files, g_strdup(key), &named, mistakes);
  }
}
