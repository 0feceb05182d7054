/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that come out of a guest: vmm/exec/copy-out.c, fed with archives that init would send, and with ones that it
 * would not.
 */
#include "vmm/exec/copy-out.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/vmm/exec/newc-writer.h"

static const CopyOutLimits plenty = {.bytes = UINT64_C(1) << 30, .entries = 1000};

/*
 * What failed, a line each; NULL: nothing. That a destination had nothing sent is left out: most tests send for one of
 * two.
 */
static char *failures_of(const CopyOut *copy) {
  const GPtrArray *failures = copy_out_failures(copy);
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < failures->len; i++)
    if (!g_str_has_suffix(g_ptr_array_index(failures, i), ": the guest did not send it"))
      g_string_append_printf(text, "%s%s", text->len ? "\n" : "", (const char *)g_ptr_array_index(failures, i));
  return g_string_free(text, text->len == 0);
}

/* Into DIRECTORY/FIRST and DIRECTORY/SECOND. */
static char *unpack_bytes(const char *directory, const char *first, const char *second, const CopyOutLimits *limits,
                          const GByteArray *bytes, size_t size) {
  g_autofree char *one = g_build_filename(directory, first, NULL);
  g_autofree char *two = g_build_filename(directory, second, NULL);
  const char *const destinations[] = {one, two, NULL};
  g_autoptr(GError) error = NULL;
  g_autoptr(CopyOut) copy = copy_out_new(destinations, limits, &error);

  g_assert_no_error(error);
  for (size_t i = 0; i < size; i += 7)
    copy_out_feed(copy, bytes->data + i, MIN(7, size - i));
  copy_out_finish(copy, true);
  return failures_of(copy);
}

/* Unpacks into DIRECTORY/one and DIRECTORY/sub/two; returns what failed, or NULL. */
static char *unpack(const char *directory, const Entry *entries, unsigned n, size_t cut) {
  g_autoptr(GByteArray) bytes = newc_archive(entries, n);

  return unpack_bytes(directory, "one", "sub/two", &plenty, bytes, bytes->len - cut);
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
      {"0", S_IFREG, "first"},  {"1", S_IFDIR, ""},          {"1/a", S_IFDIR, ""},
      {"1/a/b", S_IFREG, "b"},  {"1/link", S_IFLNK, "a/b"},  {"1/a/up", S_IFLNK, "../a/b"},
      {"1/empty", S_IFREG, ""}, {"1/deep/er", S_IFREG, "x"},
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
      {"1", S_IFDIR, ""},
      {"1/absolute", S_IFLNK, "/etc"},
      {"1/up", S_IFLNK, "../.."},
      {"1/hidden", S_IFLNK, "a/../../x"},
      {"0", S_IFREG, "comes all the same"},
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
  static const Entry entries[] = {{"1", S_IFDIR, ""}, {"1/a", S_IFLNK, "."}, {"1/a/x", S_IFREG, "x"}};
  static const Entry second[] = {{"1/out/x", S_IFREG, "x"}};
  static const Entry over[] = {{"1/out", S_IFREG, "x"}};
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

/* A link sent as the path itself: what follows must not go where it leads. */
static void test_link_as_destination(void) {
  static const Entry entries[] = {{"1", S_IFLNK, "../outside"}, {"1/x", S_IFREG, "x"}};
  static const Entry inside[] = {{"1", S_IFLNK, "outside"}, {"1/x", S_IFREG, "x"}};
  g_autofree char *directory = directory_new();

  directory_write(directory, "outside/keep", "");
  directory_write(directory, "sub/outside/keep", "");
  g_autofree char *second = unpack(directory, inside, G_N_ELEMENTS(inside), 0);
  g_assert_true(g_str_has_suffix(second, "/sub/two: the guest sent neither a file nor a directory"));
  g_assert_false(exists(directory, "sub/outside/x"));
  g_assert_false(exists(directory, "sub/two"));
  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_false(exists(directory, "outside/x"));
  directory_free(directory);
}

/* Two links, each of which alone seems to stay inside. */
static void test_links_composed(void) {
  static const Entry entries[] = {{"1", S_IFDIR, ""}, {"1/d", S_IFDIR, ""}, {"1/d/l", S_IFLNK, ".."}, {"1/n", S_IFLNK, "d/l/../x"}};
  g_autofree char *directory = directory_new();

  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_true(exists(directory, "sub/two/d/l"));
  g_assert_false(exists(directory, "sub/two/n"));
  directory_free(directory);
}

static void test_bad_names(void) {
  static const char *const names[] = {"2", "x", "../0", "/0", "0/../../x", "1/../x", "1//x", "1/./x", "-1", "1/x/", "00000000000000000000",
                                      ""};
  g_autofree char *directory = directory_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(names) - 1; i++) {
    const Entry entry = {names[i], S_IFREG, "bad"};
    g_autofree char *error = unpack(directory, &entry, 1, 0);
    if (i < 10)
      g_assert_nonnull(error);
  }
  g_assert_false(exists(directory, "x"));
  g_assert_false(exists(directory, "sub/x"));
  directory_free(directory);
}

