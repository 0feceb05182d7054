/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel finds in memory under each --tables: from the device tree's /chosen by the EFI system table to ACPI and
 * SMBIOS, with addresses alone, as the kernel goes. No KVM: boot_plan and boot_load, over memory of the test's.
 */
#include "tests/board/board-fixture.h"

#include <libfdt.h>

#include "fdt/bytes.h"
#include "tests/unit/directory.h"
#include "tests/unit/vmm/boot/fixtures.h"
#include "vmm/machine/boot.h"

#define RAM_SIZE (64u << 20)

typedef struct {
  BoardFixture board;
  BootFiles files;
  BootPlacement placement;
  GuestMemory memory;
  char *directory;
  uint8_t *ram;
} Fixture;

static void load(Fixture *fixture, const char *options) {
  static const BootSeed seed = {.kaslr = 1};
  g_autoptr(GError) error = NULL;
  g_autoptr(GByteArray) image = fixture_image(IMAGE_DEFAULT);

  memset(fixture, 0, sizeof *fixture);
  fixture->directory = directory_new();
  g_autofree char *kernel = g_build_filename(fixture->directory, "Image", NULL);
  g_assert_true(g_file_set_contents(kernel, (const char *)image->data, image->len, NULL));
  g_autofree char *arguments = g_strdup_printf("--memory 64M --kernel %s %s", kernel, options);
  board_fixture_init(&fixture->board, arguments, GIC_V3);
  fixture->ram = g_malloc0(RAM_SIZE);
  guest_memory_add(&fixture->memory, fixture->board.board->ram.base, RAM_SIZE, fixture->ram);
  g_assert_true(boot_files_open(&fixture->files, fixture->board.config, NULL, &error));
  g_autoptr(GBytes) fdt = boot_plan(&fixture->files, fixture->board.platform, &seed, &fixture->placement, &error);
  g_assert_no_error(error);
  g_assert_true(boot_load(&fixture->files, &fixture->placement, fdt, &fixture->memory, &error));
  g_assert_no_error(error);
}

static void clear(Fixture *fixture) {
  boot_files_close(&fixture->files);
  board_fixture_clear(&fixture->board);
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->ram);
}

static const uint8_t *at(const Fixture *fixture, uint64_t address, uint64_t size) {
  const uint8_t *bytes = guest_memory_slice(&fixture->memory, address, size);
  g_assert_nonnull(bytes);
  return bytes;
}

