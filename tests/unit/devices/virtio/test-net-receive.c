/* SPDX-License-Identifier: Apache-2.0 */
/* The receive queues of the network card: devices/virtio/net-receive.c, through the real virtio core. */
#include "tests/unit/devices/virtio/net-fixture.h"

#define MERGEABLE NET_FEATURE(NET_F_MRG_RXBUF)

static const NetHeader plain;
static uint8_t frame[NET_FRAME_MAX + 1], whole[NET_HEADER_SIZE + NET_FRAME_MAX + 1];

/* One buffer of the guest's. */
static uint32_t take_buffer(const Card *card, uint64_t address, uint8_t *to) {
  uint32_t written;

  fake_take(card->guest, RX, &written);
  memcpy(to, fake_at(card->guest, address), written);
  return written;
}

static void assert_frame(size_t size, const NetHeader *header, uint16_t n_buffers) {
  NetHeader got;

  memcpy(&got, whole, sizeof got);
  g_assert_cmpuint(GUINT16_FROM_LE(got.num_buffers), ==, n_buffers);
  got.num_buffers = 0;
  g_assert_cmpmem(&got, sizeof got, header, sizeof *header);
  g_assert_cmpmem(whole + NET_HEADER_SIZE, size, frame, size);
}

/* Frames of all sizes in buffers of all sizes; each over as many as it needs. */
static void test_mergeable(void) {
  static const uint32_t sizes[] = {14, 60, 100, 1514, 4083, 4084, 4085, 9014, 30000, 65535, NET_FRAME_MAX};
  static const uint32_t buffer_sizes[] = {1526, 4096, 2048, 70000, 12, 700};

  for (unsigned b = 0; b < G_N_ELEMENTS(buffer_sizes); b++) {
    uint32_t room = buffer_sizes[b];
    Card card = card_new(1, FAKE_NET_ALL, 0, MERGEABLE | (b % 2 ? OFFLOAD_FEATURES : 0));
    unsigned n = card.guest->queues[RX].size, next = 0;
    g_autofree uint64_t *addresses = g_new(uint64_t, n);

    n = MIN(n, 8000000 / room);
    for (unsigned i = 0; i < n; i++)
      addresses[i] = give_buffer(&card, RX, room);
    fake_kick(card.guest, RX);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
      unsigned needed = (NET_HEADER_SIZE + sizes[i] + room - 1) / room, done = 0;

      if (needed > n - next || needed > NET_STOCK_CHAINS)
        break;
      make_frame(frame, sizes[i], card_mac, (uint8_t)i);
      net_say(&card, 0, &plain, frame, sizes[i]);
      for (unsigned j = 0; j < needed; j++) {
        uint32_t written = take_buffer(&card, addresses[next++], whole + done);

        g_assert_cmpuint(written, ==, MIN(room, NET_HEADER_SIZE + sizes[i] - done));
        /* The driver that sees the first sees the others. */
        g_assert_cmpuint(fake_returned(card.guest, RX), >=, needed - 1 - j);
        done += written;
      }
      assert_frame(sizes[i], &plain, (uint16_t)needed);
    }
    fake_settle(card.guest);
    g_assert_cmpuint(fake_returned(card.guest, RX), ==, 0);
    card_free(&card);
  }
}