static void test_special(void) {
  static const Entry entry = {"1/fifo", S_IFIFO, ""};
  g_autofree char *directory = directory_new();

  g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*is left out*");
  g_autofree char *error = unpack(directory, &entry, 1, 0);
  g_test_assert_expected_messages();
  g_assert_null(error);
  g_assert_false(exists(directory, "sub/two/fifo"));
  directory_free(directory);
}

static void test_cut(void) {
  static const Entry entries[] = {{"0", S_IFREG, "contents that are a little longer than nothing, for the cut to be within them"}};
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = newc_archive(entries, 1);

  for (size_t cut = 1; cut < bytes->len; cut += 7) {
    g_autofree char *error = unpack(directory, entries, 1, cut);
    g_assert_nonnull(error);
  }
  directory_free(directory);
}

static void test_noise(void) {
  g_autofree char *directory = directory_new();
  g_autoptr(GRand) random = g_rand_new_with_seed(5);

  for (unsigned round = 0; round < 200; round++) {
    static const Entry entries[] = {{"0", S_IFDIR, ""}, {"0/a", S_IFREG, "some text"}, {"0/l", S_IFLNK, "a"}};
    g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));
    for (unsigned i = 0; i < 4; i++)
      bytes->data[g_rand_int_range(random, 0, (gint32)bytes->len)] = (guint8)g_rand_int(random);
    g_autofree char *error = unpack_bytes(directory, "one", "two", &plenty, bytes, bytes->len);
  }
  directory_free(directory);
}

/* What came whole before the limit is delivered. */
static void test_limit(void) {
  static const Entry entries[] = {{"0", S_IFREG, "first"}, {"1", S_IFREG, "second"}};
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));
  const CopyOutLimits limits = {.bytes = 230, .entries = 10}, exact = {.bytes = bytes->len, .entries = 10};

  g_autofree char *error = unpack_bytes(directory, "one", "two", &limits, bytes, bytes->len);
  g_assert_cmpstr(error, ==, "the guest sent more than the 230 that --copy-out-limit allows");
  assert_file(directory, "one", "first");
  g_assert_false(exists(directory, "two"));
  g_autofree char *second = unpack_bytes(directory, "one", "two", &exact, bytes, bytes->len);
  g_assert_null(second);
  assert_file(directory, "two", "second");
  directory_free(directory);
}

/* Each takes an inode: also directories that come with the names of files only. */
static void test_entries_limit(void) {
  static const Entry entries[] = {{"0/1/2", S_IFREG, ""}, {"0/1/3", S_IFREG, ""}, {"0/4/5", S_IFREG, ""}, {"0/6", S_IFREG, ""}};
  static const CopyOutLimits limits = {.bytes = 10000, .entries = 4};
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));

  g_autofree char *error = unpack_bytes(directory, "one", "two", &limits, bytes, bytes->len);
  g_assert_true(
      g_str_has_suffix(error, "/one/4: there are too many files\nthe guest's files did not come whole: there are too many files"));
  g_assert_true(exists(directory, "one/1/3"));
  g_assert_false(exists(directory, "one/6"));
  directory_free(directory);
}

