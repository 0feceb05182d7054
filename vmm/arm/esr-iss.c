/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction specific syndrome of an exception (ESR_ELx.ISS, and ISS2 above it) in words. Arm Architecture
 * Reference Manual (DDI 0487), D24.2, ESR_EL1 and ESR_EL2: one "ISS encoding for ..." a function, found by the
 * exception class. What is always the same is not said. Pure functions; no locks.
 */
#include <glib.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/sysreg.h"

/* Bits HIGH to LOW of the register. */
#define BITS(esr, high, low) ((unsigned)((esr) >> (low)) & ((2u << ((high) - (low))) - 1))
#define BIT(esr, n)          BITS(esr, n, n)

#define FSC(esr)   BITS(esr, 5, 0)
#define IMM16(esr) BITS(esr, 15, 0)

#define FSC_EXTERNAL_ABORT     0x10
#define FSC_ASYNCHRONOUS_ERROR 0x11
#define COND_ALWAYS            0xe
#define REGISTER_ZERO          31

typedef void IssDecoder(GString *out, uint64_t esr);

static void append_if(GString *out, bool condition, const char *text) {
  if (condition)
    g_string_append(out, text);
}

static void append_register(GString *out, char width, unsigned number) {
  if (number == REGISTER_ZERO)
    g_string_append_printf(out, "%czr", width);
  else
    g_string_append_printf(out, "%c%u", width, number);
}

/* Aborts. */

/*
 * How the error of an external abort leaves the state of the machine: RAS, bits 12:11. 0, recoverable, is also what
 * there is without RAS.
 */
static void append_error_state(GString *out, uint64_t esr) {
  static const char *const states[] = {NULL, NULL, ", uncontainable", ", restartable"};
  const char *state = states[BITS(esr, 12, 11)];

  if (FSC(esr) == FSC_EXTERNAL_ABORT && state)
    g_string_append(out, state);
}

static void append_abort_notes(GString *out, uint64_t esr) {
  append_if(out, BIT(esr, 7), ", on a stage 1 table walk");
  append_if(out, BIT(esr, 9), ", external abort type 1");
  append_error_state(out, esr);
  append_if(out, BIT(esr, 10), ", FAR not valid");
}

/* ISS2 of data aborts: what made a permission fault one. */
static void append_permission_notes(GString *out, uint64_t esr) {
  static const struct {
    unsigned bit;
    const char *text;
  } notes[] = {
      {37, ", dirty state"},   {38, ", overlay permissions"}, {39, ", AssuredOnly"}, {40, ", of a guarded control stack"},
      {41, ", no tag access"}, {42, ", tag not data"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(notes); i++)
    append_if(out, BIT(esr, notes[i].bit), notes[i].text);
}

static void append_transfer(GString *out, uint64_t esr) {
  unsigned bytes = 1u << BITS(esr, 23, 22);
  bool wide = BIT(esr, 15) || bytes == 8;

  g_string_append_printf(out, " of %u byte%s, register ", bytes, bytes == 1 ? "" : "s");
  append_register(out, wide ? 'x' : 'w', BITS(esr, 20, 16));
  append_if(out, BIT(esr, 21), ", sign-extended");
  append_if(out, BIT(esr, 14), ", acquire or release");
}

static void decode_data_abort(GString *out, uint64_t esr) {
  bool lower = ESR_EC(esr) == ESR_EC_DABT_LOW, valid = BIT(esr, 24);

  g_string_append(out, BIT(esr, 8) ? "cache maintenance" : BIT(esr, 6) ? "write" : "read");
  if (valid)
    append_transfer(out, esr);
  g_string_append_printf(out, ", %s", esr_fault_text(FSC(esr)));
  append_if(out, lower && !valid, ", no valid syndrome");
  append_abort_notes(out, esr);
  append_if(out, BIT(esr, 13), ", through VNCR_EL2");
  append_permission_notes(out, esr);
}

static void decode_instruction_abort(GString *out, uint64_t esr) {
  g_string_append(out, esr_fault_text(FSC(esr)));
  append_abort_notes(out, esr);
}

static void decode_serror(GString *out, uint64_t esr) {
  static const char *const states[8] = {"uncontainable", "unrecoverable", "restartable", "recoverable", NULL, NULL, "corrected", NULL};
  const char *state = states[BITS(esr, 12, 10)];

  if (BIT(esr, 24)) {
    g_string_append_printf(out, "implementation defined 0x%06x", BITS(esr, 23, 0));
    return;
  }
  if (FSC(esr) != FSC_ASYNCHRONOUS_ERROR) {
    g_string_append(out, FSC(esr) ? "reserved fault status" : "uncategorized");
    return;
  }
  g_string_append_printf(out, "asynchronous error, %s", state ? state : "reserved state");
  append_if(out, BIT(esr, 9), ", external abort type 1");
  append_if(out, BIT(esr, 13), ", taken at an error synchronization barrier");
}

/* Instructions with an immediate. */

static void decode_immediate(GString *out, uint64_t esr) {
  g_string_append_printf(out, "#%u", IMM16(esr));
}

/* People know these by their hexadecimal numbers: Linux's BUG() is 0x800. */
static void decode_breakpoint_instruction(GString *out, uint64_t esr) {
  g_string_append_printf(out, "#0x%x", IMM16(esr));
}

/* Bits 24:20: the condition of an AArch32 instruction. */
static void append_condition(GString *out, uint64_t esr) {
  static const char *const names[] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};
  unsigned condition = BITS(esr, 23, 20);

  if (BIT(esr, 24) && condition != COND_ALWAYS)
    g_string_append_printf(out, "%scondition %s", out->len ? ", " : "", names[condition]);
}

