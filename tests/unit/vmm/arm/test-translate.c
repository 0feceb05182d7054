/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 1 in software: vmm/arm/translate.c, over tables that are made here, of every granule and several sizes of
 * addresses.
 */
#include "vmm/arm/translate.h"

#include <glib.h>
#include <locale.h>
#include <string.h>

#define MEMORY_SIZE (4u << 20)
#define PAGE        0x3u /* at the last level; above it: a table */
#define BLOCK       0x1u

static uint64_t memory[MEMORY_SIZE / 8];

static bool read_memory(void *opaque, uint64_t physical, uint64_t *value) {
  unsigned *reads = opaque;

  ++*reads;
  if (physical + 8 > MEMORY_SIZE)
    return false;
  *value = memory[physical / 8];
  return true;
}

static const A64Request any = {A64_READ, true, false};

typedef struct {
  const char *name;
  unsigned page_shift, input_bits, tg0, tg1;
  bool large; /* TCR_EL1.DS, or IPS of 52 bits with 64 KiB */
} Regime;

static const Regime regimes[] = {
    {"4k-48", 12, 48, 0, 2, false},  {"4k-39", 12, 39, 0, 2, false},  {"4k-36", 12, 36, 0, 2, false},  {"4k-30", 12, 30, 0, 2, false},
    {"4k-25", 12, 25, 0, 2, false},  {"16k-47", 14, 47, 2, 1, false}, {"16k-48", 14, 48, 2, 1, false}, {"16k-36", 14, 36, 2, 1, false},
    {"64k-42", 16, 42, 1, 3, false}, {"64k-48", 16, 48, 1, 3, false}, {"64k-52", 16, 52, 1, 3, true},  {"4k-52", 12, 52, 0, 2, true},
    {"16k-52", 14, 52, 2, 1, true},
};

static A64Stage1 stage1_of(const Regime *regime) {
  uint64_t size = 64 - regime->input_bits;
  A64Stage1 stage1 = {.sctlr = A64_SCTLR_M, .tcr = size | size << 16 | (uint64_t)regime->tg0 << 14 | (uint64_t)regime->tg1 << 30};

  stage1.ttbr[0] = 1 << 20;
  stage1.ttbr[1] = 2 << 20;
  if (regime->large && regime->page_shift == 16)
    stage1.tcr |= UINT64_C(6) << 32;
  else if (regime->large)
    stage1.tcr |= UINT64_C(1) << 59;
  return stage1;
}

static uint64_t encode(const Regime *regime, uint64_t output) {
  if (!regime->large)
    return output;
  if (regime->page_shift == 16)
    return (output & ~(UINT64_C(0xf) << 48)) | (output >> 48 & 0xf) << 12;
  return (output & ~(UINT64_C(3) << 50)) | (output >> 50 & 3) << 8;
}

/* Tables for VIRTUAL down to LEVEL, where it is mapped to OUTPUT. */
static void map(const Regime *regime, uint64_t base, uint64_t virtual, int level, uint64_t output) {
  unsigned stride = regime->page_shift - 3, next = 3 << 20;
  int first = 4 - (int)((regime->input_bits - regime->page_shift + stride - 1) / stride);
  uint64_t table = base;

  for (int at = first; at <= level; at++) {
    unsigned shift = regime->page_shift + stride * (unsigned)(3 - at);
    unsigned width = at == first ? regime->input_bits - shift : stride;
    uint64_t index = virtual >> shift & ((UINT64_C(1) << width) - 1);
    if (at == level) {
      memory[table / 8 + index] = encode(regime, output) | (at == 3 ? PAGE : BLOCK) | 0x400;
    } else {
      memory[table / 8 + index] = next | PAGE;
      table = next;
      next += 1u << regime->page_shift;
    }
  }
}

