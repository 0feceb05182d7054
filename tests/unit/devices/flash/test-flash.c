/* SPDX-License-Identifier: Apache-2.0 */
/* The two banks: devices/flash/flash.c, by a bus, with shortcuts that remember. */
#include "devices/flash/flash.h"

#include <libfdt.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "devices/bus.h"
#include "devices/device-watch.h"
#include "fdt/fdt-nodes.h"
#include "tests/unit/directory.h"
#include "tests/unit/fake-shortcuts.h"

#define CODE  UINT64_C(0)
#define VARS  FLASH_BANK_SIZE
#define BLOCK 0x40000u
#define READY UINT32_C(0x00800080)

typedef struct {
  DeviceWatch watch; /* first */
  char *directory, *code, *vars;
  FirmwareConfig config;
  FakeShortcuts shortcuts;
  Device *flash;
  Bus *bus;
  const char *event; /* the last one */
  unsigned events, queue;
} Fixture;

static void note_event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  Fixture *f = (Fixture *)watch;

  g_assert_cmpstr(device, ==, "flash0");
  f->event = what;
  f->queue = queue;
  f->events++;
}

static void start(Fixture *f) {
  g_autoptr(GError) error = NULL;
  const DeviceSlot slot = {.base = 0, .size = flash_kind.size, .spi = DEVICE_NO_SPI};

  f->watch = (DeviceWatch){.event = note_event};
  f->flash = flash_kind.make(&(DeviceParts){.name = "flash0", .asked = &f->config, .watch = &f->watch}, &error);
  g_assert_no_error(error);
  f->bus = bus_new();
  g_assert_true(bus_add(f->bus, &slot, f->flash, NULL));
  bus_seal(f->bus);
  fake_shortcuts_init(&f->shortcuts);
  device_connect(f->flash, &slot, &f->shortcuts.shortcuts);
}

static void stop(Fixture *f) {
  device_free(f->flash);
  bus_free(f->bus);
  g_assert_cmpuint(f->shortcuts.n, ==, 0); /* nothing stays mapped or deferred */
}

/* Firmware of 0x1234 bytes, each its offset's lower half; variables in a file that is made at the start. */
static void set_up(Fixture *f, gconstpointer data) {
  char firmware[0x1234];

  f->directory = directory_new();
  f->code = g_build_filename(f->directory, "code", NULL);
  f->vars = g_build_filename(f->directory, "vars", NULL);
  for (unsigned i = 0; i < sizeof firmware; i++)
    firmware[i] = (char)i;
  g_assert_true(g_file_set_contents(f->code, firmware, sizeof firmware, NULL));
  f->config = (FirmwareConfig){.path = f->code, .vars = data ? NULL : f->vars};
  start(f);
}

static void tear_down(Fixture *f, gconstpointer data) {
  stop(f);
  directory_free(f->directory);
  g_free(f->directory);
  g_free(f->code);
  g_free(f->vars);
}

/* As a guest reads: by a load where it can. */
static uint64_t rd(Fixture *f, uint64_t address, unsigned size) {
  uint64_t value;

  return fake_shortcuts_read(&f->shortcuts, address, size, &value) ? value : bus_read(f->bus, address, size);
}

static void wr(Fixture *f, uint64_t address, uint32_t value) {
  bus_write(f->bus, address, 4, value);
}

/* The same to both chips. */
static void command(Fixture *f, uint64_t address, unsigned value) {
  wr(f, address, value | value << 16);
}

static bool is_load(Fixture *f, uint64_t address) {
  uint64_t value;

  return fake_shortcuts_read(&f->shortcuts, address, 4, &value);
}

static void program(Fixture *f, uint64_t address, uint32_t value) {
  command(f, address, 0x40);
  wr(f, address, value);
}

static void erase(Fixture *f, uint64_t address) {
  command(f, address, 0x20);
  command(f, address, 0xd0);
}

/* What both chips have to say, and they are cleared and read their array again. */
static uint32_t end(Fixture *f, uint64_t bank) {
  command(f, bank, 0x70);
  uint32_t status = (uint32_t)rd(f, bank + 0x8000, 4);
  command(f, bank, 0x50);
  command(f, bank, 0xff);
  return status;
}

