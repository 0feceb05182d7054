/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user back end that says anything: a virtio device with one, whatever it answers, and whatever it says unasked
 * beside, is made or is not, lives or needs a reset, and loses no descriptor. devices/vhost/vhost-user.c and
 * vhost-user-inflight.c, devices/virtio/vhost-user.c and vhost-queues.c.
 */
#define _GNU_SOURCE /* memfd_create */
#include <glib/gstdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "devices/virtio/vhost-user.h"
#include "tests/unit/devices/vhost/backend-messages.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define LIVE   (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)
#define ROUNDS 300
#define SEED   16

typedef struct {
  char *directory, *path;
  int listen_fd, stop_fd;
  GThread *thread;
  GRand *random; /* the thread's */
  int fd, beside_fd;
} Backend;

static bool one_in(Backend *backend, int n) {
  return g_rand_int_range(backend->random, 0, n) == 0;
}

/* With N descriptors, of something. */
static void say(Backend *backend, int to, const void *bytes, size_t size, unsigned n) {
  int file = memfd_create("random", MFD_CLOEXEC | (one_in(backend, 2) ? MFD_ALLOW_SEALING : 0)), fds[BACKEND_SEND_MAX];

  g_assert_cmpint(ftruncate(file, one_in(backend, 8) ? g_rand_int_range(backend->random, 0, 0x3000) : 0x3000), ==, 0);
  for (unsigned i = 0; i < n; i++)
    fds[i] = one_in(backend, 16) ? backend->stop_fd : file;
  backend_send(to, bytes, size, fds, n, MSG_DONTWAIT);
  close(file);
}

/* What a good one would say, or near to it. */
static void answer_well(Backend *backend, VhostUserMessage *message) {
  GRand *random = backend->random;

  switch (message->request) {
  case VHOST_USER_GET_FEATURES:
    message->number = UINT64_C(1) << 32 | UINT64_C(1) << 30 | (one_in(backend, 4) ? g_rand_int(random) : 0);
    break;
  case VHOST_USER_GET_PROTOCOL_FEATURES:
    message->number = g_rand_int(random) | (one_in(backend, 2) ? 0 : 0x1229);
    break;
  case VHOST_USER_GET_QUEUE_NUM:
    message->number = (uint64_t)g_rand_int_range(random, 1, 4);
    break;
  case VHOST_USER_GET_INFLIGHT_FD:
    message->inflight.mmap_size = (uint64_t)g_rand_int_range(random, 0, 0x2000);
    message->inflight.mmap_offset = (uint64_t)g_rand_int_range(random, 0, 0x1000);
    return;
  case VHOST_USER_GET_CONFIG:
    for (unsigned i = 0; i < message->config.size && i < sizeof message->config.bytes; i++)
      message->config.bytes[i] = (uint8_t)g_rand_int(random);
    return;
  case VHOST_USER_GET_VRING_BASE:
    return;
  default:
    message->number = 0;
    break;
  }
  message->size = sizeof message->number;
}

static bool has_answer(const VhostUserMessage *message) {
  switch (message->request) {
  case VHOST_USER_GET_FEATURES:
  case VHOST_USER_GET_PROTOCOL_FEATURES:
  case VHOST_USER_GET_QUEUE_NUM:
  case VHOST_USER_GET_INFLIGHT_FD:
  case VHOST_USER_GET_CONFIG:
  case VHOST_USER_GET_VRING_BASE:
    return true;
  default:
    return message->flags & VHOST_USER_NEED_REPLY;
  }
}

/* With bits that are others, anywhere; or another length; or less of it, and the end. False: it is the end. */
static bool answer(Backend *backend, VhostUserMessage *message) {
  uint8_t bytes[BACKEND_HEADER_SIZE + sizeof *message];
  unsigned n_fds = message->request == VHOST_USER_GET_INFLIGHT_FD ? 1 : 0;
  bool spoil = one_in(backend, 25), go_on = true;

  message->flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
  answer_well(backend, message);
  if (spoil && one_in(backend, 4))
    message->size = one_in(backend, 2) ? g_rand_int(backend->random) : message->size + (uint32_t)g_rand_int_range(backend->random, -1, 3);
  size_t size = BACKEND_HEADER_SIZE + MIN(message->size, sizeof *message - BACKEND_HEADER_SIZE - sizeof message->number);
  memcpy(bytes, message, BACKEND_HEADER_SIZE);
  memcpy(bytes + BACKEND_HEADER_SIZE, &message->number, size - BACKEND_HEADER_SIZE);
  for (unsigned i = 0; spoil && i < 3; i++)
    bytes[g_rand_int_range(backend->random, 0, (gint32)size)] ^= (uint8_t)(1 << g_rand_int_range(backend->random, 0, 8));
  if (one_in(backend, 60))
    n_fds = (unsigned)g_rand_int_range(backend->random, 0, 40);
  if (spoil && one_in(backend, 4)) {
    size = (size_t)g_rand_int_range(backend->random, 0, (gint32)size);
    go_on = false;
  }
  if (size)
    say(backend, backend->fd, bytes, size, n_fds);
  /* Who does not send what it says that it has is waited for; so that this takes no time, it ends. */
  return go_on && !spoil;
}

static void speak_beside(Backend *backend) {
  uint32_t header[3] = {(uint32_t)g_rand_int_range(backend->random, 0, 6),
                        VHOST_USER_VERSION | (one_in(backend, 3) ? VHOST_USER_NEED_REPLY : 0), 0};

  if (one_in(backend, 4))
    header[g_rand_int_range(backend->random, 0, 3)] = g_rand_int(backend->random);
  if (backend->beside_fd >= 0) {
    bool whole = !one_in(backend, 8);
    say(backend, backend->beside_fd, header, whole ? sizeof header : 5, one_in(backend, 8) ? 2 : 0);
    if (!whole || header[2] || one_in(backend, 4)) /* or it is waited for */
      backend_close(&backend->beside_fd);
  }
}

