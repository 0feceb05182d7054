/* SPDX-License-Identifier: Apache-2.0 */
/* What `eret test` is asked to do. Every mistake is reported at once. No lock: pure data. */
#pragma once

#include "vmm/options/option.h"

/* Part INDEX of N, from 1. */
typedef struct {
  unsigned index, n;
} TestShard;

typedef struct {
  GPtrArray *files; /* of char *, ended by NULL: suites, or results to merge */
  bool merge;       /* eret test merge */
  bool list, tap, github, fail_fast, keep_going, require_kvm, allow_flaky, help;
  TestShard shard;
  unsigned jobs, repeat;
  char *filter, *junit, *json, *logs; /* NULL: not given */
  GPtrArray *tags, *skip_tags;        /* of char * */
  GHashTable *defines;                /* name -> value */
} TestOptions;

/*
 * ARGV is what follows `eret test`. NULL: the error has a line for each mistake. With --help nothing else is checked.
 */
TestOptions *test_options_parse(int argc, char **argv, GError **error);
void test_options_free(TestOptions *options); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestOptions, test_options_free)

extern const OptionSet test_option_set, test_merge_option_set;
