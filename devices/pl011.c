/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PL011 UART. PrimeCell UART (PL011) Technical Reference Manual, Arm DDI 0183, revision r1p5 (32-byte FIFOs).
 *
 * Modelled: both FIFOs with their trigger levels, receive, receive-timeout and transmit interrupts, loop-back. A line
 * of infinite speed and no noise: no baud rate, no errors but overrun, no modem. Three things differ from silicon.
 * Transmission works without CR.UARTEN, as on a machine whose firmware has set the UART up: early consoles and
 * bare-metal programs rely on it. The receive timeout is due at once, since nothing is under way on the line when bytes
 * wait below the trigger level. And because both receive interrupts follow the FIFO, clearing them in ICR has no effect
 * while their condition holds.
 *
 * What the registers read lies in a page that the guest may load from while the receive FIFO is empty: only a read of
 * UARTDR that takes a byte has a side effect. And while output goes out as fast as it comes, and would not interrupt,
 * writes of UARTDR may be deferred: no register shows them.
 *
 * Locks: the registers are guarded by the device's lock, which the bus holds; the back end's callbacks, on the main
 * thread, take it.
 */
#include "devices/pl011.h"

#include "devices/primecell.h"
#include "fdt/acpi/acpi-tables.h"

#define FIFO_DEPTH 32 /* r1p5 */
#define PERIPH_ID  0x00341011

/*
 * Registers: DDI 0183, 3.2. Of those that read what a field of the state holds, which one, and the bits that a write
 * changes; the others are KEPT_NOWHERE.
 */
#define REGISTERS(R)                                                                                                                       \
  R(0x000, UARTDR, KEPT_NOWHERE, 0)                                                                                                        \
  R(0x004, UARTRSR, FIELD(rsr), 0)                                                                                                         \
  R(0x018, UARTFR, KEPT_NOWHERE, 0)                                                                                                        \
  R(0x020, UARTILPR, FIELD(ilpr), 0xff)                                                                                                    \
  R(0x024, UARTIBRD, FIELD(ibrd), 0xffff)                                                                                                  \
  R(0x028, UARTFBRD, FIELD(fbrd), 0x3f)                                                                                                    \
  R(0x02c, UARTLCR_H, FIELD(lcr_h), 0xff)                                                                                                  \
  R(0x030, UARTCR, FIELD(cr), 0xff87)                                                                                                      \
  R(0x034, UARTIFLS, FIELD(ifls), 0x3f)                                                                                                    \
  R(0x038, UARTIMSC, FIELD(imsc), INT_ALL)                                                                                                 \
  R(0x03c, UARTRIS, KEPT_NOWHERE, 0)                                                                                                       \
  R(0x040, UARTMIS, KEPT_NOWHERE, 0)                                                                                                       \
  R(0x044, UARTICR, KEPT_NOWHERE, 0)                                                                                                       \
  R(0x048, UARTDMACR, FIELD(dmacr), 0x7)

#define OFFSET(REG_OFFSET, NAME, WHERE, WRITABLE) NAME = (REG_OFFSET),
enum { REGISTERS(OFFSET) };

enum {
  FR_CTS = 1 << 0,
  FR_DSR = 1 << 1,
  FR_DCD = 1 << 2,
  FR_BUSY = 1 << 3,
  FR_RXFE = 1 << 4,
  FR_TXFF = 1 << 5,
  FR_RXFF = 1 << 6,
  FR_TXFE = 1 << 7,
};
enum { LCR_H_FEN = 1 << 4 };
enum { CR_UARTEN = 1 << 0, CR_LBE = 1 << 7, CR_TXE = 1 << 8, CR_RXE = 1 << 9 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6, INT_OE = 1 << 10, INT_ALL = 0x7ff };
enum { RSR_OE = 1 << 3, DR_OE = 1 << 11 };

#define CR_RESET   (CR_TXE | CR_RXE)
#define IFLS_RESET 0x12 /* both at half */

#define READS_BEFORE_OPEN       16 /* of registers, without input: input seldom comes alone, and to close and open costs as much as some reads */
#define WRITES_BEFORE_DEFERRING 2 /* of UARTDR and nothing else: a lone character is not worth it */

typedef struct {
  uint8_t bytes[FIFO_DEPTH];
  unsigned head, count;
} Fifo;

/* What the guest can see. */
typedef struct {
  uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, dmacr;
  uint32_t latched; /* RIS bits that stay until they are cleared: TX, OE */
  bool overrun;     /* a byte was lost: the next one out of UARTDR says so */
  Fifo receive, transmit;
} Pl011State;

