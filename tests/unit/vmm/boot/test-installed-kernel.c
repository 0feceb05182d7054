/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the kernels in a directory is the newest for ARM64. */
#include "vmm/boot/installed-kernel.h"

#include <unistd.h>

#include "tests/unit/directory.h"

static void expect(const char *directory, const char *wanted) {
  g_autofree char *found = installed_kernel_newest(directory);
  g_autofree char *path = wanted ? g_build_filename(directory, wanted, NULL) : NULL;

  g_assert_cmpstr(found, ==, path);
}

static void test_newest(void) {
  static const char *const steps[][2] = {
      {"vmlinuz-6.1.0-50-amd64", NULL},
      {"initrd.img-7.0.0-arm64", NULL},
      {"vmlinuz-6.1.0-50-arm64", "vmlinuz-6.1.0-50-arm64"},
      {"vmlinuz-6.1.0-9-cloud-arm64", "vmlinuz-6.1.0-50-arm64"},
      {"vmlinuz-6.12.95+deb13-cloud-arm64", "vmlinuz-6.12.95+deb13-cloud-arm64"},
      {"vmlinuz-6.2.9-arm64-16k", "vmlinuz-6.12.95+deb13-cloud-arm64"},
  };
  char *directory = directory_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
    directory_write(directory, steps[i][0], "x");
    expect(directory, steps[i][1]);
  }
  g_autofree char *unreadable = g_build_filename(directory, "vmlinuz-9.0.0-arm64", NULL);
  g_assert_cmpint(symlink("nowhere", unreadable), ==, 0);
  expect(directory, "vmlinuz-6.12.95+deb13-cloud-arm64");
  directory_free(directory);
  expect(directory, NULL);
  g_free(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/installed-kernel/newest", test_newest);
  return g_test_run();
}
