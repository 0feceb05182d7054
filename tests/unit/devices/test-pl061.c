/* SPDX-License-Identifier: Apache-2.0 */
/* PL061 GPIO with the power button: devices/pl061.c against Arm DDI 0190. */
#include "devices/pl061.h"

#include <libfdt.h>

#include "devices/bus.h"
#include "tests/unit/fake-shortcuts.h"
#include "tests/unit/fakes.h"

/* DDI 0190, 3.2. */
enum {
  GPIODATA = 0x000,
  GPIODIR = 0x400,
  GPIOIS = 0x404,
  GPIOIBE = 0x408,
  GPIOIEV = 0x40c,
  GPIOIE = 0x410,
  GPIORIS = 0x414,
  GPIOMIS = 0x418,
  GPIOIC = 0x41c,
  GPIOAFSEL = 0x420,
};

#define ALL_LINES (0xff << 2) /* as an offset: all bits of the mask in address bits 9:2 */
#define BUTTON    0x08        /* line 3 */

typedef struct {
  FakeIrqLine irq;
  Device *gpio;
} Fixture;

static void fixture_init(Fixture *f) {
  *f = (Fixture){.irq = FAKE_IRQ_LINE};
  f->gpio = pl061_kind.make(&(DeviceParts){.irq = &f->irq.line}, NULL);
}

static void fixture_clear(Fixture *f) {
  device_free(f->gpio);
}

static uint32_t rd(Fixture *f, uint64_t offset) {
  return (uint32_t)f->gpio->ops->read(f->gpio, offset, 4);
}

static void wr(Fixture *f, uint64_t offset, uint32_t value) {
  f->gpio->ops->write(f->gpio, offset, 4, value);
}

static const struct {
  uint32_t offset, writable;
  const char *name;
} registers[] = {
    {GPIODIR, 0xff, "GPIODIR"}, {GPIOIS, 0xff, "GPIOIS"}, {GPIOIBE, 0xff, "GPIOIBE"},
    {GPIOIEV, 0xff, "GPIOIEV"}, {GPIOIE, 0xff, "GPIOIE"}, {GPIORIS, 0, "GPIORIS"},
    {GPIOMIS, 0, "GPIOMIS"},    {GPIOIC, 0, "GPIOIC"},    {GPIOAFSEL, 0xff, "GPIOAFSEL"},
};

static void test_registers(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    uint32_t offset = registers[i].offset, mask = registers[i].writable;
    Fixture f;
    fixture_init(&f); /* anew: level detection of one register shows in others */
    g_test_message("%s", registers[i].name);
    g_assert_cmphex(rd(&f, offset), ==, 0);
    wr(&f, offset, UINT32_MAX);
    g_assert_cmphex(rd(&f, offset), ==, mask);
    wr(&f, offset, 0x5a5a5a5a);
    g_assert_cmphex(rd(&f, offset), ==, 0x5a & mask);
    wr(&f, offset, 0);
    g_assert_cmphex(rd(&f, offset), ==, 0);
    g_assert_cmpstr(f.gpio->ops->register_name(f.gpio, offset), ==, registers[i].name);
    g_assert_false(f.irq.level);
    fixture_clear(&f);
  }
}

/* Writing one register changes no other. */
static void test_registers_are_apart(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    Fixture f;
    fixture_init(&f);
    wr(&f, GPIOIEV, 0xff); /* inputs are low: no level is active */
    wr(&f, registers[i].offset, 0xa5);
    for (unsigned j = 0; j < G_N_ELEMENTS(registers); j++) {
      uint32_t expected = registers[j].offset == GPIOIEV ? 0xff : 0;
      if (j != i)
        g_assert_cmphex(rd(&f, registers[j].offset), ==, expected);
    }
    fixture_clear(&f);
  }
}

static void test_identification(void) {
  static const uint8_t ids[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
    wr(&f, 0xfe0 + 4 * i, 0xff);
    g_assert_cmphex(rd(&f, 0xfe0 + 4 * i), ==, ids[i]);
    g_assert_cmpstr(f.gpio->ops->register_name(f.gpio, 0xfe0 + 4 * i), ==, i < 4 ? "GPIOPeriphID" : "GPIOPCellID");
  }
  fixture_clear(&f);
}

