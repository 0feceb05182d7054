/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of all suites have in common. No lock: constants. */
#include "vmm/suite/suite-case.h"

static const char *const outcome_names[N_EXPECTED] = {
    [EXPECT_PASS] = "pass",
    [EXPECT_PANIC] = "panic",
    [EXPECT_OOPS] = "oops",
    [EXPECT_RESET] = "reset",
    [EXPECT_BOOT_TIMEOUT] = "boot-timeout",
    [EXPECT_TIMEOUT] = "timeout",
    [EXPECT_OUT_OF_MEMORY] = "out-of-memory",
    [EXPECT_NO_DRIVER] = "no-driver",
    [EXPECT_NO_RESULT] = "no-result",
    [EXPECT_TOO_MUCH_OUTPUT] = "too-much-output",
};

const char *suite_outcome_name(ExpectedOutcome outcome) {
  return outcome_names[outcome];
}

void suite_case_free(gpointer data) {
  SuiteCase *suite_case = data;

  if (!suite_case)
    return;
  GPtrArray *arrays[] = {suite_case->options,        suite_case->command,        suite_case->expect,   suite_case->reject,
                         suite_case->expect_console, suite_case->reject_console, suite_case->requires, suite_case->tags};
  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_ptr_array_unref(arrays[i]);
  g_clear_pointer(&suite_case->stdin_text, g_bytes_unref);
  g_free(suite_case->stdin_file);
  g_free(suite_case->suite);
  g_free(suite_case->name);
  g_free(suite_case);
}