static void test_one_buffer(void) {
  static const uint32_t sizes[] = {14, 60, 1514};
  Card card = card_new(1, 0, 0, 0);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    uint64_t address = give_buffer(&card, RX, 1526);

    fake_kick(card.guest, RX);
    make_frame(frame, sizes[i], card_mac, (uint8_t)i);
    net_say(&card, 0, &plain, frame, sizes[i]);
    g_assert_cmpuint(take_buffer(&card, address, whole), ==, NET_HEADER_SIZE + sizes[i]);
    assert_frame(sizes[i], &plain, 1);
  }
  /* What is longer is dropped, and its buffer has the next. */
  uint64_t address = give_buffer(&card, RX, 1526);
  fake_kick(card.guest, RX);
  make_frame(frame, 1515, card_mac, 9);
  net_say(&card, 0, &plain, frame, 1515);
  make_frame(frame, NET_FRAME_MAX, card_mac, 9);
  net_say(&card, 0, &plain, frame, NET_FRAME_MAX);
  make_frame(frame, 80, card_mac, 10);
  net_say(&card, 0, &plain, frame, 80);
  g_assert_cmpuint(take_buffer(&card, address, whole), ==, NET_HEADER_SIZE + 80);
  assert_frame(80, &plain, 1);
  g_assert_cmpuint(count_of(&card, NET_COUNT_TOO_LONG), ==, 2);
  g_assert_cmpuint(count_of(&card, NET_COUNT_RECEIVED), ==, 4);
  card_free(&card);
}

/* A buffer in pieces, as a driver has it that takes segments without merging. */
static void test_pieces(void) {
  NetHeader segment = {1, NET_GSO_TCPV6, GUINT16_TO_LE(74), GUINT16_TO_LE(1428), GUINT16_TO_LE(54), GUINT16_TO_LE(16), 0};
  Card card = card_new(1, FAKE_NET_ALL, 0, OFFLOAD_FEATURES | VIRTIO_F_INDIRECT_DESC);
  FakeBuffer buffers[19];
  uint64_t area = fake_alloc(card.guest, 70000);

  for (unsigned i = 0; i < 19; i++)
    buffers[i] = (FakeBuffer){area + (i ? 12 + 3650u * (i - 1) : 0), i ? 3650 : 12, true};
  for (unsigned round = 0; round < 3; round++) {
    fake_add_indirect(card.guest, RX, buffers, 19);
    fake_kick(card.guest, RX);
    make_frame(frame, 65000, card_mac, (uint8_t)round);
    net_say(&card, 0, &segment, frame, 65000);
    g_assert_cmpuint(take_buffer(&card, area, whole), ==, 65012);
    assert_frame(65000, &segment, 1);
  }
  card_free(&card);
}

static int receives(const Card *card) {
  return __atomic_load_n(&card->net->receives, __ATOMIC_SEQ_CST);
}

/* Without buffers frames stay with the host, and nobody is busy; with the first they come, in order. */
static void test_no_buffers(void) {
  for (unsigned merge = 0; merge < 2; merge++)
    for (unsigned event = 0; event < 2; event++) {
      Card card = card_new(1, 0, 0, (merge ? MERGEABLE : 0) | (event ? VIRTIO_F_EVENT_IDX : 0));

      for (unsigned i = 0; i < 10; i++) {
        make_frame(frame, 60 + i, card_mac, (uint8_t)i);
        net_say(&card, 0, &plain, frame, 60 + i);
      }
      g_usleep(20000);
      g_assert_cmpint(receives(&card), ==, 0);
      for (unsigned i = 0; i < 10; i++) {
        uint64_t address = give_buffer(&card, RX, 1526);

        fake_kick_if_wanted(card.guest, RX, 1);
        make_frame(frame, 60 + i, card_mac, (uint8_t)i);
        g_assert_cmpuint(take_buffer(&card, address, whole), ==, NET_HEADER_SIZE + 60 + i);
        assert_frame(60 + i, &plain, 1);
      }
      card_free(&card);
    }
}

