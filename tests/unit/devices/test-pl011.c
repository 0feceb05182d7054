/* SPDX-License-Identifier: Apache-2.0 */
/* PL011 UART: devices/pl011.c against Arm DDI 0183 (r1p5). */
#include "devices/pl011.h"

#include <libfdt.h>
#include <string.h>

#include "devices/bus.h"
#include "tests/unit/fake-shortcuts.h"
#include "tests/unit/fakes.h"

/* DDI 0183, 3.2. */
enum {
  UARTDR = 0x000,
  UARTRSR = 0x004,
  UARTFR = 0x018,
  UARTILPR = 0x020,
  UARTIBRD = 0x024,
  UARTFBRD = 0x028,
  UARTLCR_H = 0x02c,
  UARTCR = 0x030,
  UARTIFLS = 0x034,
  UARTIMSC = 0x038,
  UARTRIS = 0x03c,
  UARTMIS = 0x040,
  UARTICR = 0x044,
  UARTDMACR = 0x048,
};

enum { FR_MODEM = 0x07, FR_BUSY = 0x08, FR_RXFE = 0x10, FR_TXFF = 0x20, FR_RXFF = 0x40, FR_TXFE = 0x80 };
enum { LCR_H_FEN = 0x10 };
enum { CR_UARTEN = 0x001, CR_LBE = 0x080, CR_TXE = 0x100, CR_RXE = 0x200, CR_ON = CR_UARTEN | CR_TXE | CR_RXE };
enum { INT_RX = 0x10, INT_TX = 0x20, INT_RT = 0x40, INT_OE = 0x400 };

#define FIFO_DEPTH 32
#define FR_IDLE    (FR_MODEM | FR_RXFE | FR_TXFE)
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

typedef struct {
  FakeIrqLine irq;
  FakeCharBackend *backend;
  Device *uart;
} Fixture;

static void fixture_init(Fixture *f) {
  *f = (Fixture){.irq = FAKE_IRQ_LINE, .backend = fake_char_backend_new()};
  f->uart = pl011_kind.make(&(DeviceParts){.irq = &f->irq.line, .console = &f->backend->backend}, NULL);
}

static void fixture_clear(Fixture *f) {
  device_free(f->uart);
  char_backend_free(&f->backend->backend);
}

static uint32_t rd(Fixture *f, uint64_t offset) {
  return (uint32_t)f->uart->ops->read(f->uart, offset, 4);
}

static void wr(Fixture *f, uint64_t offset, uint32_t value) {
  f->uart->ops->write(f->uart, offset, 4, value);
}

/* As a driver leaves it: on, with FIFOs. */
static void fixture_init_on(Fixture *f) {
  fixture_init(f);
  wr(f, UARTLCR_H, 0x70);
  wr(f, UARTCR, CR_ON);
}

static size_t type(Fixture *f, const char *text, size_t size) {
  return fake_char_backend_type(f->backend, text, size);
}

/* Each register: name, value after power-on, bits that can be written. */
static const struct {
  uint32_t offset, reset, writable;
  const char *name;
} registers[] = {
    {UARTDR, 0, 0, "UARTDR"},          {UARTRSR, 0, 0, "UARTRSR"},        {UARTFR, FR_IDLE, 0, "UARTFR"},
    {UARTILPR, 0, 0xff, "UARTILPR"},   {UARTIBRD, 0, 0xffff, "UARTIBRD"}, {UARTFBRD, 0, 0x3f, "UARTFBRD"},
    {UARTLCR_H, 0, 0xff, "UARTLCR_H"}, {UARTCR, 0x300, 0xff87, "UARTCR"}, {UARTIFLS, 0x12, 0x3f, "UARTIFLS"},
    {UARTIMSC, 0, 0x7ff, "UARTIMSC"},  {UARTRIS, 0, 0, "UARTRIS"},        {UARTMIS, 0, 0, "UARTMIS"},
    {UARTICR, 0, 0, "UARTICR"},        {UARTDMACR, 0, 0x7, "UARTDMACR"},
};

static void test_reset_values(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    g_test_message("%s", registers[i].name);
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
  }
  g_assert_false(f.irq.level);
  fixture_clear(&f);
}

static void test_register_names(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmpstr(f.uart->ops->register_name(f.uart, registers[i].offset), ==, registers[i].name);
  for (uint64_t offset = 0xfe0; offset < 0x1000; offset += 4)
    g_assert_cmpstr(f.uart->ops->register_name(f.uart, offset), ==, offset < 0xff0 ? "UARTPeriphID" : "UARTPCellID");
  g_assert_null(f.uart->ops->register_name(f.uart, 0x008));
  g_assert_null(f.uart->ops->register_name(f.uart, 0x001));
  g_assert_null(f.uart->ops->register_name(f.uart, 0x04c));
  g_assert_null(f.uart->ops->register_name(f.uart, 0xfdc));
  fixture_clear(&f);
}

