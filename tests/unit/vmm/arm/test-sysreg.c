/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of system registers: vmm/arm/sysreg.c and its table. Beside what is written here by hand, the table is
 * compared with what the disassembler of GNU binutils calls each encoding, where it is installed.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arm/sysreg-table.h"
#include "vmm/arm/sysreg.h"

/* What the tables come to. Of the few encodings that are two registers, each has its own entry. */
typedef enum { BOTH, READ, WRITE } Direction;

typedef struct {
  char *name;
  uint32_t encoding;
  Direction direction;
} Entry;

static void clear_entry(void *data) {
  g_free(((Entry *)data)->name);
}

static void add_entry(GArray *entries, char *name, uint32_t encoding, Direction direction) {
  Entry entry = {name, encoding, direction};
  if (name)
    g_array_append_val(entries, entry);
}

/* Of everything but fields of PSTATE, by encoding. */
static GArray *all_entries(void) {
  GArray *entries = g_array_new(FALSE, FALSE, sizeof(Entry));

  g_array_set_clear_func(entries, clear_entry);
  for (uint32_t encoding = SYSREG(1, 0, 0, 0, 0); encoding <= 0xffff; encoding++) {
    char *read = sysreg_name(encoding, false), *write = sysreg_name(encoding, true);
    bool both = read && !g_strcmp0(read, write);
    add_entry(entries, read, encoding, both ? BOTH : READ);
    if (both)
      g_free(write);
    else
      add_entry(entries, write, encoding, WRITE);
  }
  return entries;
}

static void assert_name(uint32_t encoding, bool write, const char *expected) {
  g_autofree char *name = sysreg_name(encoding, write);
  g_assert_cmpstr(name, ==, expected);
}

static void test_table_is_sorted(void) {
  g_autoptr(GArray) entries = all_entries();

  g_assert_cmpuint(entries->len, >, 1000);
  for (unsigned i = 1; i < entries->len; i++) {
    const Entry *before = &g_array_index(entries, Entry, i - 1), *entry = &g_array_index(entries, Entry, i);
    if (before->encoding < entry->encoding)
      continue;
    /* Two of one encoding: one to read, one to write. */
    g_assert_cmpuint(before->encoding, ==, entry->encoding);
    g_assert_cmpint(before->direction, ==, READ);
    g_assert_cmpint(entry->direction, ==, WRITE);
  }
  /* A row ends before the next begins, and does not leave its CRm. */
  for (unsigned i = 0; i < sysreg_table_length; i++) {
    g_auto(GStrv) names = g_strsplit(sysreg_table[i].names, ", ", -1);
    uint32_t last = sysreg_table[i].encoding + g_strv_length(names) - 1;
    g_assert_cmpuint(last >> 3, ==, sysreg_table[i].encoding >> 3);
    if (i + 1 < sysreg_table_length)
      g_assert_cmpuint(last, <, sysreg_table[i + 1].encoding);
  }
}

/* No encoding is in two families, nor in a family and a row. */
static void test_families_do_not_overlap(void) {
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

  for (unsigned i = 0; i < sysreg_table_length; i++) {
    g_auto(GStrv) names = g_strsplit(sysreg_table[i].names, ", ", -1);
    for (unsigned k = 0; names[k]; k++)
      if (!g_str_equal(names[k], "-"))
        g_assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(sysreg_table[i].encoding + k)));
  }
  for (unsigned i = 0; i < sysreg_families_length; i++) {
    const SysregFamily *family = &sysreg_families[i];
    for (unsigned n = 0; n <= (unsigned)family->last - family->first; n++)
      g_assert_true(g_hash_table_add(seen, GUINT_TO_POINTER(family->encoding + n * family->step)));
  }
}

/*
 * Every name with its encoding and direction, from a list that had a row for each; an intended change of a name changes
 * this too.
 */
static void test_all_names(void) {
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  unsigned names = 0;

  for (uint32_t encoding = 0; encoding <= 0xffff; encoding++)
    for (unsigned write = 0; write < 2; write++) {
      g_autofree char *name = sysreg_name(encoding, write);
      if (!name)
        continue;
      g_autofree char *line = g_strdup_printf("%04x %c %s\n", encoding, write ? 'w' : 'r', name);
      g_checksum_update(sum, (const guchar *)line, -1);
      names++;
    }
  g_assert_cmpuint(names, ==, 3078);
  g_assert_cmpstr(g_checksum_get_string(sum), ==, "3484af5f2a330cb1136a48126e47661ca560aa5d999e10cb55684a7c387d225f");
}

static void test_names_are_unique(void) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GArray) entries = all_entries();

  for (unsigned i = 0; i < entries->len; i++) {
    const char *name = g_array_index(entries, Entry, i).name;
    unsigned op0 = g_array_index(entries, Entry, i).encoding >> 14;
    g_assert_cmpuint(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ "), ==, strlen(name));
    g_assert_cmpuint(op0, >, 0);
    g_assert_true(op0 == 1 || !strchr(name, ' '));
    if (!g_hash_table_add(seen, g_ascii_strup(name, -1)))
      g_error("%s is there twice", name);
  }
}

