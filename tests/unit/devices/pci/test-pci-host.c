/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI host: configuration space, BARs, wires, its node: devices/pci/pci-host.c, pci-function.c, pci-bar.c,
 * pci-describe.c.
 */
#include <libfdt.h>

#include "tests/unit/devices/pci/fake-pci.h"

/* A function that remembers: BAR 0 of 64 KiB; BAR 2 of 1 MiB, 64 bit, prefetchable. */
typedef struct {
  PciFunction base;
  unsigned maps, unmaps, resets, pauses, resumes, config_reads, config_writes;
  uint64_t mapped_at, unmapped_at;
  uint64_t last_offset, last_value;
  unsigned last_bar, last_size, n_writes;
  uint64_t mark; /* what its BARs read as, plus the offset */
} TestFunction;

static uint64_t test_bar_read(PciFunction *function, unsigned bar, uint64_t offset, unsigned size) {
  TestFunction *test = (TestFunction *)function;
  g_assert_cmphex(offset + size, <=, function->bars[bar].size);
  test->last_bar = bar;
  test->last_size = size;
  return test->mark + bar * 0x100000000 + offset;
}

static void test_bar_write(PciFunction *function, unsigned bar, uint64_t offset, unsigned size, uint64_t value) {
  TestFunction *test = (TestFunction *)function;
  g_assert_cmphex(offset + size, <=, function->bars[bar].size);
  test->last_bar = bar;
  test->last_offset = offset;
  test->last_size = size;
  test->last_value = value;
  test->n_writes++;
}

static void test_bar_mapped(PciFunction *function, unsigned bar, uint64_t address) {
  TestFunction *test = (TestFunction *)function;
  test->maps++;
  test->mapped_at = address;
}

static void test_bar_unmapped(PciFunction *function, unsigned bar, uint64_t address) {
  TestFunction *test = (TestFunction *)function;
  test->unmaps++;
  test->unmapped_at = address;
}

static void test_config_written(PciFunction *function, unsigned offset, unsigned size) {
  ((TestFunction *)function)->config_writes++;
}

static void test_config_read(PciFunction *function, unsigned offset, unsigned size) {
  TestFunction *test = (TestFunction *)function;
  test->config_reads++;
  pci_config_set(function, 0xf8, 4, test->config_reads); /* a register that is made when it is read */
}

static const char *test_register_name(const PciFunction *function, unsigned bar, uint64_t offset) {
  return offset == 0 ? "first" : NULL;
}

static void test_reset(PciFunction *function) {
  ((TestFunction *)function)->resets++;
}

static void test_pause(PciFunction *function) {
  ((TestFunction *)function)->pauses++;
}

static void test_resume(PciFunction *function) {
  ((TestFunction *)function)->resumes++;
}

static void test_free(PciFunction *function) {
  g_assert_false(function->bars[0].mapped);
  pci_function_clear(function);
  g_free(function);
}

static const PciFunctionOps test_ops = {
    .bar_read = test_bar_read,
    .bar_write = test_bar_write,
    .bar_mapped = test_bar_mapped,
    .bar_unmapped = test_bar_unmapped,
    .config_written = test_config_written,
    .config_read = test_config_read,
    .bar_register_name = test_register_name,
    .reset = test_reset,
    .pause = test_pause,
    .resume = test_resume,
    .free = test_free,
};

static TestFunction *test_function_new(uint64_t mark) {
  TestFunction *test = g_new0(TestFunction, 1);
  test->mark = mark;
  pci_function_init(&test->base, &test_ops, "test", 0x1234, 0x5678, 0x9a, 0xbcdef0, 0x1111, 0x2222, 1);
  pci_function_add_bar(&test->base, 0, 0x10000, false, false);
  pci_function_add_bar(&test->base, 2, 0x100000, true, true);
  return test;
}

typedef struct {
  FakePci pci;
  TestFunction *one, *five; /* in slots 1 and 5: the same wire */
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  fake_pci_init(&f->pci, true, true);
  f->one = test_function_new(0x1000000);
  f->five = test_function_new(0x5000000);
  g_assert_true(pci_host_add(f->pci.host, 1, &f->one->base));
  g_assert_true(pci_host_add(f->pci.host, 5, &f->five->base));
}

