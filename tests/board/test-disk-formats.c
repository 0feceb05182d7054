/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks that are not raw files, with the real programs: QEMU's storage daemon as eret starts it for a disk, images that
 * qemu-img makes, and a driver's rings written by hand. Skipped where there are no such programs.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "devices/virtio/blk.h"
#include "devices/virtio/disk-server.h"
#include "tests/board/blk-driver.h"
#include "tests/unit/directory.h"
#include "vmm/helpers/disk-servers.h"

#define SIZE (UINT64_C(4) << 20)

/* 5.2.3. */
#define F_RO           (UINT64_C(1) << 5)
#define F_FLUSH        (UINT64_C(1) << 9)
#define F_CONFIG_WCE   (UINT64_C(1) << 11)
#define F_DISCARD      (UINT64_C(1) << 13)
#define F_WRITE_ZEROES (UINT64_C(1) << 14)

typedef struct {
  char *directory, *before;
  DiskServers *servers;
} Fixture;

/* Programs of QEMU's. */

static void run(const char *first, ...) G_GNUC_NULL_TERMINATED;
static void run(const char *first, ...) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_autofree char *out = NULL, *errors = NULL;
  g_autoptr(GError) error = NULL;
  va_list more;
  int status;

  g_ptr_array_add(argv, (char *)first);
  va_start(more, first);
  for (char *argument; (argument = va_arg(more, char *));)
    g_ptr_array_add(argv, argument);
  va_end(more);
  g_ptr_array_add(argv, NULL);
  g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &errors, &status, &error);
  g_assert_no_error(error);
  if (status)
    g_error("%s %s: %s", first, (const char *)argv->pdata[1], errors);
}

/* A raw image, each sector of it full of the low byte of its number. */
static void make_raw(const char *path) {
  g_autofree uint8_t *content = g_malloc(SIZE);

  for (uint64_t i = 0; i < SIZE; i++)
    content[i] = (uint8_t)(i / SECTOR_SIZE);
  g_assert_true(g_file_set_contents(path, (const char *)content, SIZE, NULL));
}

/* The same in FORMAT. */
static void make_image(const char *format, const char *path) {
  make_raw("raw");
  run("qemu-img", "convert", "-f", "raw", "-O", format, "raw", path, NULL);
}

static char *checksum(const char *path) {
  g_autofree char *content = NULL;
  gsize size;

  g_assert_true(g_file_get_contents(path, &content, &size, NULL));
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)content, size);
}

static void set_up(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  f->before = g_get_current_dir();
  f->directory = directory_new();
  g_assert_cmpint(g_chdir(f->directory), ==, 0);
  f->servers = disk_servers_new(NULL, &error);
  g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data) {
  disk_servers_free(f->servers);
  g_assert_cmpint(g_chdir(f->before), ==, 0);
  directory_free(f->directory);
  g_free(f->directory);
  g_free(f->before);
}

/* Disks. */

static VirtioDevice *make(const Fixture *f, const GuestMemory *memory, const DiskConfig *disk, GError **error) {
  const DeviceParts parts = {.name = "virtio-blk0", .asked = disk, .memory = memory, .disk_servers = f->servers};

  return virtio_blk_kind.make_virtio(&parts, error);
}

static void open_disk(const Fixture *f, BlkDriver *driver, const DiskConfig *disk) {
  g_autoptr(GError) error = NULL;

  *driver = (BlkDriver){0};
  blk_driver_init(driver);
  VirtioDevice *device = make(f, &driver->guest.memory, disk, &error);
  g_assert_no_error(error);
  blk_driver_connect(driver, device);
  blk_go_live(driver);
}

static void refuse(const Fixture *f, const DiskConfig *disk, const char *pattern) {
  g_autoptr(GError) error = NULL;
  FakeGuest guest;

  fake_guest_init_shared(&guest);
  g_assert_null(make(f, &guest.memory, disk, &error));
  g_test_message("%s", error->message);
  g_autofree char *whole = g_strconcat("virtio-blk0: ", pattern, NULL);
  g_assert_true(g_pattern_match_simple(whole, error->message));
  fake_guest_clear(&guest);
}

