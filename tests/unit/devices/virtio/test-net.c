/* SPDX-License-Identifier: Apache-2.0 */
/* The network card: devices/virtio/net.c and net-control.c, through the real virtio core. */
#include "tests/unit/devices/virtio/net-fixture.h"

#define CTRL   2 /* with one pair */
#define PAIRS  3
#define CTRL_3 6

enum { RX_CLASS = 0, MAC_CLASS = 1, VLAN_CLASS = 2, ANNOUNCE_CLASS = 3, MQ_CLASS = 4, OFFLOADS_CLASS = 5 };
enum { OK = 0, ERR = 1 };
enum { CONFIG_STATUS = 6, CONFIG_PAIRS = 8, CONFIG_MTU = 10, LINK_UP = 1, ANNOUNCE = 2 };

static const NetHeader plain;
static uint8_t frame[2000], heard[2000];

static uint64_t offered(const Card *card) {
  return card->guest->device->offered_features & ~(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1);
}

static void test_features(void) {
  const uint64_t always = (CTRL_FEATURES & ~NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS)) | NET_FEATURE(NET_F_MAC) | NET_FEATURE(NET_F_MRG_RXBUF);
  static const struct {
    unsigned pairs, offloads, mtu, backend_mtu;
    uint64_t more;
  } cases[] = {
      {1, 0, 0, 0, 0},
      {1, 0, 9000, 0, NET_FEATURE(NET_F_MTU)},
      {2, 0, 0, 0, NET_FEATURE(NET_F_MQ)},
      {1, NET_OFFLOAD_CSUM, 0, 0, NET_FEATURE(NET_F_CSUM) | NET_FEATURE(NET_F_GUEST_CSUM) | NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS)},
      {1, FAKE_NET_ALL, 0, 0, OFFLOAD_FEATURES | NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS)},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    Card card = card_new(cases[i].pairs, cases[i].offloads, cases[i].mtu, 0);

    g_assert_cmphex(offered(&card), ==, always | cases[i].more);
    g_assert_cmpuint(card.guest->device->ops->id, ==, 1);
    g_assert_cmpuint(card.guest->device->n_queues, ==, 2 * cases[i].pairs + 1);
    card_free(&card);
  }
  /* Exactly one of each thing that the virtio specification numbers. */
  g_assert_cmphex(OFFLOAD_FEATURES, ==, 0x7f83);
  g_assert_cmphex(always, ==, 0xb78020);
}

static void test_config(void) {
  Card card = card_new(PAIRS, 0, 1400, 0);
  uint8_t bytes[16];

  virtio_config_read(card.guest->device, 0, bytes, sizeof bytes);
  g_assert_cmpmem(bytes, 6, card_mac, 6);
  g_assert_cmpmem(bytes + 6, 10, ((const uint8_t[]){1, 0, 3, 0, 1400 & 0xff, 1400 >> 8, 0, 0, 0, 0}), 10);
  /* It is the device's alone. */
  virtio_config_write(card.guest->device, 0, "xxxxxx", 6);
  virtio_config_read(card.guest->device, 0, bytes, 6);
  g_assert_cmpmem(bytes, 6, card_mac, 6);
  card_free(&card);
}

static void test_backend_mtu(void) {
  FakeGuest *guest = fake_guest_new();
  FakeNet *net = fake_net_new(1, 0);

  net->base.mtu = 9000;
  fake_guest_plug(guest, virtio_net_new("net", &guest->memory, &net->base, card_mac, 0, NULL));
  g_assert_true(guest->device->offered_features & NET_FEATURE(NET_F_MTU));
  g_assert_cmpuint(fake_config(guest, CONFIG_MTU, 2), ==, 9000);
  fake_guest_free(guest);
}

/* Whether a frame to ADDRESS arrives; the buffer that it would have has the next one otherwise. */
static bool arrives(const Card *card, const uint8_t *address) {
  uint64_t before = count_of(card, NET_COUNT_FILTERED), received = count_of(card, NET_COUNT_RECEIVED);
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  make_frame(frame, 60, address, 1);
  net_say(card, 0, &plain, frame, 60);
  while (count_of(card, NET_COUNT_FILTERED) == before && count_of(card, NET_COUNT_RECEIVED) == received)
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
  return count_of(card, NET_COUNT_RECEIVED) != received;
}