static void test_every_row_is_found(void) {
  g_autoptr(GArray) entries = all_entries();

  for (unsigned i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);
    g_autofree char *lower = g_ascii_strdown(entry->name, -1);
    g_assert_cmpint(sysreg_find(entry->name), ==, (int)entry->encoding);
    g_assert_cmpint(sysreg_find(lower), ==, (int)entry->encoding);
    if (entry->direction != WRITE)
      assert_name(entry->encoding, false, entry->name);
    if (entry->direction != READ)
      assert_name(entry->encoding, true, entry->name);
  }
}

/* Arm ARM, by hand. */
static const struct {
  unsigned op0, op1, crn, crm, op2;
  const char *name;
} known[] = {
    {3, 0, 0, 0, 0, "MIDR_EL1"},
    {3, 0, 0, 0, 5, "MPIDR_EL1"},
    {3, 0, 0, 0, 6, "REVIDR_EL1"},
    {3, 0, 0, 1, 0, "ID_PFR0_EL1"},
    {3, 0, 0, 1, 2, "ID_DFR0_EL1"},
    {3, 0, 0, 1, 4, "ID_MMFR0_EL1"},
    {3, 0, 0, 2, 0, "ID_ISAR0_EL1"},
    {3, 0, 0, 2, 7, "ID_ISAR6_EL1"},
    {3, 0, 0, 3, 0, "MVFR0_EL1"},
    {3, 0, 0, 3, 6, "ID_MMFR5_EL1"},
    {3, 0, 0, 4, 0, "ID_AA64PFR0_EL1"},
    {3, 0, 0, 4, 1, "ID_AA64PFR1_EL1"},
    {3, 0, 0, 4, 2, "ID_AA64PFR2_EL1"},
    {3, 0, 0, 4, 4, "ID_AA64ZFR0_EL1"},
    {3, 0, 0, 4, 5, "ID_AA64SMFR0_EL1"},
    {3, 0, 0, 4, 7, "ID_AA64FPFR0_EL1"},
    {3, 0, 0, 5, 0, "ID_AA64DFR0_EL1"},
    {3, 0, 0, 5, 1, "ID_AA64DFR1_EL1"},
    {3, 0, 0, 6, 0, "ID_AA64ISAR0_EL1"},
    {3, 0, 0, 6, 1, "ID_AA64ISAR1_EL1"},
    {3, 0, 0, 6, 2, "ID_AA64ISAR2_EL1"},
    {3, 0, 0, 7, 0, "ID_AA64MMFR0_EL1"},
    {3, 0, 0, 7, 1, "ID_AA64MMFR1_EL1"},
    {3, 0, 0, 7, 2, "ID_AA64MMFR2_EL1"},
    {3, 0, 0, 7, 3, "ID_AA64MMFR3_EL1"},
    {3, 0, 0, 7, 4, "ID_AA64MMFR4_EL1"},
    {3, 0, 1, 0, 0, "SCTLR_EL1"},
    {3, 0, 1, 0, 1, "ACTLR_EL1"},
    {3, 0, 1, 0, 2, "CPACR_EL1"},
    {3, 0, 1, 0, 3, "SCTLR2_EL1"},
    {3, 0, 1, 0, 5, "RGSR_EL1"},
    {3, 0, 1, 0, 6, "GCR_EL1"},
    {3, 0, 1, 2, 0, "ZCR_EL1"},
    {3, 0, 1, 2, 1, "TRFCR_EL1"},
    {3, 0, 1, 2, 4, "SMPRI_EL1"},
    {3, 0, 1, 2, 6, "SMCR_EL1"},
    {3, 0, 1, 4, 0, "SCTLRMASK_EL1"},
    {3, 0, 1, 4, 7, "SCTLR2ALIAS_EL1"},
    {3, 0, 2, 0, 0, "TTBR0_EL1"},
    {3, 0, 2, 0, 1, "TTBR1_EL1"},
    {3, 0, 2, 0, 2, "TCR_EL1"},
    {3, 0, 2, 0, 3, "TCR2_EL1"},
    {3, 0, 2, 1, 0, "APIAKeyLo_EL1"},
    {3, 0, 2, 1, 1, "APIAKeyHi_EL1"},
    {3, 0, 2, 1, 2, "APIBKeyLo_EL1"},
    {3, 0, 2, 1, 3, "APIBKeyHi_EL1"},
    {3, 0, 2, 2, 0, "APDAKeyLo_EL1"},
    {3, 0, 2, 2, 3, "APDBKeyHi_EL1"},
    {3, 0, 2, 3, 0, "APGAKeyLo_EL1"},
    {3, 0, 2, 3, 1, "APGAKeyHi_EL1"},
    {3, 0, 2, 5, 0, "GCSCR_EL1"},
    {3, 0, 2, 7, 2, "TCRMASK_EL1"},
    {3, 0, 4, 0, 0, "SPSR_EL1"},
    {3, 0, 4, 0, 1, "ELR_EL1"},
    {3, 0, 4, 1, 0, "SP_EL0"},
    {3, 0, 4, 2, 0, "SPSel"},
    {3, 0, 4, 2, 2, "CurrentEL"},
    {3, 0, 4, 2, 3, "PAN"},
    {3, 0, 4, 2, 4, "UAO"},
    {3, 0, 4, 3, 0, "ALLINT"},
    {3, 0, 4, 6, 0, "ICC_PMR_EL1"},
    {3, 0, 5, 1, 0, "AFSR0_EL1"},
    {3, 0, 5, 1, 1, "AFSR1_EL1"},
    {3, 0, 5, 2, 0, "ESR_EL1"},
    {3, 0, 5, 3, 0, "ERRIDR_EL1"},
    {3, 0, 5, 3, 1, "ERRSELR_EL1"},
    {3, 0, 5, 4, 0, "ERXFR_EL1"},
    {3, 0, 5, 4, 1, "ERXCTLR_EL1"},
    {3, 0, 5, 4, 2, "ERXSTATUS_EL1"},
    {3, 0, 5, 4, 3, "ERXADDR_EL1"},
    {3, 0, 5, 5, 0, "ERXMISC0_EL1"},
    {3, 0, 5, 6, 0, "TFSR_EL1"},
    {3, 0, 5, 6, 1, "TFSRE0_EL1"},
    {3, 0, 6, 0, 0, "FAR_EL1"},
    {3, 0, 7, 4, 0, "PAR_EL1"},
    {3, 0, 9, 9, 0, "PMSCR_EL1"},
    {3, 0, 9, 9, 7, "PMSIDR_EL1"},
    {3, 0, 9, 10, 0, "PMBLIMITR_EL1"},
    {3, 0, 9, 10, 7, "PMBIDR_EL1"},
    {3, 0, 9, 11, 0, "TRBLIMITR_EL1"},
    {3, 0, 9, 11, 7, "TRBIDR_EL1"},
    {3, 0, 9, 14, 1, "PMINTENSET_EL1"},
    {3, 0, 9, 14, 2, "PMINTENCLR_EL1"},
    {3, 0, 9, 14, 6, "PMMIR_EL1"},
    {3, 0, 10, 2, 0, "MAIR_EL1"},
    {3, 0, 10, 2, 2, "PIRE0_EL1"},
    {3, 0, 10, 2, 3, "PIR_EL1"},
    {3, 0, 10, 2, 4, "POR_EL1"},
    {3, 0, 10, 3, 0, "AMAIR_EL1"},
    {3, 0, 10, 4, 0, "LORSA_EL1"},
    {3, 0, 10, 4, 4, "MPAMIDR_EL1"},
    {3, 0, 10, 4, 7, "LORID_EL1"},
    {3, 0, 10, 5, 0, "MPAM1_EL1"},
    {3, 0, 10, 5, 1, "MPAM0_EL1"},
    {3, 0, 12, 0, 0, "VBAR_EL1"},
    {3, 0, 12, 1, 0, "ISR_EL1"},
    {3, 0, 12, 1, 1, "DISR_EL1"},
    {3, 0, 12, 8, 0, "ICC_IAR0_EL1"},
    {3, 0, 12, 8, 1, "ICC_EOIR0_EL1"},
    {3, 0, 12, 8, 2, "ICC_HPPIR0_EL1"},
    {3, 0, 12, 8, 3, "ICC_BPR0_EL1"},
    {3, 0, 12, 9, 5, "ICC_NMIAR1_EL1"},
    {3, 0, 12, 11, 1, "ICC_DIR_EL1"},
    {3, 0, 12, 11, 3, "ICC_RPR_EL1"},
    {3, 0, 12, 11, 5, "ICC_SGI1R_EL1"},
    {3, 0, 12, 11, 6, "ICC_ASGI1R_EL1"},
    {3, 0, 12, 11, 7, "ICC_SGI0R_EL1"},
    {3, 0, 12, 12, 0, "ICC_IAR1_EL1"},
    {3, 0, 12, 12, 1, "ICC_EOIR1_EL1"},
    {3, 0, 12, 12, 2, "ICC_HPPIR1_EL1"},
    {3, 0, 12, 12, 3, "ICC_BPR1_EL1"},
    {3, 0, 12, 12, 4, "ICC_CTLR_EL1"},
    {3, 0, 12, 12, 5, "ICC_SRE_EL1"},
    {3, 0, 12, 12, 6, "ICC_IGRPEN0_EL1"},
    {3, 0, 12, 12, 7, "ICC_IGRPEN1_EL1"},
    {3, 0, 13, 0, 1, "CONTEXTIDR_EL1"},
    {3, 0, 13, 0, 4, "TPIDR_EL1"},
    {3, 0, 13, 0, 5, "ACCDATA_EL1"},
    {3, 0, 13, 0, 7, "SCXTNUM_EL1"},
    {3, 0, 14, 1, 0, "CNTKCTL_EL1"},
    {3, 1, 0, 0, 0, "CCSIDR_EL1"},
    {3, 1, 0, 0, 1, "CLIDR_EL1"},
    {3, 1, 0, 0, 2, "CCSIDR2_EL1"},
    {3, 1, 0, 0, 4, "GMID_EL1"},
    {3, 1, 0, 0, 6, "SMIDR_EL1"},
    {3, 1, 0, 0, 7, "AIDR_EL1"},
    {3, 1, 12, 0, 1, "ICC_CR0_EL1"},
    {3, 2, 0, 0, 0, "CSSELR_EL1"},
    {3, 3, 0, 0, 1, "CTR_EL0"},
    {3, 3, 0, 0, 7, "DCZID_EL0"},
    {3, 3, 2, 4, 0, "RNDR"},
    {3, 3, 2, 4, 1, "RNDRRS"},
    {3, 3, 2, 5, 1, "GCSPR_EL0"},
    {3, 3, 4, 2, 0, "NZCV"},
    {3, 3, 4, 2, 1, "DAIF"},
    {3, 3, 4, 2, 2, "SVCR"},
    {3, 3, 4, 2, 5, "DIT"},
    {3, 3, 4, 2, 6, "SSBS"},
    {3, 3, 4, 2, 7, "TCO"},
    {3, 3, 4, 4, 0, "FPCR"},
    {3, 3, 4, 4, 1, "FPSR"},
    {3, 3, 4, 4, 2, "FPMR"},
    {3, 3, 4, 5, 0, "DSPSR_EL0"},
    {3, 3, 4, 5, 1, "DLR_EL0"},
    {3, 3, 9, 12, 0, "PMCR_EL0"},
    {3, 3, 9, 12, 1, "PMCNTENSET_EL0"},
    {3, 3, 9, 12, 2, "PMCNTENCLR_EL0"},
    {3, 3, 9, 12, 3, "PMOVSCLR_EL0"},
    {3, 3, 9, 12, 4, "PMSWINC_EL0"},
    {3, 3, 9, 12, 5, "PMSELR_EL0"},
    {3, 3, 9, 12, 6, "PMCEID0_EL0"},
    {3, 3, 9, 12, 7, "PMCEID1_EL0"},
    {3, 3, 9, 13, 0, "PMCCNTR_EL0"},
    {3, 3, 9, 13, 1, "PMXEVTYPER_EL0"},
    {3, 3, 9, 13, 2, "PMXEVCNTR_EL0"},
    {3, 3, 9, 14, 0, "PMUSERENR_EL0"},
    {3, 3, 9, 14, 3, "PMOVSSET_EL0"},
    {3, 3, 13, 0, 2, "TPIDR_EL0"},
    {3, 3, 13, 0, 3, "TPIDRRO_EL0"},
    {3, 3, 13, 0, 5, "TPIDR2_EL0"},
    {3, 3, 13, 2, 0, "AMCR_EL0"},
    {3, 3, 14, 0, 0, "CNTFRQ_EL0"},
    {3, 3, 14, 0, 1, "CNTPCT_EL0"},
    {3, 3, 14, 0, 2, "CNTVCT_EL0"},
    {3, 3, 14, 0, 5, "CNTPCTSS_EL0"},
    {3, 3, 14, 0, 6, "CNTVCTSS_EL0"},
    {3, 3, 14, 2, 0, "CNTP_TVAL_EL0"},
    {3, 3, 14, 2, 1, "CNTP_CTL_EL0"},
    {3, 3, 14, 2, 2, "CNTP_CVAL_EL0"},
    {3, 3, 14, 3, 0, "CNTV_TVAL_EL0"},
    {3, 3, 14, 3, 1, "CNTV_CTL_EL0"},
    {3, 3, 14, 3, 2, "CNTV_CVAL_EL0"},
    {3, 3, 14, 15, 7, "PMCCFILTR_EL0"},
    {3, 4, 0, 0, 0, "VPIDR_EL2"},
    {3, 4, 0, 0, 5, "VMPIDR_EL2"},
    {3, 4, 1, 0, 0, "SCTLR_EL2"},
    {3, 4, 1, 1, 0, "HCR_EL2"},
    {3, 4, 1, 1, 1, "MDCR_EL2"},
    {3, 4, 1, 1, 2, "CPTR_EL2"},
    {3, 4, 1, 1, 3, "HSTR_EL2"},
    {3, 4, 1, 1, 4, "HFGRTR_EL2"},
    {3, 4, 1, 1, 5, "HFGWTR_EL2"},
    {3, 4, 1, 1, 6, "HFGITR_EL2"},
    {3, 4, 1, 1, 7, "HACR_EL2"},
    {3, 4, 1, 2, 2, "HCRX_EL2"},
    {3, 4, 2, 1, 0, "VTTBR_EL2"},
    {3, 4, 2, 1, 2, "VTCR_EL2"},
    {3, 4, 2, 2, 0, "VNCR_EL2"},
    {3, 4, 3, 1, 4, "HDFGRTR_EL2"},
    {3, 4, 3, 1, 5, "HDFGWTR_EL2"},
    {3, 4, 3, 1, 6, "HAFGRTR_EL2"},
    {3, 4, 4, 0, 0, "SPSR_EL2"},
    {3, 4, 4, 0, 1, "ELR_EL2"},
    {3, 4, 4, 1, 0, "SP_EL1"},
    {3, 4, 4, 3, 3, "SPSR_fiq"},
    {3, 4, 5, 2, 0, "ESR_EL2"},
    {3, 4, 5, 2, 3, "VSESR_EL2"},
    {3, 4, 6, 0, 0, "FAR_EL2"},
    {3, 4, 6, 0, 4, "HPFAR_EL2"},
    {3, 4, 10, 2, 0, "MAIR_EL2"},
    {3, 4, 10, 5, 0, "MPAM2_EL2"},
    {3, 4, 12, 0, 0, "VBAR_EL2"},
    {3, 4, 12, 9, 5, "ICC_SRE_EL2"},
    {3, 4, 12, 11, 0, "ICH_HCR_EL2"},
    {3, 4, 12, 11, 1, "ICH_VTR_EL2"},
    {3, 4, 12, 11, 2, "ICH_MISR_EL2"},
    {3, 4, 12, 11, 3, "ICH_EISR_EL2"},
    {3, 4, 12, 11, 5, "ICH_ELRSR_EL2"},
    {3, 4, 12, 11, 7, "ICH_VMCR_EL2"},
    {3, 4, 13, 0, 1, "CONTEXTIDR_EL2"},
    {3, 4, 13, 0, 2, "TPIDR_EL2"},
    {3, 4, 14, 0, 3, "CNTVOFF_EL2"},
    {3, 4, 14, 0, 6, "CNTPOFF_EL2"},
    {3, 4, 14, 1, 0, "CNTHCTL_EL2"},
    {3, 4, 14, 2, 1, "CNTHP_CTL_EL2"},
    {3, 4, 14, 3, 1, "CNTHV_CTL_EL2"},
    {3, 5, 1, 0, 0, "SCTLR_EL12"},
    {3, 5, 4, 0, 1, "ELR_EL12"},
    {3, 5, 14, 1, 0, "CNTKCTL_EL12"},
    {3, 5, 14, 2, 1, "CNTP_CTL_EL02"},
    {3, 5, 14, 3, 2, "CNTV_CVAL_EL02"},
    {3, 6, 1, 1, 0, "SCR_EL3"},
    {3, 7, 14, 2, 1, "CNTPS_CTL_EL1"},
    {2, 0, 0, 2, 0, "MDCCINT_EL1"},
    {2, 0, 0, 2, 2, "MDSCR_EL1"},
    {2, 0, 0, 3, 2, "OSDTRTX_EL1"},
    {2, 0, 0, 6, 2, "OSECCR_EL1"},
    {2, 0, 1, 0, 0, "MDRAR_EL1"},
    {2, 0, 1, 0, 4, "OSLAR_EL1"},
    {2, 0, 1, 1, 4, "OSLSR_EL1"},
    {2, 0, 1, 3, 4, "OSDLR_EL1"},
    {2, 0, 1, 4, 4, "DBGPRCR_EL1"},
    {2, 0, 7, 8, 6, "DBGCLAIMSET_EL1"},
    {2, 0, 7, 14, 6, "DBGAUTHSTATUS_EL1"},
    {2, 1, 9, 0, 0, "BRBCR_EL1"},
    {2, 1, 9, 2, 0, "BRBIDR0_EL1"},
    {2, 3, 0, 1, 0, "MDCCSR_EL0"},
    {2, 3, 0, 4, 0, "DBGDTR_EL0"},
    {2, 4, 0, 7, 0, "DBGVCR32_EL2"},
    {1, 0, 7, 1, 0, "IC IALLUIS"},
    {1, 0, 7, 5, 0, "IC IALLU"},
    {1, 0, 7, 6, 1, "DC IVAC"},
    {1, 0, 7, 6, 2, "DC ISW"},
    {1, 0, 7, 8, 0, "AT S1E1R"},
    {1, 0, 7, 10, 2, "DC CSW"},
    {1, 0, 7, 14, 2, "DC CISW"},
    {1, 3, 7, 4, 1, "DC ZVA"},
    {1, 3, 7, 5, 1, "IC IVAU"},
    {1, 3, 7, 10, 1, "DC CVAC"},
    {1, 3, 7, 11, 1, "DC CVAU"},
    {1, 3, 7, 12, 1, "DC CVAP"},
    {1, 3, 7, 14, 1, "DC CIVAC"},
    {1, 4, 7, 8, 4, "AT S12E1R"},
    {1, 0, 8, 1, 0, "TLBI VMALLE1OS"},
    {1, 0, 8, 2, 1, "TLBI RVAE1IS"},
    {1, 0, 8, 3, 0, "TLBI VMALLE1IS"},
    {1, 0, 8, 3, 1, "TLBI VAE1IS"},
    {1, 0, 8, 3, 2, "TLBI ASIDE1IS"},
    {1, 0, 8, 5, 1, "TLBI RVAE1OS"},
    {1, 0, 8, 6, 1, "TLBI RVAE1"},
    {1, 0, 8, 7, 0, "TLBI VMALLE1"},
    {1, 0, 8, 7, 5, "TLBI VALE1"},
    {1, 0, 9, 3, 0, "TLBI VMALLE1ISnXS"},
    {1, 0, 9, 7, 0, "TLBI VMALLE1nXS"},
    {1, 4, 8, 0, 1, "TLBI IPAS2E1IS"},
    {1, 4, 8, 3, 4, "TLBI ALLE1IS"},
    {1, 4, 8, 4, 1, "TLBI IPAS2E1"},
    {1, 4, 8, 7, 6, "TLBI VMALLS12E1"},
    {1, 0, 12, 1, 7, "GIC CDEOI"},
};

