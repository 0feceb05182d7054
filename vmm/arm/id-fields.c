/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of ID register fields and what can be said of it. Arm ARM (DDI 0487), D24.2; D24.1.3 has the exceptions to
 * "unsigned, more is more". Where no exception is listed, a field is unsigned. Constants and pure functions; no locks.
 */
#include "vmm/arm/id-fields.h"

#include <glib.h>
#include <string.h>

#include "vmm/arm/sysreg.h"
#include "vmm/base/nearest.h"

#define FIELD_AS(reg, name, lsb, kind)                                                                                                     \
  { "ID_AA64" #reg "_EL1", name, lsb, kind }
#define FIELD(reg, name, lsb) FIELD_AS(reg, name, lsb, ID_UNSIGNED)

/* clang-format off */
const IdField id_fields[ID_FIELDS] = {
    FIELD(PFR0, "EL0", 0), FIELD(PFR0, "EL1", 4), FIELD(PFR0, "EL2", 8), FIELD(PFR0, "EL3", 12), FIELD_AS(PFR0, "FP", 16, ID_SIGNED),
    FIELD_AS(PFR0, "AdvSIMD", 20, ID_SIGNED), FIELD(PFR0, "GIC", 24), FIELD(PFR0, "RAS", 28), FIELD(PFR0, "SVE", 32),
    FIELD(PFR0, "SEL2", 36), FIELD(PFR0, "MPAM", 40), FIELD(PFR0, "AMU", 44), FIELD(PFR0, "DIT", 48), FIELD(PFR0, "RME", 52),
    FIELD(PFR0, "CSV2", 56), FIELD(PFR0, "CSV3", 60),

    FIELD(PFR1, "BT", 0), FIELD(PFR1, "SSBS", 4), FIELD(PFR1, "MTE", 8), FIELD(PFR1, "RAS_frac", 12),
    FIELD(PFR1, "MPAM_frac", 16), /* 23:20 is RES0 */ FIELD(PFR1, "SME", 24), FIELD(PFR1, "RNDR_trap", 28),
    FIELD(PFR1, "CSV2_frac", 32), FIELD(PFR1, "NMI", 36), FIELD_AS(PFR1, "MTE_frac", 40, ID_SIGNED), FIELD(PFR1, "GCS", 44),
    FIELD(PFR1, "THE", 48), FIELD(PFR1, "MTEX", 52), FIELD(PFR1, "DF2", 56), FIELD(PFR1, "PFAR", 60),

    FIELD(DFR0, "DebugVer", 0), FIELD(DFR0, "TraceVer", 4), FIELD_AS(DFR0, "PMUVer", 8, ID_PMU_VERSION), FIELD(DFR0, "BRPs", 12),
    FIELD(DFR0, "PMSS", 16), FIELD(DFR0, "WRPs", 20), FIELD(DFR0, "SEBEP", 24), FIELD(DFR0, "CTX_CMPs", 28),
    FIELD(DFR0, "PMSVer", 32), FIELD_AS(DFR0, "DoubleLock", 36, ID_SIGNED), FIELD(DFR0, "TraceFilt", 40),
    FIELD(DFR0, "TraceBuffer", 44), FIELD_AS(DFR0, "MTPMU", 48, ID_SIGNED), FIELD(DFR0, "BRBE", 52), FIELD(DFR0, "ExtTrcBuff", 56),
    FIELD(DFR0, "HPMN0", 60),

    FIELD(ISAR0, "AES", 4), FIELD(ISAR0, "SHA1", 8), FIELD(ISAR0, "SHA2", 12), FIELD(ISAR0, "CRC32", 16), FIELD(ISAR0, "Atomic", 20),
    FIELD(ISAR0, "TME", 24), FIELD(ISAR0, "RDM", 28), FIELD(ISAR0, "SHA3", 32), FIELD(ISAR0, "SM3", 36), FIELD(ISAR0, "SM4", 40),
    FIELD(ISAR0, "DP", 44), FIELD(ISAR0, "FHM", 48), FIELD(ISAR0, "TS", 52), FIELD(ISAR0, "TLB", 56), FIELD(ISAR0, "RNDR", 60),

    FIELD(ISAR1, "DPB", 0), FIELD(ISAR1, "APA", 4), FIELD(ISAR1, "API", 8), FIELD(ISAR1, "JSCVT", 12), FIELD(ISAR1, "FCMA", 16),
    FIELD(ISAR1, "LRCPC", 20), FIELD(ISAR1, "GPA", 24), FIELD(ISAR1, "GPI", 28), FIELD(ISAR1, "FRINTTS", 32), FIELD(ISAR1, "SB", 36),
    FIELD(ISAR1, "SPECRES", 40), FIELD(ISAR1, "BF16", 44), FIELD(ISAR1, "DGH", 48), FIELD(ISAR1, "I8MM", 52), FIELD(ISAR1, "XS", 56),
    FIELD(ISAR1, "LS64", 60),

    FIELD(ISAR2, "WFxT", 0), FIELD(ISAR2, "RPRES", 4), FIELD(ISAR2, "GPA3", 8), FIELD(ISAR2, "APA3", 12), FIELD(ISAR2, "MOPS", 16),
    FIELD(ISAR2, "BC", 20), FIELD(ISAR2, "PAC_frac", 24), FIELD(ISAR2, "CLRBHB", 28), FIELD(ISAR2, "SYSREG_128", 32),
    FIELD(ISAR2, "SYSINSTR_128", 36), FIELD(ISAR2, "PRFMSLC", 40), FIELD(ISAR2, "PCDPHINT", 44), FIELD(ISAR2, "RPRFM", 48),
    FIELD(ISAR2, "CSSC", 52), FIELD(ISAR2, "LUT", 56), FIELD(ISAR2, "ATS1A", 60),

    FIELD(MMFR0, "PARange", 0), FIELD(MMFR0, "ASIDBits", 4), FIELD(MMFR0, "BigEnd", 8), FIELD(MMFR0, "SNSMem", 12),
    FIELD(MMFR0, "BigEndEL0", 16), FIELD(MMFR0, "TGran16", 20), FIELD_AS(MMFR0, "TGran64", 24, ID_SIGNED),
    FIELD_AS(MMFR0, "TGran4", 28, ID_SIGNED), FIELD_AS(MMFR0, "TGran16_2", 32, ID_STAGE2),
    FIELD_AS(MMFR0, "TGran64_2", 36, ID_STAGE2), FIELD_AS(MMFR0, "TGran4_2", 40, ID_STAGE2), FIELD(MMFR0, "ExS", 44),
    /* 55:48 is RES0 */ FIELD(MMFR0, "FGT", 56), FIELD(MMFR0, "ECV", 60),

    FIELD(MMFR1, "HAFDBS", 0), FIELD(MMFR1, "VMIDBits", 4), FIELD(MMFR1, "VH", 8), FIELD(MMFR1, "HPDS", 12), FIELD(MMFR1, "LO", 16),
    FIELD(MMFR1, "PAN", 20), FIELD_AS(MMFR1, "SpecSEI", 24, ID_INVERTED), FIELD(MMFR1, "XNX", 28), FIELD(MMFR1, "TWED", 32),
    FIELD(MMFR1, "ETS", 36), FIELD(MMFR1, "HCX", 40), FIELD(MMFR1, "AFP", 44), FIELD(MMFR1, "nTLBPA", 48), FIELD(MMFR1, "TIDCP1", 52),
    FIELD(MMFR1, "CMOW", 56), FIELD(MMFR1, "ECBHB", 60),

    FIELD(MMFR2, "CnP", 0), FIELD(MMFR2, "UAO", 4), FIELD(MMFR2, "LSM", 8), FIELD(MMFR2, "IESB", 12), FIELD(MMFR2, "VARange", 16),
    FIELD(MMFR2, "CCIDX", 20), FIELD(MMFR2, "NV", 24), FIELD(MMFR2, "ST", 28), FIELD(MMFR2, "AT", 32), FIELD(MMFR2, "IDS", 36),
    FIELD(MMFR2, "FWB", 40), /* 47:44 is RES0 */ FIELD(MMFR2, "TTL", 48), FIELD(MMFR2, "BBM", 52), FIELD(MMFR2, "EVT", 56),
    FIELD(MMFR2, "E0PD", 60),

    FIELD(MMFR3, "TCRX", 0), FIELD(MMFR3, "SCTLRX", 4), FIELD(MMFR3, "S1PIE", 8), FIELD(MMFR3, "S2PIE", 12),
    FIELD(MMFR3, "S1POE", 16), FIELD(MMFR3, "S2POE", 20), FIELD(MMFR3, "AIE", 24), FIELD(MMFR3, "MEC", 28), FIELD(MMFR3, "D128", 32),
    FIELD(MMFR3, "D128_2", 36), FIELD(MMFR3, "SNERR", 40), FIELD(MMFR3, "ANERR", 44), /* 51:48 is RES0 */ FIELD(MMFR3, "SDERR", 52),
    FIELD(MMFR3, "ADERR", 56), FIELD(MMFR3, "Spec_FPACC", 60),
};
/* clang-format on */

static bool same_register(const char *reg, const char *wanted) {
  size_t length = strlen(wanted);
  return !g_ascii_strncasecmp(reg, wanted, length) && (!reg[length] || !strcmp(reg + length, "_EL1"));
}

int id_field_find(const char *reg, const char *name) {
  for (unsigned i = 0; i < ID_FIELDS; i++)
    if (same_register(id_fields[i].reg, reg) && !g_ascii_strcasecmp(id_fields[i].name, name))
      return (int)i;
  return -1;
}

bool id_register_known(const char *reg) {
  for (unsigned i = 0; i < ID_FIELDS; i++)
    if (same_register(id_fields[i].reg, reg))
      return true;
  return false;
}

uint32_t id_field_encoding(const IdField *field) {
  return (uint32_t)sysreg_find(field->reg);
}

unsigned id_field_get(const IdField *field, uint64_t value) {
  return value >> field->lsb & ID_FIELD_MAX;
}

uint64_t id_field_set(const IdField *field, uint64_t value, unsigned field_value) {
  return (value & ~((uint64_t)ID_FIELD_MAX << field->lsb)) | (uint64_t)field_value << field->lsb;
}

/* A number that grows with what VALUE offers. */
static int level(const IdField *field, unsigned value) {
  switch (field->kind) {
  case ID_SIGNED:
    return value > ID_FIELD_MAX / 2 ? (int)value - (int)ID_FIELD_MAX - 1 : (int)value;
  case ID_PMU_VERSION:
    return value == ID_FIELD_MAX ? 0 : (int)value;
  case ID_INVERTED:
    return -(int)value;
  case ID_UNSIGNED:
  case ID_STAGE2:
    break;
  }
  return (int)value;
}

bool id_field_at_most(const IdField *field, unsigned a, unsigned b) {
  if (a == b)
    return true;
  return field->kind == ID_STAGE2 ? a == 1 : level(field, a) <= level(field, b);
}

unsigned id_field_common(const IdField *field, unsigned a, unsigned b) {
  if (id_field_at_most(field, a, b))
    return field->kind == ID_PMU_VERSION && a == ID_FIELD_MAX && b != ID_FIELD_MAX ? 0 : a;
  if (id_field_at_most(field, b, a))
    return field->kind == ID_PMU_VERSION && b == ID_FIELD_MAX ? 0 : b;
  return 1; /* ID_STAGE2: none */
}

const char *id_field_nearest(const char *reg, const char *wanted) {
  const char *names[ID_FIELDS + 1];
  unsigned n = 0;

  for (unsigned i = 0; i < ID_FIELDS; i++) {
    if (reg && same_register(id_fields[i].reg, reg))
      names[n++] = id_fields[i].name;
    else if (!reg && (n == 0 || strcmp(names[n - 1], id_fields[i].reg) != 0))
      names[n++] = id_fields[i].reg;
  }
  names[n] = NULL;
  return nearest_name(wanted, names);
}