static void tear_down(Fixture *f, gconstpointer data) {
  fake_pci_clear(&f->pci);
}

static void place(Fixture *f, unsigned slot, uint32_t bar0) {
  cfg_write(&f->pci, slot, CFG_BAR0, 4, bar0);
  cfg_write(&f->pci, slot, CFG_COMMAND, 2, COMMAND_MEMORY);
}

static void test_plug(Fixture *f, gconstpointer data) {
  g_assert_true(pci_host_function(f->pci.host, 1) == &f->one->base);
  g_assert_null(pci_host_function(f->pci.host, 2));
  g_assert_null(pci_host_function(f->pci.host, 32));
  g_assert_false(pci_host_add(f->pci.host, 1, &test_function_new(0)->base)); /* taken; freed, says the leak checker */
  g_assert_false(pci_host_add(f->pci.host, 32, &test_function_new(0)->base));
  g_assert_true(pci_host_function(f->pci.host, 1) == &f->one->base);
  g_assert_cmphex(pci_function_id(&f->five->base), ==, 5 << 3);
}

static void test_header(Fixture *f, gconstpointer data) {
  static const struct {
    unsigned reg, size;
    uint32_t value;
  } header[] = {
      {0x00, 2, 0x1234}, {0x02, 2, 0x5678}, {0x00, 4, 0x56781234}, {0x08, 1, 0x9a},   {0x08, 4, 0xbcdef09a}, {0x09, 1, 0xf0},
      {0x0a, 2, 0xbcde}, {0x0e, 1, 0},      {0x2c, 2, 0x1111},     {0x2e, 2, 0x2222}, {0x3c, 2, 0x0100},     {0x34, 1, 0},
      {0x06, 2, 0},      {0x04, 2, 0},      {0x10, 4, 0},          {0x18, 4, 0xc},    {0x1c, 4, 0},          {0x30, 4, 0},
      {0x100, 4, 0},     {0xffc, 4, 0},     {0xfff, 1, 0},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(header); i++)
    g_assert_cmphex(cfg_read(&f->pci, 1, header[i].reg, header[i].size), ==, header[i].value);
}

static void test_absent(Fixture *f, gconstpointer data) {
  g_assert_cmphex(cfg_read(&f->pci, 0, 0, 4), ==, 0xffffffff);
  g_assert_cmphex(cfg_read(&f->pci, 2, 0, 2), ==, 0xffff);
  g_assert_cmphex(cfg_read(&f->pci, 31, 0xfff, 1), ==, 0xff);
  for (unsigned function = 1; function < 8; function++) { /* of a device that is there */
    g_assert_cmphex(bus_read(f->pci.bus, cfg_address(1, function << 12), 4), ==, 0xffffffff);
    bus_write(f->pci.bus, cfg_address(1, function << 12 | CFG_COMMAND), 2, COMMAND_MEMORY);
  }
  cfg_write(&f->pci, 2, CFG_COMMAND, 2, 0xffff);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_COMMAND, 2), ==, 0);
}

static void test_widths(Fixture *f, gconstpointer data) {
  cfg_write(&f->pci, 1, CFG_BAR0 + 2, 2, 0x1abc); /* the upper half alone */
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0, 4), ==, 0x1abc0000);
  cfg_write(&f->pci, 1, CFG_BAR0 + 3, 1, 0x2e);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0, 4), ==, 0x2ebc0000);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0 + 2, 1), ==, 0xbc);
  g_assert_cmphex(bus_read(f->pci.bus, cfg_address(1, 0), 8), ==, cfg_read(&f->pci, 1, 0, 4) | (uint64_t)cfg_read(&f->pci, 1, 4, 4) << 32);
  bus_write(f->pci.bus, cfg_address(1, CFG_BAR0), 8, UINT64_MAX);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0, 4), ==, 0x2ebc0000);
}