typedef struct {
  Device device;
  Pl011State state;
  IrqLine *irq;
  CharBackend *backend; /* or NULL */
  bool starved;         /* the back end was told that there is no room */
  RegisterPage page;
  unsigned reads;      /* since there was input, up to READS_BEFORE_OPEN */
  unsigned writes;     /* of UARTDR in a row, up to WRITES_BEFORE_DEFERRING */
  bool deferred;       /* writes of UARTDR may be deferred, unless that has ended by itself */
  GByteArray *overdue; /* had been deferred, and are more than the FIFO takes; or NULL */
} Pl011;

static void fifo_push(Fifo *fifo, uint8_t byte) {
  fifo->bytes[(fifo->head + fifo->count++) % FIFO_DEPTH] = byte;
}

static uint8_t fifo_pop(Fifo *fifo) {
  uint8_t byte = fifo->bytes[fifo->head];
  fifo->head = (fifo->head + 1) % FIFO_DEPTH;
  fifo->count--;
  return byte;
}

static unsigned depth(const Pl011State *state) {
  return state->lcr_h & LCR_H_FEN ? FIFO_DEPTH : 1;
}

/* The level of 3-bit field SELECT of IFLS: 1/8, 1/4, 1/2, 3/4, 7/8; reserved values are taken for the last. */
static unsigned trigger_level(const Pl011State *state, unsigned select) {
  static const unsigned eighths[] = {1, 2, 4, 6, 7, 7, 7, 7};
  return state->lcr_h & LCR_H_FEN ? FIFO_DEPTH * eighths[select & 7] / 8 : 1;
}

static uint32_t raw_interrupts(const Pl011State *state) {
  uint32_t ris = state->latched;

  if (state->receive.count >= trigger_level(state, state->ifls >> 3))
    ris |= INT_RX;
  else if (state->receive.count > 0)
    ris |= INT_RT;
  return ris;
}

static uint32_t flags(const Pl011State *state) {
  uint32_t fr = FR_CTS | FR_DSR | FR_DCD;

  if (state->receive.count == 0)
    fr |= FR_RXFE;
  if (state->receive.count >= depth(state))
    fr |= FR_RXFF;
  if (state->transmit.count == 0)
    fr |= FR_TXFE;
  else
    fr |= FR_BUSY;
  if (state->transmit.count >= depth(state))
    fr |= FR_TXFF;
  return fr;
}

typedef struct {
  uint16_t offset;
  const char *name;
  size_t field; /* in Pl011State */
  uint32_t writable;
} Register;

#define KEPT_NOWHERE                           SIZE_MAX
#define FIELD(NAME)                            offsetof(Pl011State, NAME)
#define ROW(REG_OFFSET, NAME, WHERE, WRITABLE) {(REG_OFFSET), #NAME, WHERE, WRITABLE},
static const Register registers[] = {REGISTERS(ROW)};

static const Register *register_at(uint64_t offset) {
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    if (registers[i].offset == offset)
      return &registers[i];
  return NULL;
}

/* NULL where it keeps nothing. */
static uint32_t *field_of(Pl011State *state, const Register *reg) {
  return reg && reg->field != KEPT_NOWHERE ? (uint32_t *)((char *)state + reg->field) : NULL;
}

static void store(Pl011 *uart) {
  Pl011State *state = &uart->state;
  uint32_t ris = raw_interrupts(state);

  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    if (field_of(state, &registers[i]))
      register_page_set(&uart->page, registers[i].offset, 4, *field_of(state, &registers[i]));
  register_page_set(&uart->page, UARTFR, 4, flags(state));
  register_page_set(&uart->page, UARTRIS, 4, ris);
  register_page_set(&uart->page, UARTMIS, 4, ris & state->imsc);
}

/* Whether a byte may leave later than it was written and nobody could tell. */
static bool may_defer(const Pl011 *uart) {
  const Pl011State *state = &uart->state;

  return state->transmit.count == 0 && (state->latched & INT_TX) && !(state->imsc & INT_TX) && !(state->cr & CR_LBE);
}

/* After a byte that was sent. */
static void defer(Pl011 *uart) {
  Shortcuts *shortcuts = uart->page.shortcuts;

  if (!shortcuts || !may_defer(uart))
    return;
  uart->writes = MIN(uart->writes + 1, WRITES_BEFORE_DEFERRING);
  if (uart->writes < WRITES_BEFORE_DEFERRING)
    return;
  uart->deferred = true;
  shortcuts->defer(shortcuts, uart->page.address + UARTDR, sizeof(uint32_t), DEFER_BRIEFLY);
}

/* After any change of what the guest can see. */
static void update(Pl011 *uart) {
  store(uart);
  if (uart->deferred && !may_defer(uart)) {
    uart->deferred = false;
    uart->page.shortcuts->undefer(uart->page.shortcuts, uart->page.address + UARTDR);
  }
  irq_line_set(uart->irq, (raw_interrupts(&uart->state) & uart->state.imsc) != 0);
}

