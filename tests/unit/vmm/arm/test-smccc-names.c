/* SPDX-License-Identifier: Apache-2.0 */
/* Names of SMCCC functions and of their return codes: vmm/arm/smccc-names.c. */
#include <glib.h>

#include "vmm/arm/smccc-names.h"
#include "vmm/hypercall/hypercall.h"

static const struct {
  uint32_t function;
  const char *name;
} named[] = {
    {0x80000000, "SMCCC VERSION"},
    {0x80000001, "SMCCC ARCH_FEATURES"},
    {0x80000002, "SMCCC ARCH_SOC_ID"},
    {0xc0000002, "SMCCC ARCH_SOC_ID"},
    {0x80008000, "SMCCC ARCH_WORKAROUND_1"},
    {0x80007fff, "SMCCC ARCH_WORKAROUND_2"},
    {0x80003fff, "SMCCC ARCH_WORKAROUND_3"},
    {0x84000000, "PSCI VERSION"},
    {0x84000001, "PSCI CPU_SUSPEND"},
    {0xc4000001, "PSCI CPU_SUSPEND"},
    {0x84000002, "PSCI CPU_OFF"},
    {0x84000003, "PSCI CPU_ON"},
    {0xc4000003, "PSCI CPU_ON"},
    {0xc4000004, "PSCI AFFINITY_INFO"},
    {0x84000006, "PSCI MIGRATE_INFO_TYPE"},
    {0x84000008, "PSCI SYSTEM_OFF"},
    {0x84000009, "PSCI SYSTEM_RESET"},
    {0x8400000a, "PSCI PSCI_FEATURES"},
    {0xc400000e, "PSCI SYSTEM_SUSPEND"},
    {0xc4000012, "PSCI SYSTEM_RESET2"},
    {0x84000013, "PSCI MEM_PROTECT"},
    {0xc4000014, "PSCI MEM_PROTECT_CHECK_RANGE"},
    {0x84000015, "PSCI SYSTEM_OFF2"},
    {0x95c1ba60, "PSCI 0.1 CPU_ON"},
    {0xc4000020, "SDEI VERSION"},
    {0xc4000032, "SDEI SHARED_RESET"},
    {0x84000050, "TRNG VERSION"},
    {0x84000051, "TRNG FEATURES"},
    {0x84000052, "TRNG GET_UUID"},
    {0x84000053, "TRNG RND32"},
    {0xc4000053, "TRNG RND64"},
    {0x84000063, "FFA VERSION"},
    {0x84000130, "PCI VERSION"},
    {0xc5000020, "PV_TIME FEATURES"},
    {0xc5000021, "PV_TIME ST"},
    {0x86000000, "KVM FEATURES"},
    {0x86000001, "KVM PTP"},
    {0xc6000002, "KVM HYP_MEMINFO"},
    {0xc6000003, "KVM MEM_SHARE"},
    {0xc6000004, "KVM MEM_UNSHARE"},
    {0xc6000007, "KVM MMIO_GUARD"},
    {0xc6000040, "KVM DISCOVER_IMPL_VER"},
    {0x8600ff01, "VENDOR_HYP CALL_UID"},
    {0xbf00ff01, "TRUSTED_OS CALL_UID"},
    {ERET_FUNCTION_VERSION, "eret_version"},
    {ERET_FUNCTION_WRITE, "eret_write"},
    {ERET_FUNCTION_MARK, "eret_mark"},
    {ERET_FUNCTION_READY, "eret_ready"},
    {ERET_FUNCTION_EXIT, "eret_exit"},
    {ERET_FUNCTION_TIME, "eret_time"},
    {ERET_FUNCTION_NOP, "eret_nop"},
    /* SMCCC 1.3: bit 16 says that the caller has no live SVE state. */
    {0x84010002, "PSCI CPU_OFF"},
    {0xc6014500, "eret_version"},
};

static void test_names(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(named); i++) {
    g_autofree char *text = smccc_describe(named[i].function);
    g_assert_cmpstr(text, ==, named[i].name);
  }
}

static const struct {
  uint32_t function;
  const char *text;
} unnamed[] = {
    {0x80000042, "Arm architecture call 0x0042 (fast, 32-bit)"},
    {0xc0008000, "Arm architecture call 0x8000 (fast, 64-bit)"},
    {0x81000001, "CPU service 0x0001 (fast, 32-bit)"},
    {0xc2000000, "SiP service 0x0000 (fast, 64-bit)"},
    {0x83001234, "OEM service 0x1234 (fast, 32-bit)"},
    {0xc4000000, "standard secure service 0x0000 (fast, 64-bit)"},
    {0xc4000002, "standard secure service 0x0002 (fast, 64-bit)"},
    {0x85000020, "standard hypervisor service 0x0020 (fast, 32-bit)"},
    {0x86004512, "vendor hypervisor service 0x4512 (fast, 32-bit)"},
    {0xc6004600, "vendor hypervisor service 0x4600 (fast, 64-bit)"},
    {0xc6004507, "eret function 0x07 (there is none)"},
    {0xc60045ff, "eret function 0xff (there is none)"},
    {0x86004500, "vendor hypervisor service 0x4500 (fast, 32-bit)"},
    {0x87000000, "call of a reserved owner 0x0000 (fast, 32-bit)"},
    {0xf0000001, "trusted application call 0x0001 (fast, 64-bit)"},
    {0xb1000001, "trusted application call 0x0001 (fast, 32-bit)"},
    {0xb2000001, "Trusted OS call 0x0001 (fast, 32-bit)"},
    {0xbf000001, "Trusted OS call 0x0001 (fast, 32-bit)"},
    {0x84020002, "no function of SMCCC 0x84020002"},
    {0x00000000, "yielding call 0x00000000"},
    {0x04000002, "yielding call 0x04000002"},
    {0x7fffffff, "yielding call 0x7fffffff"},
    {0xffffffff, "no function of SMCCC 0xffffffff"},
};

