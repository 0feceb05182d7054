/* SPDX-License-Identifier: Apache-2.0 */
/* TAP and KTAP: vmm/suite/ktap.c and ktap-line.c, on what KUnit, kselftest, Perl and hostile guests write. */
#include "vmm/suite/ktap.h"

#include <string.h>

/* "passed suite/a\nfailed suite/b: detail\n": all results, in lines. */
static char *parse(const char *text, bool *complete) {
  g_autoptr(GPtrArray) results = ktap_parse(text, strlen(text), complete);
  GString *out = g_string_new(NULL);

  for (unsigned i = 0; i < results->len; i++) {
    const SubResult *sub = g_ptr_array_index(results, i);
    g_string_append_printf(out, "%s %s", result_kind_name(sub->kind), sub->name);
    if (sub->detail)
      g_string_append_printf(out, ": %s", sub->detail);
    g_string_append_c(out, '\n');
  }
  return g_string_free(out, FALSE);
}

typedef struct {
  const char *name, *text, *results;
  bool complete;
} Sample;

static void test_sample(gconstpointer data) {
  const Sample *sample = data;
  bool complete = !sample->complete;
  g_autofree char *results = parse(sample->text, &complete);

  g_assert_cmpstr(results, ==, sample->results);
  g_assert_cmpint(complete, ==, sample->complete);
}

