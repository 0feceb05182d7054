/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device that another process is, with a driver on one side and a fake back end on the other:
 * devices/virtio/vhost-user.c, vhost-user-type.c, vhost-queues.c.
 */
#define _GNU_SOURCE /* memfd_create */
#include "devices/virtio/vhost-user.h"
#include "tests/unit/devices/vhost/fake-backend.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define NEGOTIATED (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define LIVE       (NEGOTIATED | VIRTIO_STATUS_DRIVER_OK)
#define FAILED     (LIVE | VIRTIO_STATUS_NEEDS_RESET)

enum { NET = 1, RNG = 4, BLOCK = 2, INPUT = 18, FS = 26, UNKNOWN = 50 };

typedef struct {
  FakeGuest guest;
  FakeBackend backend;
  VirtioDevice *device;
  FakeQueue driver[2];
  int interrupts[2], config_interrupts, config_changes; /* atomic */
} Fixture;

static void queue_interrupt(void *transport, unsigned queue) {
  __atomic_fetch_add(&((Fixture *)transport)->interrupts[queue], 1, __ATOMIC_SEQ_CST);
}

static void config_interrupt(void *transport) {
  __atomic_fetch_add(&((Fixture *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

static void config_changed(void *transport) {
  __atomic_fetch_add(&((Fixture *)transport)->config_changes, 1, __ATOMIC_SEQ_CST);
}

static const VirtioTransportOps transport_ops = {queue_interrupt, config_interrupt, config_changed};

static int count(const int *of) {
  return __atomic_load_n(of, __ATOMIC_SEQ_CST);
}

static void set_up(Fixture *f, gconstpointer data) {
  fake_guest_init_shared(&f->guest);
  fake_backend_init(&f->backend);
  for (unsigned i = 0; i < 2; i++)
    f->driver[i] = fake_queue(&f->guest, i, 16);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_free(f->device);
  fake_backend_clear(&f->backend);
  fake_guest_clear(&f->guest);
}

static void plug(Fixture *f, unsigned type, unsigned queues) {
  g_autoptr(GError) error = NULL;

  fake_backend_listen(&f->backend);
  f->device = virtio_vhost_user_new("vhost-user0", &f->guest.memory, f->backend.path, type, queues, &error);
  g_assert_no_error(error);
  virtio_device_connect(f->device, &transport_ops, f);
}

static void go_live(Fixture *f) {
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE);
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  virtio_set_driver_features(f->device, 0, virtio_get_device_features(f->device, 0));
  virtio_set_driver_features(f->device, 1, virtio_get_device_features(f->device, 1));
  virtio_set_status(f->device, NEGOTIATED);
  for (unsigned i = 0; i < f->device->n_queues; i++)
    fake_tell_queue(f->device, i, &f->driver[i]);
  virtio_set_status(f->device, LIVE);
}

/* A driver that begins anew has empty rings. */
static void reset(Fixture *f) {
  virtio_set_status(f->device, 0);
  for (unsigned i = 0; i < 2; i++) {
    memset(fake_at(&f->guest, f->driver[i].descriptors), 0, 0x10000);
    f->driver[i].avail_idx = 0;
  }
}

static void echo(Fixture *f, unsigned queue, uint16_t head, const char *text) {
  uint16_t before = fake_used_idx(&f->driver[queue]);
  int interrupts = count(&f->interrupts[queue]);

  fake_offer_text(&f->driver[queue], head, text);
  virtio_ring_doorbell(f->device, queue);
  WAIT_FOR(fake_used_idx(&f->driver[queue]) == (uint16_t)(before + 1));
  g_assert_cmpstr(fake_answer(&f->driver[queue], head), ==, text);
  WAIT_FOR(count(&f->interrupts[queue]) > interrupts);
}

static void assert_failed(Fixture *f) {
  WAIT_FOR(virtio_get_status(f->device) == FAILED);
  WAIT_FOR(count(&f->config_interrupts) > 0);
}

static void test_service(Fixture *f, gconstpointer data) {
  plug(f, RNG, 0);
  g_assert_cmpuint(f->device->n_queues, ==, 2); /* as the back end says */
  g_assert_cmpuint(f->device->ops->id, ==, RNG);
  g_assert_cmpuint(f->device->ops->config_size, ==, 0);
  g_free(fake_backend_log(&f->backend));
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_cmpstr(log, ==,
                  "SET_FEATURES SET_MEM_TABLE SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL SET_VRING_KICK "
                  "SET_VRING_ENABLE SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL SET_VRING_KICK SET_VRING_ENABLE");
  echo(f, 0, 0, "one");
  echo(f, 0, 2, "two");
  echo(f, 1, 0, "three");
}

/* What the guest is offered: the back end's, without what no transport of ours carries, and nothing of our own. */
static void test_features(Fixture *f, gconstpointer data) {
  f->backend.features = UINT64_MAX & ~VIRTIO_F_EVENT_IDX;
  f->backend.protocol |= FAKE_CONFIG;
  f->backend.config_size = 60;
  plug(f, BLOCK, 0);
  /* Not SIZE_MAX, which is not believed; nor, as it says RO, DISCARD and WRITE_ZEROES. */
  g_assert_cmphex(virtio_get_device_features(f->device, 0), ==, 0x10ff9ffd);
  g_assert_cmphex(virtio_get_device_features(f->device, 1), ==, 0xfffc0001);
  go_live(f);
  g_assert_cmphex(f->backend.acked, ==, UINT64_C(0xfffc000110ff9ffd) | FAKE_F_PROTOCOL);
}

/* What a driver does not take is not said to have been taken. */
static void test_features_less(Fixture *f, gconstpointer data) {
  f->backend.features |= 0x80 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC;
  plug(f, RNG, 0);
  virtio_set_driver_features(f->device, 0, 0x80);
  virtio_set_driver_features(f->device, 1, 1);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(f->backend.acked, ==, UINT64_C(0x100000080) | FAKE_F_PROTOCOL);
}

static void assert_refused(Fixture *f, unsigned type, unsigned queues, const char *why) {
  g_autoptr(GError) error = NULL;

  g_assert_null(virtio_vhost_user_new("vhost-user0", &f->guest.memory, f->backend.path, type, queues, &error));
  g_assert_nonnull(error);
  if (!strstr(error->message, why))
    g_test_message("%s", error->message);
  g_assert_true(strstr(error->message, why));
  g_assert_true(strstr(error->message, f->backend.path));
}

static void test_refused(Fixture *f, gconstpointer data) {
  assert_refused(f, RNG, 0, "start the back end first");
  fake_backend_listen(&f->backend);
  assert_refused(f, RNG, 3, "has 2 queues, not 3");
  assert_refused(f, FS, 0, "a device of type fs has a tag (virtiofsd: --tag=NAME)");
  fake_backend_stop(&f->backend);
  f->backend.features &= ~VIRTIO_F_VERSION_1;
  fake_backend_listen(&f->backend);
  assert_refused(f, RNG, 0, "virtio 1.0");
  fake_backend_stop(&f->backend);
}

static void test_queues(Fixture *f, gconstpointer data) {
  f->backend.queue_num = UINT64_MAX; /* as many as anybody could have */
  plug(f, RNG, 0);
  g_assert_cmpuint(f->device->n_queues, ==, VHOST_USER_QUEUES_MAX);
}

static void test_queues_unsaid(Fixture *f, gconstpointer data) {
  f->backend.protocol &= ~(uint64_t)FAKE_MQ; /* what GET_QUEUE_NUM would say then means nothing */
  plug(f, RNG, 0);
  g_assert_cmpuint(f->device->n_queues, ==, 1);
}

/* Over a pause the queue goes on where it was, and what was made available meanwhile is served. */
static void test_pause(Fixture *f, gconstpointer data) {
  plug(f, RNG, 0);
  go_live(f);
  for (uint16_t i = 0; i < 20; i++)
    echo(f, 0, (uint16_t)(i % 4 * 2), "before");
  g_free(fake_backend_log(&f->backend));
  virtio_device_pause(f->device);
  g_assert_cmpuint(f->device->queues[0].next_avail, ==, 20);
  g_assert_cmpuint(f->device->queues[1].next_avail, ==, 0);
  fake_offer_text(&f->driver[0], 0, "meanwhile");
  int interrupts = count(&f->interrupts[0]);
  virtio_device_resume(f->device);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 21);
  g_assert_cmpstr(fake_answer(&f->driver[0], 0), ==, "meanwhile");
  WAIT_FOR(count(&f->interrupts[0]) > interrupts);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_true(g_str_has_prefix(log, "GET_VRING_BASE GET_VRING_BASE SET_FEATURES"));
  echo(f, 0, 2, "after");
}

/* A guest's reset keeps the connection; the back end is told to forget, where it can. */
static void test_reset(Fixture *f, gconstpointer data) {
  plug(f, RNG, 0);
  reset(f); /* of one that nobody has used: nothing to forget */
  go_live(f);
  for (unsigned i = 0; i < 10; i++) {
    echo(f, 0, 0, "before");
    reset(f);
    g_free(fake_backend_log(&f->backend));
    go_live(f);
    g_autofree char *log = fake_backend_log(&f->backend);
    g_assert_true(g_str_has_prefix(log, "RESET_DEVICE SET_FEATURES SET_MEM_TABLE"));
    echo(f, 0, 0, "after");
  }
  g_assert_cmpuint(f->backend.accepted, ==, 1);
}

static void test_reset_unknown(Fixture *f, gconstpointer data) {
  f->backend.protocol &= ~(uint64_t)FAKE_RESET_DEVICE;
  plug(f, RNG, 0);
  go_live(f);
  echo(f, 0, 0, "before");
  reset(f);
  go_live(f);
  echo(f, 0, 0, "after");
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_null(strstr(log, "RESET"));
}

/* It dies: the device says so, all else goes on, and once it is back and the guest has reset the device, so is that. */
static void test_dies(Fixture *f, gconstpointer data) {
  g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE,
                        "vhost-user0: vhost-user back end */socket has closed its connection; it needs a reset*");
  plug(f, RNG, 0);
  go_live(f);
  echo(f, 0, 0, "before");
  fake_backend_stop(&f->backend);
  assert_failed(f);
  g_test_assert_expected_messages();
  virtio_ring_doorbell(f->device, 0); /* nobody hears it */
  virtio_device_pause(f->device);
  virtio_device_resume(f->device);

  reset(f);
  go_live(f); /* it is not back */
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  reset(f);
  fake_backend_listen(&f->backend);
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  echo(f, 0, 0, "after");
}

/* It dies while nobody looks: before there is a driver, and during a pause. */
static void test_dies_unseen(Fixture *f, gconstpointer data) {
  plug(f, RNG, 0);
  fake_backend_stop(&f->backend);
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  fake_backend_listen(&f->backend);
  reset(f);
  go_live(f);
  echo(f, 0, 0, "before");
  virtio_device_pause(f->device);
  fake_backend_stop(&f->backend);
  fake_backend_listen(&f->backend); /* a new one knows nothing of the old one's chains */
  virtio_device_resume(f->device);
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  reset(f);
  go_live(f);
  echo(f, 0, 0, "after");
}

/* Another comes back in its place, that can do less than the guest was told. */
static void test_comes_back_with_less(Fixture *f, gconstpointer data) {
  f->backend.features |= 0x80;
  plug(f, RNG, 0);
  go_live(f);
  echo(f, 0, 0, "before");
  fake_backend_stop(&f->backend);
  assert_failed(f);
  f->backend.features &= ~UINT64_C(0x80);
  fake_backend_listen(&f->backend);
  reset(f);
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
}

/* Neither start nor stop waits longer than the bound for one that answers no more. */
static void test_never(Fixture *f, gconstpointer data) {
  plug(f, RNG, 0);
  fake_backend_misbehave(&f->backend, VHOST_USER_SET_VRING_NUM, NOTHING);
  gint64 begin = g_get_monotonic_time();
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  g_assert_cmpint(g_get_monotonic_time() - begin, >, 2 * G_USEC_PER_SEC);
  reset(f);
  go_live(f);
  echo(f, 0, 0, "again");
  fake_backend_misbehave(&f->backend, VHOST_USER_GET_VRING_BASE, NOTHING);
  reset(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  go_live(f); /* by a new connection */
  echo(f, 0, 0, "and again");
  g_assert_cmpuint(f->backend.accepted, ==, 3);
}

/* Each way to fail at a start leaves a device that can be reset and used. */
static void test_misdeeds(Fixture *f, gconstpointer data) {
  static const struct {
    VhostUserRequest at;
    Misdeed misdeed;
  } cases[] = {
      {VHOST_USER_SET_FEATURES, REFUSES},        {VHOST_USER_SET_MEM_TABLE, WITH_FDS}, {VHOST_USER_SET_VRING_ADDR, REFUSES},
      {VHOST_USER_SET_VRING_CALL, HUGE_PAYLOAD}, {VHOST_USER_SET_VRING_KICK, DIES},    {VHOST_USER_SET_VRING_ENABLE, CUT},
      {VHOST_USER_RESET_DEVICE, REFUSES},
  };

  plug(f, RNG, 0);
  go_live(f);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    fake_backend_misbehave(&f->backend, cases[i].at, cases[i].misdeed);
    reset(f);
    go_live(f);
    g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
    reset(f);
    go_live(f);
    g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
    echo(f, 1, 0, "all is well");
  }
  fake_backend_send_raw(f->backend.fd, "garbage", 7, NULL, 0);
  assert_failed(f);
}

/* A place that is no shared memory is the guest's fault, and the back end is not bothered with it. */
static void test_ring_elsewhere(Fixture *f, gconstpointer data) {
  uint64_t bytes[0x1000];

  plug(f, RNG, 0);
  g_assert_true(guest_memory_add(&f->guest.memory, 0x1000, sizeof bytes, bytes));
  f->driver[0].descriptors = 0x1000;
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_null(strstr(log, "SET_VRING_ADDR"));
}

/* It ends with a chain in hand that it has not returned. */
static void die_at_work(Fixture *f, uint16_t head, const char *text) {
  g_mutex_lock(&f->backend.lock);
  uint64_t kicks = f->backend.kicks;
  f->backend.idle = true;
  g_mutex_unlock(&f->backend.lock);
  fake_offer_text(&f->driver[0], head, text);
  virtio_ring_doorbell(f->device, 0);
  WAIT_FOR(__atomic_load_n(&f->backend.kicks, __ATOMIC_SEQ_CST) > kicks);
  fake_backend_stop(&f->backend);
  f->backend.idle = false;
}

/*
 * One that writes down what it has in flight dies with a chain in hand, and the next one returns it: the driver has
 * noticed nothing.
 */
static void test_another_goes_on(Fixture *f, gconstpointer data) {
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, RNG, 0);
  g_free(fake_backend_log(&f->backend));
  go_live(f);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_true(g_str_has_prefix(log, "SET_FEATURES GET_INFLIGHT_FD SET_INFLIGHT_FD SET_MEM_TABLE"));
  echo(f, 0, 0, "before");
  echo(f, 1, 0, "before");
  for (unsigned i = 0; i < 3; i++) { /* and then no more for a while */
    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "vhost-user0: *has closed its connection; what the guest asks for waits*");
    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "vhost-user0: *is there again, and goes on*");
  }
  for (uint16_t i = 0; i < 5; i++) {
    die_at_work(f, 2, "in hand");
    fake_offer_text(&f->driver[0], 4, "meanwhile");
    virtio_ring_doorbell(f->device, 0);
    g_usleep(i == 2 ? 400000 : 0); /* some tries find nobody */
    int interrupts = count(&f->interrupts[0]);
    fake_backend_listen(&f->backend);
    WAIT_FOR(fake_used_idx(&f->driver[0]) == 3 + 2 * i);
    WAIT_FOR(count(&f->interrupts[0]) > interrupts);
    g_assert_cmpstr(fake_answer(&f->driver[0], 2), ==, "in hand");
    g_assert_cmpstr(fake_answer(&f->driver[0], 4), ==, "meanwhile");
    g_assert_cmpuint(f->backend.rings[0].base, ==, 1 + 2 * i);
    g_assert_cmpuint(f->backend.rings[1].base, ==, 1);
    g_assert_cmpint(f->backend.mark, ==, FAKE_INFLIGHT_MARK);
  }
  echo(f, 1, 2, "after");
  g_test_assert_expected_messages();
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_cmpint(count(&f->config_interrupts), ==, 0);
}

