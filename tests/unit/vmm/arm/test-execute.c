/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores carried out on registers and memory of the test's: vmm/arm/execute.c. That each form does what a CPU
 * does, guest-images/bare/accesses.c shows; here is what a guest cannot show.
 */
#include "vmm/arm/execute.h"

#include <glib.h>
#include <locale.h>
#include <string.h>

#define SIZE     4096
#define UNMAPPED 2048 /* from here on nothing is mapped */
#define PAGES    16   /* of 4 KiB, virtual ones: each shows the same bytes, but for what a test says */

typedef struct {
  uint64_t x[32];
  A64Vector v[32];
  uint8_t bytes[SIZE];
  unsigned reads, writes;
  uint64_t ram;            /* from here on there is RAM */
  unsigned granted, asked; /* A64Rights */
  bool asked_unprivileged;
  uint64_t shift[PAGES]; /* of where a page lies */
  A64Monitor monitor;
  A64Machine machine;
} Fixture;

static uint64_t get_x(void *opaque, unsigned n) {
  return ((Fixture *)opaque)->x[n];
}

static void set_x(void *opaque, unsigned n, uint64_t value) {
  ((Fixture *)opaque)->x[n] = value;
}

static A64Vector get_v(void *opaque, unsigned n) {
  return ((Fixture *)opaque)->v[n];
}

static void set_v(void *opaque, unsigned n, A64Vector value) {
  ((Fixture *)opaque)->v[n] = value;
}

static bool translate(void *opaque, uint64_t virtual, unsigned rights, bool unprivileged, uint64_t *physical) {
  Fixture *fixture = opaque;

  *physical = virtual + (virtual / 4096 < PAGES ? fixture->shift[virtual / 4096] : 0);
  fixture->asked |= rights;
  fixture->asked_unprivileged |= unprivileged;
  return *physical < UNMAPPED && !(rights & ~fixture->granted);
}

static bool is_ram(void *opaque, uint64_t physical) {
  return physical >= ((Fixture *)opaque)->ram;
}

static uint64_t read_bytes(void *opaque, uint64_t physical, unsigned size) {
  Fixture *fixture = opaque;
  uint64_t value = 0;

  g_assert_cmpuint(physical + size, <=, SIZE);
  memcpy(&value, fixture->bytes + physical, size);
  fixture->reads++;
  return value;
}

static void write_bytes(void *opaque, uint64_t physical, unsigned size, uint64_t value) {
  Fixture *fixture = opaque;

  g_assert_cmpuint(physical + size, <=, SIZE);
  memcpy(fixture->bytes + physical, &value, size);
  fixture->writes++;
}

static void set_up(Fixture *fixture, gconstpointer data) {
  static const A64Ops ops = {get_x, set_x, get_v, set_v, translate, is_ram, read_bytes, write_bytes};

  for (unsigned i = 0; i < 32; i++) {
    fixture->x[i] = 0x8080808080808080 + i;
    fixture->v[i] = (A64Vector){{0x7070707070707070 + i, 0x6060606060606060 + i}};
  }
  for (unsigned i = 0; i < SIZE; i++)
    fixture->bytes[i] = (uint8_t)(i * 7 + 1);
  fixture->x[1] = 256;
  fixture->ram = UINT64_MAX;
  fixture->granted = A64_READ | A64_WRITE;
  fixture->machine = (A64Machine){.ops = &ops, .opaque = fixture, .pc = 512, .zero_block = 64, .monitor = &fixture->monitor};
}

static void tear_down(Fixture *fixture, gconstpointer data) {
}

/* What the hardware would have reported of it: its first byte. */
static void report(Fixture *fixture, const A64Access *access) {
  uint64_t base = access->base == A64_LITERAL ? fixture->machine.pc : fixture->x[access->base];

  if (access->kind == A64_ZERO)
    base &= ~(uint64_t)(fixture->machine.zero_block - 1);
  fixture->machine.reported = base + (access->index == A64_POST_INDEX ? 0 : (uint64_t)access->offset);
  fixture->machine.reported_write =
      access->kind == A64_STORE || access->kind == A64_STORE_EXCLUSIVE || access->kind == A64_ZERO || access->kind == A64_ATOMIC;
}

