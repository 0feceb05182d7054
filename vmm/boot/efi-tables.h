/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables by which a kernel finds ACPI and SMBIOS without firmware: the arm64 kernel takes ACPI from an EFI system
 * table alone, which its EFI stub hands on in /chosen (Linux: Documentation/arch/arm/uefi.rst). Here the table is made
 * as a stub leaves it behind, after the end of boot services. Of the runtime services there are those for the time.
 * UEFI Specification 2.10: 4.3 (system table), 4.6 (configuration table), 7.2 (memory map).
 */
#pragma once

#include "fdt/acpi/acpi-writer.h"
#include "fdt/smbios.h"

/* Where they have to begin: the largest page that a kernel has, as it rounds regions of the memory map to its own. */
#define EFI_TABLES_ALIGNMENT 0x10000

#define EFI_MEMORY_DESCRIPTOR_SIZE    40
#define EFI_MEMORY_DESCRIPTOR_VERSION 1

/* What /chosen says of them; guest physical addresses. */
typedef struct {
  uint64_t system_table;
  uint64_t map;      /* of memory */
  uint32_t map_size; /* bytes */
} EfiAddresses;

/*
 * All of it, ACPI and SMBIOS included, and with CLOCK, the address of a PL031 unless it is 0, the services for the
 * time; for ADDRESS, in RAM of RAM_SIZE bytes from RAM_BASE; a multiple of the alignment long. The size does not depend
 * on the addresses.
 */
GBytes *efi_tables_new(const AcpiWriter *acpi, const Smbios *smbios, uint64_t clock, uint64_t address, EfiAddresses *addresses);
