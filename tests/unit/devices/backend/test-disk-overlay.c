/* SPDX-License-Identifier: Apache-2.0 */
/* Images that stay as they are: devices/backend/disk-overlay.c and disk-image-overlaid.c, on both engines. */
#define _GNU_SOURCE
#include "tests/unit/devices/backend/disk-fixture.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define SECTOR  512u
#define SECTORS (SIZE / SECTOR)

/* A file system without O_TMPFILE, where that is wanted. */
static bool no_tmpfile;
int open64(const char *path, int flags, ...) {
  va_list arguments;

  va_start(arguments, flags);
  mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int n_fdatasync; /* atomic; of threads, and of disk_image_free */
int fdatasync(int fd) {
  __atomic_fetch_add(&n_fdatasync, 1, __ATOMIC_SEQ_CST);
  return (int)syscall(SYS_fdatasync, fd);
}

/* A disk of which each sector has another content, and which nobody may write. */
static Fixture *fixture_new(const void *engine, uint8_t **model) {
  const DiskImageOptions options = {.cow = true, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int fd = g_mkstemp(path);

  *model = random_bytes(SIZE);
  g_assert_cmpint(write(fd, *model, SIZE), ==, SIZE);
  g_assert_cmpint(fchmod(fd, 0400), ==, 0);
  close(fd);
  Fixture *fixture = fixture_open(&options, g_steal_pointer(&path));
  if (!fixture)
    g_clear_pointer(model, g_free);
  return fixture;
}

static void assert_read(Fixture *fixture, unsigned sector, const uint8_t *expected, size_t size) {
  g_autofree uint8_t *bytes = g_malloc(size);

  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, sector * SECTOR, bytes, size), ==, 0);
  g_assert_cmpmem(bytes, size, expected, size);
}

static void test_write(const void *engine) {
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *before = NULL, *data = random_bytes(3 * SECTOR);

  if (!fixture)
    return;
  before = g_memdup2(model, SIZE);
  g_assert_false(disk_image_read_only(fixture->image));
  assert_read(fixture, 0, model, SIZE);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 100 * SECTOR, data, 3 * SECTOR), ==, 0);
  memcpy(model + 100 * SECTOR, data, 3 * SECTOR);
  assert_read(fixture, 101, model + 101 * SECTOR, SECTOR); /* only what was written */
  assert_read(fixture, 50, model + 50 * SECTOR, SECTOR);   /* only what was there */
  assert_read(fixture, 0, model, SIZE);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SIZE - SECTOR, data, SECTOR), ==, 0);
  memcpy(model + SIZE - SECTOR, data, SECTOR);
  assert_read(fixture, 0, model, SIZE);
  assert_on_disk(fixture, 0, before, SIZE);
  fixture_free(fixture);
}

/* Zeros are read afterwards, whatever either file has there. */
static void test_discard_and_zeroes(const void *engine) {
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *before = NULL, *data = random_bytes(8 * SECTOR);

  if (!fixture)
    return;
  before = g_memdup2(model, SIZE);
  for (unsigned i = 0; i < 3; i++) {
    unsigned sector = 1000 * i + 3;

    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, sector * SECTOR, data, 8 * SECTOR), ==, 0);
    memcpy(model + sector * SECTOR, data, 8 * SECTOR);
    g_assert_cmpint(run_range(fixture, i ? DISK_IMAGE_WRITE_ZEROES : DISK_IMAGE_DISCARD, (sector + 3) * SECTOR, 100 * SECTOR, i == 1), ==,
                    0);
    memset(model + (sector + 3) * SECTOR, 0, 100 * SECTOR);
  }
  assert_read(fixture, 0, model, SIZE);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_DISCARD, 0, SIZE, false), ==, 0);
  memset(model, 0, SIZE);
  assert_read(fixture, 0, model, SIZE);
  assert_on_disk(fixture, 0, before, SIZE);
  fixture_free(fixture);
}