/* A frame that needs more than there are waits for them, and then comes whole. */
static void test_waits(void) {
  for (unsigned stop = 0; stop < 6; stop++) {
    /* Without offloads nobody expects a frame that long, and some of it is in the guest's buffers already. */
    Card card = card_new(1, FAKE_NET_ALL, 0, MERGEABLE | (stop < 3 ? OFFLOAD_FEATURES : 0));
    uint64_t addresses[4];
    unsigned done = 0;

    addresses[0] = give_buffer(&card, RX, 2000);
    fake_kick(card.guest, RX);
    make_frame(frame, 7000, card_mac, 1);
    net_say(&card, 0, &plain, frame, 7000);
    for (unsigned i = 1; i < 4; i++) {
      g_usleep(5000);
      fake_settle(card.guest);
      g_assert_cmpuint(fake_returned(card.guest, RX), ==, 0);
      if (stop % 3 == 1) {
        virtio_device_pause(card.guest->device);
        virtio_device_resume(card.guest->device);
      }
      addresses[i] = give_buffer(&card, RX, 2000);
      fake_kick_if_wanted(card.guest, RX, 1);
    }
    for (unsigned i = 0; i < 4; i++)
      done += take_buffer(&card, addresses[i], whole + done);
    g_assert_cmpuint(done, ==, 7012);
    assert_frame(7000, &plain, 4);
    if (stop % 3 == 2) { /* one that waits does not outlive a reset */
      addresses[0] = give_buffer(&card, RX, 2000);
      fake_kick_if_wanted(card.guest, RX, 1);
      net_say(&card, 0, &plain, frame, 7000);
      int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;
      struct pollfd left = {.fd = card.net->ours[0], .events = POLLIN};
      while (poll(&left, 1, 0) && g_get_monotonic_time() < deadline)
        g_usleep(100);
      fake_guest_reset(card.guest);
      fake_guest_start(card.guest, MERGEABLE);
      for (unsigned i = 0; i < 8; i++)
        addresses[i % 4] = give_buffer(&card, RX, 2000);
      fake_kick(card.guest, RX);
      g_usleep(5000);
      g_assert_cmpuint(fake_returned(card.guest, RX), ==, 0);
    }
    card_free(&card);
  }
}

/* One that is longer than everything the queue can hold is dropped; the next is not. */
static void test_longer_than_all(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, MERGEABLE | OFFLOAD_FEATURES);
  unsigned n = card.guest->queues[RX].size;
  uint64_t first = 0;

  for (unsigned i = 0; i < n; i++) {
    uint64_t address = give_buffer(&card, RX, 100);

    first = i ? first : address;
  }
  fake_kick(card.guest, RX);
  make_frame(frame, 60000, card_mac, 1);
  net_say(&card, 0, &plain, frame, 60000);
  make_frame(frame, 64, card_mac, 2);
  net_say(&card, 0, &plain, frame, 64);
  g_assert_cmpuint(take_buffer(&card, first, whole), ==, 76);
  assert_frame(64, &plain, 1);
  g_assert_cmpuint(count_of(&card, NET_COUNT_TOO_LONG), ==, 1);
  card_free(&card);
}

/*
 * Buffers of so many pieces that few of them fill the stock: the frame is dropped, nobody is busy, the next one comes.
 */
static void test_stock_full(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, MERGEABLE | OFFLOAD_FEATURES | VIRTIO_F_INDIRECT_DESC);
  FakeBuffer pieces[200];
  uint64_t area = fake_alloc(card.guest, 4000);

  for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++)
    pieces[i] = (FakeBuffer){area + 10u * i, 10, true};
  for (unsigned i = 0; i < 20; i++)
    fake_add_indirect(card.guest, RX, pieces, G_N_ELEMENTS(pieces));
  fake_kick(card.guest, RX);
  make_frame(frame, 60000, card_mac, 1);
  net_say(&card, 0, &plain, frame, 60000);
  make_frame(frame, 1000, card_mac, 2);
  net_say(&card, 0, &plain, frame, 1000);
  g_assert_cmpuint(take_buffer(&card, area, whole), ==, 1012);
  assert_frame(1000, &plain, 1);
  g_assert_cmpuint(count_of(&card, NET_COUNT_TOO_LONG), ==, 1);
  card_free(&card);
}

