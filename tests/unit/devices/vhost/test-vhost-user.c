/* SPDX-License-Identifier: Apache-2.0 */
/* The front end of vhost-user against good back ends and bad ones: devices/vhost/vhost-user.c, vhost-user-path.c. */
#define _GNU_SOURCE /* memfd_create */
#include "devices/vhost/vhost-user.h"
#include "tests/unit/devices/vhost/fake-backend.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define SHORT_PATIENCE_US 200000
#define RING_SIZE         16

typedef struct {
  FakeGuest guest;
  FakeBackend backend;
  Vhost *vhost;
  int kick, call;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  fake_guest_init_shared(&f->guest);
  fake_backend_init(&f->backend);
  f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  f->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void tear_down(Fixture *f, gconstpointer data) {
  vhost_free(f->vhost);
  fake_backend_clear(&f->backend);
  fake_guest_clear(&f->guest);
  close(f->kick);
  close(f->call);
}

static void listen_with(Fixture *f, bool config) {
  fake_backend_listen(&f->backend);
  f->vhost = vhost_user_new(f->backend.path, config);
  vhost_begin(f->vhost);
}

static void connect_now(Fixture *f) {
  g_autoptr(GError) error = NULL;
  bool connected = f->vhost->ops->connect(f->vhost, &error);
  g_assert_no_error(error);
  g_assert_true(connected);
  g_assert_true(f->vhost->connected);
}

/* Takes the string that fake_backend_log gives. */
static void assert_log(FakeBackend *backend, const char *expected) {
  g_autofree char *log = fake_backend_log(backend);
  g_assert_cmpstr(log, ==, expected);
}

static VhostVring vring_of(Fixture *f, const FakeQueue *driver, uint16_t base) {
  return (VhostVring){
      .size = driver->size,
      .base = base,
      .descriptors = fake_at(&f->guest, driver->descriptors),
      .driver = fake_at(&f->guest, driver->driver),
      .device = fake_at(&f->guest, driver->device),
      .kick = f->kick,
      .call = f->call,
  };
}

static bool start_ring(Fixture *f, unsigned index, FakeQueue *driver, uint16_t base, GError **error) {
  VhostVring vring = vring_of(f, driver, base);
  return f->vhost->ops->set_features(f->vhost, f->vhost->features, error) && f->vhost->ops->set_memory(f->vhost, &f->guest.memory, error) &&
         f->vhost->ops->start_vring(f->vhost, index, &vring, error);
}

static void test_introduction(Fixture *f, gconstpointer data) {
  listen_with(f, false);
  connect_now(f);
  connect_now(f); /* is connected: nothing */
  assert_log(&f->backend, "SET_OWNER GET_FEATURES GET_PROTOCOL_FEATURES SET_PROTOCOL_FEATURES GET_QUEUE_NUM");
  /* Only what is used here, whatever else it offers. */
  g_assert_cmphex(f->backend.protocol_acked, ==, FAKE_MQ | FAKE_REPLY_ACK | FAKE_RESET_DEVICE);
  g_assert_cmphex(f->vhost->features, ==, UINT64_C(1) << 32);
  g_assert_cmpuint(f->vhost->max_queues, ==, 2);
  g_assert_false(f->vhost->has_config);
  g_assert_cmpint(f->vhost->watch_fds[0], >=, 0);
  g_assert_cmpint(f->vhost->watch_fds[1], ==, -1);
}

/* One that has no protocol features has none asked for, and its rings run without being enabled. */
static void test_plain(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  FakeQueue driver = fake_queue(&f->guest, 0, RING_SIZE);

  f->backend.features = UINT64_C(1) << 32;
  listen_with(f, true);
  connect_now(f);
  assert_log(&f->backend, "SET_OWNER GET_FEATURES");
  g_assert_cmpuint(f->vhost->max_queues, ==, 0);
  g_assert_true(start_ring(f, 0, &driver, 0, &error));
  uint16_t base;
  g_assert_true(f->vhost->ops->stop_vring(f->vhost, 0, &base, &error)); /* is answered: it has read all */
  assert_log(&f->backend, "SET_FEATURES SET_MEM_TABLE GET_FEATURES SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL "
                          "SET_VRING_KICK GET_VRING_BASE");
}

/* passt ends on what it does not know; it has neither queues to ask for nor a configuration, nor a reset. */
static void test_passt(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  FakeQueue driver = fake_queue(&f->guest, 0, RING_SIZE);
  uint16_t base;

  f->backend.passt = true;
  f->backend.features = UINT64_C(0x144008000);
  f->backend.protocol = UINT64_C(0x8000e);
  listen_with(f, true);
  connect_now(f);
  WAIT_FOR(__atomic_load_n(&f->backend.protocol_acked, __ATOMIC_SEQ_CST) == FAKE_REPLY_ACK);
  g_assert_false(f->vhost->has_config);
  g_assert_true(f->vhost->ops->reset(f->vhost, &error));
  g_assert_true(start_ring(f, 0, &driver, 0, &error));
  g_assert_true(f->vhost->ops->stop_vring(f->vhost, 0, &base, &error));
  bool changed;
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_no_error(error);
}

/* The memory table is known to be read before anything is kicked: by an acknowledgement, or a question behind it. */
static void test_table_is_read(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  f->backend.protocol &= ~(uint64_t)FAKE_REPLY_ACK;
  listen_with(f, false);
  connect_now(f);
  fake_backend_misbehave(&f->backend, VHOST_USER_SET_MEM_TABLE, LATE);
  g_assert_true(f->vhost->ops->set_memory(f->vhost, &f->guest.memory, &error));
  g_assert_true(f->backend.answered_after_table);
  g_assert_cmpuint(f->backend.n_regions, ==, 1);
}

static bool is_signalled(int fd) {
  struct pollfd wanted = {.fd = fd, .events = POLLIN};
  return poll(&wanted, 1, 0) == 1;
}

static void test_ring(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  FakeQueue driver = fake_queue(&f->guest, 0, RING_SIZE);
  uint16_t base = 77;

  listen_with(f, false);
  connect_now(f);
  g_free(fake_backend_log(&f->backend));
  g_assert_true(start_ring(f, 1, &driver, 0, &error));
  assert_log(&f->backend, "SET_FEATURES SET_MEM_TABLE SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL SET_VRING_KICK "
                          "SET_VRING_ENABLE");
  g_assert_cmphex(f->backend.acked, ==, UINT64_C(1) << 32 | FAKE_F_PROTOCOL); /* LOG_ALL was offered, and is not ours */
  fake_offer_text(&driver, 0, "by another");
  fake_offer_text(&driver, 2, "process");
  eventfd_write(f->kick, 1);
  WAIT_FOR(fake_used_idx(&driver) == 2);
  g_assert_cmpstr(fake_answer(&driver, 0), ==, "by another");
  g_assert_cmpstr(fake_answer(&driver, 2), ==, "process");
  WAIT_FOR(is_signalled(f->call));

  g_assert_true(f->vhost->ops->stop_vring(f->vhost, 1, &base, &error));
  g_assert_cmpuint(base, ==, 2);
  fake_offer_text(&driver, 4, "while stopped");
  eventfd_write(f->kick, 1);
  g_assert_true(start_ring(f, 1, &driver, base, &error));
  WAIT_FOR(fake_used_idx(&driver) == 3);
  g_assert_cmpstr(fake_answer(&driver, 4), ==, "while stopped");
}

/* Memory that is not shared is not offered; without any there is nothing to do. */
static void test_memory(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint8_t own[16];
  GuestMemory private = {0};

  listen_with(f, false);
  connect_now(f);
  g_assert_true(guest_memory_add(&f->guest.memory, 0x1000, sizeof own, own));
  g_assert_true(f->vhost->ops->set_memory(f->vhost, &f->guest.memory, &error));
  g_assert_cmpuint(f->backend.n_regions, ==, 1);
  g_assert_cmphex(f->backend.regions[0].base, ==, RAM_BASE);
  g_assert_true(guest_memory_add(&private, 0x1000, sizeof own, own));
  g_assert_false(f->vhost->ops->set_memory(f->vhost, &private, &error));
  g_assert_true(strstr(error->message, "shared"));
}

static void test_config(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint8_t config[8], written[2] = {0xaa, 0xbb};
  bool changed = false;

  f->backend.protocol |= FAKE_CONFIG | FAKE_BACKEND_REQ;
  f->backend.config_size = 8;
  memcpy(f->backend.config, "12345678", 8);
  listen_with(f, true);
  connect_now(f);
  g_assert_true(f->vhost->has_config);
  g_assert_true(f->vhost->ops->get_config(f->vhost, config, 8, &error));
  g_assert_cmpmem(config, 8, "12345678", 8);
  g_assert_true(f->vhost->ops->set_config(f->vhost, 3, written, 2, &error));
  g_assert_true(f->vhost->ops->get_config(f->vhost, config, 8, &error));
  g_assert_cmpmem(config, 8, "123\xaa\xbb\x36\x37\x38", 8);

  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_false(changed);
  fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION, 0, false);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_true(changed);

  /* One that wants to know whether it was heard, and something that we do not know. */
  VhostUserMessage answer;
  VhostUserChannel channel = {.fd = f->backend.backend_fd, .peer = "front end"};
  fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, 0, false);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_true(vhost_user_receive(&channel, &answer, G_MAXINT64, &error));
  g_assert_cmpuint(answer.number, ==, 0);
  fake_backend_say(&f->backend, 99, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, 8, false);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_false(changed);
  g_assert_true(vhost_user_receive(&channel, &answer, G_MAXINT64, &error));
  g_assert_cmpuint(answer.number, ==, 1);

  /* It hangs up that channel alone: it has nothing more to say. */
  shutdown(f->backend.backend_fd, SHUT_RDWR);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_cmpint(f->vhost->watch_fds[1], ==, -1);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
}

