/* SPDX-License-Identifier: Apache-2.0 */
/* A network card whose queues a user network's program serves by vhost-user: devices/virtio/net-user.c. */
#define _GNU_SOURCE /* memfd_create */
#include <sys/mman.h>

#include "tests/unit/devices/vhost/fake-backend.h"
#include "tests/unit/devices/virtio/net-fixture.h"

/* A user network whose program is a thread behind a socket. */
typedef struct {
  Helper base;
  const char *path;
  bool there;
  unsigned n_renewed, n_freed;
} FakeNetwork;

static int network_take(Helper *base) {
  FakeNetwork *network = (FakeNetwork *)base;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = network->there ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

  g_strlcpy(address.sun_path, network->path, sizeof address.sun_path);
  if (fd >= 0)
    g_assert_cmpint(connect(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  network->there = false;
  return fd;
}

static void network_renew(Helper *base) {
  FakeNetwork *network = (FakeNetwork *)base;

  network->n_renewed++;
  network->there = true;
}

static void network_free(Helper *base) {
  ((FakeNetwork *)base)->n_freed++;
}

static const HelperOps network_ops = {.take = network_take, .renew = network_renew, .free = network_free};

typedef struct {
  FakeBackend backend;
  FakeNetwork network;
  FakeGuest *guest;
  int ram_fd;
} Fixture;

/* What the guest has is shared, in place of the fake's own. */
static void share_memory(Fixture *fixture) {
  FakeGuest *guest = fixture->guest;

  g_free(guest->ram);
  guest->memory = (GuestMemory){0};
  fixture->ram_fd = memfd_create("test", MFD_CLOEXEC);
  g_assert_cmpint(ftruncate(fixture->ram_fd, FAKE_SIZE), ==, 0);
  guest->ram = mmap(NULL, FAKE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fixture->ram_fd, 0);
  g_assert_true(guest_memory_add_shared(&guest->memory, FAKE_BASE, FAKE_SIZE, guest->ram, fixture->ram_fd, 0));
}

static void set_up(Fixture *fixture, gconstpointer data) {
  fake_backend_init(&fixture->backend);
  fixture->backend.passt = true;
  fixture->backend.protocol = 0;
  fixture->backend.features = FAKE_FEATURES | NET_FEATURE(NET_F_MRG_RXBUF);
  fake_backend_listen(&fixture->backend);
  fixture->network = (FakeNetwork){
      .base = {.ops = &network_ops, .name = "passt", .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      .path = fixture->backend.path,
      .there = true,
  };
  fixture->guest = fake_guest_new();
  share_memory(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  FakeGuest *guest = fixture->guest;

  virtio_device_free(guest->device);
  munmap(guest->ram, FAKE_SIZE);
  close(fixture->ram_fd);
  g_free(guest);
  g_assert_cmpuint(fixture->network.n_freed, ==, 1);
  close(fixture->network.base.event_fd);
  fake_backend_clear(&fixture->backend);
}

static UserNetwork *network_of(Fixture *fixture) {
  UserNetwork *network = g_new0(UserNetwork, 1);

  *network = (UserNetwork){.helper = &fixture->network.base, .vhost_user = true};
  return network;
}

static void plug(Fixture *fixture) {
  g_autoptr(GError) error = NULL;
  VirtioDevice *device = virtio_net_of_user("net", &fixture->guest->memory, network_of(fixture), card_mac, 0, &error);

  g_assert_no_error(error);
  fake_guest_plug(fixture->guest, device);
}

static bool runs(Fixture *fixture) {
  g_mutex_lock(&fixture->backend.lock);
  bool both = fixture->backend.rings[0].running && fixture->backend.rings[1].running;
  g_mutex_unlock(&fixture->backend.lock);
  return both;
}

static void wait_until(Fixture *fixture, bool (*is_so)(Fixture *fixture)) {
  gint64 deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  while (!is_so(fixture)) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(1000);
  }
}

static bool needs_reset(Fixture *fixture) {
  return virtio_get_status(fixture->guest->device) & VIRTIO_STATUS_NEEDS_RESET;
}

/* What it is asked is what passt knows; what the guest is offered is what both can. */
static void test_served(Fixture *fixture, gconstpointer data) {
  plug(fixture);
  uint64_t offered = fixture->guest->device->offered_features;
  g_assert_cmphex(offered & OFFLOAD_FEATURES & ~NET_FEATURE(NET_F_MRG_RXBUF), ==, 0);
  g_assert_cmphex(offered & (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX), ==, 0);
  g_assert_cmphex(offered & NET_FEATURE(NET_F_MRG_RXBUF), !=, 0);
  for (unsigned i = 0; i < 3; i++) {
    fake_guest_start(fixture->guest, NET_FEATURE(NET_F_MRG_RXBUF) | NET_FEATURE(NET_F_STATUS));
    wait_until(fixture, runs);
    g_assert_false(needs_reset(fixture));
    fake_guest_reset(fixture->guest);
    g_assert_false(runs(fixture));
  }
  g_assert_cmpuint(fixture->network.n_renewed, ==, 0);
  g_assert_cmpuint(fixture->backend.accepted, ==, 1);
}

static void lose(Fixture *fixture) {
  fake_backend_stop(&fixture->backend);
  fake_backend_listen(&fixture->backend);
}

/* It ends amid service: the card needs a reset, which brings the next. */
static void test_lost(Fixture *fixture, gconstpointer data) {
  plug(fixture);
  for (unsigned i = 0; i < 3; i++) {
    fake_guest_start(fixture->guest, 0);
    wait_until(fixture, runs);
    lose(fixture);
    wait_until(fixture, needs_reset);
    g_assert_cmpuint(fixture->network.n_renewed, ==, i);
    fake_guest_reset(fixture->guest);
    g_assert_cmpuint(fixture->network.n_renewed, ==, i + 1);
  }
  fake_guest_start(fixture->guest, 0);
  wait_until(fixture, runs);
}

/* It ends while no driver is there: a reset sees it. */
static void test_lost_unseen(Fixture *fixture, gconstpointer data) {
  plug(fixture);
  lose(fixture);
  fake_guest_reset(fixture->guest);
  g_assert_cmpuint(fixture->network.n_renewed, ==, 1);
  fake_guest_start(fixture->guest, 0);
  wait_until(fixture, runs);
}

/* One that is not there in time, or not one at all. */
static void test_not_there(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  fixture->network.there = false;
  g_assert_null(virtio_net_of_user("net", &fixture->guest->memory, network_of(fixture), card_mac, 0, &error));
  g_assert_cmpstr(error->message, ==, "passt is not there");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/net-user/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("served", test_served);
  ADD("lost", test_lost);
  ADD("lost-unseen", test_lost_unseen);
  ADD("not-there", test_not_there);
  return g_test_run();
}
