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

static const size_t arrays[] = {
    offsetof(SuiteCase, options),        offsetof(SuiteCase, command),        offsetof(SuiteCase, expect),   offsetof(SuiteCase, reject),
    offsetof(SuiteCase, expect_console), offsetof(SuiteCase, reject_console), offsetof(SuiteCase, requires), offsetof(SuiteCase, tags)};

SuiteCase *suite_case_new(char *suite, char *name) {
  SuiteCase *suite_case = g_new0(SuiteCase, 1);

  suite_case->suite = suite;
  suite_case->name = name;
  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    G_STRUCT_MEMBER(GPtrArray *, suite_case, arrays[i]) = g_ptr_array_new_with_free_func(g_free);
  return suite_case;
}

void suite_case_free(gpointer data) {
  SuiteCase *suite_case = data;

  if (!suite_case)
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_ptr_array_unref(G_STRUCT_MEMBER(GPtrArray *, suite_case, arrays[i]));
  g_clear_pointer(&suite_case->stdin_text, g_bytes_unref);
  g_free(suite_case->stdin_file);
  g_free(suite_case->suite);
  g_free(suite_case->name);
  g_free(suite_case);
}

void suite_case_add_arguments(const SuiteCase *suite_case, GStrvBuilder *arguments) {
  for (unsigned i = 0; i < suite_case->options->len; i++)
    g_strv_builder_add(arguments, g_ptr_array_index(suite_case->options, i));
  if (suite_case->command->len)
    g_strv_builder_add(arguments, "--");
  for (unsigned i = 0; i < suite_case->command->len; i++)
    g_strv_builder_add(arguments, g_ptr_array_index(suite_case->command, i));
}

char *suite_case_full_name(const SuiteCase *suite_case) {
  return g_strconcat(suite_case->suite, "/", suite_case->name, NULL);
}