/* A long way down for each: what it costs is bounded too. */
static void test_depth_limit(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *deep = g_strnfill(240, '/'), *too_deep = g_strnfill(600, '/');
  static const CopyOutLimits limits = {.bytes = 100000, .entries = 10};
  g_autoptr(GByteArray) bytes = g_byte_array_new();

  for (unsigned i = 0; deep[i]; i += 2)
    deep[i] = '0';
  for (unsigned i = 0; too_deep[i]; i += 2)
    too_deep[i] = '0';
  deep[239] = 0;
  too_deep[599] = 0;
  newc_put(bytes, &(Entry){too_deep, S_IFDIR, ""});
  newc_put(bytes, &(Entry){deep, S_IFDIR, ""});
  newc_end(bytes);
  g_autofree char *error = unpack_bytes(directory, "one", "two", &limits, bytes, bytes->len);
  g_assert_cmpstr(error, ==, "the guest's files did not come whole: there are too many files");
  g_autofree char *second = unpack_bytes(directory, "one", "two", &plenty, bytes, bytes->len);
  g_assert_true(g_str_has_suffix(second, "does not belong to what was asked for"));
  g_assert_null(strchr(second, '\n'));
  directory_free(directory);
}

/* Every failure is told, once, and the rest is there. */
static void test_failures(void) {
  static const Entry entries[] = {
      {"1", S_IFDIR, ""}, {"1/d", S_IFREG, ""}, {"1/full", S_IFREG, ""},      {"1/d/a", S_IFREG, ""}, {"1/d/b", S_IFREG, ""},
      {"7", S_IFREG, ""}, {"7", S_IFREG, ""},   {"1/z", S_IFREG, "is there"}, {"0/x\n", S_IFREG, ""},
  };
  g_autofree char *directory = directory_new();

  directory_write(directory, "sub/two/full/of", "something");
  directory_write(directory, "one", "a file");
  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_autofree char *expected = g_strdup_printf("%s/one: Not a directory\n"
                                              "%s/sub/two/full: Is a directory\n"
                                              "%s/sub/two/d: not a directory, and links are not followed\n"
                                              "the guest sent '7', which does not belong to what was asked for",
                                              directory, directory, directory);
  g_assert_cmpstr(error, ==, expected);
  assert_file(directory, "sub/two/z", "is there");
  assert_file(directory, "sub/two/full/of", "something");
  directory_free(directory);
}

/* A guest that sends rubbish only is not repeated in full, nor are its characters. */
static void test_failures_bounded(void) {
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  const char *const destinations[] = {"/nonexistent", NULL};
  g_autoptr(CopyOut) copy = copy_out_new(destinations, &plenty, NULL);

  for (unsigned i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf("\033[2J%u", i);
    newc_put(bytes, &(Entry){name, S_IFREG, ""});
  }
  newc_end(bytes);
  copy_out_fail(copy, "/x\n/y: said twice");
  copy_out_fail(copy, "/x\n/y: said twice");
  copy_out_feed(copy, bytes->data, bytes->len);
  copy_out_finish(copy, true);
  const GPtrArray *failures = copy_out_failures(copy);
  g_assert_cmpuint(failures->len, ==, COPY_OUT_FAILURES_MAX + 1);
  g_assert_cmpstr(g_ptr_array_index(failures, 0), ==, "/x\\u000a/y: said twice");
  g_assert_cmpstr(g_ptr_array_index(failures, 1), ==, "the guest sent '\\u001b[2J0', which does not belong to what was asked for");
  g_assert_cmpstr(g_ptr_array_index(failures, COPY_OUT_FAILURES_MAX), ==, "and 201 more");
  directory_free(directory);
}

