/* SPDX-License-Identifier: Apache-2.0 */
/* The transmit queues of the network card: devices/virtio/net-transmit.c, through the real virtio core. */
#include "tests/unit/devices/virtio/net-fixture.h"

static const NetHeader plain;
static uint8_t frame[NET_FRAME_MAX], heard[NET_FRAME_MAX];

static void test_sizes(void) {
  static const uint32_t sizes[] = {14, 15, 60, 64, 1514, 1518, 9014, 65535, NET_FRAME_MAX};
  Card card = card_new(1, 0, 0, 0);

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    NetHeader header;

    make_frame(frame, sizes[i], card_mac, (uint8_t)i);
    guest_send(&card, TX, &plain, frame, sizes[i]);
    g_assert_cmpuint(net_hear(&card, 0, &header, heard, sizeof heard, HEAR_MS), ==, sizes[i]);
    g_assert_cmpmem(heard, sizes[i], frame, sizes[i]);
    g_assert_cmpmem(&header, sizeof header, &plain, sizeof plain);
  }
  g_assert_cmpuint(count_of(&card, NET_COUNT_SENT), ==, G_N_ELEMENTS(sizes));
  card_free(&card);
}

/* The header need not be a buffer of its own, nor whole (2.7.4: framing is the driver's). */
static void test_framing(void) {
  static const uint32_t cuts[][4] = {{76, 0, 0, 0},  {12, 64, 0, 0}, {5, 7, 64, 0},  {11, 2, 63, 0},
                                     {13, 63, 0, 0}, {1, 1, 1, 73},  {12, 1, 13, 50}};
  Card card = card_new(1, 0, 0, VIRTIO_F_INDIRECT_DESC);
  uint64_t at = fake_alloc(card.guest, 4096);

  for (unsigned i = 0; i < 2 * G_N_ELEMENTS(cuts); i++) {
    const uint32_t *cut = cuts[i / 2];
    FakeBuffer buffers[4];
    uint8_t whole[76] = {0};
    NetHeader header;
    unsigned n = 0;

    make_frame(whole + 12, 64, card_mac, (uint8_t)i);
    for (uint32_t done = 0; done < 76; done += cut[n++]) {
      buffers[n] = (FakeBuffer){at + 200u * n, cut[n], false};
      memcpy(fake_at(card.guest, buffers[n].address), whole + done, cut[n]);
    }
    if (i % 2)
      fake_add_indirect(card.guest, TX, buffers, n);
    else
      fake_add(card.guest, TX, buffers, n);
    fake_kick(card.guest, TX);
    fake_take(card.guest, TX, NULL);
    g_assert_cmpuint(net_hear(&card, 0, &header, heard, sizeof heard, HEAR_MS), ==, 64);
    g_assert_cmpmem(heard, 64, whole + 12, 64);
  }
  card_free(&card);
}

static void test_segment(void) {
  NetHeader header = {1, NET_GSO_TCPV4, GUINT16_TO_LE(54), GUINT16_TO_LE(1448), GUINT16_TO_LE(34), GUINT16_TO_LE(16), 0x5555}, got;
  Card card = card_new(1, FAKE_NET_ALL, 0, OFFLOAD_FEATURES);

  make_frame(frame, 60000, card_mac, 1);
  guest_send(&card, TX, &header, frame, 60000);
  g_assert_cmpuint(net_hear(&card, 0, &got, heard, sizeof heard, HEAR_MS), ==, 60000);
  g_assert_cmpmem(heard, 60000, frame, 60000);
  header.num_buffers = 0;
  g_assert_cmpmem(&got, sizeof got, &header, sizeof header);
  card_free(&card);
}

/*
 * A header that lies, or asks for what was not agreed on: counted, its chain returned, nothing sent, and life goes on.
 */
static void test_bad_headers(void) {
  static const NetHeader bad[] = {
      {1, 0, 0, 0, 50, 60, 0},
      {1, 0, 0, 0, 0, 0, 0},
      {1, NET_GSO_TCPV4, 54, 0, 34, 16, 0},
      {1, NET_GSO_TCPV4, 65535, 1448, 34, 16, 0},
      {0, NET_GSO_TCPV6, 54, 1448, 34, 16, 0},
      {1, 77, 54, 1448, 34, 16, 0},
  };
  NetHeader good = {1, NET_GSO_TCPV4, 54, 10, 34, 16, 0}, header;

  for (unsigned agreed = 0; agreed < 2; agreed++) {
    Card card = card_new(1, FAKE_NET_ALL, 0, agreed ? OFFLOAD_FEATURES : 0);
    unsigned n = 0;

    make_frame(frame, 100, card_mac, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++, n++)
      guest_send(&card, TX, &bad[i], frame, 100);
    if (!agreed) {
      guest_send(&card, TX, &good, frame, 100);
      n++;
    }
    guest_send(&card, TX, &plain, frame, 13);
    n++;
    g_assert_cmpuint(count_of(&card, NET_COUNT_BAD_HEADER), ==, n);
    guest_send(&card, TX, agreed ? &good : &plain, frame, 100);
    g_assert_cmpuint(net_hear(&card, 0, &header, heard, sizeof heard, HEAR_MS), ==, 100);
    g_assert_cmpuint(net_hear(&card, 0, &header, heard, sizeof heard, 0), ==, 0);
    g_assert_false(fake_has_failed(card.guest));
    card_free(&card);
  }
}

