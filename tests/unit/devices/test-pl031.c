/* SPDX-License-Identifier: Apache-2.0 */
/* PL031 real-time clock: devices/pl031.c against Arm DDI 0224. */
#include "devices/pl031.h"

#include <libfdt.h>

#include "devices/bus.h"
#include "tests/unit/fake-shortcuts.h"
#include "tests/unit/fakes.h"

/* DDI 0224, 3.2. */
enum { RTCDR = 0x000, RTCMR = 0x004, RTCLR = 0x008, RTCCR = 0x00c, RTCIMSC = 0x010, RTCRIS = 0x014, RTCMIS = 0x018, RTCICR = 0x01c };

#define NOW    UINT32_C(1767225600) /* 2026-01-01 00:00 UTC */
#define SECOND FAKE_CLOCK_SECOND
#define ERA    (INT64_C(1) << 32) /* seconds until the counter wraps round */

typedef struct {
  FakeIrqLine irq;
  FakeClock clock;
  Device *rtc;
} Fixture;

static void fixture_init(Fixture *f) {
  *f = (Fixture){.irq = FAKE_IRQ_LINE, .clock = FAKE_CLOCK(NOW)};
  f->rtc = pl031_kind.make(&(DeviceParts){.irq = &f->irq.line, .clock = &f->clock.clock}, NULL);
}

static void fixture_clear(Fixture *f) {
  device_free(f->rtc);
  g_assert_null(f->clock.timers); /* given back */
}

static uint32_t rd(Fixture *f, uint64_t offset) {
  return (uint32_t)f->rtc->ops->read(f->rtc, offset, 4);
}

static void wr(Fixture *f, uint64_t offset, uint32_t value) {
  f->rtc->ops->write(f->rtc, offset, 4, value);
}

static const struct {
  uint32_t offset, reset;
  const char *name;
} registers[] = {
    {RTCDR, NOW, "RTCDR"},   {RTCMR, 0, "RTCMR"},   {RTCLR, 0, "RTCLR"},   {RTCCR, 1, "RTCCR"},
    {RTCIMSC, 0, "RTCIMSC"}, {RTCRIS, 0, "RTCRIS"}, {RTCMIS, 0, "RTCMIS"}, {RTCICR, 0, "RTCICR"},
};

static void test_registers(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    g_test_message("%s", registers[i].name);
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
    g_assert_cmpstr(f.rtc->ops->register_name(f.rtc, registers[i].offset), ==, registers[i].name);
  }
  g_assert_false(f.irq.level);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, INT64_MAX);
  fixture_clear(&f);
}

static void test_identification(void) {
  static const uint8_t ids[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
    wr(&f, 0xfe0 + 4 * i, 0xff);
    g_assert_cmphex(rd(&f, 0xfe0 + 4 * i), ==, ids[i]);
    g_assert_cmpstr(f.rtc->ops->register_name(f.rtc, 0xfe0 + 4 * i), ==, i < 4 ? "RTCPeriphID" : "RTCPCellID");
  }
  fixture_clear(&f);
}

/*
 * For some seconds a guest loads the time from a page, which turns over with the clock; then nobody wakes up for it any
 * more.
 */
static void test_page(void) {
  const DeviceSlot slot = {.base = 0x9010000, .size = PL031_SIZE};
  FakeShortcuts fake;
  uint64_t value;
  Fixture f;

  fixture_init(&f);
  fake_shortcuts_init(&fake);
  device_connect(f.rtc, &slot, &fake.shortcuts);
  for (unsigned i = 0; fake_shortcuts_read(&fake, slot.base + RTCDR, 4, &value); i++) {
    g_assert_cmpuint(i, <, 100);
    g_assert_cmphex(value, ==, rd(&f, RTCDR));
    wr(&f, RTCLR, 1000 + 7 * i);
    wr(&f, RTCMR, 1000 + 7 * i + 1);
    wr(&f, RTCIMSC, i & 1);
    for (uint64_t offset = 0; offset < PL031_SIZE; offset += 4) {
      g_assert_true(fake_shortcuts_read(&fake, slot.base + offset, 4, &value));
      g_assert_cmphex(value, ==, rd(&f, offset));
    }
    fake_clock_advance(&f.clock, FAKE_CLOCK_SECOND);
  }
  wr(&f, RTCMR, 0);
  g_assert_cmpint(fake_clock_next(&f.clock) - f.clock.now, >, 100 * FAKE_CLOCK_SECOND);
  device_reset(f.rtc); /* as a kernel boots */
  g_assert_true(fake_shortcuts_read(&fake, slot.base + RTCDR, 4, &value));
  fixture_clear(&f);
  g_assert_cmpuint(fake.n, ==, 0);
}

