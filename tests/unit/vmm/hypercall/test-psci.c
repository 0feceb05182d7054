/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI in userspace: vmm/hypercall/psci.c. Every function and every error; test-psci-threads.c has the races. */
#include "tests/unit/vmm/hypercall/psci-fixture.h"

static void bring_up(Fixture *f, unsigned cpu) {
  uint64_t entry, context;
  g_assert_cmpint(cpu_on(f, cpu), ==, PSCI_SUCCESS);
  g_assert_true(psci_wait(f->psci, cpu, &entry, &context));
}

static void test_version(Fixture *f, gconstpointer data) {
  g_assert_cmphex((uint64_t)call(f, 0x84000000, 0, 0, 0), ==, 0x10001);
  g_assert_cmpint(call(f, 0xc4000000, 0, 0, 0), ==, PSCI_NOT_SUPPORTED); /* VERSION has no 64-bit form */
}

static void test_features(Fixture *f, gconstpointer data) {
  static const uint32_t there[] = {
      0x80000000, /* SMCCC_VERSION */
      0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003, 0xc4000003, 0x84000004, 0xc4000004,
      0x84000006, 0x84000008, 0x84000009, 0x8400000a, 0x8400000e, 0xc400000e, 0x84000012, 0xc4000012,
  };
  static const uint32_t missing[] = {
      0,          1,          0x80000001, 0xc0000000, 0xc4000000, 0xc4000002, 0xc4000006, 0xc4000008,        0xc4000009,
      0xc400000a, 0x84000005, 0xc4000005, 0x84000007, 0xc4000007, 0x8400000b, 0x8400000c, 0xc400000c,        0x8400000d,
      0x8400000f, 0x84000010, 0x84000011, 0x84000013, 0x84000014, 0x84000015, 0x8400001f, ERET_FUNCTION_NOP, UINT32_MAX,
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(there); i++)
    g_assert_cmpint(call(f, PSCI_FUNCTION_FEATURES, there[i], 0, 0), ==, PSCI_SUCCESS);
  for (unsigned i = 0; i < G_N_ELEMENTS(missing); i++)
    g_assert_cmpint(call(f, PSCI_FUNCTION_FEATURES, missing[i], 0, 0), ==, PSCI_NOT_SUPPORTED);
  /* The function ID is 32 bits wide. */
  g_assert_cmpint(call(f, PSCI_FUNCTION_FEATURES, UINT64_C(0xffffffff84000003), 0, 0), ==, PSCI_SUCCESS);
}

