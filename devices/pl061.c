/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PL061 GPIO. PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual, Arm DDI 0190: eight lines, of
 * which line 3 is wired to the power button and the others to nothing.
 *
 * Locks: the device's lock, which the bus holds; set_power_button takes it.
 */
#include "devices/pl061.h"

#include "devices/primecell.h"

#define PERIPH_ID         0x00041061
#define POWER_BUTTON_LINE 3
#define KEY_POWER         116 /* Linux: include/uapi/linux/input-event-codes.h */
#define GPIO_ACTIVE_HIGH  0

/*
 * Register offsets: DDI 0190, 3.2. GPIODATA is 0x000 .. 0x3fc: bits 9:2 of the address are a mask of the lines
 * accessed.
 */
enum { GPIODATA_LAST = 0x3fc, GPIODIR = 0x400, GPIOIC = 0x41c, GPIOAFSEL = 0x420 };

typedef struct {
  uint8_t data; /* what the guest drives */
  uint8_t dir, is, ibe, iev, ie, afsel;
  uint8_t edges; /* edge interrupts that GPIOIC has not cleared */
} Pl061State;

typedef struct {
  Device device;
  Pl061State state;
  uint8_t inputs; /* what the machine drives: the button, which a reset does not release */
  IrqLine *irq;
  RegisterPage page; /* no read has a side effect: always open */
} Pl061;

/* The level of each line: driven by the guest where it is an output. */
static uint8_t levels(const Pl061 *gpio) {
  const Pl061State *state = &gpio->state;
  return (uint8_t)((state->data & state->dir) | (gpio->inputs & ~state->dir));
}

static uint8_t raw_interrupts(const Pl061 *gpio) {
  const Pl061State *state = &gpio->state;
  uint8_t active = (uint8_t) ~(levels(gpio) ^ state->iev); /* lines at the level that IEV asks for */

  return (uint8_t)((state->edges & ~state->is) | (active & state->is & ~state->dir));
}

static void store(Pl061 *gpio) {
  const Pl061State *state = &gpio->state;
  const uint8_t registers[] = {
      state->dir, state->is, state->ibe, state->iev, state->ie, raw_interrupts(gpio), raw_interrupts(gpio) & state->ie, 0, state->afsel,
  };

  for (uint64_t offset = 0; offset <= GPIODATA_LAST; offset += 4)
    register_page_set(&gpio->page, offset, 4, levels(gpio) & offset >> 2);
  for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++)
    register_page_set(&gpio->page, GPIODIR + 4 * i, 4, registers[i]);
}

/* After any change. */
static void update(Pl061 *gpio) {
  store(gpio);
  irq_line_set(gpio->irq, raw_interrupts(gpio) & gpio->state.ie);
}

/* Notes the edges between BEFORE and the levels of now. */
static void detect_edges(Pl061 *gpio, uint8_t before) {
  Pl061State *state = &gpio->state;
  uint8_t after = levels(gpio), changed = before ^ after;
  uint8_t wanted = (uint8_t)(state->ibe | ~(after ^ state->iev));

  state->edges |= changed & wanted & ~state->is & ~state->dir;
}

static uint64_t pl061_read(Device *device, uint64_t offset, unsigned size) {
  return register_page_get(&((Pl061 *)device)->page, offset, size);
}

/* What a register at OFFSET, behind GPIODATA, keeps; NULL: nothing that a write could set. */
static uint8_t *field_at(Pl061State *state, uint64_t offset) {
  uint8_t *const fields[] = {&state->dir, &state->is, &state->ibe, &state->iev, &state->ie, NULL, NULL, NULL, &state->afsel};

  return offset % 4 == 0 && offset <= GPIOAFSEL ? fields[(offset - GPIODIR) / 4] : NULL;
}

static void pl061_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  Pl061 *gpio = (Pl061 *)device;
  uint8_t before = levels(gpio);

  if (offset <= GPIODATA_LAST) {
    uint8_t mask = (uint8_t)(offset >> 2) & gpio->state.dir;
    gpio->state.data = (uint8_t)((gpio->state.data & ~mask) | (value & mask));
  } else if (offset == GPIOIC) {
    gpio->state.edges &= (uint8_t)~value;
  } else if (field_at(&gpio->state, offset)) {
    *field_at(&gpio->state, offset) = (uint8_t)value;
  }
  detect_edges(gpio, before);
  update(gpio);
}