static void test_read_only(Fixture *f, gconstpointer data) {
  uint32_t before[64];

  for (unsigned i = 0; i < 64; i++)
    before[i] = cfg_read(&f->pci, 1, 4 * i, 4);
  for (unsigned i = 0; i < 64; i++)
    cfg_write(&f->pci, 1, 4 * i, 4, 0xffffffff);
  for (unsigned i = 0; i < 62; i++) {
    uint32_t now = cfg_read(&f->pci, 1, 4 * i, 4);
    static const struct {
      unsigned reg;
      uint32_t changed;
    } writable[] = {{0x04, 0x406}, {0x0c, 0xff}, {0x10, 0xffff0000}, {0x18, 0xfff00000}, {0x1c, 0xffffffff}, {0x3c, 0xff}};
    uint32_t changed = 0;
    for (unsigned w = 0; w < G_N_ELEMENTS(writable); w++)
      if (writable[w].reg == 4 * i)
        changed = writable[w].changed;
    g_assert_cmphex(now, ==, before[i] | changed);
  }
  cfg_write(&f->pci, 1, 0x1000 - 4, 4, 0xffffffff); /* extended: nothing there */
  g_assert_cmphex(cfg_read(&f->pci, 1, 0x1000 - 4, 4), ==, 0);
}

static void test_write_one_to_clear(Fixture *f, gconstpointer data) {
  pci_config_set(&f->one->base, 0xe0, 4, 0xffff00ff);
  f->one->base.write_one_to_clear[0xe0] = 0x0f;
  pci_config_allow(&f->one->base, 0xe1, 1, 0x3c);
  cfg_write(&f->pci, 1, 0xe0, 4, 0x0000ff05);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xe0, 4), ==, 0xffff3cfa);
  cfg_write(&f->pci, 1, 0xe0, 4, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xe0, 4), ==, 0xffff00fa);
}

/* The whole window, as the guest loads it, is what reads of it return: functions, and ones where none is. */
static void test_ecam_page(Fixture *f, gconstpointer data) {
  const DeviceSlot slot = {.base = ECAM, .size = PCI_ECAM_BUS_SIZE};
  static FakeShortcuts fake;

  fake_shortcuts_init(&fake);
  device_connect(f->pci.host, &slot, &fake.shortcuts);
  cfg_write(&f->pci, 1, CFG_BAR0, 4, 0xffffffff);
  cfg_write(&f->pci, 5, CFG_COMMAND, 2, 6);
  pci_function_set_intx(&f->five->base, true);
  for (uint64_t offset = 0; offset < PCI_ECAM_BUS_SIZE; offset += 4) {
    bool present = offset >> 12 == 1u << 3 || offset >> 12 == 5u << 3;
    uint64_t value;
    g_assert_true(fake_shortcuts_read(&fake, ECAM + offset, 4, &value));
    g_assert_cmphex(value, ==, bus_read(f->pci.bus, ECAM + offset, 4));
    g_assert_true(present || value == UINT32_MAX);
  }
  g_assert_cmphex(cfg_read(&f->pci, 5, CFG_STATUS, 2) & 8, ==, 8);
  pci_function_set_intx(&f->five->base, false);
}

/* Writes may be deferred that change nothing: to BARs that are not there, the expansion ROM, the latency timer. */
static void test_vain_writes(Fixture *f, gconstpointer data) {
  const DeviceSlot slot = {.base = ECAM, .size = PCI_ECAM_BUS_SIZE};
  static FakeShortcuts fake;

  fake_shortcuts_init(&fake);
  device_connect(f->pci.host, &slot, &fake.shortcuts);
  for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset++) {
    if (!fake_shortcuts_is_deferred(&fake, cfg_address(1, offset), 1))
      continue;
    uint32_t before = cfg_read(&f->pci, 1, offset, 1);
    cfg_write(&f->pci, 1, offset, 1, ~before & 0xff);
    g_assert_cmphex(cfg_read(&f->pci, 1, offset, 1), ==, before);
  }
  g_assert_false(fake_shortcuts_is_deferred(&fake, cfg_address(1, CFG_BAR0), 4));
  g_assert_false(fake_shortcuts_is_deferred(&fake, cfg_address(1, CFG_BAR0 + 12), 4)); /* the upper half of BAR 2 */
  g_assert_true(fake_shortcuts_is_deferred(&fake, cfg_address(1, CFG_BAR0 + 16), 4));
  g_assert_true(fake_shortcuts_is_deferred(&fake, cfg_address(5, 0x30), 4));
  g_assert_true(fake_shortcuts_is_deferred(&fake, cfg_address(5, 0x0d), 1));
  g_assert_false(fake_shortcuts_is_deferred(&fake, cfg_address(2, 0x30), 4)); /* nothing is there */
}