/* What is not there, though nobody has said why. */
static void test_silence(void) {
  const char *const destinations[] = {"one", "two", NULL};
  g_autoptr(GByteArray) nothing = newc_archive(NULL, 0);
  static const struct {
    bool sent, complete, told;
    const char *failures;
  } cases[] = {
      {false, false, false, "the guest did not send its files"},
      {true, false, false, "the guest's files did not come whole: the guest did not say that it is all"},
      {false, true, false, "the guest's files did not come whole: it breaks off"},
      {true, true, false, "one: the guest did not send it|two: the guest did not send it"},
      {true, true, true, "/a: No such file or directory"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(CopyOut) copy = copy_out_new(destinations, &plenty, NULL);
    if (cases[i].told)
      copy_out_fail(copy, "/a: No such file or directory");
    if (cases[i].sent)
      copy_out_feed(copy, nothing->data, nothing->len);
    copy_out_finish(copy, cases[i].complete);
    g_autoptr(GPtrArray) lines = g_ptr_array_copy((GPtrArray *)copy_out_failures(copy), (GCopyFunc)(void (*)(void))g_strdup, NULL);
    g_ptr_array_add(lines, NULL);
    g_autofree char *text = g_strjoinv("|", (char **)lines->pdata);
    g_assert_cmpstr(text, ==, cases[i].failures);
  }
}

/* One name sent as different things: what came first stays, or the later replaces it; nothing is gone through. */
static void test_changing_kinds(void) {
  static const Entry entries[] = {
      {"1", S_IFDIR, ""},      {"1/f", S_IFREG, "old"}, {"1/f", S_IFDIR, ""},  {"1/f/x", S_IFREG, ""},     {"1/d", S_IFDIR, ""},
      {"1/d", S_IFLNK, "."},   {"1/d", S_IFREG, ""},    {"1/l", S_IFLNK, "d"}, {"1/l", S_IFDIR, ""},       {"1/l/x", S_IFREG, ""},
      {"1/r", S_IFREG, "one"}, {"1/r", S_IFREG, "two"}, {"1/s", S_IFLNK, "r"}, {"1/s", S_IFREG, "itself"}, {"0", S_IFREG, "a file"},
      {"0/x", S_IFREG, ""},    {"0", S_IFLNK, "sub"},   {"0/y", S_IFREG, ""},  {"1", S_IFREG, ""},
  };
  g_autofree char *directory = directory_new();

  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_nonnull(error);
  assert_file(directory, "sub/two/f", "old");
  g_assert_false(exists(directory, "sub/two/d/x"));
  assert_file(directory, "sub/two/r", "two");
  assert_file(directory, "sub/two/s", "itself");
  assert_file(directory, "one", "a file");
  g_assert_false(exists(directory, "sub/y"));
  directory_free(directory);
}

/* The user's path may have links in it, and be one. */
static void test_links_of_the_user(void) {
  static const Entry entries[] = {{"0", S_IFREG, "a file"}, {"1", S_IFDIR, ""}, {"1/x", S_IFREG, "below"}};
  g_autofree char *directory = directory_new();
  g_autofree char *sub = g_build_filename(directory, "sub", NULL), *two = g_build_filename(directory, "sub", "two", NULL);
  g_autofree char *one = g_build_filename(directory, "one", NULL);
  g_autofree char *gone = g_strdup_printf("%s: is a link that leads nowhere", one);

  directory_write(directory, "real/keep", "");
  directory_write(directory, "far/file", "old");
  g_assert_cmpint(symlink("real", sub), ==, 0);
  g_assert_cmpint(symlink("../far", two), ==, 0);
  g_assert_cmpint(symlink("far/file", one), ==, 0);
  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_null(error);
  assert_file(directory, "far/file", "a file");
  assert_file(directory, "far/x", "below");
  g_assert_true(g_file_test(one, G_FILE_TEST_IS_SYMLINK));
  g_unlink(one);
  g_assert_cmpint(symlink("nowhere", one), ==, 0);
  g_autofree char *second = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_cmpstr(second, ==, gone);
  g_assert_false(exists(directory, "nowhere"));
  directory_free(directory);
}

/* Two destinations, one within the other: the guest cannot lead the second astray by a link in the first. */
static void test_overlap(void) {
  static const Entry entries[] = {
      {"0", S_IFDIR, ""},           {"0/d", S_IFDIR, ""}, {"0/in", S_IFLNK, "d"},
      {"0/in/deep", S_IFLNK, ".."}, {"1", S_IFDIR, ""},   {"1/x", S_IFREG, "x"},
  };
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));

  g_autofree char *error = unpack_bytes(directory, "one", "one/in/deep", &plenty, bytes, bytes->len);
  g_assert_nonnull(error); /* of the link in the place of a directory */
  assert_file(directory, "one/in/deep/x", "x");
  g_assert_false(exists(directory, "one/d/x"));
  directory_free(directory);
}