static void test_filter(void) {
  static const uint8_t other[] = {2, 9, 9, 9, 9, 9}, group[] = {1, 0, 0x5e, 1, 2, 3}, all[] = {255, 255, 255, 255, 255, 255};
  static const uint8_t on = 1, off = 0;
  uint8_t tables[] = {1, 0, 0, 0, 2, 9, 9, 9, 9, 9, 1, 0, 0, 0, 1, 0, 0x5e, 1, 2, 3};
  static const uint8_t empty[8] = {0};
  Card card = card_new(1, 0, 0, CTRL_FEATURES & ~NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS));

  for (unsigned i = 0; i < 100; i++)
    give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  g_assert_true(arrives(&card, other));
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 0, &off, 1), ==, OK);
  g_assert_false(arrives(&card, other));
  g_assert_false(arrives(&card, group));
  g_assert_true(arrives(&card, all));
  g_assert_true(arrives(&card, card_mac));
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, tables, sizeof tables), ==, OK);
  g_assert_true(arrives(&card, other));
  g_assert_true(arrives(&card, group));
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, empty, sizeof empty), ==, OK);
  g_assert_false(arrives(&card, other));
  g_assert_false(arrives(&card, group));
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 1, &on, 1), ==, OK);
  g_assert_true(arrives(&card, group));
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 5, &on, 1), ==, OK);
  g_assert_false(arrives(&card, all));
  /* With another address. */
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 1, other, 6), ==, OK);
  g_assert_true(arrives(&card, other));
  g_assert_false(arrives(&card, card_mac));
  uint8_t bytes[6];
  virtio_config_read(card.guest->device, 0, bytes, 6);
  g_assert_cmpmem(bytes, 6, other, 6);
  /* A reset forgets all of it. */
  fake_guest_reset(card.guest);
  virtio_config_read(card.guest->device, 0, bytes, 6);
  g_assert_cmpmem(bytes, 6, card_mac, 6);
  fake_guest_start(card.guest, 0);
  for (unsigned i = 0; i < 10; i++)
    give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  g_assert_true(arrives(&card, other));
  g_assert_true(arrives(&card, group));
  card_free(&card);
}

/* Tables of any length are read as far as their command goes, and no further. */
static void test_tables(void) {
  Card card = card_new(1, 0, 0, CTRL_FEATURES & ~NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS));
  static const struct {
    uint32_t unicast, multicast;
    int extra, answer;
  } cases[] = {
      {0, 0, 0, OK}, {64, 64, 0, OK}, {65, 0, 0, OK}, {1000, 1000, 0, OK}, {0, 0, 1, ERR}, {1, 1, -1, ERR}, {1, 1, 1, ERR}, {1, 1, 6, ERR},
  };
  g_autofree uint8_t *data = g_malloc0(20000);

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    uint32_t size = 4 + 6 * cases[i].unicast;
    uint32_t n = GUINT32_TO_LE(cases[i].unicast), m = GUINT32_TO_LE(cases[i].multicast);

    memcpy(data, &n, 4);
    memcpy(data + size, &m, 4);
    size += 4 + 6 * cases[i].multicast;
    g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, data, (uint32_t)((int)size + cases[i].extra)), ==, cases[i].answer);
    memset(data, 0, 20000);
  }
  /* Numbers that promise more than there is, and would overflow. */
  static const uint32_t lies[] = {1, 0x2aaaaaab, 0x55555556, 0x80000000, 0xffffffff};
  for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
    uint32_t table[] = {GUINT32_TO_LE(lies[i]), 0, 0}, second[] = {0, GUINT32_TO_LE(lies[i]), 0};

    g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, table, i ? sizeof table : 8), ==, ERR);
    g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, second, sizeof second), ==, ERR);
  }
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 0, NULL, 0), ==, ERR);
  card_free(&card);
}

static void test_unknown_commands(void) {
  Card card = card_new(1, 0, 0, NET_FEATURE(NET_F_CTRL_VQ));
  static const uint8_t data[8] = {1};

  /* Classes that there are not, or that were not agreed on; each of a length that would do. */
  for (unsigned class = 0; class < 256; class ++)
    for (unsigned number = 0; number < 8; number++)
      g_assert_cmpint(command(&card, CTRL, (uint8_t) class, (uint8_t)number, data, number == 1 ? 6 : number == 2 ? 8 : 1), ==, ERR);
  g_assert_false(fake_has_failed(card.guest));
  card_free(&card);
}