static void test_holes(void) {
  Fixture f;

  fixture_init(&f);
  for (uint64_t offset = 0; offset < PL031_SIZE; offset += 4) {
    if (f.rtc->ops->register_name(f.rtc, offset))
      continue;
    wr(&f, offset, UINT32_MAX);
    g_assert_cmphex(rd(&f, offset), ==, 0);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
  fixture_clear(&f);
}

static void test_read_only(void) {
  static const uint32_t offsets[] = {RTCDR, RTCCR, RTCRIS, RTCMIS};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
    uint32_t before = rd(&f, offsets[i]);
    wr(&f, offsets[i], UINT32_MAX);
    g_assert_cmphex(rd(&f, offsets[i]), ==, before);
    wr(&f, offsets[i], 0);
    g_assert_cmphex(rd(&f, offsets[i]), ==, before);
  }
  fixture_clear(&f);
}

static void test_mask_bits(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCIMSC, UINT32_MAX);
  g_assert_cmphex(rd(&f, RTCIMSC), ==, 1);
  wr(&f, RTCIMSC, 0xfffffffe);
  g_assert_cmphex(rd(&f, RTCIMSC), ==, 0);
  wr(&f, RTCMR, 0xdeadbeef);
  g_assert_cmphex(rd(&f, RTCMR), ==, 0xdeadbeef);
  fixture_clear(&f);
}

/* Writing one register changes no other, but for the time that RTCLR sets. */
static void test_registers_are_apart(void) {
  for (unsigned i = 1; i < G_N_ELEMENTS(registers); i++) {
    Fixture f;
    fixture_init(&f);
    wr(&f, registers[i].offset, 0x12345677);
    for (unsigned j = 1; j < G_N_ELEMENTS(registers); j++)
      if (j != i)
        g_assert_cmphex(rd(&f, registers[j].offset), ==, registers[j].reset);
    fixture_clear(&f);
  }
}

static void test_time_goes_on(void) {
  Fixture f;

  fixture_init(&f);
  fake_clock_advance(&f.clock, SECOND - 1);
  g_assert_cmpuint(rd(&f, RTCDR), ==, NOW);
  fake_clock_advance(&f.clock, 1);
  g_assert_cmpuint(rd(&f, RTCDR), ==, NOW + 1);
  fake_clock_advance(&f.clock, 1000000 * SECOND);
  g_assert_cmpuint(rd(&f, RTCDR), ==, NOW + 1000001);
  fake_clock_advance(&f.clock, -5 * SECOND); /* the host's clock is set back */
  g_assert_cmpuint(rd(&f, RTCDR), ==, NOW + 1000001 - 5);
  fixture_clear(&f);
}

static void test_set_time(void) {
  static const uint32_t times[] = {0, 1, NOW - 1000, NOW, NOW + 1000, 0x7fffffff, 0x80000000, UINT32_MAX};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
    wr(&f, RTCLR, times[i]);
    g_assert_cmphex(rd(&f, RTCLR), ==, times[i]);
    g_assert_cmphex(rd(&f, RTCDR), ==, times[i]);
    fake_clock_advance(&f.clock, 10 * SECOND);
    g_assert_cmphex(rd(&f, RTCDR), ==, (uint32_t)(times[i] + 10)); /* wraps round */
    g_assert_cmphex(rd(&f, RTCLR), ==, times[i]);
  }
  fixture_clear(&f);
}

static void test_alarm(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCIMSC, 1);
  wr(&f, RTCMR, NOW + 5);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, (NOW + INT64_C(5)) * SECOND);
  fake_clock_advance(&f.clock, 5 * SECOND - 1);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  g_assert_false(f.irq.level);
  fake_clock_advance(&f.clock, 1);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  g_assert_cmphex(rd(&f, RTCMIS), ==, 1);
  g_assert_true(f.irq.level);
  wr(&f, RTCICR, 0); /* clears nothing */
  g_assert_true(f.irq.level);
  wr(&f, RTCICR, 1);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  g_assert_false(f.irq.level);
  fake_clock_advance(&f.clock, 100 * SECOND); /* once */
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  g_assert_cmpuint(f.irq.raised, ==, 1);
  fixture_clear(&f);
}