/* SYSTEM_OFF2 came with 1.3; DEN 0022 F.b: 0 means the same as HIBERNATE_OFF, and the second argument is to be 0. */
static void test_off2(Fixture *f, gconstpointer data) {
  const uint32_t off2 = PSCI_FUNCTION_SYSTEM_OFF2, off2_64 = PSCI_FUNCTION_SYSTEM_OFF2 | F64;

  g_assert_cmpint(call(f, off2, 1, 0, 0), ==, PSCI_NOT_SUPPORTED);
  psci_set_version(f->psci, PSCI_1_3);
  g_assert_cmphex((uint64_t)call(f, PSCI_FUNCTION_VERSION, 0, 0, 0), ==, 0x10003);
  g_assert_cmpint(call(f, PSCI_FUNCTION_FEATURES, off2, 0, 0), ==, 1);
  g_assert_cmpint(call(f, PSCI_FUNCTION_FEATURES, off2_64, 0, 0), ==, 1);
  for (uint64_t type = 0; type < 2; type++) {
    g_assert_cmpint(outcome(f, 0, off2, type, 0, 0), ==, HYPERCALL_POWER_OFF);
    g_assert_cmpint(outcome(f, 0, off2_64, type | UINT64_C(1) << 32, 0, 0), ==, HYPERCALL_POWER_OFF);
    g_assert_cmpint(outcome(f, 0, off2, type, UINT64_C(1) << 32, 0), ==, HYPERCALL_POWER_OFF);
    g_assert_cmpint(call(f, off2_64, type, UINT64_C(1) << 32, 0), ==, PSCI_INVALID_PARAMETERS);
    g_assert_cmpint(call(f, off2, type, 1, 0), ==, PSCI_INVALID_PARAMETERS);
  }
  g_assert_cmpint(call(f, off2, 2, 0, 0), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(call(f, off2_64, 0x80000000, 0, 0), ==, PSCI_INVALID_PARAMETERS);
}

/* Each function that PSCI_FEATURES denies answers NOT_SUPPORTED itself. */
static void test_features_agree(Fixture *f, gconstpointer data) {
  for (uint32_t number = 0; number < 0x20; number++)
    for (unsigned wide = 0; wide < 2; wide++) {
      uint32_t function = (PSCI_FUNCTION_VERSION + number) | (wide ? F64 : 0);
      if (call(f, PSCI_FUNCTION_FEATURES, function, 0, 0) != PSCI_SUCCESS)
        g_assert_cmpint(call(f, function, 0, 0, 0), ==, PSCI_NOT_SUPPORTED);
    }
}

static void test_migrate(Fixture *f, gconstpointer data) {
  g_assert_cmpint(call(f, PSCI_FUNCTION_MIGRATE_INFO_TYPE, 0, 0, 0), ==, 2);
  g_assert_cmpint(call(f, PSCI_FUNCTION_MIGRATE, 0, 0, 0), ==, PSCI_NOT_SUPPORTED);
  g_assert_cmpint(call(f, PSCI_FUNCTION_MIGRATE | F64, 0, 0, 0), ==, PSCI_NOT_SUPPORTED);
  g_assert_cmpint(call(f, PSCI_FUNCTION_MIGRATE_INFO_UP_CPU | F64, 0, 0, 0), ==, PSCI_NOT_SUPPORTED);
}

static void test_doors(Fixture *f, gconstpointer data) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {0};

  g_assert_cmpint(hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_DOORBELL, 0, PSCI_FUNCTION_SYSTEM_OFF, x), ==, HYPERCALL_RETURN);
  g_assert_cmpint((int64_t)x[0], ==, PSCI_NOT_SUPPORTED);
  g_assert_cmpint(hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_DOORBELL, 0, PSCI_FUNCTION_CPU_OFF, x), ==, HYPERCALL_RETURN);
  g_assert_true(is_on(f, 0));
  g_assert_false(psci_add(f->psci, f->hypercalls)); /* the ranges are taken */
}

static void test_system(Fixture *f, gconstpointer data) {
  g_assert_cmpint(outcome(f, 0, PSCI_FUNCTION_SYSTEM_OFF, 0, 0, 0), ==, HYPERCALL_POWER_OFF);
  g_assert_cmpint(outcome(f, 0, PSCI_FUNCTION_SYSTEM_RESET, 0, 0, 0), ==, HYPERCALL_RESET);
  for (unsigned wide = 0; wide < 2; wide++) {
    uint32_t reset2 = PSCI_FUNCTION_SYSTEM_RESET2 | (wide ? F64 : 0);
    g_assert_cmpint(outcome(f, 0, reset2, 0, 5, 0), ==, HYPERCALL_RESET);
    g_assert_cmpint(outcome(f, 0, reset2, 0x80000000, 5, 0), ==, HYPERCALL_RESET);
    g_assert_cmpint(outcome(f, 0, reset2, 0xffffffff, 5, 0), ==, HYPERCALL_RESET);
    g_assert_cmpint(call(f, reset2, 1, 0, 0), ==, PSCI_INVALID_PARAMETERS);
    g_assert_cmpint(call(f, reset2, 0x7fffffff, 0, 0), ==, PSCI_INVALID_PARAMETERS);
    /* reset_type is 32 bits wide in both. */
    g_assert_cmpint(call(f, reset2, UINT64_C(0x8000000000000001), 0, 0), ==, PSCI_INVALID_PARAMETERS);
    g_assert_cmpint(outcome(f, 0, reset2, UINT64_C(0x100000000), 0, 0), ==, HYPERCALL_RESET);
  }
}