static void test_unnamed(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(unnamed); i++) {
    g_autofree char *text = smccc_describe(unnamed[i].function);
    g_assert_cmpstr(text, ==, unnamed[i].text);
  }
}

static const struct {
  uint32_t function;
  int64_t result;
  const char *name;
} results[] = {
    {0xc4000003, 0, "SUCCESS"},
    {0xc4000003, -1, "NOT_SUPPORTED"},
    {0xc4000003, -2, "INVALID_PARAMETERS"},
    {0xc4000003, -3, "DENIED"},
    {0xc4000003, -4, "ALREADY_ON"},
    {0xc4000003, -5, "ON_PENDING"},
    {0xc4000003, -6, "INTERNAL_FAILURE"},
    {0xc4000003, -7, "NOT_PRESENT"},
    {0xc4000003, -8, "DISABLED"},
    {0xc4000003, -9, "INVALID_ADDRESS"},
    {0xc4000003, -10, NULL},
    {0xc4000003, 1, NULL},
    {0xc4000003, 0xfffffffc, NULL}, /* 64-bit: all of x0 counts */
    {0x84000003, 0xfffffffc, "ALREADY_ON"},
    {0x84000003, INT64_C(0x1200000000), "SUCCESS"},
    {0x84000000, 0x10001, NULL}, /* a version */
    {0x84000000, 0, NULL},
    {0x84000000, -1, "NOT_SUPPORTED"},
    {0xc4000004, 0, "ON"},
    {0xc4000004, 1, "OFF"},
    {0xc4000004, 2, "ON_PENDING"},
    {0xc4000004, -2, "INVALID_PARAMETERS"},
    {0x95c1ba60, -4, "ALREADY_ON"},
    {0x80000000, 0x10001, NULL},
    {0x80000001, 0, "SUCCESS"},
    {0x80000001, -1, "NOT_SUPPORTED"},
    {0x80000001, -2, "NOT_REQUIRED"},
    {0x80008000, 0, NULL}, /* returns nothing */
    {0xc4000053, 0, "SUCCESS"},
    {0xc4000053, -3, "NO_ENTROPY"},
    {0x84000052, -1, "NOT_SUPPORTED"},
    {0x84000052, -2, NULL}, /* a UUID */
    {0xc4000021, -10, "OUT_OF_RESOURCE"},
    {0xc4000021, -5, "PENDING"},
    {0xc5000021, 0x40000000, NULL},
    {0xc5000021, -1, "NOT_SUPPORTED"},
    {0x8600ff01, 0xb66fb428, NULL},
    {0x8600ff01, 0xffffffff, "NOT_SUPPORTED"},
    {0x84000063, -1, "NOT_SUPPORTED"},
    {0x84000063, 0x10001, NULL},
    {0xc4000066, 0x84000061, "FFA SUCCESS"},
    {0xc4000066, 0x84000060, "FFA ERROR"},
    {0x84000132, -2, "INVALID_PARAMETER"},
    {ERET_FUNCTION_NOP, 0, "SUCCESS"},
    {ERET_FUNCTION_WRITE, HYPERCALL_INVALID_PARAMETER, "INVALID_PARAMETER"},
    /* A service outside eret: its results are its own, eret's errors are known. */
    {0xc2000000, 0, NULL},
    {0xc2000000, 7, NULL},
    {0xc2000000, HYPERCALL_NOT_SUPPORTED, "NOT_SUPPORTED"},
    {0xc2000000, HYPERCALL_TIMED_OUT, "TIMED_OUT"},
    {0xc2000000, HYPERCALL_NO_PEER, "NO_PEER"},
    {0xc2000000, INT64_MIN, NULL},
    {0x12345678, INT64_MAX, "NOT_SUPPORTED"}, /* 32-bit */
    {0x52345678, INT64_MAX, NULL},
};

static void test_results(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(results); i++)
    g_assert_cmpstr(smccc_result_name(results[i].function, results[i].result), ==, results[i].name);
}

/* Nothing that a guest calls is too odd. */
static void test_any_number(void) {
  for (uint32_t high = 0; high < 0x10000; high++) {
    uint32_t function = high << 16 | ((high * 2654435761u) & 0xffff);
    g_autofree char *text = smccc_describe(function);
    g_assert_nonnull(text);
    smccc_result_name(function, -(int64_t)(high & 15));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/smccc-names/names", test_names);
  g_test_add_func("/smccc-names/unnamed", test_unnamed);
  g_test_add_func("/smccc-names/results", test_results);
  g_test_add_func("/smccc-names/any-number", test_any_number);
  return g_test_run();
}