static void test_writable_bits(void) {
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    uint32_t offset = registers[i].offset, mask = registers[i].writable;
    if (offset == UARTDR || offset == UARTCR) /* the first transmits; the second has a test below */
      continue;
    g_test_message("%s", registers[i].name);
    wr(&f, offset, UINT32_MAX);
    g_assert_cmphex(rd(&f, offset), ==, mask ? mask : registers[i].reset);
    wr(&f, offset, 0xa5a5a5a5);
    g_assert_cmphex(rd(&f, offset), ==, mask ? 0xa5a5a5a5 & mask : registers[i].reset);
    wr(&f, offset, 0);
    g_assert_cmphex(rd(&f, offset), ==, mask ? 0 : registers[i].reset);
  }
  wr(&f, UARTCR, UINT32_MAX);
  g_assert_cmphex(rd(&f, UARTCR), ==, 0xff87);
  wr(&f, UARTCR, 0);
  g_assert_cmphex(rd(&f, UARTCR), ==, 0);
  fixture_clear(&f);
}

/* Writing one register changes no other. */
static void test_registers_are_apart(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
    Fixture f;
    if (registers[i].offset == UARTDR)
      continue;
    fixture_init(&f);
    wr(&f, registers[i].offset, 0x12345655);
    for (unsigned j = 0; j < G_N_ELEMENTS(registers); j++)
      if (j != i)
        g_assert_cmphex(rd(&f, registers[j].offset), ==, registers[j].reset);
    fixture_clear(&f);
  }
}

/* Shortcuts. */

#define BASE UINT64_C(0x9000000)

static void connect(Fixture *f, FakeShortcuts *fake) {
  const DeviceSlot slot = {.base = BASE, .size = PL011_SIZE};

  fake_shortcuts_init(fake);
  device_connect(f->uart, &slot, &fake->shortcuts);
}

static bool reads_by_itself(FakeShortcuts *fake) {
  uint64_t value;
  return fake_shortcuts_read(fake, BASE + UARTFR, 4, &value);
}

/* What a guest loads is what the registers read, after whatever has happened. */
static void test_page(void) {
  GRand *random = g_rand_new_with_seed(1971);
  FakeShortcuts fake;
  Fixture f;

  fixture_init_on(&f);
  connect(&f, &fake);
  g_assert_true(reads_by_itself(&fake));
  for (unsigned i = 0; i < 20000; i++) {
    uint64_t value, offset = (uint64_t)g_rand_int_range(random, 0, PL011_SIZE / 4) * 4;
    if (g_rand_boolean(random))
      offset %= 0x50;
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
      type(&f, LETTERS, (size_t)g_rand_int_range(random, 1, 10));
      break;
    case 1:
      f.backend->room = (size_t)g_rand_int_range(random, 0, 20);
      break;
    case 2:
      rd(&f, UARTDR);
      break;
    default:
      wr(&f, offset, g_rand_int(random));
    }
    if (rd(&f, UARTFR) & FR_RXFE) {
      if (fake_shortcuts_read(&fake, BASE + offset, 4, &value))
        g_assert_cmphex(rd(&f, offset), ==, value);
    } else {
      g_assert_false(reads_by_itself(&fake)); /* a read of UARTDR takes a byte */
    }
  }
  g_assert_cmpuint(fake.maps, >, 10); /* again and again */
  g_rand_free(random);
  fixture_clear(&f);
  g_assert_cmpuint(fake.n, ==, 0);
}

/* Input closes the page at once; it opens again when input has ceased for some reads, or at a reset. */
static void test_page_and_input(void) {
  FakeShortcuts fake;
  Fixture f;

  fixture_init_on(&f);
  connect(&f, &fake);
  type(&f, "a", 1);
  g_assert_false(reads_by_itself(&fake));
  for (unsigned i = 0; i < 100; i++)
    rd(&f, UARTFR);
  g_assert_false(reads_by_itself(&fake));
  g_assert_cmphex(rd(&f, UARTDR), ==, 'a');
  g_assert_false(reads_by_itself(&fake));
  for (unsigned i = 0; i < 100; i++)
    rd(&f, UARTFR);
  g_assert_true(reads_by_itself(&fake));
  type(&f, "b", 1);
  device_reset(f.uart);
  g_assert_true(reads_by_itself(&fake));
  fixture_clear(&f);
}

static bool is_deferred(FakeShortcuts *fake) {
  return fake_shortcuts_is_deferred(fake, BASE + UARTDR, 4);
}

/* Output may be deferred only where nobody can tell: not where it interrupts, comes back or has to wait. */
static void test_deferred_output(void) {
  FakeShortcuts fake;
  Fixture f;

  fixture_init_on(&f);
  connect(&f, &fake);
  wr(&f, UARTDR, 'a');
  g_assert_false(is_deferred(&fake)); /* a lone one */
  wr(&f, UARTDR, 'b');
  g_assert_true(is_deferred(&fake));
  wr(&f, UARTIMSC, INT_TX);
  g_assert_false(is_deferred(&fake));
  wr(&f, UARTIMSC, 0);
  wr(&f, UARTDR, 'c');
  wr(&f, UARTDR, 'd');
  g_assert_true(is_deferred(&fake));
  wr(&f, UARTCR, CR_ON | CR_LBE);
  g_assert_false(is_deferred(&fake));
  wr(&f, UARTCR, CR_ON);
  wr(&f, UARTDR, 'e');
  wr(&f, UARTDR, 'f');
  wr(&f, UARTICR, INT_TX); /* the next byte is seen in UARTRIS */
  g_assert_false(is_deferred(&fake));
  g_assert_cmpstr(f.backend->output->str, ==, "abcdef");
  fixture_clear(&f);
}