/* 5.1.3.1: segments need checksums; a driver that takes the one without the other has neither. */
static void test_dependencies(void) {
  NetHeader segment = {1, NET_GSO_TCPV4, 54, 10, 34, 16, 0};
  Card card =
      card_new(1, FAKE_NET_ALL, 0,
               NET_FEATURE(NET_F_HOST_TSO4) | NET_FEATURE(NET_F_GUEST_TSO4) | NET_FEATURE(NET_F_GUEST_ECN) | NET_FEATURE(NET_F_HOST_ECN));

  make_frame(frame, 100, card_mac, 1);
  guest_send(&card, TX, &segment, frame, 100);
  g_assert_cmpuint(count_of(&card, NET_COUNT_BAD_HEADER), ==, 1);
  g_assert_cmpint(__atomic_load_n(&card.net->offloads, __ATOMIC_SEQ_CST), ==, 0);
  card_free(&card);
}

static void test_bad_buffers(void) {
  Card card = card_new(1, 0, 0, 0);
  uint64_t at = fake_alloc(card.guest, 100);
  FakeBuffer buffers[][2] = {
      {{at, 1, false}}, {{at, 11, false}}, {{at, 12, false}}, {{at, 64, true}}, {{at, 4, false}, {at, 60, true}},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(buffers); i++) {
    uint32_t written;

    fake_add(card.guest, TX, buffers[i], buffers[i][1].size ? 2 : 1);
    fake_kick(card.guest, TX);
    fake_take(card.guest, TX, &written);
    g_assert_cmpuint(written, ==, 0);
  }
  g_assert_cmpuint(count_of(&card, NET_COUNT_BAD_BUFFER), ==, G_N_ELEMENTS(buffers));
  g_assert_false(fake_has_failed(card.guest));
  /* A part that could be written is none of our business. */
  FakeBuffer odd[] = {{at, 76, false}, {at, 10, true}};
  memset(fake_at(card.guest, at), 0, 100);
  fake_add(card.guest, TX, odd, 2);
  fake_kick(card.guest, TX);
  fake_take(card.guest, TX, NULL);
  g_assert_cmpuint(count_of(&card, NET_COUNT_SENT), ==, 1);
  card_free(&card);
}

/* A network that is slow has the queue wait; nothing is lost, nothing comes twice or out of order. */
static void test_full(void) {
  Card card = card_new(1, 0, 0, VIRTIO_F_EVENT_IDX);
  unsigned n = card.guest->queues[TX].size / 2, total = 4 * n, got = 0, sent = 0;
  uint64_t at = fake_alloc(card.guest, (uint64_t)n * 20000);

  while (got < total) {
    NetHeader header;
    size_t size;

    while (sent < total && sent - got < n) {
      uint64_t place = at + 20000u * (sent % n);
      FakeBuffer buffers[] = {{place, 12, false}, {place + 12, 19000, false}};

      memset(fake_at(card.guest, place), 0, 12);
      make_frame((uint8_t *)fake_at(card.guest, place) + 12, 19000, card_mac, (uint8_t)sent++);
      fake_add(card.guest, TX, buffers, 2);
      fake_kick_if_wanted(card.guest, TX, 1);
    }
    if (got == 0)
      g_usleep(20000); /* until it is full */
    size = net_hear(&card, 0, &header, heard, sizeof heard, HEAR_MS);
    make_frame(frame, 19000, card_mac, (uint8_t)got++);
    g_assert_cmpmem(heard, size, frame, 19000);
    while (fake_returned(card.guest, TX))
      fake_take(card.guest, TX, NULL);
  }
  fake_settle(card.guest);
  g_assert_cmpuint(count_of(&card, NET_COUNT_SENT), ==, total);
  card_free(&card);
}