/* A buffer without room for a header comes back empty, and the frame goes into the next. */
static void test_useless_buffers(void) {
  for (unsigned merge = 0; merge < 2; merge++) {
    Card card = card_new(1, 0, 0, merge ? MERGEABLE : 0);
    FakeBuffer readable = {fake_alloc(card.guest, 100), 100, false};
    uint64_t small = fake_alloc(card.guest, 16), address;

    fake_add(card.guest, RX, &(FakeBuffer){small, 11, true}, 1);
    fake_add(card.guest, RX, &readable, 1);
    fake_add(card.guest, RX, &(FakeBuffer){small, 1, true}, 1);
    address = give_buffer(&card, RX, 2000);
    fake_kick(card.guest, RX);
    make_frame(frame, 60, card_mac, 1);
    net_say(&card, 0, &plain, frame, 60);
    for (unsigned i = 0; i < 3; i++)
      g_assert_cmpuint(take_buffer(&card, small, whole), ==, 0);
    g_assert_cmpuint(take_buffer(&card, address, whole), ==, 72);
    assert_frame(60, &plain, 1);
    g_assert_cmpuint(count_of(&card, NET_COUNT_BAD_BUFFER), ==, 3);
    g_assert_false(fake_has_failed(card.guest));
    card_free(&card);
  }
}

static void test_not_agreed(void) {
  NetHeader segment = {1, NET_GSO_TCPV4, 54, 1448, 34, 16, 0}, checked = {.flags = NET_HEADER_F_DATA_VALID};
  Card card = card_new(1, FAKE_NET_ALL, 0, MERGEABLE);
  uint64_t address = give_buffer(&card, RX, 2000);

  fake_kick(card.guest, RX);
  make_frame(frame, 80, card_mac, 1);
  net_say(&card, 0, &segment, frame, 80);
  net_say(&card, 0, &checked, frame, 80);
  g_assert_cmpuint(take_buffer(&card, address, whole), ==, 92);
  assert_frame(80, &plain, 1);
  g_assert_cmpuint(count_of(&card, NET_COUNT_NOT_AGREED), ==, 1);
  card_free(&card);
}

static void test_runt(void) {
  Card card = card_new(1, 0, 0, 0);
  uint64_t address = give_buffer(&card, RX, 2000);

  fake_kick(card.guest, RX);
  make_frame(frame, 80, card_mac, 1);
  net_say(&card, 0, &plain, frame, 13);
  net_say(&card, 0, &plain, frame, 1);
  net_say(&card, 0, &plain, frame, 80);
  g_assert_cmpuint(take_buffer(&card, address, whole), ==, 92);
  card_free(&card);
}

/* Many, into buffers that are given back at once; with a doorbell only where it is wanted. */
static void test_stream(void) {
  for (unsigned mode = 0; mode < 4; mode++) {
    Card card = card_new(1, FAKE_NET_ALL, 0, (mode & 1 ? VIRTIO_F_EVENT_IDX : 0) | (mode & 2 ? MERGEABLE | OFFLOAD_FEATURES : 0));
    enum { BUFFERS = 60, TOTAL = 5000 };
    uint64_t addresses[BUFFERS];
    unsigned given = 0, said = 0, got = 0;

    while (got < TOTAL) {
      while (given < got + BUFFERS && given < TOTAL) {
        FakeBuffer buffer = {given < BUFFERS ? (addresses[given] = fake_alloc(card.guest, 1526)) : addresses[given % BUFFERS], 1526, true};

        fake_add(card.guest, RX, &buffer, 1);
        fake_kick_if_wanted(card.guest, RX, 1);
        given++;
      }
      for (unsigned i = 0; i < 1 + said % 7 && said < TOTAL && said < got + 100; i++) {
        make_frame(frame, 60 + said % 1400, card_mac, (uint8_t)said);
        net_say(&card, 0, &plain, frame, 60 + said % 1400);
        said++;
      }
      do {
        make_frame(frame, 60 + got % 1400, card_mac, (uint8_t)got);
        g_assert_cmpuint(take_buffer(&card, addresses[got % BUFFERS], whole), ==, 72 + got % 1400);
        assert_frame(60 + got % 1400, &plain, 1);
        got++;
      } while (fake_returned(card.guest, RX));
    }
    /* All that was said was heard. */
    g_assert_cmpuint(count_of(&card, NET_COUNT_RECEIVED), ==, TOTAL);
    card_free(&card);
  }
}

