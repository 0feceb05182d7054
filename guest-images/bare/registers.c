/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written to a device's registers is what they read, at once and always. It sounds like little, but a
 * hypervisor that wants few exits lets reads be loads from memory, and writes wait until the guest comes out for
 * something else: this looks for the moment at which that shows.
 *
 * PL011, PL031 and PL061 where QEMU's `virt` has them, and the configuration space of PCI. With the boot argument
 * `linger` it only prints a line, character by character, and then neither ends nor does anything that leaves the
 * guest: the line has to appear all the same. With `listen` it polls for what is typed, three lines of it.
 */
#include "guest.h"
#include "mmu.h"
#include "timer.h"

const char *const guest_name = "registers";

#define RTC      0x09010000ul
#define GPIO     0x09030000ul
#define ECAM     0x3f000000ul
#define WINDOW32 0x10000000ul
#define ROUNDS   200

/* PL011: DDI 0183, 3.2. */
enum { UARTDR = 0x00, UARTFR = 0x18, UARTIBRD = 0x24, UARTFBRD = 0x28, UARTCR = 0x30, UARTRIS = 0x3c, UARTICR = 0x44 };
enum { FR_RXFE = 1 << 4, FR_TXFE = 1 << 7, RIS_TX = 1 << 5, CR_ON = 0x301 /* UARTEN, TXE, RXE */ };
/* PL031: DDI 0224, 3.2. */
enum { RTCDR = 0x00, RTCMR = 0x04, RTCLR = 0x08, RTCIMSC = 0x10 };
/* PL061: DDI 0190, 3.2. */
enum { GPIODIR = 0x400, GPIOIBE = 0x408, GPIOAFSEL = 0x420 };
/* Both alike. */
enum { PERIPH_ID = 0xfe0, CELL_ID = 0xff0 };
/* PCI: type 0 header; virtio's capabilities (virtio 1.2, 4.1.4). */
enum { PCI_ID = 0x00, PCI_COMMAND = 0x04, PCI_LATENCY = 0x0d, PCI_BAR0 = 0x10, PCI_ROM = 0x30, PCI_CAPABILITIES = 0x34 };
#define COMMAND_MEMORY    2
#define VENDOR_CAPABILITY 9
#define COMMON_CFG        1
enum {
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  DEVICE_STATUS = 0x14,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_DESC = 0x20
};

/* Every value is another than the one before. */
static uint32_t pattern(unsigned round) {
  return (round + 1) * 0x9e3779b9u;
}

static void holds(const char *name, uint64_t address, uint32_t mask) {
  unsigned wrong = 0;

  for (unsigned round = 0; round < ROUNDS; round++) {
    mmio_write32(address, pattern(round) & mask);
    wrong += mmio_read32(address) != (pattern(round) & mask);
  }
  mmio_write32(address, 0);
  check(wrong == 0 && mmio_read32(address) == 0, "%s reads what was written, %u times (%u wrong)", name, ROUNDS, wrong);
}

/* GPIODATA: what an address shows is masked by the address itself, so one write changes what 256 of them read. */
static void gpio_data(void) {
  unsigned wrong = 0;

  mmio_write32(GPIO + GPIODIR, 0xf0);
  for (unsigned value = 0; value < 0x100; value += 0x10) {
    mmio_write32(GPIO + 0x3fc, value);
    for (unsigned mask = 0; mask < 0x100; mask++)
      wrong += (mmio_read32(GPIO + 4 * mask) & 0xf0) != (value & mask);
  }
  mmio_write32(GPIO + GPIODIR, 0);
  check(wrong == 0, "GPIODATA shows each line through each mask (%u wrong)", wrong);
}

/*
 * The last 32 bytes of every PrimeCell (DDI 0183, 3.3.16), a byte in each word: read by any width, they are the same.
 */
static void identity(const char *name, uint64_t device, uint32_t wanted) {
  uint32_t periph_id = 0, cell_id = 0;
  unsigned wrong = 0;

  for (unsigned i = 0; i < 4; i++) {
    periph_id |= mmio_read32(device + PERIPH_ID + 4 * i) << (8 * i);
    cell_id |= mmio_read32(device + CELL_ID + 4 * i) << (8 * i);
  }
  for (uint64_t at = device + PERIPH_ID; at < device + 0x1000; at += 8) {
    uint64_t both = mmio_read32(at) | (uint64_t)mmio_read32(at + 4) << 32;
    wrong += mmio_read64(at) != both;
    for (unsigned i = 0; i < 8; i++)
      wrong += mmio_read8(at + i) != (uint8_t)(both >> (8 * i));
    for (unsigned i = 0; i < 8; i += 2)
      wrong += mmio_read16(at + i) != (uint16_t)(both >> (8 * i));
  }
  check(periph_id == wanted && cell_id == 0xb105f00d, "%s says that it is 0x%08x, 0x%08x", name, periph_id, cell_id);
  check(wrong == 0, "by bytes, halfwords and doublewords as well (%u wrong)", wrong);
}

