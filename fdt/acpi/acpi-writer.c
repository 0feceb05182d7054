/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a machine while they are made; see the header. No lock: one thread. */
#include "fdt/acpi/acpi-writer.h"

#include "fdt/bytes.h"

#define OEM_ID           "ERET"
#define OEM_TABLE_ID     "ERETVIRT"
#define OEM_REVISION     1
#define CREATOR_ID       "ERET"
#define CREATOR_REVISION 1
#define DSDT_REVISION    2 /* from 2 on integers have 64 bits: 19.6.29 */
#define DSDT_TARGET      UINT_MAX

AcpiWriter *acpi_writer_new(void) {
  AcpiWriter *writer = g_new0(AcpiWriter, 1);

  writer->aml = aml_new();
  writer->tables = g_array_new(FALSE, TRUE, sizeof(AcpiTable));
  writer->pointers = g_array_new(FALSE, TRUE, sizeof(AcpiPointer));
  aml_begin_scope(writer->aml, "\\_SB");
  return writer;
}

void acpi_writer_free(AcpiWriter *writer) {
  if (!writer)
    return;
  for (unsigned i = 0; i < writer->tables->len; i++)
    g_byte_array_unref(g_array_index(writer->tables, AcpiTable, i).bytes);
  g_array_unref(writer->tables);
  g_array_unref(writer->pointers);
  aml_free(writer->aml);
  g_free(writer);
}

void acpi_append_header(GByteArray *bytes, const char *signature, uint8_t revision) {
  bytes_text(bytes, signature, 4, 0);
  bytes_u32(bytes, 0); /* length, to come */
  bytes_u8(bytes, revision);
  bytes_u8(bytes, 0); /* checksum, to come */
  bytes_text(bytes, OEM_ID, 6, ' ');
  bytes_text(bytes, OEM_TABLE_ID, 8, ' ');
  bytes_u32(bytes, OEM_REVISION);
  bytes_text(bytes, CREATOR_ID, 4, ' ');
  bytes_u32(bytes, CREATOR_REVISION);
}

GByteArray *acpi_writer_begin_table(AcpiWriter *writer, const char *signature, uint8_t revision) {
  AcpiTable table = {.bytes = g_byte_array_new()};

  g_assert(!writer->finished);
  g_strlcpy(table.signature, signature, sizeof table.signature);
  acpi_append_header(table.bytes, signature, revision);
  g_array_append_val(writer->tables, table);
  return table.bytes;
}

void acpi_writer_end_table(AcpiWriter *writer) {
  GByteArray *bytes = g_array_index(writer->tables, AcpiTable, writer->tables->len - 1).bytes;
  bytes_set(bytes, ACPI_HEADER_LENGTH, 4, bytes->len);
}

void acpi_writer_point_to_dsdt(AcpiWriter *writer, guint offset, unsigned size) {
  AcpiPointer pointer = {.table = writer->tables->len - 1, .target = DSDT_TARGET, .offset = offset, .size = size};
  g_array_append_val(writer->pointers, pointer);
}

void acpi_writer_finish(AcpiWriter *writer) {
  aml_end(writer->aml); /* \_SB */
  g_autoptr(GByteArray) aml = aml_finish(writer->aml);
  GByteArray *dsdt = acpi_writer_begin_table(writer, "DSDT", DSDT_REVISION);
  g_byte_array_append(dsdt, aml->data, aml->len);
  acpi_writer_end_table(writer);
  writer->finished = true;
  for (unsigned i = 0; i < writer->pointers->len; i++) {
    AcpiPointer *pointer = &g_array_index(writer->pointers, AcpiPointer, i);
    if (pointer->target == DSDT_TARGET)
      pointer->target = writer->tables->len - 1;
  }
}

void acpi_append_address(GByteArray *bytes, uint64_t address, unsigned width) {
  enum { SYSTEM_MEMORY = 0, ACCESS_BYTE = 1 };

  bytes_u8(bytes, SYSTEM_MEMORY);
  bytes_u8(bytes, (uint8_t)width);
  bytes_u8(bytes, 0);                                                     /* bit offset */
  bytes_u8(bytes, (uint8_t)(ACCESS_BYTE + g_bit_nth_lsf(width, -1) - 3)); /* log2 of the bytes, from 1 on */
  bytes_u64(bytes, address);
}