static void test_reading(Fixture *f, gconstpointer data) {
  for (unsigned bank = 0; bank < FLASH_BANKS; bank++)
    g_assert_true(is_load(f, bank * FLASH_BANK_SIZE) && is_load(f, (bank + 1) * FLASH_BANK_SIZE - 4));
  g_assert_cmphex(rd(f, 0x1230, 8), ==, 0xffffffff33323130);
  g_assert_cmphex(rd(f, FLASH_BANK_SIZE - 8, 8), ==, UINT64_MAX);
  g_assert_cmphex(rd(f, VARS, 8), ==, UINT64_MAX);
  g_assert_cmphex(rd(f, 2 * FLASH_BANK_SIZE - 8, 8), ==, UINT64_MAX);
  for (unsigned at = 0x1228; at < 0x1240; at++) /* and by exits the same, any size at any place */
    for (unsigned size = 1; size <= 8; size *= 2) {
      uint64_t value;
      g_assert_true(fake_shortcuts_read(&f->shortcuts, at, size, &value));
      g_assert_cmphex(bus_read(f->bus, at, size), ==, value);
    }
  bus_read(f->bus, FLASH_BANK_SIZE - 2, 4); /* of both banks */
  g_assert_cmpuint(bus_refused(f->bus), ==, 0);
}

static void test_query(Fixture *f, gconstpointer data) {
  for (unsigned bank = 0; bank < FLASH_BANKS; bank++) {
    uint64_t base = bank * FLASH_BANK_SIZE;
    command(f, base + 0x55 * 4, 0x98);
    g_assert_cmpstr(f->event, ==, "read query");
    g_assert_cmpuint(f->queue, ==, bank);
    g_assert_false(is_load(f, base) || is_load(f, base + FLASH_BANK_SIZE - 4));
    g_assert_true(is_load(f, (1 - bank) * FLASH_BANK_SIZE)); /* the other bank is not touched */
    g_assert_cmphex(rd(f, base + 0x10 * 4, 4), ==, 0x00510051);
    g_assert_cmphex(rd(f, base + 0x10 * 4, 8), ==, UINT64_C(0x0052005200510051));
    g_assert_cmphex(rd(f, base + 0x10 * 4 + 2, 2), ==, 0x51);
    g_assert_cmphex(rd(f, base + 0x10 * 4 + 2, 1), ==, 0x51);
    g_assert_cmphex(rd(f, base + 0x10 * 4 + 3, 1), ==, 0);
    command(f, base, 0xff);
    g_assert_true(is_load(f, base));
  }
  /* The chips are told the same by whatever part of a word, and an access of 64 bits is two of 32, in their order. */
  bus_write(f->bus, VARS + 2, 2, 0x90);
  g_assert_cmphex(rd(f, VARS, 4), ==, 0x00890089);
  bus_write(f->bus, VARS + 1, 1, 0x98);
  g_assert_cmphex(rd(f, VARS + 0x10 * 4, 1), ==, 'Q');
  bus_write(f->bus, VARS, 2, 0xff);
  g_assert_true(is_load(f, VARS));
  bus_write(f->bus, VARS, 8, UINT64_C(0x00ff00ff00900090));
  g_assert_true(is_load(f, VARS));
}

static void test_firmware_is_safe(Fixture *f, gconstpointer data) {
  program(f, 0x100, 0);
  g_assert_cmpstr(f->event, ==, "program refused: the block is locked");
  g_assert_cmphex(end(f, CODE), ==, READY | 0x00120012);
  erase(f, 0);
  g_assert_cmphex(end(f, CODE), ==, READY | 0x00220022);
  command(f, 0, 0x60); /* unlock */
  command(f, 0, 0xd0);
  g_assert_cmphex(end(f, CODE), ==, READY | 0x00220022);
  g_assert_cmphex(rd(f, 0x100, 4), ==, 0x03020100);
}

/* What is in the file of variables. */
static uint32_t in_file(Fixture *f, uint64_t address) {
  g_autofree char *bytes = NULL;
  gsize size;
  uint32_t value;

  g_assert_true(g_file_get_contents(f->vars, &bytes, &size, NULL));
  g_assert_cmpuint(size, ==, FLASH_VARIABLE_BLOCKS * BLOCK);
  memcpy(&value, bytes + (address - VARS), sizeof value);
  return value;
}