/*
 * What has been sent to a FIFO that was empty is not lost when it was deferred, however much it is and however slow the
 * reader.
 */
static void test_deferred_output_waits(void) {
  g_autoptr(GString) sent = g_string_new(NULL);
  FakeShortcuts fake;
  Fixture f;

  fixture_init_on(&f);
  connect(&f, &fake);
  wr(&f, UARTDR, '.');
  wr(&f, UARTDR, '.');
  g_string_append(sent, "..");
  f.backend->room = 7;
  fake.catching_up = true;
  for (unsigned i = 0; i < 300; i++) {
    wr(&f, UARTDR, 'a' + i % 26);
    g_string_append_c(sent, (char)('a' + i % 26));
  }
  fake.catching_up = false;
  g_assert_false(is_deferred(&fake));
  g_assert_cmphex(rd(&f, UARTFR) & FR_TXFF, ==, FR_TXFF);
  wr(&f, UARTDR, '!'); /* this one the guest could have known to be one too many */
  while (f.backend->output->len < sent->len)
    fake_char_backend_make_room(f.backend, 11);
  g_assert_cmpstr(f.backend->output->str, ==, sent->str);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  fixture_clear(&f);
}

static void test_identification(void) {
  static const uint8_t ids[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
    g_assert_cmphex(rd(&f, 0xfe0 + 4 * i), ==, ids[i]);
    wr(&f, 0xfe0 + 4 * i, 0xff);
    g_assert_cmphex(rd(&f, 0xfe0 + 4 * i), ==, ids[i]);
  }
  fixture_clear(&f);
}

/* Offsets without a register read as zeros, and writing them changes no register. */
static void test_holes(void) {
  Fixture f;

  fixture_init(&f);
  for (uint64_t offset = 0; offset < PL011_SIZE; offset += 4) {
    if (f.uart->ops->register_name(f.uart, offset))
      continue;
    wr(&f, offset, UINT32_MAX);
    g_assert_cmphex(rd(&f, offset), ==, 0);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
  g_assert_cmpuint(f.backend->output->len, ==, 0);
  fixture_clear(&f);
}

static void test_transmit(void) {
  Fixture f;

  fixture_init(&f); /* not even switched on: see pl011.c */
  for (const char *c = LETTERS; *c; c++) {
    g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
    wr(&f, UARTDR, 0xffffff00 | (uint8_t)*c);
  }
  g_assert_cmpstr(f.backend->output->str, ==, LETTERS);
  g_string_truncate(f.backend->output, 0);
  for (unsigned byte = 0; byte < 256; byte++)
    wr(&f, UARTDR, byte);
  g_assert_cmpuint(f.backend->output->len, ==, 256);
  for (unsigned byte = 0; byte < 256; byte++)
    g_assert_cmphex((uint8_t)f.backend->output->str[byte], ==, byte);
  fixture_clear(&f);
}

static void test_transmit_interrupt(void) {
  Fixture f;

  fixture_init_on(&f);
  wr(&f, UARTIMSC, INT_TX);
  g_assert_false(f.irq.level); /* nothing was sent yet */
  g_assert_cmphex(rd(&f, UARTRIS), ==, 0);
  wr(&f, UARTDR, 'x');
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_TX);
  g_assert_cmphex(rd(&f, UARTMIS), ==, INT_TX);
  wr(&f, UARTIMSC, 0);
  g_assert_false(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_TX);
  g_assert_cmphex(rd(&f, UARTMIS), ==, 0);
  wr(&f, UARTIMSC, INT_TX);
  g_assert_true(f.irq.level);
  wr(&f, UARTICR, (uint32_t)~INT_TX); /* all others */
  g_assert_true(f.irq.level);
  wr(&f, UARTICR, INT_TX);
  g_assert_false(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, 0);
  wr(&f, UARTDR, 'y');
  g_assert_true(f.irq.level);
  g_assert_cmpuint(f.irq.raised, ==, 3);
  fixture_clear(&f);
}

