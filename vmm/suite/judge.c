/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First how it ended, then what it wrote. A host that could not do its part is no failure of the guest's.
 *
 * Regular expressions run over what a guest has written, on the thread that serves all other cases. PCRE bounds only
 * the backtracking from one place where a match may begin, so a long line would make an ordinary pattern's work
 * quadratic. Therefore a pattern sees a window of the text at a time, and all patterns of a case share one budget of
 * time.
 */
#define _GNU_SOURCE /* memrchr */
#include "vmm/suite/judge.h"

#include <string.h>
#include <time.h>

#include "devices/printable.h"
#include "vmm/suite/ktap.h"

#define QUOTE_MAX 200

/* In quarters of a window: one before the place where a match may begin, for what looks behind, two of such places, and
 * what is seen behind them, which ends with a line where there is one. The manual has the sum. */
#define QUARTER 1024u
/* Backtracking from one place, far below PCRE's own limit: there are 2048 of them between two looks at the clock. */
#define BACKTRACKING "(*LIMIT_MATCH=200000)"

/* The line at POSITION, as far as a message has room for it. */
static char *quote(const char *text, size_t size, size_t position) {
  size_t start = position, end = position;

  while (start > 0 && text[start - 1] != '\n' && position - start < QUOTE_MAX / 2)
    start--;
  while (end < size && text[end] != '\n' && text[end] != '\r' && end - start < QUOTE_MAX)
    end++;
  return printable_line(text + start, (gssize)(end - start));
}

const char *const case_stream_names[CASE_N_STREAMS] = {"standard output", "standard error", "the kernel's console"};

/* The work for all patterns of a case. */
typedef struct {
  gint64 start, limit; /* us of this thread's processor time, for which a busy host is no excuse */
  bool spent;
} Work;

static gint64 processor_time(void) {
  struct timespec now;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* A place at or a little before AT that is not within a character, should it be UTF-8: there are patterns for that. */
static size_t cut(const char *text, size_t at) {
  for (unsigned i = 0; i < 3 && at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80; i++)
    at--;
  return at;
}

/* Where the window ends in which matches are looked for that begin at START and in the two quarters behind it. */
static size_t window_end(const char *text, size_t size, size_t start) {
  if (size - start <= 4 * QUARTER)
    return size;
  const char *last = text + start + 3 * QUARTER, *newline = memrchr(last, '\n', QUARTER);
  return newline ? (size_t)(newline + 1 - text) : cut(text, start + 4 * QUARTER);
}

/* 1: found, at *POSITION; 0: not; -1: too much, for this pattern or for all of them. */
static int find(Work *work, const char *pattern, const char *text, size_t size, size_t *position) {
  g_autofree char *bounded = g_strconcat(BACKTRACKING, pattern, NULL);
  g_autoptr(GRegex) regex = g_regex_new(bounded, G_REGEX_RAW | G_REGEX_MULTILINE, 0, NULL);
  size_t start = 0, end = 0;

  while (text && regex && (start < size || start == 0)) {
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GError) error = NULL;
    size_t begin = start > QUARTER ? cut(text, start - QUARTER) : 0;
    int at;
    end = window_end(text, size, start);
    size_t next = end < size ? cut(text, start + 2 * QUARTER) : end;
    if (g_regex_match_full(regex, text + begin, (gssize)(end - begin), (int)(start - begin), end < size ? G_REGEX_MATCH_NOTEOL : 0, &match,
                           &error)) {
      g_match_info_fetch_pos(match, 0, &at, NULL);
      *position = begin + (size_t)at;
      if (*position < next || end == size)
        return 1;
    }
    work->spent = processor_time() - work->start >= work->limit;
    if (error || work->spent)
      return -1;
    if (end == size)
      break;
    start = next;
  }
  return 0;
}

static char *too_much(const Work *work, const char *pattern) {
  if (work->spent)
    return g_strdup_printf("the patterns took more than %g s on this output; make them simpler, or the output shorter",
                           (double)work->limit / G_USEC_PER_SEC);
  return g_strdup_printf("'%s' takes too much work on this output; make it simpler", pattern);
}

/* Whether each of PATTERNS is in one of the streams FIRST to LAST, if it is WANTED, or else in none of them. */
static bool check(Work *work, const GPtrArray *patterns, const CaseRun *run, unsigned first, unsigned last, bool wanted, char **why) {
  for (unsigned i = 0; i < patterns->len; i++) {
    const char *pattern = g_ptr_array_index(patterns, i);
    unsigned next = first; /* behind the stream that was looked at last */
    size_t position = 0;
    int found = 0;
    for (; next <= last && found == 0; next++)
      found = find(work, pattern, run->streams[next].text, run->streams[next].size, &position);
    if (found == wanted)
      continue;
    g_autofree char *line = found > 0 ? quote(run->streams[next - 1].text, run->streams[next - 1].size, position) : NULL;
    if (found < 0)
      *why = too_much(work, pattern);
    else if (line)
      *why = g_strdup_printf("%s has '%s', which '%s' rejects", case_stream_names[next - 1], line, pattern);
    else
      *why = g_strdup_printf("nothing in %s is like '%s'", last > first ? "its output" : case_stream_names[first], pattern);
    return false;
  }
  return true;
}

