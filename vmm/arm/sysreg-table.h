/* SPDX-License-Identifier: Apache-2.0 */
/* The tables behind sysreg.h. */
#pragma once

#include <stdint.h>

/*
 * Names of encodings that follow each other, "MDCCINT_EL1, -, MDSCR_EL1"; "-" is an encoding without one. "A/B" is A to
 * MRS and B to MSR. A TLBI has no row for its variant nXS, which differs by SYSREG_NXS alone.
 */
typedef struct {
  uint16_t encoding; /* SYSREG of the first */
  const char *names;
} SysregRow;

/* Sorted by encoding. */
extern const SysregRow sysreg_table[];
extern const unsigned sysreg_table_length;

/* From a TLBI, CRn 8, to the one of the same name with "nXS" at its end, CRn 9: Arm ARM C5.5. */
#define SYSREG_NXS (1 << 7)

/* Where a family has its index, and with it how far one member is from the next. */
typedef enum {
  N_IN_CRM_OP2 = 1, /* CRm:op2 */
  N_IN_CRM = 8,
  N_IN_CRM_3_1 = 16, /* CRm[3:1] */
  N_IN_CRM_3_2 = 32, /* CRm[3:2] */
} SysregIndex;

typedef struct {
  const char *name;  /* with "<n>" for the index */
  uint16_t encoding; /* SYSREG of the first */
  uint8_t step;      /* SysregIndex */
  uint8_t first, last;
} SysregFamily;

extern const SysregFamily sysreg_families[];
extern const unsigned sysreg_families_length;
