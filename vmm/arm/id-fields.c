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

#define PFR0(name, lsb, kind)                                                                                                              \
  { "ID_AA64PFR0_EL1", name, lsb, kind }
#define PFR1(name, lsb, kind)                                                                                                              \
  { "ID_AA64PFR1_EL1", name, lsb, kind }
#define DFR0(name, lsb, kind)                                                                                                              \
  { "ID_AA64DFR0_EL1", name, lsb, kind }
#define ISAR0(name, lsb)                                                                                                                   \
  { "ID_AA64ISAR0_EL1", name, lsb, ID_UNSIGNED }
#define ISAR1(name, lsb)                                                                                                                   \
  { "ID_AA64ISAR1_EL1", name, lsb, ID_UNSIGNED }
#define ISAR2(name, lsb)                                                                                                                   \
  { "ID_AA64ISAR2_EL1", name, lsb, ID_UNSIGNED }
#define MMFR0(name, lsb, kind)                                                                                                             \
  { "ID_AA64MMFR0_EL1", name, lsb, kind }
#define MMFR1(name, lsb, kind)                                                                                                             \
  { "ID_AA64MMFR1_EL1", name, lsb, kind }
#define MMFR2(name, lsb)                                                                                                                   \
  { "ID_AA64MMFR2_EL1", name, lsb, ID_UNSIGNED }
#define MMFR3(name, lsb)                                                                                                                   \
  { "ID_AA64MMFR3_EL1", name, lsb, ID_UNSIGNED }

