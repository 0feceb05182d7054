/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suites of tests (eret-suite(5)): key files with a section a test, of which a matrix of lists makes several cases.
 * Everything is checked before anything starts, and every mistake is reported at once, with file and line. No lock: one
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/named-files.h"

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

void suite_case_free(gpointer suite_case); /* takes NULL */

typedef enum { SUITE_ERROR_INVALID } SuiteError;
#define SUITE_ERROR (suite_error_quark())
GQuark suite_error_quark(void);

/*
 * Reads FILES, ended by NULL: of SuiteCase, in their order. DEFINES: what ${NAME} stands for, char * to char *; other
 * names are keys of the test, or the environment's. NAMED gets to know what the cases read. NULL: the error's message
 * has a line "FILE:LINE: ..." for each mistake.
 */
GPtrArray *suite_load(const char *const *files, GHashTable *defines, NamedFiles *named, GError **error);

/*
 * Those of CASES, which keep them, that are to run: whose suite/name FILTER finds (NULL: all), that have one of TAGS
 * (empty: all), that have none of SKIP_TAGS, and that are in SHARD (from 1) of SHARDS. Of what is left, every SHARDS-th
 * case is one shard's, so shards have nothing in common, and neighbours, which are alike, are spread; where there are
 * more shards than cases, some are empty. NULL: a filter or tag is no case's, or together they leave nothing for any
 * shard; the message has a line for each mistake.
 */
GPtrArray *suite_select(GPtrArray *cases, const char *filter, GPtrArray *tags, GPtrArray *skip_tags, unsigned shard, unsigned shards,
                        GError **error);