/* Those that come first are of no use, each in its way; there is time for one that is. */
static void test_others_do_not(Fixture *f, gconstpointer data) {
  static const struct {
    VhostUserRequest at;
    Misdeed misdeed;
  } cases[] = {
      {VHOST_USER_GET_FEATURES, NO_FLAG},
      {VHOST_USER_SET_INFLIGHT_FD, REFUSES},
      {VHOST_USER_SET_VRING_KICK, DIES},
      {VHOST_USER_SET_VRING_ENABLE, REFUSES},
  };

  f->backend.protocol |= FAKE_INFLIGHT;
  f->backend.features |= 0x80;
  plug(f, RNG, 0);
  go_live(f);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases) + 2; i++) {
    uint16_t used = fake_used_idx(&f->driver[0]);
    die_at_work(f, 2, "in hand");
    if (i < G_N_ELEMENTS(cases))
      fake_backend_misbehave(&f->backend, cases[i].at, cases[i].misdeed);
    else if (i == G_N_ELEMENTS(cases))
      f->backend.protocol &= ~(uint64_t)FAKE_INFLIGHT; /* it does not know of what is in flight */
    else
      f->backend.features &= ~UINT64_C(0x80); /* the driver was told of more */
    unsigned accepted = f->backend.accepted;
    fake_backend_listen(&f->backend);
    WAIT_FOR(__atomic_load_n(&f->backend.accepted, __ATOMIC_SEQ_CST) >= accepted + 2);
    fake_backend_stop(&f->backend);
    f->backend.protocol |= FAKE_INFLIGHT;
    f->backend.features |= 0x80;
    fake_backend_listen(&f->backend);
    WAIT_FOR(fake_used_idx(&f->driver[0]) == (uint16_t)(used + 1));
    g_assert_cmpstr(fake_answer(&f->driver[0], 2), ==, "in hand");
  }
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

