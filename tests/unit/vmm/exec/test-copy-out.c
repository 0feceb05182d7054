/* SPDX-License-Identifier: Apache-2.0 */
/* Files that come out of a guest: vmm/exec/copy-out.c, fed with archives that init would send, and with ones that it would not. */
#include "vmm/exec/copy-out.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"

typedef struct {
  const char *path;
  unsigned type;
  const char *contents; /* or target */
} Entry;

static la_ssize_t append(struct archive *archive, void *opaque, const void *bytes, size_t size) {
  g_byte_array_append(opaque, bytes, (guint)size);
  return (la_ssize_t)size;
}

static GByteArray *make_archive(const Entry *entries, unsigned n) {
  GByteArray *bytes = g_byte_array_new();
  struct archive *archive = archive_write_new();

  archive_write_set_format_cpio_newc(archive);
  archive_write_set_bytes_per_block(archive, 0);
  archive_write_open(archive, bytes, NULL, append, NULL);
  for (unsigned i = 0; i < n; i++) {
    struct archive_entry *entry = archive_entry_new();
    size_t size = entries[i].type == AE_IFREG ? strlen(entries[i].contents) : 0;
    archive_entry_set_pathname(entry, entries[i].path);
    archive_entry_set_mode(entry, entries[i].type | 04755);
    archive_entry_set_size(entry, (int64_t)size);
    archive_entry_set_ino64(entry, i + 1);
    if (entries[i].type == AE_IFLNK)
      archive_entry_set_symlink(entry, entries[i].contents);
    g_assert_cmpint(archive_write_header(archive, entry), ==, ARCHIVE_OK);
    if (size)
      archive_write_data(archive, entries[i].contents, size);
    archive_entry_free(entry);
  }
  archive_write_close(archive);
  archive_write_free(archive);
  return bytes;
}

/* Unpacks into DIRECTORY/one and DIRECTORY/sub/two; returns the error's message, or NULL. */
static char *unpack(const char *directory, const Entry *entries, unsigned n, size_t cut) {
  g_autofree char *one = g_build_filename(directory, "one", NULL);
  g_autofree char *two = g_build_filename(directory, "sub", "two", NULL);
  const char *const destinations[] = {one, two, NULL};
  g_autoptr(GByteArray) bytes = make_archive(entries, n);
  g_autoptr(GError) error = NULL;
  g_autoptr(CopyOut) copy = copy_out_new(destinations, UINT64_C(1) << 30, &error);

  g_assert_no_error(error);
  for (size_t i = 0; i < bytes->len - cut; i++)
    g_assert_true(copy_out_feed(copy, bytes->data + i, 1, &error));
  bool whole = copy_out_finish(copy, &error);
  g_assert_true(whole == !error);
  return error ? g_strdup(error->message) : NULL;
}

static void assert_file(const char *directory, const char *path, const char *contents) {
  g_autofree char *file = g_build_filename(directory, path, NULL);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;

  g_file_get_contents(file, &text, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(text, ==, contents);
}

static bool exists(const char *directory, const char *path) {
  g_autofree char *file = g_build_filename(directory, path, NULL);
  struct stat status;
  return lstat(file, &status) == 0;
}

static void test_files(void) {
  static const Entry entries[] = {
      {"0", AE_IFREG, "first"},  {"1", AE_IFDIR, ""},          {"1/a", AE_IFDIR, ""},
      {"1/a/b", AE_IFREG, "b"},  {"1/link", AE_IFLNK, "a/b"},  {"1/a/up", AE_IFLNK, "../a/b"},
      {"1/empty", AE_IFREG, ""}, {"1/deep/er", AE_IFREG, "x"},
  };
  g_autofree char *directory = directory_new();
  struct stat status;

  directory_write(directory, "one", "was here before");
  for (unsigned i = 0; i < 2; i++) { /* the second time over the first */
    g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
    g_assert_null(error);
    assert_file(directory, "one", "first");
    assert_file(directory, "sub/two/a/b", "b");
    assert_file(directory, "sub/two/link", "b");
    assert_file(directory, "sub/two/a/up", "b");
    assert_file(directory, "sub/two/empty", "");
    assert_file(directory, "sub/two/deep/er", "x");
  }
  g_autofree char *one = g_build_filename(directory, "one", NULL);
  g_assert_cmpint(stat(one, &status), ==, 0);
  g_assert_cmpint(status.st_mode & 07777, ==, 0755); /* no set-user-ID of a guest's */
  directory_free(directory);
}

static void test_links_out(void) {
  static const Entry entries[] = {
      {"1", AE_IFDIR, ""},
      {"1/absolute", AE_IFLNK, "/etc"},
      {"1/up", AE_IFLNK, "../.."},
      {"1/hidden", AE_IFLNK, "a/../../x"},
      {"0", AE_IFREG, "comes all the same"},
  };
  g_autofree char *directory = directory_new();

  for (unsigned i = 0; i < 3; i++)
    g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*is left out*");
  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_test_assert_expected_messages();
  g_assert_null(error);
  g_assert_false(exists(directory, "sub/two/absolute"));
  g_assert_false(exists(directory, "sub/two/up"));
  g_assert_false(exists(directory, "sub/two/hidden"));
  assert_file(directory, "one", "comes all the same");
  directory_free(directory);
}

/* A link that is there, by a run before or by the guest, is never gone through. */
static void test_through_links(void) {
  static const Entry entries[] = {{"1", AE_IFDIR, ""}, {"1/a", AE_IFLNK, "."}, {"1/a/x", AE_IFREG, "x"}};
  static const Entry second[] = {{"1/out/x", AE_IFREG, "x"}};
  static const Entry over[] = {{"1/out", AE_IFREG, "x"}};
  g_autofree char *directory = directory_new();
  g_autofree char *outside = g_build_filename(directory, "outside", NULL);
  g_autofree char *link = g_build_filename(directory, "sub", "two", "out", NULL);

  g_autofree char *first_error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_nonnull(first_error);
  g_assert_false(exists(directory, "sub/two/x"));
  directory_write(directory, "outside/keep", "");
  g_assert_cmpint(symlink(outside, link), ==, 0);
  g_autofree char *second_error = unpack(directory, second, G_N_ELEMENTS(second), 0);
  g_assert_nonnull(second_error);
  g_assert_false(exists(directory, "outside/x"));
  g_autofree char *third_error = unpack(directory, over, G_N_ELEMENTS(over), 0);
  g_assert_null(third_error); /* the link itself is replaced */
  g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
  directory_free(directory);
}

static void test_bad_names(void) {
  static const char *const names[] = {"2", "x", "../0", "/0", "0/../../x", "1/../x", "1//x", "1/./x", "-1", "1/x/", "00000000000000000000",
                                      ""};
  g_autofree char *directory = directory_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(names) - 1; i++) {
    const Entry entry = {names[i], AE_IFREG, "bad"};
    g_autofree char *error = unpack(directory, &entry, 1, 0);
    if (i < 10)
      g_assert_nonnull(error);
  }
  g_assert_false(exists(directory, "x"));
  g_assert_false(exists(directory, "sub/x"));
  directory_free(directory);
}

