/* SPDX-License-Identifier: Apache-2.0 */
/* SP805 watchdog: devices/sp805.c against Arm DDI 0270. */
#include "devices/sp805.h"

#include <libfdt.h>

#include "tests/unit/devices/fake-guest-events.h"
#include "tests/unit/fakes.h"

/* DDI 0270, 3.2. */
enum { LOAD = 0x000, VALUE = 0x004, CONTROL = 0x008, INTCLR = 0x00c, RIS = 0x010, MIS = 0x014, LOCK = 0xc00 };

#define COUNTS_A_SECOND 24000000u
#define SECOND          FAKE_CLOCK_SECOND

typedef struct {
  FakeIrqLine irq;
  FakeClock clock;
  FakeGuestEvents events;
  Device *watchdog;
} Fixture;

static void fixture_init(Fixture *f) {
  *f = (Fixture){.irq = FAKE_IRQ_LINE, .clock = FAKE_CLOCK(1000), .events = FAKE_GUEST_EVENTS};
  f->watchdog = sp805_kind.make(&(DeviceParts){.irq = &f->irq.line, .clock = &f->clock.clock, .events = &f->events.events}, NULL);
}

static void fixture_clear(Fixture *f) {
  device_free(f->watchdog);
  g_assert_null(f->clock.timers); /* given back */
}

static uint32_t rd(Fixture *f, uint64_t offset) {
  return (uint32_t)f->watchdog->ops->read(f->watchdog, offset, 4);
}

static void wr(Fixture *f, uint64_t offset, uint32_t value) {
  f->watchdog->ops->write(f->watchdog, offset, 4, value);
}

/* One that barks after SECONDS, and bites after as many more. */
static void start(Fixture *f, unsigned seconds) {
  wr(f, LOAD, COUNTS_A_SECOND * seconds - 1);
  wr(f, CONTROL, 3);
}

static void test_power_on(void) {
  static const struct {
    uint32_t offset, value;
    const char *name;
  } registers[] = {{LOAD, UINT32_MAX, "WdogLoad"},
                   {VALUE, UINT32_MAX, "WdogValue"},
                   {CONTROL, 0, "WdogControl"},
                   {INTCLR, 0, "WdogIntClr"},
                   {RIS, 0, "WdogRIS"},
                   {MIS, 0, "WdogMIS"},
                   {LOCK, 0, "WdogLock"},
                   {0xfe0, 0x05, "WdogPeriphID"},
                   {0xfe4, 0x18, "WdogPeriphID"},
                   {0xfe8, 0x14, "WdogPeriphID"},
                   {0xfec, 0, "WdogPeriphID"},
                   {0xff0, 0x0d, "WdogPCellID"},
                   {0xff4, 0xf0, "WdogPCellID"},
                   {0xff8, 0x05, "WdogPCellID"},
                   {0xffc, 0xb1, "WdogPCellID"}};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].value);
    g_assert_cmpstr(f.watchdog->ops->register_name(f.watchdog, registers[i].offset), ==, registers[i].name);
  }
  g_assert_cmpint(fake_clock_next(&f.clock), ==, INT64_MAX);
  fixture_clear(&f);
}

static void test_bite(void) {
  Fixture f;

  fixture_init(&f);
  start(&f, 2);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  g_assert_false(f.irq.level);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_true(f.irq.level);
  g_assert_cmpuint(rd(&f, RIS), ==, 1);
  g_assert_cmpuint(rd(&f, MIS), ==, 1);
  g_assert_cmpuint(f.events.expired, ==, 0);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1); /* it has begun again */
  g_assert_cmpuint(f.events.expired, ==, 0);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_cmpuint(f.events.expired, ==, 1);
  fake_clock_advance(&f.clock, 1000 * SECOND);
  g_assert_cmpuint(f.events.expired, ==, 1);
  fixture_clear(&f);
}

static void test_served(void) {
  Fixture f;

  fixture_init(&f);
  start(&f, 2);
  for (unsigned i = 0; i < 10; i++) {
    fake_clock_advance(&f.clock, SECOND * 3); /* it barks */
    g_assert_true(f.irq.level);
    wr(&f, INTCLR, i);
    g_assert_false(f.irq.level);
    g_assert_cmpuint(rd(&f, VALUE), ==, 2 * COUNTS_A_SECOND - 1);
  }
  g_assert_cmpuint(f.events.expired, ==, 0);
  wr(&f, LOAD, 10 * COUNTS_A_SECOND - 1); /* takes effect at once */
  fake_clock_advance(&f.clock, 9 * SECOND);
  g_assert_false(f.irq.level);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  fixture_clear(&f);
}

/* Without RESEN it interrupts, and no more; without INTEN it stands still. */
static void test_enables(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, LOAD, COUNTS_A_SECOND - 1);
  wr(&f, CONTROL, 2);
  fake_clock_advance(&f.clock, 10 * SECOND);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  g_assert_cmpuint(rd(&f, RIS), ==, 0);
  wr(&f, CONTROL, 1);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_true(f.irq.level);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, INT64_MAX); /* nothing more will happen */
  fake_clock_advance(&f.clock, 10 * SECOND + SECOND / 2);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND / 2 - 1);
  g_assert_cmpuint(f.events.expired, ==, 0);
  wr(&f, CONTROL, 0);
  g_assert_false(f.irq.level);
  g_assert_cmpuint(rd(&f, RIS), ==, 1);
  g_assert_cmpuint(rd(&f, MIS), ==, 0);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND / 2 - 1);
  wr(&f, CONTROL, 1);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  fixture_clear(&f);
}

