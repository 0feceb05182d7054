/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports and the verdicts under them: vmm/suite/result.c, report-tap.c, report-junit.c, report-summary.c; also on
 * texts that want to break out of a format.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/vmm/suite/report-fixture.h"

static bool failed_with(const ResultKind *kinds, unsigned n, bool allow_flaky) {
  g_autoptr(GPtrArray) results = new_results();

  for (unsigned i = 0; i < n; i++)
    add(results, "s", "n", kinds[i], NULL)->attempt = i + 1;
  return results_failed(results, allow_flaky);
}

static void test_verdicts(void) {
  static const struct {
    ResultKind kinds[2];
    bool failed, failed_allowed;
  } cases[] = {
      {{RESULT_PASSED, RESULT_PASSED}, false, false},  {{RESULT_PASSED, RESULT_FAILED}, true, false},
      {{RESULT_PASSED, RESULT_ERROR}, true, false},    {{RESULT_FAILED, RESULT_FAILED}, true, true},
      {{RESULT_ERROR, RESULT_ERROR}, true, true},      {{RESULT_SKIPPED, RESULT_FAILED}, true, true},
      {{RESULT_PASSED, RESULT_SKIPPED}, false, false}, {{RESULT_SKIPPED, RESULT_SKIPPED}, false, false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_assert_cmpint(failed_with(cases[i].kinds, 2, false), ==, cases[i].failed);
    g_assert_cmpint(failed_with(cases[i].kinds, 2, true), ==, cases[i].failed_allowed);
  }
  g_assert_false(failed_with(NULL, 0, false));
}

static void test_groups(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GPtrArray) groups = results_group(results);
  const CaseGroup *flaky = g_ptr_array_index(groups, 2);

  g_assert_cmpuint(groups->len, ==, 6);
  g_assert_cmpint(flaky->verdict, ==, GROUP_FLAKY);
  g_assert_cmpuint(case_group_ran(flaky), ==, 2);
  g_assert_cmpuint(flaky->count[RESULT_PASSED], ==, 1);
  g_assert_cmpstr(flaky->shown->message, ==, "exit status 1");
}

/* TAP. */

static void test_tap(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GString) out = g_string_new(NULL);

  report_tap(out, results);
  g_assert_cmpstr(out->str, ==,
                  "TAP version 13\n1..7\n"
                  "ok 1 - boot/console\n"
                  "not ok 2 - boot/panic[kernel=6.12,cpus=2]\n"
                  "  ---\n"
                  "  message: \"guest panic: sysrq triggered crash\"\n"
                  "  severity: \"fail\"\n"
                  "  outcome: \"panic\"\n"
                  "  exit_status: 241\n"
                  "  seconds: 2.000\n"
                  "  log: \"logs/boot-panic.log\"\n"
                  "  fingerprint: \"a < b < c\"\n"
                  "  details: |\n"
                  "    Call trace:\n"
                  "    \n"
                  "     a+0x1/0x2\n"
                  "  ...\n"
                  "ok 3 - boot/flaky\n"
                  "not ok 4 - boot/flaky (attempt 2)\n"
                  "  ---\n  message: \"exit status 1\"\n  severity: \"fail\"\n  exit_status: 0\n  seconds: 0.000\n  ...\n"
                  "# Subtest: all\n"
                  "    ok 1 - math/add\n"
                  "    not ok 2 - math/\\#div\n"
                  "    # Expected 1 == 2\n"
                  "    # but it was\n"
                  "    ok 3 - math/mul # SKIP no FPU\n"
                  "    1..3\n"
                  "not ok 5 - kunit/all\n"
                  "  ---\n  message: \"1 of 3 subtests failed\"\n  severity: \"fail\"\n  exit_status: 0\n  seconds: 0.000\n  ...\n"
                  "ok 6 - kunit/net # SKIP it requires /dev/net/tun, which is not there\n"
                  "not ok 7 - kunit/host\n"
                  "  ---\n  message: \"eret was killed by signal 9 (Killed)\"\n  severity: \"error\"\n  exit_status: 0\n"
                  "  seconds: 0.000\n  ...\n");
}