/* A reader that takes nothing: the FIFO fills, says so, and loses nothing that fitted. */
static void test_transmit_full(void) {
  Fixture f;

  fixture_init_on(&f);
  f.backend->room = 0;
  for (unsigned i = 0; i < FIFO_DEPTH; i++) {
    uint32_t fr = rd(&f, UARTFR);
    g_assert_cmphex(fr & FR_TXFF, ==, 0);
    g_assert_cmphex(fr & FR_TXFE, ==, i ? 0 : FR_TXFE);
    g_assert_cmphex(fr & FR_BUSY, ==, i ? FR_BUSY : 0);
    wr(&f, UARTDR, (uint8_t)LETTERS[i]);
  }
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_MODEM | FR_RXFE | FR_TXFF | FR_BUSY);
  wr(&f, UARTDR, '!'); /* lost, as on silicon: the guest did not look */
  g_assert_cmpuint(f.backend->output->len, ==, 0);
  fake_char_backend_make_room(f.backend, 5);
  g_assert_cmpstr(f.backend->output->str, ==, "abcde");
  g_assert_cmphex(rd(&f, UARTFR) & (FR_TXFF | FR_TXFE), ==, 0);
  for (unsigned i = 0; i < 5; i++)
    wr(&f, UARTDR, '0' + i);
  g_assert_cmphex(rd(&f, UARTFR) & FR_TXFF, ==, FR_TXFF);
  fake_char_backend_make_room(f.backend, SIZE_MAX);
  g_assert_cmpstr(f.backend->output->str, ==, "abcdefghijklmnopqrstuvwxyzABCDEF01234");
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  fixture_clear(&f);
}

/* UARTTXINTR: raised when the FIFO empties to its level, withdrawn when it is filled above. */
static void test_transmit_levels(void) {
  static const unsigned levels[] = {4, 8, 16, 24, 28};

  for (unsigned select = 0; select < G_N_ELEMENTS(levels); select++) {
    Fixture f;
    fixture_init_on(&f);
    wr(&f, UARTIFLS, select);
    wr(&f, UARTIMSC, INT_TX);
    wr(&f, UARTDR, '.');
    g_assert_true(f.irq.level);
    f.backend->room = 0;
    for (unsigned count = 1; count <= FIFO_DEPTH; count++) {
      wr(&f, UARTDR, 'x');
      g_assert_cmpint(f.irq.level, ==, count <= levels[select]);
    }
    for (unsigned count = FIFO_DEPTH; count-- > 0;) {
      fake_char_backend_make_room(f.backend, 1);
      g_assert_cmpint(f.irq.level, ==, count <= levels[select]);
      g_assert_cmphex(rd(&f, UARTRIS), ==, count <= levels[select] ? INT_TX : 0);
    }
    /* Filling alone, from empty, raises nothing. */
    wr(&f, UARTICR, INT_TX);
    f.backend->room = 0;
    for (unsigned count = 1; count <= FIFO_DEPTH; count++) {
      wr(&f, UARTDR, 'x');
      g_assert_false(f.irq.level);
    }
    fixture_clear(&f);
  }
}

/*
 * A driver that fills half a FIFO for each transmit interrupt and never reads UARTFR, with a reader that takes a few
 * bytes at a time.
 */
static void test_transmit_blind_driver(void) {
  enum { TOTAL = 5000 };
  g_autoptr(GString) sent = g_string_new(NULL);
  Fixture f;

  fixture_init_on(&f);
  f.backend->room = 0;
  wr(&f, UARTIMSC, INT_TX);
  for (unsigned i = 0; i < FIFO_DEPTH; i++) { /* the first FIFO-full, which a driver sends without an interrupt */
    g_string_append_c(sent, (char)i);
    wr(&f, UARTDR, i);
  }
  for (unsigned round = 0; sent->len < TOTAL; round++) {
    g_assert_cmpuint(round, <, TOTAL);
    fake_char_backend_make_room(f.backend, 1 + round % 7);
    for (unsigned guard = 0; f.irq.level && sent->len < TOTAL; guard++) {
      g_assert_cmpuint(guard, <, 8); /* else the interrupt never ends */
      for (unsigned i = 0; i < FIFO_DEPTH / 2; i++) {
        char byte = (char)(sent->len * 31);
        g_string_append_c(sent, byte);
        wr(&f, UARTDR, (uint8_t)byte);
      }
    }
  }
  fake_char_backend_make_room(f.backend, SIZE_MAX);
  g_assert_cmpmem(f.backend->output->str, f.backend->output->len, sent->str, sent->len);
  fixture_clear(&f);
}

static void test_transmit_without_fifo(void) {
  Fixture f;

  fixture_init(&f);
  f.backend->room = 0;
  wr(&f, UARTIMSC, INT_TX);
  wr(&f, UARTDR, 'a');
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_MODEM | FR_RXFE | FR_TXFF | FR_BUSY);
  g_assert_false(f.irq.level);
  wr(&f, UARTDR, 'b'); /* lost */
  fake_char_backend_make_room(f.backend, SIZE_MAX);
  g_assert_cmpstr(f.backend->output->str, ==, "a");
  g_assert_true(f.irq.level);
  f.backend->room = 0;
  wr(&f, UARTDR, 'c'); /* one byte is all there is place for: the interrupt is over */
  g_assert_false(f.irq.level);
  fixture_clear(&f);
}