static void test_bad_commands(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, CTRL_FEATURES | OFFLOAD_FEATURES);
  static const uint8_t bytes[16] = {1};
  uint64_t at = fake_alloc(card.guest, 64);
  uint32_t written;

  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 0, bytes, 2), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 0, NULL, 0), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 6, bytes, 1), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, RX_CLASS, 255, bytes, 1), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 1, bytes, 5), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, MAC_CLASS, 1, bytes, 7), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, VLAN_CLASS, 0, bytes, 2), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, MQ_CLASS, 0, bytes, 2), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, OFFLOADS_CLASS, 0, bytes, 7), ==, ERR);
  /* Without a place for the answer, or less than a command: the chain comes back. */
  FakeBuffer mute = {at, 3, false};
  fake_add(card.guest, CTRL, &mute, 1);
  fake_kick(card.guest, CTRL);
  fake_take(card.guest, CTRL, &written);
  g_assert_cmpuint(written, ==, 0);
  FakeBuffer stumps[] = {{at, 1, false}, {at + 8, 4, true}};
  for (unsigned i = 0; i < 2; i++) {
    memset(fake_at(card.guest, at + 8), 0x77, 4);
    fake_add(card.guest, CTRL, stumps + i, 2 - i);
    fake_kick(card.guest, CTRL);
    fake_take(card.guest, CTRL, &written);
    g_assert_cmpuint(written, ==, 1);
    g_assert_cmpmem(fake_at(card.guest, at + 8), 4, ((const uint8_t[]){ERR, 0x77, 0x77, 0x77}), 4);
  }
  g_assert_false(fake_has_failed(card.guest));
  card_free(&card);
}

static int agreed(const Card *card) {
  return __atomic_load_n(&card->net->offloads, __ATOMIC_SEQ_CST);
}

static int set_offloads(const Card *card, uint64_t features) {
  features = GUINT64_TO_LE(features);
  return command(card, CTRL, OFFLOADS_CLASS, 0, &features, sizeof features);
}

/* What the back end leaves undone is what the guest takes, from the first moment on and whenever it says so. */
static void test_offloads(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, CTRL_FEATURES | (OFFLOAD_FEATURES & ~NET_FEATURE(NET_F_GUEST_UFO)));

  g_assert_cmphex(agreed(&card), ==, FAKE_NET_ALL & ~NET_OFFLOAD_UFO);
  g_assert_cmpint(set_offloads(&card, 0), ==, OK);
  g_assert_cmphex(agreed(&card), ==, 0);
  g_assert_cmpint(set_offloads(&card, NET_FEATURE(NET_F_GUEST_CSUM) | NET_FEATURE(NET_F_GUEST_TSO6)), ==, OK);
  g_assert_cmphex(agreed(&card), ==, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO6);
  g_assert_cmpint(set_offloads(&card, NET_FEATURE(NET_F_GUEST_CSUM) | NET_FEATURE(NET_F_GUEST_UFO)), ==, ERR); /* not agreed on */
  g_assert_cmpint(set_offloads(&card, NET_FEATURE(NET_F_CSUM)), ==, ERR);                                      /* no such */
  g_assert_cmpint(set_offloads(&card, UINT64_C(1) << 63), ==, ERR);
  g_assert_cmphex(agreed(&card), ==, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO6);
  virtio_device_pause(card.guest->device);
  virtio_device_resume(card.guest->device);
  g_assert_cmphex(agreed(&card), ==, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO6);
  /* The next driver knows of none. */
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, 0);
  fake_settle(card.guest);
  g_assert_cmphex(agreed(&card), ==, 0);
  card_free(&card);
}

static int compare_names(const char *const *a, const char *const *b) {
  return strcmp(*a, *b);
}

static int set_pairs(const Card *card, unsigned n) {
  uint16_t data = GUINT16_TO_LE((uint16_t)n);

  return command(card, CTRL_3, MQ_CLASS, 0, &data, sizeof data);
}

static int active(const Card *card) {
  return __atomic_load_n(&card->net->pairs, __ATOMIC_SEQ_CST);
}

