/* SPDX-License-Identifier: Apache-2.0 */
/* Files that disks are made of: which can be, and who has them. */
#include "vmm/helpers/storage-file.h"

#include "devices/backend/disk-image.h"
#include "tests/unit/directory.h"

typedef struct {
  char *directory, *before;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  f->directory = directory_new();
  f->before = g_get_current_dir();
  g_assert_cmpint(g_chdir(f->directory), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data) {
  g_assert_cmpint(g_chdir(f->before), ==, 0);
  directory_free(f->directory);
  g_free(f->directory);
  g_free(f->before);
}

static void test_open(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *there = g_build_filename(f->directory, "a", NULL);

  directory_write(".", "a", "");
  g_autoptr(StorageFile) near = storage_file_open("a", DISK_IMAGE_FORMAT_VDI, &error),
                         far = storage_file_open(there, DISK_IMAGE_FORMAT_RAW, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(near->given, ==, "a");
  g_assert_cmpstr(near->path, ==, there);
  g_assert_cmpstr(far->path, ==, there);
  g_assert_false(near->block_device);
}

static void test_refused(Fixture *f, gconstpointer data) {
  static const struct {
    const char *path, *message;
  } cases[] = {
      {"nothing", "disk image nothing cannot be opened: No such file or directory"},
      {".", "disk image . is neither a regular file nor a block device"},
      {"/dev/null", "disk image /dev/null is neither a regular file nor a block device"},
      {"\xff", "disk image \xff has no name in UTF-8, as qemu-storage-daemon takes them alone: make a link to it"},
      {"vhdx", "disk image vhdx is no qcow2 image, but a vhdx image: ',format=vhdx'"},
      {"vhd", "disk image vhd is no qcow2 image, but a vhd image: ',format=vhd'"},
  };

  directory_write(".", "vhdx", "vhdxfile and more");
  directory_write(".", "vhd", "conectix");
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(storage_file_open(cases[i].path, DISK_IMAGE_FORMAT_QCOW2, &error));
    g_assert_cmpstr(error->message, ==, cases[i].message);
  }
  g_autoptr(StorageFile) raw = storage_file_open("vhdx", DISK_IMAGE_FORMAT_RAW, NULL);
  g_assert_nonnull(raw);
}

/* One that backs an image has readers, a writer is looked for and is the daemon. */
static void test_locks(Fixture *f, gconstpointer data) {
  const DiskImageOptions writer = {.format = DISK_IMAGE_FORMAT_RAW};
  g_autoptr(GError) error = NULL;
  g_autofree char *sector = g_strnfill(512, 'x');

  directory_write(".", "a", sector);
  g_autoptr(StorageFile) one = storage_file_open("a", DISK_IMAGE_FORMAT_RAW, &error),
                         two = storage_file_open("a", DISK_IMAGE_FORMAT_RAW, &error);
  g_assert_true(storage_file_lock(one, false, &error) && storage_file_lock(two, false, &error));
  g_assert_no_error(error);
  g_assert_null(disk_image_open("a", &writer, &error));
  g_assert_true(g_error_matches(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY));
  g_clear_error(&error);
  g_autoptr(StorageFile) three = storage_file_open("a", DISK_IMAGE_FORMAT_RAW, &error);
  g_assert_false(storage_file_lock(three, true, &error));
  g_assert_true(g_error_matches(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY));
  g_clear_error(&error);
  g_clear_pointer(&one, storage_file_free);
  g_clear_pointer(&two, storage_file_free);

  g_autoptr(StorageFile) four = storage_file_open("a", DISK_IMAGE_FORMAT_RAW, &error);
  g_assert_true(storage_file_lock(four, true, &error));
  DiskImage *image = disk_image_open("a", &writer, &error);
  g_assert_no_error(error);
  g_autoptr(StorageFile) five = storage_file_open("a", DISK_IMAGE_FORMAT_RAW, &error);
  g_assert_false(storage_file_lock(five, false, &error));
  g_assert_true(g_str_has_prefix(error->message, "disk image a is in use by "));
  disk_image_free(image);
  g_autoptr(StorageFile) remote = storage_file_new("nbd://h", NULL, DISK_IMAGE_FORMAT_RAW);
  g_assert_true(storage_file_lock(remote, true, NULL));
}

#define ADD(path, function) g_test_add("/storage-file/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("open", test_open);
  ADD("refused", test_refused);
  ADD("locks", test_locks);
  return g_test_run();
}