static void clock(void) {
  mmio_write32(RTC + RTCLR, 1000);
  uint32_t first = mmio_read32(RTC + RTCDR);
  check(first == 1000 || first == 1001, "RTCDR follows RTCLR (%u)", first);
  uint64_t end = counter() + 5 * counter_frequency() / 2;
  uint32_t last = first, seen = first;
  bool backwards = false;
  while (counter() < end) {
    seen = mmio_read32(RTC + RTCDR);
    backwards |= seen < last;
    last = seen;
  }
  check(!backwards && last - first >= 2 && last - first <= 4, "it goes on: %u seconds in 2.5", last - first);
}

/* Sending: the FIFO is never full on a line this fast, and says so; UARTRIS follows UARTICR. */
static void transmit(void) {
  mmio_write32(machine.uart + UARTICR, RIS_TX);
  check(!(mmio_read32(machine.uart + UARTRIS) & RIS_TX), "UARTRIS follows UARTICR");
  for (const char *at = "# sixty characters, one by one, without a look at anything else\n"; *at; at++)
    mmio_write32(machine.uart + UARTDR, (uint8_t)*at);
  uint64_t end = counter() + 5 * counter_frequency();
  while (!(mmio_read32(machine.uart + UARTFR) & FR_TXFE) && counter() < end)
    ;
  check(mmio_read32(machine.uart + UARTFR) & FR_TXFE, "the FIFO empties");
  check(mmio_read32(machine.uart + UARTRIS) & RIS_TX, "and UARTRIS says so");
}

static void absent_functions(void) {
  unsigned wrong = 0, present = 0;

  for (unsigned function = 0; function < 256; function++) {
    uint64_t at = ECAM + ((uint64_t)function << 12);
    if (mmio_read32(at + PCI_ID) != ~0u) {
      present++;
      continue;
    }
    mmio_write32(at + PCI_ID, 0);
    wrong += mmio_read32(at + PCI_ID) != ~0u || mmio_read16(at) != 0xffff || mmio_read8(at + 0xffc) != 0xff;
  }
  check(wrong == 0, "where no function is, configuration space reads as ones (%u functions are there)", present);
}

static unsigned find_common(uint64_t function) {
  unsigned at = mmio_read8(function + PCI_CAPABILITIES);

  while (at && !(mmio_read8(function + at) == VENDOR_CAPABILITY && mmio_read8(function + at + 3) == COMMON_CFG))
    at = mmio_read8(function + at + 1);
  return at;
}

static void bar(uint64_t function) {
  unsigned wrong = 0;

  mmio_write32(function + PCI_BAR0, ~0u);
  uint32_t sizing = mmio_read32(function + PCI_BAR0);
  check(sizing == 0xffff0000, "BAR0 says its size (0x%x)", sizing);
  for (unsigned n = 1; n < 6; n++) {
    mmio_write32(function + PCI_BAR0 + 4 * n, ~0u);
    wrong += mmio_read32(function + PCI_BAR0 + 4 * n) != 0;
  }
  mmio_write32(function + PCI_ROM, ~0u);
  mmio_write8(function + PCI_LATENCY, 0x40);
  check(!wrong && mmio_read32(function + PCI_ROM) == 0 && mmio_read8(function + PCI_LATENCY) == 0,
        "registers that are not there stay zero");
}

/* Moves the BAR through its window: registers follow, and nothing is left behind. */
static void moving(uint64_t function, uint32_t common) {
  unsigned wrong = 0;

  for (unsigned round = 0; round < 8; round++) {
    uint64_t base = WINDOW32 + 0x10000ul * (round + 1);
    mmio_write16(function + PCI_COMMAND, 0);
    mmio_write32(function + PCI_BAR0, (uint32_t)base);
    mmio_write16(function + PCI_COMMAND, COMMAND_MEMORY);
    for (unsigned again = 0; again < 4; again++) /* the device's own configuration, which may be a page by now */
      mmio_read32(base);
    mmio_write16(base + common + QUEUE_SELECT, (uint16_t)round);
    wrong += mmio_read16(base + common + QUEUE_SELECT) != round || mmio_read32(base - 0x10000 + common) != ~0u ||
             mmio_read32(base - 0x10000) != ~0u;
  }
  check(wrong == 0, "BAR0 moves, with all that is behind it (%u wrong)", wrong);
}