static void assert_maps(const Regime *regime, bool upper, int level) {
  A64Stage1 stage1 = stage1_of(regime);
  unsigned stride = regime->page_shift - 3, shift = regime->page_shift + stride * (unsigned)(3 - level), reads = 0;
  uint64_t inside = (UINT64_C(1) << shift) - 1, physical;
  uint64_t virtual = UINT64_C(0x0005a5a5a5a5a5a5) & ((UINT64_C(1) << regime->input_bits) - 1) & ~(UINT64_C(1) << 55);
  uint64_t output = (regime->large ? UINT64_C(0xfdeadbeef0000) : UINT64_C(0xdeadbeef0000)) & ~inside;

  if (upper)
    virtual |= ~((UINT64_C(1) << regime->input_bits) - 1);
  memset(memory, 0, sizeof memory);
  map(regime, stage1.ttbr[upper], virtual, level, output);
  g_assert_true(a64_translate(&stage1, virtual, &any, read_memory, &reads, &physical));
  g_assert_cmphex(physical, ==, output | (virtual & inside));
  g_assert_cmpuint(reads, <=, 5);
  /* Its neighbour is not mapped, */
  g_assert_false(a64_translate(&stage1, virtual ^ (inside + 1), &any, read_memory, &reads, &physical));
  /* nor is the other half, nor what is in neither. */
  g_assert_false(a64_translate(&stage1, ~virtual, &any, read_memory, &reads, &physical));
  if (regime->input_bits < 52)
    g_assert_false(a64_translate(&stage1, virtual ^ UINT64_C(1) << 53, &any, read_memory, &reads, &physical));
  /* A tag in the top byte is ignored where TBI says so. */
  g_assert_false(a64_translate(&stage1, virtual ^ UINT64_C(0x5a) << 56, &any, read_memory, &reads, &physical));
  stage1.tcr |= UINT64_C(3) << 37;
  g_assert_true(a64_translate(&stage1, virtual ^ UINT64_C(0x5a) << 56, &any, read_memory, &reads, &physical));
  /* EPD */
  stage1.tcr |= upper ? 1 << 23 : 1 << 7;
  g_assert_false(a64_translate(&stage1, virtual, &any, read_memory, &reads, &physical));
}

static void test_regime(gconstpointer data) {
  const Regime *regime = data;

  for (int level = regime->page_shift == 12 && regime->input_bits > 30 ? 1 : 2; level <= 3; level++)
    for (unsigned upper = 0; upper < 2; upper++)
      if (4 - (int)((regime->input_bits - regime->page_shift + regime->page_shift - 4) / (regime->page_shift - 3)) <= level)
        assert_maps(regime, upper, level);
}

static void test_off(void) {
  const A64Stage1 stage1 = {.sctlr = 0, .tcr = UINT64_MAX};
  unsigned reads = 0;
  uint64_t physical;

  g_assert_true(a64_translate(&stage1, 0x9000018, &any, read_memory, &reads, &physical));
  g_assert_cmphex(physical, ==, 0x9000018);
  g_assert_cmpuint(reads, ==, 0);
}

/* Permissions, on one page of 4 KiB, below one table of each level. */

#define AF       (UINT64_C(1) << 10)
#define AP_EL0   (UINT64_C(1) << 6)
#define AP_RO    (UINT64_C(1) << 7)
#define DBM      (UINT64_C(1) << 51)
#define PXN      (UINT64_C(1) << 53)
#define UXN      (UINT64_C(1) << 54)
#define T_PXN    (UINT64_C(1) << 59)
#define T_UXN    (UINT64_C(1) << 60)
#define T_NO_EL0 (UINT64_C(1) << 61)
#define T_RO     (UINT64_C(1) << 62)
#define TCR_HA   (UINT64_C(1) << 39)
#define TCR_HD   (UINT64_C(1) << 40)
#define TCR_HPD0 (UINT64_C(1) << 41)
#define TCR_E0PD (UINT64_C(1) << 55)
#define WXN      A64_SCTLR_WXN
#define EPAN     A64_SCTLR_EPAN

/* TCR_EL2 says what TCR_EL1 says of the lower half, elsewhere; there is no upper half. */
static void test_el2(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(regimes); i++) {
    const Regime *regime = &regimes[i];
    A64Stage1 stage1 = stage1_of(regime);
    uint64_t tcr = stage1.tcr, tbi = i % 2;
    uint64_t el2 = (tcr & 0xffff) | (tcr >> 32 & 7) << 16 | tbi << 20 | (tcr >> 59 & 1) << 32;
    g_assert_cmphex(a64_tcr_of_el2(el2), ==, (tcr & 0xffff) | (tcr & UINT64_C(7) << 32) | (tcr & UINT64_C(1) << 59) | tbi << 37 | 1 << 23);
    g_assert_cmphex(a64_tcr_of_el2(el2 | 1 << 7), ==, a64_tcr_of_el2(el2)); /* bit 7 has no meaning there */
    g_assert_cmphex(a64_tcr_of_el2(el2 | 1 << 21), ==, a64_tcr_of_el2(el2) | TCR_HA);
    g_assert_cmphex(a64_tcr_of_el2(el2 | 1 << 22), ==, a64_tcr_of_el2(el2) | TCR_HD);
    g_assert_cmphex(a64_tcr_of_el2(el2 | 1 << 24), ==, a64_tcr_of_el2(el2) | TCR_HPD0);
  }
}

