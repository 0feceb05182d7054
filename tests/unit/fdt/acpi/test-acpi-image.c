/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables in memory, and as files for a firmware's loader, which is played here: fdt/acpi/acpi-image.c,
 * acpi-writer.c, acpi-tables.c. Both ways lead to the same bytes.
 */
#include "fdt/acpi/acpi-image.h"

#include <string.h>

#include "fdt/acpi/acpi-tables.h"
#include "fdt/bytes.h"

#define ADDRESS UINT64_C(0x140000000)

static uint64_t mpidr(unsigned index) {
  return index;
}

static AcpiWriter *write_tables(unsigned n_cpus) {
  AcpiWriter *acpi = acpi_writer_new();
  const AcpiMadt madt = {
      .n_cpus = n_cpus,
      .mpidr = mpidr,
      .pmu_gsi = 23,
      .gic_version = 3,
      .distributor = {0x08000000, 0x10000},
      .redistributors = {{0x080a0000, 0x20000}},
      .its = {0x08080000, 0x20000},
  };

  acpi_write_fadt(acpi, true);
  acpi_write_madt(acpi, &madt);
  acpi_write_gtdt(acpi, false);
  acpi_write_cpus(acpi, n_cpus);
  acpi_write_mcfg(acpi, 0x3f000000, 0, 0, 0);
  acpi_write_iort(acpi, 0, 0x100);
  acpi_writer_finish(acpi);
  return acpi;
}