static GPtrArray *list(const char *first, ...) G_GNUC_NULL_TERMINATED;
static GPtrArray *list(const char *first, ...) {
  GPtrArray *files = g_ptr_array_new();
  va_list more;

  va_start(more, first);
  for (const char *file = first; file; file = va_arg(more, const char *))
    g_ptr_array_add(files, (char *)file);
  va_end(more);
  return files;
}

static uint64_t features(const BlkDriver *driver) {
  return driver->device->offered_features;
}

/* Every format is read and written, and what was written is there the next time. */
static void test_format(const char *name, DiskImageFormat format) {
  Fixture f;
  BlkDriver driver;
  const DiskConfig disk = {.path = (char *)"image", .image.format = format};
  uint64_t capacity;

  set_up(&f, NULL);
  make_image(disk_image_format_driver(format), "image");
  open_disk(&f, &driver, &disk);
  virtio_config_read(driver.device, 0, &capacity, sizeof capacity);
  g_assert_cmpuint(capacity, >=, SIZE / SECTOR_SIZE); /* vhd rounds up to a cylinder */
  g_assert_cmphex(features(&driver) & (F_RO | F_DISCARD | F_WRITE_ZEROES), ==, F_DISCARD | F_WRITE_ZEROES);
  for (unsigned i = 0; i < 40; i++)
    blk_assert_sector(&driver, i, (uint8_t)i);
  blk_write(&driver, 7, 0xa5);
  blk_write(&driver, SIZE / SECTOR_SIZE - 1, 0x5a);
  g_assert_cmpuint(blk_request(&driver, FLUSH, 0), ==, 0);
  blk_assert_sector(&driver, 8, 8);
  blk_assert_sector(&driver, 7, 0xa5);
  blk_driver_clear(&driver);
  open_disk(&f, &driver, &disk);
  blk_assert_sector(&driver, 7, 0xa5);
  blk_assert_sector(&driver, SIZE / SECTOR_SIZE - 1, 0x5a);
  blk_driver_clear(&driver);
  tear_down(&f, NULL);
}

static void test_formats(gconstpointer data) {
  DiskImageFormat format = GPOINTER_TO_UINT(data);

  test_format(disk_image_format_name(format), format);
}

static void test_read_only(Fixture *f, gconstpointer data) {
  const DiskConfig disk = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .read_only = true}};
  BlkDriver one, two;

  make_image("qcow2", "image");
  g_autofree char *sum = checksum("image");
  open_disk(f, &one, &disk);
  open_disk(f, &two, &disk);
  g_assert_cmphex(features(&one) & (F_RO | F_DISCARD | F_WRITE_ZEROES), ==, F_RO);
  blk_assert_sector(&one, 9, 9);
  blk_assert_sector(&two, 9, 9);
  memset(fake_at(&one.guest, DATA), 1, SECTOR_SIZE);
  g_assert_cmpuint(blk_request(&one, OUT, 9), ==, 1);
  blk_assert_sector(&one, 9, 9);
  blk_driver_clear(&one);
  blk_driver_clear(&two);
  g_autofree char *after = checksum("image");
  g_assert_cmpstr(after, ==, sum);
}

