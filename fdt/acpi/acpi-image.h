/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a finished writer in the two forms in which a guest gets them: at an address of guest memory that
 * is known (a boot without firmware), or as files of a firmware configuration device, with commands by which the
 * firmware places them and fills in what depends on that.
 */
#pragma once

#include "fdt/acpi/acpi-writer.h"

/*
 * RSDP, XSDT and all tables one after the other, for ADDRESS, a multiple of 64, where the RSDP is. Their size does not
 * depend on the address.
 */
GBytes *acpi_image_at(const AcpiWriter *writer, uint64_t address);

/*
 * QEMU's table loader (QEMU: docs/specs, hw/acpi/bios-linker-loader.c's interface), by the names of the three files:
 * etc/acpi/rsdp, etc/acpi/tables, etc/table-loader. A pointer in the first two is an offset in the file that it points
 * into, until the loader's command adds that file's address.
 */
#define ACPI_FILE_RSDP   "etc/acpi/rsdp"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_LOADER "etc/table-loader"
typedef struct {
  GBytes *rsdp, *tables, *loader;
} AcpiFiles;
void acpi_files_init(AcpiFiles *files, const AcpiWriter *writer);
void acpi_files_clear(AcpiFiles *files);

/*
 * The tables of an image that was made for ADDRESS as the text that acpidump(8) writes and acpixtract(1) reads: found
 * as a kernel finds them, from the RSDP on. Free with g_free.
 */
char *acpi_image_dump(GBytes *image, uint64_t address);