/* Every other sector is another file's, and the buffers end anywhere. */
static void test_ragged(const void *engine) {
  static const size_t cuts[] = {1, 512, 511, 4096, 0, 70000, 100001};
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *data = random_bytes(SECTOR), *bytes = g_malloc(SIZE);
  struct iovec iov[200];
  unsigned n = 0;
  size_t at = 0;

  if (!fixture)
    return;
  for (unsigned i = 0; i < SECTORS; i += 2 + i % 3) {
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, i * SECTOR, data, SECTOR), ==, 0);
    memcpy(model + i * SECTOR, data, SECTOR);
  }
  for (; at < SIZE - SECTOR; n++) {
    g_assert_cmpuint(n, <, G_N_ELEMENTS(iov));
    iov[n] = (struct iovec){bytes + at, MIN(cuts[n % G_N_ELEMENTS(cuts)], SIZE - SECTOR - at)};
    at += iov[n].iov_len;
  }
  Request request = {.io = {.operation = DISK_IMAGE_READ, .offset = SECTOR, .size = at, .iov = iov, .n_iov = n}};
  g_assert_cmpint(run_request(fixture, &request), ==, 0);
  g_assert_cmpmem(bytes, at, model + SECTOR, at);
  fixture_free(fixture);
}

static void test_random(const void *engine) {
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *before = NULL, *bytes = g_malloc(SIZE);

  if (!fixture)
    return;
  before = g_memdup2(model, SIZE);
  for (unsigned i = 0; i < 500; i++) {
    unsigned n = 1 + (unsigned)g_test_rand_int_range(0, i % 7 ? 20 : 2000), sector = (unsigned)g_test_rand_int_range(0, SECTORS);
    size_t size = MIN(n, SECTORS - sector) * SECTOR;
    DiskImageOperation operation = (DiskImageOperation)g_test_rand_int_range(DISK_IMAGE_READ, DISK_IMAGE_WRITE_ZEROES + 1);

    if (operation == DISK_IMAGE_READ) {
      assert_read(fixture, sector, model + sector * SECTOR, size);
    } else if (operation == DISK_IMAGE_WRITE) {
      memset(bytes, g_test_rand_int_range(0, 256), size);
      g_assert_cmpint(run_transfer(fixture, operation, sector * SECTOR, bytes, size), ==, 0);
      memcpy(model + sector * SECTOR, bytes, size);
    } else {
      g_assert_cmpint(run_range(fixture, operation, sector * SECTOR, size, i % 2), ==, 0);
      if (operation != DISK_IMAGE_FLUSH)
        memset(model + sector * SECTOR, 0, size);
    }
  }
  assert_read(fixture, 0, model, SIZE);
  assert_on_disk(fixture, 0, before, SIZE);
  fixture_free(fixture);
}

/* More than a ring holds, of all sorts, at a time; a stop waits for all of them, and for all runs of the reads. */
static void test_many(const void *engine) {
  enum { N = 600, PART = SIZE / N / SECTOR * SECTOR };
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *bytes = random_bytes(SIZE);
  g_autofree struct iovec *iov = g_new(struct iovec, N);
  g_autofree Request *requests = g_new0(Request, N);
  Many many = {fixture, requests, N, .stop = true};

  if (!fixture)
    return;
  for (unsigned pass = 0; pass < 2; pass++) {
    for (unsigned i = 0; i < N; i++) {
      static const DiskImageOperation operations[] = {DISK_IMAGE_WRITE, DISK_IMAGE_DISCARD, DISK_IMAGE_WRITE_ZEROES, DISK_IMAGE_FLUSH};
      uint64_t offset = (uint64_t)i * PART;
      size_t size = pass ? PART : SECTOR * (1 + i % 5);

      iov[i] = (struct iovec){bytes + offset, size};
      requests[i] = (Request){.io = {.operation = pass ? DISK_IMAGE_READ : operations[i % G_N_ELEMENTS(operations)],
                                     .offset = offset,
                                     .size = size,
                                     .iov = &iov[i],
                                     .n_iov = 1}};
      if (requests[i].io.operation == DISK_IMAGE_WRITE)
        memcpy(model + offset, bytes + offset, size);
      else if (requests[i].io.operation != DISK_IMAGE_FLUSH && !pass)
        memset(model + offset, 0, size);
    }
    io_thread_call(fixture->thread, submit_many, &many);
    for (unsigned i = 0; i < N; i++)
      g_assert_cmpint(requests[i].result, ==, 0);
  }
  g_assert_cmpmem(bytes, N * PART, model, N * PART);
  fixture_free(fixture);
}

