/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 1 of address translation, in software: where the guest's tables say that a virtual address lies, and whether
 * they allow what is to be done there. Arm ARM (DDI 0487), D8. All granules, 48 and 52 bits. The hardware has looked at
 * permissions before an access came to us, but only at those of the place where it came to nothing, and of the
 * instruction that was there then. The tables are the guest's: a walk is bounded by the levels there are. Pure, no
 * lock.
 */
#pragma once

#include "vmm/arm/permission.h"

/*
 * TCR_EL2 of a CPU without FEAT_VHE, whose fields lie elsewhere, as TCR_EL1 says the same: one half of the address
 * space, and no other.
 */
uint64_t a64_tcr_of_el2(uint64_t tcr_el2);

/* Reads a descriptor of 8 bytes; false: it does not lie in RAM. */
typedef bool (*A64ReadDescriptor)(void *opaque, uint64_t physical, uint64_t *value);

/* False: nothing is mapped there, or not for REQUEST. */
bool a64_translate(const A64Stage1 *stage1, uint64_t virtual, const A64Request *request, A64ReadDescriptor read, void *opaque,
                   uint64_t *physical);
