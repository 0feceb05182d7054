/* SPDX-License-Identifier: Apache-2.0 */
/* The hypercall doorbell page: devices/hypercall-doorbell.c, also behind a bus. */
#include <glib.h>
#include <libfdt.h>
#include <string.h>

#include "devices/bus.h"
#include "devices/hypercall-doorbell.h"

#define BASE     UINT64_C(0x09070000)
#define FUNCTION 0xc6004500u
#define VERSION  0x00010000u
#define CALL     0x100

typedef struct {
  unsigned calls, frame;
  uint32_t function;
  uint64_t x[HYPERCALL_DOORBELL_REGISTERS];
} Record;

/* Keeps what came and answers x0 = ~function, x1 = the sum. */
static void record_call(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]) {
  Record *record = opaque;

  record->calls++;
  record->frame = frame;
  record->function = function;
  memcpy(record->x, x, sizeof record->x);
  x[0] = ~(uint64_t)function;
  for (unsigned i = 2; i < HYPERCALL_DOORBELL_REGISTERS; i++)
    x[1] += x[i];
}

static Device *doorbell_new(const char *method, Record *record) {
  const HypercallDoorbellCalls calls = {record_call, record, method, FUNCTION, VERSION};
  return hypercall_doorbell_kind.make(&(DeviceParts){.hypercalls = &calls}, NULL);
}

static uint64_t rd(Device *device, unsigned frame, uint64_t offset, unsigned size) {
  return device->ops->read(device, frame * UINT64_C(0x1000) + offset, size);
}

static void wr(Device *device, unsigned frame, uint64_t offset, unsigned size, uint64_t value) {
  device->ops->write(device, frame * UINT64_C(0x1000) + offset, size, value);
}

static void test_call(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);

  for (unsigned frame = 0; frame < HYPERCALL_DOORBELL_FRAMES; frame++) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < HYPERCALL_DOORBELL_REGISTERS; i++) {
      uint64_t value = UINT64_C(0x123456789abcdef) * (i + 1) + frame;
      wr(device, frame, 8 * i, 8, value);
      g_assert_cmphex(rd(device, frame, 8 * i, 8), ==, value);
      sum += i ? value : 0;
    }
    wr(device, frame, CALL, 4, 0x84000000 + frame);
    g_assert_cmpuint(record.calls, ==, frame + 1);
    g_assert_cmpuint(record.frame, ==, frame);
    g_assert_cmphex(record.function, ==, 0x84000000 + frame);
    g_assert_cmphex(record.x[17], ==, UINT64_C(0x123456789abcdef) * 18 + frame);
    g_assert_cmphex(rd(device, frame, 0, 8), ==, ~UINT64_C(0x84000000) - frame);
    g_assert_cmphex(rd(device, frame, 8, 8), ==, sum);
    g_assert_cmphex(rd(device, frame, CALL, 4), ==, 0x84000000 + frame);
    g_assert_cmpuint(rd(device, frame, 0x104, 4), ==, 1);
  }
}

static void test_halves(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);

  wr(device, 3, 8, 8, UINT64_MAX);
  wr(device, 3, 8, 4, 0x11111111);
  g_assert_cmphex(rd(device, 3, 8, 8), ==, UINT64_C(0xffffffff11111111));
  wr(device, 3, 12, 4, UINT64_C(0x9999999922222222)); /* only the access's own 32 bits count */
  g_assert_cmphex(rd(device, 3, 8, 8), ==, UINT64_C(0x2222222211111111));
  g_assert_cmphex(rd(device, 3, 8, 4), ==, 0x11111111);
  g_assert_cmphex(rd(device, 3, 12, 4), ==, 0x22222222);
  g_assert_cmphex(rd(device, 3, 0, 8), ==, 0);
  g_assert_cmphex(rd(device, 3, 16, 8), ==, 0);
  wr(device, 3, 0x88 + 4, 4, 0x33333333); /* the last half of X17 */
  g_assert_cmphex(rd(device, 3, 0x88, 8), ==, UINT64_C(0x3333333300000000));
}

static void test_identification(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);

  for (unsigned frame = 0; frame < HYPERCALL_DOORBELL_FRAMES; frame++) {
    g_assert_cmphex(rd(device, frame, 0x110, 4), ==, 0x74657265);
    g_assert_cmphex(rd(device, frame, 0x114, 4), ==, VERSION);
    g_assert_cmphex(rd(device, frame, 0x118, 4), ==, FUNCTION);
    g_assert_cmphex(rd(device, frame, 0x11c, 4), ==, frame);
    g_assert_cmphex(rd(device, frame, 0x110, 8), ==, (uint64_t)VERSION << 32 | 0x74657265);
    for (uint64_t offset = 0x110; offset < 0x120; offset += 4)
      wr(device, frame, offset, 4, 5);
    g_assert_cmphex(rd(device, frame, 0x110, 4), ==, 0x74657265);
  }
  g_assert_cmpuint(record.calls, ==, 0);
}