/* A pause ends the wait, and the end of the pause begins one; the same where it dies unseen. */
static void test_away_and_pause(Fixture *f, gconstpointer data) {
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, RNG, 0);
  go_live(f);
  echo(f, 0, 0, "before");
  die_at_work(f, 2, "in hand");
  virtio_device_pause(f->device);
  fake_backend_listen(&f->backend);
  unsigned accepted = f->backend.accepted;
  g_usleep(300000);
  g_assert_cmpuint(__atomic_load_n(&f->backend.accepted, __ATOMIC_SEQ_CST), ==, accepted); /* nobody is looked for */
  g_assert_cmpuint(fake_used_idx(&f->driver[0]), ==, 1);
  virtio_device_resume(f->device);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 2);
  g_assert_cmpstr(fake_answer(&f->driver[0], 2), ==, "in hand");

  virtio_device_pause(f->device);
  fake_backend_stop(&f->backend);
  fake_offer_text(&f->driver[0], 4, "meanwhile");
  virtio_device_resume(f->device);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  virtio_device_pause(f->device); /* while it is away */
  virtio_device_resume(f->device);
  fake_backend_listen(&f->backend);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 3);
  g_assert_cmpstr(fake_answer(&f->driver[0], 4), ==, "meanwhile");
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_cmpint(f->backend.mark, ==, FAKE_INFLIGHT_MARK);
}

