/* SPDX-License-Identifier: Apache-2.0 */
/* The network card with pairs that another serves, a Vhost that remembers: devices/virtio/net-vhost.c, net.c. */
#include "devices/vhost/vhost-kernel.h"
#include "tests/unit/devices/virtio/net-fixture.h"

#define PAIRS 2
#define CTRL  (2 * PAIRS)
enum { MQ_CLASS = 4, OK = 0 };

/* One that runs rings by remembering them; its features are the test's. */
typedef struct {
  Vhost base;
  VhostVring rings[2];
  bool running[2], refuses;
  unsigned starts;
  uint64_t acked;
} FakeVhost;

static FakeVhost *fakes[PAIRS];

static bool fake_connect(Vhost *base, GError **error) {
  return true;
}

static void fake_disconnect(Vhost *base) {
  FakeVhost *fake = (FakeVhost *)base;
  fake->running[0] = fake->running[1] = false;
}

static bool fake_set_features(Vhost *base, uint64_t features, GError **error) {
  ((FakeVhost *)base)->acked = features;
  return true;
}

static bool fake_set_memory(Vhost *base, const GuestMemory *memory, GError **error) {
  return memory->n_regions == 1;
}

static bool fake_start(Vhost *base, unsigned index, const VhostVring *vring, GError **error) {
  FakeVhost *fake = (FakeVhost *)base;

  if (fake->refuses) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "vhost does not want to");
    return false;
  }
  g_assert_false(fake->running[index]);
  fake->rings[index] = *vring;
  fake->running[index] = true;
  fake->starts++;
  return true;
}

static bool fake_stop(Vhost *base, unsigned index, uint16_t *next, GError **error) {
  FakeVhost *fake = (FakeVhost *)base;

  g_assert_true(fake->running[index]);
  fake->running[index] = false;
  *next = (uint16_t)(fake->rings[index].base + 5);
  return true;
}

static bool fake_handle(Vhost *base, bool *config_changed, GError **error) {
  return true;
}

static void fake_free(Vhost *base) {
  g_assert_false(((FakeVhost *)base)->running[0] || ((FakeVhost *)base)->running[1]);
  g_free(base);
}

static const VhostOps fake_ops = {
    .connect = fake_connect,
    .disconnect = fake_disconnect,
    .set_features = fake_set_features,
    .set_memory = fake_set_memory,
    .start_vring = fake_start,
    .stop_vring = fake_stop,
    .handle = fake_handle,
    .free = fake_free,
};

/* A card of PAIRS pairs with a Vhost for each, that a driver has not started. */
static Card card_with(uint64_t vhost_features) {
  Card card = {fake_guest_new(), fake_net_new(PAIRS, FAKE_NET_ALL)};
  Vhost *vhosts[PAIRS];

  fake_guest_plug(card.guest, virtio_net_new("net", &card.guest->memory, &card.net->base, card_mac, 0, NULL));
  for (unsigned i = 0; i < PAIRS; i++) {
    fakes[i] = g_new0(FakeVhost, 1);
    fakes[i]->base = (Vhost){.ops = &fake_ops, .name = "fake", .connected = true, .features = vhost_features, .watch_fds = {-1, -1}};
    vhosts[i] = &fakes[i]->base;
  }
  g_assert_true(net_hand_over((VirtioNet *)card.guest->device, vhosts, PAIRS, NULL));
  return card;
}

static bool runs(unsigned pair) {
  return fakes[pair]->running[0] && fakes[pair]->running[1];
}

static bool is_quiet(unsigned pair) {
  return !fakes[pair]->running[0] && !fakes[pair]->running[1];
}

#define RINGS (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | NET_FEATURE(NET_F_MRG_RXBUF))

/* Of the rings it is offered what both know, of the rest what the card and its back end know. */
static void test_features(void) {
  Card with = card_with(RINGS | VIRTIO_F_VERSION_1), without = card_with(VIRTIO_F_VERSION_1);

  g_assert_cmphex(with.guest->device->offered_features & RINGS, ==, RINGS);
  g_assert_cmphex(without.guest->device->offered_features & RINGS, ==, 0);
  g_assert_cmphex(with.guest->device->offered_features & OFFLOAD_FEATURES, ==, OFFLOAD_FEATURES);
  g_assert_cmphex(without.guest->device->offered_features & ~RINGS, ==, with.guest->device->offered_features & ~RINGS);
  card_free(&with);
  card_free(&without);
}

