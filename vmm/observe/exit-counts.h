/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often one vCPU left for userspace, by what caused it, and how long userspace then had it. One thread counts; any
 * thread may look meanwhile.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { EXIT_BY_MMIO, EXIT_BY_HYPERCALL, EXIT_BY_SYSTEM_EVENT, EXIT_BY_SIGNAL, EXIT_BY_OTHER, EXIT_N_CAUSES } ExitCause;

/* Exits of one kind. The texts are the caller's, and outlive the counts. */
typedef struct {
  ExitCause cause;
  const char *device; /* MMIO: the device, NULL where none is; hypercall: the service; else what happened, or NULL */
  const char *reg;    /* MMIO: the register, "" where it has no name */
  bool write;         /* MMIO */
  uint64_t count;
  uint64_t ns; /* in userspace, all exits together */
} ExitSite;

typedef struct ExitCounts ExitCounts;

ExitCounts *exit_counts_new(void);
void exit_counts_free(ExitCounts *counts); /* takes NULL */

/*
 * Counts one exit that is over: KVM_RUN was entered RUN_NS before it returned, and userspace took USER_NS. SITE's own
 * numbers do not matter.
 */
void exit_counts_add(ExitCounts *counts, const ExitSite *site, uint64_t run_ns, uint64_t user_ns);

/* What there is, most frequent first. Free with g_array_unref. */
GArray *exit_counts_sites(const ExitCounts *counts);
uint64_t exit_counts_run_ns(const ExitCounts *counts);
uint64_t exit_counts_user_ns(const ExitCounts *counts);

/* "mmio", "hypercall", "system event", "signal", "other". */
const char *exit_cause_name(ExitCause cause);
/* Most frequent first; for arrays of ExitSite. */
int exit_site_compare(gconstpointer a, gconstpointer b);
