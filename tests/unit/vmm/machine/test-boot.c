/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a guest, again and again, from files that somebody may change meanwhile: vmm/machine/boot.c. */
#define _GNU_SOURCE /* memmem */
#include "vmm/machine/boot.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/vmm/boot/fixtures.h"

#define RAM_BASE    0x40000000
#define RAM_SIZE    (32u << 20)
#define KERNEL_SIZE (5u << 20) /* enough for several threads to copy */
#define INITRD_SIZE (1u << 20)

typedef struct {
  char *directory, *kernel, *initrd;
  Config config;
  uint8_t *ram;
  GuestMemory memory;
  GByteArray *kernel_bytes, *initrd_bytes;
  GByteArray *kernel_in_file; /* packed, or not */
} Fixture;

static void write_file(const char *path, const GByteArray *bytes) {
  g_autoptr(GError) error = NULL;

  g_file_set_contents_full(path, (const char *)bytes->data, bytes->len, G_FILE_SET_CONTENTS_NONE, 0644, &error);
  g_assert_no_error(error);
}

static void write_files(const Fixture *fixture) {
  write_file(fixture->kernel, fixture->kernel_in_file);
  write_file(fixture->initrd, fixture->initrd_bytes);
}

static void set_up(Fixture *fixture, gconstpointer packed) {
  fixture->directory = directory_new();
  fixture->kernel = g_build_filename(fixture->directory, "Image", NULL);
  fixture->initrd = g_build_filename(fixture->directory, "initrd", NULL);
  ImageFixture image = IMAGE_DEFAULT;
  image.size = KERNEL_SIZE;
  image.image_size = KERNEL_SIZE;
  fixture->kernel_bytes = fixture_image(image);
  fixture->initrd_bytes = fixture_bytes(INITRD_SIZE);
  fixture->kernel_in_file = packed ? fixture_gzip(fixture->kernel_bytes) : g_byte_array_ref(fixture->kernel_bytes);
  write_files(fixture);
  fixture->config = (Config){.kernel = fixture->kernel,
                             .initrd = fixture->initrd,
                             .fw_cfg = g_ptr_array_new(),
                             .overlays = g_ptr_array_new(),
                             .modules = g_ptr_array_new(),
                             .firmware = g_ptr_array_new(),
                             .reboot = true};
  fixture->ram = g_malloc0(RAM_SIZE);
  guest_memory_add(&fixture->memory, RAM_BASE, RAM_SIZE, fixture->ram);
}

static void tear_down(Fixture *fixture, gconstpointer packed) {
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_ptr_array_unref(fixture->config.fw_cfg);
  g_ptr_array_unref(fixture->config.overlays);
  g_ptr_array_unref(fixture->config.modules);
  g_ptr_array_unref(fixture->config.firmware);
  g_free(fixture->kernel);
  g_free(fixture->initrd);
  g_free(fixture->ram);
  g_byte_array_unref(fixture->kernel_bytes);
  g_byte_array_unref(fixture->initrd_bytes);
  g_byte_array_unref(fixture->kernel_in_file);
}

static void open_files(Fixture *fixture, BootFiles *files) {
  g_autoptr(GError) error = NULL;

  g_assert_true(boot_files_open(files, &fixture->config, NULL, &error));
  g_assert_no_error(error);
}

/* As a machine does it; BETWEEN happens while the kernel is copied. */
static bool load(Fixture *fixture, BootFiles *files, void (*between)(Fixture *fixture), GError **error) {
  g_autoptr(GBytes) fdt = g_bytes_new_static("tree", 4);
  BootPlacement placement;

  memset(fixture->ram, 0, RAM_SIZE);
  if (!boot_begin_load(files, RAM_BASE, &fixture->memory, error))
    return false;
  if (between)
    between(fixture);
  return boot_place(files->kernel, RAM_BASE, RAM_SIZE, g_bytes_get_size(files->initrd), 4, &placement, error) &&
         boot_load(files, &placement, fdt, &fixture->memory, error);
}

static bool holds(const Fixture *fixture, const GByteArray *bytes) {
  return memmem(fixture->ram, RAM_SIZE, bytes->data, bytes->len);
}

static void load_well(Fixture *fixture, BootFiles *files) {
  g_autoptr(GError) error = NULL;

  g_assert_true(load(fixture, files, NULL, &error));
  g_assert_no_error(error);
  g_assert_true(holds(fixture, fixture->kernel_bytes));
  g_assert_true(holds(fixture, fixture->initrd_bytes));
  boot_files_let_go(files);
}

static void load_badly(Fixture *fixture, BootFiles *files, void (*between)(Fixture *fixture), const char *path) {
  g_autoptr(GError) error = NULL;

  g_assert_false(load(fixture, files, between, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
  g_assert_nonnull(strstr(error->message, path));
  g_assert_nonnull(strstr(error->message, "while it was in use"));
}

static void test_again(Fixture *fixture, gconstpointer packed) {
  BootFiles files;

  open_files(fixture, &files);
  for (unsigned i = 0; i < 3; i++)
    load_well(fixture, &files);
  /* New files under the names: the machine goes on with what it began with. */
  g_autoptr(GByteArray) other = fixture_bytes(4096);
  g_unlink(fixture->kernel);
  g_unlink(fixture->initrd);
  write_file(fixture->kernel, other);
  write_file(fixture->initrd, other);
  load_well(fixture, &files);
  boot_files_close(&files);
}

static void truncate_kernel(Fixture *fixture) {
  g_assert_cmpint(truncate(fixture->kernel, 100), ==, 0);
}

static void truncate_initrd(Fixture *fixture) {
  g_assert_cmpint(truncate(fixture->initrd, 0), ==, 0);
}

static void rewrite(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  g_usleep(50000); /* the clock of files may tick at 10 ms */
  g_assert_cmpint(pwrite(fd, "other bytes", 11, 4000), ==, 11);
  close(fd);
}

static void rewrite_kernel(Fixture *fixture) {
  rewrite(fixture->kernel);
}

static void rewrite_initrd(Fixture *fixture) {
  rewrite(fixture->initrd);
}

static const struct {
  void (*change)(Fixture *fixture);
  bool initrd;
} changes[] = {{truncate_kernel, false}, {truncate_initrd, true}, {rewrite_kernel, false}, {rewrite_initrd, true}};

/* Between two boots, and within either: never a signal, and never a guest of half of each. */
static void test_changed(Fixture *fixture, gconstpointer packed) {
  for (unsigned i = 0; i < G_N_ELEMENTS(changes) * 3; i++) {
    enum { FIRST, SECOND, BETWEEN } when = i % 3;
    void (*change)(Fixture *) = changes[i / 3].change;
    BootFiles files;

    open_files(fixture, &files);
    if (when != FIRST)
      load_well(fixture, &files);
    if (when == BETWEEN)
      change(fixture);
    load_badly(fixture, &files, when == BETWEEN ? NULL : change, changes[i / 3].initrd ? fixture->initrd : fixture->kernel);
    boot_files_close(&files);
    write_files(fixture);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/boot/again", Fixture, NULL, set_up, test_again, tear_down);
  g_test_add("/boot/again/packed", Fixture, "packed", set_up, test_again, tear_down);
  g_test_add("/boot/changed", Fixture, NULL, set_up, test_changed, tear_down);
  g_test_add("/boot/changed/packed", Fixture, "packed", set_up, test_changed, tear_down);
  return g_test_run();
}