/* Reset, paused or gone while the network takes nothing. */
static void test_full_stop(void) {
  for (unsigned i = 0; i < 3; i++) {
    Card card = card_new(1, 0, 0, 0);
    unsigned n = card.guest->queues[TX].size / 2;
    uint64_t at = fake_alloc(card.guest, 60012);
    FakeBuffer buffers[] = {{at, 12, false}, {at + 12, 60000, false}};

    for (unsigned j = 0; j < n; j++)
      fake_add(card.guest, TX, buffers, 2);
    fake_kick(card.guest, TX);
    while (fake_returned(card.guest, TX) < 3)
      g_usleep(100);
    if (i == 0) {
      fake_guest_reset(card.guest);
      fake_guest_start(card.guest, 0);
      while (net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, 0))
        ;
      make_frame(frame, 60, card_mac, 3);
      guest_send(&card, TX, &plain, frame, 60);
      g_assert_cmpuint(net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, HEAR_MS), ==, 60);
    } else if (i == 1) {
      virtio_device_pause(card.guest->device);
      virtio_device_resume(card.guest->device);
      for (unsigned j = 0; j < n; j++)
        g_assert_cmpuint(net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, HEAR_MS), ==, 60000);
      for (unsigned j = 0; j < n; j++)
        fake_take(card.guest, TX, NULL);
    }
    card_free(&card);
  }
}

static void test_refused(void) {
  Card card = card_new(1, 0, 0, 0);

  make_frame(frame, 60, card_mac, 3);
  __atomic_store_n(&card.net->refuse, 1, __ATOMIC_SEQ_CST);
  guest_send(&card, TX, &plain, frame, 60);
  g_assert_cmpuint(count_of(&card, NET_COUNT_REFUSED), ==, 1);
  __atomic_store_n(&card.net->refuse, 0, __ATOMIC_SEQ_CST);
  guest_send(&card, TX, &plain, frame, 60);
  g_assert_cmpuint(count_of(&card, NET_COUNT_SENT), ==, 1);
  card_free(&card);
}

typedef struct {
  const Card *card;
  int stop, got; /* atomic */
} Listener;