/* Nothing of the guest's begins a line of TAP, or a directive. */
static void test_tap_hostile(void) {
  g_autoptr(GPtrArray) results = hostile();
  g_autoptr(GString) out = g_string_new(NULL);
  unsigned points = 0, directives = 0;

  report_tap(out, results);
  g_auto(GStrv) lines = g_strsplit(out->str, "\n", -1);
  for (unsigned i = 0; lines[i]; i++) {
    bool point = g_str_has_prefix(lines[i], "ok ") || g_str_has_prefix(lines[i], "not ok ");
    points += point;
    directives += point && g_strrstr(lines[i], " # SKIP m") != NULL;
    g_assert_true(point || !*lines[i] || strchr(" #", *lines[i]) || g_str_has_prefix(lines[i], "1..") ||
                  g_str_has_prefix(lines[i], "TAP version 13"));
    g_assert_true(!point || strstr(lines[i], " # SKIP") == strstr(lines[i], " # SKIP m"));
  }
  g_assert_cmpuint(points, ==, N_RESULTS);
  g_assert_cmpuint(directives, ==, 1);
  g_assert_true(g_utf8_validate(out->str, (gssize)out->len, NULL));
  assert_printable(out->str);
}

static void test_tap_empty(void) {
  g_autoptr(GPtrArray) results = new_results();
  g_autoptr(GString) out = g_string_new(NULL);

  report_tap(out, results);
  g_assert_cmpstr(out->str, ==, "TAP version 13\n1..0 # SKIP no cases\n");
}

/* JUnit. */

static void test_junit(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GString) out = g_string_new(NULL);

  report_junit(out, results);
  g_assert_nonnull(strstr(out->str, "<testsuites tests=\"10\" failures=\"4\" errors=\"1\" skipped=\"2\" time=\"11.123\">"));
  g_assert_nonnull(strstr(out->str, "<testsuite name=\"boot\" tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"0\" time=\"11.123\" "
                                    "timestamp=\"2025-01-31T12:00:00\">"));
  g_assert_nonnull(strstr(out->str, "<property name=\"flaky:flaky\" value=\"passed 1 of 2\"/>"));
  g_assert_nonnull(strstr(out->str, "<testcase name=\"flaky (attempt 2)\" classname=\"boot\" time=\"0.000\">"));
  g_assert_nonnull(strstr(out->str, "<system-out>flaky: passed 1 of 2</system-out>"));
  g_assert_nonnull(strstr(out->str, "<failure message=\"guest panic: sysrq triggered crash\" type=\"panic\">  Call trace:\n\n"));
  g_assert_nonnull(strstr(out->str, "<testcase name=\"math/#div\" classname=\"kunit.all\" time=\"0.000\">"));
  g_assert_nonnull(strstr(out->str, "[[ATTACHMENT|logs/boot-panic.log]]"));
  g_assert_nonnull(strstr(out->str, "seconds: VMM 0.200, kernel 6.100, init 0.900, command 1.900\ntag: smoke"));
}

/* Well-formed, by a parser that knows markup; and without the characters that XML 1.0 excludes. */
static void assert_xml(const char *text) {
  static const GMarkupParser nothing = {0};
  GMarkupParseContext *context = g_markup_parse_context_new(&nothing, G_MARKUP_DEFAULT_FLAGS, NULL, NULL);
  g_autoptr(GError) error = NULL;

  g_markup_parse_context_parse(context, text, -1, &error);
  g_assert_no_error(error);
  g_markup_parse_context_end_parse(context, &error);
  g_assert_no_error(error);
  g_markup_parse_context_free(context);
  assert_printable(text);
  for (const char *c = text; *c; c = g_utf8_next_char(c))
    g_assert_true(*c == '\n' || (g_utf8_get_char(c) >= 0x20 && (g_utf8_get_char(c) & 0xfffe) != 0xfffe));
}

/* By tests/suites-schema/junit.xsd, where there is an xmllint. */
static void assert_valid(const char *text) {
  g_autofree char *xmllint = g_find_program_in_path("xmllint");
  g_autofree char *path = NULL;
  g_autofree char *said = NULL;
  int status = -1;

  if (!xmllint || !g_file_test("tests/suites-schema/junit.xsd", G_FILE_TEST_EXISTS))
    return;
  int fd = g_file_open_tmp("eret-junit-XXXXXX", &path, NULL);
  g_assert_cmpint(fd, >=, 0);
  g_assert_true(g_close(fd, NULL));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  const char *const arguments[] = {xmllint, "--noout", "--schema", "tests/suites-schema/junit.xsd", path, NULL};
  g_assert_true(g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &said, &status, NULL));
  g_unlink(path);
  if (status != 0)
    g_error("%s\n%s", said, text);
}

static void test_junit_valid(void) {
  static GPtrArray *(*const makers[])(void) = {sample, hostile, new_results};

  for (unsigned i = 0; i < G_N_ELEMENTS(makers); i++) {
    g_autoptr(GPtrArray) results = makers[i]();
    g_autoptr(GString) out = g_string_new(NULL);
    report_junit(out, results);
    assert_xml(out->str);
    assert_valid(out->str);
  }
}

/* GitHub, summary. */

