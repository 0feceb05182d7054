/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to guest memory: devices/guest-memory.c. */
#include <glib.h>
#include <string.h>

#include "devices/guest-memory.h"

#define RAM  UINT64_C(0x40000000)
#define HIGH UINT64_C(0xfffffffffffff000) /* ends with the address space */
#define SIZE UINT64_C(0x1000)

typedef struct {
  GuestMemory memory;
  uint8_t ram[SIZE], next[SIZE], high[SIZE];
} Fixture;

/* Two regions that touch, and one at the very end. */
static void fixture_init(Fixture *f) {
  *f = (Fixture){0};
  g_assert_true(guest_memory_add(&f->memory, RAM, SIZE, f->ram));
  g_assert_true(guest_memory_add(&f->memory, RAM + SIZE, SIZE, f->next));
  g_assert_true(guest_memory_add(&f->memory, HIGH, SIZE, f->high));
  g_assert_cmpuint(f->memory.n_regions, ==, 3);
}

/* What others may map says how. */
static void test_shared(void) {
  GuestMemory memory = {0};
  uint8_t own[SIZE], shared[SIZE];

  g_assert_true(guest_memory_add(&memory, RAM, SIZE, own));
  g_assert_false(guest_memory_add_shared(&memory, RAM, SIZE, shared, 5, 0));
  g_assert_true(guest_memory_add_shared(&memory, RAM + SIZE, SIZE, shared, 5, 0x3000));
  g_assert_cmpint(memory.regions[0].fd, ==, -1);
  g_assert_cmpint(memory.regions[1].fd, ==, 5);
  g_assert_cmphex(memory.regions[1].fd_offset, ==, 0x3000);
  g_assert_true(guest_memory_slice(&memory, RAM + SIZE + 1, 1) == shared + 1);
}

static void test_add(void) {
  static const struct {
    uint64_t base, size;
  } refused[] = {
      {RAM, 0},                     /* empty */
      {RAM, SIZE},                  /* the same again */
      {RAM + SIZE - 1, 1},          /* the last byte of one */
      {RAM - 1, 2},                 /* up to the first */
      {RAM - SIZE, 4 * SIZE},       /* around two */
      {RAM + 0x10, 0x10},           /* inside */
      {RAM + 2 * SIZE - 1, SIZE},   /* over the end of the second */
      {HIGH, 1},                    /* in the last page */
      {UINT64_MAX, 1},              /* the last byte there is */
      {UINT64_MAX, 2},              /* wraps round */
      {0x80000000, UINT64_MAX},     /* wraps far round */
      {1, UINT64_MAX},              /* everything but nothing: reaches the end, over all */
      {HIGH - SIZE, SIZE + 1},      /* up to the first byte of the last page */
      {RAM + 2 * SIZE, UINT64_MAX}, /* wraps round */
  };
  Fixture f;
  uint8_t other[SIZE];

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
    g_test_message("0x%" G_GINT64_MODIFIER "x + 0x%" G_GINT64_MODIFIER "x", refused[i].base, refused[i].size);
    g_assert_false(guest_memory_add(&f.memory, refused[i].base, refused[i].size, other));
    g_assert_cmpuint(f.memory.n_regions, ==, 3);
  }
  g_assert_true(guest_memory_add(&f.memory, RAM - 1, 1, other)); /* touches from below */
  g_assert_false(guest_memory_add(&f.memory, 0, SIZE, other));   /* full */
  g_assert_cmpuint(f.memory.n_regions, ==, GUEST_MEMORY_MAX_REGIONS);
}

static void test_slice_inside(void) {
  Fixture f;
  fixture_init(&f);

  g_assert_true(guest_memory_slice(&f.memory, RAM, 1) == f.ram);
  g_assert_true(guest_memory_slice(&f.memory, RAM, SIZE) == f.ram);
  g_assert_true(guest_memory_slice(&f.memory, RAM + 1, SIZE - 1) == f.ram + 1);
  g_assert_true(guest_memory_slice(&f.memory, RAM + SIZE - 1, 1) == f.ram + SIZE - 1);
  g_assert_true(guest_memory_slice(&f.memory, RAM + SIZE, 1) == f.next);
  g_assert_true(guest_memory_slice(&f.memory, RAM + SIZE, SIZE) == f.next);
  g_assert_true(guest_memory_slice(&f.memory, HIGH, SIZE) == f.high);
  g_assert_true(guest_memory_slice(&f.memory, UINT64_MAX, 1) == f.high + SIZE - 1);
  for (uint64_t offset = 0; offset < SIZE; offset += 97)
    g_assert_true(guest_memory_slice(&f.memory, RAM + offset, SIZE - offset) == f.ram + offset);
}

