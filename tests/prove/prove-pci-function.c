/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space, whatever the guest writes there. Of an access of any size each bit that may be written becomes
 * what is written, each that is cleared by a one is, and all others stay. A BAR answers the sizing write with its own
 * size, and where it is placed is a multiple of that. Capabilities form a list that ends, lie inside, and do not
 * overlap. A wire is high while a function that is on it pulls, and no longer.
 *
 * bounds: one BAR of any size, anywhere; 3 capabilities of any size; 2 functions on the wires
 * cbmc: --unwind 7 --object-bits 10
 * fault: devices/pci/pci-function.c s#byte \& function->write_one_to_clear#function->write_one_to_clear#
 * fault: devices/pci/pci-function.c s#if (!writable \&\& !cleared)#if (!writable)#
 * fault: devices/pci/pci-function.c s#(old \& ~writable \& ~cleared)#(old \& ~cleared)#
 * fault: devices/pci/pci-function.c s#byte = (uint8_t)(value >> (8 \* i))#byte = (uint8_t)(value >> i)#
 * fault: devices/pci/pci-function.c s#(offset + size + CAPABILITY_ALIGN - 1)#(offset + size)#
 * fault: devices/pci/pci-function.c s#function->last_capability + 1 :#function->last_capability :#
 * fault: devices/pci/pci-function.c s#if (asserted == function->intx_asserted)#if (false)#
 * fault: devices/pci/pci-bar.c s#mask = ~(size - 1)#mask = ~size#
 * fault: devices/pci/pci-bar.c s#(uint32_t)(mask >> 32)#(uint32_t)(mask >> 31)#
 */
#include "devices/pci/pci-bar.c"
#include "devices/pci/pci-function.c"
#include "tests/prove/glib-stubs.h"

#define FUNCTIONS 2

static PciHost host;
static PciFunction function;
static uint8_t config[PCI_CONFIG_SIZE], other_config[PCI_CONFIG_SIZE];
static bool level; /* of the_pin, as it was set last */
static unsigned the_pin;
static bool msix_is_on;

void register_page_publish(const void *bytes, size_t size) {
  prove(may_read(bytes, size));
}

void msix_control_written(MsiX *msix) {
}

bool msix_enabled(const MsiX *msix) {
  return msix_is_on;
}

static void set_line(IrqLine *line, bool to) {
  if (line == host.intx[the_pin])
    level = to;
}

/* SPACE is zeros. */
static void init(PciFunction *of, uint8_t *space) {
  static const PciFunctionOps ops;

  *of = (PciFunction){.ops = &ops, .host = &host, .capability_end = PCI_HEADER_END};
  of->config = space;
  for (unsigned pin = 0; pin < PCI_N_PINS; pin++) {
    static IrqLine lines[PCI_N_PINS];
    lines[pin].set = set_line;
    host.intx[pin] = &lines[pin];
  }
}

static void prove_write(unsigned size) {
  unsigned offset = any_unsigned(), at = any_unsigned();
  uint32_t value = any_unsigned();
  uint8_t writable = (uint8_t)any_unsigned(), clears = (uint8_t)any_unsigned() & ~writable, before = (uint8_t)any_unsigned();

  init(&function, config);
  assume(offset < PCI_CONFIG_SIZE && offset % size == 0 && at < PCI_CONFIG_SIZE);
  function.writable[at] = writable;
  function.write_one_to_clear[at] = clears;
  function.config[at] = before;
  pci_function_config_write(&function, offset, size, value);
  uint8_t written = at - offset < size ? (uint8_t)(value >> 8 * (at - offset)) : 0;
  bool hit = at - offset < size;
  prove(function.config[at] == (hit ? (written & writable) | (before & ~writable & ~(written & clears)) : before));
  prove(pci_config_get(&function, at, 1) == function.config[at]);
}

static void prove_write_of_a_byte(void) {
  prove_write(1);
}

static void prove_write_of_two(void) {
  prove_write(2);
}

static void prove_write_of_four(void) {
  prove_write(4);
}

