/* SPDX-License-Identifier: Apache-2.0 */
/* VMGenID: devices/vmgenid.c. */
#include "devices/vmgenid.h"

#include <libfdt.h>
#include <string.h>

#include "tests/unit/fake-shortcuts.h"
#include "tests/unit/fakes.h"

#define BASE 0x9420000

static const DeviceSlot slot = {.base = BASE, .size = VMGENID_SIZE, .spi = 11, .trigger = FDT_IRQ_EDGE_RISING};

static Device *make(FakeIrqLine *irq, const char *guid) {
  g_autofree char *text = g_strdup(guid);
  const VmGenIdConfig asked = {text};
  g_autoptr(GError) error = NULL;
  Device *device = vmgenid_kind.make(&(DeviceParts){.irq = &irq->line, .asked = &asked}, &error);

  g_assert_no_error(error);
  return device;
}

static void read_id(Device *device, uint8_t id[VMGENID_ID_SIZE]) {
  for (unsigned i = 0; i < VMGENID_ID_SIZE; i++)
    id[i] = (uint8_t)device->ops->read(device, i, 1);
}

/* UEFI 2.10, appendix A, which the specification follows: the first three numbers are little-endian. */
static void test_asked(void) {
  static const uint8_t wanted[] = {0xaf, 0x6e, 0x4e, 0x32, 0xd1, 0xd1, 0xf6, 0x4b, 0xbf, 0x41, 0xb9, 0xbb, 0x6c, 0x91, 0xfb, 0x87};
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) device = make(&irq, "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
  uint8_t id[VMGENID_ID_SIZE];

  read_id(device, id);
  g_assert_cmpmem(id, sizeof id, wanted, sizeof wanted);
  g_assert_cmphex(device->ops->read(device, 0, 4), ==, 0x324e6eaf);
  g_assert_cmphex(device->ops->read(device, VMGENID_ID_SIZE, 8), ==, 0);
  g_assert_cmpstr(device->ops->register_name(device, 15), ==, "GUID");
  g_assert_null(device->ops->register_name(device, 16));
}

static void test_random(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) one = make(&irq, VMGENID_AUTO);
  g_autoptr(Device) other = make(&irq, VMGENID_AUTO);
  uint8_t ids[2][VMGENID_ID_SIZE];

  read_id(one, ids[0]);
  read_id(other, ids[1]);
  g_assert_cmpint(memcmp(ids[0], ids[1], VMGENID_ID_SIZE), !=, 0);
}

/* The guest loads it by itself, cannot write it, and is interrupted when it changes; a reboot changes nothing. */
static void test_change(void) {
  static const uint8_t next[VMGENID_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  FakeIrqLine irq = FAKE_IRQ_LINE;
  FakeShortcuts shortcuts;
  uint8_t id[VMGENID_ID_SIZE];
  uint64_t loaded;

  fake_shortcuts_init(&shortcuts);
  g_autoptr(Device) device = make(&irq, "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
  device_connect(device, &slot, &shortcuts.shortcuts);
  g_assert_true(fake_shortcuts_read(&shortcuts, BASE, 4, &loaded));
  g_assert_cmphex(loaded, ==, 0x324e6eaf);
  device->ops->write(device, 0, 4, 0);
  device_reset(device);
  g_assert_cmphex(device->ops->read(device, 0, 4), ==, 0x324e6eaf);
  g_assert_cmpuint(irq.raised, ==, 0);
  vmgenid_change(device, next);
  g_assert_cmpuint(irq.raised, ==, 1);
  read_id(device, id);
  g_assert_cmpmem(id, sizeof id, next, sizeof next);
  g_assert_true(fake_shortcuts_read(&shortcuts, BASE + 8, 8, &loaded));
  g_assert_cmphex(loaded, ==, 0x100f0e0d0c0b0a09);
}

static void test_valid(void) {
  static const struct {
    const char *text;
    bool valid;
  } cases[] = {
      {"auto", true},
      {"324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87", true},
      {"324E6EAF-D1D1-4BF6-BF41-B9BB6C91FB87", true},
      {"", false},
      {"Auto", false},
      {"324e6eaf", false},
      {"324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb8", false},
      {"324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb877", false},
      {"324e6eafd-1d1-4bf6-bf41-b9bb6c91fb87", false},
      {"324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb8g", false},
      {"{324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb}", false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
    g_assert_cmpint(vmgenid_is_valid(cases[i].text), ==, cases[i].valid);
}

static void test_describe(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) device = make(&irq, VMGENID_AUTO);
  g_autoptr(GBytes) tree = fake_describe(device, &slot);

  fake_assert_string(tree, "/vmgenid@9420000", "compatible", "microsoft,vmgenid");
  fake_assert_cells(tree, "/vmgenid@9420000", "reg", 0, BASE, 0, 16);
  fake_assert_cells(tree, "/vmgenid@9420000", "interrupts", 0, 11, 1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vmgenid/asked", test_asked);
  g_test_add_func("/vmgenid/random", test_random);
  g_test_add_func("/vmgenid/change", test_change);
  g_test_add_func("/vmgenid/valid", test_valid);
  g_test_add_func("/vmgenid/describe", test_describe);
  return g_test_run();
}
