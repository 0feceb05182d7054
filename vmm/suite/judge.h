/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a case ended as it was expected to. Pure: no files, no processes. The output is the guest's: any bytes, any
 * amount.
 */
#pragma once

#include <glib.h>
#include <stddef.h>

#include "vmm/suite/result.h"
#include "vmm/suite/suite.h"

/* What a case writes to. */
enum { CASE_OUT, CASE_ERR, CASE_CONSOLE, CASE_N_STREAMS };
/* "standard output", "standard error", "the kernel's console". */
extern const char *const case_stream_names[CASE_N_STREAMS];

typedef struct {
  int exit_status;               /* of eret exec */
  const char *outcome, *message; /* as its result has them; NULL: there was no result */
  struct {
    const char *text; /* what was written; NULL: nothing */
    gsize size;
  } streams[CASE_N_STREAMS];
} CaseRun;

/* An ordinary pattern takes a fraction of a second for as much as a case may write by default. */
#define JUDGE_LIMIT (10 * G_USEC_PER_SEC)

/* LIMIT: what all patterns of a case may take together, in microseconds of the processor's time; where they take more
 * the case is an error. *WHY: NULL where it passed. Free with g_free. */
ResultKind judge_case(const SuiteCase *suite_case, const CaseRun *run, gint64 limit, char **why);

/* Takes RESULT's sub-results from OUT, which has TAP or KTAP in it, and changes what it says where they say
 * something else: a case that would have passed is failed or skipped with them. */
void judge_subtests(CaseResult *result, GBytes *out);