/* Without windows nothing is decoded: that is said in prove-pci-bar.c. */
static void prove_sizing(void) {
  unsigned bar = any_unsigned(), shift = any_unsigned();
  bool wide = any_bool(), prefetchable = any_bool();

  assume(bar < PCI_N_BARS - wide && shift >= 16 && shift < (wide ? 64 : 32));
  uint64_t size = UINT64_C(1) << shift;
  unsigned at = 0x10 + 4 * bar;
  init(&function, config);
  pci_function_add_bar(&function, bar, size, wide, prefetchable);
  pci_function_config_write(&function, at, 4, UINT32_MAX);
  if (wide)
    pci_function_config_write(&function, at + 4, 4, UINT32_MAX);
  uint32_t low = pci_config_get(&function, at, 4), high = wide ? pci_config_get(&function, at + 4, 4) : UINT32_MAX;
  prove((low & 0xf) == (wide ? 4u : 0) + (prefetchable ? 8u : 0));
  prove(((uint64_t)high << 32 | (low & ~UINT32_C(0xf))) == ~(size - 1));

  uint32_t new_low = any_unsigned(), new_high = wide ? any_unsigned() : 0;
  pci_function_config_write(&function, at, 4, new_low);
  if (wide)
    pci_function_config_write(&function, at + 4, 4, new_high);
  prove(configured_address(&function, bar) == (((uint64_t)new_high << 32 | new_low) & ~(size - 1)));
}

static void prove_capabilities(void) {
  enum { N = 3 };
  unsigned at[N], sizes[N];

  init(&function, config);
  for (unsigned i = 0; i < N; i++) {
    sizes[i] = any_unsigned();
    assume(sizes[i] >= 2 && sizes[i] <= PCI_CONFIG_SIZE - function.capability_end);
    at[i] = pci_function_add_capability(&function, (uint8_t)any_unsigned(), sizes[i]);
    prove(at[i] % 4 == 0 && at[i] >= PCI_HEADER_END && at[i] + sizes[i] <= PCI_CONFIG_SIZE);
    prove(i == 0 || at[i] >= at[i - 1] + sizes[i - 1]);
    prove(function.config[i == 0 ? PCI_CAPABILITIES_POINTER : at[i - 1] + 1] == at[i] && function.config[at[i] + 1] == 0);
    prove(function.capability_end <= PCI_CONFIG_SIZE);
  }
  prove(function.config[PCI_STATUS] & PCI_STATUS_CAPABILITIES);
}

/* How many pull the pin. */
static unsigned count_pulling(const PciFunction *functions) {
  unsigned n = 0;

  for (unsigned i = 0; i < FUNCTIONS; i++)
    n += functions[i].intx_asserted && functions[i].slot % PCI_N_PINS == the_pin;
  return n;
}

static void prove_wires(void) {
  static PciFunction functions[FUNCTIONS];
  unsigned i = any_unsigned();
  bool pull = any_bool();

  for (unsigned k = 0; k < FUNCTIONS; k++) {
    init(&functions[k], k == 0 ? config : other_config);
    functions[k].slot = any_unsigned();
    functions[k].intx_asserted = any_bool();
    functions[k].intx_level = any_bool();
    functions[k].config[PCI_COMMAND + 1] = (uint8_t)any_unsigned();
    functions[k].msix = any_bool() ? (MsiX *)&host : NULL;
  }
  msix_is_on = any_bool();
  the_pin = any_unsigned();
  assume(i < FUNCTIONS && the_pin < PCI_N_PINS && functions[i].slot % PCI_N_PINS == the_pin);
  host.intx_asserting[the_pin] = count_pulling(functions);
  level = host.intx_asserting[the_pin] > 0;
  pci_function_set_intx(&functions[i], pull);
  prove(host.intx_asserting[the_pin] == count_pulling(functions) && level == (count_pulling(functions) > 0));
  prove(functions[i].intx_asserted == (pull && !(functions[i].config[PCI_COMMAND + 1] & 4) && !(functions[i].msix && msix_is_on)));
  prove(!(functions[i].config[PCI_STATUS] & PCI_STATUS_INTERRUPT) == !pull);
}