/* clang-format off */
const IdField id_fields[ID_FIELDS] = {
    PFR0("EL0", 0, ID_UNSIGNED), PFR0("EL1", 4, ID_UNSIGNED), PFR0("EL2", 8, ID_UNSIGNED), PFR0("EL3", 12, ID_UNSIGNED),
    PFR0("FP", 16, ID_SIGNED), PFR0("AdvSIMD", 20, ID_SIGNED), PFR0("GIC", 24, ID_UNSIGNED), PFR0("RAS", 28, ID_UNSIGNED),
    PFR0("SVE", 32, ID_UNSIGNED), PFR0("SEL2", 36, ID_UNSIGNED), PFR0("MPAM", 40, ID_UNSIGNED), PFR0("AMU", 44, ID_UNSIGNED),
    PFR0("DIT", 48, ID_UNSIGNED), PFR0("RME", 52, ID_UNSIGNED), PFR0("CSV2", 56, ID_UNSIGNED), PFR0("CSV3", 60, ID_UNSIGNED),

    PFR1("BT", 0, ID_UNSIGNED), PFR1("SSBS", 4, ID_UNSIGNED), PFR1("MTE", 8, ID_UNSIGNED), PFR1("RAS_frac", 12, ID_UNSIGNED),
    PFR1("MPAM_frac", 16, ID_UNSIGNED), /* 23:20 is RES0 */
    PFR1("SME", 24, ID_UNSIGNED), PFR1("RNDR_trap", 28, ID_UNSIGNED), PFR1("CSV2_frac", 32, ID_UNSIGNED),
    PFR1("NMI", 36, ID_UNSIGNED), PFR1("MTE_frac", 40, ID_SIGNED), PFR1("GCS", 44, ID_UNSIGNED), PFR1("THE", 48, ID_UNSIGNED),
    PFR1("MTEX", 52, ID_UNSIGNED), PFR1("DF2", 56, ID_UNSIGNED), PFR1("PFAR", 60, ID_UNSIGNED),

    DFR0("DebugVer", 0, ID_UNSIGNED), DFR0("TraceVer", 4, ID_UNSIGNED), DFR0("PMUVer", 8, ID_PMU_VERSION),
    DFR0("BRPs", 12, ID_UNSIGNED), DFR0("PMSS", 16, ID_UNSIGNED), DFR0("WRPs", 20, ID_UNSIGNED), DFR0("SEBEP", 24, ID_UNSIGNED),
    DFR0("CTX_CMPs", 28, ID_UNSIGNED), DFR0("PMSVer", 32, ID_UNSIGNED), DFR0("DoubleLock", 36, ID_SIGNED),
    DFR0("TraceFilt", 40, ID_UNSIGNED), DFR0("TraceBuffer", 44, ID_UNSIGNED), DFR0("MTPMU", 48, ID_SIGNED),
    DFR0("BRBE", 52, ID_UNSIGNED), DFR0("ExtTrcBuff", 56, ID_UNSIGNED), DFR0("HPMN0", 60, ID_UNSIGNED),

    ISAR0("AES", 4), ISAR0("SHA1", 8), ISAR0("SHA2", 12), ISAR0("CRC32", 16), ISAR0("Atomic", 20), ISAR0("TME", 24), ISAR0("RDM", 28),
    ISAR0("SHA3", 32), ISAR0("SM3", 36), ISAR0("SM4", 40), ISAR0("DP", 44), ISAR0("FHM", 48), ISAR0("TS", 52), ISAR0("TLB", 56),
    ISAR0("RNDR", 60),

    ISAR1("DPB", 0), ISAR1("APA", 4), ISAR1("API", 8), ISAR1("JSCVT", 12), ISAR1("FCMA", 16), ISAR1("LRCPC", 20), ISAR1("GPA", 24),
    ISAR1("GPI", 28), ISAR1("FRINTTS", 32), ISAR1("SB", 36), ISAR1("SPECRES", 40), ISAR1("BF16", 44), ISAR1("DGH", 48),
    ISAR1("I8MM", 52), ISAR1("XS", 56), ISAR1("LS64", 60),

    ISAR2("WFxT", 0), ISAR2("RPRES", 4), ISAR2("GPA3", 8), ISAR2("APA3", 12), ISAR2("MOPS", 16), ISAR2("BC", 20),
    ISAR2("PAC_frac", 24), ISAR2("CLRBHB", 28), ISAR2("SYSREG_128", 32), ISAR2("SYSINSTR_128", 36), ISAR2("PRFMSLC", 40),
    ISAR2("PCDPHINT", 44), ISAR2("RPRFM", 48), ISAR2("CSSC", 52), ISAR2("LUT", 56), ISAR2("ATS1A", 60),

    MMFR0("PARange", 0, ID_UNSIGNED), MMFR0("ASIDBits", 4, ID_UNSIGNED), MMFR0("BigEnd", 8, ID_UNSIGNED),
    MMFR0("SNSMem", 12, ID_UNSIGNED), MMFR0("BigEndEL0", 16, ID_UNSIGNED), MMFR0("TGran16", 20, ID_UNSIGNED),
    MMFR0("TGran64", 24, ID_SIGNED), MMFR0("TGran4", 28, ID_SIGNED), MMFR0("TGran16_2", 32, ID_STAGE2),
    MMFR0("TGran64_2", 36, ID_STAGE2), MMFR0("TGran4_2", 40, ID_STAGE2), MMFR0("ExS", 44, ID_UNSIGNED), /* 55:48 is RES0 */
    MMFR0("FGT", 56, ID_UNSIGNED), MMFR0("ECV", 60, ID_UNSIGNED),

    MMFR1("HAFDBS", 0, ID_UNSIGNED), MMFR1("VMIDBits", 4, ID_UNSIGNED), MMFR1("VH", 8, ID_UNSIGNED), MMFR1("HPDS", 12, ID_UNSIGNED),
    MMFR1("LO", 16, ID_UNSIGNED), MMFR1("PAN", 20, ID_UNSIGNED), MMFR1("SpecSEI", 24, ID_INVERTED), MMFR1("XNX", 28, ID_UNSIGNED),
    MMFR1("TWED", 32, ID_UNSIGNED), MMFR1("ETS", 36, ID_UNSIGNED), MMFR1("HCX", 40, ID_UNSIGNED), MMFR1("AFP", 44, ID_UNSIGNED),
    MMFR1("nTLBPA", 48, ID_UNSIGNED), MMFR1("TIDCP1", 52, ID_UNSIGNED), MMFR1("CMOW", 56, ID_UNSIGNED),
    MMFR1("ECBHB", 60, ID_UNSIGNED),

    MMFR2("CnP", 0), MMFR2("UAO", 4), MMFR2("LSM", 8), MMFR2("IESB", 12), MMFR2("VARange", 16), MMFR2("CCIDX", 20), MMFR2("NV", 24),
    MMFR2("ST", 28), MMFR2("AT", 32), MMFR2("IDS", 36), MMFR2("FWB", 40), /* 47:44 is RES0 */
    MMFR2("TTL", 48), MMFR2("BBM", 52), MMFR2("EVT", 56), MMFR2("E0PD", 60),

    MMFR3("TCRX", 0), MMFR3("SCTLRX", 4), MMFR3("S1PIE", 8), MMFR3("S2PIE", 12), MMFR3("S1POE", 16), MMFR3("S2POE", 20),
    MMFR3("AIE", 24), MMFR3("MEC", 28), MMFR3("D128", 32), MMFR3("D128_2", 36), MMFR3("SNERR", 40), MMFR3("ANERR", 44),
    /* 51:48 is RES0 */ MMFR3("SDERR", 52), MMFR3("ADERR", 56), MMFR3("Spec_FPACC", 60),
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

/* WANTED among those of REG, or among the registers where that is NULL. */
static const char *nearest(const char *reg, const char *wanted) {
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

const char *id_register_nearest(const char *reg) {
  return nearest(NULL, reg);
}

const char *id_field_nearest(const char *reg, const char *name) {
  return nearest(reg, name);
}