static void test_pairs(void) {
  Card card = card_new(PAIRS, 0, 0, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ));
  uint64_t buffers[PAIRS];
  NetHeader header;

  g_assert_cmpint(active(&card), ==, 1);
  g_assert_cmpint(set_pairs(&card, 0), ==, ERR);
  g_assert_cmpint(set_pairs(&card, 4), ==, ERR);
  g_assert_cmpint(set_pairs(&card, 65535), ==, ERR);
  /* A queue that was not asked for is not served; what is in it is, once it was. */
  for (unsigned i = 0; i < PAIRS; i++) {
    buffers[i] = give_buffer(&card, 2 * i, 200);
    fake_kick(card.guest, 2 * i);
    make_frame(frame, 60, card_mac, (uint8_t)i);
    net_say(&card, i, &plain, frame, 60);
  }
  fake_take(card.guest, 0, NULL);
  fake_settle(card.guest);
  g_assert_cmpuint(fake_returned(card.guest, 2), ==, 0);
  uint64_t at = fake_alloc(card.guest, 76);
  FakeBuffer early = {at, 76, false};
  fake_add(card.guest, 3, &early, 1);
  fake_kick(card.guest, 3);
  fake_settle(card.guest);
  g_assert_cmpuint(fake_returned(card.guest, 3), ==, 0);
  g_assert_cmpint(set_pairs(&card, PAIRS), ==, OK);
  g_assert_cmpint(active(&card), ==, PAIRS);
  fake_take(card.guest, 3, NULL);
  g_assert_cmpuint(net_hear(&card, 1, &header, heard, sizeof heard, HEAR_MS), ==, 64);
  for (unsigned i = 1; i < PAIRS; i++) {
    uint32_t written;

    fake_take(card.guest, 2 * i, &written);
    g_assert_cmpuint(written, ==, 72);
    make_frame(frame, 60, card_mac, (uint8_t)i);
    g_assert_cmpmem((uint8_t *)fake_at(card.guest, buffers[i]) + 12, 60, frame, 60);
    make_frame(frame, 70, card_mac, (uint8_t)i);
    guest_send(&card, 2 * i + 1, &plain, frame, 70);
    g_assert_cmpuint(net_hear(&card, i, &header, heard, sizeof heard, HEAR_MS), ==, 70);
  }
  virtio_device_pause(card.guest->device);
  virtio_device_resume(card.guest->device);
  g_assert_cmpint(active(&card), ==, PAIRS);
  g_assert_cmpint(set_pairs(&card, 2), ==, OK);
  g_assert_cmpint(active(&card), ==, 2);
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ));
  fake_settle(card.guest);
  g_assert_cmpint(active(&card), ==, 1);
  card_free(&card);
}

/* Names of this process's threads that begin with the card's, in order, each with a blank behind it. */
static char *card_threads(void) {
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  GString *all = g_string_new(NULL);
  const char *task;

  while ((task = g_dir_read_name(tasks))) {
    g_autofree char *path = g_strdup_printf("/proc/self/task/%s/comm", task);
    char *name;

    if (g_file_get_contents(path, &name, NULL, NULL))
      g_ptr_array_add(names, g_strchomp(name));
  }
  g_ptr_array_sort(names, (GCompareFunc)compare_names);
  for (unsigned i = 0; i < names->len; i++)
    if (g_str_has_prefix(g_ptr_array_index(names, i), "net"))
      g_string_append_printf(all, "%s ", (char *)g_ptr_array_index(names, i));
  return g_string_free(all, FALSE);
}

/* A thread that was joined may be seen there for a moment more. */
static void await_threads(const char *wanted) {
  char *names;

  while (strcmp(names = card_threads(), wanted) != 0) {
    g_free(names);
    g_usleep(1000);
  }
  g_free(names);
}

typedef struct {
  GMutex lock;
  bool reached; /* atomic */
} Gate;

static void wait_at_gate(void *opaque) {
  Gate *gate = opaque;

  __atomic_store_n(&gate->reached, true, __ATOMIC_SEQ_CST);
  g_mutex_lock(&gate->lock);
  g_mutex_unlock(&gate->lock);
}