/* One that has something to say while it is asked, and waits until it was heard; the main way's answer comes then. */
static void test_config_beside(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint8_t config[8] = {0};
  bool changed = false;

  f->backend.protocol |= FAKE_CONFIG | FAKE_BACKEND_REQ;
  f->backend.config_size = 8;
  f->backend.confers = 3;
  listen_with(f, true);
  connect_now(f);
  g_assert_true(f->vhost->ops->get_config(f->vhost, config, 8, &error));
  g_assert_no_error(error);
  g_assert_true(f->vhost->config_news);
  g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_true(changed);
  g_assert_false(f->vhost->config_news);
  g_assert_true(f->vhost->ops->set_config(f->vhost, 0, config, 1, &error));
  g_assert_true(f->vhost->config_news);

  /* Garbage on that way ends it then, too; and what it says there without end is no answer. */
  f->backend.confers = 0;
  fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 2, 0, false);
  fake_backend_misbehave(&f->backend, VHOST_USER_GET_CONFIG, LATE);
  g_assert_false(f->vhost->ops->get_config(f->vhost, config, 8, &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG);
  g_clear_error(&error);
  f->vhost->ops->disconnect(f->vhost);
  g_assert_false(f->vhost->config_news);
  WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);
  vhost_begin(f->vhost);
  connect_now(f);
  f->vhost->deadline = g_get_monotonic_time() + SHORT_PATIENCE_US;
  f->backend.confers = UINT_MAX;
  g_assert_false(f->vhost->ops->get_config(f->vhost, config, 8, &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_SLOW);
}