static A64Outcome run_reported(Fixture *fixture, uint32_t word, uint64_t reported, bool is_write) {
  A64Access access;

  g_assert_true(a64_decode(word, &access));
  fixture->machine.reported = reported;
  fixture->machine.reported_write = is_write;
  return a64_execute(&fixture->machine, &access);
}

static bool run(Fixture *fixture, uint32_t word) {
  A64Access access;

  g_assert_true(a64_decode(word, &access));
  report(fixture, &access);
  A64Outcome outcome = a64_execute(&fixture->machine, &access);
  g_assert_true(outcome == A64_DONE || outcome == A64_NOT_GRANTED);
  return outcome == A64_DONE;
}

static uint64_t at(const Fixture *fixture, unsigned offset) {
  uint64_t value;
  memcpy(&value, fixture->bytes + offset, 8);
  return value;
}

/* LDR (literal): relative to the PC, which no guest can have near a device. */
static void test_literal(Fixture *fixture, gconstpointer data) {
  g_assert_true(run(fixture, 0x98ffffe2)); /* ldrsw x2, . - 4 */
  int32_t wanted;
  memcpy(&wanted, fixture->bytes + 508, 4);
  g_assert_cmpint((int64_t)fixture->x[2], ==, wanted);
  g_assert_true(run(fixture, 0x9c000082)); /* ldr q2, . + 16 */
  g_assert_cmphex(fixture->v[2].lanes[1], ==, at(fixture, 536));
}

static void test_zero_register(Fixture *fixture, gconstpointer data) {
  fixture->x[31] = 256;
  g_assert_true(run(fixture, 0xa9417fff)); /* ldp xzr, xzr, [sp, #16] */
  g_assert_cmphex(fixture->x[31], ==, 256);
  g_assert_true(run(fixture, 0xa9bf7fff)); /* stp xzr, xzr, [sp, #-16]! */
  g_assert_cmphex(fixture->x[31], ==, 240);
  g_assert_cmphex(at(fixture, 240) | at(fixture, 248), ==, 0);
}

static void assert_untouched(const Fixture *fixture, const Fixture *before) {
  g_assert_cmpmem(before->x, sizeof before->x, fixture->x, sizeof fixture->x);
  g_assert_cmpmem(before->v, sizeof before->v, fixture->v, sizeof fixture->v);
  g_assert_cmpmem(before->bytes, sizeof before->bytes, fixture->bytes, sizeof fixture->bytes);
  g_assert_cmpuint(fixture->reads, ==, before->reads);
  g_assert_cmpuint(fixture->writes, ==, before->writes);
  g_assert_cmpint(fixture->monitor.armed, ==, before->monitor.armed);
}

/* Half of it is not mapped: nothing has happened. */
static void test_all_or_nothing(Fixture *fixture, gconstpointer data) {
  static const uint32_t words[] = {0xa8c10c22 /* ldp x2, x3, [x1], #16 */, 0xa9810c22 /* stp x2, x3, [x1, #16]! */,
                                   0x4cdf0020 /* ld4 {v0.16b - v3.16b}, [x1], #64 */, 0x4c9f0020 /* st4 */};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    fixture->x[1] = UNMAPPED - (words[i] == 0xa9810c22 ? 24 : 8);
    Fixture before = *fixture;
    g_assert_false(run(fixture, words[i]));
    assert_untouched(fixture, &before);
  }
}

