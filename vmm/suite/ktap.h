/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results in the output of a guest: KTAP version 1 (Linux, Documentation/dev-tools/ktap.rst), of KUnit and of kselftest
 * with its runner's "# " before nested lines, and TAP 12, 13 and 14 (testanything.org). The text is hostile: what is
 * made of it is bounded. Pure functions, no lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/suite/result.h"

#define KTAP_RESULTS_MAX 100000
#define KTAP_LINES_MAX   (1u << 20) /* what is behind them is not looked at */
#define KTAP_DEPTH_MAX   16
#define KTAP_NAME_MAX    1024 /* bytes, with the terminator; of a name with its parents, and of a detail */

/*
 * The leaves of the tree of results, of SubResult, in the order of the text; names "suite/sub/test". A test with tests
 * of its own is one more result only where it says something else than they do: it failed and none of them did, it ran
 * into its time limit, or its plan was not kept. Expected failures (TODO, XFAIL) are skipped ones. Lines may have the
 * kernel's timestamps, and end in CR LF. A later "KTAP version 1" or plan begins a further document, whose results are
 * added. COMPLETE: each document had a plan and kept it; no "Bail out!"; no bound was met. Numbers of tests are not
 * judged: only how many there are.
 */
GPtrArray *ktap_parse(const char *text, size_t size, bool *complete);