static void test_hooks(Fixture *f, gconstpointer data) {
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xf8, 4), ==, 0);
  pci_function_want_reads(&f->one->base, true);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xf8, 4), ==, 1);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xf8, 4), ==, 2);
  pci_function_want_reads(&f->one->base, false);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0xf8, 4), ==, 2);
  cfg_write(&f->pci, 1, 0x80, 1, 0);
  g_assert_cmpuint(f->one->config_writes, ==, 1);
  g_assert_cmpuint(f->five->config_writes, ==, 0);
}

static void test_capabilities(Fixture *f, gconstpointer data) {
  unsigned first = pci_function_add_capability(&f->one->base, 9, 7);
  unsigned second = pci_function_add_capability(&f->one->base, 5, 12);

  g_assert_cmphex(first, ==, 0x40);
  g_assert_cmphex(second, ==, 0x48); /* aligned */
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_STATUS, 2), ==, 0x10);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_CAPABILITIES, 1), ==, first);
  g_assert_cmphex(cfg_read(&f->pci, 1, first, 2), ==, second << 8 | 9);
  g_assert_cmphex(cfg_read(&f->pci, 1, second, 2), ==, 5);
  cfg_write(&f->pci, 1, first, 4, 0xffffffff);
  g_assert_cmphex(cfg_read(&f->pci, 1, first, 4), ==, second << 8 | 9);
  g_assert_cmphex(cfg_find_capability(&f->pci, 1, 5, 0), ==, second);
}

/* BARs. */

static void test_sizing(Fixture *f, gconstpointer data) {
  for (unsigned enabled = 0; enabled < 2; enabled++) {
    place(f, 1, 0x10010000);
    cfg_write(&f->pci, 1, CFG_COMMAND, 2, enabled ? COMMAND_MEMORY : 0);
    cfg_write(&f->pci, 1, CFG_BAR0, 4, 0xffffffff);
    g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0, 4), ==, 0xffff0000);
    g_assert_false(f->one->base.bars[0].mapped); /* there it is in no window */
    cfg_write(&f->pci, 1, CFG_BAR0, 4, 0x10010000);
    g_assert_true(f->one->base.bars[0].mapped == enabled);
  }
  cfg_write(&f->pci, 1, 0x18, 4, 0xffffffff);
  cfg_write(&f->pci, 1, 0x1c, 4, 0xffffffff);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0x18, 4), ==, 0xfff0000c);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0x1c, 4), ==, 0xffffffff);
  g_assert_false(f->one->base.bars[2].mapped);
  for (unsigned reg = 0x14; reg < 0x28; reg += 0x10) { /* BARs that are not there: 1 and 5 */
    cfg_write(&f->pci, 1, reg, 4, 0xffffffff);
    g_assert_cmphex(cfg_read(&f->pci, 1, reg, 4), ==, 0);
  }
}

static void test_decode(Fixture *f, gconstpointer data) {
  static const unsigned sizes[] = {1, 2, 4, 8};

  cfg_write(&f->pci, 1, CFG_BAR0, 4, 0x10010000);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, 0xffffffff); /* memory is off */
  g_assert_cmpuint(f->one->maps, ==, 0);
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, COMMAND_MEMORY);
  g_assert_cmpuint(f->one->maps, ==, 1);
  g_assert_cmphex(f->one->mapped_at, ==, 0x10010000);
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmphex(bus_read(f->pci.bus, 0x1001fff8, sizes[i]), ==, f->one->mark + 0xfff8);
    g_assert_cmpuint(f->one->last_size, ==, sizes[i]);
  }
  g_assert_cmphex(bus_read(f->pci.bus, 0x1000fff8, 8), ==, UINT64_MAX); /* just below, just above */
  g_assert_cmphex(bus_read(f->pci.bus, 0x10020000, 1), ==, 0xff);
  bus_write(f->pci.bus, 0x10010040, 2, 0xbeef);
  g_assert_cmphex(f->one->last_offset, ==, 0x40);
  g_assert_cmphex(f->one->last_value, ==, 0xbeef);
  bus_write(f->pci.bus, 0x10020000, 2, 0xdead);
  g_assert_cmpuint(f->one->n_writes, ==, 1);

  cfg_write(&f->pci, 1, CFG_COMMAND, 2, COMMAND_MASTER);
  g_assert_cmpuint(f->one->unmaps, ==, 1);
  g_assert_cmphex(f->one->unmapped_at, ==, 0x10010000);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, 0xffffffff);
  bus_write(f->pci.bus, 0x10010000, 4, 1);
  g_assert_cmpuint(f->one->n_writes, ==, 1);
}

