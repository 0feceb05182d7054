/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loads and stores of AArch64: from an instruction to what it moves, whereto, in how many pieces. Arm ARM (DDI
 * 0487), C4.1.94 "Loads and Stores". KVM leaves those to us whose syndrome does not say what they do (ESR_EL2.ISV is
 * 0): pairs, write-back, SIMD, exclusives, atomics, DC ZVA. SVE, SME, memory tags, pointer-authenticated loads, memory
 * copies and 64-byte accesses are not decoded. Pure, no lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  A64_NOTHING, /* a prefetch */
  A64_LOAD,
  A64_STORE,
  A64_LOAD_EXCLUSIVE,
  A64_STORE_EXCLUSIVE,
  A64_ATOMIC, /* loads, computes, stores: `atomic` */
  A64_COMPARE_AND_SWAP,
  A64_ZERO /* DC ZVA */
} A64Kind;

typedef enum { A64_ADD, A64_CLR, A64_EOR, A64_SET, A64_SMAX, A64_SMIN, A64_UMAX, A64_UMIN, A64_SWP } A64Atomic;

typedef enum { A64_OFFSET, A64_PRE_INDEX, A64_POST_INDEX } A64Index;

#define A64_REGISTERS_MAX 4
#define A64_LITERAL       32 /* `base` of loads whose address is relative to the PC */

typedef struct {
  A64Kind kind;
  A64Atomic atomic;
  unsigned size; /* bytes of an element: 1, 2, 4, 8, 16 */
  /*
   * Registers: general ones (31 is zero), or SIMD and floating-point ones. Elements of structures lie in `lane` and
   * those after it.
   */
  bool vector;
  unsigned n_registers;
  uint8_t registers[A64_REGISTERS_MAX];
  unsigned status; /* the register of STXR's status, or the first of CAS's and the atomics' operands */
  bool is_signed;  /* a load extends the sign, */
  bool to_32_bits; /* to 32 bits and not to 64 */
  /* Structures of SIMD. */
  bool structure;
  bool replicate;    /* to all lanes */
  bool single;       /* one lane, `lane`; else all of them */
  unsigned lane;     /* of the single one */
  unsigned width;    /* bytes of a register that are used: 8 or 16 */
  unsigned repeats;  /* of all lanes with `selected` registers each */
  unsigned selected; /* registers among which consecutive elements alternate */
  bool unprivileged; /* as EL0 would do it: LDTR, STTR and their kin */
  /* Address. */
  unsigned base; /* a general register, 31: SP, or A64_LITERAL */
  A64Index index;
  int64_t offset;
  bool register_offset; /* the offset is that of `offset_register`: */
  unsigned offset_register;
  unsigned extend; /* its option: 2 UXTW, 3 LSL, 6 SXTW, 7 SXTX; DDI 0487, ExtendReg */
  unsigned shift;
} A64Access;

/* False: it is none of them, or one that is not decoded. */
bool a64_decode(uint32_t instruction, A64Access *access);