static void test_variables(Fixture *f, gconstpointer data) {
  program(f, VARS + 0x104, 0xfedcba98);
  g_assert_cmphex(rd(f, VARS + 0x104, 4), ==, READY);
  g_assert_cmphex(in_file(f, VARS + 0x104), ==, 0xfedcba98); /* before the guest reads it */
  g_assert_cmphex(end(f, VARS), ==, READY);
  program(f, VARS + 0x104, 0x0fffffff); /* bits can be cleared alone */
  g_assert_cmphex(end(f, VARS), ==, READY);
  g_assert_cmphex(rd(f, VARS + 0x104, 4), ==, 0x0edcba98);
  bus_write(f->bus, VARS + 0x10a, 2, 0x40); /* half a word */
  bus_write(f->bus, VARS + 0x10a, 2, 0x1234);
  bus_write(f->bus, VARS, 2, 0xff);
  g_assert_cmphex(end(f, VARS), ==, READY);
  g_assert_cmphex(rd(f, VARS + 0x108, 4), ==, 0x1234ffff);

  device_reset(f->flash); /* the chips are as new, and what they hold stays */
  g_assert_cmphex(rd(f, VARS + 0x104, 4), ==, 0x0edcba98);
  stop(f);
  start(f);
  g_assert_cmphex(rd(f, VARS + 0x104, 4), ==, 0x0edcba98);
  g_assert_cmphex(rd(f, VARS + 0x108, 4), ==, 0x1234ffff);

  program(f, VARS + BLOCK, 0);
  erase(f, VARS + 0x3fff0);
  g_assert_cmphex(end(f, VARS), ==, READY);
  g_assert_cmphex(rd(f, VARS + 0x104, 4), ==, UINT32_MAX);
  g_assert_cmphex(in_file(f, VARS + 0x104), ==, UINT32_MAX);
  g_assert_cmphex(rd(f, VARS + BLOCK, 4), ==, 0); /* no other block */
  g_assert_cmphex(in_file(f, VARS + BLOCK), ==, 0);

  program(f, VARS + FLASH_VARIABLE_BLOCKS * BLOCK, 0); /* behind the file */
  g_assert_cmphex(end(f, VARS), ==, READY | 0x00120012);
  g_assert_cmphex(rd(f, VARS + FLASH_VARIABLE_BLOCKS * BLOCK, 4), ==, UINT32_MAX);
}

/* WORDS words from ADDRESS on, each its number. */
static void write_buffer(Fixture *f, uint64_t address, unsigned words) {
  command(f, address, 0xe8);
  g_assert_cmphex(rd(f, address, 4), ==, READY);
  command(f, address, words - 1);
  for (unsigned i = 0; i < words; i++) {
    g_assert_true(fake_shortcuts_is_deferred(&f->shortcuts, address + i * 4, 4)); /* nothing of it is seen before the end */
    wr(f, address + i * 4, i);
  }
  g_assert_true(fake_shortcuts_is_deferred(&f->shortcuts, address, 4));
  command(f, address, 0xd0);
  g_assert_false(fake_shortcuts_is_deferred(&f->shortcuts, address, 4));
}

static void test_buffer(Fixture *f, gconstpointer data) {
  uint64_t across = VARS + 0x1000 - 64 * 4; /* two pages of the file */

  write_buffer(f, across, 256);
  g_assert_cmpstr(f->event, ==, "buffered program");
  g_assert_cmphex(end(f, VARS), ==, READY);
  for (unsigned i = 0; i < 256; i++) {
    g_assert_cmphex(rd(f, across + i * 4, 4), ==, i);
    if (i % 60 == 0)
      g_assert_cmphex(in_file(f, across + i * 4), ==, i);
  }
  g_assert_cmphex(rd(f, across + 256 * 4, 4), ==, UINT32_MAX);
  g_assert_cmphex(rd(f, across - 4, 4), ==, UINT32_MAX);
  /* A machine that is reset in the middle of one. */
  command(f, VARS, 0xe8);
  command(f, VARS, 3);
  device_reset(f->flash);
  g_assert_true(is_load(f, VARS));
  g_assert_false(fake_shortcuts_is_deferred(&f->shortcuts, VARS, 4));
}

