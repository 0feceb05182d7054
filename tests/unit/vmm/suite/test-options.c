/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `eret test`: what is refused, and with which words. vmm/suite/options.c */
#include "vmm/suite/options.h"

#include <string.h>

static TestOptions *parse(const char *line, GError **error) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);

  return test_options_parse((int)g_strv_length(words), words, error);
}

static void test_good(void) {
  static const char *const lines[] = {
      "--shard 1/100000 s.ini",
      "--list --filter x --tag t --jobs 2 s.ini",
      "merge --allow-flaky --tap --junit j --json k --github r.json",
      "s.ini merge",
      "merge --help",
      "merge -- --list",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(TestOptions) options = parse(lines[i], &error);
    g_assert_no_error(error);
    g_assert_nonnull(options);
  }
}

static const struct {
  const char *line, *said;
} mistakes[] = {
    {"merge --list r.json", "--list: it is for running tests, and merge runs none"},
    {"merge --shard 1/2 --filter x --tag t --skip-tag t --define a=b r.json",
     "--shard: it is for running tests, and merge runs none\n--filter: it is for running tests, and merge runs none\n"
     "--tag: it is for running tests, and merge runs none\n--skip-tag: it is for running tests, and merge runs none\n"
     "--define: it is for running tests, and merge runs none"},
    {"merge -j 2 --repeat 2 r.json",
     "--jobs: it is for running tests, and merge runs none\n--repeat: it is for running tests, and merge runs none"},
    {"merge --require-kvm --fail-fast --logs d r.json",
     "--require-kvm: it is for running tests, and merge runs none\n--fail-fast: it is for running tests, and merge runs none\n"
     "--logs: it is for running tests, and merge runs none"},
    {"merge --keep-going r.json", "--keep-going: it is for running tests, and merge runs none"},
    {"--shard 1/100001 s.ini", "--shard: '1/100001': there can be 100000 parts at most"},
    {"--shard 7/1000000 s.ini", "--shard: '7/1000000': there can be 100000 parts at most"},
    {"--shard 5/4 s.ini", "--shard: '5/4' is not I/N with I from 1 to N, such as 2/4"},
    {"--shard 0/4 s.ini", "--shard: '0/4' is not I/N with I from 1 to N, such as 2/4"},
    {"--shard 0/0 s.ini", "--shard: '0/0' is not I/N with I from 1 to N, such as 2/4"},
    {"--shard 3 s.ini", "--shard: '3' is not I/N with I from 1 to N, such as 2/4"},
    {"--shard 1/x s.ini", "--shard: '1/x' is not I/N with I from 1 to N, such as 2/4"},
};

static void test_mistakes(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(mistakes); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(TestOptions) options = parse(mistakes[i].line, &error);
    g_assert_null(options);
    g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
    g_assert_cmpstr(error->message, ==, mistakes[i].said);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/test-options/good", test_good);
  g_test_add_func("/test-options/mistakes", test_mistakes);
  return g_test_run();
}