/* Output under way when the guest switches the FIFOs off still arrives. */
static void test_transmit_fifo_off(void) {
  Fixture f;

  fixture_init_on(&f);
  f.backend->room = 0;
  for (unsigned i = 0; i < 20; i++)
    wr(&f, UARTDR, (uint8_t)LETTERS[i]);
  wr(&f, UARTLCR_H, 0);
  g_assert_cmphex(rd(&f, UARTFR) & FR_TXFF, ==, FR_TXFF);
  wr(&f, UARTDR, '!'); /* lost */
  fake_char_backend_make_room(f.backend, SIZE_MAX);
  g_assert_cmpmem(f.backend->output->str, f.backend->output->len, LETTERS, 20);
  fixture_clear(&f);
}

static void test_receive_enable(void) {
  Fixture f;

  fixture_init(&f);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, 0); /* CR after power-on: not enabled */
  wr(&f, UARTCR, CR_UARTEN | CR_TXE);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, 0);
  g_assert_cmpuint(f.backend->accepts, ==, 0);
  wr(&f, UARTCR, CR_ON);
  g_assert_cmpuint(f.backend->accepts, ==, 1);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, 1);
  wr(&f, UARTLCR_H, LCR_H_FEN);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, FIFO_DEPTH);
  wr(&f, UARTCR, CR_ON | CR_LBE);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, 0);
  wr(&f, UARTCR, CR_ON);
  g_assert_cmpuint(f.backend->accepts, ==, 2);
  wr(&f, UARTCR, CR_ON); /* nobody waits */
  g_assert_cmpuint(f.backend->accepts, ==, 2);
  fixture_clear(&f);
}

static void test_receive(void) {
  Fixture f;

  fixture_init_on(&f);
  g_assert_cmpuint(type(&f, "hello", 5), ==, 5);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_MODEM | FR_TXFE);
  for (unsigned i = 0; i < 5; i++)
    g_assert_cmphex(rd(&f, UARTDR), ==, (uint8_t) "hello"[i]);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_cmphex(rd(&f, UARTDR), ==, 0); /* empty: nothing happens */
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  for (unsigned byte = 0; byte < 256; byte++) {
    char c = (char)byte;
    g_assert_cmpuint(type(&f, &c, 1), ==, 1);
    g_assert_cmphex(rd(&f, UARTDR), ==, byte);
  }
  g_assert_cmpuint(f.backend->accepts, ==, 0); /* it was never full */
  fixture_clear(&f);
}

/* Receive interrupt from the level on, receive timeout below it, for each level and each number of bytes. */
static void test_receive_levels(void) {
  static const unsigned levels[] = {4, 8, 16, 24, 28};

  for (unsigned select = 0; select < G_N_ELEMENTS(levels); select++) {
    Fixture f;
    fixture_init_on(&f);
    wr(&f, UARTIFLS, select << 3);
    for (unsigned count = 1; count <= FIFO_DEPTH; count++) {
      uint32_t expected = count >= levels[select] ? INT_RX : INT_RT;
      g_assert_cmpuint(type(&f, "x", 1), ==, 1);
      g_assert_cmphex(rd(&f, UARTRIS), ==, expected);
      g_assert_cmphex(rd(&f, UARTMIS), ==, 0);
      wr(&f, UARTIMSC, expected);
      g_assert_true(f.irq.level);
      g_assert_cmphex(rd(&f, UARTMIS), ==, expected);
      wr(&f, UARTIMSC, (uint32_t)~expected);
      g_assert_false(f.irq.level);
      wr(&f, UARTIMSC, 0);
      wr(&f, UARTICR, 0x7ff); /* no effect while the bytes are there */
      g_assert_cmphex(rd(&f, UARTRIS), ==, expected);
    }
    g_assert_cmphex(rd(&f, UARTFR), ==, FR_MODEM | FR_TXFE | FR_RXFF);
    for (unsigned count = FIFO_DEPTH; count-- > 0;) {
      rd(&f, UARTDR);
      g_assert_cmphex(rd(&f, UARTRIS), ==, count >= levels[select] ? INT_RX : count ? INT_RT : 0);
    }
    fixture_clear(&f);
  }
}

/* Reserved values of UARTIFLS index nothing, and act as 7/8. */
static void test_reserved_levels(void) {
  for (unsigned select = 5; select < 8; select++) {
    Fixture f;
    fixture_init_on(&f);
    wr(&f, UARTIFLS, select << 3 | select);
    g_assert_cmpuint(type(&f, LETTERS, 27), ==, 27);
    g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RT);
    g_assert_cmpuint(type(&f, "x", 1), ==, 1);
    g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX);
    wr(&f, UARTDR, 'x');
    g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX | INT_TX);
    f.backend->room = 0;
    for (unsigned count = 1; count <= FIFO_DEPTH; count++) {
      wr(&f, UARTDR, 'x');
      g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX | (count <= 28 ? INT_TX : 0));
    }
    fixture_clear(&f);
  }
}