/* What a guest loads is what the registers read, after whatever has happened. */
static void test_page(void) {
  const DeviceSlot slot = {.base = 0x9030000, .size = PL061_SIZE};
  GRand *random = g_rand_new_with_seed(61);
  FakeShortcuts fake;
  Fixture f;

  fixture_init(&f);
  fake_shortcuts_init(&fake);
  device_connect(f.gpio, &slot, &fake.shortcuts);
  for (unsigned i = 0; i < 300; i++) {
    if (g_rand_boolean(random))
      pl061_kind.set_power_button(f.gpio, g_rand_boolean(random));
    else
      wr(&f, (uint64_t)g_rand_int_range(random, 0, PL061_SIZE / 4) * 4, g_rand_int(random));
    for (uint64_t offset = 0; offset < PL061_SIZE; offset += 4) {
      uint64_t value;
      g_assert_true(fake_shortcuts_read(&fake, slot.base + offset, 4, &value));
      g_assert_cmphex(value, ==, rd(&f, offset));
    }
  }
  g_rand_free(random);
  fixture_clear(&f);
  g_assert_cmpuint(fake.n, ==, 0);
}

static void test_holes(void) {
  Fixture f;

  fixture_init(&f);
  for (uint64_t offset = 0; offset < PL061_SIZE; offset += 4) {
    if (f.gpio->ops->register_name(f.gpio, offset))
      continue;
    wr(&f, offset, UINT32_MAX);
    g_assert_cmphex(rd(&f, offset), ==, 0);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, 0);
  g_assert_cmpstr(f.gpio->ops->register_name(f.gpio, 0x000), ==, "GPIODATA");
  g_assert_cmpstr(f.gpio->ops->register_name(f.gpio, 0x3fc), ==, "GPIODATA");
  g_assert_null(f.gpio->ops->register_name(f.gpio, 0x424));
  fixture_clear(&f);
}

/* Every mask in the address, for writes and for reads. */
static void test_data_mask(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIODIR, 0xff);
  for (unsigned mask = 0; mask < 256; mask++) {
    wr(&f, ALL_LINES, 0x00);
    wr(&f, mask << 2, 0xff);
    g_assert_cmphex(rd(&f, ALL_LINES), ==, mask);
    g_assert_cmphex(rd(&f, mask << 2), ==, mask);
    g_assert_cmphex(rd(&f, (~mask & 0xff) << 2), ==, 0);
    wr(&f, ALL_LINES, 0xff);
    wr(&f, mask << 2, 0x00);
    g_assert_cmphex(rd(&f, ALL_LINES), ==, ~mask & 0xff);
  }
  fixture_clear(&f);
}

/* Only outputs take what is written, and inputs show what is outside. */
static void test_direction(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, ALL_LINES, 0xff);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0x00);
  wr(&f, GPIODIR, 0xf0);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0x00); /* what was written to inputs is not kept */
  wr(&f, ALL_LINES, 0xff);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0xf0);
  pl061_kind.set_power_button(f.gpio, true);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0xf8);
  g_assert_cmphex(rd(&f, BUTTON << 2), ==, BUTTON);
  g_assert_cmphex(rd(&f, (0xff & ~BUTTON) << 2), ==, 0xf0);
  wr(&f, GPIODIR, 0x08); /* the button's line as an output: the guest drives it low */
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0x00);
  wr(&f, GPIODIR, 0x00);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, BUTTON);
  pl061_kind.set_power_button(f.gpio, false);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, 0x00);
  fixture_clear(&f);
}

