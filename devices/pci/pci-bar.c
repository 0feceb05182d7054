/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base address registers: PCI Express Base Specification 5.0, 7.5.1.2.1. The registers themselves are plain
 * configuration bytes of which the address bits above the size are writable: that alone answers the sizing write of all
 * ones. A BAR is decoded while Command.Memory Space is set and all of it lies in one of the host's windows; elsewhere
 * the bridge would not forward it.
 *
 * Locks: the host's.
 */
#include "devices/pci/pci-internal.h"

#define BAR_MIN_SIZE     0x10000
#define BAR_MEMORY_64BIT 0x4
#define BAR_PREFETCHABLE 0x8
#define BAR_ADDRESS_MASK (~UINT64_C(0xf))

static unsigned bar_register(unsigned bar) {
  return PCI_BAR0 + 4 * bar;
}

void pci_function_add_bar(PciFunction *function, unsigned bar, uint64_t size, bool is_64bit, bool prefetchable) {
  uint64_t mask = ~(size - 1);

  g_assert(size >= BAR_MIN_SIZE && (size & (size - 1)) == 0);
  g_assert(bar + is_64bit < PCI_N_BARS && (is_64bit || size <= UINT32_MAX));
  function->bars[bar].size = size;
  function->bars[bar].is_64bit = is_64bit;
  pci_config_set(function, bar_register(bar), 4, (is_64bit ? BAR_MEMORY_64BIT : 0) | (prefetchable ? BAR_PREFETCHABLE : 0));
  pci_config_allow(function, bar_register(bar), 4, (uint32_t)mask);
  if (is_64bit)
    pci_config_allow(function, bar_register(bar + 1), 4, (uint32_t)(mask >> 32));
}

static uint64_t configured_address(const PciFunction *function, unsigned bar) {
  uint64_t address = pci_config_get(function, bar_register(bar), 4);

  if (function->bars[bar].is_64bit)
    address |= (uint64_t)pci_config_get(function, bar_register(bar + 1), 4) << 32;
  return address & BAR_ADDRESS_MASK;
}

static bool inside(uint64_t address, uint64_t size, uint64_t window, uint64_t window_size) {
  return address >= window && size <= window_size && address - window <= window_size - size;
}

static bool forwarded(const PciWindows *windows, uint64_t address, uint64_t size) {
  return inside(address, size, windows->base32, windows->size32) || inside(address, size, windows->base64, windows->size64);
}

static void collect_mappings(PciHost *host) {
  host->n_mappings = 0;
  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++) {
    PciFunction *function = host->functions[slot];
    for (unsigned bar = 0; function && bar < PCI_N_BARS; bar++)
      if (function->bars[bar].mapped)
        host->mappings[host->n_mappings++] = (PciMapping){function->bars[bar].address, function->bars[bar].size, function, bar};
  }
}

static void unmap(PciFunction *function, unsigned bar) {
  function->bars[bar].mapped = false;
  if (function->ops->bar_unmapped)
    function->ops->bar_unmapped(function, bar, function->bars[bar].address);
}

static void map(PciFunction *function, unsigned bar, uint64_t address) {
  function->bars[bar].mapped = true;
  function->bars[bar].address = address;
  if (function->ops->bar_mapped)
    function->ops->bar_mapped(function, bar, address);
}

void pci_bars_update(PciFunction *function) {
  bool enabled = pci_config_get(function, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
  bool changed = false;

  for (unsigned bar = 0; bar < PCI_N_BARS; bar++) {
    uint64_t size = function->bars[bar].size;
    if (!size)
      continue;
    uint64_t address = configured_address(function, bar);
    bool decoded = enabled && forwarded(&function->host->windows, address, size);
    bool moved = function->bars[bar].mapped && (!decoded || address != function->bars[bar].address);
    if (moved)
      unmap(function, bar);
    if (decoded && !function->bars[bar].mapped)
      map(function, bar, address);
    else if (!moved)
      continue;
    changed = true;
  }
  if (changed)
    collect_mappings(function->host);
}

void pci_bars_unmap(PciFunction *function) {
  for (unsigned bar = 0; bar < PCI_N_BARS; bar++)
    if (function->bars[bar].mapped)
      unmap(function, bar);
  collect_mappings(function->host);
}

const PciMapping *pci_bar_at(const PciHost *host, uint64_t address) {
  for (unsigned i = 0; i < host->n_mappings; i++)
    if (address - host->mappings[i].address < host->mappings[i].size)
      return &host->mappings[i];
  return NULL;
}