static void test_receive_without_fifo(void) {
  Fixture f;

  fixture_init(&f);
  wr(&f, UARTCR, CR_ON);
  wr(&f, UARTIMSC, INT_RX | INT_RT);
  g_assert_cmpuint(type(&f, "ab", 2), ==, 1);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_MODEM | FR_TXFE | FR_RXFF);
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, UARTDR), ==, 'a');
  g_assert_false(f.irq.level);
  g_assert_cmpuint(f.backend->accepts, ==, 1);
  fixture_clear(&f);
}

/* A full FIFO stops the back end, which is called again once half of it is free; nothing is lost or turned round. */
static void test_receive_flow(void) {
  enum { TOTAL = 1000 };
  char text[TOTAL];
  size_t typed = 0;
  Fixture f;

  for (unsigned i = 0; i < TOTAL; i++)
    text[i] = (char)(i * 7 + i / 256);
  fixture_init_on(&f);
  typed = type(&f, text, TOTAL);
  g_assert_cmpuint(typed, ==, FIFO_DEPTH);
  for (unsigned i = 0; i < TOTAL; i++) {
    unsigned before = f.backend->accepts;
    g_assert_cmphex(rd(&f, UARTDR), ==, (uint8_t)text[i]);
    if (i == FIFO_DEPTH / 2 - 2)
      g_assert_cmpuint(f.backend->accepts, ==, 0);
    if (i == FIFO_DEPTH / 2 - 1)
      g_assert_cmpuint(f.backend->accepts, ==, 1);
    if (f.backend->accepts != before) {
      g_assert_cmpuint(f.backend->accepts, ==, before + 1);
      typed += type(&f, text + typed, TOTAL - typed);
    }
  }
  g_assert_cmpuint(typed, ==, TOTAL);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_cmpuint(f.backend->accepts, <=, TOTAL / (FIFO_DEPTH / 2) + 1);
  fixture_clear(&f);
}

/* The guest shrinks the FIFO between the back end's question and its bytes. */
static void test_overrun(void) {
  Fixture f;

  fixture_init_on(&f);
  wr(&f, UARTIMSC, INT_OE);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, FIFO_DEPTH);
  wr(&f, UARTLCR_H, 0);
  f.backend->backend.frontend->receive(f.backend->backend.opaque, (const uint8_t *)"abc", 3);
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX | INT_OE);
  g_assert_cmphex(rd(&f, UARTRSR), ==, 0x8);
  g_assert_cmphex(rd(&f, UARTDR), ==, 0x800 | 'a');
  g_assert_cmpuint(type(&f, "d", 1), ==, 1);
  g_assert_cmphex(rd(&f, UARTDR), ==, 'd'); /* said once */
  g_assert_cmphex(rd(&f, UARTRSR), ==, 0x8);
  wr(&f, UARTRSR, 0); /* UARTECR: any value clears */
  g_assert_cmphex(rd(&f, UARTRSR), ==, 0);
  g_assert_true(f.irq.level);
  wr(&f, UARTICR, INT_OE);
  g_assert_false(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, 0);
  fixture_clear(&f);
}

/* A change of FEN empties the receive FIFO; writing LCR_H without one does not. */
static void test_fifo_switch(void) {
  Fixture f;

  fixture_init_on(&f);
  wr(&f, UARTIMSC, INT_RX | INT_RT);
  type(&f, "abc", 3);
  g_assert_true(f.irq.level);
  wr(&f, UARTLCR_H, 0x7f);
  g_assert_cmphex(rd(&f, UARTFR) & FR_RXFE, ==, 0);
  wr(&f, UARTLCR_H, 0x60);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_false(f.irq.level);
  type(&f, "d", 1);
  wr(&f, UARTLCR_H, 0x70);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_false(f.irq.level);
  /* A back end that waits is told of the room. */
  g_assert_cmpuint(type(&f, LETTERS, 62), ==, FIFO_DEPTH);
  g_assert_cmpuint(f.backend->accepts, ==, 0);
  wr(&f, UARTLCR_H, 0);
  g_assert_cmpuint(f.backend->accepts, ==, 1);
  fixture_clear(&f);
}

static void test_loop_back(void) {
  Fixture f;

  fixture_init_on(&f);
  wr(&f, UARTCR, CR_ON | CR_LBE);
  wr(&f, UARTIMSC, INT_RX | INT_RT);
  wr(&f, UARTDR, 'l');
  wr(&f, UARTDR, 'b');
  g_assert_true(f.irq.level);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RT | INT_TX);
  g_assert_cmphex(rd(&f, UARTDR), ==, 'l');
  g_assert_cmphex(rd(&f, UARTDR), ==, 'b');
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_cmpuint(f.backend->output->len, ==, 0);

  /* More than the FIFO holds is an overrun. */
  for (unsigned i = 0; i < FIFO_DEPTH + 1; i++)
    wr(&f, UARTDR, i);
  g_assert_cmphex(rd(&f, UARTRIS), ==, INT_RX | INT_TX | INT_OE);
  g_assert_cmphex(rd(&f, UARTDR), ==, 0x800);
  for (unsigned i = 1; i < FIFO_DEPTH; i++)
    g_assert_cmphex(rd(&f, UARTDR), ==, i);
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);

  /* With the receiver off nothing comes back. */
  wr(&f, UARTCR, CR_UARTEN | CR_TXE | CR_LBE);
  wr(&f, UARTDR, 'x');
  g_assert_cmphex(rd(&f, UARTFR), ==, FR_IDLE);
  g_assert_cmpuint(f.backend->output->len, ==, 0);
  fixture_clear(&f);
}

