/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores carried out on registers and memory of the test's: vmm/a64/execute.c. That each form does what a CPU does, guest-images/bare/accesses.c shows; here is what a guest cannot show. */
#include "vmm/a64/execute.h"

#include <glib.h>
#include <locale.h>
#include <string.h>

#define SIZE     4096
#define UNMAPPED 2048 /* from here on nothing is mapped */

typedef struct {
  uint64_t x[32];
  A64Vector v[32];
  uint8_t bytes[SIZE];
  unsigned reads, writes;
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

static bool translate(void *opaque, uint64_t virtual, uint64_t *physical) {
  *physical = virtual;
  return virtual < UNMAPPED;
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
  static const A64Ops ops = {get_x, set_x, get_v, set_v, translate, read_bytes, write_bytes};

  for (unsigned i = 0; i < 32; i++) {
    fixture->x[i] = 0x8080808080808080 + i;
    fixture->v[i] = (A64Vector){{0x7070707070707070 + i, 0x6060606060606060 + i}};
  }
  for (unsigned i = 0; i < SIZE; i++)
    fixture->bytes[i] = (uint8_t)(i * 7 + 1);
  fixture->x[1] = 256;
  fixture->machine = (A64Machine){.ops = &ops, .opaque = fixture, .pc = 512, .zero_block = 64, .monitor = &fixture->monitor};
}

static void tear_down(Fixture *fixture, gconstpointer data) {
}

static bool run(Fixture *fixture, uint32_t word) {
  A64Access access;

  g_assert_true(a64_decode(word, &access));
  return a64_execute(&fixture->machine, &access);
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

/* Half of it is not mapped: nothing has happened. */
static void test_all_or_nothing(Fixture *fixture, gconstpointer data) {
  static const uint32_t words[] = {0xa8c10c22 /* ldp x2, x3, [x1], #16 */, 0xa9810c22 /* stp x2, x3, [x1, #16]! */,
                                   0x4cdf0020 /* ld4 {v0.16b - v3.16b}, [x1], #64 */, 0x4c9f0020 /* st4 */};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    fixture->x[1] = UNMAPPED - (words[i] == 0xa9810c22 ? 24 : 8);
    Fixture before = *fixture;
    g_assert_false(run(fixture, words[i]));
    g_assert_cmpmem(&before, sizeof before, fixture, sizeof *fixture);
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
    done += a64_execute(&fixture->machine, &access);
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
      {"/execute/any", test_any},
  };

  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run();
}