/* A second queue sees what the first has done, and the other way round. */
static void test_two_channels(const void *engine) {
  g_autofree uint8_t *model = NULL;
  Fixture *first = fixture_new(engine, &model), *second = g_new0(Fixture, 1);
  g_autofree uint8_t *data = random_bytes(SIZE);

  if (first) {
    second->thread = io_thread_new("second", NULL);
    g_assert_true(io_thread_start(second->thread, NULL, NULL));
    second->channel = disk_channel_new(first->image, NULL);
    io_thread_call(second->thread, do_start, second);
    for (unsigned i = 0; i + 64 < SECTORS; i += 61) {
      Fixture *writer = i % 2 ? first : second, *reader = i % 2 ? second : first;

      g_assert_cmpint(run_transfer(writer, DISK_IMAGE_WRITE, i * SECTOR, data + i * SECTOR, 33 * SECTOR), ==, 0);
      memcpy(model + i * SECTOR, data + i * SECTOR, 33 * SECTOR);
      assert_read(reader, i, model + i * SECTOR, 64 * SECTOR);
    }
    io_thread_call(second->thread, do_stop, second);
    io_thread_free(second->thread);
    disk_channel_free(second->channel);
    fixture_free(first);
  }
  g_free(second);
}

/* A file that ends within a sector stays as long as it is. */
static void test_odd_size(const void *engine) {
  const DiskImageOptions options = {.cow = true, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  g_autofree uint8_t *before = random_bytes(1000), *expected = g_malloc0(1024);
  uint8_t sector[SECTOR];
  struct stat status;
  int fd = g_mkstemp(path);

  g_assert_cmpint(write(fd, before, 1000), ==, 1000);
  close(fd);
  Fixture *fixture = fixture_open(&options, g_steal_pointer(&path));
  if (!fixture)
    return;
  memcpy(expected, before, 1000);
  assert_read(fixture, 0, expected, 1024);
  memset(sector, 7, sizeof sector);
  memcpy(expected + SECTOR, sector, SECTOR);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SECTOR, sector, SECTOR), ==, 0);
  assert_read(fixture, 0, expected, 1024);
  assert_on_disk(fixture, 0, before, 1000);
  g_assert_cmpint(stat(fixture->path, &status), ==, 0);
  g_assert_cmpint(status.st_size, ==, 1000);
  fixture_free(fixture);
}

/* There is nothing to be kept over an end of the host. */
static void test_flush(void) {
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_THREADS), &model);

  __atomic_store_n(&n_fdatasync, 0, __ATOMIC_SEQ_CST);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, model, SECTOR), ==, 0);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  fixture_free(fixture);
  g_assert_cmpint(__atomic_load_n(&n_fdatasync, __ATOMIC_SEQ_CST), ==, 0);
}

/* The file of the image has shrunk: what was written is still there. */
static void test_shrunken_file(const void *engine) {
  g_autofree uint8_t *model = NULL;
  Fixture *fixture = fixture_new(engine, &model);
  g_autofree uint8_t *bytes = g_malloc(8 * SECTOR);

  if (!fixture)
    return;
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 102 * SECTOR, model, 2 * SECTOR), ==, 0);
  g_assert_cmpint(chmod(fixture->path, 0600), ==, 0);
  g_assert_cmpint(truncate(fixture->path, 0), ==, 0);
  assert_read(fixture, 102, model, 2 * SECTOR);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 100 * SECTOR, bytes, 8 * SECTOR), ==, -EIO);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 103 * SECTOR, bytes, 8 * SECTOR), ==, -EIO);
  assert_read(fixture, 102, model, 2 * SECTOR);
  fixture_free(fixture);
}

/* Where the file is. */

static void assert_no_image(const char *path, const char *text) {
  g_autoptr(GError) error = NULL;

  g_assert_null(disk_image_open(path, &(DiskImageOptions){.cow = true}, &error));
  g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_OPEN);
  g_assert_nonnull(strstr(error->message, path));
  g_assert_nonnull(strstr(error->message, text));
  g_assert_nonnull(strstr(error->message, "TMPDIR"));
}