/* A pair whose thread is at work for long keeps nobody else waiting. */
static void test_threads(void) {
  Card card = card_new(PAIRS, 0, 0, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ));
  const VirtioDevice *device = card.guest->device;
  NetHeader header;
  Gate gate = {.reached = false};

  g_assert_cmpint(set_pairs(&card, PAIRS), ==, OK);
  await_threads("net net-q1 net-q2 ");
  g_assert_true(device->ops->io(device, CTRL_3) == device->io && device->ops->io(device, TX) == device->io);
  g_mutex_init(&gate.lock);
  g_mutex_lock(&gate.lock);
  io_thread_post(device->ops->io(device, 2), wait_at_gate, &gate);
  while (!__atomic_load_n(&gate.reached, __ATOMIC_SEQ_CST))
    g_usleep(50);
  uint64_t at = fake_alloc(card.guest, 76);
  FakeBuffer early = {at, 76, false};
  fake_add(card.guest, 3, &early, 1);
  fake_kick(card.guest, 3);
  for (unsigned i = 0; i < PAIRS; i += 2) {
    guest_send(&card, 2 * i + 1, &plain, frame, 70);
    g_assert_cmpuint(net_hear(&card, i, &header, heard, sizeof heard, HEAR_MS), ==, 70);
    give_buffer(&card, 2 * i, 200);
    fake_kick(card.guest, 2 * i);
    net_say(&card, i, &plain, frame, 60);
    fake_take(card.guest, 2 * i, NULL);
  }
  g_assert_cmpuint(fake_returned(card.guest, 3), ==, 0);
  g_mutex_unlock(&gate.lock);
  fake_take(card.guest, 3, NULL);
  g_mutex_clear(&gate.lock);
  card_free(&card);

  card = card_new(1, 0, 0, NET_FEATURE(NET_F_CTRL_VQ));
  await_threads("net ");
  card_free(&card);
}

/* What the driver has taken back is its own again; more goes in, as far as there is room. */
static void feed(const Card *card, unsigned queue, const FakeBuffer *buffer) {
  while (fake_returned(card->guest, queue))
    fake_take(card->guest, queue, NULL);
  while ((uint16_t)(card->guest->queues[queue].avail - card->guest->queues[queue].used) < 16)
    fake_add(card->guest, queue, buffer, 1);
  fake_kick(card->guest, queue);
}

static void command_at_random(const Card *card, GRand *random) {
  uint64_t offloads = g_rand_boolean(random) ? NET_FEATURE(NET_F_GUEST_CSUM) : 0;
  uint8_t on = (uint8_t)g_rand_boolean(random);
  uint8_t tables[4 + 6 + 4] = {1, 0, 0, 0, 2, 0, 0, 0, 0, (uint8_t)g_rand_int(random)};
  int answer = OK;

  switch (g_rand_int_range(random, 0, 7)) {
  case 0:
    answer = set_pairs(card, (unsigned)g_rand_int_range(random, 1, PAIRS + 1));
    break;
  case 1:
    answer = command(card, CTRL_3, RX_CLASS, (uint8_t)g_rand_int_range(random, 0, 3), &on, 1);
    break;
  case 2:
    answer = command(card, CTRL_3, MAC_CLASS, 0, tables, sizeof tables);
    break;
  case 3:
    answer = command(card, CTRL_3, MAC_CLASS, 1, card_mac, sizeof card_mac);
    break;
  case 4:
    answer = command(card, CTRL_3, OFFLOADS_CLASS, 0, &offloads, sizeof offloads);
    break;
  case 5:
    virtio_device_pause(card->guest->device);
    virtio_device_resume(card->guest->device);
    break;
  default:
    virtio_net_set_link(card->guest->device, on);
    break;
  }
  g_assert_cmpint(answer, ==, OK);
}

