/* SPDX-License-Identifier: Apache-2.0 */
/* VMClock: devices/vmclock.c against Linux, include/uapi/linux/vmclock-abi.h. */
#include "devices/vmclock.h"

#include <libfdt.h>

#include "tests/unit/fake-shortcuts.h"
#include "tests/unit/fakes.h"

#define BASE 0x9430000

static const DeviceSlot slot = {.base = BASE, .size = VMCLOCK_SIZE, .spi = 12, .trigger = FDT_IRQ_EDGE_RISING};

enum { SEQ_COUNT = 0x0c, DISRUPTION_MARKER = 0x10 };

static uint64_t rd(Device *device, uint64_t offset, unsigned size) {
  return device->ops->read(device, offset, size);
}

static void test_constants(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) device = vmclock_kind.make(&(DeviceParts){.irq = &irq.line}, NULL);

  g_assert_cmphex(rd(device, 0x00, 4), ==, 0x4b4c4356);
  g_assert_cmphex(rd(device, 0x04, 4), ==, VMCLOCK_SIZE);
  g_assert_cmphex(rd(device, 0x08, 2), ==, 1);
  g_assert_cmphex(rd(device, 0x0a, 1), ==, 0xff); /* no time is told */
  g_assert_cmphex(rd(device, SEQ_COUNT, 4), ==, 0);
  g_assert_cmphex(rd(device, DISRUPTION_MARKER, 8), ==, 0);
  g_assert_cmphex(rd(device, 0x18, 8), ==, 1 << 9); /* it interrupts */
  g_assert_cmphex(rd(device, 0x22, 1), ==, 0);
  g_assert_cmpstr(device->ops->register_name(device, SEQ_COUNT), ==, "seq_count");
  device->ops->write(device, DISRUPTION_MARKER, 8, 5);
  g_assert_cmphex(rd(device, DISRUPTION_MARKER, 8), ==, 0);
}

/* The count is even where nothing is being changed, and is another after each change. */
static void test_pause(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  FakeShortcuts shortcuts;
  uint64_t marker;

  fake_shortcuts_init(&shortcuts);
  g_autoptr(Device) device = vmclock_kind.make(&(DeviceParts){.irq = &irq.line}, NULL);
  device_connect(device, &slot, &shortcuts.shortcuts);
  for (unsigned i = 1; i <= 3; i++) {
    irq.level = false; /* an edge */
    device_pause(device);
    g_assert_cmpuint(irq.raised, ==, i - 1);
    device_resume(device);
    g_assert_cmpuint(irq.raised, ==, i);
    g_assert_cmphex(rd(device, SEQ_COUNT, 4), ==, 2 * i);
    g_assert_true(fake_shortcuts_read(&shortcuts, BASE + DISRUPTION_MARKER, 8, &marker));
    g_assert_cmphex(marker, ==, i);
    device_resume(device);
    g_assert_cmphex(rd(device, SEQ_COUNT, 4), ==, 2 * i);
  }
}

/* As a machine reboots: nobody is there who would have missed anything. */
static void test_reboot(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) device = vmclock_kind.make(&(DeviceParts){.irq = &irq.line}, NULL);

  device_pause(device);
  device_reset(device);
  device_resume(device);
  g_assert_cmphex(rd(device, SEQ_COUNT, 4), ==, 0);
  g_assert_cmpuint(irq.raised, ==, 0);
}

static void test_describe(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) device = vmclock_kind.make(&(DeviceParts){.irq = &irq.line}, NULL);
  g_autoptr(GBytes) tree = fake_describe(device, &slot);

  fake_assert_string(tree, "/vmclock@9430000", "compatible", "amazon,vmclock");
  fake_assert_cells(tree, "/vmclock@9430000", "reg", 0, BASE, 0, VMCLOCK_SIZE);
  fake_assert_cells(tree, "/vmclock@9430000", "interrupts", 0, 12, 1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vmclock/constants", test_constants);
  g_test_add_func("/vmclock/pause", test_pause);
  g_test_add_func("/vmclock/reboot", test_reboot);
  g_test_add_func("/vmclock/describe", test_describe);
  return g_test_run();
}