/* What is granted to EL0, to EL1, and to EL1 with PAN, as letters. */
typedef struct {
  const char *name;
  uint64_t leaf, table; /* bits of the page, and of a table above it */
  uint64_t sctlr, tcr, tcr2;
  const char *el0, *el1, *pan;
} Permission;

/*
 * PIR and POR of the tests: PIIndex 0 .. 15 are the encodings 0 .. 15 at EL1, and backwards at EL0; POIndex is what is
 * granted.
 */
#define PIR1     UINT64_C(0xfedcba9876543210)
#define PIR0     UINT64_C(0x0123456789abcdef)
#define POR      UINT64_C(0x0000000076543210)
#define PI(n)    ((uint64_t)((n) >> 3) << 54 | (uint64_t)((n) >> 2 & 1) << 53 | (uint64_t)((n) >> 1 & 1) << 51 | (uint64_t)((n)&1) << 6)
#define PO(n)    ((uint64_t)(n) << 60)
#define PIE      A64_TCR2_PIE
#define OVERLAYS (A64_TCR2_POE | A64_TCR2_E0POE)

static const Permission permissions[] = {
    {"kernel", AF, 0, 0, 0, 0, "x", "rwx", "rwx"},
    {"kernel-data", AF | PXN | UXN, 0, 0, 0, 0, "", "rw", "rw"},
    {"kernel-code", AF | AP_RO | UXN, 0, 0, 0, 0, "", "rx", "rx"},
    {"user-data", AF | AP_EL0 | UXN, 0, 0, 0, 0, "rw", "rw", ""},
    {"user-writable-code", AF | AP_EL0, 0, 0, 0, 0, "rwx", "rw", ""},
    {"user-code", AF | AP_EL0 | AP_RO | PXN, 0, 0, 0, 0, "rx", "r", ""},
    {"execute-only", AF | AP_RO | PXN, 0, 0, 0, 0, "x", "r", "r"},
    {"execute-only-epan", AF | AP_RO | PXN, 0, EPAN, 0, 0, "x", "r", ""},
    {"no-access-flag", AP_EL0, 0, 0, 0, 0, "", "", ""},
    {"access-flag-by-hardware", AP_EL0 | UXN | PXN, 0, 0, TCR_HA, 0, "rw", "rw", ""},
    {"clean", AF | AP_RO | DBM | UXN | PXN, 0, 0, 0, 0, "", "r", "r"},
    {"clean-dirty-by-hardware", AF | AP_RO | DBM | UXN | PXN, 0, 0, TCR_HD, 0, "", "rw", "rw"},
    {"read-only-dirty-by-hardware", AF | AP_RO | UXN | PXN, 0, 0, TCR_HD, 0, "", "r", "r"},
    {"table-read-only", AF | AP_EL0 | UXN | PXN, T_RO, 0, 0, 0, "r", "r", ""},
    {"table-read-only-clean", AF | AP_RO | DBM | UXN | PXN, T_RO, 0, TCR_HD, 0, "", "r", "r"},
    {"table-not-for-el0", AF | AP_EL0 | UXN | PXN, T_NO_EL0, 0, 0, 0, "", "rw", "rw"},
    {"table-never", AF | AP_RO | AP_EL0, T_PXN | T_UXN, 0, 0, 0, "r", "r", ""},
    {"table-never-at-el1", AF | AP_RO, T_PXN, 0, 0, 0, "x", "r", "r"},
    {"tables-say-nothing", AF | AP_EL0, T_RO | T_NO_EL0 | T_PXN | T_UXN, 0, TCR_HPD0, 0, "rwx", "rw", ""},
    {"wxn", AF, 0, WXN, 0, 0, "x", "rw", "rw"},
    {"wxn-user", AF | AP_EL0, 0, WXN, 0, 0, "rw", "rw", ""},
    {"wxn-read-only", AF | AP_EL0 | AP_RO, 0, WXN, 0, 0, "rx", "rx", "x"},
    {"e0pd", AF | AP_EL0, 0, 0, TCR_E0PD, 0, "", "rw", ""},
    /*
     * Encodings: nothing, R, X, RX, reserved, RW, RW, RWX, R, R (of shadow stacks), RX, reserved, RW, reserved, RWX,
     * reserved.
     */
    {"indirect-0", AF | PI(0), T_RO, 0, 0, PIE, "", "", ""},
    {"indirect-1", AF | PI(1), T_RO, 0, 0, PIE, "rwx", "r", ""},
    {"indirect-2", AF | PI(2), T_RO, 0, 0, PIE, "", "x", "x"},
    {"indirect-3", AF | PI(3), T_NO_EL0, 0, 0, PIE, "rw", "", ""}, /* executable at EL1, and writable at EL0: nothing */
    {"indirect-5", AF | PI(5), 0, 0, 0, PIE, "rx", "rw", ""},
    {"indirect-6", AF | PI(6), 0, 0, 0, PIE, "r", "rw", ""},
    {"indirect-7", AF | PI(7), 0, 0, 0, PIE, "r", "rwx", "x"},
    {"indirect-8", AF | PI(8), 0, 0, 0, PIE, "rwx", "r", ""},
    {"indirect-10", AF | PI(10), 0, 0, 0, PIE, "rw", "", ""},
    {"indirect-12", AF | PI(12), 0, 0, 0, PIE, "rx", "rw", ""},
    {"indirect-14", AF | PI(14), 0, 0, 0, PIE, "r", "rwx", "x"},
    {"indirect-clean", AF | PI(12) | AP_RO, 0, 0, 0, PIE, "rx", "r", ""},
    {"indirect-clean-dirty-by-hardware", AF | PI(12) | AP_RO, 0, 0, TCR_HD, PIE, "rx", "rw", ""},
    {"overlay-nothing", AF | AP_EL0 | PO(0), 0, 0, 0, OVERLAYS, "", "", ""},
    {"overlay-read", AF | AP_EL0 | PO(1), 0, 0, 0, OVERLAYS, "r", "r", ""},
    {"overlay-write", AF | AP_EL0 | PO(4), 0, 0, 0, OVERLAYS, "w", "w", ""},
    {"overlay-all", AF | AP_EL0 | PO(7), 0, 0, 0, OVERLAYS, "rwx", "rw", ""},
    {"overlay-at-el0", AF | AP_EL0 | PO(1), 0, 0, 0, A64_TCR2_E0POE, "r", "rw", ""},
    {"overlay-at-el1", AF | AP_EL0 | PO(1), 0, 0, 0, A64_TCR2_POE, "rwx", "r", ""},
    {"indirect-overlay", AF | PI(5) | PO(1), 0, 0, 0, PIE | OVERLAYS, "rx", "r", ""}, /* EL0's is 10, which has none */
};

