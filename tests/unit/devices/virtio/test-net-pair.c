/* SPDX-License-Identifier: Apache-2.0 */
/* Two network cards that meet at a socket: the device on its back end, with links that come and go. */
#include "devices/backend/net-stream.h"

#include <glib/gstdio.h>

#include "tests/unit/devices/virtio/net-fixture.h"

#define LINK_UP 1
#define STATUS  6

static const NetHeader plain;
static uint8_t frame[NET_FRAME_MAX];

static Card card_at(const char *path) {
  g_autoptr(GError) error = NULL;
  Card card = {.guest = fake_guest_new()};
  NetBackend *backend = net_stream_meet(path, &error);

  g_assert_no_error(error);
  fake_guest_plug(card.guest, virtio_net_new("net", &card.guest->memory, backend, card_mac, 0, &error));
  g_assert_no_error(error);
  fake_guest_start(card.guest, NET_FEATURE(NET_F_MRG_RXBUF) | NET_FEATURE(NET_F_STATUS) | VIRTIO_F_EVENT_IDX);
  return card;
}

static bool is_up(const Card *card) {
  return fake_config(card->guest, STATUS, 2) & LINK_UP;
}

static void wait_for_link(const Card *card, bool up) {
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  while (is_up(card) != up) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(100);
  }
}

/* N frames of SIZE bytes, which overrun the socket between them. */
static void transfer(const Card *from, const Card *to, unsigned n, uint32_t size) {
  unsigned buffers = (size + NET_HEADER_SIZE + 4095) / 4096;
  uint64_t at = fake_alloc(from->guest, size + NET_HEADER_SIZE);
  uint64_t room = fake_alloc(to->guest, 4096 * buffers);
  g_autofree uint8_t *whole = g_malloc(4096 * buffers);
  FakeBuffer out = {at, size + NET_HEADER_SIZE, false};

  make_frame(frame, size, card_mac, (uint8_t)n);
  memcpy((uint8_t *)fake_at(from->guest, at) + NET_HEADER_SIZE, frame, size);
  for (unsigned i = 0; i < n; i++)
    fake_add(from->guest, TX, &out, 1);
  fake_kick_if_wanted(from->guest, TX, n);
  g_usleep(1000);
  for (unsigned i = 0; i < n; i++) {
    uint32_t done = 0, written;

    memset(fake_at(to->guest, room), 0, 4096 * buffers);
    for (unsigned j = 0; j < buffers; j++) {
      FakeBuffer in = {room + 4096u * j, 4096, true};

      fake_add(to->guest, RX, &in, 1);
      fake_kick_if_wanted(to->guest, RX, 1);
    }
    for (unsigned j = 0; j < buffers; j++) {
      fake_take(to->guest, RX, &written);
      done += written;
    }
    g_assert_cmpuint(done, ==, NET_HEADER_SIZE + size);
    g_assert_cmpmem((uint8_t *)fake_at(to->guest, room) + NET_HEADER_SIZE, size, frame, size);
  }
  for (unsigned i = 0; i < n; i++)
    fake_take(from->guest, TX, NULL);
}

static void test_meet(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  Card first = card_at(path);

  g_assert_false(is_up(&first));
  give_buffer(&first, RX, 0x100); /* or it would not look */
  fake_kick(first.guest, RX);
  for (unsigned round = 0; round < 4; round++) {
    Card second = card_at(path);

    g_assert_true(is_up(&second));
    wait_for_link(&first, true);
    guest_send(&second, TX, &plain, frame, 60);
    fake_take(first.guest, RX, NULL);
    transfer(&first, &second, 100, 20000);
    transfer(&second, &first, 100, 1514);
    give_buffer(&first, RX, 0x100);
    fake_kick(first.guest, RX);
    fake_settle(first.guest);
    if (round % 2) { /* its guest boots anew: whoever has the card has the link */
      fake_guest_reset(second.guest);
      fake_guest_start(second.guest, NET_FEATURE(NET_F_STATUS) | NET_FEATURE(NET_F_MRG_RXBUF) | VIRTIO_F_EVENT_IDX);
      g_assert_true(is_up(&second));
      transfer(&first, &second, 3, 3000);
    }
    card_free(&second);
    wait_for_link(&first, false);
  }
  card_free(&first);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-pair/meet", test_meet);
  return g_test_run();
}
