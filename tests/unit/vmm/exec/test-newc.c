/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of archives that a guest sends: vmm/exec/newc.c. */
#include "vmm/exec/newc.h"

#include <unistd.h>

#include "tests/unit/vmm/exec/newc-writer.h"

/* An archive in a file without a name. */
static int file_of(const GByteArray *bytes) {
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp(NULL, &path, NULL);

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(unlink(path), ==, 0);
  g_assert_cmpint(write(fd, bytes->data, bytes->len), ==, bytes->len);
  return fd;
}

/* Reads all of it: how it ends, in words, with the number of entries before that. */
static char *read_all(const GByteArray *bytes, uint64_t size) {
  g_autofree NewcReader *reader = g_new0(NewcReader, 1);
  int fd = file_of(bytes);
  const char *why = "whole";
  NewcResult result;
  NewcEntry entry;
  unsigned n = 0;

  reader->fd = fd;
  reader->size = size;
  while ((result = newc_read(reader, &entry, &why)) == NEWC_ENTRY) {
    g_assert_cmpuint(entry.offset + entry.size, <=, size);
    n++;
  }
  close(fd);
  return g_strdup_printf("%u, %s", n, why);
}

static void assert_reads(const GByteArray *bytes, const char *expected) {
  g_autofree char *result = read_all(bytes, bytes->len);

  g_assert_cmpstr(result, ==, expected);
}

static void test_entries(void) {
  static const Entry entries[] = {{"0", S_IFDIR, ""}, {"0/abc", S_IFREG, "contents"}, {"0/link", S_IFLNK, "abc"}};
  g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));
  g_autofree NewcReader *reader = g_new0(NewcReader, 1);
  int fd = file_of(bytes);
  const char *why = NULL;
  NewcEntry entry;

  reader->fd = fd;
  reader->size = bytes->len;
  for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
    char contents[16] = "";
    g_assert_cmpint(newc_read(reader, &entry, &why), ==, NEWC_ENTRY);
    g_assert_cmpstr(entry.name, ==, entries[i].path);
    g_assert_cmpuint(entry.mode, ==, entries[i].type | 04755);
    g_assert_cmpint(pread(fd, contents, entry.size, (off_t)entry.offset), ==, entry.size);
    g_assert_cmpstr(contents, ==, entries[i].contents);
  }
  g_assert_cmpint(newc_read(reader, &entry, &why), ==, NEWC_END);
  close(fd);
}

static void test_names(void) {
  g_autofree char *longest = g_strnfill(PATH_MAX - 1, 'x'), *longer = g_strnfill(PATH_MAX, 'x');
  g_autoptr(GByteArray) fits = newc_archive(&(Entry){longest, S_IFREG, "y"}, 1);
  g_autoptr(GByteArray) too_long = newc_archive(&(Entry){longer, S_IFREG, "y"}, 1);
  g_autoptr(GByteArray) empty = newc_archive(&(Entry){"", S_IFREG, "y"}, 1);

  assert_reads(fits, "1, whole");
  assert_reads(too_long, "0, a name is longer than any path, or empty");
  assert_reads(empty, "0, a name is longer than any path, or empty");
}

/* Numbers that are not what they should be. */
static void test_numbers(void) {
  static const struct {
    unsigned name_size, nlink, size;
    const char *expected;
  } cases[] = {
      {3, 1, 4, "1, whole"},
      {2, 1, 4, "0, a name does not end where it should"},
      {5, 1, 4, "0, a name does not end where it should"},
      {0xffffffff, 1, 4, "0, a name is longer than any path, or empty"},
      {0, 1, 4, "0, a name is longer than any path, or empty"},
      {3, 0, 4, "0, there is a hard link in it"},
      {3, 2, 4, "0, there is a hard link in it"},
      {3, 0xffffffff, 4, "0, there is a hard link in it"},
      {3, 1, 0xffffffff, "0, it breaks off"},
      {3, 1, 0xfffffffc, "0, it breaks off"},
      {3, 1, 8, "1, there is no header where one should be"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    newc_put_raw(bytes, "ab", cases[i].name_size, S_IFREG | 0644, cases[i].nlink, cases[i].size, "1234", 4);
    newc_end(bytes);
    assert_reads(bytes, cases[i].expected);
  }
}

static void test_end(void) {
  g_autoptr(GByteArray) bytes = newc_archive(&(Entry){"ab", S_IFREG, "1234"}, 1);
  unsigned whole = bytes->len;

  for (unsigned size = 0; size < whole; size++) {
    g_autofree char *result = read_all(bytes, size);
    g_assert_true(g_str_has_suffix(result, "it breaks off"));
  }
  g_byte_array_append(bytes, (const guint8 *)"", 1);
  assert_reads(bytes, "1, something follows its end");
  g_autoptr(GByteArray) other = newc_archive(NULL, 0);
  memcpy(other->data, "070702", 6); /* with checksums: not what init writes */
  assert_reads(other, "0, there is no header where one should be");
}

static void test_noise(void) {
  static const Entry entries[] = {{"0", S_IFDIR, ""}, {"0/a", S_IFREG, "some text"}, {"0/l", S_IFLNK, "a"}};
  g_autoptr(GRand) random = g_rand_new_with_seed(7);

  for (unsigned round = 0; round < 500; round++) {
    g_autoptr(GByteArray) bytes = newc_archive(entries, G_N_ELEMENTS(entries));
    for (unsigned i = 0; i < 3; i++)
      bytes->data[g_rand_int_range(random, 0, (gint32)bytes->len)] = (guint8) "0fF1\0\377x/"[g_rand_int_range(random, 0, 8)];
    g_autofree char *result = read_all(bytes, bytes->len);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/newc/entries", test_entries);
  g_test_add_func("/newc/names", test_names);
  g_test_add_func("/newc/numbers", test_numbers);
  g_test_add_func("/newc/end", test_end);
  g_test_add_func("/newc/noise", test_noise);
  return g_test_run();
}
