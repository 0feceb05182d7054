/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base address registers, whatever the guest has written there: after an update each BAR that is decoded is where its
 * registers say, is one that the bridge forwards to, and memory decoding is on; and what answers at an address has that
 * address. The arithmetic of `inside` itself is left to tests/unit/devices/pci/test-pci-host.c: CBMC does not get to
 * the end of it.
 *
 * bounds: one function with two BARs, the first of 32 or 64 bits, of any size; any windows; 4 mappings to search
 * cbmc: --unwind 9 --unwindset collect_mappings.1:33
 * fault: devices/pci/pci-bar.c s#address < host->mappings\[i\].size#address <= host->mappings[i].size#
 * fault: devices/pci/pci-bar.c s#= enabled \&\& forwarded#= forwarded#
 * fault: devices/pci/pci-bar.c s#(!decoded .. address != function#(address != function#
 * fault: devices/pci/pci-bar.c s#(!decoded .. address != .*)#!decoded#
 */
#include "devices/pci/pci-bar.c"
#include "tests/prove/prove.h"

static PciHost host;
static PciFunction function;
static uint8_t config[PCI_CONFIG_SIZE];

/* As in pci-function.c. */
uint32_t pci_config_get(const PciFunction *of, unsigned offset, unsigned size) {
  uint32_t value = 0;

  prove(offset + size <= PCI_CONFIG_SIZE);
  for (unsigned i = 0; i < size; i++)
    value |= (uint32_t)of->config[offset + i] << (8 * i);
  return value;
}

static void prove_update(void) {
  static const PciFunctionOps ops;
  bool wide = any_bool();

  __CPROVER_havoc_object(config);
  function = (PciFunction){.ops = &ops, .host = &host, .config = config};
  for (unsigned bar = 0; bar < PCI_N_BARS; bar += 4) {
    function.bars[bar].size = any_u64();
    function.bars[bar].is_64bit = wide && bar == 0;
    function.bars[bar].mapped = any_bool();
    function.bars[bar].address = any_u64();
  }
  host.windows = (PciWindows){any_u64(), any_u64(), any_u64(), any_u64()};
  pci_bars_update(&function);
  unsigned bar = any_unsigned();
  assume(bar < PCI_N_BARS && function.bars[bar].mapped && function.bars[bar].size);
  prove(config[PCI_COMMAND] & PCI_COMMAND_MEMORY);
  prove(function.bars[bar].address == configured_address(&function, bar));
  prove(forwarded(&host.windows, function.bars[bar].address, function.bars[bar].size));
}

static void prove_search(void) {
  enum { MAPPINGS = 4 };
  uint64_t address = any_u64();

  __CPROVER_havoc_object(&host);
  assume(host.n_mappings <= MAPPINGS);
  const PciMapping *found = pci_bar_at(&host, address);
  prove(!found || (found >= host.mappings && found < host.mappings + host.n_mappings && address - found->address < found->size));
}