static void test_lock(void) {
  Fixture f;

  fixture_init(&f);
  start(&f, 1);
  wr(&f, LOCK, 1);
  g_assert_cmpuint(rd(&f, LOCK), ==, 1);
  wr(&f, CONTROL, 0);
  wr(&f, LOAD, 5);
  g_assert_cmpuint(rd(&f, CONTROL), ==, 3);
  g_assert_cmpuint(rd(&f, LOAD), ==, COUNTS_A_SECOND - 1);
  fake_clock_advance(&f.clock, SECOND);
  wr(&f, INTCLR, 1);
  g_assert_true(f.irq.level);
  wr(&f, LOCK, 0x1acce551);
  g_assert_cmpuint(rd(&f, LOCK), ==, 0);
  wr(&f, INTCLR, 1);
  g_assert_false(f.irq.level);
  fixture_clear(&f);
}

/* While the machine stands still, so does its watchdog. */
static void test_pause(void) {
  Fixture f;

  fixture_init(&f);
  start(&f, 4);
  fake_clock_advance(&f.clock, 3 * SECOND);
  device_pause(f.watchdog);
  fake_clock_advance(&f.clock, 3600 * SECOND);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  device_resume(f.watchdog);
  g_assert_cmpuint(rd(&f, VALUE), ==, COUNTS_A_SECOND - 1);
  g_assert_false(f.irq.level);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_true(f.irq.level);
  fixture_clear(&f);
}

static void test_reset(void) {
  Fixture f;

  fixture_init(&f);
  start(&f, 1);
  fake_clock_advance(&f.clock, SECOND);
  wr(&f, LOCK, 1);
  /* As a machine does it. */
  device_pause(f.watchdog);
  device_reset(f.watchdog);
  device_resume(f.watchdog);
  g_assert_false(f.irq.level);
  g_assert_cmpuint(rd(&f, CONTROL), ==, 0);
  g_assert_cmpuint(rd(&f, VALUE), ==, UINT32_MAX);
  g_assert_cmpuint(rd(&f, LOCK), ==, 0);
  fake_clock_advance(&f.clock, 1000 * SECOND);
  g_assert_cmpuint(f.events.expired, ==, 0);
  fixture_clear(&f);
}

/* A load of nothing cannot keep the host busy: each write of the guest leads to two timers at most. */
static void test_storm(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, LOAD, 0);
  wr(&f, CONTROL, 1);
  unsigned before = f.clock.armed;
  for (unsigned i = 0; i < 100; i++)
    fake_clock_advance(&f.clock, SECOND);
  g_assert_cmpuint(f.clock.armed - before, <=, 2);
  g_assert_cmpuint(rd(&f, VALUE), ==, 0);
  fixture_clear(&f);
}

/* A guest that does anything at all: the line is what the registers say. */
static void test_random(void) {
  static const uint32_t offsets[] = {LOAD, VALUE, CONTROL, INTCLR, RIS, MIS, LOCK, 0xf00, 0xf04, 0xfe0, 0x18};
  g_autoptr(GRand) random = g_rand_new_with_seed(0x805);
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < 20000; i++) {
    uint32_t offset = offsets[g_rand_int_range(random, 0, G_N_ELEMENTS(offsets))];
    uint32_t value = g_rand_int(random) >> g_rand_int_range(random, 0, 32);
    wr(&f, offset, offset == LOCK && g_rand_boolean(random) ? 0x1acce551 : value);
    fake_clock_advance(&f.clock, g_rand_int_range(random, 0, 1 << g_rand_int_range(random, 1, 30)));
    g_assert_cmpint(f.irq.level, ==, rd(&f, MIS));
    rd(&f, VALUE);
  }
  fixture_clear(&f);
}

static void test_describe(void) {
  DeviceSlot slot = {.base = 0x9400000, .size = SP805_SIZE, .spi = 10, .trigger = FDT_IRQ_LEVEL_HIGH};
  Fixture f;

  fixture_init(&f);
  g_autoptr(GBytes) tree = fake_describe(f.watchdog, &slot);
  fake_assert_string(tree, "/sp805@9400000", "compatible", "arm,sp805\0arm,primecell");
  fake_assert_cells(tree, "/sp805@9400000", "interrupts", 0, 10, 4);
  fake_assert_string(tree, "/sp805@9400000", "clock-names", "wdog_clk\0apb_pclk");
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sp805/power-on", test_power_on);
  g_test_add_func("/sp805/bite", test_bite);
  g_test_add_func("/sp805/served", test_served);
  g_test_add_func("/sp805/enables", test_enables);
  g_test_add_func("/sp805/lock", test_lock);
  g_test_add_func("/sp805/pause", test_pause);
  g_test_add_func("/sp805/reset", test_reset);
  g_test_add_func("/sp805/storm", test_storm);
  g_test_add_func("/sp805/random", test_random);
  g_test_add_func("/sp805/describe", test_describe);
  return g_test_run();
}