static void test_without_backend(void) {
  FakeIrqLine irq = FAKE_IRQ_LINE;
  g_autoptr(Device) uart = pl011_kind.make(&(DeviceParts){.irq = &irq.line}, NULL);

  uart->ops->write(uart, UARTLCR_H, 4, LCR_H_FEN);
  uart->ops->write(uart, UARTCR, 4, CR_ON);
  uart->ops->write(uart, UARTIMSC, 4, INT_TX);
  for (unsigned i = 0; i < 100; i++) {
    uart->ops->write(uart, UARTDR, 4, 'x');
    g_assert_cmphex(uart->ops->read(uart, UARTFR, 4), ==, FR_IDLE);
  }
  g_assert_true(irq.level);
  g_assert_cmphex(uart->ops->read(uart, UARTDR, 4), ==, 0);
  device_reset(uart);
  g_assert_false(irq.level);
}

static void test_reset(void) {
  Fixture f;

  fixture_init_on(&f);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    if (registers[i].writable && registers[i].offset != UARTCR && registers[i].offset != UARTLCR_H)
      wr(&f, registers[i].offset, UINT32_MAX);
  type(&f, "abc", 3);
  wr(&f, UARTDR, 'x');
  g_assert_true(f.irq.level);
  device_reset(f.uart);
  g_assert_false(f.irq.level);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    g_assert_cmphex(rd(&f, registers[i].offset), ==, registers[i].reset);
  g_assert_cmpuint(fake_char_backend_front_room(f.backend), ==, 0);
  wr(&f, UARTCR, CR_ON); /* the next driver */
  g_assert_cmpuint(f.backend->accepts, ==, 1);
  fixture_clear(&f);
}

/* The last words before a reboot reach a slow reader. */
static void test_reset_keeps_output(void) {
  Fixture f;

  fixture_init_on(&f);
  f.backend->room = 2;
  for (const char *c = "reboot: Restarting"; *c; c++)
    wr(&f, UARTDR, (uint8_t)*c);
  g_assert_cmpstr(f.backend->output->str, ==, "re");
  device_reset(f.uart);
  g_assert_cmphex(rd(&f, UARTFR) & FR_BUSY, ==, FR_BUSY);
  fake_char_backend_make_room(f.backend, SIZE_MAX);
  g_assert_cmpstr(f.backend->output->str, ==, "reboot: Restarting");
  wr(&f, UARTDR, '!');
  g_assert_cmpstr(f.backend->output->str, ==, "reboot: Restarting!");
  fixture_clear(&f);
}

static void test_widths(void) {
  DeviceSlot slot = {.base = 0x9000000, .size = PL011_SIZE};
  g_autoptr(Bus) bus = bus_new();
  Fixture f;

  fixture_init(&f);
  g_assert_true(bus_add(bus, &slot, f.uart, NULL));
  bus_seal(bus);
  for (unsigned size = 1; size <= 4; size *= 2) {
    bus_write(bus, 0x9000000, size, 'a' + size);
    g_assert_cmphex(bus_read(bus, 0x9000000 + UARTFR, size), ==, FR_IDLE);
  }
  g_assert_cmpstr(f.backend->output->str, ==, "bce");
  g_assert_cmpuint(bus_refused(bus), ==, 0);
  bus_write(bus, 0x9000000, 8, 'x');
  g_assert_cmphex(bus_read(bus, 0x9000000 + UARTFR, 8), ==, FR_IDLE);
  g_assert_cmphex(bus_read(bus, 0x9000000 + 0xfe8, 1), ==, 0x34);
  g_assert_cmphex(bus_read(bus, 0x9000000 + 0xfe8, 2), ==, 0x34);
  g_assert_cmphex(bus_read(bus, 0x9000000 + 0xff8, 8), ==, UINT64_C(0xb100000005));
  bus_write(bus, 0x9000000 + 2, 4, 'x');
  bus_write(bus, 0x9000000 + 1, 2, 'x');
  g_assert_cmpuint(bus_refused(bus), ==, 3);
  g_assert_cmpstr(f.backend->output->str, ==, "bce");
  fixture_clear(&f);
}

static void test_free_lets_go(void) {
  Fixture f;

  fixture_init(&f);
  g_assert_nonnull(f.backend->backend.frontend);
  device_free(g_steal_pointer(&f.uart));
  g_assert_null(f.backend->backend.frontend);
  char_backend_free(&f.backend->backend);
}

