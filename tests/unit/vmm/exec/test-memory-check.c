/* SPDX-License-Identifier: Apache-2.0 */
/* Files that do not fit into the guest's memory: vmm/exec/memory-check.c. */
#include "vmm/exec/memory-check.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "vmm/exec/initramfs.h"

#define M UINT64_C(0x100000)

static void test_fits(void) {
  static const struct {
    uint64_t memory;
    MemoryNeed need;
  } cases[] = {
      {256 * M, {40 * M, 4 * M, 3 * M, true}},
      {128 * M, {40 * M, 44 * M, 43 * M, false}},
      {128 * M, {40 * M, 44 * M, 22 * M, true}}, /* the rest are links and directories */
      {490 * M, {40 * M, 150 * M, 150 * M, true}},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_true(exec_check_memory(&cases[i].need, cases[i].memory, &error));
    g_assert_no_error(error);
  }
}

static void test_does_not_fit(void) {
  static const struct {
    uint64_t memory;
    MemoryNeed need;
    const char *says;
  } cases[] = {
      {128 * M,
       {40 * M, 44 * M + 1, 43 * M, false},
       "has 45 MiB, which its kernel keeps twice while it unpacks them: they do not fit into its memory of 128 MiB, and need more than "
       "129 MiB; try --memory 512M"},
      {490 * M - 1,
       {40 * M, 150 * M, 150 * M, true},
       "has 150 MiB, which its kernel keeps twice while it unpacks them, and not into more than half of what is left then: they do not fit "
       "into its memory of 490 MiB, and need more than 490 MiB; try --memory 1024M"},
      {100 * M, {40 * M, 20 * M, 60 * M, false}, "try --memory 256M"}, /* many small files: a page each */
      {256 * M, {40 * M, 1000 * M, 1000 * M, false}, "try --memory 4096M"},
      {256 * M, {40 * M, 1000 * M, 1000 * M, true}, "try --memory 4096M"},
      {256 * M, {40 * M, UINT64_MAX / 2, 0, true}, "they do not fit"},
      {256 * M, {40 * M, 4 * M, UINT64_MAX / 2 + 1, true}, "they do not fit"},
      {256 * M, {40 * M, 4 * M, UINT64_MAX, false}, "they do not fit"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(exec_check_memory(&cases[i].need, cases[i].memory, &error));
    g_assert_nonnull(strstr(error->message, cases[i].says));
  }
}

/* What an archive needs: whole pages for the files, and nothing of that kind for the rest. */
static void test_need(void) {
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GError) error = NULL;
  g_autofree char *much = g_strnfill(5000, 'x');
  g_autofree char *directory = directory_new(), *link = g_build_filename(directory, "link", NULL);
  uint64_t files = 0;
  g_autoptr(GBytes) large = g_bytes_new(much, 5000), small = g_bytes_new("x", 1), none = g_bytes_new("", 0);

  initramfs_add_directory(initramfs, "/a", 0755);
  initramfs_add_bytes(initramfs, "/a/large", 0644, INITRAMFS_OWN, large);
  initramfs_add_bytes(initramfs, "/a/small-with-another-name", 0755, INITRAMFS_OWN, small);
  initramfs_add_bytes(initramfs, "/none", 0644, INITRAMFS_OWN, none);
  g_assert_cmpint(symlink("a/large", link), ==, 0);
  g_assert_true(initramfs_add_tree(initramfs, directory, "/links", INITRAMFS_FILES, &error));
  g_autoptr(GBytes) bytes = initramfs_build(initramfs, &files, &error);
  g_assert_no_error(error);
  directory_free(directory);
  MemoryNeed need = exec_memory_need(bytes, files, 7, "console=hvc0 panic=-1");
  g_assert_cmpuint(need.kernel, ==, 7);
  g_assert_cmpuint(need.archive, ==, g_bytes_get_size(bytes));
  g_assert_cmpuint(need.files, ==, 3 * 4096);
  g_assert_true(need.limited);
}

/* Where the user has said what the root is to be, the limit is not known. */
static void test_limit(void) {
  static const struct {
    const char *append;
    bool limited;
  } cases[] = {
      {"", true},
      {"quiet norootfstype=x -- root=/dev/vda", true},
      {"rootfstype=ramfs", false},
      {"root=/dev/vda", false},
      {"quiet initramfs_options=size=90%", false},
  };
  g_autoptr(GBytes) nothing = g_bytes_new("", 0);

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
    g_assert_true(exec_memory_need(nothing, 0, 0, cases[i].append).limited == cases[i].limited);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/memory-check/fits", test_fits);
  g_test_add_func("/memory-check/does-not-fit", test_does_not_fit);
  g_test_add_func("/memory-check/need", test_need);
  g_test_add_func("/memory-check/limit", test_limit);
  return g_test_run();
}
