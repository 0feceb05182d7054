/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of a function: a type 0 header (PCI Express Base Specification 5.0, 7.5.1), its capability list,
 * and the wire of its INTA (PCI Local Bus Specification 3.0, 2.2.6). What the guest sees is a flat array; beside it lie
 * the bits that it may write.
 *
 * Locks: accesses hold the host's. Status.Interrupt Status is the one byte that other threads change: under the host's
 * INTx lock.
 */
#include <string.h>

#include "devices/pci/msix.h"
#include "devices/pci/pci-internal.h"

#define COMMAND_WRITABLE (PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER | PCI_COMMAND_INTERRUPT_DISABLE)
#define CAPABILITY_ALIGN 4

/* Bytes are loaded and stored whole, as pci_function_set_intx does not hold the lock of an access. */
static uint8_t get_byte(const uint8_t *byte) {
  return __atomic_load_n(byte, __ATOMIC_RELAXED);
}

static void set_byte(uint8_t *byte, uint8_t value) {
  __atomic_store_n(byte, value, __ATOMIC_RELAXED);
  register_page_publish(byte, 1);
}

uint32_t pci_config_get(const PciFunction *function, unsigned offset, unsigned size) {
  uint32_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint32_t)get_byte(&function->config[offset + i]) << (8 * i);
  return value;
}

void pci_config_set(PciFunction *function, unsigned offset, unsigned size, uint32_t value) {
  for (unsigned i = 0; i < size; i++)
    set_byte(&function->config[offset + i], (uint8_t)(value >> (8 * i)));
}

void pci_config_allow(PciFunction *function, unsigned offset, unsigned size, uint32_t mask) {
  for (unsigned i = 0; i < size; i++)
    function->writable[offset + i] |= (uint8_t)(mask >> (8 * i));
}

void pci_function_init(PciFunction *function, const PciFunctionOps *ops, const char *name, uint16_t vendor, uint16_t device,
                       uint8_t revision, uint32_t class_code, uint16_t subsystem_vendor, uint16_t subsystem, uint8_t interrupt_pin) {
  *function = (PciFunction){.ops = ops, .name = g_strdup(name), .capability_end = PCI_HEADER_END};
  function->config = function->own_config;
  pci_config_set(function, PCI_VENDOR_ID, 2, vendor);
  pci_config_set(function, PCI_DEVICE_ID, 2, device);
  pci_config_set(function, PCI_REVISION_ID, 1, revision);
  pci_config_set(function, PCI_CLASS_CODE, 3, class_code);
  pci_config_set(function, PCI_SUBSYSTEM_VENDOR_ID, 2, subsystem_vendor);
  pci_config_set(function, PCI_SUBSYSTEM_ID, 2, subsystem);
  pci_config_set(function, PCI_INTERRUPT_PIN, 1, interrupt_pin);
  pci_config_allow(function, PCI_COMMAND, 2, COMMAND_WRITABLE);
  pci_config_allow(function, PCI_CACHE_LINE_SIZE, 1, UINT8_MAX);
  pci_config_allow(function, PCI_INTERRUPT_LINE, 1, UINT8_MAX);
}

void pci_function_clear(PciFunction *function) {
  g_clear_pointer(&function->name, g_free);
}

unsigned pci_function_add_capability(PciFunction *function, uint8_t id, unsigned size) {
  unsigned offset = function->capability_end;

  g_assert(size >= 2 && size <= PCI_CONFIG_SIZE - offset);
  pci_config_set(function, function->last_capability ? function->last_capability + 1 : PCI_CAPABILITIES_POINTER, 1, offset);
  pci_config_set(function, PCI_STATUS, 1, pci_config_get(function, PCI_STATUS, 1) | PCI_STATUS_CAPABILITIES);
  pci_config_set(function, offset, 1, id);
  function->last_capability = offset;
  function->capability_end = (offset + size + CAPABILITY_ALIGN - 1) & ~(CAPABILITY_ALIGN - 1u);
  return offset;
}

/* Swizzled as behind a bridge (PCI-to-PCI Bridge Architecture Specification 1.2, table 9-1), to spread the wires. */
static unsigned intx_pin(const PciFunction *function) {
  return function->slot % PCI_N_PINS;
}

/* With the INTx lock. */
static void drive_intx(PciFunction *function) {
  PciHost *host = function->host;
  bool disabled = pci_config_get(function, PCI_COMMAND, 2) & PCI_COMMAND_INTERRUPT_DISABLE;
  bool asserted = function->intx_level && !disabled && !(function->msix && msix_enabled(function->msix));
  unsigned pin = intx_pin(function);

  if (asserted == function->intx_asserted)
    return;
  function->intx_asserted = asserted;
  if (asserted)
    host->intx_asserting[pin]++;
  else
    host->intx_asserting[pin]--;
  irq_line_set(host->intx[pin], host->intx_asserting[pin] > 0);
}

