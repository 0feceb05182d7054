/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that devices write: SPCR, DBG2, MCFG, IORT. No lock: one thread. */
#include <string.h>

#include "fdt/acpi/acpi-tables.h"
#include "fdt/bytes.h"

#define SPCR_REVISION 2
#define DBG2_REVISION 0
#define MCFG_REVISION 1
#define IORT_REVISION 0

#define PORT_PL011        0x0003 /* DBG2, table 3: Arm PL011 UART; as SPCR's interface type too */
#define PORT_SERIAL       0x8000
#define SPCR_BY_GIC       (1u << 3)
#define SPCR_BAUD_AS_IS   0
#define SPCR_ONE_STOP_BIT 1
#define SPCR_VT_UTF8      2
#define NO_PCI_DEVICE     0xffff

void acpi_write_spcr_pl011(AcpiWriter *acpi, uint64_t base, uint32_t gsi) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "SPCR", SPCR_REVISION);

  bytes_u8(bytes, PORT_PL011);
  bytes_zero(bytes, 3);
  acpi_append_address(bytes, base, 32);
  bytes_u8(bytes, SPCR_BY_GIC);
  bytes_u8(bytes, 0); /* PC interrupt */
  bytes_u32(bytes, gsi);
  bytes_u8(bytes, SPCR_BAUD_AS_IS);
  bytes_u8(bytes, 0); /* parity: none */
  bytes_u8(bytes, SPCR_ONE_STOP_BIT);
  bytes_u8(bytes, 0); /* flow control: none */
  bytes_u8(bytes, SPCR_VT_UTF8);
  bytes_u8(bytes, 0); /* language */
  bytes_u16(bytes, NO_PCI_DEVICE);
  bytes_u16(bytes, NO_PCI_DEVICE);
  bytes_zero(bytes, 3 + 4 + 1); /* bus, device, function; flags; segment */
  bytes_u32(bytes, 0);          /* clock: not told */
  acpi_writer_end_table(acpi);
}

void acpi_write_dbg2_pl011(AcpiWriter *acpi, uint64_t base, uint64_t size, const char *path) {
  enum { DEVICES_AT = ACPI_HEADER_SIZE + 8, ADDRESS_AT = 22, SIZE_AT = ADDRESS_AT + ACPI_GAS_SIZE, PATH_AT = SIZE_AT + 4 };
  uint16_t path_size = (uint16_t)(strlen(path) + 1);
  GByteArray *bytes = acpi_writer_begin_table(acpi, "DBG2", DBG2_REVISION);

  bytes_u32(bytes, DEVICES_AT);
  bytes_u32(bytes, 1); /* of them */
  bytes_u8(bytes, 0);  /* revision of the structure */
  bytes_u16(bytes, (uint16_t)(PATH_AT + path_size));
  bytes_u8(bytes, 1); /* ranges of registers */
  bytes_u16(bytes, path_size);
  bytes_u16(bytes, PATH_AT);
  bytes_u16(bytes, 0); /* OEM's data */
  bytes_u16(bytes, 0);
  bytes_u16(bytes, PORT_SERIAL);
  bytes_u16(bytes, PORT_PL011);
  bytes_u16(bytes, 0);
  bytes_u16(bytes, ADDRESS_AT);
  bytes_u16(bytes, SIZE_AT);
  acpi_append_address(bytes, base, 32);
  bytes_u32(bytes, (uint32_t)size);
  g_byte_array_append(bytes, (const guint8 *)path, path_size);
  acpi_writer_end_table(acpi);
}

void acpi_write_mcfg(AcpiWriter *acpi, uint64_t ecam, uint16_t segment, uint8_t first_bus, uint8_t last_bus) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "MCFG", MCFG_REVISION);

  bytes_zero(bytes, 8);
  bytes_u64(bytes, ecam);
  bytes_u16(bytes, segment);
  bytes_u8(bytes, first_bus);
  bytes_u8(bytes, last_bus);
  bytes_u32(bytes, 0);
  acpi_writer_end_table(acpi);
}

/* DEN 0049, 3.1.1. */
enum { IORT_ITS_GROUP = 0, IORT_ROOT_COMPLEX = 2 };
#define IORT_COHERENT          1u
#define IORT_COHERENT_BY_CPU   1u /* CPM: device and CPU see the same without help */
#define IORT_DEVICE_ATTRIBUTES 2u /* DACS: as the CPU maps it */
#define IORT_ADDRESS_BITS      64

static void begin_node(GByteArray *bytes, uint8_t type, uint16_t size, uint8_t revision, uint32_t n_mappings, uint32_t mappings_at) {
  bytes_u8(bytes, type);
  bytes_u16(bytes, size);
  bytes_u8(bytes, revision);
  bytes_u32(bytes, 0); /* reserved, later an identifier */
  bytes_u32(bytes, n_mappings);
  bytes_u32(bytes, mappings_at);
}

void acpi_write_iort(AcpiWriter *acpi, uint16_t segment, uint32_t n_ids) {
  enum { NODES_AT = ACPI_HEADER_SIZE + 12, GROUP_SIZE = 24, ROOT_SIZE = 36, MAPPING_SIZE = 20 };
  if (!acpi->its)
    return;
  GByteArray *bytes = acpi_writer_begin_table(acpi, "IORT", IORT_REVISION);

  bytes_u32(bytes, 2); /* nodes */
  bytes_u32(bytes, NODES_AT);
  bytes_u32(bytes, 0);
  begin_node(bytes, IORT_ITS_GROUP, GROUP_SIZE, 0, 0, 0);
  bytes_u32(bytes, 1); /* ITSs */
  bytes_u32(bytes, 0); /* the MADT's ID */
  begin_node(bytes, IORT_ROOT_COMPLEX, ROOT_SIZE + MAPPING_SIZE, 1, 1, ROOT_SIZE);
  bytes_u32(bytes, IORT_COHERENT);
  bytes_u8(bytes, 0); /* hints */
  bytes_u16(bytes, 0);
  bytes_u8(bytes, IORT_COHERENT_BY_CPU | IORT_DEVICE_ATTRIBUTES);
  bytes_u32(bytes, 0); /* address translation: none */
  bytes_u32(bytes, segment);
  bytes_u8(bytes, IORT_ADDRESS_BITS);
  bytes_zero(bytes, 3);
  bytes_u32(bytes, 0);         /* first requester ID */
  bytes_u32(bytes, n_ids - 1); /* one less than there are: 3.1.1.5, "Number of IDs" */
  bytes_u32(bytes, 0);         /* first device ID */
  bytes_u32(bytes, NODES_AT);  /* of the ITS group */
  bytes_u32(bytes, 0);
  acpi_writer_end_table(acpi);
}