static void *listen_on(void *opaque) {
  Listener *listener = opaque;
  uint8_t bytes[2000];
  NetHeader header;

  while (!__atomic_load_n(&listener->stop, __ATOMIC_SEQ_CST))
    if (net_hear(listener->card, 0, &header, bytes, sizeof bytes, 10))
      __atomic_fetch_add(&listener->got, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

/* With a doorbell only where it is asked for, and fewer interrupts than frames. */
static void test_stream(void) {
  for (unsigned i = 0; i < 2; i++) {
    Card card = card_new(1, 0, 0, i ? VIRTIO_F_EVENT_IDX : 0);
    Listener listener = {.card = &card};
    GThread *thread = g_thread_new("listener", listen_on, &listener);
    uint64_t at = fake_alloc(card.guest, 76);
    FakeBuffer buffers[] = {{at, 12, false}, {at + 12, 64, false}};

    fake_stream(card.guest, TX, buffers, 2, 20000);
    int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;
    while (__atomic_load_n(&listener.got, __ATOMIC_SEQ_CST) < 20000 && g_get_monotonic_time() < deadline)
      g_usleep(1000);
    __atomic_store_n(&listener.stop, 1, __ATOMIC_SEQ_CST);
    g_thread_join(thread);
    g_assert_cmpint(listener.got, ==, 20000);
    card_free(&card);
  }
}

/*
 * What the guest does on the I/O thread itself, so that no time goes by: N frames of SIZE bytes with one doorbell; then
 * its driver looks, and wants no interrupt any more.
 */
typedef struct {
  Card card;
  unsigned n;
  uint32_t size;
  bool looks;
  int at_once; /* interrupts so far, when it has returned */
} Sending;

static int transmit_interrupts(const Card *card) {
  return __atomic_load_n(&card->guest->interrupts[TX], __ATOMIC_SEQ_CST);
}

static void send_here(void *opaque) {
  Sending *sending = opaque;
  const Card *card = &sending->card;
  uint64_t at = fake_alloc(card->guest, NET_HEADER_SIZE + sending->size);
  FakeBuffer buffer = {at, NET_HEADER_SIZE + sending->size, false};

  for (unsigned i = 0; i < sending->n; i++)
    fake_add(card->guest, TX, &buffer, 1);
  card->guest->device->ops->notify(card->guest->device, TX);
  sending->at_once = transmit_interrupts(card);
  if (sending->looks)
    *(uint16_t *)fake_at(card->guest, card->guest->queues[TX].driver) = GUINT16_TO_LE(1); /* VIRTQ_AVAIL_F_NO_INTERRUPT */
}

static int send_and_count(const Card *card, unsigned n, uint32_t size, bool looks) {
  Sending sending = {*card, n, size, looks, 0};

  io_thread_call(card->guest->device->io, send_here, &sending);
  return sending.at_once;
}

static void await_interrupts(const Card *card, int n) {
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  while (transmit_interrupts(card) < n && g_get_monotonic_time() < deadline)
    g_usleep(100);
  g_usleep(5000);
  fake_settle(card->guest);
  g_assert_cmpint(transmit_interrupts(card), ==, n);
}

/* The interrupt for a lone short frame comes, but later, and not if the driver has looked meanwhile. */
static void test_lone_frame(void) {
  Card card = card_new(1, 0, 0, 0);

  g_assert_cmpint(send_and_count(&card, 1, 60, false), ==, 0);
  await_interrupts(&card, 1);
  g_assert_cmpint(send_and_count(&card, 1, 1514, false), ==, 2); /* long */
  g_assert_cmpint(send_and_count(&card, 2, 60, false), ==, 3);   /* not alone */
  await_interrupts(&card, 3);
  virtio_device_pause(card.guest->device);
  virtio_device_resume(card.guest->device);
  g_assert_cmpint(send_and_count(&card, 1, 60, true), ==, 3);
  await_interrupts(&card, 3);
  card_free(&card);
}

/* There is never more than one that it is owed for, and none when the card stands still. */
static void test_lone_frames(void) {
  Card card = card_new(1, 0, 0, 0);
  Sending first = {card, 1, 60, false, 0}, second = first;

  io_thread_post(card.guest->device->io, send_here, &first);
  io_thread_post(card.guest->device->io, send_here, &second);
  virtio_device_pause(card.guest->device);
  g_assert_cmpint(second.at_once, ==, 1);
  g_assert_cmpint(transmit_interrupts(&card), ==, 2);
  virtio_device_resume(card.guest->device);
  card_free(&card);
}

static void test_fuzz(void) {
  Card card = card_new(1, FAKE_NET_ALL, 0, 0);

  for (unsigned i = 0; i < 400; i++) {
    fake_guest_reset(card.guest);
    fake_guest_start(card.guest, OFFLOAD_FEATURES | (i % 2 ? VIRTIO_F_INDIRECT_DESC : VIRTIO_F_EVENT_IDX));
    unsigned n = card.guest->queues[TX].size;
    uint64_t area = fake_alloc(card.guest, 65536);

    for (unsigned j = 0; j < 65536; j += 4)
      *(uint32_t *)fake_at(card.guest, area + j) = (uint32_t)g_test_rand_int() & (j % 64 < 12 ? 0x00130101 : 0xffffffff);
    for (unsigned j = 0; j < n; j++) {
      bool wild = g_test_rand_int_range(0, 200) == 0;

      fake_write_descriptor(card.guest, card.guest->queues[TX].descriptors, j,
                            wild ? (uint64_t)g_test_rand_int() << 4 : area + 64u * (uint64_t)g_test_rand_int_range(0, 512),
                            wild ? (uint32_t)g_test_rand_int() : (uint32_t)g_test_rand_int_range(1, 3000),
                            (uint16_t)(wild ? g_test_rand_int_range(0, 8) : g_test_rand_int_range(0, 2)),
                            (uint16_t)g_test_rand_int_range(0, (int)n + (j == 0)));
    }
    for (unsigned j = 0; j < n; j++)
      fake_publish(card.guest, TX, (uint16_t)g_test_rand_int_range(0, (int)n));
    fake_kick(card.guest, TX);
    for (unsigned j = 0; j < 3; j++) {
      while (net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, 0))
        ;
      fake_settle(card.guest);
    }
  }
  fake_guest_reset(card.guest);
  fake_guest_start(card.guest, 0);
  while (net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, 0))
    ;
  make_frame(frame, 60, card_mac, 3);
  guest_send(&card, TX, &plain, frame, 60);
  g_assert_cmpuint(net_hear(&card, 0, &(NetHeader){0}, heard, sizeof heard, HEAR_MS), ==, 60);
  card_free(&card);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-transmit/sizes", test_sizes);
  g_test_add_func("/net-transmit/framing", test_framing);
  g_test_add_func("/net-transmit/segment", test_segment);
  g_test_add_func("/net-transmit/bad-headers", test_bad_headers);
  g_test_add_func("/net-transmit/dependencies", test_dependencies);
  g_test_add_func("/net-transmit/bad-buffers", test_bad_buffers);
  g_test_add_func("/net-transmit/full", test_full);
  g_test_add_func("/net-transmit/full-stop", test_full_stop);
  g_test_add_func("/net-transmit/refused", test_refused);
  g_test_add_func("/net-transmit/stream", test_stream);
  g_test_add_func("/net-transmit/lone-frame", test_lone_frame);
  g_test_add_func("/net-transmit/lone-frames", test_lone_frames);
  g_test_add_func("/net-transmit/fuzz", test_fuzz);
  return g_test_run();
}
