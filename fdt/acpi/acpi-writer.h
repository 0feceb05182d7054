/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects the ACPI tables of a machine (ACPI Specification 6.3, chapter 5): the DSDT, into which devices write
 * themselves, and tables of fixed form. Nobody knows yet where they will be in guest memory: pointers from one to
 * another are noted, and filled in, with the checksums, by acpi-image.h.
 */
#pragma once

#include "fdt/acpi/aml.h"

typedef struct {
  char signature[5];
  GByteArray *bytes; /* the whole table, its checksum 0 */
} AcpiTable;

/* An address that a table holds of another's start. */
typedef struct {
  unsigned table, target; /* indexes */
  guint offset;
  unsigned size; /* bytes: 4 or 8 */
} AcpiPointer;

typedef struct {
  Aml *aml; /* the DSDT, with the scope \_SB open; a device writes its own objects here */
  bool finished;
  bool its;         /* interrupts by message go to an ITS of acpi_write_madt */
  GArray *tables;   /* of AcpiTable; the DSDT last, once it is finished */
  GArray *pointers; /* of AcpiPointer */
} AcpiWriter;

AcpiWriter *acpi_writer_new(void);
void acpi_writer_free(AcpiWriter *writer); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AcpiWriter, acpi_writer_free)

/* The header of a new table; what is in it follows, then acpi_writer_end_table. The bytes are the writer's. */
GByteArray *acpi_writer_begin_table(AcpiWriter *writer, const char *signature, uint8_t revision);
void acpi_writer_end_table(AcpiWriter *writer);
/* At OFFSET of the open table there are to be SIZE bytes with the address of the DSDT. */
void acpi_writer_point_to_dsdt(AcpiWriter *writer, guint offset, unsigned size);

/* Ends the DSDT. Only the image may be made afterwards. */
void acpi_writer_finish(AcpiWriter *writer);

/* Every table begins with this many bytes: ACPI 6.3, table 5-30. */
#define ACPI_HEADER_SIZE     36
#define ACPI_HEADER_LENGTH   4
#define ACPI_HEADER_CHECKSUM 9
/* Appends a header whose length is still to be set. */
void acpi_append_header(GByteArray *bytes, const char *signature, uint8_t revision);

/* A generic address structure of memory-mapped registers: 5.2.3.2. WIDTH in bits: 8, 16, 32 or 64. */
#define ACPI_GAS_SIZE 12
void acpi_append_address(GByteArray *bytes, uint64_t address, unsigned width);
