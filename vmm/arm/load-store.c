/* SPDX-License-Identifier: Apache-2.0 */
/* A table of encodings, as C4.1.94 has it; the first that fits decides. Fields have the names of their diagrams. */
#include "vmm/arm/load-store.h"

#include <stddef.h>
#include <string.h>

static uint32_t bits(uint32_t word, unsigned high, unsigned low) {
  return word >> low & (UINT32_MAX >> (31 - (high - low)));
}

static int64_t sign_extended(uint32_t value, unsigned width) {
  uint64_t sign = UINT64_C(1) << (width - 1);
  return (int64_t)((value ^ sign) - sign);
}

static void set_registers(A64Access *access, uint32_t word, unsigned n) {
  access->n_registers = n;
  access->registers[0] = (uint8_t)bits(word, 4, 0);
  if (n > 1)
    access->registers[1] = (uint8_t)bits(word, 14, 10);
}

/* SIMD structures. */

static bool finish_structure(uint32_t word, A64Access *access, unsigned total) {
  unsigned rm = bits(word, 20, 16);

  access->kind = bits(word, 22, 22) ? A64_LOAD : A64_STORE;
  access->vector = access->structure = true;
  for (unsigned i = 0; i < access->n_registers; i++)
    access->registers[i] = (uint8_t)((bits(word, 4, 0) + i) % 32);
  if (!bits(word, 23, 23))
    return rm == 0;
  access->index = A64_POST_INDEX;
  access->register_offset = rm != 31;
  access->offset_register = rm;
  access->extend = 3;
  access->offset = total;
  return true;
}

/* LD1 to LD4, ST1 to ST4 (multiple structures). */
static bool decode_multiple(uint32_t word, A64Access *access) {
  static const struct {
    uint8_t repeats, selected;
  } opcodes[16] = {[0] = {1, 4}, [2] = {4, 1}, [4] = {1, 3}, [6] = {3, 1}, [7] = {1, 1}, [8] = {1, 2}, [10] = {2, 1}};
  unsigned opcode = bits(word, 15, 12), size = bits(word, 11, 10);

  access->repeats = opcodes[opcode].repeats;
  access->selected = opcodes[opcode].selected;
  access->size = 1u << size;
  access->width = bits(word, 30, 30) ? 16 : 8;
  access->n_registers = access->repeats * access->selected;
  if (!access->repeats || (access->width == 8 && size == 3 && access->selected > 1))
    return false;
  return finish_structure(word, access, access->n_registers * access->width);
}

/* LD1 to LD4, ST1 to ST4 (single structure), LD1R to LD4R. */
static bool decode_single(uint32_t word, A64Access *access) {
  unsigned q = bits(word, 30, 30), s = bits(word, 12, 12), size = bits(word, 11, 10), opcode = bits(word, 15, 13);
  unsigned scale = opcode >> 1, lanes = q << 3 | s << 2 | size;

  access->single = true;
  access->n_registers = access->selected = ((opcode & 1) << 1 | bits(word, 21, 21)) + 1;
  access->repeats = 1;
  access->width = 16;
  switch (scale) {
  case 3:
    access->replicate = true;
    access->width = q ? 16 : 8;
    scale = size;
    if (!bits(word, 22, 22) || s)
      return false;
    break;
  case 0:
    access->lane = lanes;
    break;
  case 1:
    access->lane = lanes >> 1;
    if (size & 1)
      return false;
    break;
  default:
    if (size & 2 || (size & 1 && s))
      return false;
    scale = size & 1 ? 3 : 2;
    access->lane = size & 1 ? q : lanes >> 2;
    break;
  }
  access->size = 1u << scale;
  return finish_structure(word, access, access->n_registers * access->size);
}

/* Exclusives, ordered accesses, compare and swap. */

static bool decode_compare_and_swap(uint32_t word, A64Access *access, unsigned size, unsigned n) {
  unsigned rs = bits(word, 20, 16), rt = bits(word, 4, 0);

  access->kind = A64_COMPARE_AND_SWAP;
  access->size = size;
  access->status = rs;
  access->n_registers = n;
  access->registers[0] = (uint8_t)rt;
  access->registers[1] = (uint8_t)(rt + 1);
  return bits(word, 14, 10) == 31 && (n == 1 || (rs % 2 == 0 && rt % 2 == 0));
}

static bool decode_exclusive(uint32_t word, A64Access *access) {
  unsigned size = bits(word, 31, 30), load = bits(word, 22, 22);
  bool ordered = bits(word, 23, 23), pair = bits(word, 21, 21);

  if (ordered && pair)
    return decode_compare_and_swap(word, access, 1u << size, 1);
  if (pair && size < 2)
    return decode_compare_and_swap(word, access, 4u << size, 2);
  access->size = 1u << size;
  access->status = bits(word, 20, 16);
  set_registers(access, word, pair ? 2 : 1);
  if (ordered)
    access->kind = load ? A64_LOAD : A64_STORE;
  else
    access->kind = load ? A64_LOAD_EXCLUSIVE : A64_STORE_EXCLUSIVE;
  return true;
}

/* LDAPUR, STLUR and their kin. */
static bool decode_ordered_unscaled(uint32_t word, A64Access *access) {
  unsigned size = bits(word, 31, 30), opc = bits(word, 23, 22);

  access->kind = opc ? A64_LOAD : A64_STORE;
  access->size = 1u << size;
  access->is_signed = opc >= 2;
  access->to_32_bits = opc == 3;
  access->offset = sign_extended(bits(word, 20, 12), 9);
  set_registers(access, word, 1);
  return opc < 2 || size + opc < 5;
}

