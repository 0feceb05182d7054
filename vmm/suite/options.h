/* SPDX-License-Identifier: Apache-2.0 */
/* What `eret test` is asked to do. Every mistake is reported at once. No lock: pure data. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  GPtrArray *files; /* of char *, ended by NULL: suites, or results to merge */
  bool merge;       /* eret test merge */
  bool list, tap, github, fail_fast, keep_going, require_kvm, allow_flaky, help;
  unsigned jobs, repeat, shard, shards;
  char *filter, *junit, *json, *logs; /* NULL: not given */
  GPtrArray *tags, *skip_tags;        /* of char * */
  GHashTable *defines;                /* name -> value */
} TestOptions;

/* ARGV is what follows `eret test`. NULL: the error has a line for each mistake. */
TestOptions *test_options_parse(int argc, char **argv, GError **error);
void test_options_free(TestOptions *options); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestOptions, test_options_free)
const char *test_options_help(void);

typedef enum { TEST_OPTIONS_ERROR_INVALID } TestOptionsError;
#define TEST_OPTIONS_ERROR (test_options_error_quark())
GQuark test_options_error_quark(void);
