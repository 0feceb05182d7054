/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 1 in software: vmm/a64/translate.c, over tables that are made here, of every granule and several sizes of addresses. */
#include "vmm/a64/translate.h"

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
  A64Stage1 stage1 = {.enabled = true, .tcr = size | size << 16 | (uint64_t)regime->tg0 << 14 | (uint64_t)regime->tg1 << 30};

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
  g_assert_true(a64_translate(&stage1, virtual, read_memory, &reads, &physical));
  g_assert_cmphex(physical, ==, output | (virtual & inside));
  g_assert_cmpuint(reads, <=, 5);
  /* Its neighbour is not mapped, */
  g_assert_false(a64_translate(&stage1, virtual ^ (inside + 1), read_memory, &reads, &physical));
  /* nor is the other half, nor what is in neither. */
  g_assert_false(a64_translate(&stage1, ~virtual, read_memory, &reads, &physical));
  if (regime->input_bits < 52)
    g_assert_false(a64_translate(&stage1, virtual ^ UINT64_C(1) << 53, read_memory, &reads, &physical));
  /* A tag in the top byte is ignored where TBI says so. */
  g_assert_false(a64_translate(&stage1, virtual ^ UINT64_C(0x5a) << 56, read_memory, &reads, &physical));
  stage1.tcr |= UINT64_C(3) << 37;
  g_assert_true(a64_translate(&stage1, virtual ^ UINT64_C(0x5a) << 56, read_memory, &reads, &physical));
  /* EPD */
  stage1.tcr |= upper ? 1 << 23 : 1 << 7;
  g_assert_false(a64_translate(&stage1, virtual, read_memory, &reads, &physical));
}

static void test_regime(gconstpointer data) {
  const Regime *regime = data;

  for (int level = regime->page_shift == 12 && regime->input_bits > 30 ? 1 : 2; level <= 3; level++)
    for (unsigned upper = 0; upper < 2; upper++)
      if (4 - (int)((regime->input_bits - regime->page_shift + regime->page_shift - 4) / (regime->page_shift - 3)) <= level)
        assert_maps(regime, upper, level);
}

static void test_off(void) {
  const A64Stage1 stage1 = {.enabled = false, .tcr = UINT64_MAX};
  unsigned reads = 0;
  uint64_t physical;

  g_assert_true(a64_translate(&stage1, 0x9000018, read_memory, &reads, &physical));
  g_assert_cmphex(physical, ==, 0x9000018);
  g_assert_cmpuint(reads, ==, 0);
}

/* TCR_EL2 says what TCR_EL1 says of the lower half, elsewhere; there is no upper half. */
static void test_el2(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(regimes); i++) {
    const Regime *regime = &regimes[i];
    A64Stage1 stage1 = stage1_of(regime);
    uint64_t tcr = stage1.tcr, tbi = i % 2;
    uint64_t el2 = (tcr & 0xffff) | (tcr >> 32 & 7) << 16 | tbi << 20 | (tcr >> 59 & 1) << 32;
    g_assert_cmphex(a64_tcr_of_el2(el2), ==, (tcr & 0xffff) | (tcr & UINT64_C(7) << 32) | (tcr & UINT64_C(1) << 59) | tbi << 37 | 1 << 23);
    g_assert_cmphex(a64_tcr_of_el2(el2 | 1 << 7), ==, a64_tcr_of_el2(el2)); /* bit 7 has no meaning there */
  }
}

/* Tables of a guest that means harm: the walk ends, and reads nothing that is not handed to it. */
static void test_any(void) {
  unsigned mapped = 0;

  for (unsigned i = 0; i < MEMORY_SIZE / 8; i++)
    memory[i] = ((uint64_t)g_test_rand_int() << 32 | g_test_rand_int()) & ~UINT64_C(0xffffffffc00000);
  for (unsigned i = 0; i < 200000; i++) {
    A64Stage1 stage1 = {.enabled = true, .tcr = (uint64_t)g_test_rand_int() << 32 | g_test_rand_int()};
    unsigned reads = 0;
    uint64_t physical;
    stage1.ttbr[0] = stage1.ttbr[1] = g_test_rand_int() % MEMORY_SIZE;
    mapped += a64_translate(&stage1, (uint64_t)g_test_rand_int() << 32 | g_test_rand_int(), read_memory, &reads, &physical);
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
  g_test_add_func("/translate/off", test_off);
  g_test_add_func("/translate/el2", test_el2);
  g_test_add_func("/translate/any", test_any);
  return g_test_run();
}
