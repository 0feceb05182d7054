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
#include "vmm/suite/suite-case.h"

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
