/* SPDX-License-Identifier: Apache-2.0 */
/* Files that do not fit into the guest's memory: vmm/exec/memory-check.c. */
#include "vmm/exec/memory-check.h"

#include <string.h>

#define M UINT64_C(0x100000)

static void test_fits(void) {
  g_autoptr(GError) error = NULL;

  g_assert_true(exec_check_memory(256 * M, 4 * M, 40 * M, &error));
  g_assert_true(exec_check_memory(128 * M, 44 * M, 40 * M, &error));
  g_assert_no_error(error);
}

static void test_does_not_fit(void) {
  static const struct {
    uint64_t memory, initramfs;
    const char *says;
  } cases[] = {
      {128 * M, 44 * M + 1,
       "has 45 MiB, which its kernel keeps twice while it unpacks them: they do not fit into its memory of 128 MiB; try --memory 256M"},
      {256 * M, 1000 * M, "try --memory 4096M"},
      {256 * M, UINT64_MAX / 2, "they do not fit"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(exec_check_memory(cases[i].memory, cases[i].initramfs, 40 * M, &error));
    g_assert_nonnull(strstr(error->message, cases[i].says));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/memory-check/fits", test_fits);
  g_test_add_func("/memory-check/does-not-fit", test_does_not_fit);
  return g_test_run();
}