static const Sample samples[] = {
    {"ktap/flat", "KTAP version 1\n1..4\nok 1 a\nnot ok 2 b\nok 3 c # SKIP no such CPU\nok 4 # SKIP d\n",
     "passed a\nfailed b\nskipped c: no such CPU\nskipped d\n", true},
    /* A test that forks with a plan in its buffer writes the plan twice. */
    {"ktap/plan-behind-too",
     "TAP version 13\n1..1\n# selftests: timens: timer\n# 1..2\n# ok 1 a\n# ok 2 b\n# # Totals: pass:2\n# 1..2\nok 1 selftests: timens: "
     "timer\n1..1\n",
     "passed timens/timer/a\npassed timens/timer/b\n", true},
    {"ktap/two-plans", "1..1\nok 1 a\n1..1\nok 1 b\n", "passed a\npassed b\n", true},
    {"ktap/two-plans-one-not-kept", "1..2\nok 1 a\nok 2 b\n1..2\nok 1 c\n", "passed a\npassed b\npassed c\n", false},
    {"ktap/nested",
     "KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: math\n  1..2\n    KTAP version 1\n    1..2\n    ok 1 one\n    not ok 2 two\n"
     "  not ok 1 add\n  ok 2 sub\nnot ok 1 math\nok 2 last\n",
     "passed math/add/one\nfailed math/add/two\npassed math/sub\npassed last\n", true},
    {"ktap/kunit-on-the-console",
     "[    0.100000] Booting Linux\r\n[    0.500000] KTAP version 1\r\n[    0.500001] 1..1\r\n[    0.500002]     KTAP version 1\r\n"
     "[    0.500003]     # Subtest: example\r\n[    0.500004]     # module: example\r\n[    0.500005]     1..3\r\n"
     "[    0.500006]     ok 1 simple\r\n[    0.500007]     # broken: EXPECTATION FAILED at lib/kunit/example.c:20\r\n"
     "[    0.500008]     Expected 1 + 1 == 3, but\r\n[    0.500009]     not ok 2 broken\r\n"
     "[    0.500010]     ok 3 skip # SKIP this test should be skipped\r\n"
     "[    0.500011] # example: pass:1 fail:1 skip:1 total:3\r\n[    0.500012] not ok 1 example\r\n[    0.600000] Freeing memory\r\n",
     "passed example/simple\nfailed example/broken: broken: EXPECTATION FAILED at lib/kunit/example.c:20\nExpected 1 + 1 == 3, but\n"
     "skipped example/skip: this test should be skipped\n",
     true},
    {"ktap/caller-in-timestamp", "<6>[    1.0][    T1] KTAP version 1\n[    1.0][   C12] 1..1\n[    1.0][    T1] ok 1 a\n", "passed a\n",
     true},
    {"ktap/parent-disagrees", "KTAP version 1\n1..1\n  1..1\n  ok 1 a\nnot ok 1 p\n",
     "passed p/a\nfailed p: it failed, though none of its tests did\n", true},
    {"ktap/child-without-results", "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\nok 1 p\n",
     "failed p: 0 of 2 planned tests have a result\n", false},
    {"ktap/nested-plan-not-kept", "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 p\n",
     "passed p/a\nfailed p: 1 of 2 planned tests have a result\n", false},
    {"ktap/nested-skipped", "KTAP version 1\n1..1\n  KTAP version 1\n  1..0 # SKIP no module\nok 1 p\n", "skipped p: no module\n", true},
    {"ktap/cut-off", "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: s\n    1..2\n    ok 1 a\n", "passed s/a\n", false},
    {"ktap/two-documents", "KTAP version 1\n1..1\nok 1 a\nnoise\nKTAP version 1\n1..2\nok 1 b\nok 2 c\n", "passed a\npassed b\npassed c\n",
     true},
    {"ktap/two-documents-one-short", "KTAP version 1\n1..2\nok 1 a\nKTAP version 1\n1..1\nok 1 b\n", "passed a\npassed b\n", false},
    {"ktap/xfail", "KTAP version 1\n1..3\nok 1 # XFAIL a\nnot ok 2 b # XFAIL known\nnot ok 3 c # TIMEOUT 45 seconds\n",
     "skipped a: expected failure\nskipped b: expected failure: known\nfailed c: timeout: 45 seconds\n", true},
    {"kselftest/runner",
     "TAP version 13\n1..4\n# timeout set to 45\n# selftests: timers: posix_timers\n# TAP version 13\n# 1..2\n# ok 1 check\n"
     "# # timer.c:12: value 3 != 4\n# not ok 2 itimer\n# # Totals: pass:1 fail:1\nnot ok 1 selftests: timers: posix_timers # exit=1\n"
     "# selftests: timers: slow\n# ok 1 first\nnot ok 2 selftests: timers: slow # TIMEOUT 45 seconds\n# selftests: timers: none\n# text\n"
     "ok 3 selftests: timers: none # SKIP\n# selftests: timers: crash\nnot ok 4 selftests: timers: crash # exit=139\n",
     "passed timers/posix_timers/check\nfailed timers/posix_timers/itimer: timer.c:12: value 3 != 4\npassed timers/slow/first\n"
     "failed timers/slow: timeout: 45 seconds\nskipped timers/none\nfailed timers/crash: exit=139\n",
     true},
    {"kselftest/indented",
     "TAP version 13\n1..1\n# selftests: a: b\n#     TAP version 13\n#     1..1\n#     ok 1 x\n# ok 1 y\nok 1 selftests: a: b\n",
     "passed a/b/y/x\n", true},
    {"kselftest/no-plan", "# selftests: a: b\n# ok 1 x\nok 1 selftests: a: b\n", "passed a/b/x\n", false},
    {"tap/12", "1..3\nok 1 - first\nnot ok 2 - second\n#   Failed test 'second'\n#   at t/a.t line 3.\nok\n",
     "passed first\nfailed second: Failed test 'second'\nat t/a.t line 3.\npassed test 3\n", true},
    {"tap/plan-behind", "ok 1 - a\nok 2\n1..2\n", "passed a\npassed test 2\n", true},
    {"tap/no-plan", "ok 1 - a\n", "passed a\n", false},
    {"tap/too-many", "1..1\nok 1 - a\nok 2 - b\n", "passed a\npassed b\n", false},
    {"tap/skip-all", "1..0 # SKIP no perl\n", "skipped all tests: no perl\n", true},
    {"tap/todo", "TAP version 13\n1..2\nnot ok 1 - a # TODO later\nok 2 b # todo\n",
     "skipped a: expected failure: later\npassed b: passed, though marked TODO\n", true},
    {"tap/yaml", "TAP version 13\n1..2\nnot ok 1 - a\n  ---\n  message: 'it broke'\n  list:\n    ok 1 no result\n  ...\nok 2 - b\n",
     "failed a: it broke\npassed b\n", true},
    {"tap/yaml-cut-off", "TAP version 13\n1..2\nnot ok 1 - a\n  ---\n  message: x\nok 2 - b\n", "failed a: x\npassed b\n", true},
    {"tap/14", "TAP version 14\n1..2\n# Subtest: s\n    1..1\n    ok 1 - in \\# side\nok 1 - s\nok 2 - a#b # not a directive\n",
     "passed s/in # side\npassed a#b\n", true},
    {"tap/perl-subtest", "# Subtest: s\n    ok 1 - a\n    1..1\nok 1 - s\n1..1\n", "passed s/a\n", true},
    {"tap/todo-parent", "TAP version 14\n1..1\n    1..1\n    not ok 1 - a\nnot ok 1 - s # TODO\n", "skipped s/a\n", true},
    {"tap/bail-out", "1..3\nok 1 - a\nBail out! no disk\n", "passed a\nfailed Bail out!: no disk\n", false},
    {"tap/prose", "ok then\nnot okay\nok, go\n1..1\nwell\nok 1 - a\n", "passed a\n", true},
    {"tap/comments-are-no-results", "1..1\n# ok 1 no result\nok 1 - a\n", "passed a\n", true},
    {"tap/crlf", "1..1\r\nok 1 - a\r\r\n", "passed a\n", true},
    {"none/empty", "", "", false},
    {"none/text", "hello\n  world\n", "", false},
    {"none/bytes", "1..1\nok 1 \xff\xfe\x1b[2J\n", "passed \xef\xbf\xbd\xef\xbf\xbd?[2J\n", true},
};