static void decode_wait(GString *out, uint64_t esr) {
  static const char *const names[] = {"WFI", "WFE", "WFIT", "WFET"};

  g_string_append(out, names[BITS(esr, 1, 0)]);
  if (BIT(esr, 2)) {
    g_string_append(out, " until ");
    append_register(out, 'x', BITS(esr, 9, 5));
  }
  append_condition(out, esr);
}

/* System registers. */

#define SYSREG_OP0(encoding) ((encoding) >> 14 & 3)
#define SYSREG_CRM(encoding) ((encoding) >> 3 & 15)

/* "TLBI VAE1, x0"; an instruction without an argument has the zero register there. */
static void append_instruction(GString *out, const char *name, unsigned rt) {
  g_string_append(out, name);
  if (rt == REGISTER_ZERO)
    return;
  g_string_append(out, ", ");
  append_register(out, 'x', rt);
}

static void decode_system_register(GString *out, uint64_t esr) {
  uint32_t encoding = sysreg_of_iss(esr);
  bool read = BIT(esr, 0);
  unsigned rt = BITS(esr, 9, 5), op0 = SYSREG_OP0(encoding);
  g_autofree char *name = sysreg_describe(encoding, !read);

  if (op0 == 1) {
    append_instruction(out, name, rt);
  } else if (op0 == 0 && !read) {
    g_string_append_printf(out, "MSR %s, #%u", name, SYSREG_CRM(encoding));
  } else if (read) {
    g_string_append(out, "MRS ");
    append_register(out, 'x', rt);
    g_string_append_printf(out, ", %s", name);
  } else {
    g_string_append_printf(out, "MSR %s, ", name);
    append_register(out, 'x', rt);
  }
}

/* The registers are a pair: Rt is even. */
static void decode_system_register_128(GString *out, uint64_t esr) {
  uint32_t encoding = sysreg_of_iss(esr);
  bool read = BIT(esr, 0);
  unsigned rt = BITS(esr, 9, 6) << 1;
  g_autofree char *name = sysreg_describe(encoding, !read);

  if (SYSREG_OP0(encoding) == 1)
    g_string_append_printf(out, "SYSP %s, x%u, x%u", name, rt, rt + 1);
  else if (read)
    g_string_append_printf(out, "MRRS x%u, x%u, %s", rt, rt + 1, name);
  else
    g_string_append_printf(out, "MSRR %s, x%u, x%u", name, rt, rt + 1);
}