static void test_alarm_mask(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCMR, NOW + 1);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  g_assert_cmphex(rd(&f, RTCMIS), ==, 0);
  g_assert_false(f.irq.level);
  wr(&f, RTCIMSC, 1);
  g_assert_cmphex(rd(&f, RTCMIS), ==, 1);
  g_assert_true(f.irq.level);
  wr(&f, RTCIMSC, 0);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  g_assert_false(f.irq.level);
  fixture_clear(&f);
}

/* The second that is now matches now; one that has passed comes again when the counter has wrapped round. */
static void test_alarm_now_and_past(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCMR, NOW);
  fake_clock_run(&f.clock);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  wr(&f, RTCICR, 1);
  wr(&f, RTCMR, NOW - 1);
  fake_clock_run(&f.clock);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, (NOW - 1 + ERA) * SECOND);
  fake_clock_advance(&f.clock, (ERA - 1) * SECOND);
  g_assert_cmphex(rd(&f, RTCDR), ==, NOW - 1);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  fixture_clear(&f);
}

static void test_alarm_moved(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCMR, NOW + 10);
  wr(&f, RTCMR, NOW + 20);
  fake_clock_advance(&f.clock, 10 * SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  fake_clock_advance(&f.clock, 10 * SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  fixture_clear(&f);
}

/* The alarm is a time of the guest's clock: setting that moves it. */
static void test_alarm_follows_time(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCMR, 1000);
  wr(&f, RTCLR, 990);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, (NOW + INT64_C(10)) * SECOND);
  fake_clock_advance(&f.clock, 9 * SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  wr(&f, RTCLR, 1000); /* straight onto it */
  fake_clock_run(&f.clock);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  wr(&f, RTCICR, 1);
  wr(&f, RTCLR, UINT32_MAX - 1);
  wr(&f, RTCMR, 3); /* behind the wrap */
  fake_clock_advance(&f.clock, 4 * SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  fake_clock_advance(&f.clock, 1 * SECOND);
  g_assert_cmphex(rd(&f, RTCDR), ==, 3);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  fixture_clear(&f);
}

/* A timer that fired while the guest moved the alarm away finds nothing due. */
static void test_alarm_late_call(void) {
  Fixture f;
  ClockTimer *timer;

  fixture_init(&f);
  timer = f.clock.timers->data;
  timer->expired(timer->opaque); /* before there is an alarm */
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  wr(&f, RTCMR, NOW + 1);
  f.clock.now += SECOND;
  wr(&f, RTCMR, NOW + 50);
  timer->expired(timer->opaque);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  fake_clock_advance(&f.clock, 49 * SECOND);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 1);
  wr(&f, RTCICR, 1);
  timer->expired(timer->opaque); /* a second time */
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  wr(&f, RTCMR, rd(&f, RTCDR));
  device_reset(f.rtc);
  timer->expired(timer->opaque);
  g_assert_cmphex(rd(&f, RTCRIS), ==, 0);
  fixture_clear(&f);
}

/* A reboot: the battery keeps the time, and nothing else is left. */
static void test_reset(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, RTCLR, 5000);
  wr(&f, RTCMR, 5001);
  wr(&f, RTCIMSC, 1);
  fake_clock_advance(&f.clock, SECOND);
  g_assert_true(f.irq.level);
  wr(&f, RTCMR, 5050);
  device_reset(f.rtc);
  g_assert_false(f.irq.level);
  g_assert_cmpint(fake_clock_next(&f.clock), ==, INT64_MAX);
  g_assert_cmpuint(rd(&f, RTCDR), ==, 5001);
  for (unsigned i = 1; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
  fixture_clear(&f);
}