/* Each kind of edge against each movement of the button. */
static void test_edges(void) {
  static const struct {
    uint8_t ibe, iev;
    bool on_press, on_release;
  } cases[] = {
      {0, 0, false, true},
      {0, BUTTON, true, false},
      {BUTTON, 0, true, true},
      {BUTTON, BUTTON, true, true},
      {(uint8_t)~BUTTON, (uint8_t)~BUTTON, false, true}, /* other lines' settings do not matter */
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    Fixture f;
    fixture_init(&f);
    wr(&f, GPIOIBE, cases[i].ibe);
    wr(&f, GPIOIEV, cases[i].iev);
    wr(&f, GPIOIE, 0xff);
    pl061_kind.set_power_button(f.gpio, true);
    g_assert_cmphex(rd(&f, GPIORIS), ==, cases[i].on_press ? BUTTON : 0);
    g_assert_cmpint(f.irq.level, ==, cases[i].on_press);
    wr(&f, GPIOIC, BUTTON);
    g_assert_false(f.irq.level);
    pl061_kind.set_power_button(f.gpio, true); /* still held: no edge */
    g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
    pl061_kind.set_power_button(f.gpio, false);
    g_assert_cmphex(rd(&f, GPIORIS), ==, cases[i].on_release ? BUTTON : 0);
    g_assert_cmpint(f.irq.level, ==, cases[i].on_release);
    fixture_clear(&f);
  }
}

static void test_edge_stays(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIOIEV, BUTTON);
  wr(&f, GPIOIE, BUTTON);
  pl061_kind.set_power_button(f.gpio, true);
  pl061_kind.set_power_button(f.gpio, false);
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, GPIOMIS), ==, BUTTON);
  wr(&f, GPIOIC, (uint32_t)~BUTTON);
  g_assert_true(f.irq.level);
  wr(&f, GPIOIC, BUTTON);
  g_assert_false(f.irq.level);
  g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
  g_assert_cmpuint(f.irq.raised, ==, 1);
  fixture_clear(&f);
}

static void test_levels(void) {
  for (unsigned high = 0; high < 2; high++) {
    Fixture f;
    fixture_init(&f);
    wr(&f, GPIOIS, BUTTON);
    wr(&f, GPIOIEV, high ? BUTTON : 0);
    wr(&f, GPIOIE, BUTTON);
    g_assert_cmpint(f.irq.level, ==, !high);
    pl061_kind.set_power_button(f.gpio, true);
    g_assert_cmpint(f.irq.level, ==, high);
    g_assert_cmphex(rd(&f, GPIORIS), ==, high ? BUTTON : 0);
    wr(&f, GPIOIC, 0xff); /* a level is not cleared */
    g_assert_cmpint(f.irq.level, ==, high);
    pl061_kind.set_power_button(f.gpio, false);
    g_assert_cmpint(f.irq.level, ==, !high);
    wr(&f, GPIOIS, 0); /* back to edges: none was seen */
    g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
    g_assert_false(f.irq.level);
    fixture_clear(&f);
  }
}

static void test_mask(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIOIBE, BUTTON);
  wr(&f, GPIOIE, (uint32_t)~BUTTON);
  pl061_kind.set_power_button(f.gpio, true);
  g_assert_cmphex(rd(&f, GPIORIS), ==, BUTTON);
  g_assert_cmphex(rd(&f, GPIOMIS), ==, 0);
  g_assert_false(f.irq.level);
  wr(&f, GPIOIE, BUTTON);
  g_assert_cmphex(rd(&f, GPIOMIS), ==, BUTTON);
  g_assert_true(f.irq.level);
  wr(&f, GPIOIE, 0);
  g_assert_false(f.irq.level);
  g_assert_cmphex(rd(&f, GPIORIS), ==, BUTTON);
  fixture_clear(&f);
}

/* What the guest drives itself interrupts nobody. */
static void test_outputs_do_not_interrupt(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIODIR, 0xff);
  wr(&f, GPIOIBE, 0xff);
  wr(&f, GPIOIE, 0xff);
  wr(&f, ALL_LINES, 0xff);
  wr(&f, ALL_LINES, 0x00);
  g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
  wr(&f, GPIOIS, 0xff);
  wr(&f, GPIOIEV, 0x0f);
  g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
  g_assert_false(f.irq.level);
  pl061_kind.set_power_button(f.gpio, true); /* behind an output */
  g_assert_cmphex(rd(&f, GPIORIS), ==, 0);
  fixture_clear(&f);
}

