/* SPDX-License-Identifier: Apache-2.0 */
/* A file system device whose helper is a thread: devices/virtio/fs.c, devices/vhost/vhost-user-helper.c. */
#define _GNU_SOURCE /* memfd_create */
#include "devices/share.h"
#include "devices/virtio/fs.h"
#include "tests/unit/devices/vhost/fake-backend.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define NEGOTIATED (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define LIVE       (NEGOTIATED | VIRTIO_STATUS_DRIVER_OK)

typedef struct {
  Helper base; /* first */
  FakeBackend backend;
  bool there;
  unsigned n_renewed, n_freed;
} FakeHelper;

typedef struct {
  Shares base; /* first */
  FakeHelper helper;
  FakeGuest guest;
  FakeQueue driver[2];
  ShareConfig config;
  VirtioDevice *device;
} Fixture;

static int fake_take(Helper *base) {
  FakeHelper *helper = (FakeHelper *)base;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = helper->there ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

  g_strlcpy(address.sun_path, helper->backend.path, sizeof address.sun_path);
  if (fd >= 0)
    g_assert_cmpint(connect(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  helper->there = false;
  return fd;
}

static void fake_renew(Helper *base) {
  FakeHelper *helper = (FakeHelper *)base;

  helper->n_renewed++;
  helper->there = true;
}

static void fake_free(Helper *base) {
  ((FakeHelper *)base)->n_freed++;
}

static Helper *fake_start(Shares *shares, const char *name, const ShareConfig *config, GError **error) {
  static const HelperOps ops = {.take = fake_take, .renew = fake_renew, .free = fake_free};
  FakeHelper *helper = &((Fixture *)shares)->helper;

  if (strcmp(config->path, "/refused") == 0) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", name, config->path);
    return NULL;
  }
  helper->base = (Helper){.ops = &ops, .name = "virtiofsd", .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  helper->there = true;
  return &helper->base;
}

static void queue_interrupt(void *transport, unsigned queue) {
}

static void config_interrupt(void *transport) {
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

static void set_up(Fixture *f, gconstpointer data) {
  f->base.start = fake_start;
  f->config = (ShareConfig){.path = (char *)"/shared", .tag = (char *)"src"};
  fake_guest_init_shared(&f->guest);
  fake_backend_init(&f->helper.backend);
  fake_backend_listen(&f->helper.backend);
  for (unsigned i = 0; i < 2; i++)
    f->driver[i] = fake_queue(&f->guest, i, 16);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_free(f->device);
  fake_backend_clear(&f->helper.backend);
  fake_guest_clear(&f->guest);
  if (f->helper.base.ops) {
    g_assert_cmpuint(f->helper.n_freed, ==, 1);
    close(f->helper.base.event_fd);
  }
}

static VirtioDevice *make(Fixture *f, bool plan_only, GError **error) {
  const DeviceParts parts = {
      .name = "virtio-fs0", .asked = &f->config, .memory = &f->guest.memory, .shares = &f->base, .plan_only = plan_only};

  return virtio_fs_kind.make_virtio(&parts, error);
}

static void plug(Fixture *f) {
  g_autoptr(GError) error = NULL;

  f->device = make(f, false, &error);
  g_assert_no_error(error);
  virtio_device_connect(f->device, &transport_ops, f);
}

static void go_live(Fixture *f) {
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  virtio_set_driver_features(f->device, 1, 1);
  virtio_set_status(f->device, NEGOTIATED);
  for (unsigned i = 0; i < 2; i++)
    fake_tell_queue(f->device, i, &f->driver[i]);
  virtio_set_status(f->device, LIVE);
}

static void reset(Fixture *f) {
  virtio_set_status(f->device, 0);
  for (unsigned i = 0; i < 2; i++) {
    memset(fake_at(&f->guest, f->driver[i].descriptors), 0, 0x10000);
    f->driver[i].avail_idx = 0;
  }
}

static void echo(Fixture *f, const char *text) {
  uint16_t before = fake_used_idx(&f->driver[1]);

  fake_offer_text(&f->driver[1], 0, text);
  virtio_ring_doorbell(f->device, 1);
  WAIT_FOR(fake_used_idx(&f->driver[1]) == (uint16_t)(before + 1));
  g_assert_cmpstr(fake_answer(&f->driver[1], 0), ==, text);
}

/* 5.11.4: the tag, padded with zeros, and one queue of requests. The helper is not asked for it, whatever it offers. */
static void test_config(Fixture *f, gconstpointer data) {
  uint8_t config[44], want[44] = "src";

  f->helper.backend.protocol |= FAKE_CONFIG;
  plug(f);
  g_assert_cmpuint(f->device->ops->id, ==, 26);
  g_assert_cmpuint(f->device->n_queues, ==, 2);
  want[36] = 1;
  memset(config, 'x', sizeof config);
  virtio_config_read(f->device, 0, config, sizeof config);
  g_assert_cmpmem(config, sizeof config, want, sizeof want);
  virtio_config_write(f->device, 0, "y", 1);
  virtio_config_read(f->device, 0, config, 1);
  g_assert_cmpint(config[0], ==, 's');
  go_live(f);
  echo(f, "it is served");
  g_autofree char *log = fake_backend_log(&f->helper.backend);
  g_assert_null(strstr(log, "CONFIG"));
}

/* As long as one can be: there is no end of it then. */
static void test_longest_tag(Fixture *f, gconstpointer data) {
  char tag[] = "abcdefghijklmnopqrstuvwxyz0123456789", config[SHARE_TAG_MAX];

  G_STATIC_ASSERT(sizeof tag == SHARE_TAG_MAX + 1);
  f->config.tag = tag;
  plug(f);
  virtio_config_read(f->device, 0, config, sizeof config);
  g_assert_cmpmem(config, sizeof config, tag, SHARE_TAG_MAX);
}

/* What a helper knows of a driver it keeps: the next driver has another, and one that comes first has the first. */
static void test_next_driver(Fixture *f, gconstpointer data) {
  plug(f);
  reset(f);
  reset(f);
  g_assert_cmpuint(f->helper.n_renewed, ==, 0);
  for (unsigned i = 0; i < 3; i++) {
    go_live(f);
    echo(f, "served");
    reset(f);
    g_assert_cmpuint(f->helper.n_renewed, ==, 2 * i + 1);
    reset(f); /* it is called for again: who keeps it knows that it is on its way */
    g_assert_cmpuint(f->helper.n_renewed, ==, 2 * i + 2);
  }
  go_live(f);
  echo(f, "served");
  g_assert_cmpuint(f->helper.backend.accepted, ==, 4);
}

/* A pause is none of its own end: the same goes on. */
static void test_pause(Fixture *f, gconstpointer data) {
  plug(f);
  go_live(f);
  echo(f, "before");
  virtio_device_pause(f->device);
  virtio_device_resume(f->device);
  echo(f, "after");
  g_assert_cmpuint(f->helper.n_renewed, ==, 0);
  g_assert_cmpuint(f->helper.backend.accepted, ==, 1);
}

static void test_lost(Fixture *f, gconstpointer data) {
  plug(f);
  go_live(f);
  fake_backend_stop(&f->helper.backend);
  WAIT_FOR(virtio_get_status(f->device) & VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpuint(f->helper.n_renewed, ==, 0);
  fake_backend_listen(&f->helper.backend);
  reset(f);
  g_assert_cmpuint(f->helper.n_renewed, ==, 1);
  go_live(f);
  echo(f, "again");
}

/* One that does not come: the driver is told, and may try again. */
static void test_not_there(Fixture *f, gconstpointer data) {
  plug(f);
  go_live(f);
  reset(f);
  f->helper.there = false;
  go_live(f);
  WAIT_FOR(virtio_get_status(f->device) & VIRTIO_STATUS_NEEDS_RESET);
  reset(f);
  go_live(f);
  echo(f, "at last");
}

static void test_refused(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  f->config.path = (char *)"/refused";
  g_assert_null(make(f, false, &error));
  g_assert_cmpstr(error->message, ==, "virtio-fs0: /refused");
  g_clear_error(&error);
  f->config.path = (char *)"/shared";
  f->helper.backend.queue_num = 1;
  g_assert_null(make(f, false, &error));
  g_assert_cmpstr(error->message, ==, "virtiofsd has 1 queues, not 2");
}

static void test_plan(Fixture *f, gconstpointer data) {
  f->config.path = (char *)"/refused"; /* nobody is asked */
  f->device = make(f, true, NULL);
  g_assert_cmpuint(f->device->n_queues, ==, 2);
  f->config.at = (char *)"/usr/src";
  f->config.read_only = true;
  g_autofree char *text = virtio_fs_kind.print_asked(&f->config);
  g_assert_cmpstr(text, ==, "/refused as src, read-only, at /usr/src");
  g_assert_true(virtio_fs_kind.shares_memory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/fs/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("config", test_config);
  ADD("longest-tag", test_longest_tag);
  ADD("next-driver", test_next_driver);
  ADD("pause", test_pause);
  ADD("lost", test_lost);
  ADD("not-there", test_not_there);
  ADD("refused", test_refused);
  ADD("plan", test_plan);
  return g_test_run();
}