/* Frames by all pairs both ways, while commands, pauses and resets come in between. */
static void test_threads_at_work(void) {
  const uint64_t features = CTRL_FEATURES | NET_FEATURE(NET_F_MQ) | NET_FEATURE(NET_F_GUEST_CSUM) | NET_FEATURE(NET_F_MRG_RXBUF);
  g_autoptr(GRand) random = g_rand_new_with_seed(5);
  Card card = card_new(PAIRS, NET_OFFLOAD_CSUM, 0, features);

  for (unsigned round = 0; round < 20; round++) {
    FakeBuffer in[PAIRS], out = {fake_alloc(card.guest, 76), 76, false};
    NetHeader header;

    for (unsigned i = 0; i < PAIRS; i++)
      in[i] = (FakeBuffer){fake_alloc(card.guest, 200), 200, true};
    g_assert_cmpint(set_pairs(&card, PAIRS), ==, OK);
    for (unsigned step = 0; step < 40; step++) {
      for (unsigned i = 0; i < PAIRS; i++) {
        feed(&card, 2 * i, &in[i]);
        feed(&card, 2 * i + 1, &out);
        if (step % 4 == i) /* the fake has room for all of them */
          net_say(&card, i, &plain, frame, 60);
        while (net_hear(&card, i, &header, heard, sizeof heard, 0))
          ;
      }
      if (g_rand_int_range(random, 0, 3) == 0)
        command_at_random(&card, random);
    }
    g_assert_false(fake_has_failed(card.guest));
    fake_guest_reset(card.guest);
    fake_guest_start(card.guest, features);
  }
  g_assert_cmpuint(count_of(&card, NET_COUNT_SENT), >, 0);
  g_assert_cmpuint(count_of(&card, NET_COUNT_RECEIVED), >, 0);
  card_free(&card);
}

/* A driver may ask for a pair whose queues it has not set up, and set up queues without asking for their pair. */
static void test_pairs_without_queues(void) {
  Card card = card_new(PAIRS, 0, 0, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_MQ));

  for (unsigned i = 2; i < CTRL_3; i++)
    virtio_queue_disable(card.guest->device, i);
  g_assert_cmpint(set_pairs(&card, PAIRS), ==, OK);
  fake_kick(card.guest, 3);
  net_say(&card, 1, &plain, frame, 60);
  fake_settle(card.guest);
  guest_send(&card, TX, &plain, frame, 70);
  virtio_device_pause(card.guest->device);
  virtio_device_resume(card.guest->device);
  g_assert_cmpint(set_pairs(&card, 1), ==, OK);
  g_assert_false(fake_has_failed(card.guest));
  card_free(&card);
}

/* 5.1.2: a driver that knows of one pair has its commands in the third queue, whatever else that is. */
static void test_pairs_unknown(void) {
  static const uint8_t off = 0;
  Card card = card_new(PAIRS, 0, 0, NET_FEATURE(NET_F_CTRL_VQ) | NET_FEATURE(NET_F_CTRL_RX));

  g_assert_cmpint(command(&card, 2, RX_CLASS, 0, &off, 1), ==, OK);
  g_assert_cmpint(command(&card, 2, MQ_CLASS, 0, "\2", 2), ==, ERR);
  card_free(&card);
}

static unsigned status_of(const Card *card) {
  return fake_config(card->guest, CONFIG_STATUS, 2);
}

static int config_interrupts(const Card *card) {
  return __atomic_load_n(&card->guest->config_interrupts, __ATOMIC_SEQ_CST);
}

static void test_cable(void) {
  Card card = card_new(1, 0, 0, NET_FEATURE(NET_F_STATUS));
  uint64_t address = give_buffer(&card, RX, 200);

  fake_kick(card.guest, RX);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP);
  virtio_net_set_link(card.guest->device, false);
  virtio_net_set_link(card.guest->device, false);
  g_assert_cmpuint(status_of(&card), ==, 0);
  g_assert_cmpint(config_interrupts(&card), ==, 1);
  /* Nothing goes either way, and nothing of it comes later. */
  make_frame(frame, 60, card_mac, 1);
  guest_send(&card, TX, &plain, frame, 60);
  net_say(&card, 0, &plain, frame, 60);
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;
  while (count_of(&card, NET_COUNT_LINK_DOWN) < 2)
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
  virtio_net_set_link(card.guest->device, true);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP);
  g_assert_cmpint(config_interrupts(&card), ==, 2);
  make_frame(frame, 61, card_mac, 1);
  net_say(&card, 0, &plain, frame, 61);
  uint32_t written;
  fake_take(card.guest, RX, &written);
  g_assert_cmpuint(written, ==, 73);
  g_assert_cmpmem((uint8_t *)fake_at(card.guest, address) + 12, 61, frame, 61);
  g_assert_cmpuint(net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, 0), ==, 0);
  card_free(&card);
}