static void test_move(Fixture *f, gconstpointer data) {
  place(f, 1, 0x10010000);
  cfg_write(&f->pci, 1, CFG_BAR0, 4, 0x10010000); /* the same: nothing moves */
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER);
  g_assert_cmpuint(f->one->maps, ==, 1);
  g_assert_cmpuint(f->one->unmaps, ==, 0);
  cfg_write(&f->pci, 1, CFG_BAR0, 4, 0x20000000);
  g_assert_cmpuint(f->one->maps, ==, 2);
  g_assert_cmpuint(f->one->unmaps, ==, 1);
  g_assert_cmphex(f->one->unmapped_at, ==, 0x10010000);
  g_assert_cmphex(f->one->mapped_at, ==, 0x20000000);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, 0xffffffff);
  g_assert_cmphex(bus_read(f->pci.bus, 0x20000008, 4), ==, f->one->mark + 8);
}

static void test_outside_windows(Fixture *f, gconstpointer data) {
  static const uint32_t outside[] = {0, 0x0fff0000, 0x3eff0000, 0x3f000000, 0x40000000, 0xffff0000};

  for (unsigned i = 0; i < G_N_ELEMENTS(outside); i++) {
    place(f, 1, outside[i]);
    g_assert_false(f->one->base.bars[0].mapped);
  }
  g_assert_cmpuint(f->one->maps, ==, 0);
  place(f, 1, 0x3efe0000); /* the last place inside */
  g_assert_cmphex(bus_read(f->pci.bus, 0x3efe0004, 4), ==, f->one->mark + 4);
}

static void place64(Fixture *f, unsigned slot, uint64_t address) {
  cfg_write(&f->pci, slot, 0x18, 4, (uint32_t)address);
  cfg_write(&f->pci, slot, 0x1c, 4, (uint32_t)(address >> 32));
  cfg_write(&f->pci, slot, CFG_COMMAND, 2, COMMAND_MEMORY);
}

static void test_64bit(Fixture *f, gconstpointer data) {
  place64(f, 1, WINDOW64 + 0x300000);
  g_assert_cmphex(bus_read(f->pci.bus, WINDOW64 + 0x300010, 8), ==, f->one->mark + 0x200000010);
  g_assert_cmpuint(f->one->last_bar, ==, 2);
  place64(f, 1, WINDOW32 + 0x200000); /* may also lie below */
  g_assert_cmphex(bus_read(f->pci.bus, WINDOW64 + 0x300010, 8), ==, UINT64_MAX);
  g_assert_cmphex(bus_read(f->pci.bus, WINDOW32 + 0x200020, 8), ==, f->one->mark + 0x200000020);
  place64(f, 1, WINDOW64 + WINDOW64_SIZE - 0x100000); /* the last place inside */
  g_assert_true(f->one->base.bars[2].mapped);
  place64(f, 1, WINDOW64 + WINDOW64_SIZE);
  g_assert_false(f->one->base.bars[2].mapped);
  place64(f, 1, WINDOW64 - 0x100000);
  g_assert_false(f->one->base.bars[2].mapped);
  place64(f, 1, UINT64_MAX); /* would wrap round */
  g_assert_false(f->one->base.bars[2].mapped);
}

static void test_overlap(Fixture *f, gconstpointer data) {
  place(f, 5, 0x10010000);
  place(f, 1, 0x10010000);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, f->one->mark); /* the lower slot, whoever came first */
  place64(f, 1, 0x10000000);                                              /* its own BAR 2 over its BAR 0 */
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, f->one->mark);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10020000, 8), ==, f->one->mark + 0x200020000);
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, 0);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, f->five->mark);
}

/* Wires. */