/* It has no name, whatever the file system can, and the directory is the user's to choose. */
static void test_place(void) {
  g_autofree char *directory = make_directory(), *elsewhere = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);

  make_file(path, SIZE);
  for (unsigned i = 0; i < 2; i++) {
    no_tmpfile = i;
    g_setenv("TMPDIR", elsewhere, true);
    g_autoptr(GError) error = NULL;
    g_autoptr(DiskImage) image = disk_image_open(path, &(DiskImageOptions){.cow = true}, &error);
    g_assert_no_error(error);
    g_autoptr(GDir) dir = g_dir_open(elsewhere, 0, NULL);
    g_assert_null(g_dir_read_name(dir));
    bool found = false;
    for (int fd = 3; fd < 100; fd++) {
      g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *name = g_file_read_link(link, NULL);
      found |= name && g_str_has_prefix(name, elsewhere) && g_str_has_suffix(name, " (deleted)");
    }
    g_assert_true(found);
  }
  no_tmpfile = false;
  g_setenv("TMPDIR", path, true);
  assert_no_image(path, "Not a directory");
  g_setenv("TMPDIR", "/nonexistent", true);
  assert_no_image(path, "in /nonexistent ");
  g_unsetenv("TMPDIR");
  g_unlink(path);
  g_rmdir(directory);
  g_rmdir(elsewhere);
}

/* One that writes excludes all others; of those that only read, there are any number. */
static void test_shared(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);
  g_autoptr(GError) error = NULL;

  make_file(path, SIZE);
  DiskImage *first = disk_image_open(path, &(DiskImageOptions){.cow = true}, &error);
  g_assert_no_error(error);
  DiskImage *second = disk_image_open(path, &(DiskImageOptions){.cow = true}, &error);
  g_assert_no_error(error);
  DiskImage *reader = disk_image_open(path, &(DiskImageOptions){.read_only = true}, &error);
  g_assert_no_error(error);
  g_assert_null(disk_image_open(path, &(DiskImageOptions){0}, &error));
  g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY);
  disk_image_free(first);
  disk_image_free(second);
  disk_image_free(reader);
  g_clear_error(&error);
  DiskImage *writer = disk_image_open(path, &(DiskImageOptions){0}, &error);
  g_assert_no_error(error);
  g_assert_null(disk_image_open(path, &(DiskImageOptions){.cow = true}, &error));
  g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY);
  disk_image_free(writer);
  g_unlink(path);
  g_rmdir(directory);
}

/* A write for which there is no room changes nothing that is read, though a part of it may be in the file. */
static void test_full(const void *engine) {
  g_autofree char *mount_point = make_directory();
  g_autofree uint8_t *model = NULL, *bytes = random_bytes(SIZE);

  if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount("eret-test", mount_point, "tmpfs", 0, "size=1m") < 0) {
    g_test_skip("no right to mount a small tmpfs");
    g_rmdir(mount_point);
    return;
  }
  g_setenv("TMPDIR", mount_point, true);
  g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "in *KiB left*TMPDIR*");
  Fixture *fixture = fixture_new(engine, &model);
  g_unsetenv("TMPDIR");
  if (fixture) {
    g_test_assert_expected_messages();
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, SIZE), ==, -ENOSPC);
    assert_read(fixture, 0, model, SIZE);
    g_assert_cmpint(run_range(fixture, DISK_IMAGE_WRITE_ZEROES, SECTOR, SIZE / 2, false), ==, 0);
    memset(model + SECTOR, 0, SIZE / 2);
    assert_read(fixture, 0, model, SIZE);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SECTOR, bytes, 65536), ==, 0); /* there is room again */
    memcpy(model + SECTOR, bytes, 65536);
    assert_read(fixture, 0, model, SIZE);
    fixture_free(fixture);
  }
  g_assert_cmpint(umount(mount_point), ==, 0);
  g_rmdir(mount_point);
}

static void add(const char *name, void (*test)(const void *engine)) {
  add_for_engines("/disk-overlay", name, test);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/disk-overlay/place", test_place);
  g_test_add_func("/disk-overlay/shared", test_shared);
  g_test_add_func("/disk-overlay/flush", test_flush);
  add("write", test_write);
  add("discard-and-zeroes", test_discard_and_zeroes);
  add("ragged", test_ragged);
  add("random", test_random);
  add("many", test_many);
  add("two-channels", test_two_channels);
  add("odd-size", test_odd_size);
  add("shrunken-file", test_shrunken_file);
  add("full", test_full);
  return g_test_run();
}
