/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long somebody is waited for who takes the place of a back end that is lost: devices/virtio/vhost-queues.c, under
 * a device type of this test's. What else it does is tested with a whole device: test-vhost-user.c.
 */
#define _GNU_SOURCE /* memfd_create */
#include "devices/virtio/vhost-queues.h"

#include "devices/vhost/vhost-user.h"
#include "tests/unit/devices/vhost/fake-backend.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define LIVE   (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)
#define FAILED (LIVE | VIRTIO_STATUS_NEEDS_RESET)

typedef struct {
  VirtioDevice device; /* first */
  VhostQueues *queues;
  Vhost *vhost; /* of queues */
  FakeGuest guest;
  FakeBackend backend;
  FakeQueue driver;
} Fixture;

static void start(VirtioDevice *device) {
  vhost_queues_start(((Fixture *)device)->queues);
}

static void notify(VirtioDevice *device, unsigned queue) {
}

static void stop(VirtioDevice *device) {
  vhost_queues_stop(((Fixture *)device)->queues);
}

static void forget(VirtioDevice *device) {
  vhost_queues_reset(((Fixture *)device)->queues);
}

static const VirtioDeviceOps device_ops = {.id = VIRTIO_ID_ENTROPY, .start = start, .notify = notify, .stop = stop, .reset = forget};

static void interrupt(void *transport, unsigned queue) {
}

static void config_interrupt(void *transport) {
}

static const VirtioTransportOps transport_ops = {interrupt, config_interrupt, NULL};

static void go_live(Fixture *f) {
  VirtioDevice *device = &f->device;

  virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  virtio_set_driver_features(device, 1, 1);
  virtio_set_status(device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  fake_tell_queue(device, 0, &f->driver);
  virtio_set_status(device, LIVE);
  g_assert_cmphex(virtio_get_status(device), ==, LIVE);
}

static void set_up(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint16_t size = 16;

  fake_guest_init_shared(&f->guest);
  fake_backend_init(&f->backend);
  f->backend.protocol |= FAKE_INFLIGHT;
  f->driver = fake_queue(&f->guest, 0, size);
  fake_backend_listen(&f->backend);
  f->vhost = vhost_user_new(f->backend.path, false);
  g_assert_cmpint(f->vhost->away_us, ==, 60 * G_USEC_PER_SEC);
  vhost_begin(f->vhost);
  g_assert_true(f->vhost->ops->connect(f->vhost, &error));
  g_assert_true(virtio_device_init(&f->device, &device_ops, "test0", &f->guest.memory, 0, 1, &size, &error));
  f->queues = vhost_queues_new(&f->device, f->vhost, 0, 1, &error);
  g_assert_no_error(error);
  virtio_device_connect(&f->device, &transport_ops, f);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_reset(&f->device);
  vhost_queues_free(f->queues);
  virtio_device_clear(&f->device);
  fake_backend_clear(&f->backend);
  fake_guest_clear(&f->guest);
}

static void do_nothing(void *opaque) {
}

/* Nobody comes: what is said at the end is why the last try failed. */
static void test_nobody_comes(Fixture *f, gconstpointer data) {
  f->vhost->away_us = G_USEC_PER_SEC / 2;
  go_live(f);
  g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "test0: *has closed its connection; what the guest asks for waits*");
  g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "test0: cannot connect to *; start the back end first; it needs a reset*");
  fake_backend_stop(&f->backend);
  WAIT_FOR(virtio_get_status(&f->device) == FAILED);
  io_thread_call(f->device.io, do_nothing, NULL); /* the thread that failed it has said so, too */
  g_test_assert_expected_messages();
  fake_backend_listen(&f->backend);
  virtio_set_status(&f->device, 0);
  go_live(f);
  g_assert_cmpint(f->backend.mark, ==, 0); /* and all begins anew */
}

/* Each dies before it has returned anything: the time does not begin anew with it. */
static void test_no_progress(Fixture *f, gconstpointer data) {
  unsigned accepted = 0;

  f->vhost->away_us = G_USEC_PER_SEC;
  f->backend.idle = true;
  go_live(f);
  while (virtio_get_status(&f->device) == LIVE) {
    accepted = f->backend.accepted;
    fake_backend_stop(&f->backend);
    fake_backend_listen(&f->backend);
    WAIT_FOR(__atomic_load_n(&f->backend.accepted, __ATOMIC_SEQ_CST) > accepted || virtio_get_status(&f->device) == FAILED);
  }
  g_assert_cmphex(virtio_get_status(&f->device), ==, FAILED);
  g_assert_cmpuint(accepted, >=, 2);
}

