/* SPDX-License-Identifier: Apache-2.0 */
/* pvpanic: devices/pvpanic.c. */
#include "devices/pvpanic.h"

#include <libfdt.h>

#include "devices/bus.h"
#include "tests/unit/devices/fake-guest-events.h"
#include "tests/unit/fakes.h"

#define BASE 0x9410000

static const DeviceSlot slot = {.base = BASE, .size = PVPANIC_SIZE, .spi = DEVICE_NO_SPI};

typedef struct {
  FakeGuestEvents events;
  Device *panic;
  Bus *bus;
} Fixture;

static void fixture_init(Fixture *f) {
  *f = (Fixture){.events = FAKE_GUEST_EVENTS, .bus = bus_new()};
  f->panic = pvpanic_kind.make(&(DeviceParts){.events = &f->events.events}, NULL);
  g_assert_true(bus_add(f->bus, &slot, f->panic, NULL));
  bus_seal(f->bus);
}

static void fixture_clear(Fixture *f) {
  bus_free(f->bus);
  device_free(f->panic);
}

static void test_events(void) {
  static const struct {
    uint8_t value;
    unsigned panics, recoveries;
  } cases[] = {{1, 1, 0}, {2, 0, 1}, {3, 1, 0}, {0, 0, 0}, {4, 0, 0}, {0xfc, 0, 0}, {0xff, 1, 0}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    Fixture f;
    fixture_init(&f);
    g_assert_cmphex(bus_read(f.bus, BASE, 1), ==, 3);
    bus_write(f.bus, BASE, 1, cases[i].value);
    g_assert_cmpuint(f.events.panics, ==, cases[i].panics);
    g_assert_cmpuint(f.events.recoveries, ==, cases[i].recoveries);
    fixture_clear(&f);
  }
}

/* One is told of the first panic of a boot, however often a guest says it. */
static void test_once(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < 100; i++)
    bus_write(f.bus, BASE, 1, 2);
  g_assert_cmpuint(f.events.recoveries, ==, 1);
  device_reset(f.panic);
  bus_write(f.bus, BASE, 1, 1);
  g_assert_cmpuint(f.events.panics, ==, 1);
  fixture_clear(&f);
}

static void test_elsewhere(void) {
  Fixture f;

  fixture_init(&f);
  bus_write(f.bus, BASE + 1, 1, 1);
  bus_write(f.bus, BASE, 4, 1);
  g_assert_cmphex(bus_read(f.bus, BASE + 1, 1), ==, 0);
  g_assert_cmphex(bus_read(f.bus, BASE, 8), ==, 0);
  g_assert_cmpuint(f.events.panics, ==, 0);
  fixture_clear(&f);
}

static void test_describe(void) {
  Fixture f;

  fixture_init(&f);
  g_autoptr(GBytes) tree = fake_describe(f.panic, &slot);
  fake_assert_string(tree, "/pvpanic@9410000", "compatible", "qemu,pvpanic-mmio");
  fake_assert_cells(tree, "/pvpanic@9410000", "reg", 0, BASE, 0, 2);
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pvpanic/events", test_events);
  g_test_add_func("/pvpanic/once", test_once);
  g_test_add_func("/pvpanic/elsewhere", test_elsewhere);
  g_test_add_func("/pvpanic/describe", test_describe);
  return g_test_run();
}