/* A back end that is gone takes the link with it, and nothing else; nobody is busy with what is left of it. */
static void test_lost(void) {
  Card card = card_new(1, 0, 0, NET_FEATURE(NET_F_STATUS));
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  fake_settle(card.guest);
  close(card.net->theirs[0]);
  card.net->theirs[0] = -1;
  while (status_of(&card) & LINK_UP)
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
  int receives = __atomic_load_n(&card.net->receives, __ATOMIC_SEQ_CST);
  g_usleep(20000);
  g_assert_cmpint(__atomic_load_n(&card.net->receives, __ATOMIC_SEQ_CST), ==, receives);
  g_assert_cmpint(config_interrupts(&card), ==, 1);
  make_frame(frame, 60, card_mac, 1);
  guest_send(&card, TX, &plain, frame, 60);
  g_assert_cmpuint(count_of(&card, NET_COUNT_LINK_DOWN), ==, 1);
  g_assert_false(fake_has_failed(card.guest));
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, NET_FEATURE(NET_F_STATUS));
  guest_send(&card, TX, &plain, frame, 60);
  g_assert_cmpuint(status_of(&card), ==, 0);
  card_free(&card);
}

/* A card that has failed does not keep its thread busy with a network that talks on. */
static void test_failed(void) {
  Card card = card_new(1, 0, 0, 0);

  give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  fake_settle(card.guest);
  fake_publish(card.guest, TX, 9999);
  fake_kick(card.guest, TX);
  fake_wait_for(card.guest, VIRTIO_STATUS_NEEDS_RESET);
  make_frame(frame, 60, card_mac, 1);
  for (unsigned i = 0; i < 10; i++)
    net_say(&card, 0, &plain, frame, 60);
  g_usleep(20000);
  int receives = __atomic_load_n(&card.net->receives, __ATOMIC_SEQ_CST);
  g_usleep(20000);
  g_assert_cmpint(__atomic_load_n(&card.net->receives, __ATOMIC_SEQ_CST), ==, receives);
  fake_settle(card.guest);
  card_free(&card);
}

static void test_announce(void) {
  Card card = card_new(1, 0, 0, CTRL_FEATURES & ~NET_FEATURE(NET_F_CTRL_GUEST_OFFLOADS));

  virtio_net_announce(card.guest->device);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP | ANNOUNCE);
  g_assert_cmpint(config_interrupts(&card), ==, 1);
  g_assert_cmpint(command(&card, CTRL, ANNOUNCE_CLASS, 1, NULL, 0), ==, ERR);
  g_assert_cmpint(command(&card, CTRL, ANNOUNCE_CLASS, 0, NULL, 0), ==, OK);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP);
  virtio_net_announce(card.guest->device);
  fake_guest_reset(card.guest);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP);
  /* A driver that does not know it is not asked. */
  fake_guest_start(card.guest, NET_FEATURE(NET_F_STATUS));
  virtio_net_announce(card.guest->device);
  g_assert_cmpuint(status_of(&card), ==, LINK_UP);
  card_free(&card);
}

/* 6.17's driver writes feature words beyond the second. */
static void test_feature_words(void) {
  Card card = card_new(1, 0, 0, 0);

  fake_guest_reset(card.guest);
  virtio_set_status(card.guest->device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  for (unsigned word = 2; word < 4; word++) {
    g_assert_cmphex(virtio_get_device_features(card.guest->device, word), ==, 0);
    virtio_set_driver_features(card.guest->device, word, 0);
  }
  fake_guest_start(card.guest, NET_FEATURE(NET_F_MAC));
  card_free(&card);
}

typedef struct {
  DeviceWatch watch;
  int received, sent, failed; /* atomic */
  int bad_headers, others;    /* atomic */
} Watcher;

static void see_request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started,
                        bool failed) {
  Watcher *watcher = (Watcher *)watch;
  int *count = failed ? &watcher->failed : strcmp(kind, "receive") == 0 ? &watcher->received : &watcher->sent;

  g_assert_cmpuint(queue, ==, strcmp(kind, "receive") == 0 ? RX : TX);
  g_assert_cmpuint(bytes, ==, 60);
  __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

static void see_event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  Watcher *watcher = (Watcher *)watch;
  bool bad_header = queue == TX && strcmp(what, "dropped: bad header") == 0;

  __atomic_fetch_add(bad_header ? &watcher->bad_headers : &watcher->others, 1, __ATOMIC_SEQ_CST);
}

static void see_doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
}

static void see_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
}