static char *granted(const A64Stage1 *stage1, bool privileged, bool pan) {
  static const struct {
    char letter;
    A64Rights right;
  } letters[] = {{'r', A64_READ}, {'w', A64_WRITE}, {'x', A64_EXECUTE}};
  GString *text = g_string_new(NULL);
  unsigned all = 0, reads = 0;
  uint64_t physical;

  for (unsigned i = 0; i < G_N_ELEMENTS(letters); i++) {
    const A64Request request = {letters[i].right, privileged, pan};
    if (!a64_translate(stage1, 0x1234, &request, read_memory, &reads, &physical))
      continue;
    g_assert_cmphex(physical, ==, 0x9000234);
    g_string_append_c(text, letters[i].letter);
    all |= letters[i].right;
  }
  /* Several at once are granted where each is. */
  for (unsigned rights = 1; rights < 8; rights++) {
    const A64Request request = {rights, privileged, pan};
    g_assert_true(a64_translate(stage1, 0x1234, &request, read_memory, &reads, &physical) == !(rights & ~all));
  }
  return g_string_free(text, FALSE);
}

static void test_permission(gconstpointer data) {
  const Permission *permission = data;
  A64Stage1 stage1 = stage1_of(&regimes[0]);

  stage1.sctlr |= permission->sctlr;
  stage1.tcr |= permission->tcr;
  stage1.tcr2 = permission->tcr2;
  stage1.pir[0] = PIR0;
  stage1.pir[1] = PIR1;
  stage1.por[0] = stage1.por[1] = POR;
  /* The table with its bits may be any of the three. */
  for (unsigned level = 0; level < 3; level++) {
    memset(memory, 0, sizeof memory);
    map(&regimes[0], stage1.ttbr[0], 0x1234, 3, 0);
    uint64_t *tables[] = {&memory[stage1.ttbr[0] / 8], &memory[(3u << 20) / 8], &memory[(3u << 20) / 8 + 512]};
    *tables[level] |= permission->table;
    memory[(3u << 20) / 8 + 1024 + 1] = 0x9000000 | PAGE | permission->leaf;
    g_autofree char *el0 = granted(&stage1, false, false), *el1 = granted(&stage1, true, false), *pan = granted(&stage1, true, true);
    g_assert_cmpstr(el0, ==, permission->el0);
    g_assert_cmpstr(el1, ==, permission->el1);
    g_assert_cmpstr(pan, ==, permission->pan);
    /* EL0 knows no PAN. */
    g_autofree char *el0_pan = granted(&stage1, false, true);
    g_assert_cmpstr(el0_pan, ==, permission->el0);
  }
}