static void test_system_suspend(Fixture *f, gconstpointer data) {
  for (unsigned wide = 0; wide < 2; wide++) {
    uint32_t suspend = PSCI_FUNCTION_SYSTEM_SUSPEND | (wide ? F64 : 0);
    g_assert_cmpint(outcome(f, 0, suspend, ENTRY, 7, 0), ==, HYPERCALL_SUSPEND);
    g_assert_cmpint(outcome(f, 0, suspend, 0x1000, 0, 0), ==, HYPERCALL_SUSPEND); /* KVM does not look */
    g_assert_cmpint(outcome(f, 0, suspend, ENTRY + 2, 0, 0), ==, HYPERCALL_SUSPEND);
  }
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON, 1, ENTRY, 0), ==, PSCI_SUCCESS);
  g_assert_cmpint(outcome(f, 0, PSCI_FUNCTION_SYSTEM_SUSPEND, ENTRY, 7, 0), ==, HYPERCALL_SUSPEND); /* nor at other CPUs */
}

/* Answered, and then the CPU waits: whatever the power state, it is carried out as standby. */
static void assert_stands_by(Fixture *f, uint32_t function, uint64_t state, uint64_t entry, uint64_t context) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {function, state, entry, context};

  g_assert_cmpint(hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_SMC, 0, function, x), ==, HYPERCALL_STAND_BY);
  g_assert_true(x[0] == PSCI_SUCCESS && x[1] == 0 && x[2] == 0 && x[3] == 0);
  g_assert_true(is_on(f, 0));
}

static void test_suspend(Fixture *f, gconstpointer data) {
  for (unsigned wide = 0; wide < 2; wide++) {
    uint32_t suspend = PSCI_FUNCTION_CPU_SUSPEND | (wide ? F64 : 0);
    assert_stands_by(f, suspend, 0, 0, 0);
    assert_stands_by(f, suspend, 0xffff, 1, 0);
    assert_stands_by(f, suspend, 0x10000, ENTRY, 7);
    assert_stands_by(f, suspend, 0x10000, 0x1000, 7);
    assert_stands_by(f, suspend, 0x10000, ENTRY + 2, 7);
    for (unsigned bit = 17; bit < 64; bit++)
      assert_stands_by(f, suspend, UINT64_C(1) << bit, ENTRY, 0);
  }
  assert_stands_by(f, PSCI_FUNCTION_CPU_SUSPEND | F64, 0x10000, HIGH_ENTRY, 0);
}

static void test_on(Fixture *f, gconstpointer data) {
  uint64_t entry = 1, context = 1;

  g_assert_true(psci_wait(f->psci, 0, &entry, &context)); /* the boot CPU is on */
  g_assert_true(entry == 0 && context == 0);
  for (unsigned cpu = 1; cpu < N_CPUS; cpu++) {
    g_assert_false(is_on(f, cpu));
    g_assert_cmpint(affinity_info(f, mpidrs[cpu], 0), ==, PSCI_AFFINITY_OFF);
    g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON | F64, mpidrs[cpu], HIGH_ENTRY, UINT64_MAX - cpu), ==, PSCI_SUCCESS);
    /* Before its thread knows: never ON_PENDING. */
    g_assert_cmpint(affinity_info(f, mpidrs[cpu], 0), ==, PSCI_AFFINITY_ON);
    g_assert_cmpint(cpu_on(f, cpu), ==, PSCI_ALREADY_ON);
    g_assert_true(is_on(f, cpu));
    g_assert_true(psci_wait(f->psci, cpu, &entry, &context));
    g_assert_cmphex(entry, ==, HIGH_ENTRY); /* the first CPU_ON's */
    g_assert_cmphex(context, ==, UINT64_MAX - cpu);
    g_assert_true(is_on(f, cpu));
    g_assert_cmpint(affinity_info(f, mpidrs[cpu], 0), ==, PSCI_AFFINITY_ON);
    g_assert_cmpint(cpu_on(f, cpu), ==, PSCI_ALREADY_ON);
  }
  g_assert_cmpint(cpu_on(f, 0), ==, PSCI_ALREADY_ON); /* itself */
}

