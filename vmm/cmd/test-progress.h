/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `eret test` shows while it runs: on a terminal a line that lives (what runs, what has passed and failed, the
 * time), and for each case that ends a line that stays; in a pipe only the latter. Main thread; a timer of the default
 * main context.
 */
#pragma once

#include "vmm/suite/result.h"
#include "vmm/suite/suite.h"

typedef struct Progress Progress;

/*
 * TOTAL: how many results there will be. LINES: whether ended cases get a line of their own, on standard output; a TAP
 * stream has its own.
 */
Progress *progress_new(unsigned total, bool lines);
void progress_free(Progress *progress); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Progress, progress_free)

void progress_started(Progress *progress, const SuiteCase *suite_case, unsigned attempt);
void progress_finished(Progress *progress, const CaseResult *result);
/* Takes the line that lives away, for something else to be printed; it comes back by itself. */
void progress_clear(Progress *progress);