/* The pin that stops being an output jumps to what is outside. */
static void test_edge_by_direction(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIODIR, BUTTON);
  wr(&f, GPIOIEV, BUTTON);
  wr(&f, GPIOIE, BUTTON);
  pl061_kind.set_power_button(f.gpio, true);
  g_assert_false(f.irq.level);
  wr(&f, GPIODIR, 0);
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, GPIORIS), ==, BUTTON);
  fixture_clear(&f);
}

/* As Linux sets it up for gpio-keys: both edges, and it reads the line in the handler. */
static void test_power_button(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, GPIOIE, 0);
  wr(&f, GPIODIR, 0);
  wr(&f, GPIOIC, BUTTON);
  wr(&f, GPIOIBE, BUTTON);
  wr(&f, GPIOIE, BUTTON);
  for (unsigned presses = 1; presses <= 3; presses++) {
    pl061_kind.set_power_button(f.gpio, true);
    g_assert_true(f.irq.level);
    g_assert_cmphex(rd(&f, GPIOMIS), ==, BUTTON);
    wr(&f, GPIOIC, BUTTON);
    g_assert_cmphex(rd(&f, BUTTON << 2), ==, BUTTON);
    pl061_kind.set_power_button(f.gpio, false);
    g_assert_true(f.irq.level);
    wr(&f, GPIOIC, BUTTON);
    g_assert_cmphex(rd(&f, BUTTON << 2), ==, 0);
    g_assert_false(f.irq.level);
    g_assert_cmpuint(f.irq.raised, ==, 2 * presses);
  }
  fixture_clear(&f);
}

/* A reboot forgets what the guest set, but lifts nobody's finger. */
static void test_reset(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    wr(&f, registers[i].offset, 0xf7);
  wr(&f, ALL_LINES, 0xff);
  wr(&f, GPIODIR, 0x01);
  wr(&f, GPIOIEV, 0x00);
  pl061_kind.set_power_button(f.gpio, true);
  g_assert_true(f.irq.level); /* lines at a level */
  device_reset(f.gpio);
  g_assert_false(f.irq.level);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, 0);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, BUTTON);
  wr(&f, GPIODIR, 0xf7);
  g_assert_cmphex(rd(&f, ALL_LINES), ==, BUTTON); /* driven low again */
  fixture_clear(&f);
}

static void test_widths(void) {
  DeviceSlot slot = {.base = 0x9030000, .size = PL061_SIZE};
  g_autoptr(Bus) bus = bus_new();
  Fixture f;

  fixture_init(&f);
  g_assert_true(bus_add(bus, &slot, f.gpio, NULL));
  bus_seal(bus);
  for (unsigned size = 1; size <= 4; size *= 2) {
    bus_write(bus, 0x9030000 + GPIODIR, size, 0x10 * size);
    g_assert_cmphex(bus_read(bus, 0x9030000 + GPIODIR, size), ==, 0x10 * size);
  }
  g_assert_cmpuint(bus_refused(bus), ==, 0);
  bus_write(bus, 0x9030000 + GPIODIR, 8, 0xff);
  g_assert_cmphex(bus_read(bus, 0x9030000 + GPIODIR, 8), ==, 0x40);
  g_assert_cmphex(bus_read(bus, 0x9030000 + 0xfe4, 1), ==, 0x10);
  g_assert_cmphex(bus_read(bus, 0x9030000 + 0xfe4, 2), ==, 0x10);
  g_assert_cmphex(bus_read(bus, 0x9030000 + 0xfe0, 8), ==, UINT64_C(0x1000000061));
  bus_write(bus, 0x9030000 + GPIODIR + 1, 2, 0xff);
  g_assert_cmpuint(bus_refused(bus), ==, 2);
  g_assert_cmphex(bus_read(bus, 0x9030000 + GPIODIR, 4), ==, 0x40);
  fixture_clear(&f);
}

