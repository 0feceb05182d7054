/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exception syndromes in words. Arm Architecture Reference Manual (DDI 0487), D24.2, ESR_EL1 and ESR_EL2: exception
 * classes and the fault status codes of instruction and data aborts; the rest of the syndrome is in esr-iss.c. Pure
 * tables; no state, no locks.
 */
#include "vmm/arm/esr.h"

#include <glib.h>

typedef struct {
  const char *name, *text;
} EsrClass;

static const EsrClass classes[64] = {
    [0x00] = {"UNKNOWN", "unknown reason"},
    [0x01] = {"WFx", "WFI or WFE"},
    [0x03] = {"CP15_32", "MCR or MRC to CP15 (AArch32)"},
    [0x04] = {"CP15_64", "MCRR or MRRC to CP15 (AArch32)"},
    [0x05] = {"CP14_MR", "MCR or MRC to CP14 (AArch32)"},
    [0x06] = {"CP14_LS", "LDC or STC to CP14 (AArch32)"},
    [0x07] = {"FP_ASIMD", "SVE, SIMD or floating point, access trapped"},
    [0x08] = {"CP10_ID", "VMRS of an identification register (AArch32)"},
    [0x09] = {"PAC", "pointer authentication instruction"},
    [0x0a] = {"OTHER", "LD64B, ST64B or another trapped instruction"},
    [0x0c] = {"CP14_64", "MRRC to CP14 (AArch32)"},
    [0x0d] = {"BTI", "branch target exception"},
    [0x0e] = {"ILL", "illegal execution state"},
    [0x11] = {"SVC32", "SVC from AArch32"},
    [0x12] = {"HVC32", "HVC from AArch32"},
    [0x13] = {"SMC32", "SMC from AArch32"},
    [0x14] = {"SYSREG128", "MRRS, MSRR or 128-bit system instruction"},
    [0x15] = {"SVC64", "SVC from AArch64"},
    [0x16] = {"HVC64", "HVC from AArch64"},
    [0x17] = {"SMC64", "SMC from AArch64"},
    [0x18] = {"SYS64", "MSR, MRS or system instruction"},
    [0x19] = {"SVE", "SVE, access trapped"},
    [0x1a] = {"ERET", "ERET, ERETAA or ERETAB"},
    [0x1b] = {"TSTART", "TSTART"},
    [0x1c] = {"FPAC", "pointer authentication failure"},
    [0x1d] = {"SME", "SME, access trapped"},
    [0x1e] = {"GPC", "granule protection check"},
    [0x20] = {"IABT_LOW", "instruction abort from a lower exception level"},
    [0x21] = {"IABT_CUR", "instruction abort, same exception level"},
    [0x22] = {"PC_ALIGN", "PC alignment fault"},
    [0x24] = {"DABT_LOW", "data abort from a lower exception level"},
    [0x25] = {"DABT_CUR", "data abort, same exception level"},
    [0x26] = {"SP_ALIGN", "SP alignment fault"},
    [0x27] = {"MOPS", "memory copy and memory set instruction"},
    [0x28] = {"FP_EXC32", "floating-point exception (AArch32)"},
    [0x2c] = {"FP_EXC64", "floating-point exception (AArch64)"},
    [0x2d] = {"GCS", "guarded control stack exception"},
    [0x2f] = {"SERROR", "SError"},
    [0x30] = {"BREAKPT_LOW", "breakpoint from a lower exception level"},
    [0x31] = {"BREAKPT_CUR", "breakpoint, same exception level"},
    [0x32] = {"SOFTSTP_LOW", "software step from a lower exception level"},
    [0x33] = {"SOFTSTP_CUR", "software step, same exception level"},
    [0x34] = {"WATCHPT_LOW", "watchpoint from a lower exception level"},
    [0x35] = {"WATCHPT_CUR", "watchpoint, same exception level"},
    [0x38] = {"BKPT32", "BKPT (AArch32)"},
    [0x3a] = {"VECTOR32", "vector catch (AArch32)"},
    [0x3c] = {"BRK64", "BRK"},
    [0x3d] = {"PMU", "profiling exception"},
};

/* The fault status codes of data and instruction aborts; where there is one for each level, they follow one another. */
#define LEVELS_0_TO_3(first, text)                                                                                                         \
  [first] = text ", level 0", [(first) + 1] = text ", level 1", [(first) + 2] = text ", level 2", [(first) + 3] = text ", level 3"

static const char *const faults[64] = {
    LEVELS_0_TO_3(0x00, "address size fault"),
    LEVELS_0_TO_3(0x04, "translation fault"),
    LEVELS_0_TO_3(0x08, "access flag fault"),
    LEVELS_0_TO_3(0x0c, "permission fault"),
    [0x10] = "synchronous external abort",
    [0x11] = "synchronous tag check fault",
    [0x12] = "synchronous external abort on a table walk, level -2",
    [0x13] = "synchronous external abort on a table walk, level -1",
    LEVELS_0_TO_3(0x14, "synchronous external abort on a table walk"),
    [0x18] = "synchronous parity or ECC error",
    [0x1b] = "synchronous parity or ECC error on a table walk, level -1",
    LEVELS_0_TO_3(0x1c, "synchronous parity or ECC error on a table walk"),
    [0x21] = "alignment fault",
    [0x22] = "granule protection fault on a table walk, level -2",
    [0x23] = "granule protection fault on a table walk, level -1",
    LEVELS_0_TO_3(0x24, "granule protection fault on a table walk"),
    [0x28] = "granule protection fault",
    [0x29] = "address size fault, level -1",
    [0x2a] = "translation fault, level -2",
    [0x2b] = "translation fault, level -1",
    [0x2c] = "address size fault, level -2",
    [0x30] = "TLB conflict abort",
    [0x31] = "unsupported atomic hardware update fault",
    [0x34] = "lockdown fault",
    [0x35] = "unsupported exclusive or atomic access",
};

const char *esr_class_name(unsigned ec) {
  return ec < G_N_ELEMENTS(classes) && classes[ec].name ? classes[ec].name : "RESERVED";
}

const char *esr_class_text(unsigned ec) {
  return ec < G_N_ELEMENTS(classes) && classes[ec].text ? classes[ec].text : "reserved exception class";
}

const char *esr_fault_text(unsigned fault_status) {
  return fault_status < G_N_ELEMENTS(faults) && faults[fault_status] ? faults[fault_status] : "reserved fault status";
}

char *esr_describe(uint64_t esr) {
  unsigned ec = ESR_EC(esr);
  g_autofree char *detail = esr_iss_describe(esr);

  if (esr == ESR_NEVER_WRITTEN)
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x: not written since reset", esr);
  return g_strdup_printf("0x%08" G_GINT64_MODIFIER "x: %s (EC 0x%02x %s)%s%s", esr, esr_class_text(ec), ec, esr_class_name(ec),
                         *detail ? ": " : "", detail);
}