static void test_intx(Fixture *f, gconstpointer data) {
  FakeLine *wire = &f->pci.lines[1]; /* slots 1 and 5, INTA */

  pci_function_set_intx(&f->one->base, true);
  g_assert_cmpint(wire->level, ==, 1);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_STATUS, 2), ==, 0x08);
  g_assert_cmphex(cfg_read(&f->pci, 5, CFG_STATUS, 2), ==, 0);
  pci_function_set_intx(&f->five->base, true);
  pci_function_set_intx(&f->one->base, false);
  g_assert_cmpint(wire->level, ==, 1); /* the other still pulls */
  pci_function_set_intx(&f->five->base, true);
  pci_function_set_intx(&f->five->base, false);
  g_assert_cmpint(wire->level, ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_STATUS, 2), ==, 0);

  cfg_write(&f->pci, 1, CFG_COMMAND, 2, COMMAND_INTX_DISABLE);
  pci_function_set_intx(&f->one->base, true);
  g_assert_cmpint(wire->level, ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_STATUS, 2), ==, 0x08); /* pending all the same */
  cfg_write(&f->pci, 1, CFG_STATUS, 2, 0xffff);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_STATUS, 2), ==, 0x08);
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, 0);
  g_assert_cmpint(wire->level, ==, 1);
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, COMMAND_INTX_DISABLE);
  g_assert_cmpint(wire->level, ==, 0);
  for (unsigned i = 0; i < 4; i++)
    g_assert_cmpint(f->pci.lines[i].raised > 0, ==, i == 1);
}

static void *pull(void *data) {
  for (unsigned i = 0; i < 20000; i++)
    pci_function_set_intx(data, i & 1);
  return NULL;
}

/* Two functions on one wire from two threads, while the guest disables one: the wire ends low. */
static void test_intx_threads(Fixture *f, gconstpointer data) {
  GThread *one = g_thread_new("one", pull, &f->one->base), *five = g_thread_new("five", pull, &f->five->base);

  for (unsigned i = 0; i < 2000; i++)
    cfg_write(&f->pci, 1, CFG_COMMAND, 2, i & 1 ? COMMAND_INTX_DISABLE : 0);
  g_thread_join(one);
  g_thread_join(five);
  cfg_write(&f->pci, 1, CFG_COMMAND, 2, 0);
  g_assert_cmpint(f->pci.lines[1].level, ==, 1); /* each ended with true */
  pci_function_set_intx(&f->one->base, false);
  g_assert_cmpint(f->pci.lines[1].level, ==, 1);
  pci_function_set_intx(&f->five->base, false);
  g_assert_cmpint(f->pci.lines[1].level, ==, 0);
}

static void test_reset_host(Fixture *f, gconstpointer data) {
  place(f, 1, 0x10010000);
  cfg_write(&f->pci, 1, CFG_INTERRUPT_LINE, 1, 42);
  pci_function_set_intx(&f->one->base, true);
  device_reset(f->pci.host);
  g_assert_cmpuint(f->one->resets, ==, 1);
  g_assert_cmpuint(f->five->resets, ==, 1);
  g_assert_cmpuint(f->one->unmaps, ==, 1);
  g_assert_cmpint(f->pci.lines[1].level, ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_COMMAND, 4), ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_BAR0, 4), ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0x18, 4), ==, 0xc);
  g_assert_cmphex(cfg_read(&f->pci, 1, CFG_INTERRUPT_LINE, 2), ==, 0x0100);
  g_assert_cmphex(cfg_read(&f->pci, 1, 0, 4), ==, 0x56781234);
  g_assert_cmphex(bus_read(f->pci.bus, 0x10010000, 4), ==, 0xffffffff);
  device_pause(f->pci.host);
  device_resume(f->pci.host);
  g_assert_cmpuint(f->one->pauses + f->five->pauses, ==, 2);
  g_assert_cmpuint(f->one->resumes + f->five->resumes, ==, 2);
}

