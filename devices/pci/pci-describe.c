/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree node of the host bridge: PCI Bus Binding to Open Firmware (IEEE 1275) 2.1, 2.2.1 for addresses; Linux
 * bindings pci/host-generic-pci.yaml, pci/pci-msi.txt (msi-map). Read-only, no lock: it is written before the guest
 * runs.
 */
#include "devices/pci/pci-internal.h"

/* phys.hi: npt000ss bbbbbbbb dddddfff rrrrrrrr. */
#define PHYS_HI_IO           0x01000000
#define PHYS_HI_MEMORY32     0x02000000
#define PHYS_HI_MEMORY64     0x03000000
#define PHYS_HI_PREFETCHABLE 0x40000000
#define PHYS_HI_DEVICE_SHIFT 11

#define RANGE_CELLS 7 /* phys.hi, mid, lo; parent's address: 2; size: 2 */
/*
 * phys.hi, mid, lo; pin; controller; its unit address: 2, as the GIC node has children with addresses; type, number,
 * flags
 */
#define MAP_CELLS     10
#define MAP_DEVICES   PCI_N_PINS /* the swizzle repeats */
#define REQUESTER_IDS 0x100      /* of bus 0 */

/* Appends a window, unless it is empty: at PCI in its space, at BASE for the CPU. */
static void add_range(GArray *cells, uint32_t space, uint64_t pci, uint64_t base, uint64_t size) {
  const uint32_t range[RANGE_CELLS] = {
      space, (uint32_t)(pci >> 32), (uint32_t)pci, (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32), (uint32_t)size,
  };

  if (size)
    g_array_append_vals(cells, range, RANGE_CELLS);
}

static void describe_ranges(const PciWindows *windows, FdtWriter *fdt) {
  g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(uint32_t));

  add_range(cells, PHYS_HI_IO, 0, windows->base_io, windows->size_io);
  add_range(cells, PHYS_HI_MEMORY32, windows->base32, windows->base32, windows->size32);
  add_range(cells, PHYS_HI_MEMORY64 | PHYS_HI_PREFETCHABLE, windows->base64, windows->base64, windows->size64);
  fdt_writer_cells(fdt, "ranges", (const uint32_t *)(const void *)cells->data, cells->len);
}

static void describe_interrupts(uint32_t first_spi, FdtWriter *fdt) {
  static const uint32_t mask[] = {(MAP_DEVICES - 1) << PHYS_HI_DEVICE_SHIFT, 0, 0, 7};
  uint32_t cells[MAP_DEVICES * PCI_N_PINS * MAP_CELLS] = {0};
  uint32_t *entry = cells;

  for (unsigned device = 0; device < MAP_DEVICES; device++)
    for (unsigned pin = 0; pin < PCI_N_PINS; pin++, entry += MAP_CELLS) {
      entry[0] = device << PHYS_HI_DEVICE_SHIFT;
      entry[3] = pin + 1;
      entry[4] = FDT_PHANDLE_GIC;
      entry[7] = FDT_IRQ_SPI;
      entry[8] = first_spi + (device + pin) % PCI_N_PINS;
      entry[9] = FDT_IRQ_LEVEL_HIGH;
    }
  fdt_writer_u32(fdt, "#interrupt-cells", 1);
  fdt_writer_cells(fdt, "interrupt-map", cells, G_N_ELEMENTS(cells));
  fdt_writer_cells(fdt, "interrupt-map-mask", mask, G_N_ELEMENTS(mask));
}

void pci_host_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  const PciHost *host = (const PciHost *)device;
  static const uint32_t bus_range[] = {0, 0};
  static const uint32_t msi_map[] = {0, FDT_PHANDLE_MSI, 0, REQUESTER_IDS};

  fdt_writer_begin_at(fdt, "pcie", slot->base);
  fdt_writer_string(fdt, "compatible", "pci-host-ecam-generic");
  fdt_writer_string(fdt, "device_type", "pci");
  fdt_writer_u32(fdt, "#address-cells", 3);
  fdt_writer_u32(fdt, "#size-cells", 2);
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_cells(fdt, "bus-range", bus_range, G_N_ELEMENTS(bus_range));
  fdt_writer_u32(fdt, "linux,pci-domain", 0);
  fdt_writer_flag(fdt, "dma-coherent");
  describe_ranges(&host->windows, fdt);
  describe_interrupts(slot->spi, fdt);
  if (host->msi)
    fdt_writer_cells(fdt, "msi-map", msi_map, G_N_ELEMENTS(msi_map));
  fdt_writer_end(fdt);
}
