/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arm ARM (DDI 0487), D1.3.1: an exception taken to EL1 goes to one of 16 entries of 128 bytes from VBAR_EL1 on;
 * ELR_EL1 then says where it was taken. A guest whose ELR_EL1 lies in the entry in which it is took an exception in
 * that entry's own first instructions: it goes there again, and cannot have done otherwise since, as nothing else
 * writes ELR_EL1 there.
 */
#include "vmm/observe/stuck.h"

#include <glib.h>

#include "vmm/arm/esr.h"

#define X64 "0x%" G_GINT64_MODIFIER "x"

#define PSTATE_AARCH32  (1u << 4)
#define PSTATE_EL(p)    ((unsigned)(p) >> 2 & 3)
#define VECTORS_SIZE    0x800
#define VECTOR_SIZE     0x80
#define VECTOR_KINDS    4 /* synchronous, IRQ, FIQ, SError; in groups, the first two of which are for exceptions from the same level */
#define SAME_LEVEL_SIZE (2 * VECTOR_KINDS * VECTOR_SIZE)

static bool is_synchronous(uint64_t vector) {
  return vector / VECTOR_SIZE % VECTOR_KINDS == 0;
}

bool stuck_in_vectors(const StuckRegisters *registers) {
  uint64_t vbar = registers->vbar & ~(uint64_t)(VECTORS_SIZE - 1);
  uint64_t here = registers->pc - vbar, taken = registers->elr - vbar;

  if (registers->pstate & PSTATE_AARCH32 || PSTATE_EL(registers->pstate) != 1 || here >= SAME_LEVEL_SIZE || !is_synchronous(here))
    return false;
  /* Up to where it faults, and not beyond: a handler that got further is no loop. */
  return taken < SAME_LEVEL_SIZE && taken / VECTOR_SIZE == here / VECTOR_SIZE && taken >= here;
}

char *stuck_describe(unsigned vcpu, const StuckRegisters *registers, bool has_memory) {
  g_autofree char *syndrome = esr_describe(registers->esr);

  return g_strdup_printf("vCPU %u faults for ever at " X64 ", in its own exception vectors%s: %s, FAR_EL1 " X64, vcpu, registers->elr,
                         has_memory ? "" : ", where no memory is", syndrome, registers->far);
}
