/* SPDX-License-Identifier: Apache-2.0 */
/* One case of a suite: what runs, and what is expected of it. No lock: constants once it is made. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* How a case is expected to end. */
typedef enum {
  EXPECT_PASS, /* the command ends with the status that is expected of it */
  EXPECT_PANIC,
  EXPECT_OOPS,
  EXPECT_RESET,
  EXPECT_BOOT_TIMEOUT,
  EXPECT_TIMEOUT,
  EXPECT_OUT_OF_MEMORY,
  EXPECT_NO_DRIVER,
  EXPECT_NO_RESULT,
  EXPECT_TOO_MUCH_OUTPUT, /* on one of its streams, or the console: eret test ended it */
  N_EXPECTED
} ExpectedOutcome;

/* "pass", "panic" ...: in suites, and, but for the first and "too-much-output", in results of eret exec. */
const char *suite_outcome_name(ExpectedOutcome outcome);

#define SUITE_OUTPUT_LIMIT_DEFAULT (UINT64_C(64) << 20)
#define SUITE_OUTPUT_LIMIT_MIN     (UINT64_C(4) << 10)
#define SUITE_OUTPUT_LIMIT_MAX     (UINT64_C(1) << 30)

/* A test with one choice of each list of its matrix. Everything is owned. */
typedef struct {
  char *suite;        /* the file's name without directory and suffix */
  char *name;         /* "boot[kernel=6.12,cpus=2]": unique in the suite */
  GPtrArray *options; /* of char *: for eret exec, before "--" */
  GPtrArray *command; /* of char *; none: the guest is the user's own */
  char *stdin_file;   /* NULL: none */
  GBytes *stdin_text; /* NULL: none */
  int exit_status;    /* that the command is expected to have */
  ExpectedOutcome outcome;
  GPtrArray *expect, *reject;                 /* of char *: regular expressions on what the command writes */
  GPtrArray *expect_console, *reject_console; /* on the kernel's console */
  GPtrArray *requires;                        /* of char *: files without which the case is skipped */
  GPtrArray *tags;                            /* of char * */
  bool ktap;                                  /* the command's output has results in it, each of which is one of ours */
  unsigned timeout, boot_timeout;             /* seconds; 0: the default */
  uint64_t output_limit;                      /* bytes that it may write on each stream and the console; 0: the default */
  uint64_t memory;                            /* bytes that the machine has */
  unsigned cpus;
} SuiteCase;

/* With nothing in it but its names, both of which are taken over. */
SuiteCase *suite_case_new(char *suite, char *name);
void suite_case_free(gpointer suite_case); /* takes NULL */
/* Adds what eret exec is told of it: options, and the command behind "--". */
void suite_case_add_arguments(const SuiteCase *suite_case, GStrvBuilder *arguments);
/* "suite/name". Free with g_free. */
char *suite_case_full_name(const SuiteCase *suite_case);