static void test_backing(Fixture *f, gconstpointer data) {
  g_autoptr(GPtrArray) base = list("base", NULL), both = list("../middle", "./base", NULL), gone = list("other", NULL);
  const DiskConfig middle = {.path = (char *)"middle", .image.format = DISK_IMAGE_FORMAT_QCOW2, .backing = base};
  DiskConfig top = {.path = (char *)"top", .image.format = DISK_IMAGE_FORMAT_QCOW2, .backing = both};
  BlkDriver driver;

  make_raw("base");
  make_raw("other");
  run("qemu-img", "create", "-f", "qcow2", "-b", "base", "-F", "raw", "middle", NULL);
  g_assert_cmpint(g_mkdir("in", 0755), ==, 0);
  run("qemu-img", "create", "-f", "qcow2", "-b", "middle", "-F", "qcow2", "top", NULL);
  g_autofree char *sum = checksum("base");
  open_disk(f, &driver, &middle);
  blk_write(&driver, 3, 0x33);
  blk_driver_clear(&driver);

  /* From another directory: the image's names are relative to its own, those of the user to this one. */
  g_assert_cmpint(g_chdir("in"), ==, 0);
  g_autoptr(GPtrArray) from_here = list("../middle", "../base", NULL), only_middle = list("../middle", NULL);
  top.path = (char *)"../top";
  top.backing = from_here;
  open_disk(f, &driver, &top);
  blk_assert_sector(&driver, 3, 0x33);
  blk_assert_sector(&driver, 4, 4);
  blk_write(&driver, 4, 0x44);
  blk_assert_sector(&driver, 4, 0x44);
  blk_driver_clear(&driver);

  /* What the user has not named is not opened. */
  top.backing = only_middle;
  refuse(f, &top, "disk image ../middle is backed by '*/base', and its guest would read what is in there: allow it by ',backing=*/base'");
  top.backing = NULL;
  refuse(f, &top, "disk image ../top is backed by '*/middle', *allow it by ',backing=*/middle'");
  g_assert_cmpint(g_chdir(".."), ==, 0);
  top.path = (char *)"middle";
  top.backing = gone;
  refuse(f, &top, "disk image middle is backed by '*/base', *allow it by*");
  g_assert_cmpint(g_unlink("base"), ==, 0);
  refuse(f, &top, "disk image middle is backed by '*/base', which is not there: *");
  g_assert_cmpint(g_rename("other", "base"), ==, 0);
  g_autofree char *after = checksum("base");
  g_assert_cmpstr(after, ==, sum);
}

/* The file stays as it is, whatever it is; what was written outlasts the daemon, and not the machine. */
static void test_cow(Fixture *f, gconstpointer data) {
  const DiskConfig disk = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_VMDK, .cow = true}};
  BlkDriver one, two;

  make_image("vmdk", "image");
  g_autofree char *sum = checksum("image");
  open_disk(f, &one, &disk);
  open_disk(f, &two, &disk);
  blk_write(&one, 5, 0x55);
  blk_assert_sector(&one, 5, 0x55);
  blk_assert_sector(&one, 6, 6);
  blk_assert_sector(&two, 5, 5);
  blk_driver_clear(&one);
  blk_driver_clear(&two);
  open_disk(f, &one, &disk);
  blk_assert_sector(&one, 5, 5);
  blk_driver_clear(&one);
  g_autofree char *after = checksum("image");
  g_assert_cmpstr(after, ==, sum);
}

/* Of this process, the one there is; 0: none. */
static GPid find_child(void) {
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", getpid()), *text = NULL;

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  return atoi(text);
}

static bool is_another(GPid first) {
  g_main_context_iteration(NULL, FALSE);
  GPid child = find_child();
  return child && child != first;
}

static bool has_come_to(VirtioDevice *device, unsigned status) {
  g_main_context_iteration(NULL, FALSE);
  return virtio_get_status(device) == status;
}

static void test_killed(Fixture *f, gconstpointer data) {
  const DiskConfig disk = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .cow = true}};
  BlkDriver driver;

  make_image("qcow2", "image");
  open_disk(f, &driver, &disk);
  blk_write(&driver, 5, 0x55);
  g_assert_cmpuint(blk_request(&driver, FLUSH, 0), ==, 0);
  GPid first = find_child();
  kill(first, SIGKILL);
  WAIT_FOR(has_come_to(driver.device, LIVE | VIRTIO_STATUS_NEEDS_RESET));
  virtio_set_status(driver.device, 0);
  WAIT_FOR(is_another(first));
  blk_go_live(&driver);
  blk_assert_sector(&driver, 5, 0x55);
  blk_assert_sector(&driver, 4, 4);
  blk_driver_clear(&driver);
}