/* What a driver had in flight is not the next one's: a reset ends the wait, and the next record is a new one. */
static void test_away_and_reset(Fixture *f, gconstpointer data) {
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, RNG, 0);
  go_live(f);
  die_at_work(f, 2, "in hand");
  reset(f);
  go_live(f); /* nobody is there, and nothing in flight */
  g_assert_cmphex(virtio_get_status(f->device), ==, FAILED);
  reset(f);
  fake_backend_listen(&f->backend);
  go_live(f);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_cmpint(f->backend.mark, ==, 0);
  g_assert_cmpuint(f->backend.rings[0].base, ==, 0);
  echo(f, 0, 0, "after");
  reset(f);
  go_live(f);
  g_assert_cmpint(f->backend.mark, ==, 0);
  echo(f, 0, 0, "after");
}

/* What goes wrong on its own account is no reason to wait: nobody knows what it has done. */
static void test_no_wait_for_garbage(Fixture *f, gconstpointer data) {
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, RNG, 0);
  go_live(f);
  echo(f, 0, 0, "before");
  fake_backend_send_raw(f->backend.fd, "garbage", 7, NULL, 0);
  assert_failed(f);
}

static void give_config(Fixture *f, unsigned size) {
  f->backend.protocol |= FAKE_CONFIG | FAKE_BACKEND_REQ;
  f->backend.config_size = size;
  memset(f->backend.config, 'a', size);
}