static void test_known(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
    uint32_t encoding = SYSREG(known[i].op0, known[i].op1, known[i].crn, known[i].crm, known[i].op2);
    assert_name(encoding, false, known[i].name);
    assert_name(encoding, true, known[i].name);
    g_assert_cmpint(sysreg_find(known[i].name), ==, (int)encoding);
  }
}

static void assert_member(const char *format, unsigned n, uint32_t encoding) {
  g_autofree char *name = g_strdup_printf(format, n);
  assert_name(encoding, false, name);
}

/* Indexed families, by the manual's formulas: "CRm = 0b10:m[4:3], op2 = m[2:0]". */
static void test_families(void) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  for (unsigned n = 0; n < 31; n++) {
    assert_member("PMEVCNTR%u_EL0", n, SYSREG(3, 3, 14, 8 + (n >> 3), n & 7));
    assert_member("PMEVTYPER%u_EL0", n, SYSREG(3, 3, 14, 12 + (n >> 3), n & 7));
    assert_member("PMEVCNTSVR%u_EL1", n, SYSREG(2, 0, 14, 8 + (n >> 3), n & 7));
  }
  for (unsigned n = 0; n < 32; n++) {
    assert_member("BRBINF%u_EL1", n, SYSREG(2, 1, 8, n & 15, n >> 4 << 2));
    assert_member("BRBSRC%u_EL1", n, SYSREG(2, 1, 8, n & 15, (n >> 4 << 2) + 1));
    assert_member("BRBTGT%u_EL1", n, SYSREG(2, 1, 8, n & 15, (n >> 4 << 2) + 2));
  }
  for (unsigned n = 0; n < 16; n++) {
    assert_member("DBGBVR%u_EL1", n, SYSREG(2, 0, 0, n, 4));
    assert_member("DBGBCR%u_EL1", n, SYSREG(2, 0, 0, n, 5));
    assert_member("DBGWVR%u_EL1", n, SYSREG(2, 0, 0, n, 6));
    assert_member("DBGWCR%u_EL1", n, SYSREG(2, 0, 0, n, 7));
    assert_member("ICH_LR%u_EL2", n, SYSREG(3, 4, 12, 12 + (n >> 3), n & 7));
    assert_member("AMEVCNTR1%u_EL0", n, SYSREG(3, 3, 13, 12 + (n >> 3), n & 7));
    assert_member("AMEVTYPER1%u_EL0", n, SYSREG(3, 3, 13, 14 + (n >> 3), n & 7));
    assert_member("ICC_PPI_PRIORITYR%u_EL1", n, SYSREG(3, 0, 12, 14 + (n >> 3), n & 7));
  }
  for (unsigned n = 0; n < 8; n++)
    assert_member("MPAMVPM%u_EL2", n, SYSREG(3, 4, 10, 6, n));
  for (unsigned n = 0; n < 4; n++) {
    assert_member("ICC_AP0R%u_EL1", n, SYSREG(3, 0, 12, 8, 4 + n));
    assert_member("ICC_AP1R%u_EL1", n, SYSREG(3, 0, 12, 9, n));
    assert_member("ICH_AP0R%u_EL2", n, SYSREG(3, 4, 12, 8, n));
    assert_member("ICH_AP1R%u_EL2", n, SYSREG(3, 4, 12, 9, n));
    assert_member("AMEVCNTR0%u_EL0", n, SYSREG(3, 3, 13, 4, n));
    assert_member("AMEVTYPER0%u_EL0", n, SYSREG(3, 3, 13, 6, n));
  }
