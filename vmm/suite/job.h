/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt at one case: a process `eret exec`, the files that it writes, and what they say. Main thread. */
#pragma once

#include "vmm/suite/capture.h"
#include "vmm/suite/judge.h"

typedef struct {
  const SuiteCase *suite_case;
  CaseResult *result; /* filled in when the job has ended */
  GPid pid;           /* 0: does not run */
  char *directory;    /* where its files are; NULL: among the logs, to be kept */
  char *base;         /* of their names, with the directory */
  Capture streams[CASE_N_STREAMS];
  bool killed_late; /* by us: it was long after all of its time limits */
  guint watchdog;
  gpointer runner; /* of who started it */
  gint64 start;    /* microseconds, monotonic */
} Job;

Job *job_new(const SuiteCase *suite_case, unsigned attempt);
void job_free(gpointer job);
/* ERET is the program, LOGS the directory for logs or NULL. False: it was not started, and the result says why. */
bool job_start(Job *job, const char *eret, const char *logs);
/* Its process has ended with WAIT_STATUS (wait(2)): makes the result. INTERRUPTED: because the user wanted so. */
void job_finish(Job *job, int wait_status, bool interrupted);
/* Sends a signal to its processes, if it runs. */
void job_kill(const Job *job, int number);
