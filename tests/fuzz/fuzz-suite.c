/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suites of tests: vmm/suite/suite-file.c and what makes cases of them; and cases that a guest's output is held
 * against, which here is the suite's own text.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/suite/judge.h"

#define JUDGED   4
#define LIMIT_US 50000

static void judge(const SuiteCase *suite_case, const uint8_t *data, size_t size) {
  static const char *const outcomes[] = {"command", "panic", "timeout", "not-started", "host-error", NULL};
  const CaseRun run = {
      .exit_status = size ? data[0] : 0,
      .outcome = outcomes[size % G_N_ELEMENTS(outcomes)],
      .message = size & 1 ? "why" : NULL,
      .streams = {{(const char *)data, size}, {size & 2 ? (const char *)data : NULL, size & 2 ? size : 0}, {(const char *)data, size / 2}},
  };
  g_autofree char *why = NULL;
  ResultKind kind = judge_case(suite_case, &run, LIMIT_US, &why);

  g_assert_true((kind == RESULT_PASSED) == !why);
  g_assert_true(!why || g_utf8_validate(why, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autoptr(GHashTable) defines = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GError) error = NULL;
  FuzzFile file;

  fuzz_file_init(&file, data, size);
  const char *const files[] = {file.path, NULL};
  NamedFiles *named = named_files_new();
  g_autoptr(GPtrArray) cases = suite_load(files, defines, named, &error);
  fuzz_file_clear(&file);
  g_assert_true(!cases == !!error);
  for (guint i = 0; cases && i < cases->len; i++) {
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    suite_case_add_arguments(g_ptr_array_index(cases, i), arguments);
    g_autofree char *name = suite_case_full_name(g_ptr_array_index(cases, i));
    g_auto(GStrv) words = g_strv_builder_end(arguments);
    if (i < JUDGED)
      judge(g_ptr_array_index(cases, i), data, size);
  }
  named_files_free(named);
  return 0;
}