/* The guest reads a copy: no read asks anybody. */
static void test_config(Fixture *f, gconstpointer data) {
  uint8_t bytes[4];

  give_config(f, 60);
  plug(f, BLOCK, 0);
  g_assert_cmpuint(f->device->ops->config_size, ==, 60);
  go_live(f);
  g_free(fake_backend_log(&f->backend));
  virtio_config_read(f->device, 58, bytes, 4);
  g_assert_cmpmem(bytes, 4, "aa\0\0", 4);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_cmpstr(log, ==, "");

  memset(f->backend.config, 'b', 60);
  fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 0, false);
  WAIT_FOR(count(&f->config_interrupts) == 1);
  g_assert_cmpint(count(&f->config_changes), ==, 1);
  virtio_config_read(f->device, 0, bytes, 4);
  g_assert_cmpmem(bytes, 4, "bbbb", 4);

  fake_backend_misbehave(&f->backend, VHOST_USER_GET_CONFIG, SHORT);
  fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 0, false);
  assert_failed(f);
  virtio_config_read(f->device, 0, bytes, 4); /* what was known last */
  g_assert_cmpmem(bytes, 4, "bbbb", 4);

  memset(f->backend.config, 'c', 60);
  reset(f);
  go_live(f);
  virtio_config_read(f->device, 0, bytes, 4);
  g_assert_cmpmem(bytes, 4, "cccc", 4);
  fake_backend_say(&f->backend, 99, VHOST_USER_VERSION, UINT32_MAX, false);
  assert_failed(f);
}

