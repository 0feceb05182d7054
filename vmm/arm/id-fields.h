/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of the identification registers by which a CPU says what it can do: ID_AA64PFR0/1, DFR0, ISAR0-2 and
 * MMFR0-3_EL1. Each is four bits. Arm ARM (DDI 0487): D24.2 for names and positions, D24.1.3 for how values compare.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ID_FIELD_MAX 15u /* the largest value */

/* How values of a field compare. D24.1.3, "Principles of the ID scheme for fields in ID registers". */
typedef enum {
  ID_UNSIGNED,    /* more is more; 0 is nothing */
  ID_SIGNED,      /* the same, and 0b1111 is -1: less than 0 */
  ID_PMU_VERSION, /* unsigned, but 0b1111 is a PMU of the maker's own: no PMUv3 at all */
  ID_INVERTED,    /* more is worse: what may go wrong */
  ID_STAGE2,      /* TGranX_2: 1 is none, 0 is as TGranX says: no order, but 1 is below everything */
} IdFieldKind;

typedef struct {
  const char *reg, *name; /* "ID_AA64PFR0_EL1", "SVE" */
  unsigned lsb;
  IdFieldKind kind;
} IdField;

enum { ID_FIELDS = 154 };
/* Those of a register follow one another. */
extern const IdField id_fields[ID_FIELDS];

/* The place of a field in the table, or -1; upper and lower case are the same. REG may leave out its _EL1. */
int id_field_find(const char *reg, const char *name);
/* Whether some field is of this register. */
bool id_register_known(const char *reg);
/* The register as the manual writes it. The encoding is SYSREG's, which is that of KVM_GET_ONE_REG too. */
uint32_t id_field_encoding(const IdField *field);

unsigned id_field_get(const IdField *field, uint64_t value);
uint64_t id_field_set(const IdField *field, uint64_t value, unsigned field_value);

/* Whether a CPU with A offers nothing that one with B does not. */
bool id_field_at_most(const IdField *field, unsigned a, unsigned b);
/* The most that A and B both offer. */
unsigned id_field_common(const IdField *field, unsigned a, unsigned b);

/* The name closest to WANTED among the fields of REG, or among the registers where that is NULL; or NULL. */
const char *id_field_nearest(const char *reg, const char *wanted);