/* Nothing of the guest's fault. */
static bool is_host_fault(const CaseRun *run, ResultKind *kind, char **why) {
  if (!run->outcome) {
    g_autofree char *line = run->streams[CASE_ERR].size ? quote(run->streams[CASE_ERR].text, run->streams[CASE_ERR].size, 0) : NULL;
    g_autofree char *said = line ? g_strconcat(": ", line, NULL) : g_strdup("");
    *why = g_strdup_printf("eret exec ended with status %d before there was a guest%s", run->exit_status, said);
    *kind = RESULT_ERROR;
  } else if (strcmp(run->outcome, "no-kvm") == 0) {
    *why = g_strdup(run->message ? run->message : "there is no KVM");
    *kind = RESULT_SKIPPED;
  } else if (strcmp(run->outcome, "host-error") == 0 || strcmp(run->outcome, "stopped") == 0) {
    *why = g_strdup(run->message ? run->message : run->outcome);
    *kind = RESULT_ERROR;
  } else {
    return false;
  }
  return true;
}

static bool ran_a_command(const CaseRun *run) {
  return strcmp(run->outcome, "command") == 0 || strcmp(run->outcome, "not-started") == 0;
}

static bool ended_as_expected(const SuiteCase *suite_case, const CaseRun *run, char **why) {
  bool passes = suite_case->outcome == EXPECT_PASS;

  if (!passes && strcmp(run->outcome, suite_outcome_name(suite_case->outcome)) == 0)
    return true;
  if (passes && ran_a_command(run) && run->exit_status == suite_case->exit_status)
    return true;
  const char *message = run->message;
  g_autofree char *status = message ? NULL : g_strdup_printf("the command ended with status %d", run->exit_status);
  if (!passes)
    *why = g_strdup_printf("expected %s, but: %s", suite_outcome_name(suite_case->outcome), message ? message : status);
  else if (suite_case->exit_status && ran_a_command(run))
    *why = g_strdup_printf("%s, and not %d", message ? message : status, suite_case->exit_status);
  else
    *why = g_strdup(message ? message : status);
  return false;
}

ResultKind judge_case(const SuiteCase *suite_case, const CaseRun *run, gint64 limit, char **why) {
  Work work = {.start = processor_time(), .limit = limit};
  ResultKind kind;

  *why = NULL;
  if (is_host_fault(run, &kind, why))
    return kind;
  if (!ended_as_expected(suite_case, run, why) || !check(&work, suite_case->expect, run, CASE_OUT, CASE_ERR, true, why) ||
      !check(&work, suite_case->reject, run, CASE_OUT, CASE_ERR, false, why) ||
      !check(&work, suite_case->expect_console, run, CASE_CONSOLE, CASE_CONSOLE, true, why) ||
      !check(&work, suite_case->reject_console, run, CASE_CONSOLE, CASE_CONSOLE, false, why))
    return work.spent ? RESULT_ERROR : RESULT_FAILED;
  return RESULT_PASSED;
}

void judge_subtests(CaseResult *result, GBytes *out) {
  unsigned counts[N_RESULTS] = {0};
  bool complete = true;
  gsize size;
  const char *text = g_bytes_get_data(out, &size);

  g_ptr_array_unref(result->sub);
  result->sub = ktap_parse(text ? text : "", size, &complete);
  for (unsigned i = 0; i < result->sub->len; i++)
    counts[((const SubResult *)g_ptr_array_index(result->sub, i))->kind]++;
  if (result->kind != RESULT_PASSED)
    return;
  if (counts[RESULT_FAILED])
    case_result_set(result, RESULT_FAILED, g_strdup_printf("%u of %u subtests failed", counts[RESULT_FAILED], result->sub->len));
  else if (!result->sub->len)
    case_result_set(result, RESULT_FAILED, g_strdup("there are no test results in its output"));
  else if (!complete)
    case_result_set(result, RESULT_FAILED, g_strdup("its test plan was not kept"));
  else if (counts[RESULT_SKIPPED] == result->sub->len)
    case_result_set(result, RESULT_SKIPPED, g_strdup("its subtests were skipped"));
}
