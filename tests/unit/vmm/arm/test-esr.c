/* SPDX-License-Identifier: Apache-2.0 */
/* Exception syndromes decoded: vmm/arm/esr.c and esr-iss.c. */
#include <glib.h>
#include <stdbool.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/sysreg.h"

static void test_classes(void) {
  g_assert_cmpstr(esr_class_name(0x16), ==, "HVC64");
  g_assert_cmpstr(esr_class_name(0x17), ==, "SMC64");
  g_assert_cmpstr(esr_class_name(0x18), ==, "SYS64");
  g_assert_cmpstr(esr_class_name(0x24), ==, "DABT_LOW");
  g_assert_cmpstr(esr_class_name(0x01), ==, "WFx");
  g_assert_cmpstr(esr_class_name(0x02), ==, "RESERVED");
  g_assert_cmpstr(esr_class_name(64), ==, "RESERVED");
  for (unsigned ec = 0; ec < 70; ec++) {
    g_assert_nonnull(esr_class_name(ec));
    g_assert_nonnull(esr_class_text(ec));
  }
}

static void test_faults(void) {
  g_assert_cmpstr(esr_fault_text(0x04), ==, "translation fault, level 0");
  g_assert_cmpstr(esr_fault_text(0x0f), ==, "permission fault, level 3");
  g_assert_cmpstr(esr_fault_text(0x21), ==, "alignment fault");
  for (unsigned fault = 0; fault < 70; fault++)
    g_assert_nonnull(esr_fault_text(fault));
}

/* ESR with this class, IL set, and this syndrome. */
#define ESR(ec, iss) ((uint64_t)(ec) << 26 | UINT64_C(1) << 25 | (uint64_t)(iss))

#define DABT_LOW 0x24
#define DABT_CUR 0x25
#define IABT_LOW 0x20

static void assert_iss(uint64_t esr, const char *text) {
  g_autofree char *described = esr_iss_describe(esr);
  g_assert_cmpstr(described, ==, text);
}

static const struct {
  uint64_t esr;
  const char *text;
} lines[] = {
    /* HVC #0 */
    {0x5a000000, "0x5a000000: HVC from AArch64 (EC 0x16 HVC64): #0"},
    {0x5e000007, "0x5e000007: SMC from AArch64 (EC 0x17 SMC64): #7"},
    /* STR w3 to MMIO: ISV, SAS 2, SRT 3, WnR, translation fault level 3 */
    {0x93830047,
     "0x93830047: data abort from a lower exception level (EC 0x24 DABT_LOW): write of 4 bytes, register w3, translation fault, level 3"},
    {0x93c58007,
     "0x93c58007: data abort from a lower exception level (EC 0x24 DABT_LOW): read of 8 bytes, register x5, translation fault, level 3"},
    /* STP: no valid syndrome */
    {0x92000046,
     "0x92000046: data abort from a lower exception level (EC 0x24 DABT_LOW): write, translation fault, level 2, no valid syndrome"},
    {0x86000005, "0x86000005: instruction abort, same exception level (EC 0x21 IABT_CUR): translation fault, level 1"},
    {0x00000000, "0x00000000: unknown reason (EC 0x00 UNKNOWN)"},
    {0x96000045, "0x96000045: data abort, same exception level (EC 0x25 DABT_CUR): write, translation fault, level 1"},
    {0x623a3056, "0x623a3056: MSR, MRS or system instruction (EC 0x18 SYS64): MSR ICC_SGI1R_EL1, x2"},
    {0xf2000800, "0xf2000800: BRK (EC 0x3c BRK64): #0x800"},
    {0xbe000011, "0xbe000011: SError (EC 0x2f SERROR): asynchronous error, uncontainable"},
    {0x3a000000, "0x3a000000: illegal execution state (EC 0x0e ILL)"},
    {0x8a000000, "0x8a000000: PC alignment fault (EC 0x22 PC_ALIGN)"},
    {0x9a000000, "0x9a000000: SP alignment fault (EC 0x26 SP_ALIGN)"},
    {0x08000000, "0x08000000: reserved exception class (EC 0x02 RESERVED)"},
    /* ISS2: an overlay forbade it. */
    {0x009200000f | UINT64_C(0x40) << 32, "0x409200000f: data abort from a lower exception level (EC 0x24 DABT_LOW): read, permission "
                                          "fault, level 3, no valid syndrome, overlay "
                                          "permissions"},
    /* KVM's mark for what nobody has written. */
    {0x1de7ec7edbadc0de, "0x1de7ec7edbadc0de: not written since reset"},
};