static void test_describe(void) {
  DeviceSlot slot = {.base = 0x9030000, .size = PL061_SIZE, .spi = 7, .trigger = FDT_IRQ_LEVEL_HIGH};
  Fixture f;

  fixture_init(&f);
  g_autoptr(GBytes) tree = fake_describe(f.gpio, &slot);
  fake_assert_string(tree, "/pl061@9030000", "compatible", "arm,pl061\0arm,primecell");
  fake_assert_cells(tree, "/pl061@9030000", "reg", 0, 0x9030000, 0, 0x1000);
  fake_assert_cells(tree, "/pl061@9030000", "interrupts", 0, 7, 4);
  fake_assert_flag(tree, "/pl061@9030000", "gpio-controller");
  fake_assert_cells(tree, "/pl061@9030000", "#gpio-cells", 2);
  fake_assert_flag(tree, "/pl061@9030000", "interrupt-controller");
  fake_assert_cells(tree, "/pl061@9030000", "#interrupt-cells", 2);
  fake_assert_cells(tree, "/pl061@9030000", "#address-cells", 0);
  fake_assert_cells(tree, "/pl061@9030000", "clocks", FDT_PHANDLE_APB_CLOCK);
  fake_assert_string(tree, "/pl061@9030000", "clock-names", "apb_pclk");
  fake_assert_cells(tree, "/pl061@9030000", "phandle", FDT_PHANDLE_GPIO);
  fake_assert_string(tree, "/gpio-keys", "compatible", "gpio-keys");
  fake_assert_string(tree, "/gpio-keys/poweroff", "label", "GPIO Key Poweroff");
  fake_assert_cells(tree, "/gpio-keys/poweroff", "linux,code", 116);
  fake_assert_cells(tree, "/gpio-keys/poweroff", "gpios", FDT_PHANDLE_GPIO, 3, 0);
  fixture_clear(&f);
}

/* A guest and a finger that do anything at all: the line is always what the registers say. */
static void test_random(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(0x061);
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < 50000; i++) {
    uint64_t offset = g_rand_boolean(random) ? GPIODIR + (uint64_t)g_rand_int_range(random, 0, 10) * 4
                                             : (uint64_t)g_rand_int_range(random, 0, PL061_SIZE / 4) * 4;
    if (g_rand_boolean(random))
      wr(&f, offset, g_rand_int(random));
    else if (g_rand_boolean(random))
      pl061_kind.set_power_button(f.gpio, g_rand_boolean(random));
    else if (g_rand_int_range(random, 0, 100) == 0)
      device_reset(f.gpio);
    g_assert_cmphex(rd(&f, GPIOMIS), ==, rd(&f, GPIORIS) & rd(&f, GPIOIE));
    g_assert_cmpint(f.irq.level, ==, rd(&f, GPIOMIS) != 0);
    g_assert_cmphex(rd(&f, offset) & ~0xffu, ==, 0);
    g_assert_cmphex(rd(&f, ALL_LINES) & ~(rd(&f, GPIODIR) | BUTTON), ==, 0);
  }
  g_assert_cmpuint(f.irq.raised, >, 10); /* it did get somewhere */
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pl061/registers", test_registers);
  g_test_add_func("/pl061/registers-are-apart", test_registers_are_apart);
  g_test_add_func("/pl061/identification", test_identification);
  g_test_add_func("/pl061/page", test_page);
  g_test_add_func("/pl061/holes", test_holes);
  g_test_add_func("/pl061/data-mask", test_data_mask);
  g_test_add_func("/pl061/direction", test_direction);
  g_test_add_func("/pl061/edges", test_edges);
  g_test_add_func("/pl061/edge-stays", test_edge_stays);
  g_test_add_func("/pl061/levels", test_levels);
  g_test_add_func("/pl061/mask", test_mask);
  g_test_add_func("/pl061/outputs-do-not-interrupt", test_outputs_do_not_interrupt);
  g_test_add_func("/pl061/edge-by-direction", test_edge_by_direction);
  g_test_add_func("/pl061/power-button", test_power_button);
  g_test_add_func("/pl061/reset", test_reset);
  g_test_add_func("/pl061/widths", test_widths);
  g_test_add_func("/pl061/describe", test_describe);
  g_test_add_func("/pl061/random", test_random);
  return g_test_run();
}
