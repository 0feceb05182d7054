/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a platform, as platform-fdt.c makes its device tree: those of the machine itself from its board,
 * then each device's own, by its `describe_acpi`.
 */
#include "fdt/acpi/acpi-image.h"
#include "fdt/acpi/acpi-tables.h"
#include "vmm/machine/platform.h"

#define PPI_TO_INTID 16 /* Arm IHI 0069, 2.2 */

static AcpiRange acpi_range(const AddressRange *range) {
  return (AcpiRange){range->base, range->size};
}

static void write_madt(AcpiWriter *acpi, const Platform *platform) {
  const Board *board = platform->board;
  const BoardDevice *frame = board_find(board, &gicv2m_kind);
  AcpiMadt madt = {
      .n_cpus = board->cpus,
      .mpidr = board_mpidr,
      .pmu_gsi = platform->wiring->pmu ? LAYOUT_PPI_PMU + PPI_TO_INTID : 0,
      .maintenance_gsi = platform->wiring->el2 ? LAYOUT_PPI_GIC_MAINTENANCE + PPI_TO_INTID : 0,
      .gic_version = (uint8_t)board->gic,
      .distributor = acpi_range(&LAYOUT.gic_distributor),
  };

  if (board->gic == GIC_V3) {
    madt.redistributors[0] = acpi_range(&board->redistributors[0]);
    madt.redistributors[1] = acpi_range(&board->redistributors[1]);
    madt.its = acpi_range(&LAYOUT.gic_its);
  } else {
    madt.cpu_interface = acpi_range(&LAYOUT.gic_cpu_interface);
  }
  if (frame)
    madt.msi_frame = (AcpiRange){frame->slot.base, frame->slot.size};
  acpi_write_madt(acpi, &madt);
}

AcpiWriter *platform_describe_acpi(const Platform *platform) {
  const PlatformWiring *wiring = platform->wiring;
  const Board *board = platform->board;
  AcpiWriter *acpi = acpi_writer_new();

  acpi_write_fadt(acpi, !wiring->el2);
  write_madt(acpi, platform);
  acpi_write_gtdt(acpi, wiring->el2_vhe);
  acpi_write_pptt(acpi, board->cpus, wiring->clidr);
  acpi_write_cpus(acpi, board->cpus);
  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (made->device)
      device_describe_acpi(made->device, &made->plan->slot, acpi);
  }
  acpi_writer_finish(acpi);
  return acpi;
}

char *platform_dump_acpi(const Platform *platform) {
  g_autoptr(AcpiWriter) acpi = platform_describe_acpi(platform);
  uint64_t address = platform->board->ram.base;
  g_autoptr(GBytes) image = acpi_image_at(acpi, address);

  return acpi_image_dump(image, address);
}

Smbios platform_smbios(const Platform *platform) {
  const Board *board = platform->board;
  return (Smbios){.version = ERET_VERSION,
                  .n_cpus = board->cpus,
                  .ram_base = board->ram.base,
                  .ram_size = board->ram.size,
                  .uuid = board->config->uuid,
                  .serial_number = board->config->serial_number};
}

void platform_table_files(const Platform *platform, PlatformTableFile files[PLATFORM_TABLE_FILES]) {
  g_autoptr(AcpiWriter) acpi = platform_describe_acpi(platform);
  Smbios smbios = platform_smbios(platform);
  GBytes *structures = smbios_structures(&smbios);
  AcpiFiles made;

  acpi_files_init(&made, acpi);
  files[0] = (PlatformTableFile){ACPI_FILE_RSDP, made.rsdp};
  files[1] = (PlatformTableFile){ACPI_FILE_TABLES, made.tables};
  files[2] = (PlatformTableFile){ACPI_FILE_LOADER, made.loader};
  files[3] = (PlatformTableFile){SMBIOS_FILE_ENTRY_POINT, smbios_entry_point(0, (uint32_t)g_bytes_get_size(structures))};
  files[4] = (PlatformTableFile){SMBIOS_FILE_STRUCTURES, structures};
}