static void common_configuration(uint64_t base) {
  unsigned wrong = 0;

  for (unsigned round = 0; round < ROUNDS; round++) {
    mmio_write8(base + DEVICE_STATUS, 0);
    mmio_write8(base + DEVICE_STATUS, 1);
    mmio_write32(base + DRIVER_FEATURE_SELECT, 1);
    mmio_write32(base + DRIVER_FEATURE, pattern(round));
    mmio_write32(base + DRIVER_FEATURE_SELECT, 0);
    mmio_write32(base + DRIVER_FEATURE, ~pattern(round));
    wrong += mmio_read32(base + DRIVER_FEATURE) != ~pattern(round);
    mmio_write32(base + DRIVER_FEATURE_SELECT, 1);
    wrong += mmio_read32(base + DRIVER_FEATURE) != pattern(round);
    mmio_write16(base + QUEUE_SELECT, 0);
    mmio_write32(base + QUEUE_DESC, pattern(round));
    mmio_write32(base + QUEUE_DESC + 4, round);
    mmio_write16(base + QUEUE_SELECT, 99); /* there is none: nothing of it can be set */
    mmio_write32(base + QUEUE_DESC, ~0u);
    wrong += mmio_read16(base + QUEUE_SIZE) != 0 || mmio_read32(base + QUEUE_DESC) != 0;
    mmio_write16(base + QUEUE_SELECT, 0);
    wrong += mmio_read32(base + QUEUE_DESC) != pattern(round) || mmio_read32(base + QUEUE_DESC + 4) != round;
    wrong += mmio_read8(base + DEVICE_STATUS) != 1;
  }
  mmio_write8(base + DEVICE_STATUS, 0);
  check(wrong == 0, "virtio's common configuration keeps what it is told, in order (%u wrong)", wrong);
}

/* A ring of writes that wait is finite: more of them than it can hold. */
static void many_writes(uint64_t base) {
  unsigned wrong = 0;

  mmio_write16(base + QUEUE_SELECT, 0);
  for (unsigned round = 0; round < 20 * ROUNDS; round++)
    mmio_write32(base + QUEUE_DESC, pattern(round));
  wrong += mmio_read32(base + QUEUE_DESC) != pattern(20 * ROUNDS - 1);
  check(wrong == 0, "the last of %u writes counts", 20 * ROUNDS);
}

static void pci(void) {
  uint64_t function = 0;

  absent_functions();
  for (unsigned n = 0; n < 32 && !function; n++)
    if ((mmio_read32(ECAM + ((uint64_t)n << 15)) & 0xffff) == 0x1af4)
      function = ECAM + ((uint64_t)n << 15);
  unsigned capability = function ? find_common(function) : 0;
  if (!capability) {
    check_skipped("virtio behind PCI", "there is none");
    return;
  }
  bar(function);
  uint32_t common = mmio_read32(function + capability + 8);
  moving(function, common);
  uint64_t base = (mmio_read32(function + PCI_BAR0) & ~0xful) + common;
  common_configuration(base);
  many_writes(base);
  mmio_write16(function + PCI_COMMAND, 0);
}

/* Input ends a shortcut at once: the flag that says there is some must not come from memory that is out of date. */
static void listen(void) {
  enum { LINES = 3, POLLS = 1000 };

  mmio_write32(machine.uart + UARTCR, CR_ON);
  for (unsigned line = 1; line <= LINES; line++) {
    unsigned before = 0, n = 0;
    uint8_t byte = 0;
    for (unsigned i = 0; i < POLLS; i++) /* without input, as long as it takes for reads to need no exit */
      before += !(mmio_read32(machine.uart + UARTFR) & FR_RXFE);
    print("type line %u\n", line);
    while (byte != '\n' && byte != '\r') {
      if (mmio_read32(machine.uart + UARTFR) & FR_RXFE)
        continue;
      byte = (uint8_t)mmio_read32(machine.uart + UARTDR);
      n++;
    }
    check(before == 0 && mmio_read32(machine.uart + UARTFR) & FR_RXFE, "line %u came, %u bytes of it, and nothing else", line, n);
  }
}

static void linger(void) {
  for (const char *at = "a line that has to appear although nothing happens any more\n"; *at; at++)
    mmio_write32(machine.uart + UARTDR, (uint8_t)*at);
  for (;;)
    ;
}

void guest_main(void) {
  if (!machine.uart)
    guest_skip("there is no PL011");
  if (argument_present("linger"))
    linger();
  if (argument_present("listen")) {
    listen();
    return;
  }
  mmu_map_device(RTC);
  mmu_map_device(ECAM);
  mmu_map_device(WINDOW32);
  for (unsigned round = 0; round < 3; round++) {
    holds("UARTIBRD", machine.uart + UARTIBRD, 0xffff);
    holds("UARTFBRD", machine.uart + UARTFBRD, 0x3f);
    holds("GPIODIR", GPIO + GPIODIR, 0xff);
    holds("GPIOIBE", GPIO + GPIOIBE, 0xff);
    holds("GPIOAFSEL", GPIO + GPIOAFSEL, 0xff);
    holds("RTCMR", RTC + RTCMR, 0xffffffff);
    holds("RTCIMSC", RTC + RTCIMSC, 1);
  }
  identity("PL011", machine.uart, 0x00341011);
  identity("PL031", RTC, 0x00141031);
  identity("PL061", GPIO, 0x00041061);
  gpio_data();
  clock();
  transmit();
  pci();
}