/* Receiving. */

static size_t receive_room(const Pl011State *state) {
  const uint32_t enabled = CR_UARTEN | CR_RXE;

  if ((state->cr & enabled) != enabled || (state->cr & CR_LBE) || state->receive.count >= depth(state))
    return 0;
  return depth(state) - state->receive.count;
}

/* Asks for more only when half of the FIFO is free: one wake-up of the main thread for many bytes. */
static void accept_if_starved(Pl011 *uart) {
  const Pl011State *state = &uart->state;

  if (uart->starved && state->receive.count <= depth(state) / 2 && receive_room(state) > 0) {
    uart->starved = false;
    char_backend_accept(uart->backend);
  }
}

static size_t backend_room(void *opaque) {
  Pl011 *uart = opaque;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(uart->device.lock);
  size_t room = receive_room(&uart->state);
  uart->starved = room == 0;
  return room;
}

static void receive_byte(Pl011 *uart, uint8_t byte) {
  Pl011State *state = &uart->state;

  register_page_close(&uart->page);
  uart->reads = 0;
  if (state->receive.count < depth(state)) {
    fifo_push(&state->receive, byte);
    return;
  }
  state->rsr |= RSR_OE;
  state->latched |= INT_OE;
  state->overrun = true;
}

static void backend_receive(void *opaque, const uint8_t *bytes, size_t size) {
  Pl011 *uart = opaque;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(uart->device.lock);
  for (size_t i = 0; i < size; i++)
    receive_byte(uart, bytes[i]); /* the guest may have shrunk the FIFO since room() was asked */
  update(uart);
}

static uint32_t read_data(Pl011 *uart) {
  Pl011State *state = &uart->state;

  if (state->receive.count == 0)
    return 0;
  uint32_t data = fifo_pop(&state->receive) | (state->overrun ? DR_OE : 0);
  state->overrun = false;
  update(uart);
  accept_if_starved(uart);
  return data;
}

/* Transmitting. */

/*
 * What was sent while the FIFO was said to be empty, and found it full when it came, follows as if it had been in it.
 */
static void refill(Pl011 *uart) {
  if (!uart->overdue || uart->state.transmit.count >= depth(&uart->state))
    return;
  fifo_push(&uart->state.transmit, uart->overdue->data[0]);
  g_byte_array_remove_index(uart->overdue, 0);
  if (uart->overdue->len == 0)
    g_clear_pointer(&uart->overdue, g_byte_array_unref);
}

/*
 * Hands what waits to the back end. The transmit interrupt is due when the FIFO has emptied to its trigger level, and
 * over when it holds more (DDI 0183, UARTTXINTR): Linux fills half a FIFO for each such interrupt without a look at
 * FR.TXFF.
 */
static void drain(Pl011 *uart) {
  Fifo *fifo = &uart->state.transmit;
  unsigned level = depth(&uart->state) == 1 ? 0 : trigger_level(&uart->state, uart->state.ifls);
  unsigned before = fifo->count;

  while (fifo->count > 0) {
    uint8_t byte = fifo->bytes[fifo->head];
    if (uart->backend && char_backend_write(uart->backend, &byte, 1) == 0)
      break; /* the back end calls backend_writable when it has room */
    fifo_pop(fifo);
    refill(uart);
  }
  if (fifo->count > level)
    uart->state.latched &= ~(uint32_t)INT_TX;
  else if (fifo->count < before)
    uart->state.latched |= INT_TX;
}

static void backend_writable(void *opaque) {
  Pl011 *uart = opaque;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(uart->device.lock);
  if (uart->state.transmit.count > 0) {
    drain(uart);
    update(uart);
  }
}

/*
 * Full, and yet the guest was right to send: it saw an empty FIFO, when it wrote what was deferred. No more than KVM's
 * ring holds can.
 */
static void keep_overdue(Pl011 *uart, uint8_t byte) {
  if (!uart->overdue)
    uart->overdue = g_byte_array_new();
  g_byte_array_append(uart->overdue, &byte, 1);
}

static void write_data(Pl011 *uart, uint8_t byte) {
  Pl011State *state = &uart->state;

  if (state->cr & CR_LBE) {
    if (state->cr & CR_RXE)
      receive_byte(uart, byte);
    state->latched |= INT_TX;
  } else if (state->transmit.count < depth(state)) {
    fifo_push(&state->transmit, byte);
    drain(uart);
  } else if (uart->page.shortcuts && uart->page.shortcuts->is_catching_up(uart->page.shortcuts)) {
    keep_overdue(uart, byte);
  } /* else: the guest did not look at FR.TXFF; silicon loses the byte too */
  update(uart);
  defer(uart);
}

static const CharFrontend frontend = {
    .room = backend_room,
    .receive = backend_receive,
    .writable = backend_writable,
};