static void test_github(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GPtrArray) bad = hostile();
  g_autoptr(GString) bad_out = g_string_new(NULL);

  report_github(out, results);
  g_assert_cmpstr(out->str, ==,
                  "::error title=boot/panic[kernel=6.12%2Ccpus=2]::guest panic: sysrq triggered crash%0Alog: logs/boot-panic.log%0A"
                  "  Call trace:%0A%0A a+0x1/0x2\n"
                  "::warning title=boot/flaky::flaky: passed 1 of 2: exit status 1\n"
                  "::error title=kunit/all::1 of 3 subtests failed\n"
                  "::error title=kunit/host::eret was killed by signal 9 (Killed)\n");
  report_github(bad_out, bad);
  g_assert_true(strchr(bad_out->str, '\n') == bad_out->str + bad_out->len - 1);
  g_assert_nonnull(strstr(bad_out->str, "%25 %3A%3A"));
}

static void test_summary(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GString) out = g_string_new(NULL);

  add(results, "boot", "panic-too", RESULT_FAILED, "guest panic: again")->fingerprint = g_strdup("a < b < c");
  add(results, "kunit", "net-too", RESULT_SKIPPED, "it requires /dev/net/tun, which is not there");
  report_summary(out, results);
  g_assert_cmpstr(out->str, ==,
                  "1 passed, 3 failed, 1 in error, 1 flaky, 2 skipped in 11.1 s\n"
                  "failed: boot/panic[kernel=6.12,cpus=2]: guest panic: sysrq triggered crash (log: logs/boot-panic.log)\n"
                  "     trace: a < b < c\n"
                  "     |   Call trace:\n"
                  "     | \n"
                  "     |  a+0x1/0x2\n"
                  "failed: kunit/all: 1 of 3 subtests failed\n"
                  "     not ok math/#div: Expected 1 == 2 but it was\n"
                  "failed: boot/panic-too: guest panic: again\n"
                  "     the same trace as boot/panic[kernel=6.12,cpus=2]\n"
                  "error: kunit/host: eret was killed by signal 9 (Killed)\n"
                  "flaky: boot/flaky: passed 1 of 2: exit status 1\n"
                  "2 cases fail with the same trace: a < b < c\n"
                  "skipped: kunit/net and 1 more: it requires /dev/net/tun, which is not there\n"
                  "slowest:                            total   VMM  kernel  init  command\n"
                  "  boot/console                      9.1 s   0.2     6.1   0.9      1.9\n"
                  "  boot/panic[kernel=6.12,cpus=2]    2.0 s     -       -     -        -\n");
}

/* Cases side by side: the time that has passed, not the sum. */
static void test_summary_seconds(void) {
  g_autoptr(GPtrArray) results = new_results();
  g_autoptr(GString) out = g_string_new(NULL);

  for (unsigned i = 0; i < 4; i++) {
    g_autofree char *name = g_strdup_printf("n%u", i);
    CaseResult *result = add(results, "s", name, RESULT_PASSED, NULL);
    result->started = g_strdup_printf("2025-01-31T12:00:0%u.5Z", i);
    result->seconds = 10;
  }
  report_summary(out, results);
  g_assert_true(g_str_has_prefix(out->str, "4 passed in 13.0 s\n"));
}

static void test_summary_hostile(void) {
  g_autoptr(GPtrArray) results = hostile();
  g_autoptr(GString) out = g_string_new(NULL);

  report_summary(out, results);
  for (const char *c = out->str; *c; c++)
    g_assert_true(*c == '\n' || (guchar)*c >= 0x20);
  g_assert_true(g_utf8_validate(out->str, -1, NULL));
  assert_printable(out->str);
}

static void test_github_hostile(void) {
  g_autoptr(GPtrArray) results = hostile();
  g_autoptr(GString) out = g_string_new(NULL);

  report_github(out, results);
  g_assert_true(g_str_has_prefix(out->str, "::warning title="));
  assert_printable(out->str);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report/verdicts", test_verdicts);
  g_test_add_func("/report/groups", test_groups);
  g_test_add_func("/report/tap", test_tap);
  g_test_add_func("/report/tap/hostile", test_tap_hostile);
  g_test_add_func("/report/tap/empty", test_tap_empty);
  g_test_add_func("/report/junit", test_junit);
  g_test_add_func("/report/junit/valid", test_junit_valid);
  g_test_add_func("/report/github", test_github);
  g_test_add_func("/report/github/hostile", test_github_hostile);
  g_test_add_func("/report/summary", test_summary);
  g_test_add_func("/report/summary/seconds", test_summary_seconds);
  g_test_add_func("/report/summary/hostile", test_summary_hostile);
  return g_test_run();
}