/* What was in stock is given back by a stop, and taken again in order. */
static void test_pause(void) {
  Card card = card_new(1, 0, 0, MERGEABLE);
  uint64_t addresses[20];

  for (unsigned i = 0; i < 20; i++)
    addresses[i] = give_buffer(&card, RX, 200);
  fake_kick(card.guest, RX);
  for (unsigned i = 0; i < 20; i++) {
    make_frame(frame, 64, card_mac, (uint8_t)i);
    if (i % 2)
      virtio_device_pause(card.guest->device);
    net_say(&card, 0, &plain, frame, 64);
    if (i % 2) {
      fake_settle(card.guest);
      g_assert_cmpuint(fake_returned(card.guest, RX), ==, 0);
      virtio_device_resume(card.guest->device);
    }
    g_assert_cmpuint(take_buffer(&card, addresses[i], whole), ==, 76);
    assert_frame(64, &plain, 1);
  }
  card_free(&card);
}

static void test_fuzz(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, 0);

  for (unsigned i = 0; i < 400; i++) {
    fake_guest_reset(card.guest);
    fake_guest_start(card.guest, (i % 3 ? MERGEABLE : 0) | (i % 2 ? OFFLOAD_FEATURES : 0) | VIRTIO_F_INDIRECT_DESC);
    unsigned n = card.guest->queues[RX].size;
    uint64_t area = fake_alloc(card.guest, 70000);
    struct pollfd room = {.fd = card.net->theirs[0], .events = POLLOUT};

    for (unsigned j = 0; j < n; j++) {
      bool wild = g_test_rand_int_range(0, 300) == 0;

      fake_write_descriptor(card.guest, card.guest->queues[RX].descriptors, j, wild ? (uint64_t)g_test_rand_int() << 4 : area,
                            wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(1, i % 4 ? 2000 : 60000),
                            (uint16_t)(wild ? g_test_rand_int_range(0, 8) : FAKE_DESC_WRITE | g_test_rand_int_range(0, 2)),
                            (uint16_t)g_test_rand_int_range(0, (int)n + (j == 0)));
    }
    for (unsigned j = 0; j < 20; j++) {
      size_t size = (size_t)g_test_rand_int_range(1, j % 4 ? 1600 : NET_FRAME_MAX);
      NetHeader header = {.flags = (uint8_t)g_test_rand_int_range(0, 3), .gso_type = (uint8_t)g_test_rand_int_range(0, 5)};

      make_frame(frame, size, card_mac, (uint8_t)j);
      if (poll(&room, 1, 0) == 1)
        net_say(&card, 0, &header, frame, size);
      for (unsigned k = 0; k < 8; k++)
        fake_publish(card.guest, RX, (uint16_t)g_test_rand_int_range(0, (int)n));
      fake_kick(card.guest, RX);
      fake_settle(card.guest);
    }
  }
  card_free(&card);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-receive/mergeable", test_mergeable);
  g_test_add_func("/net-receive/one-buffer", test_one_buffer);
  g_test_add_func("/net-receive/pieces", test_pieces);
  g_test_add_func("/net-receive/no-buffers", test_no_buffers);
  g_test_add_func("/net-receive/waits", test_waits);
  g_test_add_func("/net-receive/longer-than-all", test_longer_than_all);
  g_test_add_func("/net-receive/stock-full", test_stock_full);
  g_test_add_func("/net-receive/useless-buffers", test_useless_buffers);
  g_test_add_func("/net-receive/not-agreed", test_not_agreed);
  g_test_add_func("/net-receive/runt", test_runt);
  g_test_add_func("/net-receive/stream", test_stream);
  g_test_add_func("/net-receive/pause", test_pause);
  g_test_add_func("/net-receive/fuzz", test_fuzz);
  return g_test_run();
}
