/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of PSCI: a machine of six CPUs and calls by them. */
#pragma once

#include <glib.h>

#include "vmm/hypercall/psci.h"

#define N_CPUS     6
#define RAM_BASE   UINT64_C(0x40000000)
#define RAM_SIZE   UINT64_C(0x200000000)
#define ENTRY      UINT64_C(0x40080000)
#define HIGH_ENTRY UINT64_C(0x140080000)
#define F64        HYPERCALL_FUNCTION_64BIT

/* Two clusters of two CPUs, and two CPUs that differ in Aff2 and in Aff3. */
static const uint64_t mpidrs[N_CPUS] = {0x000, 0x001, 0x100, 0x101, 0x10000, UINT64_C(0x100000000)};

static inline uint64_t mpidr(unsigned cpu) {
  return mpidrs[cpu];
}

static inline void no_write(void *opaque, const char *text, size_t size) {
}

static inline void no_mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
}

static inline void no_ready(void *opaque, int64_t monotonic_ns) {
}

static const HypercallSink sink = {no_write, no_mark, no_ready};

typedef struct {
  Hypercalls *hypercalls;
  Psci *psci;
} Fixture;

static inline void set_up(Fixture *f, gconstpointer data) {
  f->hypercalls = hypercalls_new(&sink, NULL);
  f->psci = psci_new(N_CPUS, mpidr);
  g_assert_true(psci_add(f->psci, f->hypercalls));
}

static inline void tear_down(Fixture *f, gconstpointer data) {
  hypercalls_free(f->hypercalls);
  psci_free(f->psci);
}

static inline HypercallOutcome outcome(Fixture *f, unsigned cpu, uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {function, x1, x2, x3};
  return hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_HVC, cpu, function, x);
}

/* By CPU 0; the call has to return. */
static inline int64_t call(Fixture *f, uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {function, x1, x2, x3};
  g_assert_cmpint(hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_SMC, 0, function, x), ==, HYPERCALL_RETURN);
  g_assert_true(x[1] == 0 && x[2] == 0 && x[3] == 0);
  return (int64_t)x[0];
}

static inline int64_t cpu_on(Fixture *f, unsigned cpu) {
  return call(f, PSCI_FUNCTION_CPU_ON | F64, mpidrs[cpu], ENTRY, cpu);
}

static inline int64_t affinity_info(Fixture *f, uint64_t affinity, uint64_t level) {
  return call(f, PSCI_FUNCTION_AFFINITY_INFO | F64, affinity, level, 0);
}

/* From CPU_ON to CPU_OFF, whatever its thread has come to. */
static inline bool is_on(Fixture *f, unsigned cpu) {
  return affinity_info(f, mpidrs[cpu], 0) == PSCI_AFFINITY_ON;
}

typedef struct {
  const char *path;
  void (*test)(Fixture *f, gconstpointer data);
} PsciTest;

static inline int run_psci_tests(int *argc, char ***argv, const PsciTest *tests, unsigned n_tests) {
  g_test_init(argc, argv, NULL);
  for (unsigned i = 0; i < n_tests; i++)
    g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run();
}
