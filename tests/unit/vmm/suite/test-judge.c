/* SPDX-License-Identifier: Apache-2.0 */
/* Did a case end as it was expected to? vmm/suite/judge.c. */
#include "vmm/suite/judge.h"

#include <locale.h>
#include <string.h>

typedef struct {
  const char *name;
  /* What is expected: patterns, of which there is at most one of each kind. */
  const char *expect, *reject, *expect_console, *reject_console;
  ExpectedOutcome wanted;
  int status;
  /* What happened. */
  const char *outcome, *message, *out, *err, *console;
  int ended;
  /* What is to be said of it; NULL: nothing. */
  ResultKind kind;
  const char *why;
} Sample;

static const Sample samples[] = {
    {"passes", .outcome = "command", .kind = RESULT_PASSED},
    {"status", .outcome = "command", .ended = 3, .kind = RESULT_FAILED, .why = "the command ended with status 3"},
    {"wanted-status", .status = 3, .outcome = "command", .ended = 3, .kind = RESULT_PASSED},
    {"other-status", .status = 3, .outcome = "command", .ended = 4, .kind = RESULT_FAILED,
     .why = "the command ended with status 4, and not 3"},
    {"status-of-another-kind", .status = 241, .outcome = "panic", .message = "guest panic: x", .ended = 241, .kind = RESULT_FAILED,
     .why = "guest panic: x"},
    {"not-started", .outcome = "not-started", .message = "no such thing", .ended = 127, .kind = RESULT_FAILED, .why = "no such thing"},
    {"wanted-not-started", .status = 127, .outcome = "not-started", .message = "no such thing", .ended = 127, .kind = RESULT_PASSED},
    {"panic", .outcome = "panic", .message = "guest panic: x", .ended = 241, .kind = RESULT_FAILED, .why = "guest panic: x"},
    {"wanted-panic", .wanted = EXPECT_PANIC, .outcome = "panic", .message = "guest panic: x", .ended = 241, .kind = RESULT_PASSED},
    {"no-panic", .wanted = EXPECT_PANIC, .outcome = "command", .kind = RESULT_FAILED,
     .why = "expected panic, but: the command ended with status 0"},
    {"other-outcome", .wanted = EXPECT_OOPS, .outcome = "panic", .message = "guest panic: x", .ended = 241, .kind = RESULT_FAILED,
     .why = "expected oops, but: guest panic: x"},
    {"wanted-timeout", .wanted = EXPECT_TIMEOUT, .outcome = "timeout", .ended = 245, .kind = RESULT_PASSED},
    {"wanted-panic-says-wrong", .wanted = EXPECT_PANIC, .expect_console = "sysrq", .outcome = "panic", .message = "guest panic: x",
     .console = "Kernel panic - x\n", .ended = 241, .kind = RESULT_FAILED, .why = "nothing in the kernel's console is like 'sysrq'"},
    /* Not the guest's fault. */
    {"no-kvm", .outcome = "no-kvm", .message = "no /dev/kvm", .ended = 77, .kind = RESULT_SKIPPED, .why = "no /dev/kvm"},
    {"host-error", .outcome = "host-error", .message = "disk full", .ended = 240, .kind = RESULT_ERROR, .why = "disk full"},
    {"stopped", .outcome = "stopped", .ended = 240, .kind = RESULT_ERROR, .why = "stopped"},
    {"no-guest", .err = "eret: bad thing\nmore\n", .ended = 2, .kind = RESULT_ERROR,
     .why = "eret exec ended with status 2 before there was a guest: eret: bad thing"},
    {"no-guest-no-word", .ended = 1, .kind = RESULT_ERROR, .why = "eret exec ended with status 1 before there was a guest"},
    /* Output. */
    {"expected-in-out", .expect = "^two$", .outcome = "command", .out = "one\ntwo\nthree\n", .kind = RESULT_PASSED},
    {"expected-in-err", .expect = "^two$", .outcome = "command", .out = "one\n", .err = "two", .kind = RESULT_PASSED},
    {"not-expected", .expect = "^two$", .outcome = "command", .out = "one two\n", .kind = RESULT_FAILED,
     .why = "nothing in its output is like '^two$'"},
    {"nothing-written", .expect = ".", .outcome = "command", .kind = RESULT_FAILED, .why = "nothing in its output is like '.'"},
    {"rejected", .reject = "w", .outcome = "command", .out = "one\ntwo\x1b[0m three\r\nfour", .kind = RESULT_FAILED,
     .why = "standard output has 'two?[0m three', which 'w' rejects"},
    {"rejected-in-err", .reject = "bad", .outcome = "command", .err = "bad", .kind = RESULT_FAILED,
     .why = "standard error has 'bad', which 'bad' rejects"},
    {"rejected-in-console", .reject_console = "WARN", .outcome = "command", .console = "x\nWARNING: y\n", .kind = RESULT_FAILED,
     .why = "the kernel's console has 'WARNING: y', which 'WARN' rejects"},
    {"streams-apart", .reject = "WARN", .reject_console = "two", .outcome = "command", .out = "two", .console = "WARN",
     .kind = RESULT_PASSED},
    {"not-utf-8", .expect = "\xff.\xfe", .reject = "\xfe\xff", .outcome = "command", .out = "\xff\x80\xfe", .kind = RESULT_PASSED},
    {"two-lines", .expect = "^one\ntwo$", .reject = "one.*two", .outcome = "command", .out = "zero\none\ntwo\n", .kind = RESULT_PASSED},
    {"empty-line", .expect = "^$", .outcome = "command", .out = "", .kind = RESULT_PASSED},
    {"too-much", .expect = "^(a+)+$", .outcome = "command", .out = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
     .kind = RESULT_FAILED, .why = "'^(a+)+$' takes too much work on this output; make it simpler"},
};