static void test_names(Fixture *f, gconstpointer data) {
  uint64_t offset;
  Device *ecam = f->pci.host, *window = bus_find(f->pci.bus, WINDOW32, &offset);

  g_assert_cmpstr(ecam->ops->register_name(ecam, 0x8000), ==, "Vendor ID");
  g_assert_cmpstr(ecam->ops->register_name(ecam, 0x8004), ==, "Command");
  g_assert_cmpstr(ecam->ops->register_name(ecam, 0x8013), ==, "BAR0");
  g_assert_cmpstr(ecam->ops->register_name(ecam, 0x8044), ==, "capability");
  g_assert_cmpstr(ecam->ops->register_name(ecam, 0x8100), ==, "extended capability");
  g_assert_null(window->ops->register_name(window, 0x10000));
  place(f, 1, 0x10010000);
  g_assert_cmpstr(window->ops->register_name(window, 0x10000), ==, "first");
  g_assert_null(window->ops->register_name(window, 0x10004));
}

/* The node. */

static const uint32_t *cells(const void *fdt, const char *property, unsigned n) {
  int size;
  const void *value = fdt_getprop(fdt, fdt_path_offset(fdt, "/pcie@3f000000"), property, &size);
  g_assert_nonnull(value);
  g_assert_cmpint(size, ==, (int)(4 * n));
  return value;
}

static uint32_t cell(const uint32_t *cells_, unsigned i) {
  return GUINT32_FROM_BE(cells_[i]);
}

static GBytes *describe(FakePci *pci) {
  DeviceSlot slot = {.base = ECAM, .size = PCI_ECAM_BUS_SIZE, .spi = FIRST_SPI};
  g_autoptr(FdtWriter) writer = fdt_writer_new();
  device_describe(pci->host, &slot, writer);
  GBytes *blob = fdt_writer_finish(writer, NULL);
  g_assert_nonnull(blob);
  return blob;
}

static void assert_cells(const void *fdt, const char *property, const uint32_t *expected, unsigned n) {
  const uint32_t *value = cells(fdt, property, n);
  for (unsigned i = 0; i < n; i++)
    g_assert_cmphex(cell(value, i), ==, expected[i]);
}

static void test_describe(Fixture *f, gconstpointer data) {
  g_autoptr(GBytes) blob = describe(&f->pci);
  const void *fdt = g_bytes_get_data(blob, NULL);
  int node = fdt_path_offset(fdt, "/pcie@3f000000"), size;

  g_assert_cmpint(node, >, 0);
  g_assert_cmpint(fdt_node_check_compatible(fdt, node, "pci-host-ecam-generic"), ==, 0);
  g_assert_cmpstr(fdt_getprop(fdt, node, "device_type", &size), ==, "pci");
  g_assert_nonnull(fdt_getprop(fdt, node, "dma-coherent", &size));
  assert_cells(fdt, "#address-cells", (uint32_t[]){3}, 1);
  assert_cells(fdt, "#size-cells", (uint32_t[]){2}, 1);
  assert_cells(fdt, "#interrupt-cells", (uint32_t[]){1}, 1);
  assert_cells(fdt, "linux,pci-domain", (uint32_t[]){0}, 1);
  assert_cells(fdt, "bus-range", (uint32_t[]){0, 0}, 2);
  assert_cells(fdt, "reg", (uint32_t[]){0, 0x3f000000, 0, 0x100000}, 4);
  assert_cells(fdt, "ranges",
               (uint32_t[]){0x02000000, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000, //
                            0x43000000, 0xa, 0, 0xa, 0, 2, 0},
               14);
  assert_cells(fdt, "interrupt-map-mask", (uint32_t[]){0x1800, 0, 0, 7}, 4);
  assert_cells(fdt, "msi-map", (uint32_t[]){0, FDT_PHANDLE_MSI, 0, 0x100}, 4);
}