static void test_slice_outside(void) {
  static const struct {
    uint64_t address, size;
  } refused[] = {
      {RAM, 0},
      {RAM + 5, 0},
      {RAM - 1, 1},
      {RAM - 1, 2},
      {RAM, SIZE + 1}, /* into the region that touches: not one piece of host memory */
      {RAM + SIZE - 1, 2},
      {RAM + 2 * SIZE, 1},
      {RAM + 2 * SIZE - 1, 2},
      {0, 1},
      {0, UINT64_MAX},
      {RAM, UINT64_MAX},
      {RAM, UINT64_MAX - RAM + 1}, /* address + size is 0 */
      {RAM, UINT64_MAX - RAM + 2}, /* ... is 1 */
      {RAM, (UINT64_C(1) << 32) + 1},
      {RAM, UINT64_C(1) << 63},
      {HIGH, SIZE + 1}, /* address + size is 1 */
      {HIGH - 1, 1},
      {HIGH - 1, SIZE},
      {UINT64_MAX, 2},
      {UINT64_MAX, UINT64_MAX},
  };
  Fixture f;
  uint8_t byte = 0x55;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
    g_test_message("0x%" G_GINT64_MODIFIER "x + 0x%" G_GINT64_MODIFIER "x", refused[i].address, refused[i].size);
    g_assert_null(guest_memory_slice(&f.memory, refused[i].address, refused[i].size));
    g_assert_false(guest_memory_read(&f.memory, refused[i].address, &byte, (size_t)refused[i].size));
    g_assert_false(guest_memory_write(&f.memory, refused[i].address, &byte, (size_t)refused[i].size));
    g_assert_cmphex(byte, ==, 0x55);
  }
  for (unsigned i = 0; i < SIZE; i++)
    g_assert_cmphex(f.ram[i] | f.next[i] | f.high[i], ==, 0);
}

static void test_copy(void) {
  Fixture f;
  uint8_t bytes[16];

  fixture_init(&f);
  g_assert_true(guest_memory_write(&f.memory, RAM + SIZE - 5, "hello", 5));
  g_assert_cmpmem(f.ram + SIZE - 5, 5, "hello", 5);
  g_assert_cmphex(f.ram[SIZE - 6], ==, 0);
  g_assert_cmphex(f.next[0], ==, 0);
  memset(bytes, 0xaa, sizeof bytes);
  g_assert_true(guest_memory_read(&f.memory, RAM + SIZE - 5, bytes + 1, 5));
  g_assert_cmpmem(bytes + 1, 5, "hello", 5);
  g_assert_cmphex(bytes[0], ==, 0xaa);
  g_assert_cmphex(bytes[6], ==, 0xaa);
  g_assert_true(guest_memory_write(&f.memory, UINT64_MAX, "z", 1));
  g_assert_cmphex(f.high[SIZE - 1], ==, 'z');
}

static void test_empty(void) {
  GuestMemory memory = {0};
  uint8_t byte;

  g_assert_false(guest_memory_add(&memory, 0, 0, &byte));
  g_assert_cmpuint(memory.n_regions, ==, 0);

  g_assert_null(guest_memory_slice(&memory, 0, 1));
  g_assert_null(guest_memory_slice(&memory, UINT64_MAX, 1));
  g_assert_false(guest_memory_read(&memory, 0, &byte, 1));
  g_assert_false(guest_memory_write(&memory, 0, "x", 1));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/guest-memory/shared", test_shared);
  g_test_add_func("/guest-memory/add", test_add);
  g_test_add_func("/guest-memory/slice-inside", test_slice_inside);
  g_test_add_func("/guest-memory/slice-outside", test_slice_outside);
  g_test_add_func("/guest-memory/copy", test_copy);
  g_test_add_func("/guest-memory/empty", test_empty);
  return g_test_run();
}