static void test_special(void) {
  static const Entry entry = {"1/fifo", AE_IFIFO, ""};
  g_autofree char *directory = directory_new();

  g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*is left out*");
  g_autofree char *error = unpack(directory, &entry, 1, 0);
  g_test_assert_expected_messages();
  g_assert_null(error);
  g_assert_false(exists(directory, "sub/two/fifo"));
  directory_free(directory);
}

static void test_cut(void) {
  static const Entry entries[] = {{"0", AE_IFREG, "contents that are a little longer than nothing, for the cut to be within them"}};
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = make_archive(entries, 1);

  for (size_t cut = 1; cut < bytes->len; cut += 7) {
    g_autofree char *error = unpack(directory, entries, 1, cut);
    g_assert_nonnull(error);
  }
  directory_free(directory);
}

static void test_noise(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *one = g_build_filename(directory, "one", NULL);
  const char *const destinations[] = {one, NULL};
  g_autoptr(GRand) random = g_rand_new_with_seed(5);

  for (unsigned round = 0; round < 200; round++) {
    static const Entry entries[] = {{"0", AE_IFDIR, ""}, {"0/a", AE_IFREG, "some text"}, {"0/l", AE_IFLNK, "a"}};
    g_autoptr(GByteArray) bytes = make_archive(entries, G_N_ELEMENTS(entries));
    g_autoptr(CopyOut) copy = copy_out_new(destinations, 1 << 20, NULL);
    for (unsigned i = 0; i < 4; i++)
      bytes->data[g_rand_int_range(random, 0, (gint32)bytes->len)] = (guint8)g_rand_int(random);
    copy_out_feed(copy, bytes->data, bytes->len, NULL);
    copy_out_finish(copy, NULL);
  }
  directory_free(directory);
}

static void test_limit(void) {
  const char *const destinations[] = {"/nonexistent", NULL};
  g_autoptr(GError) error = NULL;
  g_autoptr(CopyOut) copy = copy_out_new(destinations, 10, NULL);

  g_assert_true(copy_out_feed(copy, "0123456789", 10, &error));
  g_assert_false(copy_out_feed(copy, "0", 1, &error));
  g_assert_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_LIMIT);
}

static void discard(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_fatal_mask("eret", G_LOG_LEVEL_ERROR);
  g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
  g_log_set_handler("eret", G_LOG_LEVEL_WARNING, discard, NULL);
  g_test_add_func("/copy-out/files", test_files);
  g_test_add_func("/copy-out/links-out", test_links_out);
  g_test_add_func("/copy-out/through-links", test_through_links);
  g_test_add_func("/copy-out/bad-names", test_bad_names);
  g_test_add_func("/copy-out/special", test_special);
  g_test_add_func("/copy-out/cut", test_cut);
  g_test_add_func("/copy-out/noise", test_noise);
  g_test_add_func("/copy-out/limit", test_limit);
  return g_test_run();
}
