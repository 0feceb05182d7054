/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host bridge: an ECAM window over bus 0 (PCI Express Base Specification 5.0, 7.2.2) and two memory windows that
 * lead to the BARs which the guest has placed in them. There is no bridge function on the bus itself: the generic
 * driver needs none.
 *
 * Locks: the ECAM device's own lock is the host's, shared by the windows. INTx wires have one of their own: see
 * pci-function.c.
 */
#include "devices/pci/pci-internal.h"

/* The function that an ECAM offset names, or NULL where none is. */
static PciFunction *function_at(const PciHost *host, uint64_t offset, unsigned *reg) {
  unsigned slot = (unsigned)(offset >> ECAM_DEVICE_SHIFT) % PCI_MAX_DEVICES;

  *reg = offset & ECAM_REGISTER_MASK;
  return (offset >> ECAM_FUNCTION_SHIFT & ECAM_FUNCTION_MASK) == 0 ? host->functions[slot] : NULL;
}

static uint64_t ecam_read(Device *device, uint64_t offset, unsigned size) {
  PciHost *host = (PciHost *)device;
  unsigned reg;
  PciFunction *function = function_at(host, offset, &reg);

  if (function && function->reads_wanted)
    function->ops->config_read(function, reg, size);
  return register_page_get(&host->page, offset, size);
}

static void ecam_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  unsigned reg;
  PciFunction *function = function_at((PciHost *)device, offset, &reg);

  if (function && reg < PCI_CONFIG_SIZE)
    pci_function_config_write(function, reg, size, (uint32_t)value);
}

static const char *ecam_register_name(const Device *device, uint64_t offset) {
  return pci_function_config_name(offset & ECAM_REGISTER_MASK);
}

static uint64_t window_read(Device *device, uint64_t offset, unsigned size) {
  const PciWindow *window = (const PciWindow *)device;
  uint64_t address = window->base + offset;
  const PciMapping *mapping = pci_bar_at(window->host, address);

  return mapping ? mapping->function->ops->bar_read(mapping->function, mapping->bar, address - mapping->address, size)
                 : UINT64_MAX >> (64 - 8 * size);
}

static void window_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  const PciWindow *window = (const PciWindow *)device;
  uint64_t address = window->base + offset;
  const PciMapping *mapping = pci_bar_at(window->host, address);

  if (mapping)
    mapping->function->ops->bar_write(mapping->function, mapping->bar, address - mapping->address, size, value);
}

static const char *ecam_part_name(const Device *device, uint64_t offset) {
  unsigned reg;
  const PciFunction *function = function_at((const PciHost *)device, offset, &reg);

  return function ? function->name : NULL;
}

static const char *window_part_name(const Device *device, uint64_t offset) {
  const PciWindow *window = (const PciWindow *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  const PciMapping *mapping = pci_bar_at(window->host, window->base + offset);
  return mapping ? mapping->function->name : NULL;
}

static const char *window_register_name(const Device *device, uint64_t offset) {
  const PciWindow *window = (const PciWindow *)device;
  uint64_t address = window->base + offset;
  const char *name = NULL;

  g_mutex_lock(device->lock); /* another CPU may be moving a BAR */
  const PciMapping *mapping = pci_bar_at(window->host, address);
  if (mapping && mapping->function->ops->bar_register_name)
    name = mapping->function->ops->bar_register_name(mapping->function, mapping->bar, address - mapping->address);
  g_mutex_unlock(device->lock);
  return name;
}

static void host_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  pci_ecam_connect((PciHost *)device, slot->base, shortcuts);
}

static void host_reset(Device *device) {
  PciHost *host = (PciHost *)device;

  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++)
    if (host->functions[slot])
      pci_function_reset(host->functions[slot]);
}

static void host_pause(Device *device) {
  PciHost *host = (PciHost *)device;

  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++)
    if (host->functions[slot] && host->functions[slot]->ops->pause)
      host->functions[slot]->ops->pause(host->functions[slot]);
}

