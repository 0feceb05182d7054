/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores of A64: what comes of any word is what the code that carries it out relies on. Sizes, registers and
 * lanes are those that there are, and no shift is wider than what it shifts.
 *
 * bounds: none: all 2^32 words
 * cbmc: --unwind 14 --unwindset memset.0:200
 * fault: vmm/arm/load-store.c s#bits(word, 4, 0) + i) % 32#bits(word, 4, 0) + i)#
 * fault: vmm/arm/load-store.c s#return opc < 3;#return true;#
 * fault: vmm/arm/load-store.c s#access->lane = lanes >> 1;#access->lane = lanes;#
 * fault: vmm/arm/load-store.c s#(n == 1 .. (rs % 2 == 0 \&\& rt % 2 == 0))#true#
 * fault: vmm/arm/load-store.c s#size \& 1 ? q : lanes >> 2#lanes >> 2#
 * fault: vmm/arm/load-store.c s#31 - (high - low)#30 - (high - low)#
 */
#include "tests/prove/prove.h"
#include "vmm/arm/load-store.c"

static bool is_power_of_two(unsigned value, unsigned most) {
  return value > 0 && value <= most && (value & (value - 1)) == 0;
}

static void prove_structure(const A64Access *access) {
  prove(access->kind == A64_LOAD || access->kind == A64_STORE);
  prove(access->vector && access->size <= 8 && (access->width == 8 || access->width == 16));
  prove(access->selected > 0 && access->repeats > 0 && access->selected * access->repeats == access->n_registers);
  prove(access->single || access->n_registers * access->width / access->size <= 64);
  prove(!access->single || access->replicate || (access->lane + 1) * access->size <= 16);
  prove(!access->replicate || access->kind == A64_LOAD);
}

static void prove_registers(const A64Access *access) {
  bool of_two_words = access->kind == A64_COMPARE_AND_SWAP;

  prove(access->n_registers > 0 && access->n_registers <= (access->structure ? A64_REGISTERS_MAX : 2));
  for (unsigned i = 0; i < access->n_registers; i++) {
    prove(access->registers[i] < 32);
    prove(!of_two_words || access->status + i < 32);
  }
  prove(access->status < 32 && access->offset_register < 32);
}

static void prove_decoding(void) {
  A64Access access;

  if (!a64_decode(any_unsigned(), &access) || access.kind == A64_NOTHING)
    return;
  prove(access.kind <= A64_ZERO && access.base <= A64_LITERAL && access.index <= A64_POST_INDEX);
  prove(access.index == A64_OFFSET || access.base < 32);
  if (access.kind == A64_ZERO)
    return;
  prove(is_power_of_two(access.size, access.vector ? 16 : 8));
  prove(access.atomic <= A64_SWP && access.extend < 8 && access.shift <= 4);
  prove(!access.is_signed || (access.size <= 4 && !access.vector));
  prove_registers(&access);
  if (access.structure)
    prove_structure(&access);
}
