/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, with files in it. Tests only. */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

static inline char *directory_new(void) {
  g_autoptr(GError) error = NULL;
  char *path = g_dir_make_tmp("eret-test-XXXXXX", &error);

  g_assert_no_error(error);
  return path;
}

/* PATH below DIRECTORY, with the directories that it needs. */
static inline void directory_write(const char *directory, const char *path, const char *text) {
  g_autofree char *file = g_build_filename(directory, path, NULL);
  g_autofree char *parent = g_path_get_dirname(file);
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
  g_assert_true(g_file_set_contents(file, text, -1, &error));
  g_assert_no_error(error);
  g_assert_cmpint(g_chmod(file, 0644), ==, 0);
}

/* With all that is in it. The string stays the caller's. */
static inline void directory_free(const char *directory) {
  g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);

  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *below = g_build_filename(directory, name, NULL);
    if (g_file_test(below, G_FILE_TEST_IS_DIR) && !g_file_test(below, G_FILE_TEST_IS_SYMLINK))
      directory_free(below);
    else
      g_unlink(below);
  }
  g_rmdir(directory);
}