static void test_big_endian(Fixture *fixture, gconstpointer data) {
  fixture->machine.big_endian = true;
  g_assert_true(run(fixture, 0x29400c22)); /* ldp w2, w3, [x1] */
  g_assert_cmphex(fixture->x[2], ==, GUINT32_SWAP_LE_BE((uint32_t)at(fixture, 256)));
  g_assert_true(run(fixture, 0x3dc00022)); /* ldr q2, [x1] */
  g_assert_cmphex(fixture->v[2].lanes[0], ==, GUINT64_SWAP_LE_BE(at(fixture, 264)));
  g_assert_cmphex(fixture->v[2].lanes[1], ==, GUINT64_SWAP_LE_BE(at(fixture, 256)));
  g_assert_true(run(fixture, 0x3d800822)); /* str q2, [x1, #32] */
  g_assert_cmpmem(fixture->bytes + 256, 16, fixture->bytes + 288, 16);
  g_assert_true(run(fixture, 0x78002422)); /* strh w2, [x1], #2 */
  g_assert_cmphex(fixture->bytes[256], ==, fixture->x[2] >> 8 & 0xff);
  fixture->x[1] = 256;
  g_assert_true(run(fixture, 0x4c407820)); /* ld1 {v0.4s}, [x1] */
  g_assert_cmphex((uint32_t)fixture->v[0].lanes[0], ==, GUINT32_SWAP_LE_BE((uint32_t)at(fixture, 256)));
}

/* A store-exclusive succeeds once, and only where the load-exclusive was. */
static void test_monitor(Fixture *fixture, gconstpointer data) {
  uint64_t before = at(fixture, 256);

  g_assert_true(run(fixture, 0xc8067c22)); /* stxr w6, x2, [x1]: nothing was claimed */
  g_assert_cmpuint(fixture->x[6], ==, 1);
  g_assert_cmphex(at(fixture, 256), ==, before);
  g_assert_true(run(fixture, 0xc85f7c23)); /* ldxr x3, [x1] */
  g_assert_true(run(fixture, 0xc8067c22));
  g_assert_cmpuint(fixture->x[6], ==, 0);
  g_assert_cmphex(at(fixture, 256), ==, fixture->x[2]);
  g_assert_true(run(fixture, 0xc8067c22));
  g_assert_cmpuint(fixture->x[6], ==, 1);
  g_assert_true(run(fixture, 0xc85f7c23));
  fixture->x[1] += 8;
  g_assert_true(run(fixture, 0xc8067c22)); /* elsewhere */
  g_assert_cmpuint(fixture->x[6], ==, 1);
  g_assert_true(run(fixture, 0xc85f7c23));
  g_assert_true(run(fixture, 0x88067c22)); /* stxr w6, w2, [x1]: of another size */
  g_assert_cmpuint(fixture->x[6], ==, 1);
}

static void test_zero_block(Fixture *fixture, gconstpointer data) {
  fixture->x[3] = 300;
  g_assert_true(run(fixture, 0xd50b7423)); /* dc zva, x3 */
  g_assert_cmpuint(fixture->writes, ==, 8);
  g_assert_cmpuint(fixture->bytes[255], !=, 0);
  for (unsigned i = 256; i < 320; i++)
    g_assert_cmpuint(fixture->bytes[i], ==, 0);
  g_assert_cmpuint(fixture->bytes[320], !=, 0);
  fixture->machine.zero_block = 2048;
  fixture->x[3] = 0;
  g_assert_true(run(fixture, 0xd50b7423));
  g_assert_cmpuint(fixture->bytes[2047], ==, 0);
}

static void test_prefetch(Fixture *fixture, gconstpointer data) {
  fixture->x[1] = UNMAPPED;
  g_assert_true(run(fixture, 0xf9800020)); /* prfm pldl1keep, [x1] */
  g_assert_cmpuint(fixture->reads, ==, 0);
}