/* AArch32: coprocessors. The registers are numbered as AArch64 sees them. */

static void decode_mcr(GString *out, uint64_t esr) {
  unsigned coprocessor = ESR_EC(esr) == ESR_EC_CP14_MR ? 14 : 15;

  g_string_append_printf(out, "%s p%u, %u, r%u, c%u, c%u, %u", BIT(esr, 0) ? "MRC" : "MCR", coprocessor, BITS(esr, 16, 14), BITS(esr, 9, 5),
                         BITS(esr, 13, 10), BITS(esr, 4, 1), BITS(esr, 19, 17));
  append_condition(out, esr);
}

static void decode_mcrr(GString *out, uint64_t esr) {
  unsigned coprocessor = ESR_EC(esr) == ESR_EC_CP14_64 ? 14 : 15;

  g_string_append_printf(out, "%s p%u, %u, r%u, r%u, c%u", BIT(esr, 0) ? "MRRC" : "MCRR", coprocessor, BITS(esr, 19, 16), BITS(esr, 9, 5),
                         BITS(esr, 14, 10), BITS(esr, 4, 1));
  append_condition(out, esr);
}

static void decode_ldc(GString *out, uint64_t esr) {
  bool literal = BIT(esr, 3);

  g_string_append(out, BIT(esr, 0) ? "LDC" : "STC");
  if (literal)
    g_string_append(out, " p14, c5, literal");
  else
    g_string_append_printf(out, " p14, c5, r%u", BITS(esr, 9, 5));
  g_string_append_printf(out, ", offset %c%u", BIT(esr, 4) ? '+' : '-', BITS(esr, 19, 12) * 4);
  append_condition(out, esr);
}

/* VMRS: the register is where CRn is of others. */
static void decode_vmrs(GString *out, uint64_t esr) {
  g_string_append_printf(out, "VMRS r%u, register %u", BITS(esr, 9, 5), BITS(esr, 13, 10));
  append_condition(out, esr);
}

/* Extensions. */

static void decode_64_bytes(GString *out, uint64_t esr) {
  static const char *const names[] = {"ST64BV", "ST64BV0", "LD64B or ST64B"};
  unsigned which = BITS(esr, 24, 0);

  if (which < G_N_ELEMENTS(names))
    g_string_append(out, names[which]);
  else
    g_string_append_printf(out, "instruction 0x%x", which);
}

static void decode_branch_target(GString *out, uint64_t esr) {
  g_string_append_printf(out, "BTYPE %u", BITS(esr, 1, 0));
}

static void decode_eret(GString *out, uint64_t esr) {
  static const char *const names[] = {"ERET", "ERET", "ERETAA", "ERETAB"};
  g_string_append(out, names[BITS(esr, 1, 0)]);
}

static void decode_pointer_authentication(GString *out, uint64_t esr) {
  g_string_append_printf(out, "%s key %c", BIT(esr, 1) ? "data" : "instruction", BIT(esr, 0) ? 'B' : 'A');
}

static void decode_sme(GString *out, uint64_t esr) {
  static const char *const causes[] = {"access disabled", "not an instruction of streaming mode",
                                       "an instruction of streaming mode, outside of it", "ZA is off", "access to ZT0 disabled"};
  unsigned cause = BITS(esr, 2, 0);
  g_string_append(out, cause < G_N_ELEMENTS(causes) ? causes[cause] : "reserved cause");
}

static void decode_memory_instruction(GString *out, uint64_t esr) {
  g_string_append_printf(out, "%s, option %c%s, x%u", BIT(esr, 24) ? BIT(esr, 23) ? "SETG" : "SET" : "CPY", BIT(esr, 16) ? 'A' : 'B',
                         BIT(esr, 17) ? ", wrong option" : "", BITS(esr, 14, 10));
  g_string_append_printf(out, ", x%u, x%u%s", BITS(esr, 9, 5), BITS(esr, 4, 0), BIT(esr, 18) ? ", from the epilogue" : "");
}

