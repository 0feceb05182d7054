/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables with their pointers and checksums. An image is made once, of offsets; then either an address is added to every
 * pointer and the sums are taken, or both are written down as the loader's commands. No lock: one thread.
 */
#include "fdt/acpi/acpi-image.h"

#include <string.h>

#include "fdt/bytes.h"

#define TABLE_ALIGNMENT 64 /* a cache line; the RSDP wants 16: ACPI 6.3, 5.2.5.1 */

/* 5.2.5.3 */
enum { RSDP_CHECKSUM = 8, RSDP_FIRST_SIZE = 20, RSDP_XSDT = 24, RSDP_EXTENDED_CHECKSUM = 32, RSDP_SIZE = 36 };

typedef struct {
  guint offset;
  unsigned size;
} Pointer;

typedef struct {
  guint start, size, checksum; /* offsets of the range and of the byte that makes its sum zero */
} Sum;

typedef struct {
  GByteArray *tables; /* pointers are offsets in here */
  GArray *pointers;   /* of Pointer */
  GArray *sums;       /* of Sum */
  guint xsdt;         /* its offset */
} Image;

static void image_clear(Image *image) {
  g_clear_pointer(&image->tables, g_byte_array_unref);
  g_clear_pointer(&image->pointers, g_array_unref);
  g_clear_pointer(&image->sums, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static void add_pointer(Image *image, guint offset, unsigned size, guint target) {
  Pointer pointer = {offset, size};

  bytes_set(image->tables, offset, size, target);
  g_array_append_val(image->pointers, pointer);
}

static void add_sum(Image *image, guint start) {
  Sum sum = {start, image->tables->len - start, start + ACPI_HEADER_CHECKSUM};
  g_array_append_val(image->sums, sum);
}

static void append_tables(Image *image, const AcpiWriter *writer, guint *offsets) {
  for (unsigned i = 0; i < writer->tables->len; i++) {
    const GByteArray *table = g_array_index(writer->tables, AcpiTable, i).bytes;
    bytes_align(image->tables, TABLE_ALIGNMENT);
    offsets[i] = image->tables->len;
    g_byte_array_append(image->tables, table->data, table->len);
    add_sum(image, offsets[i]);
  }
  for (unsigned i = 0; i < writer->pointers->len; i++) {
    const AcpiPointer *pointer = &g_array_index(writer->pointers, AcpiPointer, i);
    add_pointer(image, offsets[pointer->table] + pointer->offset, pointer->size, offsets[pointer->target]);
  }
}

/* 5.2.8: all tables but the DSDT, which the FADT points to, and which is the last. */
static void append_xsdt(Image *image, const AcpiWriter *writer, const guint *offsets) {
  unsigned n = writer->tables->len - 1;

  bytes_align(image->tables, TABLE_ALIGNMENT);
  image->xsdt = image->tables->len;
  acpi_append_header(image->tables, "XSDT", 1);
  bytes_zero(image->tables, 8 * n);
  bytes_set(image->tables, image->xsdt + ACPI_HEADER_LENGTH, 4, ACPI_HEADER_SIZE + 8 * n);
  for (unsigned i = 0; i < n; i++)
    add_pointer(image, image->xsdt + ACPI_HEADER_SIZE + 8 * i, 8, offsets[i]);
  add_sum(image, image->xsdt);
}

static void image_init(Image *image, const AcpiWriter *writer) {
  g_autofree guint *offsets = g_new(guint, writer->tables->len);

  g_assert(writer->finished);
  *image = (Image){
      .tables = g_byte_array_new(),
      .pointers = g_array_new(FALSE, FALSE, sizeof(Pointer)),
      .sums = g_array_new(FALSE, FALSE, sizeof(Sum)),
  };
  append_tables(image, writer, offsets);
  append_xsdt(image, writer, offsets);
}

static void append_rsdp(GByteArray *bytes, uint64_t xsdt) {
  bytes_text(bytes, "RSD PTR ", 8, 0);
  bytes_u8(bytes, 0); /* checksum of what ACPI 1.0 knew */
  bytes_text(bytes, "ERET", 6, ' ');
  bytes_u8(bytes, 2);  /* revision */
  bytes_u32(bytes, 0); /* RSDT: none */
  bytes_u32(bytes, RSDP_SIZE);
  bytes_u64(bytes, xsdt);
  bytes_u8(bytes, 0); /* checksum of all */
  bytes_zero(bytes, 3);
}

static uint64_t get(const uint8_t *bytes, unsigned size) {
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

GBytes *acpi_image_at(const AcpiWriter *writer, uint64_t address) {
  g_auto(Image) image = {0};
  GByteArray *bytes = g_byte_array_new();

  g_assert(address % TABLE_ALIGNMENT == 0);
  image_init(&image, writer);
  uint64_t tables = address + TABLE_ALIGNMENT; /* behind the RSDP */
  append_rsdp(bytes, tables + image.xsdt);
  bytes->data[RSDP_CHECKSUM] = bytes_checksum(bytes->data, RSDP_FIRST_SIZE);
  bytes->data[RSDP_EXTENDED_CHECKSUM] = bytes_checksum(bytes->data, RSDP_SIZE);
  bytes_align(bytes, TABLE_ALIGNMENT);
  for (unsigned i = 0; i < image.pointers->len; i++) {
    const Pointer *pointer = &g_array_index(image.pointers, Pointer, i);
    bytes_set(image.tables, pointer->offset, pointer->size, get(image.tables->data + pointer->offset, pointer->size) + tables);
  }
  for (unsigned i = 0; i < image.sums->len; i++) {
    const Sum *sum = &g_array_index(image.sums, Sum, i);
    image.tables->data[sum->checksum] = bytes_checksum(image.tables->data + sum->start, sum->size);
  }
  g_byte_array_append(bytes, image.tables->data, image.tables->len);
  return g_byte_array_free_to_bytes(bytes);
}

enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1 };
#define LOADER_NAME_SIZE    56
#define LOADER_COMMAND_SIZE 128

static void loader_allocate(GByteArray *loader, const char *file) {
  bytes_u32(loader, LOADER_ALLOCATE);
  bytes_text(loader, file, LOADER_NAME_SIZE, 0);
  bytes_u32(loader, TABLE_ALIGNMENT);
  bytes_u8(loader, ZONE_HIGH);
  bytes_align(loader, LOADER_COMMAND_SIZE);
}

static void loader_add_pointer(GByteArray *loader, const char *file, guint offset, unsigned size) {
  bytes_u32(loader, LOADER_ADD_POINTER);
  bytes_text(loader, file, LOADER_NAME_SIZE, 0);
  bytes_text(loader, ACPI_FILE_TABLES, LOADER_NAME_SIZE, 0);
  bytes_u32(loader, offset);
  bytes_u8(loader, (uint8_t)size);
  bytes_align(loader, LOADER_COMMAND_SIZE);
}

static void loader_add_checksum(GByteArray *loader, const char *file, guint checksum, guint start, guint size) {
  bytes_u32(loader, LOADER_ADD_CHECKSUM);
  bytes_text(loader, file, LOADER_NAME_SIZE, 0);
  bytes_u32(loader, checksum);
  bytes_u32(loader, start);
  bytes_u32(loader, size);
  bytes_align(loader, LOADER_COMMAND_SIZE);
}

/* Sums come last: they are taken over what the pointers have become. */
void acpi_files_init(AcpiFiles *files, const AcpiWriter *writer) {
  g_auto(Image) image = {0};
  GByteArray *rsdp = g_byte_array_new(), *loader = g_byte_array_new();

  image_init(&image, writer);
  append_rsdp(rsdp, image.xsdt);
  loader_allocate(loader, ACPI_FILE_TABLES);
  loader_allocate(loader, ACPI_FILE_RSDP);
  for (unsigned i = 0; i < image.pointers->len; i++) {
    const Pointer *pointer = &g_array_index(image.pointers, Pointer, i);
    loader_add_pointer(loader, ACPI_FILE_TABLES, pointer->offset, pointer->size);
  }
  loader_add_pointer(loader, ACPI_FILE_RSDP, RSDP_XSDT, 8);
  for (unsigned i = 0; i < image.sums->len; i++) {
    const Sum *sum = &g_array_index(image.sums, Sum, i);
    loader_add_checksum(loader, ACPI_FILE_TABLES, sum->checksum, sum->start, sum->size);
  }
  loader_add_checksum(loader, ACPI_FILE_RSDP, RSDP_CHECKSUM, 0, RSDP_FIRST_SIZE);
  loader_add_checksum(loader, ACPI_FILE_RSDP, RSDP_EXTENDED_CHECKSUM, 0, RSDP_SIZE);
  files->rsdp = g_byte_array_free_to_bytes(rsdp);
  files->tables = g_byte_array_free_to_bytes(g_steal_pointer(&image.tables));
  files->loader = g_byte_array_free_to_bytes(loader);
}

void acpi_files_clear(AcpiFiles *files) {
  g_clear_pointer(&files->rsdp, g_bytes_unref);
  g_clear_pointer(&files->tables, g_bytes_unref);
  g_clear_pointer(&files->loader, g_bytes_unref);
}
