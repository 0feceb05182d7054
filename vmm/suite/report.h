/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of results: TAP 13 for `prove` and its kind, JUnit XML for CI servers, JSON for machines and for `eret test
 * merge`, annotations for GitHub, a summary for people. Texts of guests and users are made fit for each: no control
 * characters, no invalid UTF-8, nothing that a reader takes for syntax. No lock: one thread.
 */
#pragma once

#include "vmm/suite/result.h"

/* RESULTS: of CaseResult, an attempt at a case each. Everything is appended to OUT. */

/*
 * TAP version 13. A case is a point, its sub-results an indented subtest before it (which TAP 13 readers skip). An
 * error is "not ok".
 */
void report_tap(GString *out, GPtrArray *results);
/* The same in pieces, while results come: version and plan, once; then a result, with its NUMBER from 1. */
void report_tap_plan(GString *out, unsigned count);
void report_tap_case(GString *out, unsigned number, const CaseResult *result);

/*
 * JUnit, as tests/suites-schema/junit.xsd has it: a testsuite for a suite, a testcase for an attempt and for each of
 * its sub-results (classname "suite.case"). A flaky case is a property of its suite, and said in the system-out of its
 * attempts.
 */
void report_junit(GString *out, GPtrArray *results);

/* One object, with everything that a CaseResult has. SHARD of SHARDS, from 1, is told unless it is 1 of 1. */
void report_json(GString *out, GPtrArray *results, unsigned shard, unsigned shards);

/*
 * For people: counts of cases, failures with message, log and last lines, flaky cases, equal traces, the slowest cases
 * with their time in parts.
 */
void report_summary(GString *out, GPtrArray *results);

/* GitHub's workflow commands: an error for each failed case, a warning for a flaky one. */
void report_github(GString *out, GPtrArray *results);

typedef struct {
  GPtrArray *results; /* of CaseResult */
  unsigned shard, shards;
} LoadedResults;

/*
 * What report_json wrote. NULL: REPORT_ERROR_FILE (cannot be read) or REPORT_ERROR_INVALID; the message has the file's
 * name and what is wrong with it.
 */
LoadedResults *results_load_json(const char *path, GError **error);
void loaded_results_free(LoadedResults *loaded); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LoadedResults, loaded_results_free)

/* Joins FILES (ended by NULL) of report_json, such as one a shard, into an array of CaseResult: ordered by suite; in
 * a suite by the place in its file, and then by shard. WARNINGS: lines about attempts that are in two files (both
 * are kept), and about shards that are missing, or there twice; NULL: none. WHOLE: no shard is missing, and they are
 * of one run; else their verdict is not that of the whole. Errors as above. */
GPtrArray *results_merge(const char *const *files, char **warnings, bool *whole, GError **error);

typedef enum { REPORT_ERROR_FILE, REPORT_ERROR_INVALID } ReportError;
#define REPORT_ERROR (report_error_quark())
GQuark report_error_quark(void);