static void test_on_refused(Fixture *f, gconstpointer data) {
  static const uint64_t nobody[] = {2,
                                    0x102,
                                    0x200,
                                    0x10001,
                                    0x1000000,
                                    0x80000000,
                                    UINT64_C(0x200000000),
                                    UINT64_C(0x10000000001),
                                    UINT64_MAX,
                                    0xffffff,
                                    UINT64_C(1) << 63};
  static const uint64_t nowhere[] = {0, RAM_BASE - 4, RAM_BASE + RAM_SIZE, UINT64_MAX & ~UINT64_C(3), ENTRY + 1, ENTRY + 2, ENTRY + 3};

  for (unsigned i = 0; i < G_N_ELEMENTS(nobody); i++)
    g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON | F64, nobody[i], ENTRY, 0), ==, PSCI_INVALID_PARAMETERS);
  for (unsigned i = 0; i < G_N_ELEMENTS(nowhere); i++) {
    uint64_t entry, context;
    g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON | F64, mpidrs[1], nowhere[i], 0), ==, PSCI_SUCCESS); /* what is there, it will see */
    g_assert_cmpint(affinity_info(f, mpidrs[1], 0), ==, PSCI_AFFINITY_ON);
    g_assert_true(psci_wait(f->psci, 1, &entry, &context));
    g_assert_cmphex(entry, ==, nowhere[i]);
    g_assert_cmpint(outcome(f, 1, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  }
  /* Which CPU comes before where. */
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON | F64, 2, 0, 0), ==, PSCI_INVALID_PARAMETERS);
}

static void test_on_32(Fixture *f, gconstpointer data) {
  uint64_t entry, context;

  /* Upper halves do not count: neither the CPU of Aff3, nor an entry above 4 GiB, nor the context's can be named. */
  g_assert_cmpint(
      call(f, PSCI_FUNCTION_CPU_ON, UINT64_C(0xffffffff00000001), UINT64_C(0xffffffff00000000) | ENTRY, UINT64_C(0x1234567887654321)), ==,
      PSCI_SUCCESS);
  g_assert_true(psci_wait(f->psci, 1, &entry, &context));
  g_assert_cmphex(entry, ==, ENTRY);
  g_assert_cmphex(context, ==, 0x87654321);
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON, mpidrs[5], ENTRY, 0), ==, PSCI_ALREADY_ON); /* its low half names CPU 0 */
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON, 0x1000000, ENTRY, 0), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON, mpidrs[2], HIGH_ENTRY, 0), ==, PSCI_SUCCESS);
  g_assert_true(psci_wait(f->psci, 2, &entry, &context));
  g_assert_cmphex(entry, ==, ENTRY);
  g_assert_cmpint(call(f, PSCI_FUNCTION_AFFINITY_INFO, UINT64_C(0xffffffff00000100), UINT64_C(0xffffffff00000000), 0), ==,
                  PSCI_AFFINITY_ON);
}