static uint64_t get(const uint8_t *bytes, unsigned size) {
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

static const uint8_t *at(const uint8_t *image, uint64_t address) {
  g_assert_cmphex(address, >=, ADDRESS);
  return image + (address - ADDRESS);
}

static void check_table(const uint8_t *table, const char *signature) {
  g_assert_cmpmem(table, 4, signature, 4);
  g_assert_cmphex(bytes_checksum(table, get(table + 4, 4)), ==, 0);
}

/* As a kernel finds them: ACPI 6.3, 5.2.5 on. */
static void check_image(const uint8_t *rsdp, const uint8_t *image) {
  static const char *const wanted[] = {"FACP", "APIC", "GTDT", "MCFG", "IORT"};

  g_assert_cmpmem(rsdp, 8, "RSD PTR ", 8);
  g_assert_cmphex(bytes_checksum(rsdp, 20), ==, 0);
  g_assert_cmphex(bytes_checksum(rsdp, 36), ==, 0);
  const uint8_t *xsdt = at(image, get(rsdp + 24, 8));
  check_table(xsdt, "XSDT");
  g_assert_cmpuint(get(xsdt + 4, 4), ==, 36 + 8 * G_N_ELEMENTS(wanted));
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    check_table(at(image, get(xsdt + 36 + 8 * i, 8)), wanted[i]);
  const uint8_t *fadt = at(image, get(xsdt + 36, 8));
  check_table(at(image, get(fadt + 140, 8)), "DSDT");
  g_assert_cmphex(get(fadt + 40, 4), ==, 0); /* the 32-bit pointer, which would not reach */
}

static void test_at_address(void) {
  g_autoptr(AcpiWriter) acpi = write_tables(3);
  g_autoptr(GBytes) image = acpi_image_at(acpi, ADDRESS);
  g_autoptr(GBytes) other = acpi_image_at(acpi, 0);

  check_image(g_bytes_get_data(image, NULL), g_bytes_get_data(image, NULL));
  g_assert_cmpuint(g_bytes_get_size(image), ==, g_bytes_get_size(other));
}

typedef struct {
  const char *name;
  GByteArray *bytes;
  uint64_t address; /* 0: not placed yet */
} File;

static File *file_of(File files[2], const uint8_t *name) {
  for (unsigned i = 0; i < 2; i++)
    if (strncmp(files[i].name, (const char *)name, 56) == 0)
      return &files[i];
  g_assert_not_reached();
}

/* The commands as QEMU's documentation of its loader has them. */
static void play(const uint8_t *command, File files[2]) {
  File *file = file_of(files, command + 4);
  const uint8_t *behind = command + 60;
  static const struct {
    const char *name;
    uint64_t address;
  } places[] = {{ACPI_FILE_TABLES, ADDRESS + 64}, {ACPI_FILE_RSDP, ADDRESS}};

  switch (get(command, 4)) {
  case 1:
    g_assert_cmpuint(file->address, ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
      if (strcmp(places[i].name, file->name) == 0)
        file->address = places[i].address;
    g_assert_cmpuint(get(behind, 4), ==, 64);
    break;
  case 2: {
    const File *source = file_of(files, behind);
    uint64_t offset = get(behind + 56, 4);
    unsigned size = behind[60];
    uint64_t value = get(file->bytes->data + offset, size);
    g_assert_cmpuint(offset + size, <=, file->bytes->len);
    g_assert_cmpuint(value, <, source->bytes->len);
    g_assert_cmpuint(source->address, !=, 0);
    bytes_set(file->bytes, (guint)offset, size, value + source->address);
    break;
  }
  case 3: {
    uint64_t start = get(behind + 4, 4), size = get(behind + 8, 4);
    g_assert_cmpuint(start + size, <=, file->bytes->len);
    g_assert_cmphex(file->bytes->data[get(behind, 4)], ==, 0);
    file->bytes->data[get(behind, 4)] = bytes_checksum(file->bytes->data + start, size);
    break;
  }
  default:
    g_assert_not_reached();
  }
}

static GByteArray *copy(GBytes *bytes) {
  GByteArray *array = g_byte_array_new();
  g_byte_array_append(array, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
  return array;
}

static void test_loader(void) {
  g_autoptr(AcpiWriter) acpi = write_tables(200);
  g_autoptr(GBytes) image = acpi_image_at(acpi, ADDRESS);
  AcpiFiles made;

  acpi_files_init(&made, acpi);
  File files[] = {{ACPI_FILE_RSDP, copy(made.rsdp), 0}, {ACPI_FILE_TABLES, copy(made.tables), 0}};
  gsize size;
  const uint8_t *loader = g_bytes_get_data(made.loader, &size);
  g_assert_cmpuint(size % 128, ==, 0);
  for (gsize i = 0; i < size; i += 128)
    play(loader + i, files);
  g_autoptr(GByteArray) whole = g_byte_array_new();
  g_byte_array_append(whole, files[0].bytes->data, files[0].bytes->len);
  bytes_align(whole, 64);
  g_byte_array_append(whole, files[1].bytes->data, files[1].bytes->len);
  check_image(whole->data, whole->data);
  g_assert_cmpmem(whole->data, whole->len, g_bytes_get_data(image, NULL), g_bytes_get_size(image));
  g_byte_array_unref(files[0].bytes);
  g_byte_array_unref(files[1].bytes);
  acpi_files_clear(&made);
}

/* What messages of a GICv2m need no table for. */
static void test_no_its(void) {
  g_autoptr(AcpiWriter) acpi = acpi_writer_new();
  const AcpiMadt madt = {
      .n_cpus = 1, .mpidr = mpidr, .gic_version = 2, .distributor = {0x08000000, 0x10000}, .msi_frame = {0x08020000, 0x1000}};

  acpi_write_madt(acpi, &madt);
  acpi_write_iort(acpi, 0, 0x100);
  g_assert_cmpuint(acpi->tables->len, ==, 1);
}

static void test_dump(void) {
  g_autoptr(AcpiWriter) acpi = write_tables(1);
  g_autoptr(GBytes) image = acpi_image_at(acpi, ADDRESS);
  g_autofree char *text = acpi_image_dump(image, ADDRESS);
  static const char *const wanted[] = {"RSDP @ 0x0000000140000000\n    0000: 52 53 44 20 50 54 52 20",
                                       "XSDT @ ",
                                       "\nFACP @ ",
                                       "\nDSDT @ ",
                                       "\nAPIC @ ",
                                       "\nIORT @ ",
                                       "  DSDT"};

  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_nonnull(strstr(text, wanted[i]));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/acpi-image/at-address", test_at_address);
  g_test_add_func("/acpi-image/loader", test_loader);
  g_test_add_func("/acpi-image/no-its", test_no_its);
  g_test_add_func("/acpi-image/dump", test_dump);
  return g_test_run();
}