static const char *pl061_register_name(const Device *device, uint64_t offset) {
  static const char *const names[] = {"GPIODIR", "GPIOIS", "GPIOIBE", "GPIOIEV", "GPIOIE", "GPIORIS", "GPIOMIS", "GPIOIC", "GPIOAFSEL"};

  if (offset <= GPIODATA_LAST)
    return "GPIODATA";
  if (offset >= GPIODIR && offset <= GPIOAFSEL && offset % 4 == 0)
    return names[(offset - GPIODIR) / 4];
  return primecell_id_name(offset, "GPIOPeriphID", "GPIOPCellID");
}

static void describe_power_button(FdtWriter *fdt) {
  static const uint32_t gpios[] = {FDT_PHANDLE_GPIO, POWER_BUTTON_LINE, GPIO_ACTIVE_HIGH};

  fdt_writer_begin(fdt, "gpio-keys");
  fdt_writer_string(fdt, "compatible", "gpio-keys");
  fdt_writer_begin(fdt, "poweroff");
  fdt_writer_string(fdt, "label", "GPIO Key Poweroff");
  fdt_writer_u32(fdt, "linux,code", KEY_POWER);
  fdt_writer_cells(fdt, "gpios", gpios, G_N_ELEMENTS(gpios));
  fdt_writer_flag(fdt, "wakeup-source");
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
}

static void pl061_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  primecell_begin_node(fdt, "pl061", slot, PERIPH_ID);
  fdt_writer_flag(fdt, "gpio-controller");
  fdt_writer_u32(fdt, "#gpio-cells", 2);
  fdt_writer_flag(fdt, "interrupt-controller");
  fdt_writer_u32(fdt, "#interrupt-cells", 2);
  fdt_writer_u32(fdt, "#address-cells", 0);
  fdt_writer_u32(fdt, "clocks", FDT_PHANDLE_APB_CLOCK);
  fdt_writer_string(fdt, "clock-names", "apb_pclk");
  fdt_writer_phandle(fdt, FDT_PHANDLE_GPIO);
  fdt_writer_end(fdt);
  describe_power_button(fdt);
}

/*
 * An edge of the button's line is an event of the controller, _AEI; _E03, for edges of line 3, makes a press of the
 * button object of it: ACPI 6.3, 5.6.5.3 and 4.8.3.1.
 */
static void pl061_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  enum { BUTTON_PRESSED = 0x80 };
  Aml *aml = acpi->aml;

  device_begin_acpi(acpi, "GPO0", "ARMH0061", 0, slot);
  aml_name(aml, "_AEI");
  aml_begin_resources(aml);
  aml_gpio_interrupt(aml, "\\_SB.GPO0", POWER_BUTTON_LINE);
  aml_end(aml);
  aml_begin_method(aml, "_E03", 0);
  aml_op(aml, AML_NOTIFY);
  aml_path(aml, "\\_SB.PWRB");
  aml_integer(aml, BUTTON_PRESSED);
  aml_end(aml);
  aml_end(aml);
  aml_begin_device(aml, "PWRB");
  aml_name_eisa_id(aml, "_HID", "PNP0C0C");
  aml_name_integer(aml, "_UID", 0);
  aml_end(aml);
}

static void pl061_reset(Device *device) {
  Pl061 *gpio = (Pl061 *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  gpio->state = (Pl061State){0};
  update(gpio);
}

static void pl061_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  Pl061 *gpio = (Pl061 *)device;

  register_page_connect(&gpio->page, shortcuts, slot->base);
  register_page_open(&gpio->page);
}

static void pl061_free(Device *device) {
  register_page_clear(&((Pl061 *)device)->page);
  device_clear(device);
  g_free(device);
}

static const DeviceOps pl061_ops = {
    .access_sizes = ACCESS_1 | ACCESS_2 | ACCESS_4,
    .read_sizes = ACCESS_ANY,
    .read = pl061_read,
    .write = pl061_write,
    .register_name = pl061_register_name,
    .describe = pl061_describe,
    .describe_acpi = pl061_describe_acpi,
    .connect = pl061_connect,
    .reset = pl061_reset,
    .free = pl061_free,
};

static Device *pl061_make(const DeviceParts *parts, GError **error) {
  Pl061 *gpio = device_new(sizeof *gpio, &pl061_ops, "pl061");

  gpio->irq = parts->irq;
  primecell_init_page(&gpio->page, PERIPH_ID);
  update(gpio);
  return &gpio->device;
}

static void pl061_set_power_button(void *device, bool pressed) {
  Pl061 *gpio = device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(gpio->device.lock);
  uint8_t before = levels(gpio);
  gpio->inputs = pressed ? 1u << POWER_BUTTON_LINE : 0;
  detect_edges(gpio, before);
  update(gpio);
}

const DeviceKind pl061_kind = {
    .name = "pl061",
    .size = PL061_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_LEVEL_HIGH,
    .apb_clock = true,
    .make = pl061_make,
    .set_power_button = pl061_set_power_button,
};
