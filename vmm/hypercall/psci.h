/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI in userspace (Arm DEN 0022, Power State Coordination Interface): the state of every CPU and the calls that
 * change it. Pure: the machine starts and resets vCPUs as psci_wait says. One lock inside; any thread.
 */
#pragma once

#include "vmm/hypercall/hypercall.h"

/* PSCI_VERSION: major << 16 | minor. */
#define PSCI_1_1 0x00010001u
#define PSCI_1_3 0x00010003u

#define PSCI_N_RESULTS 4 /* x0 to x3 are written */

/*
 * Function IDs, DEN 0022, chapter 5. Those that take addresses or affinities also exist with HYPERCALL_FUNCTION_64BIT.
 */
typedef enum {
  PSCI_FUNCTION_VERSION = 0x84000000u,
  PSCI_FUNCTION_CPU_SUSPEND,
  PSCI_FUNCTION_CPU_OFF,
  PSCI_FUNCTION_CPU_ON,
  PSCI_FUNCTION_AFFINITY_INFO,
  PSCI_FUNCTION_MIGRATE,
  PSCI_FUNCTION_MIGRATE_INFO_TYPE,
  PSCI_FUNCTION_MIGRATE_INFO_UP_CPU,
  PSCI_FUNCTION_SYSTEM_OFF,
  PSCI_FUNCTION_SYSTEM_RESET,
  PSCI_FUNCTION_FEATURES,
  PSCI_FUNCTION_SYSTEM_SUSPEND = 0x8400000eu,
  PSCI_FUNCTION_SYSTEM_RESET2 = 0x84000012u,
  PSCI_FUNCTION_SYSTEM_OFF2 = 0x84000015u, /* 1.3 */
} PsciFunction;

/* Answers: DEN 0022, "Return error codes", those that are given. */
#define PSCI_SUCCESS            INT64_C(0)
#define PSCI_NOT_SUPPORTED      INT64_C(-1)
#define PSCI_INVALID_PARAMETERS INT64_C(-2)
#define PSCI_ALREADY_ON         INT64_C(-4)
#define PSCI_INTERNAL_FAILURE   INT64_C(-6)

/* AFFINITY_INFO's answers. */
typedef enum { PSCI_AFFINITY_ON = 0, PSCI_AFFINITY_OFF = 1 } PsciAffinity;

#define PSCI_TRUSTED_OS_NONE 2 /* MIGRATE_INFO_TYPE: nothing to migrate */

typedef struct Psci Psci;

/*
 * N_CPUS: at least 1; MPIDR: their affinity fields, as in the device tree, asked once for each. CPU 0 is on, every
 * other one off. One object a boot: a reboot begins with a new one.
 */
Psci *psci_new(unsigned n_cpus, uint64_t (*mpidr)(unsigned cpu));
/* What PSCI_VERSION answers, from 1.1 (at the start) to 1.3: that decides what else there is. Before any vCPU runs. */
void psci_set_version(Psci *psci, uint32_t version);
void psci_free(Psci *psci); /* takes NULL; nobody waits any more */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Psci, psci_free)

/*
 * Adds the PSCI functions (SMC32 and SMC64, HVC and SMC doors) to HYPERCALLS, which must not be called after PSCI is
 * freed.
 */
bool psci_add(Psci *psci, Hypercalls *hypercalls);

/*
 * For the thread of a CPU, before its first instruction and after each HYPERCALL_OFF: waits until the CPU is turned on
 * (true, with its entry point and context argument) or psci_stop was called (false). Returns at once for a CPU that is
 * on at the start (entry and context 0: the boot protocol's registers hold).
 */
bool psci_wait(Psci *psci, unsigned cpu, uint64_t *entry, uint64_t *context);
/* Wakes every waiting thread for good: the machine ends or resets. */
void psci_stop(Psci *psci);