static GPtrArray *patterns(const char *one) {
  GPtrArray *array = g_ptr_array_new();

  if (one)
    g_ptr_array_add(array, (char *)one);
  return array;
}

static void test_sample(gconstpointer data) {
  const Sample *sample = data;
  g_autoptr(GPtrArray) expect = patterns(sample->expect);
  g_autoptr(GPtrArray) reject = patterns(sample->reject);
  g_autoptr(GPtrArray) expect_console = patterns(sample->expect_console);
  g_autoptr(GPtrArray) reject_console = patterns(sample->reject_console);
  const SuiteCase suite_case = {.exit_status = sample->status,
                                .outcome = sample->wanted,
                                .expect = expect,
                                .reject = reject,
                                .expect_console = expect_console,
                                .reject_console = reject_console};
  const CaseRun run = {.exit_status = sample->ended,
                       .outcome = sample->outcome,
                       .message = sample->message,
                       .streams = {{sample->out, sample->out ? strlen(sample->out) : 0},
                                   {sample->err, sample->err ? strlen(sample->err) : 0},
                                   {sample->console, sample->console ? strlen(sample->console) : 0}}};
  g_autofree char *why = NULL;

  g_assert_cmpint(judge_case(&suite_case, &run, JUDGE_LIMIT, &why), ==, sample->kind);
  g_assert_cmpstr(why, ==, sample->why);
}

/* The output may have zero bytes, and a line without end: what is shown of it is short. */
static void test_long_line(void) {
  g_autoptr(GPtrArray) none = patterns(NULL);
  g_autoptr(GPtrArray) reject = patterns("\\x00NEEDLE");
  const SuiteCase suite_case = {.expect = none, .reject = reject, .expect_console = none, .reject_console = none};
  static char text[1 << 20];
  const CaseRun run = {.outcome = "command", .streams = {{text, sizeof(text)}}};
  g_autofree char *why = NULL;

  memset(text, 'x', sizeof(text));
  memcpy(text + sizeof(text) / 2, "\0NEEDLE", 7);
  g_assert_cmpint(judge_case(&suite_case, &run, JUDGE_LIMIT, &why), ==, RESULT_FAILED);
  g_assert_nonnull(strstr(why, "NEEDLE"));
  g_assert_cmpuint(strlen(why), <, 400);
}

