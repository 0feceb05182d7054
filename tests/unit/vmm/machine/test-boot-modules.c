/* SPDX-License-Identifier: Apache-2.0 */
/* Modules for a hypervisor: they lie where the device tree says, whatever that tree's size is. vmm/machine/boot.c. */
#include "vmm/machine/boot.h"

#include <libfdt.h>

#include "tests/board/board-fixture.h"
#include "tests/unit/directory.h"
#include "tests/unit/vmm/boot/fixtures.h"

#define RAM_BASE    0x40000000
#define RAM_SIZE    (64u << 20)
#define N_MODULES   40
#define FILLER_SIZE 0x20000 /* of an overlay that makes the tree larger than anybody expects */

typedef struct {
  char *directory;
  BoardFixture board;
  GuestMemory memory;
  uint8_t *ram;
} Fixture;

static char *path_of(const Fixture *fixture, const char *name) {
  return g_build_filename(fixture->directory, name, NULL);
}

static void write_file(const Fixture *fixture, const char *name, const void *bytes, gsize size) {
  g_autofree char *path = path_of(fixture, name);
  g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
}

static void write_overlay(const Fixture *fixture) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();
  g_autofree char *filler = g_strnfill(FILLER_SIZE, 'x');

  fdt_writer_begin_at(fdt, "fragment", 0);
  fdt_writer_string(fdt, "target-path", "/");
  fdt_writer_begin(fdt, "__overlay__");
  fdt_writer_string(fdt, "filler", filler);
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
  g_autoptr(GBytes) overlay = fdt_writer_finish(fdt, NULL);
  write_file(fixture, "overlay", g_bytes_get_data(overlay, NULL), g_bytes_get_size(overlay));
}

/* Module N is a text of its own. */
static char *text_of(unsigned n) {
  return g_strdup_printf("module number %u%*s", n, (int)(n * 3001), "end");
}

static void set_up(Fixture *fixture, gconstpointer with_overlay) {
  fixture->directory = directory_new();
  ImageFixture image = IMAGE_DEFAULT;
  image.size = image.image_size = 1u << 20;
  g_autoptr(GByteArray) kernel = fixture_image(image);
  write_file(fixture, "Image", kernel->data, kernel->len);
  write_file(fixture, "initrd", "initrd", 6);
  write_overlay(fixture);
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_printf(line, "--memory 64M --kernel %s/Image --initrd %s/initrd", fixture->directory, fixture->directory);
  if (with_overlay)
    g_string_append_printf(line, " --dtbo %s/overlay", fixture->directory);
  for (unsigned i = 0; i < N_MODULES; i++) {
    g_autofree char *name = g_strdup_printf("module%u", i), *text = text_of(i);
    write_file(fixture, name, text, strlen(text));
    g_string_append_printf(line, " --boot-module %s/%s%s", fixture->directory, name, i == 0 ? ",type=kernel,args=quiet" : "");
  }
  board_fixture_init(&fixture->board, line->str, GIC_V3);
  fixture->ram = g_malloc0(RAM_SIZE);
  guest_memory_add(&fixture->memory, RAM_BASE, RAM_SIZE, fixture->ram);
}

static void tear_down(Fixture *fixture, gconstpointer with_overlay) {
  board_fixture_clear(&fixture->board);
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->ram);
}

static bool boot(Fixture *fixture, BootFiles *files, BootPlacement *placement, GBytes **fdt, GError **error) {
  const BootSeed seed = {.kaslr = 1};

  memset(fixture->ram, 0, RAM_SIZE);
  if (!boot_begin_load(files, RAM_BASE, &fixture->memory, error))
    return false;
  *fdt = boot_plan(files, fixture->board.platform, &seed, placement, error);
  return *fdt && boot_load(files, placement, *fdt, &fixture->memory, error);
}

/* As a hypervisor does it: from the tree in memory alone. */
static void assert_modules(const Fixture *fixture, const BootPlacement *placement) {
  const void *tree = fixture->ram + (placement->fdt_start - RAM_BASE);
  int module, chosen = fdt_path_offset(tree, "/chosen"), size;
  uint64_t end = placement->initrd_start + placement->initrd_size;
  unsigned n = 0;

  g_assert_cmpint(fdt_check_full(tree, placement->fdt_size), ==, 0);
  fdt_for_each_subnode(module, tree, chosen) {
    const fdt64_t *reg = fdt_getprop(tree, module, "reg", &size);
    g_assert_cmpint(size, ==, 16);
    uint64_t start = fdt64_ld(reg), length = fdt64_ld(reg + 1);
    g_autofree char *name = g_strdup_printf("module@%" G_GINT64_MODIFIER "x", start), *text = text_of(n);
    g_assert_cmpstr(fdt_get_name(tree, module, NULL), ==, name);
    g_assert_cmpuint(start, >=, end);
    g_assert_cmpuint(start % 0x10000, ==, 0);
    end = start + length;
    g_assert_cmpmem(fixture->ram + (start - RAM_BASE), length, text, strlen(text));
    g_assert_cmpstr(fdt_getprop(tree, module, "compatible", NULL), ==, n == 0 ? "multiboot,kernel" : "multiboot,module");
    g_assert_cmpstr(fdt_getprop(tree, module, "bootargs", NULL), ==, n == 0 ? "quiet" : NULL);
    n++;
  }
  g_assert_cmpuint(n, ==, N_MODULES);
  g_assert_cmpmem(fixture->ram + (placement->initrd_start - RAM_BASE), 6, "initrd", 6);
}

static void test_loaded(Fixture *fixture, gconstpointer with_overlay) {
  BootPlacement placement;
  BootFiles files;

  g_assert_true(boot_files_open(&files, fixture->board.config, NULL, NULL));
  for (unsigned i = 0; i < 2; i++) {
    g_autoptr(GBytes) fdt = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_true(boot(fixture, &files, &placement, &fdt, &error));
    g_assert_no_error(error);
    g_assert_true((placement.fdt_size > FILLER_SIZE) == (with_overlay != NULL));
    assert_modules(fixture, &placement);
    boot_files_let_go(&files);
  }
  boot_files_close(&files);
}

/* A module that somebody changed is none of the machine's any more. */
static void test_changed(Fixture *fixture, gconstpointer with_overlay) {
  g_autofree char *path = path_of(fixture, "module7");
  g_autoptr(GBytes) first = NULL, second = NULL;
  g_autoptr(GError) error = NULL;
  BootPlacement placement;
  BootFiles files;

  g_assert_true(boot_files_open(&files, fixture->board.config, NULL, NULL));
  g_assert_true(boot(fixture, &files, &placement, &first, NULL));
  boot_files_let_go(&files);
  FILE *file = fopen(path, "r+e");
  g_usleep(50000); /* the clock of files may tick at 10 ms */
  fputs("other", file);
  fclose(file);
  g_assert_false(boot(fixture, &files, &placement, &second, &error));
  g_assert_true(g_str_has_prefix(error->message, "module "));
  g_assert_nonnull(strstr(error->message, path));
  boot_files_close(&files);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/boot-modules/loaded", Fixture, NULL, set_up, test_loaded, tear_down);
  g_test_add("/boot-modules/loaded/large-tree", Fixture, "overlay", set_up, test_loaded, tear_down);
  g_test_add("/boot-modules/changed", Fixture, NULL, set_up, test_changed, tear_down);
  return g_test_run();
}