#pragma GCC diagnostic pop
}

/* A TLBI with nXS has CRn 9 where the one without has 8. C5.5. */
static void test_tlbi_nxs(void) {
  g_autoptr(GArray) entries = all_entries();
  unsigned pairs = 0;

  for (unsigned i = 0; i < entries->len; i++) {
    uint32_t encoding = g_array_index(entries, Entry, i).encoding;
    if (encoding >> 14 != 1 || (encoding >> 7 & 15) != 8)
      continue;
    g_autofree char *nxs = g_strconcat(g_array_index(entries, Entry, i).name, "nXS", NULL);
    assert_name(encoding + (1 << 7), true, nxs);
    pairs++;
  }
  g_assert_cmpuint(pairs, >, 60);
}

static void test_direction(void) {
  uint32_t dtr = SYSREG(2, 3, 0, 5, 0);

  assert_name(dtr, false, "DBGDTRRX_EL0");
  assert_name(dtr, true, "DBGDTRTX_EL0");
  g_assert_cmpint(sysreg_find("DBGDTRTX_EL0"), ==, (int)dtr);
}

static void test_pstate(void) {
  assert_name(SYSREG(0, 3, 4, 2, 6), true, "DAIFSet");
  assert_name(SYSREG(0, 3, 4, 15, 7), true, "DAIFClr");
  assert_name(SYSREG(0, 0, 4, 1, 5), true, "SPSel");
  assert_name(SYSREG(0, 0, 4, 0, 4), true, "PAN");
  assert_name(SYSREG(0, 1, 4, 1, 0), true, "ALLINT");
  assert_name(SYSREG(0, 1, 4, 3, 0), true, "PM");
  g_assert_null(sysreg_name(SYSREG(0, 1, 4, 4, 0), true));
  g_assert_null(sysreg_name(SYSREG(0, 3, 4, 2, 6), false));
  g_assert_null(sysreg_name(SYSREG(0, 3, 3, 0, 4), true));
}