/* Looked up as an operating system does, for each device and pin: the wire that the model uses. */
static void test_interrupt_map(Fixture *f, gconstpointer data) {
  g_autoptr(GBytes) blob = describe(&f->pci);
  const uint32_t *map = cells(g_bytes_get_data(blob, NULL), "interrupt-map", 16 * 10);

  for (unsigned slot = 0; slot < 32; slot++)
    for (unsigned pin = 1; pin <= 4; pin++) {
      unsigned matches = 0;
      for (unsigned i = 0; i < 16; i++) {
        const uint32_t *entry = map + 10 * i;
        if (cell(entry, 0) != ((slot << 11) & 0x1800) || cell(entry, 3) != pin)
          continue;
        matches++;
        g_assert_cmphex(cell(entry, 1), ==, 0);
        g_assert_cmphex(cell(entry, 2), ==, 0);
        g_assert_cmphex(cell(entry, 4), ==, FDT_PHANDLE_GIC);
        g_assert_cmphex(cell(entry, 5), ==, 0); /* unit address in the GIC: none */
        g_assert_cmphex(cell(entry, 6), ==, 0);
        g_assert_cmphex(cell(entry, 7), ==, FDT_IRQ_SPI);
        g_assert_cmpuint(cell(entry, 8), ==, FIRST_SPI + (slot + pin - 1) % 4);
        g_assert_cmphex(cell(entry, 9), ==, FDT_IRQ_LEVEL_HIGH);
      }
      g_assert_cmpuint(matches, ==, 1);
    }
}

static void test_minimal(void) {
  FakePci pci;

  fake_pci_init(&pci, false, false);
  uint64_t offset;
  g_assert_null(bus_find(pci.bus, WINDOW64, &offset));
  g_autoptr(GBytes) blob = describe(&pci);
  const void *fdt = g_bytes_get_data(blob, NULL);
  int size;
  cells(fdt, "ranges", 7);
  g_assert_null(fdt_getprop(fdt, fdt_path_offset(fdt, "/pcie@3f000000"), "msi-map", &size));
  g_assert_cmphex(bus_read(pci.bus, WINDOW32, 4), ==, 0xffffffff);
  fake_pci_clear(&pci);
}

/* A guest that writes anything to configuration space while it uses the windows. */
static void test_fuzz(Fixture *f, gconstpointer data) {
  GRand *rand = g_rand_new_with_seed(815);

  for (unsigned i = 0; i < 100000; i++) {
    unsigned slot = g_rand_boolean(rand) ? 1 : 5, size = 1u << g_rand_int_range(rand, 0, 3);
    unsigned reg = (unsigned)g_rand_int_range(rand, 0, 0x110 / 4) * 4;
    uint32_t near = 0x10000000 + (uint32_t)g_rand_int_range(rand, 0, 64) * 0x8000;
    if (g_rand_int_range(rand, 0, 3) == 0)
      reg = CFG_BAR0 + 4 * (unsigned)g_rand_int_range(rand, 0, 4);
    if (g_rand_int_range(rand, 0, 8) == 0)
      cfg_write(&f->pci, slot, CFG_COMMAND, 2, COMMAND_MEMORY);
    cfg_write(&f->pci, slot, reg, size, g_rand_boolean(rand) ? near : g_rand_int(rand));
    cfg_read(&f->pci, slot, reg, size);
    bus_read(f->pci.bus, near, 8);
    bus_write(f->pci.bus, near, 4, i);
    bus_read(f->pci.bus, WINDOW64 + near, 8);
  }
  /* It has really been decoded now and then. */
  g_assert_cmpuint(f->one->n_writes, >, 100);
  g_assert_cmpuint(f->one->maps, >, 100);
  g_assert_cmpint((int)(f->one->maps - f->one->unmaps), ==, f->one->base.bars[0].mapped + f->one->base.bars[2].mapped);
  g_rand_free(rand);
}

#define ADD(path, function) g_test_add("/pci-host/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("plug", test_plug);
  ADD("header", test_header);
  ADD("absent", test_absent);
  ADD("widths", test_widths);
  ADD("read-only", test_read_only);
  ADD("write-one-to-clear", test_write_one_to_clear);
  ADD("ecam-page", test_ecam_page);
  ADD("vain-writes", test_vain_writes);
  ADD("hooks", test_hooks);
  ADD("capabilities", test_capabilities);
  ADD("sizing", test_sizing);
  ADD("decode", test_decode);
  ADD("move", test_move);
  ADD("outside-windows", test_outside_windows);
  ADD("64bit", test_64bit);
  ADD("overlap", test_overlap);
  ADD("intx", test_intx);
  ADD("intx-threads", test_intx_threads);
  ADD("reset", test_reset_host);
  ADD("names", test_names);
  ADD("describe", test_describe);
  ADD("interrupt-map", test_interrupt_map);
  g_test_add_func("/pci-host/minimal", test_minimal);
  ADD("fuzz", test_fuzz);
  return g_test_run();
}