/* More than it has: the answer has no bytes, and that is an error that says so, not zeros. */
static void test_config_too_long(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint8_t config[VHOST_USER_CONFIG_MAX];

  f->backend.protocol |= FAKE_CONFIG;
  f->backend.config_size = 60;
  listen_with(f, true);
  connect_now(f);
  g_assert_cmpint(f->vhost->watch_fds[1], ==, -1); /* without BACKEND_REQ */
  g_assert_true(f->vhost->ops->get_config(f->vhost, config, 60, &error));
  g_assert_false(f->vhost->ops->get_config(f->vhost, config, sizeof config, &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG);
}

static bool set_inflight(Fixture *f, bool anew, GError **error) {
  return f->vhost->ops->set_inflight(f->vhost, anew, 2, RING_SIZE, error);
}

/* What one writes down is kept for the next, also while there is none, and given up when all begins anew. */
static void test_inflight(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  f->backend.protocol |= FAKE_INFLIGHT;
  listen_with(f, false);
  connect_now(f);
  g_assert_false(f->vhost->resumable);
  g_free(fake_backend_log(&f->backend));
  g_assert_true(set_inflight(f, true, &error));
  assert_log(&f->backend, "GET_INFLIGHT_FD SET_INFLIGHT_FD");
  g_assert_true(f->vhost->resumable);
  g_assert_cmpint(f->backend.mark, ==, 0);
  g_assert_cmpuint(f->backend.inflight.mmap_size, ==, FAKE_INFLIGHT_SIZE);
  g_assert_cmpuint(f->backend.inflight.mmap_offset, ==, FAKE_INFLIGHT_SIZE);
  g_assert_cmpuint(f->backend.inflight.num_queues, ==, 2);
  g_assert_cmpuint(f->backend.inflight.queue_size, ==, RING_SIZE);

  f->vhost->ops->disconnect(f->vhost);
  g_assert_true(f->vhost->resumable);
  WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);
  connect_now(f);
  g_free(fake_backend_log(&f->backend));
  g_assert_true(set_inflight(f, false, &error));
  assert_log(&f->backend, "SET_INFLIGHT_FD");
  g_assert_cmpint(f->backend.mark, ==, FAKE_INFLIGHT_MARK); /* the same */

  g_assert_true(set_inflight(f, true, &error));
  assert_log(&f->backend, "GET_INFLIGHT_FD SET_INFLIGHT_FD");
  g_assert_cmpint(f->backend.mark, ==, 0); /* another */
}