/* What else can be asked of a disk is told to the daemon, and what the guest sees of it is so. */
static void test_options(Fixture *f, gconstpointer data) {
  const DiskConfig disk = {
      .path = (char *)"image",
      .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .block_size = 4096, .lock = DISK_LOCK_OFF},
      .device = {.queues = 3, .discard = DISK_DISCARD_OFF, .iops = 100000, .bps = UINT64_C(1) << 40},
  };
  BlkDriver one, two;
  uint32_t block_size;

  make_image("qcow2", "image");
  open_disk(f, &one, &disk);
  open_disk(f, &two, &disk);
  g_assert_cmpuint(one.device->n_queues, ==, 3);
  virtio_config_read(one.device, 20, &block_size, sizeof block_size);
  g_assert_cmpuint(block_size, ==, 4096);
  g_assert_cmphex(features(&one) & (F_DISCARD | F_WRITE_ZEROES), ==, F_WRITE_ZEROES);
  /* The driver flushes what is to last, and has no choice. */
  g_assert_cmphex(features(&one) & (F_FLUSH | F_CONFIG_WCE), ==, F_FLUSH);
  blk_driver_clear(&one);
  blk_driver_clear(&two);
}

/* Past the host's page cache, where the file system can do that. */
static void test_direct(Fixture *f, gconstpointer data) {
  const DiskConfig disk = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .direct = true}};
  BlkDriver driver;
  int fd;

  make_image("qcow2", "image");
  fd = open("image", O_RDONLY | O_DIRECT);
  if (fd < 0) {
    refuse(f, &disk, "disk image image is where there is no direct I/O: *");
    return;
  }
  close(fd);
  open_disk(f, &driver, &disk);
  blk_assert_sector(&driver, 7, 7);
  blk_write(&driver, 7, 8);
  blk_assert_sector(&driver, 7, 8);
  blk_driver_clear(&driver);
}

/* One writer, or any number of readers. */
static void test_locks(Fixture *f, gconstpointer data) {
  DiskConfig writer = {.path = (char *)"image", .image.format = DISK_IMAGE_FORMAT_QCOW2};
  const DiskConfig reader = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .read_only = true}};
  const DiskConfig cow = {.path = (char *)"image", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .cow = true}};
  g_autoptr(GPtrArray) base = list("raw", NULL);
  const DiskConfig overlay = {.path = (char *)"overlay", .image.format = DISK_IMAGE_FORMAT_QCOW2, .backing = base};
  const DiskImageOptions raw = {.format = DISK_IMAGE_FORMAT_RAW};
  BlkDriver driver;

  make_image("qcow2", "image");
  open_disk(f, &driver, &writer);
  refuse(f, &writer, "disk image image is in use by process * (*): *");
  refuse(f, &reader, "disk image image is in use by process * (*): *");
  refuse(f, &cow, "disk image image is in use by process * (*): *");
  blk_driver_clear(&driver);
  open_disk(f, &driver, &cow);
  refuse(f, &writer, "disk image image is in use by process * (*): *");
  blk_driver_clear(&driver);

  /* A raw disk of eret's own is not to be written while it backs an image, and the other way round. */
  g_autoptr(GError) error = NULL;
  run("qemu-img", "create", "-f", "qcow2", "-b", "raw", "-F", "raw", "overlay", NULL);
  DiskImage *image = disk_image_open("raw", &raw, &error);
  g_assert_no_error(error);
  refuse(f, &overlay, "disk image raw is in use by process * (*): *");
  disk_image_free(image);
  open_disk(f, &driver, &overlay);
  g_assert_null(disk_image_open("raw", &raw, &error));
  g_assert_true(g_error_matches(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_BUSY));
  blk_driver_clear(&driver);
}

/* What an image says of other files: none is read. */
static void test_hostile(Fixture *f, gconstpointer data) {
  static const char *const names[] = {"/etc/passwd", "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", "nbd://127.0.0.1/",
                                      "https://127.0.0.1/x"};
  const DiskConfig image = {.path = (char *)"image", .image.format = DISK_IMAGE_FORMAT_QCOW2};
  const DiskConfig vmdk = {.path = (char *)"image.vmdk", .image.format = DISK_IMAGE_FORMAT_VMDK};

  for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
    run("qemu-img", "create", "-f", "qcow2", "-u", "-b", names[i], "-F", "raw", "image", "1M", NULL);
    refuse(f, &image, i ? "disk image image is backed by '*', which is no file of this host: *" : "*allow it by*");
    g_unlink("image");
  }
  run("qemu-img", "create", "-f", "qcow2", "-o", "data_file=data,data_file_raw=on", "image", "1M", NULL);
  refuse(f, &image, "disk image image has its data in another file, 'data': *");
  static const char *const extents[] = {"/etc/passwd", "nbd://127.0.0.1/"};
  for (unsigned i = 0; i < G_N_ELEMENTS(extents); i++) {
    g_autofree char *text = g_strdup_printf("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
                                            "createType=\"monolithicFlat\"\nRW 1 FLAT \"%s\" 0\n",
                                            extents[i]);
    g_assert_true(g_file_set_contents("image.vmdk", text, -1, NULL));
    refuse(f, &vmdk, i ? "disk image image.vmdk *" : "disk image image.vmdk has its data in another file, '/etc/passwd': *");
  }
}

