/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ID register fields: whole, without overlaps, found by name; and how values compare. */
#include <glib.h>
#include <string.h>

#include "vmm/arm/id-fields.h"
#include "vmm/arm/sysreg.h"
#include "vmm/observe/record.h"

static const IdField *field(const char *reg, const char *name) {
  int index = id_field_find(reg, name);
  g_assert_cmpint(index, >=, 0);
  return &id_fields[index];
}

static void test_table(void) {
  for (unsigned i = 0; i < ID_FIELDS; i++) {
    g_assert_nonnull(id_fields[i].reg);
    g_assert_cmpuint(id_fields[i].lsb % 4, ==, 0);
    g_assert_cmpuint(id_fields[i].lsb, <, 64);
    g_assert_cmpint(id_field_find(id_fields[i].reg, id_fields[i].name), ==, (int)i);
    g_assert_cmpuint(id_field_encoding(&id_fields[i]), >=, SYSREG(3, 0, 0, 4, 0));
    g_assert_cmpuint(id_field_encoding(&id_fields[i]), <=, SYSREG(3, 0, 0, 7, 3));
    for (unsigned j = 0; j < i; j++)
      g_assert_true(strcmp(id_fields[i].reg, id_fields[j].reg) != 0 || id_fields[i].lsb > id_fields[j].lsb);
  }
}

/* Arm ARM D24.2, a few by hand. */
static void test_positions(void) {
  static const struct {
    const char *reg, *name;
    uint32_t encoding;
    unsigned lsb;
  } cases[] = {
      {"ID_AA64PFR0_EL1", "SVE", SYSREG(3, 0, 0, 4, 0), 32},     {"ID_AA64PFR1_EL1", "MTE", SYSREG(3, 0, 0, 4, 1), 8},
      {"ID_AA64PFR1_EL1", "PFAR", SYSREG(3, 0, 0, 4, 1), 60},    {"ID_AA64DFR0_EL1", "PMUVer", SYSREG(3, 0, 0, 5, 0), 8},
      {"ID_AA64DFR0_EL1", "HPMN0", SYSREG(3, 0, 0, 5, 0), 60},   {"ID_AA64ISAR0_EL1", "Atomic", SYSREG(3, 0, 0, 6, 0), 20},
      {"ID_AA64ISAR0_EL1", "RNDR", SYSREG(3, 0, 0, 6, 0), 60},   {"ID_AA64ISAR1_EL1", "API", SYSREG(3, 0, 0, 6, 1), 8},
      {"ID_AA64ISAR2_EL1", "APA3", SYSREG(3, 0, 0, 6, 2), 12},   {"ID_AA64ISAR2_EL1", "CSSC", SYSREG(3, 0, 0, 6, 2), 52},
      {"ID_AA64MMFR0_EL1", "TGran4", SYSREG(3, 0, 0, 7, 0), 28}, {"ID_AA64MMFR1_EL1", "PAN", SYSREG(3, 0, 0, 7, 1), 20},
      {"ID_AA64MMFR2_EL1", "E0PD", SYSREG(3, 0, 0, 7, 2), 60},   {"ID_AA64MMFR3_EL1", "S1PIE", SYSREG(3, 0, 0, 7, 3), 8},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_assert_cmpuint(field(cases[i].reg, cases[i].name)->lsb, ==, cases[i].lsb);
    g_assert_cmphex(id_field_encoding(field(cases[i].reg, cases[i].name)), ==, cases[i].encoding);
  }
}

static void test_names(void) {
  g_assert_cmpint(id_field_find("id_aa64isar0", "ATOMIC"), ==, id_field_find("ID_AA64ISAR0_EL1", "Atomic"));
  g_assert_cmpint(id_field_find("ID_AA64ISAR0_EL1", "Atomics"), ==, -1);
  g_assert_cmpint(id_field_find("ID_AA64ISAR", "Atomic"), ==, -1);
  g_assert_cmpint(id_field_find("", ""), ==, -1);
  g_assert_false(id_register_known("ID_AA64ISAR9_EL1"));
  g_assert_true(id_register_known("ID_AA64MMFR3_EL1"));
  g_assert_cmpstr(id_field_nearest("ID_AA64ISAR0_EL1", "ATOMICS"), ==, "Atomic");
  g_assert_cmpstr(id_field_nearest(NULL, "ID_AA64MMFRO_EL1"), ==, "ID_AA64MMFR0_EL1");
}

static void test_bits(void) {
  const IdField *sve = field("ID_AA64PFR0_EL1", "SVE"), *csv3 = field("ID_AA64PFR0_EL1", "CSV3");
  g_assert_cmpuint(id_field_get(sve, 0xa500000000), ==, 5);
  g_assert_cmphex(id_field_set(sve, UINT64_MAX, 0), ==, 0xfffffff0ffffffff);
  g_assert_cmphex(id_field_set(csv3, 1, 15), ==, 0xf000000000000001);
  g_assert_cmpuint(id_field_get(csv3, 0xf000000000000001), ==, 15);
}

static void test_order(void) {
  static const struct {
    const char *reg, *name;
    unsigned a, b, common; /* A offers no more than B */
    bool also_reverse;
  } cases[] = {
      {"ID_AA64ISAR0_EL1", "Atomic", 0, 2, 0, false},   {"ID_AA64ISAR1_EL1", "LS64", 3, 15, 3, false},
      {"ID_AA64PFR0_EL1", "FP", 15, 0, 15, false},      {"ID_AA64PFR0_EL1", "AdvSIMD", 0, 1, 0, false},
      {"ID_AA64MMFR0_EL1", "TGran4", 15, 1, 15, false}, {"ID_AA64DFR0_EL1", "PMUVer", 15, 6, 0, false},
      {"ID_AA64DFR0_EL1", "PMUVer", 5, 8, 5, false},    {"ID_AA64DFR0_EL1", "PMUVer", 0, 15, 0, true},
      {"ID_AA64MMFR1_EL1", "SpecSEI", 1, 0, 1, false},  {"ID_AA64MMFR0_EL1", "TGran4_2", 1, 2, 1, false},
      {"ID_AA64MMFR0_EL1", "TGran4_2", 1, 0, 1, false}, {"ID_AA64DFR0_EL1", "DoubleLock", 15, 0, 15, false},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    const IdField *one = field(cases[i].reg, cases[i].name);
    g_assert_true(id_field_at_most(one, cases[i].a, cases[i].b));
    g_assert_cmpint(id_field_at_most(one, cases[i].b, cases[i].a), ==, cases[i].also_reverse);
    g_assert_cmpuint(id_field_common(one, cases[i].a, cases[i].b), ==, cases[i].common);
    g_assert_cmpuint(id_field_common(one, cases[i].b, cases[i].a), ==, cases[i].common);
    g_assert_cmpuint(id_field_common(one, cases[i].a, cases[i].a), ==, cases[i].a);
  }
  /* Neither 0 nor 2 is below the other; none is below both. */
  const IdField *stage2 = field("ID_AA64MMFR0_EL1", "TGran16_2");
  g_assert_false(id_field_at_most(stage2, 0, 2));
  g_assert_false(id_field_at_most(stage2, 2, 0));
  g_assert_cmpuint(id_field_common(stage2, 0, 2), ==, 1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/id-fields/table", test_table);
  g_test_add_func("/id-fields/positions", test_positions);
  g_test_add_func("/id-fields/names", test_names);
  g_test_add_func("/id-fields/bits", test_bits);
  g_test_add_func("/id-fields/order", test_order);
  return g_test_run();
}
