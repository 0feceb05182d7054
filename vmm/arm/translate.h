/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 1 of address translation, in software: where the guest's tables say that a virtual address lies, and whether
 * they allow what is to be done there. Arm ARM (DDI 0487), D8. All granules, 48 and 52 bits; direct permissions (AP,
 * UXN, PXN, their hierarchical forms, WXN, dirty state) and indirect ones (FEAT_S1PIE), overlays (FEAT_S1POE), PAN.
 *
 * The hardware has looked at permissions before an access came to us, but only at those of the place where it came to
 * nothing, and of the instruction that was there then. The tables are the guest's: a walk is bounded by the levels
 * there are. Pure, no lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The values of a field of POR_ELx. */
typedef enum { A64_READ = 1 << 0, A64_EXECUTE = 1 << 1, A64_WRITE = 1 << 2 } A64Rights;

/* SCTLR_ELx */
#define A64_SCTLR_M    (UINT64_C(1) << 0)
#define A64_SCTLR_WXN  (UINT64_C(1) << 19)
#define A64_SCTLR_EPAN (UINT64_C(1) << 57)
/* TCR2_ELx */
#define A64_TCR2_PIE   (UINT64_C(1) << 1)
#define A64_TCR2_E0POE (UINT64_C(1) << 2)
#define A64_TCR2_POE   (UINT64_C(1) << 3)

/* The registers of a regime with EL0, EL1&0 or EL2&0; or of one without. */
typedef struct {
  bool alone; /* no EL0: EL2's own, without FEAT_VHE; TCR_EL2 as a64_tcr_of_el2 has it */
  uint64_t sctlr, tcr;
  uint64_t ttbr[2];
  uint64_t tcr2;   /* 0: the CPU has none */
  uint64_t pir[2]; /* PIRE0_ELx, PIR_ELx; with TCR2_ELx.PIE */
  uint64_t por[2]; /* POR_EL0, POR_ELx; with TCR2_ELx.E0POE, POE */
} A64Stage1;

/* What is to be done, and as whom. */
typedef struct {
  unsigned rights; /* A64Rights, all of them */
  bool privileged; /* not as EL0 */
  bool pan;        /* PSTATE.PAN */
} A64Request;

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
