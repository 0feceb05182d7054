/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the firmware configuration device of a machine: vmm/machine/items.c, by way of boot.c. */
#include "vmm/machine/boot.h"

#include <libfdt.h>
#include <unistd.h>

#include "devices/fw-cfg.h"
#include "tests/board/board-fixture.h"
#include "tests/unit/directory.h"
#include "tests/unit/vmm/boot/fixtures.h"

#define BASE 0x09020000

static uint64_t data(const BoardFixture *fixture, unsigned size) {
  return bus_read(fixture->platform->bus, BASE, size);
}

static void choose(const BoardFixture *fixture, uint16_t key) {
  bus_write(fixture->platform->bus, BASE + 8, 2, GUINT16_SWAP_LE_BE(key));
}

/* The contents of the file NAME, found as a guest finds it; NULL: there is none. */
static GBytes *read_file(const BoardFixture *fixture, const char *name) {
  uint32_t n;

  choose(fixture, FW_CFG_FILE_DIR);
  n = (uint32_t)data(fixture, 4);
  n = GUINT32_FROM_BE(n);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t size = (uint32_t)data(fixture, 4), key = (uint32_t)data(fixture, 4);
    size = GUINT32_FROM_BE(size);
    key = GUINT32_FROM_BE(key) >> 16;
    char found[56];
    for (unsigned k = 0; k < sizeof found; k++)
      found[k] = (char)data(fixture, 1);
    if (strcmp(found, name) != 0)
      continue;
    uint8_t *bytes = g_malloc(size + 1);
    choose(fixture, (uint16_t)key);
    for (uint32_t k = 0; k < size; k++)
      bytes[k] = (uint8_t)data(fixture, 1);
    return g_bytes_new_take(bytes, size);
  }
  return NULL;
}

static void assert_file(const BoardFixture *fixture, const char *name, const char *wanted, gsize size) {
  g_autoptr(GBytes) bytes = read_file(fixture, name);

  g_assert_nonnull(bytes);
  g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), wanted, size);
}

static void fill(const BoardFixture *fixture, BootFiles *files) {
  g_autoptr(GError) error = NULL;

  g_assert_true(boot_files_open(files, fixture->config, NULL, &error));
  g_assert_no_error(error);
  boot_set_items(files, fixture->platform);
}

static void test_files(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *path = g_build_filename(directory, "item", NULL), *disk = g_build_filename(directory, "disk", NULL);
  g_autofree char *sector = g_strnfill(512, 'x');
  g_autofree char *arguments =
      g_strdup_printf("--cpus 3 --fw-cfg name=opt/text,string=some --fw-cfg name=opt/none,string= --fw-cfg name=opt/file,file=%s "
                      "--disk %s,bootindex=1",
                      path, disk);
  BoardFixture fixture;
  BootFiles files;

  g_assert_true(g_file_set_contents(path, "a\0b", 3, NULL) && g_file_set_contents(disk, sector, -1, NULL));
  board_fixture_init(&fixture, arguments, GIC_V3);
  fill(&fixture, &files);
  /* They were read when they were opened. */
  g_assert_true(g_file_set_contents(path, "other", -1, NULL));
  for (unsigned boot = 0; boot < 2; boot++) {
    assert_file(&fixture, "opt/text", "some", 4);
    assert_file(&fixture, "opt/none", "", 0);
    assert_file(&fixture, "opt/file", "a\0b", 3);
    assert_file(&fixture, "bootorder", "/pci@3f000000/scsi@1/disk@0,0", 30); /* its end counts */
    g_assert_null(read_file(&fixture, "opt/other"));
    choose(&fixture, FW_CFG_NB_CPUS);
    g_assert_cmphex(data(&fixture, 4), ==, 3);
    boot_set_items(&files, fixture.platform);
  }
  boot_files_close(&files);
  board_fixture_clear(&fixture);
  directory_free(directory);
}

static uint32_t u32_of(const BoardFixture *fixture, uint16_t key) {
  choose(fixture, key);
  return (uint32_t)data(fixture, 4);
}

static void assert_item(const BoardFixture *fixture, FwCfgKey size_key, FwCfgKey data_key, const void *wanted, gsize size) {
  g_assert_cmpuint(u32_of(fixture, (uint16_t)size_key), ==, size);
  choose(fixture, (uint16_t)data_key);
  for (gsize i = 0; i < size; i++)
    g_assert_cmphex(data(fixture, 1), ==, ((const uint8_t *)wanted)[i]);
  g_assert_cmphex(data(fixture, 8), ==, 0);
}