/* A pipe is no file that could be replaced. */
static void test_in_place(void) {
  static const Entry entries[] = {{"0", S_IFREG, "into the pipe"}};
  g_autofree char *directory = directory_new();
  g_autofree char *pipe = g_build_filename(directory, "one", NULL);
  char text[32] = "";

  g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
  g_autofree char *nobody = unpack(directory, entries, 1, 0);
  g_assert_true(g_str_has_suffix(nobody, "/one: nobody reads it"));
  int fd = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_autofree char *error = unpack(directory, entries, 1, 0);
  g_assert_null(error);
  g_assert_cmpint(read(fd, text, sizeof text), ==, 13);
  g_assert_cmpstr(text, ==, "into the pipe");
  close(fd);
  directory_free(directory);
}

static void test_file_onto_directory(void) {
  static const Entry entries[] = {{"1", S_IFREG, "a file"}, {"0", S_IFREG, "the other"}};
  g_autofree char *directory = directory_new();
  g_autofree char *expected =
      g_strdup_printf("%s/sub/two: is a directory, and what came is a file: %s/sub/two/ puts it there", directory, directory);

  directory_write(directory, "sub/two/x", "");
  g_autofree char *error = unpack(directory, entries, G_N_ELEMENTS(entries), 0);
  g_assert_cmpstr(error, ==, expected);
  assert_file(directory, "one", "the other");
  directory_free(directory);
}

/* Of links that are left out, some are named, and the others counted. */
static void test_left_out_bounded(void) {
  g_autofree char *directory = directory_new();
  g_autoptr(GByteArray) bytes = newc_archive(NULL, 0);

  g_byte_array_set_size(bytes, 0);
  for (unsigned i = 0; i < 50; i++) {
    g_autofree char *name = g_strdup_printf("1/%u", i);
    newc_put(bytes, &(Entry){name, S_IFLNK, "/"});
  }
  newc_end(bytes);
  for (unsigned i = 0; i < 20; i++)
    g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*is left out*");
  g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*and 30 more are left out*");
  g_autofree char *error = unpack_bytes(directory, "one", "two", &plenty, bytes, bytes->len);
  g_test_assert_expected_messages();
  g_assert_null(error);
  directory_free(directory);
}

static void test_spool(void) {
  const char *const destinations[] = {"one", NULL};
  g_autoptr(GError) error = NULL;

  if (g_test_subprocess()) {
    g_setenv("TMPDIR", "/nonexistent", TRUE);
    g_assert_null(copy_out_new(destinations, &plenty, &error));
    g_assert_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_SPOOL);
    g_printerr("%s\n", error->message);
    return;
  }
  g_test_trap_subprocess(NULL, 0, 0);
  g_test_trap_assert_passed();
  g_test_trap_assert_stderr("*there can be no temporary file in /nonexistent: No such file or directory; TMPDIR names another directory*");
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
  g_test_add_func("/copy-out/link-as-destination", test_link_as_destination);
  g_test_add_func("/copy-out/links-composed", test_links_composed);
  g_test_add_func("/copy-out/bad-names", test_bad_names);
  g_test_add_func("/copy-out/special", test_special);
  g_test_add_func("/copy-out/cut", test_cut);
  g_test_add_func("/copy-out/noise", test_noise);
  g_test_add_func("/copy-out/limit", test_limit);
  g_test_add_func("/copy-out/entries-limit", test_entries_limit);
  g_test_add_func("/copy-out/depth-limit", test_depth_limit);
  g_test_add_func("/copy-out/failures", test_failures);
  g_test_add_func("/copy-out/failures-bounded", test_failures_bounded);
  g_test_add_func("/copy-out/silence", test_silence);
  g_test_add_func("/copy-out/changing-kinds", test_changing_kinds);
  g_test_add_func("/copy-out/links-of-the-user", test_links_of_the_user);
  g_test_add_func("/copy-out/overlap", test_overlap);
  g_test_add_func("/copy-out/in-place", test_in_place);
  g_test_add_func("/copy-out/file-onto-directory", test_file_onto_directory);
  g_test_add_func("/copy-out/left-out-bounded", test_left_out_bounded);
  g_test_add_func("/copy-out/spool", test_spool);
  return g_test_run();
}
