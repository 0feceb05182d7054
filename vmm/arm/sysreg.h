/* SPDX-License-Identifier: Apache-2.0 */
/* Names of AArch64 system registers and system instructions, as in the Arm ARM (DDI 0487, D24, C5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A system register by its encoding: op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2. The 16 bits of MRS and MSR;
 * also KVM's ARM64_SYS_REG.
 */
#define SYSREG(op0, op1, crn, crm, op2) ((uint32_t)((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2)))

/*
 * The name of what ENCODING (SYSREG: op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2) is: "ICC_SGI1R_EL1"; of
 * system instructions (op0 1) "DC CISW", "TLBI VMALLE1". NULL where the manual has none, or the name differs by
 * direction and the one for WRITE is not there. Free with g_free.
 */
char *sysreg_name(uint32_t encoding, bool write);
/* The same, with "S3_0_C12_C11_5" for what has no name (Arm ARM C5.1.1); free with g_free. */
char *sysreg_describe(uint32_t encoding, bool write);
/* The encoding of a name, or -1. */
int sysreg_find(const char *name);
/*
 * The encoding in the ISS of an exception of class 0x18 (MSR, MRS, system instruction). D24.2.40, "ISS encoding for an
 * exception from MSR, MRS ...".
 */
uint32_t sysreg_of_iss(uint64_t esr);
