/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of cases: what became of each attempt, and what all attempts of one case say together. Pure data: no
 * processes, no files. No lock: one thread. Their reports are in report.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { RESULT_PASSED, RESULT_FAILED, RESULT_SKIPPED, RESULT_ERROR /* the host's fault, not the guest's */, N_RESULTS } ResultKind;

/* A result inside a case: from TAP or KTAP on its stdout. */
typedef struct {
  char *name; /* with its parents: "suite/sub/test" */
  ResultKind kind;
  char *detail; /* directive's reason, diagnosis; or NULL */
} SubResult;

/* One attempt at one case. Strings are the guest's in part: any bytes; each report makes them fit for its readers. */
typedef struct {
  char *suite, *name; /* of the case */
  unsigned attempt;   /* from 1; --repeat */
  ResultKind kind;
  bool no_kvm;     /* skipped: the host cannot run guests */
  char *message;   /* why not passed, one line; NULL */
  char *outcome;   /* "command", "panic", "timeout", ... as eret exec names it; NULL: not known */
  char *expected;  /* the outcome that was expected, when it is not "pass"; or NULL */
  int exit_status; /* of eret exec */
  unsigned cpus;   /* of the guest; 0: not known */
  GPtrArray *tags; /* of char * */
  char *started;   /* ISO 8601, UTC; or NULL */
  double seconds;
  double vmm_seconds, kernel_seconds, init_seconds; /* start to first instruction, to init, to the command's start; negative: not known */
  double command_seconds;                           /* the command itself; negative: not known */
  char *log;                                        /* path of the case's log, or NULL */
  char *details;                                    /* last console lines, trace; several lines; or NULL */
  char *fingerprint;                                /* "a < b < c": the same crash has the same; or NULL */
  GPtrArray *sub;                                   /* of SubResult */
} CaseResult;

/*
 * Passed at attempt 1 until told otherwise; times of the boot not known; no tags and no sub-results, but arrays for
 * them.
 */
CaseResult *case_result_new(const char *suite, const char *name);
void case_result_free(gpointer result); /* takes NULL */
/* What became of it, and why: MESSAGE is taken over, and may be NULL. */
void case_result_set(CaseResult *result, ResultKind kind, char *message);
SubResult *sub_result_new(const char *name, ResultKind kind, const char *detail);
void sub_result_free(gpointer sub); /* takes NULL */

/* The same for all attempts at a case, and for nothing else. Free with g_free. */
char *case_result_key(const CaseResult *result);

/* "passed", "failed", "skipped", "error". */
const char *result_kind_name(ResultKind kind);
/* False, and KIND untouched: there is no such name. NULL is no name. */
bool result_kind_from_name(const char *name, ResultKind *kind);

/*
 * What all attempts of one case say together. Flaky: some passed, some did not. Skipped: all were; attempts that were
 * skipped say nothing beside others that ran.
 */
typedef enum { GROUP_PASSED, GROUP_FAILED, GROUP_ERROR, GROUP_SKIPPED, GROUP_FLAKY, N_GROUP_VERDICTS } GroupVerdict;

typedef struct {
  GPtrArray *attempts; /* of CaseResult, not owned; at least one */
  unsigned count[N_RESULTS];
  GroupVerdict verdict;
  const CaseResult *shown; /* the first failed attempt, or else the first one */
} CaseGroup;

/*
 * RESULTS: of CaseResult, which must outlive what is returned. Of CaseGroup, in the order of their first attempts. Free
 * with g_ptr_array_unref.
 */
GPtrArray *results_group(GPtrArray *results);
/* Of GROUP's attempts those that ran. */
unsigned case_group_ran(const CaseGroup *group);

/* Nothing ran, and for want of KVM: what there is was skipped, if not all of it for that reason. */
bool results_lack_kvm(GPtrArray *results);

/* Any case that failed, or that the host kept from running; a flaky one too, unless ALLOW_FLAKY. */
bool results_failed(GPtrArray *results, bool allow_flaky);
