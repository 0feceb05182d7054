/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a stopped vCPU was stuck in its own exception vectors: taking an exception, to take the same one at the place
 * where it goes. Told from registers alone, without a recording. Pure, no lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of EL1. */
typedef struct {
  uint64_t pc, pstate, elr, esr, far, vbar;
} StuckRegisters;

bool stuck_in_vectors(const StuckRegisters *registers);
/*
 * "vCPU 0 faults for ever at 0x200, ...": one line; free with g_free. HAS_MEMORY: whether there is RAM where the
 * vectors are, as far as that is known.
 */
char *stuck_describe(unsigned vcpu, const StuckRegisters *registers, bool has_memory);