static void hang_up(Backend *backend) {
  backend_close(&backend->fd);
  backend_close(&backend->beside_fd);
}

static void serve_message(Backend *backend) {
  VhostUserMessage message;
  BackendFds fds = {.n = 0};
  bool good = backend_read_message(backend->fd, backend->stop_fd, &message, &fds);

  if (good && one_in(backend, 8))
    speak_beside(backend);
  if (good && message.request == VHOST_USER_SET_BACKEND_REQ_FD) {
    backend_close(&backend->beside_fd);
    backend->beside_fd = fds.n ? fds.fd[--fds.n] : -1;
  }
  backend_close_all(&fds);
  if (!good || one_in(backend, 200) || (has_answer(&message) && !answer(backend, &message)))
    hang_up(backend);
}

static void *backend_run(void *opaque) {
  Backend *backend = opaque;

  while (true) {
    struct pollfd ready[] = {{.fd = backend->stop_fd, .events = POLLIN},
                             {.fd = backend->fd < 0 ? backend->listen_fd : backend->fd, .events = POLLIN}};
    poll(ready, G_N_ELEMENTS(ready), -1);
    if (ready[0].revents)
      break;
    if (backend->fd >= 0)
      serve_message(backend);
    else
      backend->fd = accept4(backend->listen_fd, NULL, NULL, SOCK_CLOEXEC);
  }
  hang_up(backend);
  return NULL;
}

static void backend_start(Backend *backend, uint32_t seed) {
  *backend = (Backend){.directory = g_dir_make_tmp("vhost-XXXXXX", NULL), .random = g_rand_new_with_seed(seed), .fd = -1, .beside_fd = -1};
  backend->path = g_build_filename(backend->directory, "socket", NULL);
  backend->listen_fd = backend_listen(backend->path);
  backend->stop_fd = eventfd(0, EFD_CLOEXEC);
  backend->thread = g_thread_new("back end", backend_run, backend);
}

static void backend_end(Backend *backend) {
  eventfd_write(backend->stop_fd, 1);
  g_thread_join(backend->thread);
  close(backend->stop_fd);
  close(backend->listen_fd);
  g_unlink(backend->path);
  g_rmdir(backend->directory);
  g_free(backend->path);
  g_free(backend->directory);
  g_rand_free(backend->random);
}

static void queue_interrupt(void *transport, unsigned queue) {
}

static void config_interrupt(void *transport) {
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

static void go_live(FakeGuest *guest, VirtioDevice *device) {
  virtio_set_driver_features(device, 0, virtio_get_device_features(device, 0));
  virtio_set_driver_features(device, 1, virtio_get_device_features(device, 1));
  virtio_set_status(device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  for (unsigned i = 0; i < MIN(device->n_queues, 2); i++) {
    FakeQueue driver = fake_queue(guest, i, 16);
    fake_tell_queue(device, i, &driver);
  }
  virtio_set_status(device, LIVE);
}

/* As a driver may use it, that knows nothing of what is behind it. */
static void use(FakeGuest *guest, VirtioDevice *device, GRand *random) {
  uint8_t bytes[8];

  for (unsigned i = 0; i < 12; i++)
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
      virtio_device_reset(device);
      go_live(guest, device);
      break;
    case 1:
      virtio_device_pause(device);
      virtio_device_resume(device);
      break;
    case 2:
      virtio_ring_doorbell(device, (unsigned)g_rand_int_range(random, 0, 3));
      break;
    case 3:
      virtio_config_read(device, (uint64_t)g_rand_int_range(random, 0, 300), bytes, sizeof bytes);
      break;
    default:
      virtio_config_write(device, (uint64_t)g_rand_int_range(random, 0, 140), "anything", (unsigned)g_rand_int_range(random, 1, 9));
    }
}

static unsigned count_fds(void) {
  g_autoptr(GDir) fds = g_dir_open("/proc/self/fd", 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name(fds))
    n++;
  return n;
}

/* Of what it says, most is told to the log, which is not what this is about. */
static void hear(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
  g_assert_true(g_utf8_validate(message, -1, NULL));
}

static void test_anything(void) {
  static const unsigned types[] = {2, 4, 18, 26, 50};
  g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
  GLogFunc before = g_log_set_default_handler(hear, NULL);
  unsigned fds = count_fds(), made = 0;

  for (unsigned i = 0; i < ROUNDS; i++) {
    FakeGuest guest;
    Backend backend;
    g_autoptr(GError) error = NULL;

    fake_guest_init_shared(&guest);
    backend_start(&backend, SEED + i);
    VirtioDevice *device = virtio_vhost_user_new("random0", &guest.memory, backend.path, types[i % G_N_ELEMENTS(types)], 0, &error);
    g_assert_true(!device == !!error);
    if (device) {
      made++;
      virtio_device_connect(device, &transport_ops, NULL);
      go_live(&guest, device);
      use(&guest, device, random);
    }
    virtio_device_free(device);
    backend_end(&backend);
    fake_guest_clear(&guest);
    g_assert_cmpuint(count_fds(), ==, fds);
  }
  g_log_set_default_handler(before, NULL);
  g_assert_cmpuint(made, >, ROUNDS / 4);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vhost-user-random/anything", test_anything);
  return g_test_run();
}