/* As U-Boot does it: by 16 bits, with commands that drive one chip. */
static void test_half_width(Fixture *f, gconstpointer data) {
  bus_write(f->bus, VARS, 2, 0xe8);
  bus_write(f->bus, VARS, 2, 255);
  for (unsigned i = 0; i < 256; i++)
    bus_write(f->bus, VARS + i * 2, 2, i);
  bus_write(f->bus, VARS, 2, 0xd0);
  g_assert_cmphex(rd(f, VARS, 2), ==, 0x80);
  g_assert_cmphex(end(f, VARS), ==, READY);
  for (unsigned i = 0; i < 256; i++)
    g_assert_cmphex(rd(f, VARS + i * 2, 2), ==, i);
  g_assert_cmphex(in_file(f, VARS + 508), ==, 0x00ff00fe);
  bus_write(f->bus, VARS + 0x20000, 2, 0x20);
  bus_write(f->bus, VARS + 0x20000, 2, 0xd0);
  g_assert_cmphex(end(f, VARS), ==, READY);
  g_assert_cmphex(rd(f, VARS, 4), ==, UINT32_MAX);
}

static void count_message(const char *domain, GLogLevelFlags level, const char *message, gpointer count) {
  g_assert_nonnull(strstr(message, "flash0: cannot change the file of variables: "));
  ++*(unsigned *)count;
}

/* What cannot be written to the file has not happened, and the chip says so; the user is told once. */
static void test_file_fails(Fixture *f, gconstpointer data) {
  unsigned messages = 0;

  program(f, VARS + 8, 0x12345678);
  g_assert_cmphex(end(f, VARS), ==, READY);
  guint handler = g_log_set_handler("eret", G_LOG_LEVEL_MESSAGE, count_message, &messages);
  struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY}, before;
  getrlimit(RLIMIT_FSIZE, &before);
  none.rlim_max = before.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &none);
  program(f, VARS + 8, 0);
  g_assert_cmphex(end(f, VARS), ==, READY | 0x00180018);
  erase(f, VARS);
  setrlimit(RLIMIT_FSIZE, &before);
  g_assert_cmphex(end(f, VARS), ==, READY | 0x00280028);
  g_log_remove_handler("eret", handler);
  g_assert_cmpuint(messages, ==, 1);
  g_assert_cmphex(rd(f, VARS + 8, 4), ==, 0x12345678);
  g_assert_cmphex(in_file(f, VARS + 8), ==, 0x12345678);
}

static void test_volatile(Fixture *f, gconstpointer data) {
  program(f, 2 * FLASH_BANK_SIZE - 4, 0x55aa55aa); /* all of it can be changed */
  g_assert_cmphex(end(f, VARS), ==, READY);
  device_reset(f->flash); /* and it is there after a reboot */
  g_assert_cmphex(rd(f, 2 * FLASH_BANK_SIZE - 4, 4), ==, 0x55aa55aa);
  stop(f);
  start(f);
  g_assert_cmphex(rd(f, 2 * FLASH_BANK_SIZE - 4, 4), ==, UINT32_MAX);
}

/* A write that has no lines to come by. */
static void test_odd_writes(Fixture *f, gconstpointer data) {
  bus_write(f->bus, VARS + 2, 4, 0x00980098);
  g_assert_cmpstr(f->event, ==, "ignored: a write that is not aligned");
  bus_write(f->bus, VARS + 1, 2, 0x98);
  bus_write(f->bus, VARS - 4, 8, UINT64_C(0x0098009800980098)); /* of both banks */
  g_assert_cmpuint(f->events, ==, 3);
  g_assert_true(is_load(f, VARS) && is_load(f, CODE));
  g_assert_cmpuint(bus_refused(f->bus), ==, 0);
}