/* Each returns one chain before it dies: that goes on for longer than one alone would be waited for. */
static void test_progress(Fixture *f, gconstpointer data) {
  f->vhost->away_us = G_USEC_PER_SEC / 2;
  go_live(f);
  gint64 begin = g_get_monotonic_time();
  for (uint16_t used = 1; g_get_monotonic_time() - begin < 2 * f->vhost->away_us; used++) {
    fake_offer_text(&f->driver, 0, "one more");
    virtio_ring_doorbell(&f->device, 0);
    WAIT_FOR(fake_used_idx(&f->driver) == used);
    fake_backend_stop(&f->backend);
    fake_backend_listen(&f->backend);
  }
  g_assert_cmphex(virtio_get_status(&f->device), ==, LIVE);
}

/* One that had nothing to do was there for long enough: its loss is a new one. */
static void test_long_there(Fixture *f, gconstpointer data) {
  f->vhost->away_us = 2 * G_USEC_PER_SEC;
  go_live(f);
  for (unsigned i = 0; i < 2; i++) {
    unsigned accepted = f->backend.accepted;
    fake_backend_stop(&f->backend);
    g_usleep(i == 0 ? 400000 : 1000000); /* some tries find nobody */
    fake_backend_listen(&f->backend);
    WAIT_FOR(__atomic_load_n(&f->backend.accepted, __ATOMIC_SEQ_CST) > accepted || virtio_get_status(&f->device) == FAILED);
    g_assert_cmphex(virtio_get_status(&f->device), ==, LIVE);
    if (i == 0)
      g_usleep(2200000);
  }
}

/* One whose rings run together, as those of the kernel's vsock do: what it has been told. */

typedef struct {
  Vhost base; /* first */
  bool runs;
  unsigned started; /* rings: a bit each */
} Together;

static bool together_connect(Vhost *base, GError **error) {
  return true;
}

static void together_disconnect(Vhost *base) {
}

static bool together_set_features(Vhost *base, uint64_t features, GError **error) {
  return true;
}

static bool together_set_memory(Vhost *base, const GuestMemory *memory, GError **error) {
  return true;
}

static bool together_start_vring(Vhost *base, unsigned index, const VhostVring *vring, GError **error) {
  ((Together *)base)->started |= 1u << index;
  return true;
}

static bool together_run(Vhost *base, bool running, GError **error) {
  ((Together *)base)->runs = running;
  return true;
}

static bool together_stop_vring(Vhost *base, unsigned index, uint16_t *next, GError **error) {
  *next = 0;
  return true;
}

static void together_free(Vhost *base) {
}

static const VhostOps together_ops = {
    .connect = together_connect,
    .disconnect = together_disconnect,
    .set_features = together_set_features,
    .set_memory = together_set_memory,
    .start_vring = together_start_vring,
    .run = together_run,
    .stop_vring = together_stop_vring,
    .free = together_free,
};

/* Rings that run together do not where one of them is none: it may be known from before, and its memory another's. */
static void test_one_is_missing(void) {
  Together together = {.base = {.ops = &together_ops, .name = "together", .connected = true, .watch_fds = {-1, -1}}};
  const uint16_t sizes[] = {16, 16};
  Fixture f = {.vhost = &together.base};
  g_autoptr(GError) error = NULL;

  fake_guest_init(&f.guest);
  g_assert_true(virtio_device_init(&f.device, &device_ops, "test0", &f.guest.memory, 0, 2, sizes, &error));
  f.queues = vhost_queues_new(&f.device, f.vhost, 0, 2, &error);
  g_assert_no_error(error);
  virtio_device_connect(&f.device, &transport_ops, &f);
  FakeQueue second = fake_queue(&f.guest, 1, 16);
  fake_tell_queue(&f.device, 1, &second);
  f.driver = fake_queue(&f.guest, 0, 16);
  go_live(&f);
  g_assert_cmphex(together.started, ==, 3);
  g_assert_true(together.runs);
  virtio_queue_disable(&f.device, 1);
  g_assert_false(together.runs);
  virtio_set_status(&f.device, 0);
  together.started = 0;
  go_live(&f); /* the next driver has the first alone */
  g_assert_cmphex(together.started, ==, 1);
  g_assert_false(together.runs);
  virtio_device_reset(&f.device);
  vhost_queues_free(f.queues);
  virtio_device_clear(&f.device);
  fake_guest_clear(&f.guest);
}

#define ADD(path, function) g_test_add("/vhost-queues/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("nobody-comes", test_nobody_comes);
  ADD("no-progress", test_no_progress);
  ADD("progress", test_progress);
  ADD("long-there", test_long_there);
  g_test_add_func("/vhost-queues/one-is-missing", test_one_is_missing);
  return g_test_run();
}
