/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMCCC functions and their return codes in words. Arm DEN 0028 (SMCCC: calls by owner, general queries, architecture
 * calls), DEN 0022 (PSCI), DEN 0054 (SDEI), DEN 0057 (PV time), DEN 0077 (FF-A), DEN 0098 (TRNG), DEN 0115 (PCI
 * configuration), DEN 0060 (MM), DEN 0137 (RMM); KVM's own: Linux, Documentation/virt/kvm/arm/hypercalls.rst and
 * uapi/asm/kvm.h; eret's own: docs/hypercalls.md. Constants and pure functions; no locks.
 */
#include "vmm/arm/smccc-names.h"

#include <glib.h>
#include <stdbool.h>

#include "vmm/arm/smccc.h"

/* Function identifiers: DEN 0028, 2.5. */
#define IS_FAST(function)  ((function) >> 31 & 1)
#define IS_64BIT(function) ((function) >> 30 & 1)
#define OWNER(function)    ((function) >> 24 & 0x3f)
#define RESERVED_BITS      0x00fe0000u /* 23:17 of a fast call */
#define NUMBER(function)   ((function)&0xffff)
#define BIT_64             0x40000000u
#define BIT_NO_SVE         0x00010000u /* the caller has no live SVE state: a hint, not part of the number */

/* Whose return codes x0 holds. QUERY: any number, but -1. */
typedef enum {
  CODES_NONE,
  CODES_QUERY,
  CODES_SMCCC,
  CODES_PSCI,
  CODES_AFFINITY,
  CODES_TRNG,
  CODES_SDEI,
  CODES_FFA,
  CODES_PCI,
  CODES_ERET,
  N_CODES
} Codes;

/* Which of the two numbers a function has. */
typedef enum { AS_32 = 1, AS_64 = 2, AS_BOTH = 3 } Width;

typedef struct {
  uint32_t function; /* with bit 30 clear */
  uint8_t width;     /* Width */
  uint8_t codes;     /* Codes */
  bool value;        /* what is not negative is a value, and no code */
  const char *name;
} Function;