/*
 * One that keeps no record, and says so in either way; and one that comes in the place of another, and does not know of
 * it.
 */
static void test_inflight_none(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  listen_with(f, false);
  connect_now(f);
  g_free(fake_backend_log(&f->backend));
  g_assert_true(set_inflight(f, true, &error));
  g_assert_true(set_inflight(f, false, &error));
  assert_log(&f->backend, "");
  g_assert_false(f->vhost->resumable);
  f->vhost->ops->disconnect(f->vhost);
  WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);

  f->backend.protocol |= FAKE_INFLIGHT;
  connect_now(f);
  g_free(fake_backend_log(&f->backend));
  fake_backend_misbehave(&f->backend, VHOST_USER_GET_INFLIGHT_FD, NO_ROOM);
  g_assert_true(set_inflight(f, true, &error));
  assert_log(&f->backend, "GET_INFLIGHT_FD");
  g_assert_false(f->vhost->resumable);
  g_assert_true(set_inflight(f, true, &error));
  g_assert_true(f->vhost->resumable);
  f->vhost->ops->disconnect(f->vhost);
  WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);

  f->backend.protocol &= ~(uint64_t)FAKE_INFLIGHT;
  connect_now(f);
  g_assert_false(set_inflight(f, false, &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG);
  g_clear_error(&error);
  g_assert_true(set_inflight(f, true, &error));
  g_assert_false(f->vhost->resumable);
}

/* A record that is sealed as no smaller stays so, whoever still has it. */
static void test_inflight_sealed(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  f->backend.protocol |= FAKE_INFLIGHT;
  listen_with(f, false);
  connect_now(f);
  g_assert_true(set_inflight(f, true, &error));
  g_assert_cmpint(f->backend.kept_fd, >=, 0);
  g_assert_cmpint(ftruncate(f->backend.kept_fd, 0), <, 0);
  g_assert_cmpint(errno, ==, EPERM);
}

static unsigned count_descriptors(void) {
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name(dir))
    n++;
  return n;
}

