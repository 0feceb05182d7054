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

typedef struct {
  int exit_status;                 /* of eret exec */
  const char *outcome, *message;   /* as its result has them; NULL: there was no result */
  const char *out, *err, *console; /* what was written; NULL: nothing */
  size_t out_size, err_size, console_size;
} CaseRun;

/* *WHY: NULL where it passed. Free with g_free. */
ResultKind judge_case(const SuiteCase *suite_case, const CaseRun *run, char **why);

/* Takes RESULT's sub-results from OUT, which has TAP or KTAP in it, and changes what it says where they say
 * something else: a case that would have passed is failed or skipped with them. */
void judge_subtests(CaseResult *result, GBytes *out);