/* What firmware is to start is handed to it, unpacked, whatever it is; and no part of a file that was changed. */
static void test_firmware(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *flash = g_build_filename(directory, "flash", NULL), *kernel = g_build_filename(directory, "program", NULL);
  g_autofree char *initrd = g_build_filename(directory, "initrd", NULL);
  g_autofree char *arguments = g_strdup_printf("--firmware %s --kernel %s --initrd %s --append quiet", flash, kernel, initrd);
  g_autofree char *alone = g_strdup_printf("--firmware %s", flash);
  g_autoptr(GByteArray) program = fixture_bytes(5000), packed = fixture_gzip(program);
  GuestMemory memory = {0};
  BoardFixture fixture;
  BootFiles files;

  g_assert_true(g_file_set_contents(flash, "firmware", -1, NULL) && g_file_set_contents(initrd, "an initrd", -1, NULL));
  for (unsigned i = 0; i < 2; i++) {
    const GByteArray *in_file = i ? packed : program;
    g_assert_true(g_file_set_contents(kernel, (const char *)in_file->data, in_file->len, NULL));
    board_fixture_init(&fixture, arguments, GIC_V3);
    fill(&fixture, &files);
    g_assert_null(files.kernel);
    g_assert_true(boot_begin_load(&files, 0x40000000, &memory, NULL));
    assert_item(&fixture, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, program->data, program->len);
    assert_item(&fixture, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, "an initrd", 9);
    assert_item(&fixture, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, "quiet", 6);
    boot_files_let_go(&files);
    assert_item(&fixture, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, "an initrd", 9);
    g_assert_cmpint(truncate(initrd, 3), ==, 0);
    g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "fw-cfg: a file was changed*");
    choose(&fixture, FW_CFG_INITRD_DATA);
    g_assert_cmphex(data(&fixture, 8), ==, 0);
    g_test_assert_expected_messages();
    g_assert_false(boot_begin_load(&files, 0x40000000, &memory, NULL));
    g_assert_true(g_file_set_contents(initrd, "an initrd", -1, NULL));
    boot_files_close(&files);
    board_fixture_clear(&fixture);
  }
  board_fixture_init(&fixture, alone, GIC_V3);
  fill(&fixture, &files);
  g_assert_cmpuint(u32_of(&fixture, FW_CFG_KERNEL_SIZE), ==, 0); /* it finds out itself */
  boot_files_close(&files);
  board_fixture_clear(&fixture);
  directory_free(directory);
}

/* With the tables that servers have, firmware hands them on; for itself it has the whole tree. */
static void test_tables(void) {
  static const char *const names[] = {"etc/acpi/rsdp", "etc/acpi/tables", "etc/table-loader", "etc/smbios/smbios-anchor",
                                      "etc/smbios/smbios-tables"};
  static const char *const kinds[] = {"fdt", "acpi", "both", "auto"};
  g_autofree char *directory = directory_new();
  g_autofree char *flash = g_build_filename(directory, "flash", NULL);

  g_assert_true(g_file_set_contents(flash, "firmware", -1, NULL));
  for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
    g_autofree char *arguments = g_strdup_printf("--firmware %s --tables %s", flash, kinds[kind]);
    BootPlacement placement;
    BootSeed seed = {0};
    BoardFixture fixture;
    BootFiles files;

    board_fixture_init(&fixture, arguments, GIC_V3);
    fill(&fixture, &files);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
      g_autoptr(GBytes) bytes = read_file(&fixture, names[i]);
      g_assert_cmpint(bytes != NULL, ==, kind != 0);
      g_assert_true(!bytes || g_bytes_get_size(bytes) > 0);
    }
    g_autoptr(GBytes) fdt = boot_plan(&files, fixture.platform, &seed, &placement, NULL);
    g_assert_nonnull(fdt);
    g_assert_cmpint(fdt_path_offset(g_bytes_get_data(fdt, NULL), "/pl011@9000000"), >, 0);
    g_assert_cmpuint(placement.tables_size, ==, 0);
    boot_files_close(&files);
    board_fixture_clear(&fixture);
  }
  directory_free(directory);
}

/* A machine without the device, or whose file is gone. */
static void test_none(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *path = g_build_filename(directory, "item", NULL);
  g_autofree char *arguments = g_strdup_printf("--fw-cfg name=opt/file,file=%s", path);
  g_autofree char *wanted = g_strdup_printf("item opt/file, file %s: *", path);
  g_autoptr(GError) error = NULL;
  BoardFixture fixture;
  BootFiles files;

  board_fixture_init(&fixture, "--rng", GIC_V3);
  g_assert_null(platform_find(fixture.platform, &fw_cfg_kind));
  fill(&fixture, &files);
  boot_files_close(&files);
  board_fixture_clear(&fixture);

  g_assert_true(g_file_set_contents(path, "", -1, NULL));
  board_fixture_init(&fixture, arguments, GIC_V3);
  directory_free(directory);
  g_assert_false(boot_files_open(&files, fixture.config, NULL, &error));
  g_assert_true(g_pattern_match_simple(wanted, error->message));
  board_fixture_clear(&fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/items/files", test_files);
  g_test_add_func("/items/firmware", test_firmware);
  g_test_add_func("/items/tables", test_tables);
  g_test_add_func("/items/none", test_none);
  return g_test_run();
}
