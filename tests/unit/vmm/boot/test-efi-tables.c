/* SPDX-License-Identifier: Apache-2.0 */
/* The EFI tables of a boot without firmware, walked as the kernel does: vmm/boot/efi-tables.c. */
#include "vmm/boot/efi-tables.h"

#include <string.h>
#include <zlib.h>

#include "fdt/acpi/acpi-tables.h"
#include "fdt/bytes.h"
#include "vmm/boot/efi-runtime.h"

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (UINT64_C(512) << 20)
#define ADDRESS  UINT64_C(0x44010000)
#define CLOCK    UINT64_C(0x09010000)

typedef struct {
  GBytes *block;
  EfiAddresses addresses;
} Tables;

static void tables_init(Tables *tables, uint64_t clock, uint64_t address, uint64_t ram_base, uint64_t ram_size) {
  g_autoptr(AcpiWriter) acpi = acpi_writer_new();
  const Smbios smbios = {.version = "1", .n_cpus = 1, .ram_base = ram_base, .ram_size = ram_size};

  acpi_write_fadt(acpi, true);
  acpi_writer_finish(acpi);
  tables->block = efi_tables_new(acpi, &smbios, clock, address, &tables->addresses);
}

static uint64_t get(const uint8_t *bytes, unsigned size) {
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

static const uint8_t *at(const Tables *tables, uint64_t address, uint64_t size) {
  uint64_t offset = address - ADDRESS;

  g_assert_cmphex(offset + size, <=, g_bytes_get_size(tables->block));
  return (const uint8_t *)g_bytes_get_data(tables->block, NULL) + offset;
}

/* UEFI 2.10, 4.2 to 4.6. */
static uint64_t configuration(const Tables *tables, const char *name) {
  const uint8_t *system = at(tables, tables->addresses.system_table, 120);
  uint64_t n = get(system + 104, 8), array = get(system + 112, 8);
  uint8_t guid[BYTES_GUID_SIZE];

  bytes_parse_guid(name, guid);
  for (uint64_t i = 0; i < n; i++) {
    const uint8_t *entry = at(tables, array + 24 * i, 24);
    if (memcmp(entry, guid, sizeof guid) == 0)
      return get(entry + 16, 8);
  }
  return 0;
}

static void test_system_table(void) {
  Tables tables;

  tables_init(&tables, 0, ADDRESS, RAM_BASE, RAM_SIZE);
  const uint8_t *system = at(&tables, tables.addresses.system_table, 120);
  g_assert_cmpmem(system, 8, "IBI SYST", 8);
  g_assert_cmpuint(get(system + 12, 4), ==, 120);
  uint8_t copy[120];
  memcpy(copy, system, sizeof copy);
  memset(copy + 16, 0, 4);
  g_assert_cmphex(get(system + 16, 4), ==, crc32(0, copy, sizeof copy));
  g_assert_cmpmem(at(&tables, get(system + 24, 8), 10), 10, "e\0r\0e\0t\0\0\0", 10);
  g_assert_cmphex(get(system + 88, 8), ==, 0); /* no runtime services */
  g_bytes_unref(tables.block);
}

static void test_configuration(void) {
  Tables tables;

  tables_init(&tables, 0, ADDRESS, RAM_BASE, RAM_SIZE);
  uint64_t acpi = configuration(&tables, "8868e871-e4f1-11d3-bc22-0080c73c8881");
  g_assert_cmpmem(at(&tables, acpi, 36), 8, "RSD PTR ", 8);
  const uint8_t *xsdt = at(&tables, get(at(&tables, acpi, 36) + 24, 8), 36);
  g_assert_cmpmem(xsdt, 4, "XSDT", 4);
  uint64_t smbios = configuration(&tables, "f2fd1544-9794-4a2c-992e-e5bbcf20e394");
  const uint8_t *entry = at(&tables, smbios, 24);
  g_assert_cmpmem(entry, 5, "_SM3_", 5);
  at(&tables, get(entry + 16, 8), get(entry + 12, 4));
  const uint8_t *services = at(&tables, configuration(&tables, "eb66918a-7eef-402a-842e-931d21c38ae9"), 8);
  g_assert_cmpmem(services, 8, "\1\0\10\0\0\0\0\0", 8);
  g_assert_cmpmem(at(&tables, configuration(&tables, "888eb0c6-8ede-4ff5-a8f0-9aee5cb977c2"), 16), 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                  16);
  g_bytes_unref(tables.block);
}

/* All of RAM once, in order, and the block with the map itself is not to be overwritten. */
static void check_map(uint64_t ram_base, uint64_t ram_size, unsigned regions) {
  Tables tables;

  tables_init(&tables, 0, ADDRESS, ram_base, ram_size);
  uint64_t size = g_bytes_get_size(tables.block), end = ram_base;
  bool reclaim = false;
  g_assert_cmpuint(size % EFI_TABLES_ALIGNMENT, ==, 0);
  g_assert_cmpuint(tables.addresses.map_size, ==, regions * EFI_MEMORY_DESCRIPTOR_SIZE);
  for (unsigned i = 0; i < regions; i++) {
    const uint8_t *region = at(&tables, tables.addresses.map + EFI_MEMORY_DESCRIPTOR_SIZE * i, EFI_MEMORY_DESCRIPTOR_SIZE);
    g_assert_cmphex(get(region + 8, 8), ==, end);
    g_assert_cmphex(get(region + 24, 8), >, 0);
    g_assert_cmphex(get(region + 32, 8) & 8, ==, 8); /* write-back */
    bool block = end == ADDRESS;
    g_assert_cmpuint(get(region, 4), ==, block ? 9 : 7);
    reclaim |= block;
    end += get(region + 24, 8) << 12;
    g_assert_true(!block || end == ADDRESS + size);
  }
  g_assert_true(reclaim);
  g_assert_cmphex(end, ==, ram_base + ram_size);
  g_bytes_unref(tables.block);
}

static void test_map(void) {
  Tables tables;

  tables_init(&tables, 0, ADDRESS, RAM_BASE, RAM_SIZE);
  uint64_t size = g_bytes_get_size(tables.block);
  g_bytes_unref(tables.block);
  check_map(RAM_BASE, RAM_SIZE, 3);
  check_map(ADDRESS, RAM_SIZE, 2);
  check_map(RAM_BASE, ADDRESS + size - RAM_BASE, 2);
  check_map(ADDRESS, size, 1);
}

/* The region of the map of TYPE; NULL: there is none. */
static const uint8_t *region_of(const Tables *tables, uint32_t type) {
  for (uint32_t offset = 0; offset < tables->addresses.map_size; offset += EFI_MEMORY_DESCRIPTOR_SIZE) {
    const uint8_t *region = at(tables, tables->addresses.map + offset, EFI_MEMORY_DESCRIPTOR_SIZE);
    if (get(region, 4) == type)
      return region;
  }
  return NULL;
}

/*
 * With a clock there are services for the time: in regions of their own that the kernel is to map, in a table whose
 * pointers are of that mapping, and the code knows where the clock is.
 */
static void test_runtime(void) {
  const uint64_t runtime = UINT64_C(1) << 63;
  Tables tables;

  tables_init(&tables, CLOCK, ADDRESS, RAM_BASE, RAM_SIZE);
  const uint8_t *code = region_of(&tables, 5), *clock = region_of(&tables, 11);
  g_assert_nonnull(code);
  g_assert_nonnull(clock);
  g_assert_cmphex(get(clock + 8, 8), ==, CLOCK);
  g_assert_cmphex(get(clock + 16, 8), ==, EFI_RUNTIME_CLOCK);
  g_assert_cmphex(get(clock + 32, 8), ==, runtime | 1); /* uncached */
  uint64_t physical = get(code + 8, 8), virtual = get(code + 16, 8), size = get(code + 24, 8) << 12;
  g_assert_cmphex(virtual, ==, EFI_RUNTIME_CODE);
  g_assert_cmphex(get(code + 32, 8) & runtime, ==, runtime);
  g_assert_cmphex(physical + size, ==, ADDRESS + g_bytes_get_size(tables.block));
  uint64_t table = get(at(&tables, tables.addresses.system_table, 120) + 88, 8);
  const uint8_t *services = at(&tables, table - virtual + physical, 136);
  g_assert_cmpmem(services, 8, "RUNTSERV", 8);
  uint8_t copy[136];
  memcpy(copy, services, sizeof copy);
  memset(copy + 16, 0, 4);
  g_assert_cmphex(get(services + 16, 4), ==, crc32(0, copy, sizeof copy));
  for (unsigned i = 24; i < 136; i += 8) {
    uint64_t service = get(services + i, 8);
    g_assert_cmphex(service, >, virtual);
    g_assert_cmphex(service, <, table);
    g_assert_cmphex(service % 4, ==, 0);
  }
  g_assert_cmphex(get(services + 24, 8), !=, get(services + 32, 8));
  g_assert_cmphex(get(services + 40, 8), ==, get(services + 128, 8)); /* what is not there */
  g_assert_cmphex(get(at(&tables, physical + 24, 8), 8), ==, EFI_RUNTIME_CLOCK);
  const uint8_t *properties = at(&tables, configuration(&tables, "eb66918a-7eef-402a-842e-931d21c38ae9"), 8);
  g_assert_cmphex(get(properties + 4, 4), ==, 0xf);
  g_bytes_unref(tables.block);
}

static void test_size(void) {
  Tables here, there;

  tables_init(&here, CLOCK, ADDRESS, RAM_BASE, RAM_SIZE);
  tables_init(&there, CLOCK, RAM_BASE, RAM_BASE, RAM_SIZE);
  g_assert_cmpuint(g_bytes_get_size(here.block), ==, g_bytes_get_size(there.block));
  g_bytes_unref(here.block);
  g_bytes_unref(there.block);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/efi-tables/system-table", test_system_table);
  g_test_add_func("/efi-tables/configuration", test_configuration);
  g_test_add_func("/efi-tables/map", test_map);
  g_test_add_func("/efi-tables/runtime", test_runtime);
  g_test_add_func("/efi-tables/size", test_size);
  return g_test_run();
}