static void test_no_name(void) {
  g_autofree char *implementation_defined = sysreg_describe(SYSREG(3, 1, 15, 2, 0), true);
  g_autofree char *largest = sysreg_describe(0xffff, false);
  g_autofree char *named = sysreg_describe(SYSREG(3, 0, 12, 11, 5), true);

  g_assert_cmpstr(implementation_defined, ==, "S3_1_C15_C2_0");
  g_assert_cmpstr(largest, ==, "S3_7_C15_C15_7");
  g_assert_cmpstr(named, ==, "ICC_SGI1R_EL1");
  g_assert_null(sysreg_name(SYSREG(3, 1, 15, 2, 0), true));
  g_assert_null(sysreg_name(0x10000, false));
  g_assert_null(sysreg_name(UINT32_MAX, true));
  g_assert_cmpint(sysreg_find("NO_SUCH_EL1"), ==, -1);
  g_assert_cmpint(sysreg_find(""), ==, -1);
  g_assert_cmpint(sysreg_find("-"), ==, -1);
  g_assert_cmpint(sysreg_find("DBGBVR<n>_EL1"), ==, -1);
  g_assert_cmpint(sysreg_find("DBGBVR16_EL1"), ==, -1);
  g_assert_cmpint(sysreg_find("DC CISWnXS"), ==, -1);
}