/* Of one that comes in another's place, the driver is told of the configuration if it is another one. */
static void test_config_of_another(Fixture *f, gconstpointer data) {
  uint8_t bytes[4];

  give_config(f, 60);
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, BLOCK, 0);
  go_live(f);
  die_at_work(f, 2, "in hand");
  fake_backend_listen(&f->backend);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1);
  echo(f, 0, 0, "and more");
  g_assert_cmpint(count(&f->config_interrupts), ==, 0);
  die_at_work(f, 2, "in hand");
  memset(f->backend.config, 'b', 60);
  fake_backend_listen(&f->backend);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 3);
  WAIT_FOR(count(&f->config_interrupts) == 1);
  virtio_config_read(f->device, 0, bytes, 4);
  g_assert_cmpmem(bytes, 4, "bbbb", 4);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

static unsigned times(const char *text, const char *word) {
  unsigned n = 0;

  for (const char *at = text; (at = strstr(at, word)); at++)
    n++;
  return n;
}

/*
 * What a driver has set, of one that is gone or while nobody was there, is known to who comes in its place before that
 * serves anything, and is what the driver reads; but not to who serves the next driver, and no other byte is.
 */
static void test_config_written_while_away(Fixture *f, gconstpointer data) {
  uint8_t bytes[8];

  give_config(f, 60);
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, BLOCK, 0);
  virtio_config_write(f->device, 32, "w", 1);
  go_live(f);
  for (unsigned i = 0; i < 2; i++) {
    die_at_work(f, 2, "in hand");
    virtio_config_write(f->device, 0, "1234", 4);
    virtio_config_write(f->device, 30, i ? "56Z8" : "56w8", 4);
    virtio_config_read(f->device, 32, bytes, 1);
    g_assert_cmpint(bytes[0], ==, i ? 'Z' : 'w');
    memset(f->backend.config, i ? 'c' : 'b', sizeof f->backend.config); /* as it is in a new process */
    g_free(fake_backend_log(&f->backend));
    fake_backend_listen(&f->backend);
    WAIT_FOR(fake_used_idx(&f->driver[0]) == i + 1);
    WAIT_FOR(count(&f->config_interrupts) == (int)i + 1); /* the rest of it is another */
    g_autofree char *log = fake_backend_log(&f->backend);
    g_assert_cmpuint(times(log, "SET_CONFIG"), ==, 1);
    g_assert_true(strstr(log, "SET_CONFIG SET_VRING_NUM"));
    virtio_config_read(f->device, 28, bytes, sizeof bytes);
    g_assert_cmpmem(bytes, sizeof bytes, i ? "ccccZccc" : "bbbbwbbb", 8);
    g_assert_cmpmem(f->backend.config + 28, 8, bytes, 8);
  }
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);

  fake_backend_stop(&f->backend);
  virtio_config_write(f->device, 32, "y", 1);
  reset(f);
  fake_backend_listen(&f->backend);
  go_live(f);
  g_autofree char *log = fake_backend_log(&f->backend);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_null(strstr(log, "SET_CONFIG"));
}