static void test_watch(void) {
  Watcher watcher = {.watch = {see_doorbell, see_interrupt, see_request, see_event}};
  Card card = card_new(1, 0, 0, 0);
  NetHeader bad = {.flags = 1};

  card.guest->device->watch = &watcher.watch;
  make_frame(frame, 60, card_mac, 1);
  guest_send(&card, TX, &plain, frame, 60);
  guest_send(&card, TX, &bad, frame, 60);
  give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  net_say(&card, 0, &plain, frame, 60);
  fake_take(card.guest, RX, NULL);
  fake_settle(card.guest);
  g_assert_cmpint(watcher.sent, ==, 1);
  g_assert_cmpint(watcher.received, ==, 1);
  g_assert_cmpint(watcher.failed, ==, 1);
  g_assert_cmpint(watcher.bad_headers, ==, 1);
  g_assert_cmpint(watcher.others, ==, 0);
  card_free(&card);
}

static void test_mac(void) {
  uint8_t macs[4][NET_MAC_SIZE];

  virtio_net_derive_mac("web", 0, macs[0]);
  virtio_net_derive_mac("web", 1, macs[1]);
  virtio_net_derive_mac("db", 0, macs[2]);
  virtio_net_derive_mac("web", 0, macs[3]);
  g_assert_cmpmem(macs[0], 6, macs[3], 6);
  g_assert_cmpint(memcmp(macs[0], macs[1], 6), !=, 0);
  g_assert_cmpint(memcmp(macs[0], macs[2], 6), !=, 0);
  for (unsigned i = 0; i < 200; i++) {
    g_autofree char *identity = g_strdup_printf("machine-%u", i);

    virtio_net_derive_mac(identity, 0, macs[0]);
    g_assert_cmphex(macs[0][0] & 3, ==, 2);
  }
}

static void test_freed(void) {
  int freed = 0;
  Card card = card_new(1, 0, 0, 0);

  card.net->freed = &freed;
  card_free(&card);
  g_assert_cmpint(freed, ==, 1);
}

static void test_control_fuzz(void) {
  Card card = card_new(PAIRS, FAKE_NET_ALL, 0, CTRL_FEATURES | OFFLOAD_FEATURES | NET_FEATURE(NET_F_MQ));

  for (unsigned i = 0; i < 20000; i++) {
    uint8_t data[24];
    uint32_t size = (uint32_t)g_test_rand_int_range(0, sizeof data);

    if (i % 1000 == 0) {
      fake_guest_reset(card.guest);
      fake_guest_start(card.guest, CTRL_FEATURES | OFFLOAD_FEATURES | NET_FEATURE(NET_F_MQ));
    }
    for (unsigned j = 0; j < sizeof data; j++)
      data[j] = (uint8_t)g_test_rand_int_range(0, j % 4 ? 2 : 8);
    command(&card, CTRL_3, (uint8_t)g_test_rand_int_range(0, 7), (uint8_t)g_test_rand_int_range(0, 7), data, size);
  }
  g_assert_false(fake_has_failed(card.guest));
  card_free(&card);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net/features", test_features);
  g_test_add_func("/net/config", test_config);
  g_test_add_func("/net/backend-mtu", test_backend_mtu);
  g_test_add_func("/net/filter", test_filter);
  g_test_add_func("/net/tables", test_tables);
  g_test_add_func("/net/unknown-commands", test_unknown_commands);
  g_test_add_func("/net/bad-commands", test_bad_commands);
  g_test_add_func("/net/offloads", test_offloads);
  g_test_add_func("/net/pairs", test_pairs);
  g_test_add_func("/net/pairs-without-queues", test_pairs_without_queues);
  g_test_add_func("/net/threads", test_threads);
  g_test_add_func("/net/threads-at-work", test_threads_at_work);
  g_test_add_func("/net/pairs-unknown", test_pairs_unknown);
  g_test_add_func("/net/cable", test_cable);
  g_test_add_func("/net/lost", test_lost);
  g_test_add_func("/net/failed", test_failed);
  g_test_add_func("/net/announce", test_announce);
  g_test_add_func("/net/feature-words", test_feature_words);
  g_test_add_func("/net/watch", test_watch);
  g_test_add_func("/net/mac", test_mac);
  g_test_add_func("/net/freed", test_freed);
  g_test_add_func("/net/control-fuzz", test_control_fuzz);
  return g_test_run();
}
