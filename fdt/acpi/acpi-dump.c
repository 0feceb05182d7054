/* SPDX-License-Identifier: Apache-2.0 */
/* An image of ACPI tables as text. No lock: one thread. */
#include <string.h>

#include "fdt/acpi/acpi-image.h"

enum { RSDP_XSDT = 24, RSDP_SIZE = 36, FADT_X_DSDT = 140, BYTES_A_LINE = 16 };

typedef struct {
  const uint8_t *bytes;
  gsize size;
  uint64_t address;
  GString *text;
} Dump;

static const uint8_t *at(const Dump *dump, uint64_t address, uint64_t size) {
  uint64_t offset = address - dump->address;

  g_assert(offset <= dump->size && size <= dump->size - offset); /* we wrote it */
  return dump->bytes + offset;
}

static uint64_t number(const Dump *dump, uint64_t address, unsigned size) {
  const uint8_t *bytes = at(dump, address, size);
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

static void print_line(GString *text, uint32_t offset, const uint8_t *bytes, unsigned n) {
  g_string_append_printf(text, "    %04X: ", offset);
  for (unsigned i = 0; i < BYTES_A_LINE; i++)
    g_string_append_printf(text, i < n ? "%02X " : "   ", i < n ? bytes[i] : 0);
  g_string_append_c(text, ' ');
  for (unsigned i = 0; i < n; i++)
    g_string_append_c(text, g_ascii_isprint(bytes[i]) ? (char)bytes[i] : '.');
  g_string_append_c(text, '\n');
}

static void print(Dump *dump, const char *signature, uint64_t address, uint32_t size) {
  const uint8_t *bytes = at(dump, address, size);

  g_string_append_printf(dump->text, "%.4s @ 0x%016" G_GINT64_MODIFIER "X\n", signature, address);
  for (uint32_t offset = 0; offset < size; offset += BYTES_A_LINE)
    print_line(dump->text, offset, bytes + offset, MIN(BYTES_A_LINE, size - offset));
  g_string_append_c(dump->text, '\n');
}

static uint32_t print_table(Dump *dump, uint64_t address) {
  uint32_t size = (uint32_t)number(dump, address + ACPI_HEADER_LENGTH, 4);

  print(dump, (const char *)at(dump, address, 4), address, size);
  return size;
}

char *acpi_image_dump(GBytes *image, uint64_t address) {
  Dump dump = {.address = address, .text = g_string_new(NULL)};
  uint64_t xsdt;

  dump.bytes = g_bytes_get_data(image, &dump.size);
  print(&dump, "RSDP", address, RSDP_SIZE);
  xsdt = number(&dump, address + RSDP_XSDT, 8);
  uint32_t size = print_table(&dump, xsdt);
  for (uint32_t entry = ACPI_HEADER_SIZE; entry < size; entry += 8) {
    uint64_t table = number(&dump, xsdt + entry, 8);
    print_table(&dump, table);
    if (memcmp(at(&dump, table, 4), "FACP", 4) == 0)
      print_table(&dump, number(&dump, table + FADT_X_DSDT, 8));
  }
  return g_string_free(dump.text, FALSE);
}