/* The loss shows by the write itself, which is to arrive all the same; and who does not take it is not the one. */
static void test_config_write_lost(Fixture *f, gconstpointer data) {
  give_config(f, 60);
  f->backend.protocol |= FAKE_INFLIGHT;
  plug(f, BLOCK, 0);
  go_live(f);
  fake_backend_misbehave(&f->backend, VHOST_USER_SET_CONFIG, DIES);
  virtio_config_write(f->device, 32, "w", 1);
  fake_backend_stop(&f->backend);
  memset(f->backend.config, 'a', sizeof f->backend.config);
  fake_backend_misbehave(&f->backend, VHOST_USER_SET_CONFIG, REFUSES);
  unsigned accepted = f->backend.accepted;
  fake_backend_listen(&f->backend);
  echo(f, 0, 0, "after");
  g_assert_cmpuint(f->backend.accepted, >=, accepted + 2);
  g_assert_cmpint(f->backend.config[32], ==, 'w');
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

/* What is read after a write follows from it, also before there is a driver that has said DRIVER_OK. */
static void test_config_write(Fixture *f, gconstpointer data) {
  uint8_t bytes[4];

  give_config(f, 136);
  f->backend.input = true;
  plug(f, INPUT, 0);
  virtio_config_write(f->device, 0, "x", 1);
  virtio_config_read(f->device, 100, bytes, 4);
  g_assert_cmpmem(bytes, 4, "xxxx", 4);
  go_live(f);
  virtio_config_write(f->device, 0, "y", 1);
  virtio_config_read(f->device, 100, bytes, 4);
  g_assert_cmpmem(bytes, 4, "yyyy", 4);
  virtio_config_write(f->device, 135, "zz", 2); /* not wholly inside */
  fake_backend_misbehave(&f->backend, VHOST_USER_SET_CONFIG, REFUSES);
  virtio_config_write(f->device, 0, "z", 1);
  assert_failed(f);
  virtio_config_write(f->device, 0, "z", 1); /* there is nobody to tell */
  virtio_config_read(f->device, 100, bytes, 4);
  g_assert_cmpmem(bytes, 4, "yyyy", 4);
}

/* It says so in the middle of what it is asked: the driver hears of it, once, and reads what is the latest. */
static void test_config_news(Fixture *f, gconstpointer data) {
  uint8_t bytes[4];

  give_config(f, 136);
  f->backend.input = true;
  plug(f, INPUT, 0);
  go_live(f);
  f->backend.confers = 1;
  virtio_config_write(f->device, 0, "x", 1);
  g_assert_cmpint(count(&f->config_interrupts), ==, 1);
  virtio_config_read(f->device, 100, bytes, 4);
  g_assert_cmpmem(bytes, 4, "xxxx", 4);
  f->backend.confers = 0;
  virtio_config_write(f->device, 0, "y", 1);
  g_assert_cmpint(count(&f->config_interrupts), ==, 1);
}

/* Of a type that we do not know, how much configuration there is is a guess. */
static void test_config_guessed(Fixture *f, gconstpointer data) {
  give_config(f, VHOST_USER_CONFIG_MAX);
  plug(f, UNKNOWN, 2);
  g_assert_cmpuint(f->device->ops->config_size, ==, VHOST_USER_CONFIG_MAX);
}

static void test_config_guessed_wrong(Fixture *f, gconstpointer data) {
  give_config(f, 8);
  plug(f, UNKNOWN, 2);
  g_assert_cmpuint(f->device->ops->config_size, ==, 0);
  go_live(f);
  echo(f, 0, 0, "without");
}

/* A card of passt's: the back end gives no configuration, and is asked and told nothing of it; a driver finds one. */
static void test_config_missing(Fixture *f, gconstpointer data) {
  uint8_t bytes[12];

  f->backend.passt = true;
  f->backend.protocol &= ~(uint64_t)(FAKE_CONFIG | FAKE_MQ);
  plug(f, NET, 2);
  g_assert_cmpuint(f->device->ops->config_size, ==, sizeof bytes);
  go_live(f);
  memset(bytes, 'x', sizeof bytes);
  virtio_config_read(f->device, 0, bytes, sizeof bytes);
  g_assert_cmpmem(bytes, sizeof bytes, "\0\0\0\0\0\0\0\0\0\0\0", sizeof bytes);
  virtio_config_write(f->device, 0, "x", 1);
  echo(f, 0, 0, "it lives");
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

static void test_config_missing_guessed(Fixture *f, gconstpointer data) {
  plug(f, UNKNOWN, 2);
  g_assert_cmpuint(f->device->ops->config_size, ==, 0);
}

/* A device that is only planned needs no back end. */
static void test_plan(Fixture *f, gconstpointer data) {
  VhostUserDeviceConfig asked = {.path = "/nowhere", .type = "sound"};
  DeviceParts parts = {.name = "vhost-user0", .asked = &asked, .memory = &f->guest.memory, .plan_only = true};

  f->device = virtio_vhost_user_kind.make_virtio(&parts, NULL);
  g_assert_nonnull(f->device);
  g_assert_cmpuint(f->device->n_queues, ==, 4);
  g_assert_cmpuint(f->device->ops->id, ==, 25);
  g_autofree char *text = virtio_vhost_user_kind.print_asked(&asked);
  g_assert_cmpstr(text, ==, "sound at /nowhere");
}

static void test_types(void) {
  g_autofree char *names = vhost_user_type_names();

  g_assert_true(g_str_has_prefix(names, "net, block, console, rng, "));
  g_assert_cmpuint(vhost_user_type_id("rng"), ==, RNG);
  g_assert_cmpuint(vhost_user_type_id("i2c"), ==, 34);
  g_assert_cmpuint(vhost_user_type_id("toaster"), ==, 0);
  g_assert_cmpuint(vhost_user_type_id(""), ==, 0);
  g_assert_cmpuint(vhost_user_type_id("18"), ==, 18);
  g_assert_cmpuint(vhost_user_type_id("63"), ==, 63);
  g_assert_cmpuint(vhost_user_type_id("64"), ==, 0);
  g_assert_cmpuint(vhost_user_type_id("0"), ==, 0);
  g_assert_cmpuint(vhost_user_type_id("-4"), ==, 0);
  g_assert_cmpuint(vhost_user_type_id("4x"), ==, 0);
  g_assert_cmpuint(vhost_user_type(BLOCK).config_size, ==, 60);
  g_assert_cmpuint(vhost_user_type(UNKNOWN).queues, ==, 1);
}

#define ADD(path, function) g_test_add("/virtio-vhost-user/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("service", test_service);
  ADD("features", test_features);
  ADD("features-less", test_features_less);
  ADD("refused", test_refused);
  ADD("queues", test_queues);
  ADD("queues-unsaid", test_queues_unsaid);
  ADD("pause", test_pause);
  ADD("reset", test_reset);
  ADD("reset-unknown", test_reset_unknown);
  ADD("dies", test_dies);
  ADD("dies-unseen", test_dies_unseen);
  ADD("comes-back-with-less", test_comes_back_with_less);
  ADD("never", test_never);
  ADD("misdeeds", test_misdeeds);
  ADD("ring-elsewhere", test_ring_elsewhere);
  ADD("another-goes-on", test_another_goes_on);
  ADD("others-do-not", test_others_do_not);
  ADD("away-and-pause", test_away_and_pause);
  ADD("away-and-reset", test_away_and_reset);
  ADD("no-wait-for-garbage", test_no_wait_for_garbage);
  ADD("config", test_config);
  ADD("config-of-another", test_config_of_another);
  ADD("config-written-while-away", test_config_written_while_away);
  ADD("config-write-lost", test_config_write_lost);
  ADD("config-write", test_config_write);
  ADD("config-news", test_config_news);
  ADD("config-guessed", test_config_guessed);
  ADD("config-guessed-wrong", test_config_guessed_wrong);
  ADD("config-missing", test_config_missing);
  ADD("config-missing-guessed", test_config_missing_guessed);
  ADD("plan", test_plan);
  g_test_add_func("/virtio-vhost-user/types", test_types);
  return g_test_run();
}