static void test_describe(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    g_autofree char *text = esr_describe(lines[i].esr);
    g_assert_cmpstr(text, ==, lines[i].text);
  }
}

/* Syndromes one by one; for each class what the manual's fields can say. */
static const struct {
  unsigned ec;
  uint32_t iss;
  const char *text;
} syndromes[] = {
    /* WFI, WFE, WFIT, WFET */
    {0x01, 0x1e00000, "WFI"},
    {0x01, 0x1e00001, "WFE"},
    {0x01, 0x1e00066, "WFIT until x3"},
    {0x01, 0x1e00067, "WFET until x3"},
    {0x01, 0x1e003e7, "WFET until xzr"},
    {0x01, 0x1000000, "WFI, condition eq"},
    {0x01, 0x0000000, "WFI"},
    /* AArch32 coprocessors */
    {0x03, 0x1e00005 | 1 << 10, "MRC p15, 0, r0, c1, c2, 0"},
    {0x03, 0x1e00000 | 3 << 17 | 2 << 14 | 9 << 10 | 7 << 5 | 12 << 1, "MCR p15, 2, r7, c9, c12, 3"},
    {0x03, 0x1100001, "MRC p15, 0, r0, c0, c0, 0, condition ne"},
    {0x05, 0x1e00001 | 1 << 10, "MRC p14, 0, r0, c1, c0, 0"},
    {0x04, 0x1e00000 | 1 << 16 | 3 << 10 | 2 << 5 | 14 << 1 | 1, "MRRC p15, 1, r2, r3, c14"},
    {0x04, 0x1e00000 | 3 << 10 | 2 << 5 | 2 << 1, "MCRR p15, 0, r2, r3, c2"},
    {0x0c, 0x1e00001 | 1 << 10, "MRRC p14, 0, r0, r1, c0"},
    {0x06, 0x1e00000 | 2 << 12 | 4 << 5 | 1 << 4 | 2 << 1 | 1, "LDC p14, c5, r4, offset +8"},
    {0x06, 0x1e00000 | 1 << 12 | 4 << 5 | 1 << 1, "STC p14, c5, r4, offset -4"},
    {0x06, 0x1e00000 | 1 << 12 | 1 << 4 | 6 << 1 | 1, "LDC p14, c5, literal, offset +4"},
    {0x08, 0x1e00001 | 7 << 10 | 2 << 5, "VMRS r2, register 7"},
    /* Floating point, SVE, SME */
    {0x07, 0x1e00000, ""},
    {0x07, 0x0000000, ""},
    {0x07, 0x1c00000, "condition gt"},
    {0x19, 0, ""},
    {0x1d, 0, "access disabled"},
    {0x1d, 1, "not an instruction of streaming mode"},
    {0x1d, 2, "an instruction of streaming mode, outside of it"},
    {0x1d, 3, "ZA is off"},
    {0x1d, 4, "access to ZT0 disabled"},
    {0x1d, 7, "reserved cause"},
    {0x2c, 0, "which one is not known"},
    {0x2c, 0x800001, "invalid operation"},
    {0x2c, 0x80009f, "invalid operation, division by zero, overflow, underflow, inexact, input denormal"},
    {0x28, 0x800010, "inexact"},
    /* Instructions by immediate or kind */
    {0x11, 0x12, "#18"},
    {0x12, 0xffff, "#65535"},
    {0x13, 0x1e00000, ""},
    {0x13, 0x1000000, "condition eq"},
    {0x15, 0, "#0"},
    {0x16, 0x7f, "#127"},
    {0x17, 1, "#1"},
    {0x38, 0xab, "#0xab"},
    {0x3c, 0x5512, "#0x5512"},
    {0x0a, 0, "ST64BV"},
    {0x0a, 1, "ST64BV0"},
    {0x0a, 2, "LD64B or ST64B"},
    {0x0a, 0x1234, "instruction 0x1234"},
    {0x0d, 2, "BTYPE 2"},
    {0x09, 0, ""},
    {0x1a, 0, "ERET"},
    {0x1a, 2, "ERETAA"},
    {0x1a, 3, "ERETAB"},
    {0x1c, 0, "instruction key A"},
    {0x1c, 1, "instruction key B"},
    {0x1c, 2, "data key A"},
    {0x1c, 3, "data key B"},
    {0x27, 0x10000 | 1 << 10 | 2 << 5 | 3, "CPY, option A, x1, x2, x3"},
    {0x27, 0x1060000 | 1 << 10 | 31 << 5 | 3, "SET, option B, wrong option, x1, x31, x3, from the epilogue"},
    {0x27, 0x1800000, "SETG, option B, x0, x0, x0"},
    {0x2d, 0, "data check"},
    {0x2d, 0x100000, "exception lock"},
    {0x2d, 0x200000, "GCSSTR or GCSSTTR"},
    {0x2d, 0xf00000, "reserved type"},
    /* 128 bits */
    {0x14, 0x300801, "MRRS x0, x1, TTBR0_EL1"},
    {0x14, 0x300880, "MSRR TTBR0_EL1, x4, x5"},
    {0x14, 0x122086, "SYSP TLBI VAE1IS, x4, x5"},
    /* Debug */
    {0x30, 0x22, ""},
    {0x31, 0x22, ""},
    {0x32, 0x22, "what was stepped is not known"},
    {0x32, 0x1000022, ""},
    {0x33, 0x1000062, "a load-exclusive was stepped"},
    {0x34, 0x22, "read"},
    {0x34, 0x62, "write"},
    {0x35, 0x162, "cache maintenance"},
    {0x35, 0x62 | 5 << 18 | 1 << 17, "write, watchpoint 5"},
    {0x35, 0x22 | 1 << 17 | 1 << 16 | 1 << 15 | 1 << 10, "read, watchpoint 0, perhaps not the one, FAR not precise, FAR not valid"},
    {0x3a, 0, ""},
    {0x3d, 0, ""},
    {0x3d, 1, "synchronous"},
    /* SError */
    {0x2f, 0, "uncategorized"},
    {0x2f, 1, "reserved fault status"},
    {0x2f, 0x1123456, "implementation defined 0x123456"},
    {0x2f, 0x0011, "asynchronous error, uncontainable"},
    {0x2f, 0x0411, "asynchronous error, unrecoverable"},
    {0x2f, 0x0811, "asynchronous error, restartable"},
    {0x2f, 0x0c11, "asynchronous error, recoverable"},
    {0x2f, 0x1011, "asynchronous error, reserved state"},
    {0x2f, 0x1811, "asynchronous error, corrected"},
    {0x2f, 0x2211, "asynchronous error, uncontainable, external abort type 1, taken at an error synchronization barrier"},
    /* Aborts with everything beside the access itself */
    {0x20, 0x0f, "permission fault, level 3"},
    {0x20, 0x84, "translation fault, level 0, on a stage 1 table walk"},
    {0x20, 0x10, "synchronous external abort"},
    {0x21, 0x210, "synchronous external abort, external abort type 1"},
    {0x21, 0x1410, "synchronous external abort, uncontainable, FAR not valid"},
    {0x21, 0x1810, "synchronous external abort, restartable"},
    {0x24, 0x80, "read, address size fault, level 0, no valid syndrome, on a stage 1 table walk"},
    {0x24, 0x141, "cache maintenance, address size fault, level 1, no valid syndrome"},
    {0x25, 0x21, "read, alignment fault"},
    {0x25, 0x51, "write, synchronous tag check fault"},
    {0x25, 0x2047, "write, translation fault, level 3, through VNCR_EL2"},
    {0x24, 0x1a38007 & ~0x8000, "read of 4 bytes, register w3, sign-extended, translation fault, level 3"},
    {0x24, 0x1638007, "read of 2 bytes, register x3, sign-extended, translation fault, level 3"},
    {0x24, 0x1804047, "write of 4 bytes, register w0, acquire or release, translation fault, level 3"},
    {0x24, 0x11fe007, "read of 1 byte, register xzr, acquire or release, translation fault, level 3, through VNCR_EL2"},
    {0x24, 0x11f0047, "write of 1 byte, register wzr, translation fault, level 3"},
    /* Nothing to say */
    {0x00, 0, ""},
    {0x0e, 0, ""},
    {0x1b, 0, ""},
    {0x22, 0, ""},
    {0x26, 0, ""},
    {0x3f, 0x1ffffff, ""},
};