static void test_widths(void) {
  DeviceSlot slot = {.base = 0x9010000, .size = PL031_SIZE};
  g_autoptr(Bus) bus = bus_new();
  Fixture f;

  fixture_init(&f);
  g_assert_true(bus_add(bus, &slot, f.rtc, NULL));
  bus_seal(bus);
  g_assert_cmpuint(bus_read(bus, 0x9010000, 4), ==, NOW);
  /* Reads of any width see the moving time and what never changes; RTCMR, in the upper half of the last, is 0. */
  g_assert_cmpuint(bus_read(bus, 0x9010000, 1), ==, (uint8_t)NOW);
  g_assert_cmpuint(bus_read(bus, 0x9010003, 1), ==, (uint32_t)NOW >> 24);
  g_assert_cmpuint(bus_read(bus, 0x9010002, 2), ==, (uint32_t)NOW >> 16);
  g_assert_cmpuint(bus_read(bus, 0x9010000, 8), ==, NOW);
  g_assert_cmphex(bus_read(bus, 0x9010fe8, 1), ==, 0x14);
  g_assert_cmphex(bus_read(bus, 0x9010fe9, 1), ==, 0);
  g_assert_cmphex(bus_read(bus, 0x9010fe8, 2), ==, 0x14);
  g_assert_cmphex(bus_read(bus, 0x9010fe0, 8), ==, UINT64_C(0x1000000031));
  fake_clock_advance(&f.clock, 3 * SECOND);
  g_assert_cmpuint(bus_read(bus, 0x9010000, 1), ==, (uint8_t)(NOW + 3));
  g_assert_cmpuint(bus_refused(bus), ==, 0);
  g_assert_cmpuint(bus_read(bus, 0x9010002, 4), ==, 0);
  bus_write(bus, 0x9010004, 1, 7);
  bus_write(bus, 0x9010004, 2, 7);
  bus_write(bus, 0x9010000, 8, UINT64_C(7) << 32);
  g_assert_cmpuint(bus_read(bus, 0x9010004, 4), ==, 0);
  g_assert_cmpuint(bus_refused(bus), ==, 4);
  fixture_clear(&f);
}

static void test_describe(void) {
  DeviceSlot slot = {.base = 0x9010000, .size = PL031_SIZE, .spi = 2, .trigger = FDT_IRQ_LEVEL_HIGH};
  Fixture f;

  fixture_init(&f);
  g_autoptr(GBytes) tree = fake_describe(f.rtc, &slot);
  fake_assert_string(tree, "/pl031@9010000", "compatible", "arm,pl031\0arm,primecell");
  fake_assert_cells(tree, "/pl031@9010000", "reg", 0, 0x9010000, 0, 0x1000);
  fake_assert_cells(tree, "/pl031@9010000", "interrupts", 0, 2, 4);
  fake_assert_cells(tree, "/pl031@9010000", "clocks", FDT_PHANDLE_APB_CLOCK);
  fake_assert_string(tree, "/pl031@9010000", "clock-names", "apb_pclk");
  fixture_clear(&f);
}

/* A guest that does anything at all: the line is always what the registers say. */
static void test_random(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(0x031);
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < 50000; i++) {
    uint64_t offset =
        g_rand_boolean(random) ? (uint64_t)g_rand_int_range(random, 0, 8) * 4 : (uint64_t)g_rand_int_range(random, 0, PL031_SIZE);
    uint32_t value = g_rand_boolean(random) ? rd(&f, RTCDR) + (uint32_t)g_rand_int_range(random, -2, 3) : g_rand_int(random);
    if (g_rand_boolean(random))
      wr(&f, offset, value);
    else if (g_rand_boolean(random))
      fake_clock_advance(&f.clock, g_rand_int_range(random, 0, 1500) * (SECOND / 1000));
    else if (g_rand_int_range(random, 0, 100) == 0)
      device_reset(f.rtc);
    g_assert_cmphex(rd(&f, RTCMIS), ==, rd(&f, RTCRIS) & rd(&f, RTCIMSC));
    g_assert_cmpint(f.irq.level, ==, rd(&f, RTCMIS));
  }
  g_assert_cmpuint(f.irq.raised, >, 10); /* it did get somewhere */
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pl031/registers", test_registers);
  g_test_add_func("/pl031/identification", test_identification);
  g_test_add_func("/pl031/page", test_page);
  g_test_add_func("/pl031/holes", test_holes);
  g_test_add_func("/pl031/read-only", test_read_only);
  g_test_add_func("/pl031/mask-bits", test_mask_bits);
  g_test_add_func("/pl031/registers-are-apart", test_registers_are_apart);
  g_test_add_func("/pl031/time-goes-on", test_time_goes_on);
  g_test_add_func("/pl031/set-time", test_set_time);
  g_test_add_func("/pl031/alarm", test_alarm);
  g_test_add_func("/pl031/alarm-mask", test_alarm_mask);
  g_test_add_func("/pl031/alarm-now-and-past", test_alarm_now_and_past);
  g_test_add_func("/pl031/alarm-moved", test_alarm_moved);
  g_test_add_func("/pl031/alarm-follows-time", test_alarm_follows_time);
  g_test_add_func("/pl031/alarm-late-call", test_alarm_late_call);
  g_test_add_func("/pl031/reset", test_reset);
  g_test_add_func("/pl031/widths", test_widths);
  g_test_add_func("/pl031/describe", test_describe);
  g_test_add_func("/pl031/random", test_random);
  return g_test_run();
}
