/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's own page tables, of any contents and of any regime: vmm/arm/translate.c. They lie where a walk finds them,
 * mostly. Who may do something may do a part of it; and no address has more bits than there are.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/arm/translate.h"

#define RAM   0x8000u
#define TABLE 0x1000u
#define WALKS 8

typedef struct {
  FuzzInput *input;
  uint8_t *ram;
  A64Stage1 stage1;
} Fixture;

static bool read_descriptor(void *opaque, uint64_t physical, uint64_t *value) {
  g_assert_cmphex(physical % 8, ==, 0);
  if (physical > RAM - 8)
    return false;
  memcpy(value, ((Fixture *)opaque)->ram + physical, 8);
  return true;
}

/* Tables of 4 KiB pages for 39 bits, with what the input has in place of that. */
static void choose_regime(Fixture *f) {
  unsigned what = fuzz_below(f->input, 256);
  A64Stage1 *stage1 = &f->stage1;

  stage1->alone = (what & 7) == 7;
  stage1->sctlr = A64_SCTLR_M | (what & 8 ? fuzz_number(f->input, 8) : 0);
  stage1->tcr = UINT64_C(25) | UINT64_C(25) << 16 | UINT64_C(2) << 30;
  stage1->tcr ^= what & 16 ? fuzz_number(f->input, 8) : 0;
  if (stage1->alone)
    stage1->tcr = a64_tcr_of_el2(stage1->tcr);
  for (unsigned i = 0; i < 2; i++) {
    stage1->ttbr[i] = what & 32 ? fuzz_number(f->input, 8) : TABLE * (1 + i);
    stage1->pir[i] = what & 64 ? fuzz_number(f->input, 8) : 0;
    stage1->por[i] = what & 64 ? fuzz_number(f->input, 8) : 0;
  }
  stage1->tcr2 = what & 64 ? fuzz_number(f->input, 1) : 0;
}

/* The first entries of each table: the next one, or a block or page; attributes as the input has them. */
static void fill_tables(Fixture *f) {
  for (unsigned n = fuzz_below(f->input, 32); n > 0; n--) {
    unsigned what = fuzz_below(f->input, 256), table = what % (RAM / TABLE), entry = fuzz_below(f->input, 256) % (TABLE / 8);
    uint64_t attributes = fuzz_number(f->input, 2), upper = fuzz_number(f->input, 2) << 48;
    uint64_t next = (uint64_t)TABLE * (1 + what / 16 % (RAM / TABLE - 1));
    uint64_t descriptor = upper | next | 3 | (attributes & 0xffc) | (what & 8 ? 0x400 : 0);
    if (attributes & 0x8000)
      descriptor = fuzz_number(f->input, 8);
    memcpy(f->ram + table * TABLE + 8 * (what & 128 ? entry : entry % 2), &descriptor, 8);
  }
}

static void walk(Fixture *f) {
  unsigned what = fuzz_below(f->input, 256);
  uint64_t virtual = what & 64 ? fuzz_number(f->input, 8) : fuzz_number(f->input, 2) * 8 | (what & 128 ? ~UINT64_C(0) << 39 : 0);
  uint64_t physical = 0, again = 0;
  A64Request request = {.rights = what & 7, .privileged = what & 8, .pan = what & 16};

  if (!a64_translate(&f->stage1, virtual, &request, read_descriptor, f, &physical))
    return;
  g_assert_cmphex(physical >> 52, ==, 0);
  for (unsigned part = 0; part < 8; part++) {
    if (part & ~(what & 7))
      continue;
    request.rights = part;
    g_assert_true(a64_translate(&f->stage1, virtual, &request, read_descriptor, f, &again));
    g_assert_cmphex(again, ==, physical);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  Fixture f = {.input = &input, .ram = g_malloc0(RAM)};

  choose_regime(&f);
  fill_tables(&f);
  for (unsigned i = 0; i < WALKS; i++)
    walk(&f);
  g_free(f.ram);
  return 0;
}