/* Registers. */

static uint64_t pl011_read(Device *device, uint64_t offset, unsigned size) {
  Pl011 *uart = (Pl011 *)device;

  if (offset == UARTDR) {
    uint64_t data = read_data(uart);
    return size == 8 ? data | register_page_get(&uart->page, UARTRSR, 4) << 32 : data;
  }
  if (uart->state.receive.count == 0 && uart->reads < READS_BEFORE_OPEN && ++uart->reads == READS_BEFORE_OPEN)
    register_page_open(&uart->page);
  return register_page_get(&uart->page, offset, size);
}

static void pl011_write(Device *device, uint64_t offset, unsigned size, uint64_t wide) {
  Pl011 *uart = (Pl011 *)device;
  Pl011State *state = &uart->state;
  const Register *reg = register_at(offset);
  uint32_t *field = field_of(state, reg);
  uint32_t value = (uint32_t)wide;

  if (offset == UARTDR) {
    write_data(uart, (uint8_t)value);
    return;
  }
  uart->writes = 0;
  /*
   * A change of FEN empties the FIFOs (DDI 0183, 3.3.7): received bytes are gone, unsent ones are not the model's to
   * lose.
   */
  if (offset == UARTLCR_H && ((state->lcr_h ^ value) & LCR_H_FEN))
    state->receive.count = 0;
  if (offset == UARTICR)
    state->latched &= ~value;
  else if (field)
    *field = value & reg->writable;
  else
    return;
  update(uart);
  accept_if_starved(uart);
}

static const char *pl011_register_name(const Device *device, uint64_t offset) {
  const Register *reg = register_at(offset);
  return reg ? reg->name : primecell_id_name(offset, "UARTPeriphID", "UARTPCellID");
}

static void pl011_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  static const char *const clock_names[] = {"uartclk", "apb_pclk"};
  static const uint32_t clocks[] = {FDT_PHANDLE_APB_CLOCK, FDT_PHANDLE_APB_CLOCK};

  primecell_begin_node(fdt, "pl011", slot, PERIPH_ID);
  fdt_writer_cells(fdt, "clocks", clocks, G_N_ELEMENTS(clocks));
  fdt_writer_strings(fdt, "clock-names", clock_names, G_N_ELEMENTS(clock_names));
  fdt_writer_end(fdt);
}

/* ARMH0011 is the SBSA's generic UART, a part of this one. */
static void pl011_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  device_begin_acpi(acpi, "COM0", "ARMH0011", 0, slot);
  aml_end(acpi->aml);
  acpi_write_spcr_pl011(acpi, slot->base, device_slot_gsi(slot));
  acpi_write_dbg2_pl011(acpi, slot->base, slot->size, "\\_SB.COM0");
}

static void pl011_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  Pl011 *uart = (Pl011 *)device;

  register_page_connect(&uart->page, shortcuts, slot->base);
  register_page_open(&uart->page);
}

static void pl011_reset(Device *device) {
  Pl011 *uart = (Pl011 *)device;

  /* What the guest has sent is the user's, and a slow reader gets it after the reset. */
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  uart->state = (Pl011State){.cr = CR_RESET, .ifls = IFLS_RESET, .transmit = uart->state.transmit};
  update(uart);
  register_page_open(&uart->page);
}

static void pl011_free(Device *device) {
  Pl011 *uart = (Pl011 *)device;

  if (uart->backend)
    char_backend_connect(uart->backend, NULL, NULL);
  register_page_clear(&uart->page);
  if (uart->overdue)
    g_byte_array_unref(uart->overdue);
  device_clear(device);
  g_free(uart);
}

static const DeviceOps pl011_ops = {
    .access_sizes = ACCESS_1 | ACCESS_2 | ACCESS_4,
    .read_sizes = ACCESS_ANY,
    .read = pl011_read,
    .write = pl011_write,
    .register_name = pl011_register_name,
    .describe = pl011_describe,
    .describe_acpi = pl011_describe_acpi,
    .connect = pl011_connect,
    .reset = pl011_reset,
    .free = pl011_free,
};

static Device *pl011_make(const DeviceParts *parts, GError **error) {
  Pl011 *uart = device_new(sizeof *uart, &pl011_ops, "pl011");

  uart->irq = parts->irq;
  uart->backend = parts->console;
  uart->state = (Pl011State){.cr = CR_RESET, .ifls = IFLS_RESET};
  primecell_init_page(&uart->page, PERIPH_ID);
  store(uart);
  if (uart->backend)
    char_backend_connect(uart->backend, &frontend, uart);
  return &uart->device;
}

const DeviceKind pl011_kind = {
    .name = "pl011",
    .size = PL011_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_LEVEL_HIGH,
    .apb_clock = true,
    .make = pl011_make,
};