/* A guest that writes anything anywhere: the firmware stays, and the file is always what it reads. */
static void test_hostile(Fixture *f, gconstpointer data) {
  static const uint8_t commands[] = {0xff, 0x70, 0x90, 0x98, 0x50, 0x40, 0x10, 0xe8, 0x20, 0xd0, 0xb0, 0x60, 0x01, 0x2f, 0xc0};
  g_autofree char *bytes = NULL;
  gsize size;

  for (unsigned i = 0; i < 60000; i++) {
    uint64_t bank = g_test_rand_int_range(0, 4) ? VARS : CODE;
    uint64_t near = g_test_rand_int_range(0, 4) * BLOCK + (uint64_t)g_test_rand_int_range(0, 64);
    uint64_t address = bank + (g_test_rand_int_range(0, 8) ? near : (uint64_t)g_test_rand_int_range(0, (gint32)FLASH_BANK_SIZE));
    unsigned access = 1u << g_test_rand_int_range(0, 4);
    uint64_t value = g_test_rand_bit() ? commands[g_test_rand_int_range(0, sizeof commands)] * UINT64_C(0x0001000100010001)
                                       : (uint64_t)g_test_rand_int_range(0, 300) * UINT64_C(0x100010001);
    if (g_test_rand_int_range(0, 4) == 0)
      rd(f, address & ~UINT64_C(7), access);
    else
      bus_write(f->bus, address, access, value);
  }
  device_reset(f->flash);
  for (uint64_t at = 0; at < 0x1234; at++)
    g_assert_cmphex(rd(f, at, 1), ==, at & 0xff);
  for (uint64_t at = 0x1240; at < FLASH_BANK_SIZE; at += 8)
    g_assert_true(rd(f, at, 8) == UINT64_MAX);
  g_assert_true(g_file_get_contents(f->vars, &bytes, &size, NULL));
  g_assert_cmpuint(size, ==, FLASH_VARIABLE_BLOCKS * BLOCK);
  for (uint64_t at = 0; at < size; at += 8) {
    uint64_t value;
    memcpy(&value, bytes + at, sizeof value);
    g_assert_cmphex(rd(f, VARS + at, 8), ==, value);
  }
  for (uint64_t at = size; at < FLASH_BANK_SIZE; at += 8)
    g_assert_true(rd(f, VARS + at, 8) == UINT64_MAX);
}

static void test_describe(Fixture *f, gconstpointer data) {
  const DeviceSlot slot = {.base = 0, .size = flash_kind.size, .spi = DEVICE_NO_SPI};
  g_autoptr(FdtWriter) writer = fdt_writer_new();
  int length;

  fdt_write_root(writer);
  device_describe(f->flash, &slot, writer);
  g_autoptr(GBytes) tree = fdt_writer_finish(writer, NULL);
  const void *fdt = g_bytes_get_data(tree, NULL);
  int node = fdt_path_offset(fdt, "/flash@0");
  g_assert_cmpint(node, >=, 0);
  g_assert_cmpstr(fdt_getprop(fdt, node, "compatible", NULL), ==, "cfi-flash");
  const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
  static const uint32_t wanted[] = {0, 0, 0, 0x4000000, 0, 0x4000000, 0, 0x4000000};
  g_assert_cmpint(length, ==, sizeof wanted);
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_cmphex(fdt32_to_cpu(reg[i]), ==, wanted[i]);
  g_assert_cmpuint(fdt32_to_cpu(*(const fdt32_t *)fdt_getprop(fdt, node, "bank-width", NULL)), ==, 4);
}

static void test_missing(void) {
  const FirmwareConfig config = {.path = (char *)"/nonexistent/firmware"};
  g_autoptr(GError) error = NULL;

  g_assert_null(flash_kind.make(&(DeviceParts){.name = "flash0", .asked = &config}, &error));
  g_assert_cmpstr(error->message, ==, "cannot open firmware '/nonexistent/firmware': No such file or directory");
  /* A plan opens nothing. */
  g_autoptr(Device) plan = flash_kind.make(&(DeviceParts){.name = "flash0", .asked = &config, .plan_only = true}, NULL);
  g_assert_nonnull(plan);
}

#define ADD(name, data, function) g_test_add("/flash/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("reading", NULL, test_reading);
  ADD("query", NULL, test_query);
  ADD("firmware-is-safe", NULL, test_firmware_is_safe);
  ADD("variables", NULL, test_variables);
  ADD("buffer", NULL, test_buffer);
  ADD("half-width", NULL, test_half_width);
  ADD("file-fails", NULL, test_file_fails);
  ADD("volatile", "volatile", test_volatile);
  ADD("odd-writes", NULL, test_odd_writes);
  ADD("hostile", NULL, test_hostile);
  ADD("describe", NULL, test_describe);
  g_test_add_func("/flash/missing", test_missing);
  return g_test_run();
}
