/* SPDX-License-Identifier: Apache-2.0 */
/* eret's own services: vmm/hypercall/services.c. */
#include <glib.h>
#include <string.h>

#include "vmm/hypercall/hypercall.h"

typedef struct {
  unsigned writes, marks, readies;
  char text[200];
  size_t size;
  uint64_t number;
  int64_t moment;
} Record;

static void record_bytes(Record *record, const char *bytes, size_t size) {
  g_assert_cmpuint(size, <=, sizeof record->text);
  memcpy(record->text, bytes, size);
  record->size = size;
}

static void record_write(void *opaque, const char *text, size_t size) {
  Record *record = opaque;
  record->writes++;
  record_bytes(record, text, size);
}

static void record_mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
  Record *record = opaque;
  record->marks++;
  record->number = number;
  record->moment = monotonic_ns;
  record_bytes(record, name, size);
}

static void record_ready(void *opaque, int64_t monotonic_ns) {
  Record *record = opaque;
  record->readies++;
  record->moment = monotonic_ns;
}

static const HypercallSink sink = {record_write, record_mark, record_ready};
static const HypercallDoor doors[] = {HYPERCALL_BY_HVC, HYPERCALL_BY_SMC, HYPERCALL_BY_DOORBELL};

static HypercallOutcome call(Hypercalls *hypercalls, uint32_t function, uint64_t *x) {
  return hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 0, function, x);
}

/* Bytes into registers from FIRST on, byte by byte as a little-endian guest stores them. */
static void put_bytes(uint64_t *x, unsigned first, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    x[first + i / 8] |= (uint64_t)(uint8_t)bytes[i] << 8 * (i % 8);
}

static void test_version(void) {
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);

  for (unsigned i = 0; i < G_N_ELEMENTS(doors); i++) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {[4] = 44};
    g_assert_cmpint(hypercalls_call_registers(hypercalls, doors[i], 0, 0xc6004500, x), ==, HYPERCALL_RETURN);
    g_assert_cmphex(x[0], ==, 0);
    g_assert_cmphex(x[1], ==, 0x10000);
    g_assert_cmphex(x[2], ==, 0x7f);
    g_assert_cmphex(x[3], ==, 0x74657265);
    g_assert_cmpuint(x[4], ==, 44);
  }
}

static void test_write(void) {
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);
  char all[128];

  for (unsigned i = 0; i < sizeof all; i++)
    all[i] = (char)(255 - i);
  for (size_t size = 1; size <= sizeof all; size++) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {0, size};
    put_bytes(x, 2, all, size);
    g_assert_cmpint(call(hypercalls, ERET_FUNCTION_WRITE, x), ==, HYPERCALL_RETURN);
    g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_SUCCESS);
    g_assert_cmpmem(record.text, record.size, all, size);
  }
  g_assert_cmpuint(record.writes, ==, sizeof all);
}

static void test_write_refused(void) {
  static const uint64_t sizes[] = {0, 129, 256, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 5, UINT64_MAX};
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {0, sizes[i]};
    g_assert_cmpint(call(hypercalls, ERET_FUNCTION_WRITE, x), ==, HYPERCALL_RETURN);
    g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_INVALID_PARAMETER);
    g_assert_cmphex(x[1], ==, sizes[i]);
  }
  g_assert_cmpuint(record.writes, ==, 0);
}

static void test_mark(void) {
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);
  char name[112];

  memset(name, 'n', sizeof name);
  name[111] = '!';
  for (size_t size = 0; size <= sizeof name; size += 8) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {0, UINT64_MAX - size, size};
    int64_t before = g_get_monotonic_time() * 1000;
    put_bytes(x, 3, name, size);
    g_assert_cmpint(call(hypercalls, ERET_FUNCTION_MARK, x), ==, HYPERCALL_RETURN);
    g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_SUCCESS);
    g_assert_cmphex(record.number, ==, UINT64_MAX - size);
    g_assert_cmpmem(record.text, record.size, name, size);
    g_assert_cmpint(record.moment, >=, before);
    g_assert_cmpint(record.moment, <=, g_get_monotonic_time() * 1000 + 1000);
  }
  unsigned marks = record.marks;
  static const uint64_t sizes[] = {113, 128, UINT64_C(1) << 32, UINT64_MAX};
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {0, 7, sizes[i]};
    g_assert_cmpint(call(hypercalls, ERET_FUNCTION_MARK, x), ==, HYPERCALL_RETURN);
    g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_INVALID_PARAMETER);
  }
  g_assert_cmpuint(record.marks, ==, marks);
}

static void test_ready_and_nop(void) {
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);
  uint64_t x[HYPERCALL_N_REGISTERS] = {99, 98};
  int64_t before = g_get_monotonic_time() * 1000;

  g_assert_cmpint(call(hypercalls, ERET_FUNCTION_READY, x), ==, HYPERCALL_RETURN);
  g_assert_cmpuint(x[0], ==, 0);
  g_assert_cmpuint(record.readies, ==, 1);
  g_assert_cmpint(record.moment, >=, before);
  x[0] = 99;
  g_assert_cmpint(call(hypercalls, ERET_FUNCTION_NOP, x), ==, HYPERCALL_RETURN);
  g_assert_cmpuint(x[0], ==, 0);
  g_assert_cmpuint(x[1], ==, 98);
}

static void test_exit(void) {
  static const uint64_t refused[] = {256, UINT64_C(1) << 32, UINT64_MAX};
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);

  g_assert_cmpint(hypercalls_exit_code(hypercalls), ==, -1);
  for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
    uint64_t x[HYPERCALL_N_REGISTERS] = {0, refused[i]};
    g_assert_cmpint(call(hypercalls, ERET_FUNCTION_EXIT, x), ==, HYPERCALL_RETURN);
    g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_INVALID_PARAMETER);
    g_assert_cmpint(hypercalls_exit_code(hypercalls), ==, -1);
  }
  uint64_t x[HYPERCALL_N_REGISTERS] = {0, 255};
  g_assert_cmpint(call(hypercalls, ERET_FUNCTION_EXIT, x), ==, HYPERCALL_EXIT);
  g_assert_cmpint(hypercalls_exit_code(hypercalls), ==, 255);
  x[1] = 0;
  g_assert_cmpint(call(hypercalls, ERET_FUNCTION_EXIT, x), ==, HYPERCALL_EXIT);
  g_assert_cmpint(hypercalls_exit_code(hypercalls), ==, 255);
}

static void test_time(void) {
  Record record = {0};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, &record);
  uint64_t x[HYPERCALL_N_REGISTERS] = {[3] = 33};
  int64_t monotonic = g_get_monotonic_time(), real = g_get_real_time();

  g_assert_cmpint(call(hypercalls, ERET_FUNCTION_TIME, x), ==, HYPERCALL_RETURN);
  g_assert_cmpuint(x[0], ==, 0);
  g_assert_cmpint((int64_t)x[1] / 1000, >=, monotonic);
  g_assert_cmpint((int64_t)x[1] / 1000, <=, g_get_monotonic_time());
  g_assert_cmpint((int64_t)x[2] / 1000, >=, real);
  g_assert_cmpint((int64_t)x[2] / 1000, <=, g_get_real_time());
  g_assert_cmpuint(x[3], ==, 33);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/services/version", test_version);
  g_test_add_func("/services/write", test_write);
  g_test_add_func("/services/write-refused", test_write_refused);
  g_test_add_func("/services/mark", test_mark);
  g_test_add_func("/services/ready-and-nop", test_ready_and_nop);
  g_test_add_func("/services/exit", test_exit);
  g_test_add_func("/services/time", test_time);
  return g_test_run();
}
