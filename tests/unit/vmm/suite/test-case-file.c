/* SPDX-License-Identifier: Apache-2.0 */
/* Names of cases' files: vmm/suite/case-file.c. */
#include "vmm/suite/case-file.h"

#include <glib.h>
#include <limits.h>
#include <string.h>

#define LONGEST_SUFFIX ".console"

static void test_names(void) {
  static const struct {
    const char *suite, *name;
    unsigned attempt;
    const char *file;
  } cases[] = {
      {"boot", "console[kernel=6.12,cpus=2]", 1, "boot.console[kernel=6.12,cpus=2]"},
      {"boot", "console", 2, "boot.console~2"},
      {"a.b", "c.d", 1, "a%2Eb.c.d"},
      {"s", "a:b", 1, "s.a%3Ab"},
      {"s", "a_b", 1, "s.a_b"},
      {"a b%~\xff", "t", 1, "a%20b%25%7E%FF.t"},
      {"..", "-", 1, "%2E%2E.-"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *file = case_file_name(cases[i].suite, cases[i].name, cases[i].attempt);
    g_assert_cmpstr(file, ==, cases[i].file);
  }
}

/* Everything that might be taken for everything else. */
static void test_one_to_one(void) {
  static const char *const parts[] = {"a",   "a.a", "a.a.a", "a:a", "a_a", "a%3Aa", "a/a", "a~2",
                                      "a.2", "2",   "a..a",  "a.",  "A",   ".",     "%",   "~"};
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned suite = 0; suite < G_N_ELEMENTS(parts); suite++)
    for (unsigned name = 0; name < G_N_ELEMENTS(parts); name++)
      for (unsigned attempt = 1; attempt < 4; attempt++)
        g_assert_true(g_hash_table_add(seen, case_file_name(parts[suite], parts[name], attempt)));
}

/* A matrix makes names as long as its labels: those that differ only at their ends have files of their own, too. */
static void test_long(void) {
  g_autofree char *long_text = g_strnfill(5000, ':');
  g_autofree char *first = g_strconcat(long_text, "1", NULL);
  g_autofree char *second = g_strconcat(long_text, "2", NULL);
  g_autofree char *a = case_file_name("suite", first, UINT_MAX);
  g_autofree char *b = case_file_name("suite", second, UINT_MAX);
  g_autofree char *c = case_file_name(first, "name", UINT_MAX);

  g_assert_cmpstr(a, !=, b);
  g_assert_cmpuint(strlen(a), <=, CASE_FILE_NAME_MAX);
  g_assert_cmpuint(strlen(c), <=, CASE_FILE_NAME_MAX);
  g_assert_cmpuint(CASE_FILE_NAME_MAX + strlen(LONGEST_SUFFIX), <, NAME_MAX);
  for (unsigned size = 1; size < 400; size++) {
    g_autofree char *text = g_strnfill(size, 'x');
    g_autofree char *file = case_file_name("s", text, UINT_MAX);
    g_assert_cmpuint(strlen(file), <=, CASE_FILE_NAME_MAX);
  }
}

int main(int argc, char *argv[]) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/case-file/names", test_names);
  g_test_add_func("/case-file/one-to-one", test_one_to_one);
  g_test_add_func("/case-file/long", test_long);
  return g_test_run();
}
