/* SPDX-License-Identifier: Apache-2.0 */
/* What skopeo and umoci say, as people read it. */
#include "vmm/helpers/image-tools.h"

static void test_plain_line(void) {
  static const struct {
    const char *line, *plain;
  } cases[] = {
      {"time=\"2026-01-01T00:00:00Z\" level=fatal msg=\"no \\\"x\\\" there\\n\"", "no \"x\" there\n"},
      {"msg=\"a\\tb", "a\tb"},
      {"   \xe2\xa8\xaf create rootfs: broken", "create rootfs: broken"},
      {"plain", "plain"},
      {"", ""},
      /* Cut off, or said by somebody else: a backslash with nothing behind it. */
      {"msg=\"no such file: a\\\"", "no such file: a"},
      {"msg=\"no such file: a\\", "no such file: a"},
      {"msg=\"a\\\\\"", "a\\"},
      {"msg=\"\\\"", ""},
      {"msg=\"", ""},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *plain = image_tools_plain_line(cases[i].line);
    g_assert_cmpstr(plain, ==, cases[i].plain);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/image-tools/plain-line", test_plain_line);
  return g_test_run();
}