/* A regime without EL0: EL2's own, without FEAT_VHE. Bit 54 is XN, AP[1] is 1, and there is no PAN. */
static void test_alone(void) {
  static const struct {
    uint64_t leaf, table, sctlr, tcr2;
    const char *rights;
  } cases[] = {
      {AF | AP_EL0, 0, 0, 0, "rwx"},        {AF | AP_EL0 | PXN, T_NO_EL0 | T_PXN, 0, 0, "rwx"},
      {AF | AP_EL0 | UXN, 0, 0, 0, "rw"},   {AF | AP_EL0, T_UXN, 0, 0, "rw"},
      {AF | AP_EL0 | AP_RO, 0, 0, 0, "rx"}, {AF | AP_EL0, T_RO, 0, 0, "rx"},
      {AF | AP_EL0, 0, WXN, 0, "rw"},       {AP_EL0, 0, 0, 0, ""},
      {AF | PI(3), 0, 0, PIE, "rx"}, /* whatever EL0 would have */
      {AF | PI(12), 0, 0, PIE, "rw"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    A64Stage1 stage1 = stage1_of(&regimes[0]);
    stage1.alone = true;
    stage1.sctlr |= cases[i].sctlr;
    stage1.tcr2 = cases[i].tcr2;
    stage1.pir[0] = PIR0;
    stage1.pir[1] = PIR1;
    memset(memory, 0, sizeof memory);
    map(&regimes[0], stage1.ttbr[0], 0x1234, 3, 0);
    memory[stage1.ttbr[0] / 8] |= cases[i].table;
    memory[(3u << 20) / 8 + 1024 + 1] = 0x9000000 | PAGE | cases[i].leaf;
    g_autofree char *rights = granted(&stage1, true, false), *with_pan = granted(&stage1, true, true);
    g_assert_cmpstr(rights, ==, cases[i].rights);
    g_assert_cmpstr(with_pan, ==, cases[i].rights);
  }
}

/* Tables of a guest that means harm: the walk ends, and reads nothing that is not handed to it. */
static void test_any(void) {
  unsigned mapped = 0;

  for (unsigned i = 0; i < MEMORY_SIZE / 8; i++)
    memory[i] = ((uint64_t)g_test_rand_int() << 32 | g_test_rand_int()) & ~UINT64_C(0xffffffffc00000);
  for (unsigned i = 0; i < 200000; i++) {
    A64Stage1 stage1 = {.sctlr = A64_SCTLR_M, .tcr = (uint64_t)g_test_rand_int() << 32 | g_test_rand_int()};
    unsigned reads = 0;
    uint64_t physical;
    stage1.tcr2 = g_test_rand_int();
    stage1.ttbr[0] = stage1.ttbr[1] = g_test_rand_int() % MEMORY_SIZE;
    mapped += a64_translate(&stage1, (uint64_t)g_test_rand_int() << 32 | g_test_rand_int(), &any, read_memory, &reads, &physical);
    g_assert_cmpuint(reads, <=, 5);
  }
  g_assert_cmpuint(mapped, >, 0);
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(regimes); i++) {
    g_autofree char *path = g_strconcat("/translate/", regimes[i].name, NULL);
    g_test_add_data_func(path, &regimes[i], test_regime);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(permissions); i++) {
    g_autofree char *path = g_strconcat("/translate/permission/", permissions[i].name, NULL);
    g_test_add_data_func(path, &permissions[i], test_permission);
  }
  g_test_add_func("/translate/permission-alone", test_alone);
  g_test_add_func("/translate/off", test_off);
  g_test_add_func("/translate/el2", test_el2);
  g_test_add_func("/translate/any", test_any);
  return g_test_run();
}
