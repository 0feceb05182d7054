/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores that eret carries out for a guest: any instruction, on any registers, through tables of any contents
 * (vmm/arm/). What lies outside of the memory that there is, is neither read nor written, and no SIMD register beyond
 * the last one.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/arm/execute.h"

#define RAM     0x4000u /* tables; and from here on devices */
#define DEVICES 0x8000u

typedef struct {
  uint64_t x[32];
  A64Vector v[32];
  uint8_t ram[RAM];
  A64Stage1 stage1;
  bool writes; /* something was written */
} Fixture;

static uint64_t get_x(void *opaque, unsigned n) {
  g_assert_cmpuint(n, <, 32);
  return ((Fixture *)opaque)->x[n];
}

static void set_x(void *opaque, unsigned n, uint64_t value) {
  g_assert_cmpuint(n, <, 32);
  ((Fixture *)opaque)->x[n] = value;
}

static A64Vector get_v(void *opaque, unsigned n) {
  g_assert_cmpuint(n, <, 32);
  return ((Fixture *)opaque)->v[n];
}

static void set_v(void *opaque, unsigned n, A64Vector value) {
  g_assert_cmpuint(n, <, 32);
  ((Fixture *)opaque)->v[n] = value;
}

static bool read_descriptor(void *opaque, uint64_t physical, uint64_t *value) {
  if (physical > RAM - 8)
    return false;
  memcpy(value, ((Fixture *)opaque)->ram + physical, 8);
  return true;
}

static bool translate(void *opaque, uint64_t virtual, unsigned rights, bool unprivileged, uint64_t *physical) {
  Fixture *f = opaque;
  const A64Request request = {.rights = rights, .privileged = !unprivileged};

  return a64_translate(&f->stage1, virtual, &request, read_descriptor, f, physical);
}

static bool is_ram(void *opaque, uint64_t physical) {
  return physical < RAM;
}

static uint64_t read_device(void *opaque, uint64_t physical, unsigned size) {
  g_assert_true(size == 1 || size == 2 || size == 4 || size == 8);
  g_assert_cmphex(physical, >=, RAM);
  return physical * 0x0101010101010101;
}

static void write_device(void *opaque, uint64_t physical, unsigned size, uint64_t value) {
  g_assert_true(size == 1 || size == 2 || size == 4 || size == 8);
  g_assert_cmphex(physical, >=, RAM);
  ((Fixture *)opaque)->writes = true;
}

/* What was reported is what it does: the address that its base has, of which one of the two ways is tried. */
static void run(Fixture *f, const A64Access *access, FuzzInput *input) {
  static const A64Ops ops = {get_x, set_x, get_v, set_v, translate, is_ram, read_device, write_device};
  A64Monitor monitor = {.armed = false};
  unsigned what = fuzz_below(input, 256);
  A64Machine machine = {.ops = &ops, .opaque = f, .pc = DEVICES, .big_endian = what & 1, .zero_block = 64, .monitor = &monitor};
  uint64_t base = access->base == A64_LITERAL ? machine.pc : f->x[access->base];

  machine.reported_write = what & 2;
  machine.reported = what & 4 ? fuzz_number(input, 2) : base + (access->index == A64_POST_INDEX ? 0 : (uint64_t)access->offset);
  for (unsigned i = 0; i < 2; i++) {
    A64Outcome outcome = a64_execute(&machine, access);
    g_assert_true(outcome == A64_DONE || !f->writes);
    f->writes = false;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  g_autofree Fixture *f = g_new0(Fixture, 1);
  unsigned what = fuzz_below(&input, 256);
  uint32_t word = (uint32_t)fuzz_number(&input, 4);
  A64Access access;

  if (!a64_decode(word, &access))
    return 0;
  for (unsigned i = 0; i < 32; i++) {
    f->x[i] = what & 1 ? fuzz_number(&input, 8) : DEVICES + fuzz_number(&input, 1) * 8;
    f->v[i] = (A64Vector){{i, ~(uint64_t)i}};
  }
  f->stage1.sctlr = what & 2 ? A64_SCTLR_M | fuzz_number(&input, 8) : 0;
  if (what & 2) {
    f->stage1.tcr = fuzz_number(&input, 8);
    f->stage1.ttbr[0] = fuzz_number(&input, 2);
    f->stage1.ttbr[1] = fuzz_number(&input, 2);
    f->stage1.tcr2 = what & 4 ? fuzz_number(&input, 1) : 0;
    f->stage1.alone = what & 8;
    for (unsigned i = 0; i < 2; i++) {
      f->stage1.pir[i] = fuzz_number(&input, 8);
      f->stage1.por[i] = fuzz_number(&input, 8);
    }
  }
  run(f, &access, &input);
  return 0;
}
