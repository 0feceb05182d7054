/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs cases, each as a process `eret exec` of its own, as many at a time as the machine has processors and memory for.
 * Main thread; runs the default main context.
 */
#pragma once

#include "vmm/suite/result.h"
#include "vmm/suite/suite.h"

typedef struct {
  const char *eret; /* the program */
  const char *logs; /* directory for logs, is made; NULL: logs are not kept */
  unsigned jobs;    /* cases at a time; 0: as many as the machine has processors for */
  unsigned repeat;  /* how often each case runs, at least 1 */
  bool fail_fast;   /* after the first failure nothing is started any more */
  /* CASE has been started; RESULT is there. */
  void (*started)(void *opaque, const SuiteCase *suite_case, unsigned attempt);
  void (*finished)(void *opaque, const CaseResult *result);
  void *opaque;
} RunnerOptions;

/*
 * Of CaseResult, in the order of CASES, attempt after attempt: one for each, also for those that were not run, which
 * say why. *INTERRUPTED: a signal ended it. NULL: nothing could be run at all; nothing was started.
 */
GPtrArray *runner_run(GPtrArray *cases, const RunnerOptions *options, bool *interrupted, GError **error);
