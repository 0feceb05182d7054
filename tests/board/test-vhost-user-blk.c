/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in another process, a real one: QEMU's storage daemon behind the generic vhost-user device, with a driver's
 * rings written by hand. It is killed and started again under it. Skipped where there is no qemu-storage-daemon.
 */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "devices/virtio/vhost-user.h"
#include "tests/board/blk-driver.h"

#define BLOCK     2
#define DISK_SIZE (UINT64_C(4) << 20)

typedef struct {
  BlkDriver driver; /* first */
  char *directory, *image, *path;
  GPid daemon;
} Fixture;

static void die_with_us(gpointer data) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool is_listening(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  close(fd);
  return connected;
}

static void start_daemon(Fixture *f) {
  g_autofree char *file = g_strdup_printf("driver=file,node-name=file,filename=%s", f->image);
  g_autofree char *export = g_strdup_printf("type=vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path=%s", f->path);
  char *argv[] = {"qemu-storage-daemon", "--blockdev", file, "--blockdev", "driver=raw,node-name=disk,file=file", "--export", export, NULL};
  g_autoptr(GError) error = NULL;

  g_unlink(f->path);
  g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_us, NULL, &f->daemon, &error);
  g_assert_no_error(error);
  WAIT_FOR(is_listening(f->path));
}

static void kill_daemon(Fixture *f) {
  if (f->daemon) {
    kill(f->daemon, SIGKILL);
    waitpid(f->daemon, NULL, 0);
  }
  f->daemon = 0;
}

static void set_up(Fixture *f, gconstpointer data) {
  g_autofree uint8_t *content = g_malloc(DISK_SIZE);

  blk_driver_init(&f->driver);
  f->directory = g_dir_make_tmp("vhost-blk-XXXXXX", NULL);
  f->image = g_build_filename(f->directory, "disk", NULL);
  f->path = g_build_filename(f->directory, "socket", NULL);
  for (uint64_t i = 0; i < DISK_SIZE; i++)
    content[i] = (uint8_t)(i / SECTOR_SIZE);
  g_assert_true(g_file_set_contents(f->image, (const char *)content, DISK_SIZE, NULL));
  start_daemon(f);
  g_autoptr(GError) error = NULL;
  VirtioDevice *device = virtio_vhost_user_new("vhost-user0", &f->driver.guest.memory, f->path, BLOCK, 0, &error);
  g_assert_no_error(error);
  blk_driver_connect(&f->driver, device);
}

static void tear_down(Fixture *f, gconstpointer data) {
  blk_driver_clear(&f->driver);
  kill_daemon(f);
  g_unlink(f->path);
  g_unlink(f->image);
  g_rmdir(f->directory);
  g_free(f->path);
  g_free(f->image);
  g_free(f->directory);
}

static void test_disk(Fixture *f, gconstpointer data) {
  uint64_t capacity;

  virtio_config_read(f->driver.device, 0, &capacity, sizeof capacity);
  g_assert_cmpuint(capacity, ==, DISK_SIZE / SECTOR_SIZE);
  g_assert_cmpuint(f->driver.device->n_queues, ==, 1);
  blk_go_live(&f->driver);
  for (unsigned i = 0; i < 40; i++) /* more than the ring has */
    blk_assert_sector(&f->driver, i, (uint8_t)i);
  blk_write(&f->driver, 7, 0xa5);
  blk_assert_sector(&f->driver, 8, 8);
  blk_assert_sector(&f->driver, 7, 0xa5);
  g_assert_cmpuint(blk_request(&f->driver, IN, DISK_SIZE / SECTOR_SIZE), ==, 1); /* beyond its end: VIRTIO_BLK_S_IOERR */
}

static void test_pause(Fixture *f, gconstpointer data) {
  blk_go_live(&f->driver);
  for (unsigned i = 0; i < 10; i++) {
    blk_assert_sector(&f->driver, i, (uint8_t)i);
    virtio_device_pause(f->driver.device);
    g_assert_cmpuint(f->driver.device->queues[0].next_avail, ==, i + 1);
    virtio_device_resume(f->driver.device);
  }
}

static void test_reboot(Fixture *f, gconstpointer data) {
  for (unsigned i = 0; i < 10; i++) {
    blk_go_live(&f->driver);
    blk_assert_sector(&f->driver, 100 + i, (uint8_t)(100 + i));
    virtio_set_status(f->driver.device, 0);
  }
}

static void test_killed(Fixture *f, gconstpointer data) {
  blk_go_live(&f->driver);
  blk_assert_sector(&f->driver, 3, 3);
  kill_daemon(f);
  WAIT_FOR(virtio_get_status(f->driver.device) == (LIVE | VIRTIO_STATUS_NEEDS_RESET));
  WAIT_FOR(__atomic_load_n(&f->driver.config_interrupts, __ATOMIC_SEQ_CST) > 0);
  start_daemon(f);
  virtio_set_status(f->driver.device, 0);
  blk_go_live(&f->driver);
  blk_assert_sector(&f->driver, 4, 4);
}

#define ADD(path, function) g_test_add("/vhost-user-blk/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_autofree char *daemon = g_find_program_in_path("qemu-storage-daemon");

  g_test_init(&argc, &argv, NULL);
  if (!daemon) {
    g_print("1..0 # SKIP there is no qemu-storage-daemon (Debian 12: qemu-system-common, 13: qemu-utils)\n");
    return 0;
  }
  ADD("disk", test_disk);
  ADD("pause", test_pause);
  ADD("reboot", test_reboot);
  ADD("killed", test_killed);
  return g_test_run();
}