/* After what the wire depends on has changed. Any lock. */
static void update_intx(PciFunction *function) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&function->host->intx_lock);
  drive_intx(function);
}

/* Whether an access touches the bytes from FIRST up to END. */
static bool touches(unsigned offset, unsigned size, unsigned first, unsigned end) {
  return offset < end && offset + size > first;
}

void pci_function_config_write(PciFunction *function, unsigned offset, unsigned size, uint32_t value) {
  for (unsigned i = 0; i < size; i++) {
    uint8_t byte = (uint8_t)(value >> (8 * i));
    uint8_t writable = function->writable[offset + i];
    uint8_t cleared = byte & function->write_one_to_clear[offset + i];
    if (!writable && !cleared)
      continue; /* above all the byte that pci_function_set_intx owns */
    uint8_t old = function->config[offset + i];
    set_byte(&function->config[offset + i], (uint8_t)((old & ~writable & ~cleared) | (byte & writable)));
  }
  if (function->msix)
    msix_control_written(function->msix);
  if (touches(offset, size, PCI_COMMAND, PCI_COMMAND + 2) || touches(offset, size, PCI_BAR0, PCI_BAR0 + 4 * PCI_N_BARS))
    pci_bars_update(function);
  update_intx(function);
  if (function->ops->config_written)
    function->ops->config_written(function, offset, size);
}

void pci_function_reset(PciFunction *function) {
  pci_bars_unmap(function);
  /* First the function: afterwards no thread of its own interrupts any more. */
  function->ops->reset(function);
  for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
    uint8_t variable = function->writable[i] | function->write_one_to_clear[i];
    if (variable)
      set_byte(&function->config[i], function->config[i] & ~variable);
  }
  if (function->msix)
    msix_reset(function->msix);
  pci_function_set_intx(function, false);
}

MsiController *pci_function_msi(const PciFunction *function) {
  return function->host ? function->host->msi : NULL;
}

uint32_t pci_function_id(const PciFunction *function) {
  return function->slot << 3; /* bus 0, function 0 */
}

void pci_function_set_intx(PciFunction *function, bool level) {
  uint8_t *status = &function->config[PCI_STATUS];

  if (!function->host)
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&function->host->intx_lock);
  function->intx_level = level;
  set_byte(status, (uint8_t)((get_byte(status) & ~PCI_STATUS_INTERRUPT) | (level ? PCI_STATUS_INTERRUPT : 0)));
  drive_intx(function);
}

const char *pci_function_config_name(unsigned offset) {
  static const struct {
    unsigned offset;
    const char *name;
  } names[] = {
      {PCI_VENDOR_ID, "Vendor ID"},
      {PCI_DEVICE_ID, "Device ID"},
      {PCI_COMMAND, "Command"},
      {PCI_STATUS, "Status"},
      {PCI_REVISION_ID, "Revision ID"},
      {PCI_CLASS_CODE, "Class Code"},
      {PCI_CACHE_LINE_SIZE, "Cache Line Size"},
      {PCI_CACHE_LINE_SIZE + 1, "Latency Timer"},
      {PCI_HEADER_TYPE, "Header Type"},
      {PCI_HEADER_TYPE + 1, "BIST"},
      {PCI_BAR0, "BAR0"},
      {PCI_BAR0 + 4, "BAR1"},
      {PCI_BAR0 + 8, "BAR2"},
      {PCI_BAR0 + 12, "BAR3"},
      {PCI_BAR0 + 16, "BAR4"},
      {PCI_BAR0 + 20, "BAR5"},
      {PCI_BAR0 + 24, "Cardbus CIS Pointer"},
      {PCI_SUBSYSTEM_VENDOR_ID, "Subsystem Vendor ID"},
      {PCI_SUBSYSTEM_ID, "Subsystem ID"},
      {PCI_SUBSYSTEM_ID + 2, "Expansion ROM Base Address"},
      {PCI_CAPABILITIES_POINTER, "Capabilities Pointer"},
      {PCI_CAPABILITIES_POINTER + 1, "reserved"},
      {PCI_INTERRUPT_LINE, "Interrupt Line"},
      {PCI_INTERRUPT_PIN, "Interrupt Pin"},
      {PCI_INTERRUPT_PIN + 1, "Min_Gnt"},
      {PCI_INTERRUPT_PIN + 2, "Max_Lat"},
      {PCI_HEADER_END, "capability"},
      {PCI_CONFIG_SIZE, "extended capability"},
  };
  const char *name = names[0].name;

  /* A register goes up to the next one. */
  for (unsigned i = 0; i < G_N_ELEMENTS(names) && names[i].offset <= offset; i++)
    name = names[i].name;
  return name;
}