/* Everything that can be wrong with an answer, at each request that has one. */
static void test_misdeeds(Fixture *f, gconstpointer data) {
  static const struct {
    VhostUserRequest at;
    Misdeed misdeed;
    VhostUserError error;
  } cases[] = {
      {VHOST_USER_GET_FEATURES, SHORT, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, LONG, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, HUGE_PAYLOAD, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, CUT, VHOST_USER_ERROR_GONE},
      {VHOST_USER_GET_FEATURES, HALF, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_FEATURES, DRIBBLE, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_FEATURES, LATE, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_FEATURES, NOTHING, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_FEATURES, NO_FLAG, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, OTHER_REQUEST, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, OTHER_VERSION, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, WITH_FDS, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_FEATURES, DIES, VHOST_USER_ERROR_GONE},
      {VHOST_USER_GET_PROTOCOL_FEATURES, NOTHING, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_PROTOCOL_FEATURES, TWICE, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_QUEUE_NUM, WITH_FDS, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_BACKEND_REQ_FD, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_GET_CONFIG, EMPTY_CONFIG, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_CONFIG, OTHER_CONFIG, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_CONFIG, SHORT, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_CONFIG, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_SET_FEATURES, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_GET_INFLIGHT_FD, SHORT, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, CUT, VHOST_USER_ERROR_GONE},
      {VHOST_USER_GET_INFLIGHT_FD, NOTHING, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_INFLIGHT_FD, OTHER_REQUEST, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, OTHER_VERSION, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, WITH_FDS, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, NO_FD, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, NO_BYTES, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, TOO_MUCH, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, TOO_FAR, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, SHORT_FILE, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_INFLIGHT_FD, NO_FILE, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_INFLIGHT_FD, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_SET_INFLIGHT_FD, DIES, VHOST_USER_ERROR_GONE},
      {VHOST_USER_SET_MEM_TABLE, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_SET_MEM_TABLE, SHORT, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_MEM_TABLE, DIES, VHOST_USER_ERROR_GONE},
      {VHOST_USER_SET_VRING_NUM, NOTHING, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_SET_VRING_BASE, OTHER_REQUEST, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_VRING_ADDR, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_SET_VRING_CALL, WITH_FDS, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_SET_VRING_KICK, DIES, VHOST_USER_ERROR_GONE},
      {VHOST_USER_SET_VRING_ENABLE, REFUSES, VHOST_USER_ERROR_REFUSED},
      {VHOST_USER_GET_VRING_BASE, OTHER_RING, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_VRING_BASE, WIDE_BASE, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_VRING_BASE, NOTHING, VHOST_USER_ERROR_SLOW},
      {VHOST_USER_GET_VRING_BASE, LONG, VHOST_USER_ERROR_WRONG},
      {VHOST_USER_GET_VRING_BASE, DIES, VHOST_USER_ERROR_GONE},
      {VHOST_USER_RESET_DEVICE, REFUSES, VHOST_USER_ERROR_REFUSED},
  };
  FakeQueue driver = fake_queue(&f->guest, 0, RING_SIZE);
  uint8_t config[8] = {0};
  uint16_t base;

  f->backend.protocol |= FAKE_CONFIG | FAKE_BACKEND_REQ | FAKE_INFLIGHT;
  f->backend.config_size = 8;
  listen_with(f, true);
  connect_now(f);
  f->vhost->ops->disconnect(f->vhost);
  WAIT_FOR(f->backend.fd < 0);
  unsigned descriptors = count_descriptors();
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    const VhostOps *ops = f->vhost->ops;

    g_test_message("%s, misdeed %d", vhost_user_request_name(cases[i].at), cases[i].misdeed);
    fake_backend_misbehave(&f->backend, cases[i].at, cases[i].misdeed);
    gint64 begin = g_get_monotonic_time();
    f->vhost->deadline = begin + SHORT_PATIENCE_US;
    bool done = ops->connect(f->vhost, &error) && ops->get_config(f->vhost, config, 8, &error) &&
                ops->set_config(f->vhost, 0, config, 1, &error) && set_inflight(f, true, &error) && start_ring(f, 0, &driver, 0, &error) &&
                ops->stop_vring(f->vhost, 0, &base, &error) && ops->reset(f->vhost, &error);
    g_assert_false(done);
    g_assert_error(error, VHOST_USER_ERROR, (gint)cases[i].error);
    g_assert_true(strstr(error->message, f->backend.path)); /* who */
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 20 * G_USEC_PER_SEC);
    ops->disconnect(f->vhost);
    g_assert_false(f->vhost->connected);
    WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);
  }
  /* What came along was closed, and nothing of ours is left, but the last record. */
  descriptors++;
  g_assert_cmpuint(count_descriptors(), ==, descriptors);
  vhost_begin(f->vhost);
  connect_now(f); /* and a good one is as good as ever */
}