/* The instruction is not the one that was reported: another address, or the other direction. */
static void test_not_it(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *text;
    uint32_t word;
    uint64_t reported;
    bool is_write;
    A64Outcome outcome;
  } cases[] = {
      {"ldp x2, x3, [x1]", 0xa9400c22, 256, false, A64_DONE},
      {"its last byte", 0xa9400c22, 271, false, A64_DONE},
      {"behind it", 0xa9400c22, 272, false, A64_NOT_IT},
      {"before it", 0xa9400c22, 255, false, A64_NOT_IT},
      {"a write", 0xa9400c22, 256, true, A64_NOT_IT},
      {"stp x2, x3, [x1]", 0xa9000c22, 264, true, A64_DONE},
      {"a read", 0xa9000c22, 264, false, A64_NOT_IT},
      {"stp x2, x3, [x1, #16]!", 0xa9810c22, 256, true, A64_NOT_IT},
      {"ldp x2, x3, [x1], #16", 0xa8c10c22, 272, false, A64_NOT_IT},
      {"ldxr x3, [x1]", 0xc85f7c23, 300, false, A64_NOT_IT},
      {"ldadd x2, x3, [x1], as a read", 0xf8220023, 256, false, A64_DONE},
      {"as a write", 0xf8220023, 256, true, A64_DONE},
      {"elsewhere", 0xf8220023, 512, true, A64_NOT_IT},
      {"cas x2, x3, [x1], as a read", 0xc8a27c23, 256, false, A64_DONE},
      {"as a write", 0xc8a27c23, 256, true, A64_DONE},
      {"dc zva, x1, in the middle", 0xd50b7421, 300, true, A64_DONE},
      {"as a read", 0xd50b7421, 300, false, A64_NOT_IT},
      {"behind it", 0xd50b7421, 320, true, A64_NOT_IT},
      {"ld4 {v0.16b - v3.16b}, [x1]", 0x4c400020, 319, false, A64_DONE},
      {"behind it", 0x4c400020, 320, false, A64_NOT_IT},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    tear_down(fixture, data);
    set_up(fixture, data);
    Fixture before = *fixture;
    g_test_message("%s", cases[i].text);
    g_assert_cmpint(run_reported(fixture, cases[i].word, cases[i].reported, cases[i].is_write), ==, cases[i].outcome);
    if (cases[i].outcome != A64_DONE)
      assert_untouched(fixture, &before);
  }
}

/* What lies in RAM, or reaches into it, is not ours to do. */
static void test_ram(Fixture *fixture, gconstpointer data) {
  static const uint32_t words[] = {0xa9400c22 /* ldp x2, x3, [x1] */, 0xa9000c22 /* stp */, 0x3dc00022 /* ldr q2, [x1] */,
                                   0x4c9f0020 /* st4 */, 0xd50b7421 /* dc zva, x1 */};
  static const uint64_t ram[] = {0, 264, 271};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
    for (unsigned j = 0; j < G_N_ELEMENTS(ram); j++) {
      Fixture before = *fixture;
      fixture->ram = ram[j];
      g_assert_cmpint(run_reported(fixture, words[i], 256, words[i] != 0xa9400c22 && words[i] != 0x3dc00022), ==, A64_IN_RAM);
      assert_untouched(fixture, &before);
    }
  fixture->ram = 272;
  g_assert_cmpint(run_reported(fixture, 0xa9000c22, 256, true), ==, A64_DONE);
}

/* What each kind asks for. */
static void test_rights(Fixture *fixture, gconstpointer data) {
  static const struct {
    uint32_t word;
    unsigned rights;
    bool unprivileged;
  } kinds[] = {
      {0xa9400c22, A64_READ, false},             /* ldp */
      {0xa9000c22, A64_WRITE, false},            /* stp */
      {0xc85f7c23, A64_READ, false},             /* ldxr */
      {0xc8067c22, A64_WRITE, false},            /* stxr */
      {0xf8220023, A64_READ | A64_WRITE, false}, /* ldadd */
      {0xc8a27c23, A64_READ | A64_WRITE, false}, /* cas */
      {0xd50b7421, A64_WRITE, false},            /* dc zva */
      {0xf8400822, A64_READ, true},              /* ldtr */
      {0x38000822, A64_WRITE, true},             /* sttrb */
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
    fixture->asked = 0;
    fixture->asked_unprivileged = false;
    g_assert_true(run(fixture, kinds[i].word));
    g_assert_cmpuint(fixture->asked, ==, kinds[i].rights);
    g_assert_cmpint(fixture->asked_unprivileged, ==, kinds[i].unprivileged);
    for (unsigned right = A64_READ; right <= A64_WRITE; right <<= 1) { /* without any of them it is refused */
      Fixture before = *fixture;
      fixture->granted = (A64_READ | A64_WRITE) & ~right;
      if (kinds[i].rights & right) {
        g_assert_false(run(fixture, kinds[i].word));
        assert_untouched(fixture, &before);
      }
      fixture->granted = A64_READ | A64_WRITE;
    }
  }
}