static void poke(const char *path, long offset, uint8_t byte) {
  FILE *file = fopen(path, "r+b");

  g_assert_nonnull(file);
  g_assert_cmpint(fseek(file, offset, SEEK_SET), ==, 0);
  g_assert_cmpint(fputc(byte, file), ==, byte);
  g_assert_cmpint(fclose(file), ==, 0);
}

/* QEMU: docs/interop/qcow2.rst, "Header". */
static void test_bad(Fixture *f, gconstpointer data) {
  enum { VERSION_BYTE = 7, CORRUPT_BYTE = 79, UNKNOWN_BYTE = 77 };
  DiskConfig disk = {.path = (char *)"image", .image.format = DISK_IMAGE_FORMAT_QCOW2};

  make_image("qcow2", "image");
  poke("image", VERSION_BYTE, 4);
  refuse(f, &disk, "disk image image is newer than qemu-storage-daemon *: *");
  poke("image", VERSION_BYTE, 3);
  poke("image", UNKNOWN_BYTE, 1);
  refuse(f, &disk, "disk image image is newer than qemu-storage-daemon *: *");
  poke("image", UNKNOWN_BYTE, 0);
  poke("image", CORRUPT_BYTE, 2);
  refuse(f, &disk, "disk image image is corrupt, *'qemu-img check -r all */image'*");
  disk.image.format = DISK_IMAGE_FORMAT_VMDK;
  refuse(f, &disk, "disk image image is no vmdk image, but a qcow2 image: ',format=qcow2'");
  disk.image.format = DISK_IMAGE_FORMAT_QCOW2;
  disk.path = (char *)"raw";
  refuse(f, &disk, "disk image raw is no qcow2 image (*");
  run("qemu-img", "create", "-f", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=key", "--object", "secret,id=key,data=abc",
      "secret", "1M", NULL);
  disk.path = (char *)"secret";
  refuse(f, &disk, "disk image secret is encrypted: *");
  g_assert_cmpint(mkfifo("fifo", 0600), ==, 0);
  disk.path = (char *)"fifo";
  refuse(f, &disk, "disk image fifo is neither a regular file nor a block device");
}

/* Names are names, whatever is in them. */
static void test_names(Fixture *f, gconstpointer data) {
  static const char *const names[] = {"a,b", "json:{}", "x:y", "a\"b\\", "new\nline", "}: x", "%s", "-o", "caf\xc3\xa9"};
  BlkDriver driver;

  for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(f->directory, names[i], NULL), *base = g_strconcat(path, ".base", NULL);
    g_autoptr(GPtrArray) backing = list(base, NULL);
    const DiskConfig disk = {.path = (char *)names[i], .image.format = DISK_IMAGE_FORMAT_QCOW2, .backing = backing};
    make_raw(base);
    run("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", "raw", "image", NULL);
    g_assert_cmpint(g_rename("image", path), ==, 0);
    open_disk(f, &driver, &disk);
    blk_assert_sector(&driver, 77, 77);
    blk_driver_clear(&driver);
  }
  const DiskConfig latin = {.path = (char *)"caf\xe9", .image.format = DISK_IMAGE_FORMAT_QCOW2};
  refuse(f, &latin, "disk image caf\xe9 has no name in UTF-8, *");
}

/* NBD. */