static void test_describe(void) {
  DeviceSlot slot = {.base = 0x9000000, .size = PL011_SIZE, .spi = 1, .trigger = FDT_IRQ_LEVEL_HIGH};
  Fixture f;

  fixture_init(&f);
  g_autoptr(GBytes) tree = fake_describe(f.uart, &slot);
  fake_assert_string(tree, "/pl011@9000000", "compatible", "arm,pl011\0arm,primecell");
  fake_assert_cells(tree, "/pl011@9000000", "reg", 0, 0x9000000, 0, 0x1000);
  fake_assert_cells(tree, "/pl011@9000000", "interrupts", 0, 1, 4);
  fake_assert_cells(tree, "/pl011@9000000", "clocks", FDT_PHANDLE_APB_CLOCK, FDT_PHANDLE_APB_CLOCK);
  fake_assert_string(tree, "/pl011@9000000", "clock-names", "uartclk\0apb_pclk");
  fixture_clear(&f);
}

/* What holds whatever the guest does. */
static void check_invariants(Fixture *f) {
  uint32_t fr = rd(f, UARTFR), ris = rd(f, UARTRIS), imsc = rd(f, UARTIMSC);

  g_assert_cmpint(f->irq.level, ==, (ris & imsc) != 0);
  g_assert_cmphex(rd(f, UARTMIS), ==, ris & imsc);
  g_assert_cmpint(!(fr & FR_RXFE), ==, !!(ris & (INT_RX | INT_RT)));
  g_assert_cmpint(!(fr & FR_TXFE), ==, !!(fr & FR_BUSY));
  g_assert_false((fr & FR_RXFE) && (fr & FR_RXFF));
  g_assert_false((fr & FR_TXFE) && (fr & FR_TXFF));
  g_assert_false((ris & INT_RX) && (ris & INT_RT));
}

/* A guest and a user that do anything at all. */
static void test_random(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(0x011);
  Fixture f;

  fixture_init(&f);
  for (unsigned i = 0; i < 50000; i++) {
    uint64_t offset =
        g_rand_boolean(random) ? (uint64_t)g_rand_int_range(random, 0, 0x13) * 4 : (uint64_t)g_rand_int_range(random, 0, PL011_SIZE);
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
    case 1:
      wr(&f, offset, g_rand_int(random));
      break;
    case 2:
      rd(&f, offset);
      break;
    case 3:
      type(&f, LETTERS, (size_t)g_rand_int_range(random, 0, 40));
      break;
    case 4:
      fake_char_backend_make_room(f.backend, (size_t)g_rand_int_range(random, 0, 40));
      break;
    case 5:
      if (g_rand_int_range(random, 0, 50) == 0)
        device_reset(f.uart);
      break;
    }
    check_invariants(&f);
  }
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pl011/reset-values", test_reset_values);
  g_test_add_func("/pl011/register-names", test_register_names);
  g_test_add_func("/pl011/writable-bits", test_writable_bits);
  g_test_add_func("/pl011/registers-are-apart", test_registers_are_apart);
  g_test_add_func("/pl011/identification", test_identification);
  g_test_add_func("/pl011/page", test_page);
  g_test_add_func("/pl011/page-and-input", test_page_and_input);
  g_test_add_func("/pl011/deferred-output", test_deferred_output);
  g_test_add_func("/pl011/deferred-output-waits", test_deferred_output_waits);
  g_test_add_func("/pl011/holes", test_holes);
  g_test_add_func("/pl011/transmit", test_transmit);
  g_test_add_func("/pl011/transmit-interrupt", test_transmit_interrupt);
  g_test_add_func("/pl011/transmit-full", test_transmit_full);
  g_test_add_func("/pl011/transmit-levels", test_transmit_levels);
  g_test_add_func("/pl011/transmit-blind-driver", test_transmit_blind_driver);
  g_test_add_func("/pl011/transmit-without-fifo", test_transmit_without_fifo);
  g_test_add_func("/pl011/transmit-fifo-off", test_transmit_fifo_off);
  g_test_add_func("/pl011/receive-enable", test_receive_enable);
  g_test_add_func("/pl011/receive", test_receive);
  g_test_add_func("/pl011/receive-levels", test_receive_levels);
  g_test_add_func("/pl011/reserved-levels", test_reserved_levels);
  g_test_add_func("/pl011/receive-without-fifo", test_receive_without_fifo);
  g_test_add_func("/pl011/receive-flow", test_receive_flow);
  g_test_add_func("/pl011/overrun", test_overrun);
  g_test_add_func("/pl011/fifo-switch", test_fifo_switch);
  g_test_add_func("/pl011/loop-back", test_loop_back);
  g_test_add_func("/pl011/without-backend", test_without_backend);
  g_test_add_func("/pl011/reset", test_reset);
  g_test_add_func("/pl011/reset-keeps-output", test_reset_keeps_output);
  g_test_add_func("/pl011/widths", test_widths);
  g_test_add_func("/pl011/free-lets-go", test_free_lets_go);
  g_test_add_func("/pl011/describe", test_describe);
  g_test_add_func("/pl011/random", test_random);
  return g_test_run();
}
