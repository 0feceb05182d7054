/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded number of times: vmm/base/at-most.h. */
#include "vmm/base/at-most.h"

static void test_first_times(void) {
  gint count = 0;

  for (unsigned i = 0; i < 3; i++)
    g_assert_true(at_most(&count, 3));
  for (unsigned i = 0; i < 3; i++)
    g_assert_false(at_most(&count, 3));
}

/* However often it is asked, the count does not come round. */
static void test_stays(void) {
  gint count = 0;

  for (unsigned i = 0; i < 1000; i++)
    at_most(&count, 3);
  g_assert_cmpint(count, ==, 3);
  count = G_MAXINT;
  g_assert_false(at_most(&count, 3));
  g_assert_false(at_most(&count, 3));
  g_assert_cmpint(count, ==, G_MAXINT);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/at-most/first-times", test_first_times);
  g_test_add_func("/at-most/stays", test_stays);
  return g_test_run();
}