static void die_with_us(gpointer data) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* One at the socket "nbd". */
static GPid start_server(const Fixture *f, const char *option, const char *image) {
  g_autofree char *socket = g_build_filename(f->directory, "nbd", NULL);
  const char *const argv[] = {"qemu-nbd", option, "-t", "-k", socket, "-x", "disk", "-f", "raw", image, NULL};
  g_autoptr(GError) error = NULL;
  GPid server;

  g_unlink(socket);
  g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_us, NULL, &server, &error);
  g_assert_no_error(error);
  WAIT_FOR(g_file_test(socket, G_FILE_TEST_EXISTS));
  return server;
}

static void end_server(GPid server) {
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
}

static void test_nbd(Fixture *f, gconstpointer data) {
  g_autofree char *uri = g_strdup_printf("nbd+unix:///disk?socket=%s/nbd", f->directory);
  g_autofree char *other = g_strdup_printf("nbd+unix:///other?socket=%s/nbd", f->directory);
  const DiskConfig disk = {.nbd = uri}, wrong = {.nbd = other};
  const DiskConfig cow = {.nbd = uri, .image.cow = true}, read_only = {.nbd = uri, .image.read_only = true};
  const DiskConfig qcow2 = {.nbd = uri, .image.format = DISK_IMAGE_FORMAT_QCOW2};
  BlkDriver driver;

  refuse(f, &disk, "NBD disk nbd+unix:///disk?socket=*/nbd cannot be reached: start the server first (Failed to connect *");
  make_raw("image");
  GPid server = start_server(f, "--discard=unmap", "image");
  open_disk(f, &driver, &disk);
  blk_write(&driver, 3, 0x33);
  blk_assert_sector(&driver, 3, 0x33);
  blk_driver_clear(&driver);
  refuse(f, &wrong, "NBD disk * is none of its server's: *");
  refuse(f, &qcow2, "NBD disk * is no qcow2 image (*");
  end_server(server);

  g_autofree char *sum = checksum("image");
  server = start_server(f, "-r", "image");
  refuse(f, &disk, "NBD disk * may only be read: ',ro', or ',cow' (*");
  open_disk(f, &driver, &cow);
  blk_write(&driver, 3, 0x44);
  blk_assert_sector(&driver, 3, 0x44);
  blk_driver_clear(&driver);
  open_disk(f, &driver, &read_only);
  blk_assert_sector(&driver, 3, 0x33);
  blk_driver_clear(&driver);
  end_server(server);
  g_autofree char *after = checksum("image");
  g_assert_cmpstr(after, ==, sum);
}

/* A server that comes back within a minute: its guest waits. */
static void test_nbd_returns(Fixture *f, gconstpointer data) {
  g_autofree char *uri = g_strdup_printf("nbd+unix:///disk?socket=%s/nbd", f->directory);
  const DiskConfig disk = {.nbd = uri};
  BlkDriver driver;

  make_raw("image");
  GPid server = start_server(f, "--discard=unmap", "image");
  open_disk(f, &driver, &disk);
  blk_assert_sector(&driver, 3, 3);
  end_server(server);
  server = start_server(f, "--discard=unmap", "image");
  blk_assert_sector(&driver, 4, 4);
  blk_driver_clear(&driver);
  end_server(server);
}

#define ADD(path, function) g_test_add("/disk-formats/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  static const char *const programs[] = {"qemu-storage-daemon", "qemu-img", "qemu-nbd"};

  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
    g_autofree char *program = g_find_program_in_path(programs[i]);
    if (program)
      continue;
    g_print("1..0 # SKIP there is no %s (Debian: qemu-utils)\n", programs[i]);
    return 0;
  }
  for (DiskImageFormat format = DISK_IMAGE_FORMAT_QCOW2; format <= DISK_IMAGE_FORMAT_PARALLELS; format++) {
    g_autofree char *path = g_strconcat("/disk-formats/format/", disk_image_format_name(format), NULL);
    g_test_add_data_func(path, GUINT_TO_POINTER(format), test_formats);
  }
  ADD("read-only", test_read_only);
  ADD("backing", test_backing);
  ADD("cow", test_cow);
  ADD("killed", test_killed);
  ADD("options", test_options);
  ADD("direct", test_direct);
  ADD("locks", test_locks);
  ADD("hostile", test_hostile);
  ADD("bad", test_bad);
  ADD("names", test_names);
  ADD("nbd", test_nbd);
  ADD("nbd-returns", test_nbd_returns);
  return g_test_run();
}