static const Function functions[] = {
    /* Arm Architecture Calls. */
    {0x80000000, AS_32, CODES_SMCCC, true, "SMCCC VERSION"},
    {0x80000001, AS_32, CODES_SMCCC, false, "SMCCC ARCH_FEATURES"},
    {0x80000002, AS_BOTH, CODES_SMCCC, true, "SMCCC ARCH_SOC_ID"},
    {0x80000003, AS_BOTH, CODES_SMCCC, false, "SMCCC ARCH_FEATURE_AVAILABILITY"},
    {0x80000004, AS_32, CODES_NONE, true, "SMCCC ARCH_WORKAROUND_4"},
    {0x80003fff, AS_32, CODES_NONE, true, "SMCCC ARCH_WORKAROUND_3"},
    {0x80007fff, AS_32, CODES_NONE, true, "SMCCC ARCH_WORKAROUND_2"},
    {0x80008000, AS_32, CODES_NONE, true, "SMCCC ARCH_WORKAROUND_1"},
    /* General queries; those of the owners that have them. */
    {0x8200ff00, AS_32, CODES_QUERY, true, "SIP CALL_COUNT"},
    {0x8200ff01, AS_32, CODES_QUERY, true, "SIP CALL_UID"},
    {0x8200ff03, AS_32, CODES_QUERY, true, "SIP REVISION"},
    {0x8300ff00, AS_32, CODES_QUERY, true, "OEM CALL_COUNT"},
    {0x8300ff01, AS_32, CODES_QUERY, true, "OEM CALL_UID"},
    {0x8300ff03, AS_32, CODES_QUERY, true, "OEM REVISION"},
    {0x8400ff00, AS_32, CODES_QUERY, true, "STANDARD CALL_COUNT"},
    {0x8400ff01, AS_32, CODES_QUERY, true, "STANDARD CALL_UID"},
    {0x8400ff03, AS_32, CODES_QUERY, true, "STANDARD REVISION"},
    {0x8500ff00, AS_32, CODES_QUERY, true, "STANDARD_HYP CALL_COUNT"},
    {0x8500ff01, AS_32, CODES_QUERY, true, "STANDARD_HYP CALL_UID"},
    {0x8500ff03, AS_32, CODES_QUERY, true, "STANDARD_HYP REVISION"},
    {0x8600ff00, AS_32, CODES_QUERY, true, "VENDOR_HYP CALL_COUNT"},
    {0x8600ff01, AS_32, CODES_QUERY, true, "VENDOR_HYP CALL_UID"},
    {0x8600ff03, AS_32, CODES_QUERY, true, "VENDOR_HYP REVISION"},
    {0xbf00ff00, AS_32, CODES_QUERY, true, "TRUSTED_OS CALL_COUNT"},
    {0xbf00ff01, AS_32, CODES_QUERY, true, "TRUSTED_OS CALL_UID"},
    {0xbf00ff03, AS_32, CODES_QUERY, true, "TRUSTED_OS REVISION"},
    /* Power State Coordination Interface. */
    {0x84000000, AS_32, CODES_PSCI, true, "PSCI VERSION"},
    {0x84000001, AS_BOTH, CODES_PSCI, false, "PSCI CPU_SUSPEND"},
    {0x84000002, AS_32, CODES_PSCI, false, "PSCI CPU_OFF"},
    {0x84000003, AS_BOTH, CODES_PSCI, false, "PSCI CPU_ON"},
    {0x84000004, AS_BOTH, CODES_AFFINITY, false, "PSCI AFFINITY_INFO"},
    {0x84000005, AS_BOTH, CODES_PSCI, false, "PSCI MIGRATE"},
    {0x84000006, AS_32, CODES_PSCI, true, "PSCI MIGRATE_INFO_TYPE"},
    {0x84000007, AS_BOTH, CODES_PSCI, true, "PSCI MIGRATE_INFO_UP_CPU"},
    {0x84000008, AS_32, CODES_PSCI, false, "PSCI SYSTEM_OFF"},
    {0x84000009, AS_32, CODES_PSCI, false, "PSCI SYSTEM_RESET"},
    {0x8400000a, AS_32, CODES_PSCI, false, "PSCI PSCI_FEATURES"},
    {0x8400000b, AS_32, CODES_PSCI, false, "PSCI CPU_FREEZE"},
    {0x8400000c, AS_BOTH, CODES_PSCI, false, "PSCI CPU_DEFAULT_SUSPEND"},
    {0x8400000d, AS_BOTH, CODES_PSCI, true, "PSCI NODE_HW_STATE"},
    {0x8400000e, AS_BOTH, CODES_PSCI, false, "PSCI SYSTEM_SUSPEND"},
    {0x8400000f, AS_32, CODES_PSCI, false, "PSCI SET_SUSPEND_MODE"},
    {0x84000010, AS_BOTH, CODES_PSCI, true, "PSCI STAT_RESIDENCY"},
    {0x84000011, AS_BOTH, CODES_PSCI, true, "PSCI STAT_COUNT"},
    {0x84000012, AS_BOTH, CODES_PSCI, false, "PSCI SYSTEM_RESET2"},
    {0x84000013, AS_32, CODES_PSCI, true, "PSCI MEM_PROTECT"},
    {0x84000014, AS_BOTH, CODES_PSCI, false, "PSCI MEM_PROTECT_CHECK_RANGE"},
    {0x84000015, AS_BOTH, CODES_PSCI, false, "PSCI SYSTEM_OFF2"},
    {0x84000016, AS_64, CODES_PSCI, false, "PSCI CLEAN_INV_MEMREGION"},
    {0x84000017, AS_32, CODES_PSCI, true, "PSCI CLEAN_INV_MEMREGION_ATTRIBUTES"},
    /* Software Delegated Exceptions. */
    {0x84000020, AS_BOTH, CODES_SDEI, true, "SDEI VERSION"},
    {0x84000021, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_REGISTER"},
    {0x84000022, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_ENABLE"},
    {0x84000023, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_DISABLE"},
    {0x84000024, AS_BOTH, CODES_SDEI, true, "SDEI EVENT_CONTEXT"},
    {0x84000025, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_COMPLETE"},
    {0x84000026, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_COMPLETE_AND_RESUME"},
    {0x84000027, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_UNREGISTER"},
    {0x84000028, AS_BOTH, CODES_SDEI, true, "SDEI EVENT_STATUS"},
    {0x84000029, AS_BOTH, CODES_SDEI, true, "SDEI EVENT_GET_INFO"},
    {0x8400002a, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_ROUTING_SET"},
    {0x8400002b, AS_BOTH, CODES_SDEI, true, "SDEI PE_MASK"},
    {0x8400002c, AS_BOTH, CODES_SDEI, false, "SDEI PE_UNMASK"},
    {0x8400002d, AS_BOTH, CODES_SDEI, true, "SDEI INTERRUPT_BIND"},
    {0x8400002e, AS_BOTH, CODES_SDEI, false, "SDEI INTERRUPT_RELEASE"},
    {0x8400002f, AS_BOTH, CODES_SDEI, false, "SDEI EVENT_SIGNAL"},
    {0x84000030, AS_BOTH, CODES_SDEI, true, "SDEI FEATURES"},
    {0x84000031, AS_BOTH, CODES_SDEI, false, "SDEI PRIVATE_RESET"},
    {0x84000032, AS_BOTH, CODES_SDEI, false, "SDEI SHARED_RESET"},
    /* Management Mode. */
    {0x84000040, AS_32, CODES_QUERY, true, "MM VERSION"},
    {0x84000041, AS_BOTH, CODES_QUERY, true, "MM COMMUNICATE"},
    /* True random numbers. */
    {0x84000050, AS_32, CODES_TRNG, true, "TRNG VERSION"},
    {0x84000051, AS_32, CODES_TRNG, false, "TRNG FEATURES"},
    {0x84000052, AS_32, CODES_QUERY, true, "TRNG GET_UUID"},
    {0x84000053, AS_32, CODES_TRNG, false, "TRNG RND32"},
    {0x84000053, AS_64, CODES_TRNG, false, "TRNG RND64"},
    /* Firmware Framework for A-profile. */
    {0x84000060, AS_BOTH, CODES_FFA, true, "FFA ERROR"},
    {0x84000061, AS_BOTH, CODES_FFA, true, "FFA SUCCESS"},
    {0x84000062, AS_BOTH, CODES_FFA, true, "FFA INTERRUPT"},
    {0x84000063, AS_32, CODES_FFA, true, "FFA VERSION"},
    {0x84000064, AS_32, CODES_FFA, true, "FFA FEATURES"},
    {0x84000065, AS_32, CODES_FFA, true, "FFA RX_RELEASE"},
    {0x84000066, AS_BOTH, CODES_FFA, true, "FFA RXTX_MAP"},
    {0x84000067, AS_32, CODES_FFA, true, "FFA RXTX_UNMAP"},
    {0x84000068, AS_32, CODES_FFA, true, "FFA PARTITION_INFO_GET"},
    {0x84000069, AS_32, CODES_FFA, true, "FFA ID_GET"},
    {0x8400006a, AS_32, CODES_FFA, true, "FFA MSG_POLL"},
    {0x8400006b, AS_BOTH, CODES_FFA, true, "FFA MSG_WAIT"},
    {0x8400006c, AS_BOTH, CODES_FFA, true, "FFA YIELD"},
    {0x8400006d, AS_32, CODES_FFA, true, "FFA RUN"},
    {0x8400006e, AS_32, CODES_FFA, true, "FFA MSG_SEND"},
    {0x8400006f, AS_BOTH, CODES_FFA, true, "FFA MSG_SEND_DIRECT_REQ"},
    {0x84000070, AS_BOTH, CODES_FFA, true, "FFA MSG_SEND_DIRECT_RESP"},
    {0x84000071, AS_BOTH, CODES_FFA, true, "FFA MEM_DONATE"},
    {0x84000072, AS_BOTH, CODES_FFA, true, "FFA MEM_LEND"},
    {0x84000073, AS_BOTH, CODES_FFA, true, "FFA MEM_SHARE"},
    {0x84000074, AS_BOTH, CODES_FFA, true, "FFA MEM_RETRIEVE_REQ"},
    {0x84000075, AS_32, CODES_FFA, true, "FFA MEM_RETRIEVE_RESP"},
    {0x84000076, AS_32, CODES_FFA, true, "FFA MEM_RELINQUISH"},
    {0x84000077, AS_32, CODES_FFA, true, "FFA MEM_RECLAIM"},
    {0x8400007a, AS_32, CODES_FFA, true, "FFA MEM_FRAG_RX"},
    {0x8400007b, AS_32, CODES_FFA, true, "FFA MEM_FRAG_TX"},
    {0x8400007d, AS_32, CODES_FFA, true, "FFA NOTIFICATION_BITMAP_CREATE"},
    {0x8400007e, AS_32, CODES_FFA, true, "FFA NOTIFICATION_BITMAP_DESTROY"},
    {0x8400007f, AS_32, CODES_FFA, true, "FFA NOTIFICATION_BIND"},
    {0x84000080, AS_32, CODES_FFA, true, "FFA NOTIFICATION_UNBIND"},
    {0x84000081, AS_32, CODES_FFA, true, "FFA NOTIFICATION_SET"},
    {0x84000082, AS_32, CODES_FFA, true, "FFA NOTIFICATION_GET"},
    {0x84000083, AS_BOTH, CODES_FFA, true, "FFA NOTIFICATION_INFO_GET"},
    {0x84000084, AS_32, CODES_FFA, true, "FFA RX_ACQUIRE"},
    {0x84000085, AS_32, CODES_FFA, true, "FFA SPM_ID_GET"},
    {0x84000086, AS_32, CODES_FFA, true, "FFA MSG_SEND2"},
    {0x8400008b, AS_64, CODES_FFA, true, "FFA PARTITION_INFO_GET_REGS"},
    /* PCI configuration. */
    {0x84000130, AS_32, CODES_PCI, true, "PCI VERSION"},
    {0x84000131, AS_32, CODES_PCI, true, "PCI FEATURES"},
    {0x84000132, AS_32, CODES_PCI, false, "PCI READ"},
    {0x84000133, AS_32, CODES_PCI, false, "PCI WRITE"},
    {0x84000134, AS_32, CODES_PCI, false, "PCI GET_SEG_INFO"},
    /* Realm services: what a kernel asks to learn whether it runs in a realm. */
    {0x84000190, AS_64, CODES_NONE, true, "RSI VERSION"},
    /* Paravirtualized time. */
    {0x85000020, AS_64, CODES_SMCCC, false, "PV_TIME FEATURES"},
    {0x85000021, AS_64, CODES_SMCCC, true, "PV_TIME ST"},
    /* KVM. */
    {0x86000000, AS_32, CODES_SMCCC, true, "KVM FEATURES"},
    {0x86000001, AS_32, CODES_SMCCC, true, "KVM PTP"},
    {0x86000002, AS_64, CODES_SMCCC, true, "KVM HYP_MEMINFO"},
    {0x86000003, AS_64, CODES_SMCCC, false, "KVM MEM_SHARE"},
    {0x86000004, AS_64, CODES_SMCCC, false, "KVM MEM_UNSHARE"},
    {0x86000007, AS_64, CODES_SMCCC, false, "KVM MMIO_GUARD"},
    {0x86000040, AS_64, CODES_SMCCC, false, "KVM DISCOVER_IMPL_VER"},
    {0x86000041, AS_64, CODES_SMCCC, false, "KVM DISCOVER_IMPL_CPUS"},
    /* eret. */
    {ERET_FUNCTION_VERSION & ~BIT_64, AS_64, CODES_ERET, false, "eret_version"},
    {ERET_FUNCTION_WRITE & ~BIT_64, AS_64, CODES_ERET, false, "eret_write"},
    {ERET_FUNCTION_MARK & ~BIT_64, AS_64, CODES_ERET, false, "eret_mark"},
    {ERET_FUNCTION_READY & ~BIT_64, AS_64, CODES_ERET, false, "eret_ready"},
    {ERET_FUNCTION_EXIT & ~BIT_64, AS_64, CODES_ERET, false, "eret_exit"},
    {ERET_FUNCTION_TIME & ~BIT_64, AS_64, CODES_ERET, false, "eret_time"},
    {ERET_FUNCTION_NOP & ~BIT_64, AS_64, CODES_ERET, false, "eret_nop"},
    /* PSCI 0.1 had no numbers: these are KVM's (KVM_PSCI_FN_BASE), and not of SMCCC's form. */
    {0x95c1ba5e, AS_32, CODES_PSCI, false, "PSCI 0.1 CPU_SUSPEND"},
    {0x95c1ba5f, AS_32, CODES_PSCI, false, "PSCI 0.1 CPU_OFF"},
    {0x95c1ba60, AS_32, CODES_PSCI, false, "PSCI 0.1 CPU_ON"},
    {0x95c1ba61, AS_32, CODES_PSCI, false, "PSCI 0.1 MIGRATE"},
};

typedef struct {
  int8_t code;
  const char *name;
} CodeName;

/* By number; ended by a NULL name. */
#define CODES_MAX 12

static const CodeName codes[N_CODES][CODES_MAX] = {
    [CODES_QUERY] = {{-1, "NOT_SUPPORTED"}},
    [CODES_SMCCC] = {{0, "SUCCESS"}, {-1, "NOT_SUPPORTED"}, {-2, "NOT_REQUIRED"}, {-3, "INVALID_PARAMETER"}},
    [CODES_PSCI] = {{0, "SUCCESS"},
                    {-1, "NOT_SUPPORTED"},
                    {-2, "INVALID_PARAMETERS"},
                    {-3, "DENIED"},
                    {-4, "ALREADY_ON"},
                    {-5, "ON_PENDING"},
                    {-6, "INTERNAL_FAILURE"},
                    {-7, "NOT_PRESENT"},
                    {-8, "DISABLED"},
                    {-9, "INVALID_ADDRESS"}},
    [CODES_AFFINITY] = {{0, "ON"}, {1, "OFF"}, {2, "ON_PENDING"}, {-1, "NOT_SUPPORTED"}, {-2, "INVALID_PARAMETERS"}, {-8, "DISABLED"}},
    [CODES_TRNG] = {{0, "SUCCESS"}, {-1, "NOT_SUPPORTED"}, {-2, "INVALID_PARAMETERS"}, {-3, "NO_ENTROPY"}},
    [CODES_SDEI] =
        {{0, "SUCCESS"}, {-1, "NOT_SUPPORTED"}, {-2, "INVALID_PARAMETERS"}, {-3, "DENIED"}, {-5, "PENDING"}, {-10, "OUT_OF_RESOURCE"}},
    [CODES_FFA] = {{-1, "NOT_SUPPORTED"}},
    [CODES_PCI] = {{0, "SUCCESS"}, {-1, "NOT_SUPPORTED"}, {-2, "INVALID_PARAMETER"}, {-3, "NOT_IMPLEMENTED"}},
    [CODES_ERET] = {{0, "SUCCESS"},
                    {HYPERCALL_NOT_SUPPORTED, "NOT_SUPPORTED"},
                    {HYPERCALL_INVALID_PARAMETER, "INVALID_PARAMETER"},
                    {HYPERCALL_TIMED_OUT, "TIMED_OUT"},
                    {HYPERCALL_NO_PEER, "NO_PEER"}},
};

/* DEN 0028, 2.5: owners 48 and 49 are applications, 50 to 63 the Trusted OS. */
static const char *const owners[] = {
    "Arm architecture call",     "CPU service", "SiP service", "OEM service", "standard secure service", "standard hypervisor service",
    "vendor hypervisor service",
};
#define OWNER_TRUSTED_APPLICATION 48
#define OWNER_TRUSTED_OS          50

/* The functions that FF-A returns with: the name stands in x0. */
#define FFA_FIRST 0x84000060u
#define FFA_LAST  0x840000efu

static const Function *find(uint32_t function) {
  uint32_t plain = IS_FAST(function) && !(function & RESERVED_BITS) ? function & ~BIT_NO_SVE : function;
  Width width = IS_64BIT(function) ? AS_64 : AS_32;

  for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++)
    if (functions[i].function == (plain & ~BIT_64) && functions[i].width & width)
      return &functions[i];
  return NULL;
}

static const char *owner_text(unsigned owner) {
  if (owner < G_N_ELEMENTS(owners))
    return owners[owner];
  if (owner >= OWNER_TRUSTED_OS)
    return "Trusted OS call";
  return owner >= OWNER_TRUSTED_APPLICATION ? "trusted application call" : "call of a reserved owner";
}

char *smccc_describe(uint32_t function) {
  const Function *row = find(function);

  if (row)
    return g_strdup(row->name);
  if (!IS_FAST(function))
    return g_strdup_printf("yielding call 0x%08x", function);
  if (function & RESERVED_BITS)
    return g_strdup_printf("no function of SMCCC 0x%08x", function);
  if (OWNER(function) == OWNER(ERET_FUNCTION_FIRST) && function >= ERET_FUNCTION_FIRST && function <= ERET_FUNCTION_LAST)
    return g_strdup_printf("eret function 0x%02x (there is none)", function - ERET_FUNCTION_FIRST);
  return g_strdup_printf("%s 0x%04x (fast, %s)", owner_text(OWNER(function)), NUMBER(function), IS_64BIT(function) ? "64-bit" : "32-bit");
}

static const char *code_name(Codes set, int64_t code) {
  for (unsigned i = 0; i < CODES_MAX && codes[set][i].name; i++)
    if (codes[set][i].code == code)
      return codes[set][i].name;
  return NULL;
}

const char *smccc_result_name(uint32_t function, int64_t result) {
  const Function *row = find(function);
  /* Of a 32-bit call's result the upper half means nothing. */
  int64_t code = IS_64BIT(function) ? result : (int32_t)(uint64_t)result;

  /* Nobody knows what a service of others returns, but for the errors that eret itself answers. */
  if (!row)
    return code < 0 ? code_name(CODES_ERET, code) : NULL;
  if (row->codes == CODES_FFA && (uint32_t)code >= FFA_FIRST && ((uint32_t)code & ~BIT_64) <= FFA_LAST) {
    const Function *returned_with = find((uint32_t)code);
    return returned_with ? returned_with->name : NULL;
  }
  return row->value && code >= 0 ? NULL : code_name(row->codes, code);
}
