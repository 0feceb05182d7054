/* SPDX-License-Identifier: Apache-2.0 */
/* Results for the tests of reports: one of each kind, and hostile ones. */
#pragma once

#include <string.h>

#include "devices/printable.h"
#include "vmm/suite/report.h"

/*
 * What no format takes as it is: markup, TAP and YAML syntax, GitHub's, an escape sequence, characters that XML has
 * not, bytes that are no UTF-8, control characters of two bytes, what turns the direction of writing, another line end.
 */
#define HOSTILE                                                                                                                            \
  "<a b=\"c\"> & ]]> # SKIP \\ % :: \x1b[2J \x01 \xff \xef\xbf\xbf \xed\xa0\x80 \xc2\x9b m \xe2\x80\xae tfel \xe2\x81\xa7 \xe2\x80\xa8 "   \
  "'x'"

static inline CaseResult *add(GPtrArray *results, const char *suite, const char *name, ResultKind kind, const char *message) {
  CaseResult *result = case_result_new(suite, name);

  result->kind = kind;
  result->message = g_strdup(message);
  g_ptr_array_add(results, result);
  return result;
}

static inline GPtrArray *new_results(void) {
  return g_ptr_array_new_with_free_func(case_result_free);
}

/* One of each kind. */
static inline GPtrArray *sample(void) {
  GPtrArray *results = new_results();
  CaseResult *result = add(results, "boot", "console", RESULT_PASSED, NULL);

  result->seconds = 9.123;
  result->vmm_seconds = 0.2;
  result->kernel_seconds = 6.1;
  result->init_seconds = 0.9;
  result->command_seconds = 1.9;
  result->started = g_strdup("2025-01-31T12:00:00.5Z");
  result->cpus = 4;
  g_ptr_array_add(result->tags, g_strdup("smoke"));
  result = add(results, "boot", "panic[kernel=6.12,cpus=2]", RESULT_FAILED, "guest panic: sysrq triggered crash");
  result->seconds = 2;
  result->exit_status = 241;
  result->outcome = g_strdup("panic");
  result->fingerprint = g_strdup("a < b < c");
  result->log = g_strdup("logs/boot-panic.log");
  result->details = g_strdup("  Call trace:\n\n a+0x1/0x2\r\n");
  add(results, "boot", "flaky", RESULT_PASSED, NULL);
  result = add(results, "boot", "flaky", RESULT_FAILED, "exit status 1");
  result->attempt = 2;
  result = add(results, "kunit", "all", RESULT_FAILED, "1 of 3 subtests failed");
  g_ptr_array_add(result->sub, sub_result_new("math/add", RESULT_PASSED, NULL));
  g_ptr_array_add(result->sub, sub_result_new("math/#div", RESULT_FAILED, "Expected 1 == 2\nbut it was"));
  g_ptr_array_add(result->sub, sub_result_new("math/mul", RESULT_SKIPPED, "no FPU"));
  add(results, "kunit", "net", RESULT_SKIPPED, "it requires /dev/net/tun, which is not there");
  add(results, "kunit", "host", RESULT_ERROR, "eret was killed by signal 9 (Killed)");
  return results;
}

static inline GPtrArray *hostile(void) {
  GPtrArray *results = new_results();

  for (unsigned kind = 0; kind < N_RESULTS; kind++) {
    CaseResult *result = add(results, "s" HOSTILE, "n" HOSTILE, (ResultKind)kind, "m\n" HOSTILE);
    result->attempt = kind + 1;
    result->outcome = g_strdup(HOSTILE);
    result->expected = g_strdup(HOSTILE);
    result->log = g_strdup("l,:" HOSTILE);
    result->details = g_strdup("\n  \n  first\n\n" HOSTILE "\n...\n---\nlast: x\n");
    result->fingerprint = g_strdup(HOSTILE);
    result->started = g_strdup(HOSTILE);
    result->seconds = 1e300;
    g_ptr_array_add(result->tags, g_strdup(HOSTILE));
    for (unsigned i = 0; i < N_RESULTS; i++)
      g_ptr_array_add(result->sub, sub_result_new(HOSTILE, (ResultKind)i, "d\n" HOSTILE));
  }
  return results;
}

/* It is what people may see. */
static inline void assert_printable(const char *report) {
  g_assert_true(g_utf8_validate(report, -1, NULL));
  for (const char *c = report; *c; c = g_utf8_next_char(c))
    g_assert_true(*c == '\n' || printable_char(g_utf8_get_char(c)));
}