static uint64_t number(const Fixture *fixture, uint64_t address, unsigned size) {
  const uint8_t *bytes = at(fixture, address, size);
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

static const void *tree(const Fixture *fixture) {
  return at(fixture, fixture->placement.fdt_start, fixture->placement.fdt_size);
}

static bool has_node(const Fixture *fixture, const char *path) {
  return fdt_path_offset(tree(fixture), path) >= 0;
}

/* 0: there is none. */
static uint64_t system_table(const Fixture *fixture) {
  int chosen = fdt_path_offset(tree(fixture), "/chosen");
  const fdt64_t *value = fdt_getprop(tree(fixture), chosen, "linux,uefi-system-table", NULL);

  return value ? fdt64_ld(value) : 0; /* it lies where it lies */
}

static uint64_t configuration(const Fixture *fixture, const char *name) {
  uint64_t system = system_table(fixture), n = number(fixture, system + 104, 8), array = number(fixture, system + 112, 8);
  uint8_t guid[BYTES_GUID_SIZE];

  bytes_parse_guid(name, guid);
  for (uint64_t i = 0; i < n; i++)
    if (memcmp(at(fixture, array + 24 * i, sizeof guid), guid, sizeof guid) == 0)
      return number(fixture, array + 24 * i + 16, 8);
  return 0;
}

/* The address of a table; its checksum is right. */
static uint64_t table(const Fixture *fixture, const char *signature) {
  uint64_t rsdp = configuration(fixture, "8868e871-e4f1-11d3-bc22-0080c73c8881"), xsdt = number(fixture, rsdp + 24, 8);
  uint64_t end = number(fixture, xsdt + 4, 4);

  g_assert_cmphex(bytes_checksum(at(fixture, rsdp, 36), 36), ==, 0);
  for (uint64_t entry = 36; entry < end; entry += 8) {
    uint64_t found = number(fixture, xsdt + entry, 8);
    uint64_t size = number(fixture, found + 4, 4);
    g_assert_cmphex(bytes_checksum(at(fixture, found, size), size), ==, 0);
    if (memcmp(at(fixture, found, 4), signature, 4) == 0)
      return found;
  }
  g_assert_not_reached();
}

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

/* The second of the STRUCTURES is of the machine: DSP0134, 7.2. */
static void check_identity(const uint8_t *structures) {
  enum { SYSTEM = 1, SERIAL_AT = 7, UUID_AT = 8 };
  const uint8_t *system = structures + structures[1];
  uint8_t uuid[BYTES_GUID_SIZE];

  while (system[0] || system[1]) /* behind the texts of the first */
    system++;
  system += 2;
  bytes_parse_guid(UUID, uuid);
  g_assert_cmpuint(system[0], ==, SYSTEM);
  g_assert_cmpmem(system + UUID_AT, sizeof uuid, uuid, sizeof uuid);
  g_assert_cmpuint(system[SERIAL_AT], >, 0);
}

static void check_tables(const Fixture *fixture) {
  const BootPlacement *placement = &fixture->placement;

  g_assert_cmphex(number(fixture, system_table(fixture), 8), ==, UINT64_C(0x5453595320494249));
  g_assert_cmphex(number(fixture, table(fixture, "FACP") + 140, 8), >, placement->tables_start);
  g_assert_cmphex(number(fixture, table(fixture, "MCFG") + 44, 8), ==, 0x3f000000);
  uint64_t smbios = configuration(fixture, "f2fd1544-9794-4a2c-992e-e5bbcf20e394");
  uint64_t structures = number(fixture, smbios + 16, 8);
  g_assert_cmphex(structures, >=, placement->tables_start);
  check_identity(at(fixture, structures, number(fixture, smbios + 12, 4)));
  g_assert_cmphex(placement->tables_start, >=, placement->fdt_start + placement->fdt_size);
}

static void test_fdt(void) {
  Fixture fixture;

  load(&fixture, "--tables fdt");
  g_assert_true(has_node(&fixture, "/cpus"));
  g_assert_cmphex(system_table(&fixture), ==, 0);
  g_assert_cmphex(fixture.placement.tables_size, ==, 0);
  g_assert_null(fixture.files.tables);
  clear(&fixture);
}

static void test_acpi(void) {
  Fixture fixture;

  load(&fixture, "--uuid " UUID " --serial-number 7 --tables acpi");
  g_assert_false(has_node(&fixture, "/cpus"));
  g_assert_false(has_node(&fixture, "/memory@40000000"));
  check_tables(&fixture);
  clear(&fixture);
}

static void test_both(void) {
  Fixture fixture;

  load(&fixture, "--uuid " UUID " --serial-number 7 --tables both");
  g_assert_true(has_node(&fixture, "/cpus"));
  g_assert_true(has_node(&fixture, "/memory@40000000"));
  check_tables(&fixture);
  clear(&fixture);
}

/* What a firmware is given, under the names that EDK2 and U-Boot look for. */
static void test_files(void) {
  static const char *const names[PLATFORM_TABLE_FILES] = {
      "etc/acpi/rsdp", "etc/acpi/tables", "etc/table-loader", "etc/smbios/smbios-anchor", "etc/smbios/smbios-tables",
  };
  PlatformTableFile files[PLATFORM_TABLE_FILES];
  Fixture fixture;

  load(&fixture, "--tables fdt");
  platform_table_files(fixture.board.platform, files);
  for (unsigned i = 0; i < PLATFORM_TABLE_FILES; i++) {
    g_assert_cmpstr(files[i].name, ==, names[i]);
    g_assert_cmpuint(g_bytes_get_size(files[i].bytes), >=, 24);
  }
  g_assert_cmpmem(g_bytes_get_data(files[0].bytes, NULL), 8, "RSD PTR ", 8);
  g_assert_cmpmem(g_bytes_get_data(files[1].bytes, NULL), 4, "FACP", 4);
  g_assert_cmpmem(g_bytes_get_data(files[3].bytes, NULL), 5, "_SM3_", 5);
  const uint8_t *anchor = g_bytes_get_data(files[3].bytes, NULL);
  g_assert_cmpuint(anchor[12] | anchor[13] << 8, ==, g_bytes_get_size(files[4].bytes));
  for (unsigned i = 0; i < PLATFORM_TABLE_FILES; i++)
    g_bytes_unref(files[i].bytes);
  clear(&fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/boot-tables/fdt", test_fdt);
  g_test_add_func("/boot-tables/acpi", test_acpi);
  g_test_add_func("/boot-tables/both", test_both);
  g_test_add_func("/boot-tables/files", test_files);
  return g_test_run();
}