/* What comes unasked: the end, bytes on the main channel, and garbage on its own. */
static void test_unasked(Fixture *f, gconstpointer data) {
  static const struct {
    uint32_t flags, size;
    bool with_fd;
  } garbage[] = {{2, 0, false}, {VHOST_USER_VERSION, UINT32_MAX, false}, {VHOST_USER_VERSION, 0, true}};
  bool changed;

  f->backend.protocol |= FAKE_CONFIG | FAKE_BACKEND_REQ;
  listen_with(f, true);
  for (unsigned i = 0; i < G_N_ELEMENTS(garbage); i++) {
    g_autoptr(GError) error = NULL;
    vhost_begin(f->vhost);
    connect_now(f);
    fake_backend_say(&f->backend, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, garbage[i].flags, garbage[i].size, garbage[i].with_fd);
    g_assert_false(f->vhost->ops->handle(f->vhost, &changed, &error));
    g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG);
    f->vhost->ops->disconnect(f->vhost);
    WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);
  }
  g_autoptr(GError) error = NULL;
  vhost_begin(f->vhost);
  connect_now(f);
  fake_backend_send_raw(f->backend.fd, "x", 1, NULL, 0);
  g_assert_false(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_true(strstr(error->message, "nobody asked"));
  g_clear_error(&error);
  f->vhost->ops->disconnect(f->vhost);
  WAIT_FOR(__atomic_load_n(&f->backend.fd, __ATOMIC_SEQ_CST) < 0);

  connect_now(f);
  fake_backend_stop(&f->backend);
  g_assert_false(f->vhost->ops->handle(f->vhost, &changed, &error));
  g_assert_true(strstr(error->message, "closed its connection"));
}

static void test_nobody_there(Fixture *f, gconstpointer data) {
  g_autofree char *long_path = g_strnfill(200, 'x');
  g_autoptr(GError) error = NULL;

  f->vhost = vhost_user_new(f->backend.path, false);
  vhost_begin(f->vhost);
  g_assert_false(f->vhost->ops->connect(f->vhost, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_true(strstr(error->message, f->backend.path));
  g_assert_true(strstr(error->message, "start the back end first"));
  g_clear_error(&error);
  g_assert_true(g_file_set_contents(f->backend.path, "", 0, NULL)); /* no socket */
  g_assert_false(f->vhost->ops->connect(f->vhost, &error));
  g_clear_error(&error);
  g_unlink(f->backend.path);

  g_autoptr(Vhost) too_long = vhost_user_new(long_path, false);
  g_assert_false(too_long->ops->connect(too_long, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG);
}

/* One that serves somebody else, and leaves us waiting: the bound holds. */
static void test_busy(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  listen_with(f, false);
  connect_now(f);
  g_autoptr(Vhost) second = vhost_user_new(f->backend.path, false);
  second->deadline = g_get_monotonic_time() + SHORT_PATIENCE_US;
  g_assert_false(second->ops->connect(second, &error));
  g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_SLOW);
  g_assert_cmpint(second->watch_fds[0], ==, -1);
}

/* A socket that is made for each connection, as of a process that is started for it. */
static int give_socket(void *opaque, GError **error) {
  int *left = opaque;
  int ends[2];

  if ((*left)-- == 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "there is no more");
    return -1;
  }
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
  close(ends[1]); /* it dies at once */
  return ends[0];
}

static void test_open(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  int left = 1;

  f->vhost = vhost_user_new_with("passt", false, give_socket, &left, NULL);
  vhost_begin(f->vhost);
  g_assert_false(f->vhost->ops->connect(f->vhost, &error));
  g_assert_cmpstr(error->message, ==, "passt has closed its connection");
  g_clear_error(&error);
  g_assert_false(f->vhost->ops->connect(f->vhost, &error));
  g_assert_cmpstr(error->message, ==, "there is no more");
}

#define ADD(path, function) g_test_add("/vhost-user/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("introduction", test_introduction);
  ADD("plain", test_plain);
  ADD("passt", test_passt);
  ADD("table-is-read", test_table_is_read);
  ADD("ring", test_ring);
  ADD("memory", test_memory);
  ADD("config", test_config);
  ADD("config-beside", test_config_beside);
  ADD("config-too-long", test_config_too_long);
  ADD("inflight", test_inflight);
  ADD("inflight-none", test_inflight_none);
  ADD("inflight-sealed", test_inflight_sealed);
  ADD("misdeeds", test_misdeeds);
  ADD("unasked", test_unasked);
  ADD("nobody-there", test_nobody_there);
  ADD("busy", test_busy);
  ADD("open", test_open);
  return g_test_run();
}
