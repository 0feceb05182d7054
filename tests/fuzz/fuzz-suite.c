/* SPDX-License-Identifier: Apache-2.0 */
/* Suites of tests: vmm/suite/suite-file.c and what makes cases of them. */
#include "tests/fuzz/fuzz.h"

#include "vmm/suite/suite.h"

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
  }
  named_files_free(named);
  return 0;
}