static void test_every_encoding(void) {
  for (uint32_t encoding = 0; encoding <= 0xffff; encoding++) {
    g_autofree char *text = sysreg_describe(encoding, encoding & 1);
    g_assert_nonnull(text);
    if (text[0] == 'S' && text[1] >= '0' && text[1] <= '3')
      g_assert_cmpint(sysreg_find(text), ==, (int)encoding);
  }
}

static void test_find_generic(void) {
  g_assert_cmpint(sysreg_find("S3_0_C12_C11_5"), ==, SYSREG(3, 0, 12, 11, 5));
  g_assert_cmpint(sysreg_find("s2_3_c0_c5_0"), ==, SYSREG(2, 3, 0, 5, 0));
  g_assert_cmpint(sysreg_find("S4_0_C0_C0_0"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_8_C0_C0_0"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_0_C16_C0_0"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_0_C0_C16_0"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_0_C0_C0_8"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_0_C0_C0_0x"), ==, -1);
  g_assert_cmpint(sysreg_find("S3_0_C0_C0"), ==, -1);
}

static void test_iss(void) {
  /* MSR ICC_SGI1R_EL1, x2; MRS x0, ID_AA64PFR0_EL1; DC CISW, x11: EC 0x18, IL. */
  g_assert_cmphex(sysreg_of_iss(0x623a3056), ==, SYSREG(3, 0, 12, 11, 5));
  g_assert_cmphex(sysreg_of_iss(0x62300009), ==, SYSREG(3, 0, 0, 4, 0));
  g_assert_cmphex(sysreg_of_iss(0x62141d7c), ==, SYSREG(1, 0, 7, 14, 2));
  for (uint32_t encoding = 0; encoding <= 0xffff; encoding++) {
    uint64_t op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15, crm = encoding >> 3 & 15, op2 = encoding & 7;
    uint64_t iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
    g_assert_cmphex(sysreg_of_iss(iss), ==, encoding);
    g_assert_cmphex(sysreg_of_iss(0xffffffff62000000 | iss | 0x3e1), ==, encoding);
  }
}

/* The disassembler's opinion. */

/* MSR or SYS with this encoding; READ: MRS or SYSL. C4.1.94. */
static uint32_t instruction(uint32_t encoding, bool read, unsigned rt) {
  uint32_t op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15, crm = encoding >> 3 & 15, op2 = encoding & 7;
  return 0xd5000000 | (uint32_t)read << 21 | op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | rt;
}

static bool is_register_operand(const char *operand) {
  return g_str_equal(operand, "xzr") || (operand[0] == 'x' && g_ascii_isdigit(operand[1]));
}

/* The name in a line of objdump, "mrs x1, midr_el1": NULL where it has none. */
static char *name_in_line(const char *line) {
  g_auto(GStrv) columns = g_strsplit(line, "\t", 4);
  g_autoptr(GString) name = g_string_new(NULL);

  if (g_strv_length(columns) < 3)
    return NULL;
  char *mnemonic = g_strstrip(columns[2]);
  bool is_move = g_str_equal(mnemonic, "mrs") || g_str_equal(mnemonic, "msr");
  if (mnemonic[0] == '.' || g_str_equal(mnemonic, "sys") || g_str_equal(mnemonic, "sysl") || g_str_equal(mnemonic, "sysp"))
    return NULL;
  if (!is_move)
    g_string_append(name, mnemonic);
  char *comment = columns[3] ? strstr(columns[3], "//") : NULL;
  if (comment)
    *comment = '\0';
  g_auto(GStrv) operands = g_strsplit(columns[3] ? columns[3] : "", ",", -1);
  for (char **operand = operands; *operand; operand++)
    if (!is_register_operand(g_strstrip(*operand)))
      g_string_append_printf(name, "%s%s", name->len ? " " : "", *operand);
  if (is_move && name->len > 1 && name->str[0] == 's' && g_ascii_isdigit(name->str[1]))
    return NULL;
  return g_string_free(g_steal_pointer(&name), FALSE);
}

static bool is_withdrawn_name(const char *name) {
  return g_str_equal(name, "trcextinselr"); /* ETMv4's, of what ETE has four of */
}

/*
 * Two instructions a row: the first with the direction that the row has, the last without an argument where that can
 * be.
 */
#define INSTRUCTIONS_A_ROW 3

static void row_instructions(const Entry *row, uint32_t words[INSTRUCTIONS_A_ROW]) {
  bool read = row->direction != WRITE;

  words[0] = instruction(row->encoding, read, 1);
  words[1] = instruction(row->encoding, row->direction == READ, 1);
  words[2] = instruction(row->encoding, row->direction == READ, 31);
}

static void test_disassembler(void) {
  g_autoptr(GArray) entries = all_entries();
  g_autofree char *cross = g_find_program_in_path("aarch64-linux-gnu-objdump");
  g_autofree char *objdump = cross ? g_steal_pointer(&cross) : g_find_program_in_path("objdump");
  g_autofree uint32_t *words = g_new(uint32_t, (gsize)entries->len * INSTRUCTIONS_A_ROW);
  g_autofree char *path = NULL, *text = NULL;
  unsigned line_number = 0, agreed = 0;
  int status = -1;

  if (!objdump) {
    g_test_skip("there is no objdump");
    return;
  }
  for (unsigned i = 0; i < entries->len; i++)
    row_instructions(&g_array_index(entries, Entry, i), &words[i * INSTRUCTIONS_A_ROW]);
  g_assert_cmpint(g_close(g_file_open_tmp("eret-sysreg-XXXXXX", &path, NULL), NULL), ==, TRUE);
  g_assert_true(g_file_set_contents(path, (const char *)words, (gssize)entries->len * INSTRUCTIONS_A_ROW * 4, NULL));
  const char *argv[] = {objdump, "-D", "-z", "-b", "binary", "-m", "aarch64", path, NULL};
  bool ran = g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text, NULL, &status, NULL);
  g_unlink(path);
  if (!ran || status) {
    g_test_skip("objdump does not know aarch64");
    return;
  }
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    if (!strstr(*line, ":\t"))
      continue;
    g_assert_cmpuint(line_number, <, entries->len * INSTRUCTIONS_A_ROW);
    const Entry *row = &g_array_index(entries, Entry, line_number++ / INSTRUCTIONS_A_ROW);
    g_autofree char *name = name_in_line(*line);
    if (!name || is_withdrawn_name(name))
      continue;
    if (g_ascii_strcasecmp(name, row->name))
      g_error("%s is %s to objdump: %s", row->name, name, *line);
    agreed++;
  }
  g_assert_cmpuint(line_number, ==, entries->len * INSTRUCTIONS_A_ROW);
  g_assert_cmpuint(agreed, >, 2000);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sysreg/table-is-sorted", test_table_is_sorted);
  g_test_add_func("/sysreg/families-do-not-overlap", test_families_do_not_overlap);
  g_test_add_func("/sysreg/all-names", test_all_names);
  g_test_add_func("/sysreg/names-are-unique", test_names_are_unique);
  g_test_add_func("/sysreg/every-row-is-found", test_every_row_is_found);
  g_test_add_func("/sysreg/known", test_known);
  g_test_add_func("/sysreg/families", test_families);
  g_test_add_func("/sysreg/tlbi-nxs", test_tlbi_nxs);
  g_test_add_func("/sysreg/direction", test_direction);
  g_test_add_func("/sysreg/pstate", test_pstate);
  g_test_add_func("/sysreg/no-name", test_no_name);
  g_test_add_func("/sysreg/every-encoding", test_every_encoding);
  g_test_add_func("/sysreg/find-generic", test_find_generic);
  g_test_add_func("/sysreg/iss", test_iss);
  g_test_add_func("/sysreg/disassembler", test_disassembler);
  return g_test_run();
}
