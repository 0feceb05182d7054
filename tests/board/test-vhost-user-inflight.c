/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back end in another process that keeps a record of what it has in flight (tests/host/rng-back-end.c, which this
 * program is when it is told a path): it is killed at any moment, and started again, and the driver has each of its
 * chains back, once.
 */
#define _GNU_SOURCE /* memfd_create, for the back end */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "devices/virtio/vhost-user.h"
#include "tests/unit/devices/virtio/fake-driver.h"

int rng_back_end(int argc, char **argv);
#define main rng_back_end
#include "tests/host/rng-back-end.c"
#undef main

#define RNG      4
#define F_WRITE  2 /* virtio 1.2, 2.7.5 */
#define FILL     "60"
#define CHAINS   4
#define SIZE     64
#define REQUESTS 300
#define BUFFERS  (RAM_BASE + 0x80000)
#define LIVE     (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)

static const char *program;

typedef struct {
  FakeGuest guest;
  char *directory, *path;
  GPid back_end;
  VirtioDevice *device;
  FakeQueue driver;
  int config_interrupts; /* atomic */
  bool offered[CHAINS];
  uint16_t seen; /* of the used ring */
} Fixture;

static void queue_interrupt(void *transport, unsigned queue) {
}

static void config_interrupt(void *transport) {
  __atomic_fetch_add(&((Fixture *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

static void die_with_us(gpointer data) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void start_back_end(Fixture *f) {
  char *argv[] = {(char *)program, f->path, FILL, "inflight", NULL};
  g_autoptr(GError) error = NULL;

  g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_us, NULL, &f->back_end, &error);
  g_assert_no_error(error);
}

static void kill_back_end(Fixture *f) {
  kill(f->back_end, SIGKILL);
  waitpid(f->back_end, NULL, 0);
  g_unlink(f->path);
}

static void set_up(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  fake_guest_init_shared(&f->guest);
  f->directory = g_dir_make_tmp("vhost-rng-XXXXXX", NULL);
  f->path = g_build_filename(f->directory, "socket", NULL);
  f->driver = fake_queue(&f->guest, 0, 16);
  start_back_end(f);
  WAIT_FOR(f->device || (f->device = virtio_vhost_user_new("vhost-user0", &f->guest.memory, f->path, RNG, 1, NULL)));
  virtio_device_connect(f->device, &transport_ops, f);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_free(f->device);
  kill_back_end(f);
  g_rmdir(f->directory);
  g_free(f->path);
  g_free(f->directory);
  fake_guest_clear(&f->guest);
}

static void go_live(Fixture *f) {
  virtio_set_driver_features(f->device, 1, 1);
  virtio_set_status(f->device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  fake_tell_queue(f->device, 0, &f->driver);
  virtio_set_status(f->device, LIVE);
}

static uint8_t *buffer(Fixture *f, unsigned chain) {
  return fake_at(&f->guest, BUFFERS + (uint64_t)chain * SIZE);
}

static void offer_all(Fixture *f) {
  for (uint16_t i = 0; i < CHAINS; i++) {
    if (f->offered[i])
      continue;
    memset(buffer(f, i), 0, SIZE);
    fake_descriptor(&f->driver, i, BUFFERS + (uint64_t)i * SIZE, SIZE, F_WRITE, 0);
    fake_offer(&f->driver, i);
    f->offered[i] = true;
  }
  virtio_ring_doorbell(f->device, 0);
}

/* How many came back since the last time: each was offered, and is full. */
static unsigned take_all(Fixture *f) {
  uint8_t full[SIZE];
  unsigned n = 0;

  memset(full, atoi(FILL), sizeof full);
  for (; f->seen != fake_used_idx(&f->driver); f->seen++, n++) {
    uint32_t chain, written;
    fake_used(&f->driver, f->seen, &chain, &written);
    g_assert_cmpuint(chain, <, CHAINS);
    g_assert_true(f->offered[chain]);
    g_assert_cmpuint(written, ==, SIZE);
    g_assert_cmpmem(buffer(f, chain), SIZE, full, SIZE);
    f->offered[chain] = false;
  }
  return n;
}

static void test_killed(Fixture *f, gconstpointer data) {
  unsigned done = 0, kills = 0;

  go_live(f);
  while (done < REQUESTS) {
    /* Some 10 ms a chain: sooner or later in its hold, and now and then between two. */
    unsigned before = done;
    while (done < REQUESTS && done - before < 5 + 3 * kills) {
      offer_all(f);
      done += take_all(f);
      g_usleep(1000);
    }
    g_usleep(kills * 1700 % 11000);
    kill_back_end(f);
    start_back_end(f);
    kills++;
  }
  g_test_message("%u requests, %u kills", done, kills);
  g_assert_cmpuint(kills, >=, 5);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_cmpint(__atomic_load_n(&f->config_interrupts, __ATOMIC_SEQ_CST), ==, 0);
}

int main(int argc, char **argv) {
  if (argc == 4)
    return rng_back_end(argc, argv);
  program = argv[0];
  g_test_init(&argc, &argv, NULL);
  g_test_add("/vhost-user-inflight/killed", Fixture, NULL, set_up, test_killed, tear_down);
  return g_test_run();
}