static void test_syndromes(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(syndromes); i++)
    assert_iss(ESR(syndromes[i].ec, syndromes[i].iss), syndromes[i].text);
}

/* Every access that has a valid syndrome: size, register, direction, fault. */
static void test_transfers(void) {
  for (unsigned i = 0; i < 4 * 32 * 2 * 64; i++) {
    unsigned size = i & 3, reg = i >> 2 & 31, write = i >> 7 & 1, fault = i >> 8;
    bool wide = size == 3 || fault & 1;
    g_autofree char *name = reg == 31 ? g_strdup(wide ? "xzr" : "wzr") : g_strdup_printf("%c%u", wide ? 'x' : 'w', reg);
    g_autofree char *text = g_strdup_printf("%s of %u byte%s, register %s, %s", write ? "write" : "read", 1u << size, size ? "s" : "", name,
                                            esr_fault_text(fault));
    assert_iss(ESR(DABT_LOW, 1u << 24 | size << 22 | reg << 16 | (fault & 1) << 15 | write << 6 | fault), text);
  }
}

/* Every fault status is said by all aborts. */
static void test_abort_faults(void) {
  for (unsigned fault = 0; fault < 64; fault++) {
    g_autofree char *read = g_strdup_printf("read, %s", esr_fault_text(fault));
    g_autofree char *invalid = g_strdup_printf("read, %s, no valid syndrome", esr_fault_text(fault));
    assert_iss(ESR(DABT_CUR, fault), read);
    assert_iss(ESR(DABT_LOW, fault), invalid);
    assert_iss(ESR(IABT_LOW, fault), esr_fault_text(fault));
  }
}