/* An element that goes on in another page goes on where that one lies, or not at all. */
static void test_across_pages(Fixture *fixture, gconstpointer data) {
  Fixture before = *fixture;

  fixture->shift[0] = (uint64_t)-3072; /* bytes 1024 .. 3071 of page 0 are 2048 .. 4095, */
  fixture->shift[1] = (uint64_t)-3072; /* page 1 goes on where it ends: at 1024 */
  fixture->x[1] = 4092;
  g_assert_cmpint(run_reported(fixture, 0xf8000422, 1020, true), ==, A64_DONE); /* str x2, [x1], #0 */
  g_assert_cmphex(at(fixture, 1020), ==, fixture->x[2]);
  fixture->x[1] = 4088;
  g_assert_cmpint(run_reported(fixture, 0x3d800022, 1016, true), ==, A64_DONE); /* str q2, [x1] */
  g_assert_cmphex(at(fixture, 1024), ==, fixture->v[2].lanes[1]);
  memcpy(fixture->bytes, before.bytes, sizeof before.bytes);
  fixture->writes = 0;
  fixture->shift[1] = (uint64_t)-4096; /* elsewhere */
  before = *fixture;
  g_assert_cmpint(run_reported(fixture, 0x3d800022, 1016, true), ==, A64_NOT_GRANTED);
  assert_untouched(fixture, &before);
  /* Two elements may. */
  g_assert_cmpint(run_reported(fixture, 0xa9000c22, 1016, true), ==, A64_DONE); /* stp x2, x3, [x1] */
  g_assert_cmphex(at(fixture, 1016), ==, fixture->x[2]);
  g_assert_cmphex(at(fixture, 0), ==, fixture->x[3]);
}

/* Whatever can be decoded can be carried out, anywhere. */
static void test_any(Fixture *fixture, gconstpointer data) {
  A64Access access;
  unsigned done = 0;

  for (unsigned i = 0; i < 1000000; i++) {
    uint32_t word = (g_test_rand_int() & ~0x3a000000u) | (i & 1 ? 0x08000000 : 0x38000000);
    if (!a64_decode(word, &access))
      continue;
    for (unsigned n = 0; n < 32; n++)
      fixture->x[n] = g_test_rand_int() % 4096;
    report(fixture, &access);
    done += a64_execute(&fixture->machine, &access) == A64_DONE;
  }
  g_assert_cmpuint(done, >, 10000);
}

int main(int argc, char *argv[]) {
  static const struct {
    const char *path;
    void (*test)(Fixture *, gconstpointer);
  } tests[] = {
      {"/execute/literal", test_literal},
      {"/execute/zero-register", test_zero_register},
      {"/execute/all-or-nothing", test_all_or_nothing},
      {"/execute/big-endian", test_big_endian},
      {"/execute/monitor", test_monitor},
      {"/execute/zero-block", test_zero_block},
      {"/execute/prefetch", test_prefetch},
      {"/execute/not-it", test_not_it},
      {"/execute/ram", test_ram},
      {"/execute/rights", test_rights},
      {"/execute/across-pages", test_across_pages},
      {"/execute/any", test_any},
  };

  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run();
}