static void host_resume(Device *device) {
  PciHost *host = (PciHost *)device;

  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++)
    if (host->functions[slot] && host->functions[slot]->ops->resume)
      host->functions[slot]->ops->resume(host->functions[slot]);
}

static void host_free(Device *device) {
  PciHost *host = (PciHost *)device;

  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++) {
    if (!host->functions[slot])
      continue;
    pci_bars_unmap(host->functions[slot]);
    host->functions[slot]->ops->free(host->functions[slot]);
    host->functions[slot] = NULL;
  }
  device_clear(&host->window32.device);
  device_clear(&host->window64.device);
  device_clear(&host->ecam);
  g_mutex_clear(&host->intx_lock);
  register_page_clear(&host->page);
  g_free(host);
}

static const DeviceOps ecam_ops = {
    .access_sizes = ACCESS_1 | ACCESS_2 | ACCESS_4,
    .read_sizes = ACCESS_ANY,
    .read = ecam_read,
    .write = ecam_write,
    .register_name = ecam_register_name,
    .part_name = ecam_part_name,
    .describe = pci_host_describe,
    .describe_acpi = pci_host_describe_acpi,
    .connect = host_connect,
    .reset = host_reset,
    .pause = host_pause,
    .resume = host_resume,
    .free = host_free,
};

/* Parts of the host, which describes, resets and frees them. */
static const DeviceOps window_ops = {
    .access_sizes = ACCESS_ANY,
    .read = window_read,
    .write = window_write,
    .register_name = window_register_name,
    .part_name = window_part_name,
};

bool pci_host_add(Device *device, unsigned slot, PciFunction *function) {
  PciHost *host = (PciHost *)device;

  if (slot >= PCI_MAX_DEVICES || host->functions[slot]) {
    function->ops->free(function);
    return false;
  }
  host->functions[slot] = function;
  function->host = host;
  function->slot = slot;
  pci_ecam_plug(&host->page, function);
  if (function->ops->plugged)
    function->ops->plugged(function);
  return true;
}

PciFunction *pci_host_function(Device *device, unsigned slot) {
  return slot < PCI_MAX_DEVICES ? ((PciHost *)device)->functions[slot] : NULL;
}

static void init_window(PciHost *host, PciWindow *window, const char *name, uint64_t base) {
  device_init(&window->device, &window_ops, name, host->ecam.lock);
  window->host = host;
  window->base = base;
}

static bool add_window(PciWindow *window, uint64_t size, Bus *bus, GError **error) {
  DeviceSlot slot = {.base = window->base, .size = size, .spi = DEVICE_NO_SPI};
  return size == 0 || bus_add(bus, &slot, &window->device, error);
}

static Device *pci_host_make(const DeviceParts *parts, GError **error) {
  const PciWindows *windows = parts->asked;
  PciHost *host = device_new(sizeof *host, &ecam_ops, "pci");

  host->windows = *windows;
  host->msi = parts->msi;
  for (unsigned pin = 0; pin < PCI_N_PINS; pin++)
    host->intx[pin] = parts->irqs->line(parts->irqs, parts->slot->spi + pin, FDT_IRQ_LEVEL_HIGH);
  g_mutex_init(&host->intx_lock);
  init_window(host, &host->window32, "pci-window32", windows->base32);
  init_window(host, &host->window64, "pci-window64", windows->base64);
  if (pci_ecam_init(&host->page, error) && add_window(&host->window32, windows->size32, parts->bus, error) &&
      add_window(&host->window64, windows->size64, parts->bus, error))
    return &host->ecam;
  device_free(&host->ecam);
  return NULL;
}

const DeviceKind pci_host_kind = {
    .name = "pci",
    .note = "ECAM, bus 0; INTA-INTD",
    .size = PCI_ECAM_BUS_SIZE,
    .n_spis = PCI_N_PINS,
    .trigger = FDT_IRQ_LEVEL_HIGH,
    .make = pci_host_make,
};