static bool decode_literal(uint32_t word, A64Access *access) {
  unsigned opc = bits(word, 31, 30);

  access->vector = bits(word, 26, 26);
  access->kind = A64_LOAD;
  access->base = A64_LITERAL;
  access->offset = sign_extended(bits(word, 23, 5), 19) * 4;
  set_registers(access, word, 1);
  if (access->vector) {
    access->size = 4u << opc;
    return opc < 3;
  }
  access->size = opc == 1 ? 8 : 4;
  access->is_signed = opc == 2;
  if (opc == 3)
    access->kind = A64_NOTHING;
  return true;
}

static bool decode_pair(uint32_t word, A64Access *access) {
  static const A64Index indices[] = {A64_OFFSET, A64_POST_INDEX, A64_OFFSET, A64_PRE_INDEX}; /* the first: no-allocate */
  unsigned opc = bits(word, 31, 30), load = bits(word, 22, 22), mode = bits(word, 24, 23);

  access->vector = bits(word, 26, 26);
  access->kind = load ? A64_LOAD : A64_STORE;
  access->index = indices[mode];
  access->is_signed = !access->vector && opc == 1;
  if (access->vector)
    access->size = 4u << opc;
  else
    access->size = opc == 2 ? 8 : 4;
  access->offset = sign_extended(bits(word, 21, 15), 7) * access->size;
  set_registers(access, word, 2);
  return opc < 3 && (!access->is_signed || (load && mode != 0)); /* STGP and reserved ones */
}

/* Single registers: what `size` and `opc` say in all their forms. */
static bool decode_size(uint32_t word, A64Access *access) {
  unsigned size = bits(word, 31, 30), opc = bits(word, 23, 22);

  access->vector = bits(word, 26, 26);
  access->kind = opc == 0 || (access->vector && opc == 2) ? A64_STORE : A64_LOAD;
  set_registers(access, word, 1);
  if (access->vector) {
    access->size = opc >= 2 ? 16 : 1u << size;
    return opc < 2 || size == 0;
  }
  access->size = 1u << size;
  access->is_signed = opc >= 2;
  access->to_32_bits = opc == 3;
  if (size == 3 && opc == 2)
    access->kind = A64_NOTHING;
  return opc != 3 || size < 2;
}

static bool decode_unscaled(uint32_t word, A64Access *access) {
  static const A64Index indices[] = {A64_OFFSET, A64_POST_INDEX, A64_OFFSET /* unprivileged */, A64_PRE_INDEX};
  unsigned mode = bits(word, 11, 10);

  access->index = indices[mode];
  access->unprivileged = mode == 2;
  access->offset = sign_extended(bits(word, 20, 12), 9);
  return decode_size(word, access) && (mode == 0 || access->kind != A64_NOTHING) && (mode != 2 || !access->vector);
}

static bool decode_unsigned_offset(uint32_t word, A64Access *access) {
  if (!decode_size(word, access))
    return false;
  access->offset = (int64_t)bits(word, 21, 10) * access->size;
  return true;
}

static bool decode_register_offset(uint32_t word, A64Access *access) {
  if (!decode_size(word, access))
    return false;
  access->register_offset = true;
  access->offset_register = bits(word, 20, 16);
  access->extend = bits(word, 15, 13);
  access->shift = bits(word, 12, 12) ? (unsigned)__builtin_ctz(access->size) : 0;
  return access->extend & 2;
}

static bool decode_atomic(uint32_t word, A64Access *access) {
  unsigned opc = bits(word, 14, 12), o3 = bits(word, 15, 15);

  access->size = 1u << bits(word, 31, 30);
  access->status = bits(word, 20, 16);
  set_registers(access, word, 1);
  if (o3 && opc == 4) { /* LDAPR */
    access->kind = A64_LOAD;
    return bits(word, 23, 22) == 2 && access->status == 31;
  }
  access->kind = A64_ATOMIC;
  access->atomic = o3 ? A64_SWP : (A64Atomic)opc;
  return !o3 || opc == 0;
}

static bool decode_zero(uint32_t word, A64Access *access) {
  access->kind = A64_ZERO;
  access->base = bits(word, 4, 0);
  return true;
}

static const struct {
  uint32_t mask, value;
  bool (*decode)(uint32_t word, A64Access *access);
} encodings[] = {
    {0xbfbf0000, 0x0c000000, decode_multiple},
    {0xbfa00000, 0x0c800000, decode_multiple},
    {0xbf9f0000, 0x0d000000, decode_single},
    {0xbf800000, 0x0d800000, decode_single},
    {0x3f000000, 0x08000000, decode_exclusive},
    {0x3f200c00, 0x19000000, decode_ordered_unscaled},
    {0x3b000000, 0x18000000, decode_literal},
    {0x3a000000, 0x28000000, decode_pair},
    {0x3b200000, 0x38000000, decode_unscaled},
    {0x3f200c00, 0x38200000, decode_atomic},
    {0x3b200c00, 0x38200800, decode_register_offset},
    {0x3b000000, 0x39000000, decode_unsigned_offset},
    {0xffffffe0, 0xd50b7420, decode_zero},
};

bool a64_decode(uint32_t instruction, A64Access *access) {
  for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
    if ((instruction & encodings[i].mask) != encodings[i].value)
      continue;
    memset(access, 0, sizeof *access);
    access->base = bits(instruction, 9, 5);
    return encodings[i].decode(instruction, access);
  }
  return false;
}
