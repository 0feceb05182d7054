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
#include "tests/unit/devices/virtio/fake-driver.h"

#define BLOCK       2
#define DISK_SIZE   (UINT64_C(4) << 20)
#define SECTOR_SIZE 512
#define LIVE        (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)

/* virtio 1.2, 5.2.6: request types, where its parts are put here, and what comes back. */
enum { IN = 0, OUT = 1 };
#define HEADER (RAM_BASE + 0x80000)
#define DATA   (RAM_BASE + 0x90000)
#define STATUS (RAM_BASE + 0xa0000)

typedef struct {
  FakeGuest guest;
  char *directory, *image, *path;
  GPid daemon;
  VirtioDevice *device;
  FakeQueue driver;
  int interrupts, config_interrupts; /* atomic */
} Fixture;

static void queue_interrupt(void *transport, unsigned queue) {
  __atomic_fetch_add(&((Fixture *)transport)->interrupts, 1, __ATOMIC_SEQ_CST);
}

static void config_interrupt(void *transport) {
  __atomic_fetch_add(&((Fixture *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

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

  fake_guest_init_shared(&f->guest);
  f->directory = g_dir_make_tmp("vhost-blk-XXXXXX", NULL);
  f->image = g_build_filename(f->directory, "disk", NULL);
  f->path = g_build_filename(f->directory, "socket", NULL);
  for (uint64_t i = 0; i < DISK_SIZE; i++)
    content[i] = (uint8_t)(i / SECTOR_SIZE);
  g_assert_true(g_file_set_contents(f->image, (const char *)content, DISK_SIZE, NULL));
  f->driver = fake_queue(&f->guest, 0, 16);
  start_daemon(f);
  g_autoptr(GError) error = NULL;
  f->device = virtio_vhost_user_new("vhost-user0", &f->guest.memory, f->path, BLOCK, 0, &error);
  g_assert_no_error(error);
  virtio_device_connect(f->device, &transport_ops, f);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_free(f->device);
  kill_daemon(f);
  g_unlink(f->path);
  g_unlink(f->image);
  g_rmdir(f->directory);
  g_free(f->path);
  g_free(f->image);
  g_free(f->directory);
  fake_guest_clear(&f->guest);
}

static void go_live(Fixture *f) {
  virtio_set_driver_features(f->device, 0, (uint32_t)VIRTIO_F_INDIRECT_DESC);
  virtio_set_driver_features(f->device, 1, 1);
  virtio_set_status(f->device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  memset(fake_at(&f->guest, f->driver.descriptors), 0, 0x10000);
  f->driver.avail_idx = 0;
  VirtQueue *queue = virtio_queue_to_configure(f->device, 0);
  queue->config.size = f->driver.size;
  queue->config.descriptors = f->driver.descriptors;
  queue->config.driver = f->driver.driver;
  queue->config.device = f->driver.device;
  queue->config.ready = true;
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

/* One request of a sector; its status. */
static uint8_t request(Fixture *f, uint32_t type, uint64_t sector) {
  uint8_t *header = fake_at(&f->guest, HEADER), *status = fake_at(&f->guest, STATUS);
  uint16_t used = fake_used_idx(&f->driver);
  int interrupts = __atomic_load_n(&f->interrupts, __ATOMIC_SEQ_CST);

  memset(header, 0, 16);
  memcpy(header, &type, sizeof type);
  memcpy(header + 8, &sector, sizeof sector);
  *status = 0xff;
  fake_descriptor(&f->driver, 0, HEADER, 16, NEXT, 1);
  fake_descriptor(&f->driver, 1, DATA, SECTOR_SIZE, NEXT | (type == IN ? WRITE : 0), 2);
  fake_descriptor(&f->driver, 2, STATUS, 1, WRITE, 0);
  fake_offer(&f->driver, 0);
  virtio_ring_doorbell(f->device, 0);
  WAIT_FOR(fake_used_idx(&f->driver) == (uint16_t)(used + 1));
  WAIT_FOR(__atomic_load_n(&f->interrupts, __ATOMIC_SEQ_CST) > interrupts);
  return *status;
}

static void assert_sector(Fixture *f, uint64_t sector, uint8_t byte) {
  const uint8_t *data = fake_at(&f->guest, DATA);

  memset(fake_at(&f->guest, DATA), 0xee, SECTOR_SIZE);
  g_assert_cmpuint(request(f, IN, sector), ==, 0);
  for (unsigned i = 0; i < SECTOR_SIZE; i++)
    g_assert_cmphex(data[i], ==, byte);
}

static void test_disk(Fixture *f, gconstpointer data) {
  uint64_t capacity;

  virtio_config_read(f->device, 0, &capacity, sizeof capacity);
  g_assert_cmpuint(capacity, ==, DISK_SIZE / SECTOR_SIZE);
  g_assert_cmpuint(f->device->n_queues, ==, 1);
  go_live(f);
  for (unsigned i = 0; i < 40; i++) /* more than the ring has */
    assert_sector(f, i, (uint8_t)i);
  memset(fake_at(&f->guest, DATA), 0xa5, SECTOR_SIZE);
  g_assert_cmpuint(request(f, OUT, 7), ==, 0);
  assert_sector(f, 8, 8);
  assert_sector(f, 7, 0xa5);
  g_assert_cmpuint(request(f, IN, DISK_SIZE / SECTOR_SIZE), ==, 1); /* beyond its end: VIRTIO_BLK_S_IOERR */
}

static void test_pause(Fixture *f, gconstpointer data) {
  go_live(f);
  for (unsigned i = 0; i < 10; i++) {
    assert_sector(f, i, (uint8_t)i);
    virtio_device_pause(f->device);
    g_assert_cmpuint(f->device->queues[0].next_avail, ==, i + 1);
    virtio_device_resume(f->device);
  }
}

static void test_reboot(Fixture *f, gconstpointer data) {
  for (unsigned i = 0; i < 10; i++) {
    go_live(f);
    assert_sector(f, 100 + i, (uint8_t)(100 + i));
    virtio_set_status(f->device, 0);
  }
}

static void test_killed(Fixture *f, gconstpointer data) {
  go_live(f);
  assert_sector(f, 3, 3);
  kill_daemon(f);
  WAIT_FOR(virtio_get_status(f->device) == (LIVE | VIRTIO_STATUS_NEEDS_RESET));
  WAIT_FOR(__atomic_load_n(&f->config_interrupts, __ATOMIC_SEQ_CST) > 0);
  start_daemon(f);
  virtio_set_status(f->device, 0);
  go_live(f);
  assert_sector(f, 4, 4);
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