static ResultKind judge(const char *expected, const GString *out, gint64 limit, char **why) {
  g_autoptr(GPtrArray) none = patterns(NULL);
  g_autoptr(GPtrArray) expect = patterns(expected);
  const SuiteCase suite_case = {.expect = expect, .reject = none, .expect_console = none, .reject_console = none};
  const CaseRun run = {.outcome = "command", .streams = {{out->str, out->len}}};

  return judge_case(&suite_case, &run, limit, why);
}

/* What is short is found wherever it is, with what is before and behind it, in one line without end and in short ones
 * (in which "\xc3\xa9" is the UTF-8 of one character). */
static void test_anywhere(void) {
  static const char *const fillings[] = {"x", "xyz\n", "\xc3\xa9"};
  static const char *const found[] = {"(?<=<<)A[^B]{1000}B(?!>>)", "(*UTF)(?<=<<)A.{1000}B(?!>>)", "A[^B]{1000}B>?[^>]"};
  static const char *const absent[] = {"^A", "B$", "\\AA", "B(?!>)", "(?<!<)A"};

  for (unsigned i = 0; i < G_N_ELEMENTS(fillings); i++)
    for (size_t before = 0; before < 9000; before += 251) {
      g_autoptr(GString) text = g_string_new(NULL);
      while (text->len < before)
        g_string_append(text, fillings[i]);
      g_string_append(text, "<<A");
      for (unsigned j = 0; j < 1000; j++)
        g_string_append_c(text, '-');
      g_string_append(text, "B>-");
      while (text->len < before + 9000)
        g_string_append(text, fillings[i]);
      for (unsigned j = 0; j < G_N_ELEMENTS(found); j++) {
        g_autofree char *why = NULL;
        g_assert_cmpint(judge(found[j], text, JUDGE_LIMIT, &why), ==, RESULT_PASSED);
      }
      for (unsigned j = 0; j < G_N_ELEMENTS(absent); j++) {
        g_autofree char *why = NULL;
        g_assert_cmpint(judge(absent[j], text, JUDGE_LIMIT, &why), ==, RESULT_FAILED);
      }
    }
}

/* No pattern sees more than a bounded part of a line, or its work would grow with the square of the line's length. */
static void test_bounded_view(void) {
  g_autoptr(GString) text = g_string_new("A");
  g_autofree char *why = NULL;

  while (text->len < 5000)
    g_string_append(text, "ok ");
  g_string_append(text, "B");
  g_assert_cmpint(judge("A.*B", text, JUDGE_LIMIT, &why), ==, RESULT_FAILED);
  g_assert_cmpstr(why, ==, "nothing in its output is like 'A.*B'");
}

/* The time is that of all patterns: lines, however many, do not evade it. It is no failure of the guest's. */
static void test_limit(void) {
  g_autoptr(GString) text = g_string_new(NULL);
  g_autofree char *why = NULL;

  while (text->len < 64 << 20)
    g_string_append(text, "ok ok ok ok ok ok ok ok ok ok ok ok ok\n");
  g_assert_cmpint(judge("ok.*(?=k).*k{2}", text, 20000, &why), ==, RESULT_ERROR);
  g_assert_cmpstr(why, ==, "the patterns took more than 0.02 s on this output; make them simpler, or the output shorter");
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
    g_autofree char *path = g_strconcat("/judge/", samples[i].name, NULL);
    g_test_add_data_func(path, &samples[i], test_sample);
  }
  g_test_add_func("/judge/long-line", test_long_line);
  g_test_add_func("/judge/anywhere", test_anywhere);
  g_test_add_func("/judge/bounded-view", test_bounded_view);
  g_test_add_func("/judge/limit", test_limit);
  return g_test_run();
}