/* Every named register and instruction, in both directions, with each general-purpose register. */
static void test_system_registers(void) {
  for (uint32_t encoding = SYSREG(1, 0, 0, 0, 0); encoding <= 0xffff; encoding++) {
    unsigned op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15, crm = encoding >> 3 & 15;
    unsigned op2 = encoding & 7, rt = encoding % 31;
    uint32_t iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1;
    g_autofree char *to_read = sysreg_name(encoding, false), *to_write = sysreg_name(encoding, true);
    g_autofree char *read = op0 == 1 ? g_strdup_printf("%s, x%u", to_read, rt) : g_strdup_printf("MRS x%u, %s", rt, to_read);
    g_autofree char *write = op0 == 1 ? g_strdup_printf("%s, x%u", to_write, rt) : g_strdup_printf("MSR %s, x%u", to_write, rt);
    if (to_read)
      assert_iss(ESR(0x18, iss | 1), read);
    if (to_write)
      assert_iss(ESR(0x18, iss), write);
  }
}

static void test_other_system_registers(void) {
  assert_iss(ESR(0x18, 0x300000 | 31 << 5), "MSR MIDR_EL1, xzr");
  assert_iss(ESR(0x18, 0x300001 | 31 << 5), "MRS xzr, MIDR_EL1");
  assert_iss(ESR(0x18, 0x300001 | 1 << 14 | 15 << 10 | 2 << 1), "MRS x0, S3_1_C15_C2_0");
  assert_iss(ESR(0x18, 0x100000 | 8 << 10 | 31 << 5 | 7 << 1), "TLBI VMALLE1");
  assert_iss(ESR(0x18, 0x100000 | 11 << 10 | 31 << 5), "S1_0_C11_C0_0");
  assert_iss(ESR(0x18, 3 << 14 | 4 << 10 | 6 << 17 | 31 << 5 | 2 << 1), "MSR DAIFSet, #2");
}

/* No syndrome that there may be, of any class, is too odd. */
static void test_any_value(void) {
  for (unsigned i = 0; i < 100000; i++) {
    uint64_t esr = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
    g_autofree char *iss = esr_iss_describe(esr), *text = esr_describe(esr);
    g_assert_nonnull(iss);
    g_assert_true(g_str_has_suffix(text, iss));
    g_assert_true(g_str_is_ascii(text));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/esr/classes", test_classes);
  g_test_add_func("/esr/faults", test_faults);
  g_test_add_func("/esr/describe", test_describe);
  g_test_add_func("/esr/syndromes", test_syndromes);
  g_test_add_func("/esr/transfers", test_transfers);
  g_test_add_func("/esr/abort-faults", test_abort_faults);
  g_test_add_func("/esr/system-registers", test_system_registers);
  g_test_add_func("/esr/other-system-registers", test_other_system_registers);
  g_test_add_func("/esr/any-value", test_any_value);
  return g_test_run();
}