/* The pairs that the driver uses are handed over with their descriptors, and only they. */
static void test_pairs(void) {
  Card card = card_with(RINGS | VIRTIO_F_VERSION_1);
  const VirtioDevice *device = card.guest->device;
  const uint16_t two = GUINT16_TO_LE(2), one = GUINT16_TO_LE(1);

  fake_guest_start(card.guest, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ) | NET_FEATURE(NET_F_MRG_RXBUF));
  fake_settle(card.guest);
  g_assert_true(runs(0));
  g_assert_true(is_quiet(1));
  g_assert_cmphex(fakes[0]->acked, ==, NET_FEATURE(NET_F_MRG_RXBUF) | VIRTIO_F_VERSION_1);
  g_assert_cmpint(fakes[0]->rings[1].kick, ==, device->doorbell_fds[1]);
  g_assert_cmpint(fakes[0]->rings[1].call, ==, virtio_call_fd(device, 1));
  g_assert_true(fakes[0]->rings[0].descriptors == fake_at(card.guest, card.guest->queues[0].descriptors));

  g_assert_cmpint(command(&card, CTRL, MQ_CLASS, 0, &two, 2), ==, OK);
  g_assert_true(runs(0) && runs(1));
  g_assert_cmpint(fakes[1]->rings[0].kick, ==, device->doorbell_fds[2]);
  g_assert_cmpint(command(&card, CTRL, MQ_CLASS, 0, &one, 2), ==, OK);
  g_assert_true(runs(0) && is_quiet(1));

  virtio_device_pause(card.guest->device);
  g_assert_true(is_quiet(0) && is_quiet(1));
  virtio_device_resume(card.guest->device);
  g_assert_true(runs(0));
  g_assert_cmpuint(fakes[0]->rings[0].base, ==, 5); /* where it said that it was */
  fake_guest_reset(card.guest);
  g_assert_true(is_quiet(0) && is_quiet(1));
  card_free(&card);
}

/*
 * A driver that takes no several pairs has its commands where the second pair would be (5.1.2), and they are answered
 * here.
 */
static void test_commands_of_one_pair(void) {
  Card card = card_with(RINGS | VIRTIO_F_VERSION_1);
  const uint8_t on = 1;

  fake_guest_start(card.guest, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_CTRL_RX));
  fake_settle(card.guest);
  g_assert_true(runs(0) && is_quiet(1));
  g_assert_cmpint(command(&card, 2, 0, 0, &on, 1), ==, OK);
  g_assert_cmpint(command(&card, 2, 99, 0, &on, 1), ==, 1);
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ) | NET_FEATURE(NET_F_CTRL_RX));
  g_assert_cmpint(command(&card, CTRL, 0, 0, &on, 1), ==, OK);
  card_free(&card);
}

/* Interrupts of the pairs are those of who serves them. */
static void test_call(void) {
  Card card = card_with(RINGS | VIRTIO_F_VERSION_1);
  uint64_t one = 1;
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  fake_guest_start(card.guest, 0);
  g_assert_cmpint(write(fakes[0]->rings[1].call, &one, sizeof one), ==, sizeof one);
  while (!__atomic_load_n(&card.guest->interrupts[1], __ATOMIC_SEQ_CST))
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
  card_free(&card);
}

static bool backend_traffic(const NetBackend *backend, DeviceTraffic *traffic) {
  *traffic = (DeviceTraffic){.received = 3, .sent_bytes = 60};
  return true;
}

/* Who serves the queues is told, and what its back end knows of them. */
static void test_traffic(void) {
  Card card = card_with(RINGS | VIRTIO_F_VERSION_1);
  const VirtioDevice *device = card.guest->device;
  DeviceTraffic traffic;
  NetBackendOps counting = *card.net->base.ops;

  g_assert_cmpstr(device->served_by, ==, "fake");
  g_assert_false(device->ops->traffic(device, &traffic));
  counting.traffic = backend_traffic;
  card.net->base.ops = &counting;
  g_assert_true(device->ops->traffic(device, &traffic));
  g_assert_cmpuint(traffic.received, ==, 3);
  g_assert_cmpuint(traffic.sent_bytes, ==, 60);
  card_free(&card);
}

static void test_refused(void) {
  Card card = card_with(RINGS | VIRTIO_F_VERSION_1);

  fakes[0]->refuses = true;
  fake_guest_start(card.guest, 0);
  g_assert_true(virtio_get_status(card.guest->device) & VIRTIO_STATUS_NEEDS_RESET);
  fakes[0]->refuses = false;
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, 0);
  g_assert_true(runs(0));
  card_free(&card);
}

/* A stream of frames is nothing for the kernel, and a kernel without vhost is said to have none. */
static void test_not_to_be_had(void) {
  FakeGuest *guest = fake_guest_new();
  FakeNet *net = fake_net_new(1, 0);
  g_autoptr(GError) error = NULL;

  fake_guest_plug(guest, virtio_net_new("net", &guest->memory, &net->base, card_mac, 0, NULL));
  uint64_t offered = guest->device->offered_features;
  g_assert_false(virtio_net_use_vhost(guest->device, VHOST_KERNEL_NET, &error));
  g_assert_nonnull(strstr(error->message, "only a tap is"));
  g_clear_error(&error);
  net->base.kernels = true;
  g_assert_false(virtio_net_use_vhost(guest->device, "/nowhere/vhost-net", &error));
  g_assert_nonnull(strstr(error->message, "/nowhere/vhost-net"));
  g_assert_cmphex(guest->device->offered_features, ==, offered);
  g_assert_cmpint(virtio_call_fd(guest->device, 0), ==, -1);
  fake_guest_free(guest);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-vhost/traffic", test_traffic);
  g_test_add_func("/net-vhost/features", test_features);
  g_test_add_func("/net-vhost/pairs", test_pairs);
  g_test_add_func("/net-vhost/commands-of-one-pair", test_commands_of_one_pair);
  g_test_add_func("/net-vhost/call", test_call);
  g_test_add_func("/net-vhost/refused", test_refused);
  g_test_add_func("/net-vhost/not-to-be-had", test_not_to_be_had);
  return g_test_run();
}