static void test_affinity_levels(Fixture *f, gconstpointer data) {
  uint64_t entry, context;

  g_assert_cmpint(affinity_info(f, 0x000, 1), ==, PSCI_AFFINITY_ON); /* CPU 0 is in it */
  g_assert_cmpint(affinity_info(f, 0x0ff, 1), ==, PSCI_AFFINITY_ON); /* Aff0 is ignored */
  g_assert_cmpint(affinity_info(f, 0x100, 1), ==, PSCI_AFFINITY_OFF);
  g_assert_cmpint(cpu_on(f, 3), ==, PSCI_SUCCESS);
  g_assert_cmpint(affinity_info(f, 0x100, 1), ==, PSCI_AFFINITY_ON);
  g_assert_cmpint(affinity_info(f, 0x100, 2), ==, PSCI_AFFINITY_ON);
  g_assert_true(psci_wait(f->psci, 3, &entry, &context));
  g_assert_cmpint(affinity_info(f, 0x100, 1), ==, PSCI_AFFINITY_ON);
  g_assert_cmpint(affinity_info(f, 0x100, 0), ==, PSCI_AFFINITY_OFF);
  g_assert_cmpint(affinity_info(f, 0x1ffff, 2), ==, PSCI_AFFINITY_OFF);
  g_assert_cmpint(affinity_info(f, UINT64_C(0x100ffffff), 3), ==, PSCI_AFFINITY_OFF);
  g_assert_cmpint(affinity_info(f, 0xffffff, 3), ==, PSCI_AFFINITY_ON);

  g_assert_cmpint(affinity_info(f, 0, 4), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(affinity_info(f, 0, UINT32_MAX), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(affinity_info(f, 0, UINT64_C(1) << 32), ==, PSCI_INVALID_PARAMETERS);                 /* 64 bits of level ... */
  g_assert_cmpint(call(f, PSCI_FUNCTION_AFFINITY_INFO, 0, UINT64_C(1) << 32, 0), ==, PSCI_AFFINITY_ON); /* ... and 32 */
  g_assert_cmpint(affinity_info(f, 0x200, 1), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(affinity_info(f, 0x1000000, 3), ==, PSCI_INVALID_PARAMETERS);
  g_assert_cmpint(affinity_info(f, UINT64_C(1) << 40, 0), ==, PSCI_INVALID_PARAMETERS);
}

static void test_off(Fixture *f, gconstpointer data) {
  uint64_t entry, context;

  bring_up(f, 1);
  g_assert_cmpint(outcome(f, 1, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  g_assert_cmpint(affinity_info(f, mpidrs[1], 0), ==, PSCI_AFFINITY_OFF);
  /* On again before its thread has come to psci_wait. */
  g_assert_cmpint(call(f, PSCI_FUNCTION_CPU_ON | F64, mpidrs[1], HIGH_ENTRY, 11), ==, PSCI_SUCCESS);
  g_assert_true(psci_wait(f->psci, 1, &entry, &context));
  g_assert_true(entry == HIGH_ENTRY && context == 11);
  /* The boot CPU and the last one may go off. */
  g_assert_cmpint(outcome(f, 0, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  g_assert_cmpint(outcome(f, 1, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  for (unsigned cpu = 0; cpu < N_CPUS; cpu++)
    g_assert_false(is_on(f, cpu));
}

/* A vCPU that PSCI does not know of is an error of eret's own; it must not become a write out of bounds. */
static void test_internal_failure(Fixture *f, gconstpointer data) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {0};
  g_assert_cmpint(hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_HVC, N_CPUS, PSCI_FUNCTION_CPU_OFF, x), ==, HYPERCALL_RETURN);
  g_assert_cmpint((int64_t)x[0], ==, PSCI_INTERNAL_FAILURE);
}

int main(int argc, char **argv) {
  static const PsciTest tests[] = {
      {"/psci/version", test_version},
      {"/psci/features", test_features},
      {"/psci/off2", test_off2},
      {"/psci/features-agree", test_features_agree},
      {"/psci/migrate", test_migrate},
      {"/psci/doors", test_doors},
      {"/psci/system", test_system},
      {"/psci/suspend", test_suspend},
      {"/psci/system-suspend", test_system_suspend},
      {"/psci/on", test_on},
      {"/psci/on-refused", test_on_refused},
      {"/psci/on-32", test_on_32},
      {"/psci/affinity-levels", test_affinity_levels},
      {"/psci/off", test_off},
      {"/psci/internal-failure", test_internal_failure},
  };
  return run_psci_tests(&argc, &argv, tests, G_N_ELEMENTS(tests));
}
