/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that come out of a guest, in pieces: vmm/exec/copy-out.c. They are written into a directory of the target's,
 * and beside that nothing changes.
 */
#include "tests/fuzz/fuzz.h"

#include <glib/gstdio.h>

#include "vmm/base/remove-tree.h"
#include "vmm/exec/copy-out.h"

static const CopyOutLimits limits = {.bytes = 1 << 16, .entries = 32};

/* Nothing is in DIRECTORY but what has a name there. */
static void assert_only(const char *directory, const char *name, const char *other) {
  GDir *open = g_dir_open(directory, 0, NULL);

  g_assert_nonnull(open);
  for (const char *one; (one = g_dir_read_name(open));)
    if (strcmp(one, name) != 0 && strcmp(one, other) != 0)
      g_error("'%s' in %s is nobody's", one, directory);
  g_dir_close(open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  g_autofree char *directory = g_dir_make_tmp("eret-fuzz-XXXXXX", NULL);
  g_autofree char *inner = g_build_filename(directory, "inner", NULL);
  g_autofree char *one = g_build_filename(inner, "one", NULL), *two = g_build_filename(inner, "two", NULL);
  const char *const destinations[] = {one, two, NULL};

  g_assert_cmpint(g_mkdir(inner, 0700), ==, 0);
  g_autoptr(CopyOut) copy = copy_out_new(destinations, &limits, NULL);
  g_assert_nonnull(copy);
  bool complete = fuzz_number(&input, 1) & 1;
  unsigned step = 1 + fuzz_below(&input, 200);
  while (input.left) {
    size_t n;
    const uint8_t *bytes = fuzz_bytes(&input, step, &n);
    copy_out_feed(copy, bytes, n);
  }
  copy_out_finish(copy, complete);
  g_assert_cmpuint(copy_out_failures(copy)->len, <, 200);
  assert_only(directory, "inner", "inner");
  assert_only(inner, "one", "two");
  g_assert_true(remove_tree(directory, NULL));
  return 0;
}
