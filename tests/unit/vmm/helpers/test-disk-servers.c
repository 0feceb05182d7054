/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's qemu-storage-daemon: the talk before, what it is started with, and what is said where that fails. */
#include "vmm/helpers/disk-servers.h"

#include "tests/unit/vmm/helpers/fake-storage-daemon.h"

#define HELLO FAKE_GREETING "\nqmp_capabilities " FAKE_DONE "\n"
#define LOOK                                                                                                                               \
  "blockdev-add " FAKE_DONE "\n"                                                                                                           \
  "query-named-block-nodes {\"return\": [{\"node-name\": \"look\", \"image\": {\"virtual-size\": 512}}]}\n"                                \
  "blockdev-del " FAKE_DONE "\n"
#define MAKE                                                                                                                               \
  "blockdev-add " FAKE_DONE "\nblockdev-create " FAKE_DONE                                                                                 \
  "\nquery-jobs {\"return\": [{\"status\": \"concluded\"}]}\njob-dismiss " FAKE_DONE "\nblockdev-del " FAKE_DONE "\n"
#define TRY      "blockdev-add " FAKE_DONE "\n"
#define NO(DESC) "blockdev-add {\"error\": {\"desc\": \"" DESC "\"}}\n"

typedef struct {
  FakeStorage fake; /* first */
  DiskServers *servers;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  fake_storage_set_up(&f->fake, data);
  directory_write(".", "a", "");
  f->servers = disk_servers_new(NULL, &error);
  g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data) {
  disk_servers_free(f->servers);
  fake_storage_tear_down(&f->fake, data);
}

/* Its program answers, and was started with WANTED and, if it is a FILE that it has, that. */
static void assert_served(const Fixture *f, const DiskConfig *disk, const char *script, const char *wanted) {
  g_autoptr(GError) error = NULL;

  fake_script(script);
  g_autoptr(Helper) helper = f->servers->start(f->servers, "virtio-blk0", disk, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(helper->name, ==, "qemu-storage-daemon");
  int fd = helper->ops->take(helper);
  g_assert_cmpint(fd, >=, 0);
  close(fd);
  g_autofree char *served = NULL;
  g_assert_true(g_file_get_contents("served", &served, NULL, NULL));
  g_assert_true(strstr(served, wanted));
}

static void assert_refused(const Fixture *f, const DiskConfig *disk, const char *script, const char *message) {
  g_autoptr(GError) error = NULL;

  fake_script(script);
  g_assert_null(f->servers->start(f->servers, "virtio-blk0", disk, &error));
  g_test_message("%s", error->message);
  g_assert_true(g_pattern_match_simple(message, error->message));
}

static void test_served(Fixture *f, gconstpointer data) {
  const DiskConfig qcow2 = {.path = (char *)"a", .image.format = DISK_IMAGE_FORMAT_QCOW2};
  const DiskConfig read_only = {.path = (char *)"a", .image = {.format = DISK_IMAGE_FORMAT_QCOW2, .read_only = true}};
  const DiskConfig cow = {.path = (char *)"a", .image = {.format = DISK_IMAGE_FORMAT_VDI, .cow = true}};
  const DiskConfig nbd = {.nbd = (char *)"nbd://h/x"}, nbd_cow = {.nbd = (char *)"nbd://h/x", .image.cow = true};

  assert_served(f, &qcow2, HELLO LOOK TRY, "writable=on");
  assert_served(f, &read_only, HELLO LOOK TRY, "writable=off");
  assert_served(f, &cow, HELLO LOOK MAKE TRY, "/proc/self/fd/4");
  assert_served(f, &nbd, "!exit nobody talks\n", "\"host\" : \"h\"");
  assert_served(f, &nbd_cow, HELLO LOOK MAKE TRY, "/proc/self/fd/4");
}

static void test_refused(Fixture *f, gconstpointer data) {
  const DiskConfig qcow2 = {.path = (char *)"a", .image.format = DISK_IMAGE_FORMAT_QCOW2};
  const DiskConfig cow = {.path = (char *)"a", .image = {.format = DISK_IMAGE_FORMAT_VDI, .cow = true}};
  const DiskConfig nothing = {.path = (char *)"b", .image.format = DISK_IMAGE_FORMAT_VDI}, nbd = {.nbd = (char *)"nbds://h"};

  assert_refused(f, &qcow2, HELLO NO("Image is not in qcow2 format"), "virtio-blk0: disk image a is no qcow2 image (*");
  assert_refused(f, &qcow2, HELLO LOOK NO("qcow2: Image is corrupt; cannot be opened read/write"),
                 "virtio-blk0: disk image a is corrupt, *");
  assert_refused(f, &qcow2, HELLO LOOK "blockdev-add !exit help\n",
                 "virtio-blk0: disk image a was not opened: qemu-storage-daemon ended with exit status 3; its last words: help");
  assert_refused(f, &qcow2, "!exit cannot load\n",
                 "virtio-blk0: qemu-storage-daemon ended with exit status 3; its last words: cannot load");
  assert_refused(f, &cow, HELLO LOOK "blockdev-add " FAKE_DONE "\nblockdev-create {\"error\": {\"desc\": \"No space left on device\"}}\n",
                 "virtio-blk0: disk image a has no place in * for what is written to it: No space left on device");
  assert_refused(f, &nothing, HELLO, "virtio-blk0: disk image b cannot be opened: No such file or directory");
  assert_refused(f, &nbd, HELLO, "virtio-blk0: NBD disk nbds://h cannot be found: *TLS*");
  g_setenv("TMPDIR", "/nowhere", TRUE);
  assert_refused(f, &cow, HELLO,
                 "virtio-blk0: cannot make a file in /nowhere for what is written to the disk: *; the environment's TMPDIR *");
  g_unsetenv("TMPDIR");
}

/* When the one that is to serve says what is wrong. */
static void test_ended(Fixture *f, gconstpointer data) {
  const DiskConfig nbd = {.nbd = (char *)"nbd://h/x"}, qcow2 = {.path = (char *)"a", .image.format = DISK_IMAGE_FORMAT_QCOW2};

  directory_write(".", "refusal",
                  "qemu-storage-daemon: --blockdev {\n  \"driver\": 1\n}: Failed to connect to 'h:10809': Connection refused\n");
  assert_refused(f, &nbd, "", "virtio-blk0: NBD disk nbd://h/x cannot be reached: start the server first (*Connection refused)");
  directory_write(".", "refusal", "qemu-storage-daemon: --export x: Failed to lock byte 100\n");
  assert_refused(f, &qcow2, HELLO LOOK TRY, "virtio-blk0: disk image a is in use by another process: * (Failed to lock byte 100)");
  directory_write(".", "refusal", "");
  assert_refused(f, &qcow2, HELLO LOOK TRY, "virtio-blk0: qemu-storage-daemon ended with exit status 1");
}

#define ADD(path, function) g_test_add("/disk-servers/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  int status;

  if (fake_is_program(argc, argv, &status))
    return status;
  g_test_init(&argc, &argv, NULL);
  ADD("served", test_served);
  ADD("refused", test_refused);
  ADD("ended", test_ended);
  return g_test_run();
}