/* Nothing else fires a call, keeps a value, or reaches another frame. */
static void test_nothing_else(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);

  wr(device, 0, CALL, 8, UINT64_C(0xc600450600000000));
  wr(device, 0, 0x104, 4, 7);
  g_assert_cmpuint(rd(device, 0, 0x104, 4), ==, 0);
  for (uint64_t offset = 0x90; offset < 0x1000; offset += 4) {
    if (offset >= CALL && offset < 0x120)
      continue;
    wr(device, 5, offset, 4, UINT32_MAX);
    g_assert_cmphex(rd(device, 5, offset, 4), ==, 0);
  }
  for (uint64_t offset = 0x90; offset < 0x1000; offset += 8)
    wr(device, 5, offset, 8, UINT64_MAX);
  for (unsigned frame = 0; frame < HYPERCALL_DOORBELL_FRAMES; frame++)
    for (unsigned i = 0; i < HYPERCALL_DOORBELL_REGISTERS; i++)
      g_assert_cmphex(rd(device, frame, 8 * i, 8), ==, 0);
  g_assert_cmpuint(record.calls, ==, 0);
}

static void test_reset(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);

  wr(device, 9, 16, 8, 77);
  wr(device, 9, CALL, 4, FUNCTION);
  device_reset(device);
  g_assert_cmphex(rd(device, 9, 0, 8), ==, 0);
  g_assert_cmphex(rd(device, 9, 16, 8), ==, 0);
  g_assert_cmphex(rd(device, 9, CALL, 8), ==, 0);
  g_assert_cmphex(rd(device, 9, 0x118, 4), ==, FUNCTION);
}

static void test_register_names(void) {
  g_autoptr(Device) device = doorbell_new("hvc", NULL);
  static const struct {
    uint64_t offset;
    const char *name;
  } names[] = {{0, "X0"},        {4, "X0"},         {0x1050, "X10"},    {0xf08c, "X17"},          {0x100, "CALL"},
               {0x104, "CALLS"}, {0x3110, "MAGIC"}, {0x114, "VERSION"}, {0x118, "FUNCTION_BASE"}, {0x11c, "FRAME"}};

  for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_cmpstr(device->ops->register_name(device, names[i].offset), ==, names[i].name);
  g_assert_null(device->ops->register_name(device, 0x90));
  g_assert_null(device->ops->register_name(device, 0x108));
  g_assert_null(device->ops->register_name(device, 0xfffc));
}

static void test_bus(void) {
  Record record = {0};
  g_autoptr(Device) device = doorbell_new("hvc", &record);
  g_autoptr(Bus) bus = bus_new();
  g_assert_true(bus_add(bus, &(DeviceSlot){.base = BASE, .size = HYPERCALL_DOORBELL_SIZE, .spi = DEVICE_NO_SPI}, device, NULL));
  bus_seal(bus);

  bus_write(bus, BASE + 0xf008, 8, 5);
  bus_write(bus, BASE + 0xf100, 4, FUNCTION);
  g_assert_cmpuint(record.frame, ==, 15);
  g_assert_cmpuint(record.x[1], ==, 5);
  /* Bytes, halfwords and unaligned words are refused. */
  bus_write(bus, BASE + CALL, 1, 1);
  bus_write(bus, BASE + CALL, 2, 1);
  bus_write(bus, BASE + CALL + 2, 4, 1);
  bus_write(bus, BASE + 4, 8, 1);
  g_assert_cmpuint(record.calls, ==, 1);
  g_assert_cmpuint(bus_refused(bus), ==, 4);
}

static void test_describe(void) {
  for (unsigned with_method = 0; with_method < 2; with_method++) {
    g_autoptr(Device) device = doorbell_new(with_method ? "smc" : NULL, NULL);
    g_autoptr(FdtWriter) writer = fdt_writer_new();
    g_autoptr(GError) error = NULL;
    device_describe(device, &(DeviceSlot){.base = BASE, .size = HYPERCALL_DOORBELL_SIZE, .spi = DEVICE_NO_SPI}, writer);
    g_autoptr(GBytes) tree = fdt_writer_finish(writer, &error);
    g_assert_no_error(error);
    const void *blob = g_bytes_get_data(tree, NULL);
    int node = fdt_path_offset(blob, "/hypercall@9070000");
    g_assert_cmpint(node, >, 0);
    g_assert_cmpint(fdt_node_check_compatible(blob, node, "eret,hypercall-1.0"), ==, 0);
    int size;
    const uint32_t *cells = fdt_getprop(blob, node, "reg", &size);
    g_assert_cmpint(size, ==, 16);
    g_assert_true(cells[0] == 0 && fdt32_to_cpu(cells[1]) == BASE && cells[2] == 0 && fdt32_to_cpu(cells[3]) == 0x10000);
    cells = fdt_getprop(blob, node, "eret,function-base", &size);
    g_assert_true(size == 4 && fdt32_to_cpu(cells[0]) == FUNCTION);
    cells = fdt_getprop(blob, node, "eret,version", &size);
    g_assert_true(size == 4 && fdt32_to_cpu(cells[0]) == VERSION);
    g_assert_cmpstr(fdt_getprop(blob, node, "method", &size), ==, with_method ? "smc" : NULL);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/hypercall-doorbell/call", test_call);
  g_test_add_func("/hypercall-doorbell/halves", test_halves);
  g_test_add_func("/hypercall-doorbell/identification", test_identification);
  g_test_add_func("/hypercall-doorbell/nothing-else", test_nothing_else);
  g_test_add_func("/hypercall-doorbell/reset", test_reset);
  g_test_add_func("/hypercall-doorbell/register-names", test_register_names);
  g_test_add_func("/hypercall-doorbell/bus", test_bus);
  g_test_add_func("/hypercall-doorbell/describe", test_describe);
  return g_test_run();
}