static void test_nul(void) {
  static const char text[] = "1..1\nok 1 a\0b\n";
  bool complete;
  g_autoptr(GPtrArray) results = ktap_parse(text, sizeof text - 1, &complete);

  g_assert_cmpuint(results->len, ==, 1);
  g_assert_cmpstr(((SubResult *)g_ptr_array_index(results, 0))->name, ==, "a?b");
  g_assert_true(complete);
}

/* Bounds. */

static void test_many(void) {
  GString *text = g_string_new(NULL);
  bool complete;

  g_string_append_printf(text, "1..%d\n", KTAP_RESULTS_MAX + 5);
  for (unsigned i = 1; i <= KTAP_RESULTS_MAX + 5; i++)
    g_string_append_printf(text, "ok %u\n", i);
  g_autoptr(GPtrArray) results = ktap_parse(text->str, text->len, &complete);
  g_assert_cmpuint(results->len, ==, KTAP_RESULTS_MAX);
  g_assert_false(complete);
  g_string_free(text, TRUE);
}

static void test_deep(void) {
  GString *text = g_string_new(NULL);
  bool complete;

  for (int i = 0; i < 40; i++)
    g_string_append_printf(text, "%*sok 1 - d\n", i, "");
  for (int i = 39; i >= 0; i--)
    g_string_append_printf(text, "%*sok 2 - u\n", i, "");
  g_autoptr(GPtrArray) results = ktap_parse(text->str, text->len, &complete);
  g_assert_false(complete);
  g_assert_cmpuint(results->len, >, KTAP_DEPTH_MAX);
  g_string_free(text, TRUE);
}

/* Each line adopts all before it: names must not grow without end, nor the time. */
static void test_adoptions(void) {
  g_autofree char *name = g_strnfill(2000, 'n');
  GString *text = g_string_new(NULL);
  bool complete;

  for (unsigned i = 0; i < 50000; i++)
    g_string_append_printf(text, "%*sok 1\n", 1000, "");
  for (int i = 999; i >= 0; i--)
    g_string_append_printf(text, "%*sok 1 %s\n", i, "", name);
  g_autoptr(GPtrArray) results = ktap_parse(text->str, text->len, &complete);
  g_assert_false(complete);
  for (unsigned i = 0; i < results->len; i++)
    g_assert_cmpuint(strlen(((SubResult *)g_ptr_array_index(results, i))->name), <, KTAP_NAME_MAX);
  g_string_free(text, TRUE);
}

/* Lines in any order: nothing but a survivable answer is expected. */
static void test_any_order(void) {
  static const char *const lines[] = {"KTAP version 1",
                                      "TAP version 13",
                                      "1..2",
                                      "1..99999999999999999999",
                                      "ok 1 a",
                                      "not ok 2 b # TODO x",
                                      "ok",
                                      "not ok - # SKIP",
                                      "---",
                                      "...",
                                      "message: m",
                                      "# Subtest: s",
                                      "# comment",
                                      "Bail out! now",
                                      "# ok 3 ",
                                      "# TAP version 13",
                                      "# selftests: a: b",
                                      "[ 1.2] ok 4 t",
                                      "not ok 5 # exit=",
                                      "ok \\",
                                      "",
                                      "1..0 # skip"};
  g_autoptr(GRand) random = g_rand_new_with_seed(7);

  for (unsigned round = 0; round < 2000; round++) {
    GString *text = g_string_new(NULL);
    bool complete;
    for (unsigned i = 0; i < 60; i++)
      g_string_append_printf(text, "%*s%s\n", g_rand_int_range(random, 0, 5) * 2, "",
                             lines[g_rand_int_range(random, 0, G_N_ELEMENTS(lines))]);
    g_autoptr(GPtrArray) results = ktap_parse(text->str, text->len - (round & 1), &complete);
    for (unsigned i = 0; i < results->len; i++)
      g_assert_cmpuint(strlen(((SubResult *)g_ptr_array_index(results, i))->name), >, 0);
    g_string_free(text, TRUE);
  }
}

/* Lines that say nothing cost time: there is a last one that is read. */
static void test_lines(void) {
  GString *text = g_string_new("TAP version 13\n1..2\nok 1 - first\n");
  bool complete = true;

  while (text->len < KTAP_LINES_MAX + 100)
    g_string_append_c(text, '\n');
  g_string_append(text, "ok 2 - second\n");
  g_autoptr(GPtrArray) results = ktap_parse(text->str, text->len, &complete);
  g_assert_cmpuint(results->len, ==, 1);
  g_assert_false(complete);
  g_string_free(text, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
    g_autofree char *path = g_strconcat("/ktap/", samples[i].name, NULL);
    g_test_add_data_func(path, &samples[i], test_sample);
  }
  g_test_add_func("/ktap/nul", test_nul);
  g_test_add_func("/ktap/bounds/many", test_many);
  g_test_add_func("/ktap/bounds/lines", test_lines);
  g_test_add_func("/ktap/bounds/deep", test_deep);
  g_test_add_func("/ktap/bounds/adoptions", test_adoptions);
  g_test_add_func("/ktap/any-order", test_any_order);
  return g_test_run();
}