static void decode_floating_point(GString *out, uint64_t esr) {
  static const struct {
    unsigned bit;
    const char *name;
  } flags[] = {{0, "invalid operation"}, {1, "division by zero"}, {2, "overflow"}, {3, "underflow"}, {4, "inexact"}, {7, "input denormal"}};

  if (!BIT(esr, 23)) {
    g_string_append(out, "which one is not known");
    return;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
    if (BIT(esr, flags[i].bit))
      g_string_append_printf(out, "%s%s", out->len ? ", " : "", flags[i].name);
}

static void decode_guarded_control_stack(GString *out, uint64_t esr) {
  static const char *const types[] = {"data check", "exception lock", "GCSSTR or GCSSTTR"};
  unsigned type = BITS(esr, 23, 20);
  g_string_append(out, type < G_N_ELEMENTS(types) ? types[type] : "reserved type");
}

/* Debug. */

static void decode_step(GString *out, uint64_t esr) {
  if (BIT(esr, 24))
    append_if(out, BIT(esr, 6), "a load-exclusive was stepped");
  else
    g_string_append(out, "what was stepped is not known");
}

static void decode_watchpoint(GString *out, uint64_t esr) {
  g_string_append(out, BIT(esr, 8) ? "cache maintenance" : BIT(esr, 6) ? "write" : "read");
  if (BIT(esr, 17))
    g_string_append_printf(out, ", watchpoint %u", BITS(esr, 23, 18));
  append_if(out, BIT(esr, 16), ", perhaps not the one");
  append_if(out, BIT(esr, 15), ", FAR not precise");
  append_if(out, BIT(esr, 10), ", FAR not valid");
  append_if(out, BIT(esr, 13), ", through VNCR_EL2");
}

static void decode_profiling(GString *out, uint64_t esr) {
  append_if(out, BIT(esr, 0), "synchronous");
}

/* Classes that are not here have no syndrome: UNKNOWN, PAC, ILL, SVE, TSTART, PC_ALIGN, SP_ALIGN, BREAKPT, VECTOR32. */
static IssDecoder *const decoders[64] = {
    [0x01] = decode_wait,
    [ESR_EC_CP15_32] = decode_mcr,
    [ESR_EC_CP15_64] = decode_mcrr,
    [ESR_EC_CP14_MR] = decode_mcr,
    [0x06] = decode_ldc,
    [0x07] = append_condition,
    [0x08] = decode_vmrs,
    [0x0a] = decode_64_bytes,
    [ESR_EC_CP14_64] = decode_mcrr,
    [0x0d] = decode_branch_target,
    [0x11] = decode_immediate,
    [0x12] = decode_immediate,
    [0x13] = append_condition,
    [0x14] = decode_system_register_128,
    [0x15] = decode_immediate,
    [0x16] = decode_immediate,
    [0x17] = decode_immediate,
    [0x18] = decode_system_register,
    [0x1a] = decode_eret,
    [0x1c] = decode_pointer_authentication,
    [0x1d] = decode_sme,
    [0x20] = decode_instruction_abort,
    [0x21] = decode_instruction_abort,
    [ESR_EC_DABT_LOW] = decode_data_abort,
    [0x25] = decode_data_abort,
    [0x27] = decode_memory_instruction,
    [0x28] = decode_floating_point,
    [0x2c] = decode_floating_point,
    [0x2d] = decode_guarded_control_stack,
    [0x2f] = decode_serror,
    [0x32] = decode_step,
    [0x33] = decode_step,
    [0x34] = decode_watchpoint,
    [0x35] = decode_watchpoint,
    [0x38] = decode_breakpoint_instruction,
    [0x3c] = decode_breakpoint_instruction,
    [0x3d] = decode_profiling,
};

char *esr_iss_describe(uint64_t esr) {
  GString *out = g_string_new(NULL);

  if (decoders[ESR_EC(esr)])
    decoders[ESR_EC(esr)](out, esr);
  return g_string_free(out, FALSE);
}
