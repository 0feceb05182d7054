/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap as a back end: devices/backend/tap.c, on taps of the kernel's in a network namespace of the test's own. That
 * takes root and /dev/net/tun; without, what can be said without a tap is tested alone.
 */
#define _GNU_SOURCE /* unshare */
#include "devices/backend/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE_TEST 0x88b5 /* for local experiments: IEEE 802, 9.2.4 */

static const uint8_t card_mac[] = {2, 0, 0, 0, 0, 1};
static uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];

/* NULL: there are taps. */
static const char *no_taps;

static bool skip(void) {
  if (no_taps)
    g_test_skip(no_taps);
  return no_taps;
}

static int tap_queue(const char *name, int flags) {
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  struct ifreq request = {.ifr_flags = (short)flags};

  g_assert_cmpint(fd, >=, 0);
  g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
  g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
  return fd;
}

/* Sets up or changes a network device. */
static void configure(const char *name, unsigned long what, int value) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};

  g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
  if (what == SIOCSIFMTU)
    request.ifr_mtu = value;
  else
    request.ifr_flags = (short)value;
  g_assert_cmpint(ioctl(fd, what, &request), ==, 0);
  close(fd);
}

/* A tap that stays until it is told not to; nobody has it open. */
static void make_tap(const char *name, int flags) {
  int fd = tap_queue(name, IFF_TAP | IFF_NO_PI | flags);

  g_assert_cmpint(ioctl(fd, TUNSETPERSIST, 1), ==, 0);
  close(fd);
  configure(name, SIOCSIFMTU, 9000);
  configure(name, SIOCSIFFLAGS, IFF_UP);
}

static void delete_tap(const char *name, int flags) {
  int fd = tap_queue(name, IFF_TAP | IFF_NO_PI | flags);

  g_assert_cmpint(ioctl(fd, TUNSETPERSIST, 0), ==, 0);
  close(fd);
}

/* A socket for the frames of our own type that NAME has. */
static int packet_socket(const char *name) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_TEST), .sll_ifindex = (int)if_nametoindex(name)};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_TEST));

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  return fd;
}

static void fill(uint8_t first, size_t size) {
  for (size_t i = 0; i < size; i++)
    frame[i] = (uint8_t)(first + 3 * i);
  memcpy(frame, card_mac, sizeof card_mac);
  memset(frame + 6, 2, 6);
  frame[12] = ETHERTYPE_TEST >> 8;
  frame[13] = ETHERTYPE_TEST & 0xff;
}

#define PROBE 20 /* the size of frames that only ask whether frames come */

/* The next frame of our own type; the kernel has things to say too. */
static size_t receive(NetBackend *backend, unsigned pair) {
  NetHeader header;

  for (unsigned i = 0; i < 100; i++) {
    struct pollfd ready = {.fd = backend->ops->fd(backend, pair), .events = POLLIN};
    struct iovec iov[] = {{0}, {got, 5}, {got + 5, sizeof got - 5}};

    poll(&ready, 1, 100);
    size_t size = (size_t)backend->ops->receive(backend, pair, &header, iov, 3);
    if (size > 14 && size != PROBE && got[12] == ETHERTYPE_TEST >> 8 && got[13] == (ETHERTYPE_TEST & 0xff)) {
      g_assert_cmpint(header.gso_type, ==, 0);
      return size;
    }
  }
  return 0;
}

static NetSent send_frame(NetBackend *backend, unsigned pair, const NetHeader *header, size_t size) {
  struct iovec iov[] = {{0}, {frame, 3}, {frame + 3, size - 3}};

  return backend->ops->send(backend, pair, header, iov, 3);
}

static NetBackend *open_tap(const char *name, unsigned n) {
  g_autoptr(GError) error = NULL;
  NetBackend *backend = tap_open(name, n, &error);

  g_assert_no_error(error);
  g_assert_true(backend->link);
  return backend;
}

/* A device that was just set up drops what is sent on it until the kernel has looked at its link, sooner or later. */
static void await_path(NetBackend *backend, unsigned pair, int packets) {
  enum { TRIES = 300 };
  NetHeader header;
  struct iovec iov[] = {{0}, {got, 5}, {got + 5, sizeof got - 5}};
  bool arrived = false;

  fill(99, PROBE);
  for (unsigned i = 0; i < TRIES && !arrived; i++) {
    g_assert_cmpint(send(packets, frame, PROBE, 0), ==, PROBE);
    g_usleep(20000);
    for (ssize_t size; (size = backend->ops->receive(backend, pair, &header, iov, 3)) > 0;)
      arrived = arrived || size == PROBE;
  }
  g_assert_true(arrived);
}

static void exchange(NetBackend *backend, unsigned pair, int packets) {
  static const size_t sizes[] = {15, 60, 1514, 9014};
  static const NetHeader plain;

  await_path(backend, pair, packets);
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    fill((uint8_t)i, sizes[i]);
    g_assert_cmpint(send_frame(backend, pair, &plain, sizes[i]), ==, NET_SENT);
    g_assert_cmpint(recv(packets, got, sizeof got, 0), ==, (ssize_t)sizes[i]);
    g_assert_cmpmem(got, sizes[i], frame, sizes[i]);
    fill((uint8_t)(i + 7), sizes[i]);
    g_assert_cmpint(send(packets, frame, sizes[i], 0), ==, (ssize_t)sizes[i]);
    g_assert_cmpuint(receive(backend, pair), ==, sizes[i]);
    g_assert_cmpmem(got, sizes[i], frame, sizes[i]);
  }
}

/* Since BEFORE a frame of each size went either way; the kernel has said things of its own, too. */
static void assert_counted(const NetBackend *backend, const DeviceTraffic *before) {
  DeviceTraffic now;

  g_assert_true(backend->ops->traffic(backend, &now));
  g_assert_cmpuint(now.sent - before->sent, ==, 4);
  g_assert_cmpuint(now.sent_bytes - before->sent_bytes, ==, 15 + 60 + 1514 + 9014);
  g_assert_cmpuint(now.received - before->received, >=, 4);
  g_assert_cmpuint(now.received_bytes - before->received_bytes, >=, 15 + 60 + 1514 + 9014);
  g_assert_cmpuint(now.sent_drops, >=, before->sent_drops); /* nobody else wanted them */
}

static void test_by_name(void) {
  if (skip())
    return;
  for (unsigned i = 0; i < 3; i++) {
    /* Made with headers, without, and for several queues: a device of any of them does for one. */
    int flags = i == 1 ? 0 : i == 2 ? IFF_MULTI_QUEUE : IFF_VNET_HDR;

    make_tap("tap0", flags);
    NetBackend *backend = open_tap("tap0", 1);
    int packets = packet_socket("tap0");

    g_assert_cmpuint(backend->mtu, ==, 9000);
    g_assert_cmpuint(backend->n_pairs, ==, 1);
    g_assert_cmpstr(backend->name, ==, "tap tap0");
    DeviceTraffic before;
    g_assert_true(backend->ops->traffic(backend, &before));
    exchange(backend, 0, packets);
    assert_counted(backend, &before);
    close(packets);
    net_backend_free(backend);
    delete_tap("tap0", flags);
  }
}

static void test_offloads(void) {
  if (skip())
    return;
  make_tap("tap0", IFF_VNET_HDR);
  NetBackend *backend = open_tap("tap0", 1);
  const unsigned tcp = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;

  g_assert_cmphex(backend->receive_offloads & tcp, ==, tcp);
  g_assert_cmphex(backend->send_offloads & tcp, ==, tcp);
  g_assert_true(backend->ops->set_offloads(backend, backend->receive_offloads));
  g_assert_true(backend->ops->set_offloads(backend, NET_OFFLOAD_CSUM));
  g_assert_true(backend->ops->set_offloads(backend, 0));
  net_backend_free(backend);
  delete_tap("tap0", IFF_VNET_HDR);
}

static void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* An IPv4 and TCP header in front of SIZE bytes altogether, without TCP's checksum. */
static void fill_tcp(size_t size) {
  uint32_t sum = 0;

  fill(1, size);
  put16(frame + 12, 0x0800);
  memset(frame + 14, 0, 40);
  frame[14] = 0x45;
  put16(frame + 16, (uint16_t)(size - 14));
  frame[22] = 64;
  frame[23] = IPPROTO_TCP;
  memcpy(frame + 26, ((const uint8_t[]){10, 1, 1, 2, 10, 1, 1, 1}), 8);
  for (unsigned i = 14; i < 34; i += 2)
    sum += (uint32_t)frame[i] << 8 | frame[i + 1];
  sum = (sum & 0xffff) + (sum >> 16);
  put16(frame + 24, (uint16_t) ~(sum + (sum >> 16)));
  put16(frame + 36, 7);
  frame[46] = 0x50;
  frame[47] = 0x10;
}

/*
 * What the kernel finds wrong in a header is refused, and the tap goes on; what it finds right goes in, segments too.
 */
static void test_headers(void) {
  NetHeader segment = {1, NET_GSO_TCPV4, GUINT16_TO_LE(54), GUINT16_TO_LE(1448), GUINT16_TO_LE(34), GUINT16_TO_LE(16), 0};
  NetHeader beyond = {.flags = 1, .csum_start = GUINT16_TO_LE(5000), .csum_offset = GUINT16_TO_LE(16)};
  NetHeader unknown = {.flags = 1, .gso_type = 99, .csum_start = GUINT16_TO_LE(34), .csum_offset = GUINT16_TO_LE(16)};
  int packets;

  if (skip())
    return;
  make_tap("tap0", IFF_VNET_HDR);
  NetBackend *backend = open_tap("tap0", 1);
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("tap0")};
  packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));
  g_assert_cmpint(bind(packets, (struct sockaddr *)&address, sizeof address), ==, 0);
  fill_tcp(20054);
  g_assert_cmpint(send_frame(backend, 0, &beyond, 100), ==, NET_REFUSED);
  g_assert_cmpint(send_frame(backend, 0, &unknown, 100), ==, NET_REFUSED);
  g_assert_cmpint(send_frame(backend, 0, &segment, 20054), ==, NET_SENT);
  g_assert_cmpint(recv(packets, got, sizeof got, 0), ==, 20054);
  g_assert_cmpmem(got, 20054, frame, 20054);
  close(packets);
  net_backend_free(backend);
  delete_tap("tap0", IFF_VNET_HDR);
}

static void test_pairs(void) {
  if (skip())
    return;
  make_tap("tap0", IFF_VNET_HDR | IFF_MULTI_QUEUE);
  NetBackend *backend = open_tap("tap0", 4);
  int packets = packet_socket("tap0");

  g_assert_cmpuint(backend->n_pairs, ==, 4);
  for (unsigned round = 0; round < 3; round++) {
    g_assert_true(backend->ops->set_pairs(backend, 1));
    exchange(backend, 0, packets);
    g_assert_true(backend->ops->set_pairs(backend, 4));
    g_assert_true(backend->ops->set_pairs(backend, 4));
    fill(1, 60);
    for (unsigned i = 0; i < 4; i++) {
      g_assert_cmpint(send_frame(backend, i, &(NetHeader){0}, 60), ==, NET_SENT);
      g_assert_cmpint(recv(packets, got, sizeof got, 0), ==, 60);
    }
  }
  close(packets);
  net_backend_free(backend);
  delete_tap("tap0", IFF_VNET_HDR | IFF_MULTI_QUEUE);
}

/* One that is down refuses frames, and has none; up again, it goes on. */
static void test_down(void) {
  if (skip())
    return;
  make_tap("tap0", IFF_VNET_HDR);
  NetBackend *backend = open_tap("tap0", 1);

  configure("tap0", SIOCSIFFLAGS, 0);
  fill(1, 60);
  g_assert_cmpint(send_frame(backend, 0, &(NetHeader){0}, 60), ==, NET_REFUSED);
  struct iovec iov[] = {{0}, {got, sizeof got}};
  NetHeader header;
  while (backend->ops->receive(backend, 0, &header, iov, 2) > 0)
    ;
  g_assert_true(backend->link);
  configure("tap0", SIOCSIFFLAGS, IFF_UP);
  int packets = packet_socket("tap0");
  exchange(backend, 0, packets);
  close(packets);
  net_backend_free(backend);
  delete_tap("tap0", IFF_VNET_HDR);
}

static void count_message(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
  ++*(unsigned *)data;
}

static bool skip_deleted(void) {
  g_autofree char *ip = g_find_program_in_path("ip");

  if (!no_taps && !ip)
    g_test_skip("there is no ip(8)");
  return skip() || !ip;
}

/* Of a tap that is deleted, with a frame to send. */
static NetBackend *open_deleted(int flags, unsigned pairs) {
  make_tap("tap0", flags);
  NetBackend *backend = open_tap("tap0", pairs);

  g_assert_true(g_spawn_command_line_sync("ip link delete tap0", NULL, NULL, NULL, NULL));
  fill(1, 60);
  return backend;
}

/* One that was deleted is gone for good, says so, and has nothing left to wait for. */
static void test_deleted(void) {
  for (unsigned i = 0; i < 2 && !skip_deleted(); i++) {
    NetBackend *backend = open_deleted(IFF_VNET_HDR, 1);
    struct iovec iov[] = {{0}, {got, sizeof got}};
    NetHeader header;

    if (i)
      g_assert_cmpint(send_frame(backend, 0, &(NetHeader){0}, 60), ==, NET_REFUSED);
    else
      while (backend->ops->receive(backend, 0, &header, iov, 2) > 0)
        ;
    g_assert_false(backend->link);
    g_assert_cmpint(backend->ops->fd(backend, 0), ==, -1);
    g_assert_cmpint(send_frame(backend, 0, &(NetHeader){0}, 60), ==, NET_REFUSED);
    g_assert_false(backend->ops->set_offloads(backend, NET_OFFLOAD_CSUM));
    net_backend_free(backend);
  }
}

static void test_take_fds(void) {
  g_autoptr(GError) error = NULL;

  if (skip())
    return;
  for (unsigned header = 0; header < 2; header++) {
    int fd = tap_queue("tap1", IFF_TAP | IFF_NO_PI | (header ? IFF_VNET_HDR : 0));

    configure("tap1", SIOCSIFMTU, 9000);
    configure("tap1", SIOCSIFFLAGS, IFF_UP);
    NetBackend *backend = tap_take_fds(&fd, 1, &error);
    g_assert_no_error(error);
    int packets = packet_socket("tap1");

    g_assert_cmpstr(backend->name, ==, "tap tap1");
    g_assert_cmpint(backend->receive_offloads != 0, ==, header);
    g_assert_cmpint(backend->send_offloads != 0, ==, header);
    exchange(backend, 0, packets);
    g_assert_true(backend->ops->set_offloads(backend, 0));
    close(packets);
    net_backend_free(backend);
  }
  int fds[2];
  for (unsigned i = 0; i < 2; i++)
    fds[i] = tap_queue("tap1", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
  NetBackend *backend = tap_take_fds(fds, 2, &error);
  g_assert_no_error(error);
  g_assert_true(backend->ops->set_pairs(backend, 1));
  g_assert_true(backend->ops->set_pairs(backend, 2));
  net_backend_free(backend);
}

/* Each with what is wrong in the message, and the descriptors closed. */
static void test_wrong_fds(void) {
  g_autoptr(GError) error = NULL;
  int fds[2] = {open("/dev/null", O_RDWR | O_CLOEXEC), -1}, closed = 9999;

  g_assert_null(tap_take_fds(fds, 1, &error));
  g_assert_nonnull(strstr(error->message, "not a tap"));
  g_assert_cmpint(fcntl(fds[0], F_GETFD), ==, -1);
  g_clear_error(&error);
  g_assert_null(tap_take_fds(&closed, 1, &error));
  g_assert_nonnull(strstr(error->message, "not open"));
  g_clear_error(&error);
  if (skip())
    return;
  fds[0] = tap_queue("tun1", IFF_TUN | IFF_NO_PI);
  g_assert_null(tap_take_fds(fds, 1, &error));
  g_assert_nonnull(strstr(error->message, "a tun's"));
  g_clear_error(&error);
  fds[0] = tap_queue("tap1", IFF_TAP | IFF_NO_PI);
  fds[1] = tap_queue("tap2", IFF_TAP | IFF_NO_PI);
  g_assert_null(tap_take_fds(fds, 2, &error));
  g_assert_nonnull(strstr(error->message, "different taps"));
}

static void assert_no(const char *name, unsigned n, const char *why) {
  g_autoptr(GError) error = NULL;

  g_assert_null(tap_open(name, n, &error));
  if (!strstr(error->message, why) || !strstr(error->message, name))
    g_error("%s", error->message);
}

static void test_wrong_names(void) {
  assert_no("no-such-tap", 1, "ip tuntap add");
  assert_no("a-name-longer-than-any", 1, "ip tuntap add");
  if (skip())
    return;
  assert_no("lo", 1, "no tap");
  make_tap("tap0", IFF_VNET_HDR);
  assert_no("tap0", 2, "multi_queue");
  NetBackend *backend = open_tap("tap0", 1);
  assert_no("tap0", 1, "in use");
  net_backend_free(backend);
  delete_tap("tap0", IFF_VNET_HDR);
}

/* Of several queues each has its loss in turn, as another may be in use by then; it is said once. */
static void test_deleted_pairs(void) {
  if (skip_deleted())
    return;
  NetBackend *backend = open_deleted(IFF_VNET_HDR | IFF_MULTI_QUEUE, 2);
  unsigned messages = 0;
  GLogFunc before = g_log_set_default_handler(count_message, &messages);

  g_assert_cmpint(send_frame(backend, 1, &(NetHeader){0}, 60), ==, NET_REFUSED);
  g_assert_false(backend->link);
  g_assert_cmpint(backend->ops->fd(backend, 1), ==, -1);
  g_assert_cmpint(backend->ops->fd(backend, 0), >=, 0);
  g_assert_cmpint(send_frame(backend, 0, &(NetHeader){0}, 60), ==, NET_REFUSED);
  g_assert_cmpint(backend->ops->fd(backend, 0), ==, -1);
  g_assert_cmpuint(messages, ==, 1);
  g_log_set_default_handler(before, NULL);
  net_backend_free(backend);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  if (geteuid() != 0)
    no_taps = "only root may have a network of its own";
  else if (unshare(CLONE_NEWNET) != 0)
    no_taps = "there is no network namespace to be had";
  else if (access("/dev/net/tun", R_OK | W_OK) != 0 || close(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) != 0)
    no_taps = "there is no /dev/net/tun";
  g_test_add_func("/tap/by-name", test_by_name);
  g_test_add_func("/tap/offloads", test_offloads);
  g_test_add_func("/tap/headers", test_headers);
  g_test_add_func("/tap/pairs", test_pairs);
  g_test_add_func("/tap/down", test_down);
  g_test_add_func("/tap/deleted", test_deleted);
  g_test_add_func("/tap/deleted-pairs", test_deleted_pairs);
  g_test_add_func("/tap/take-fds", test_take_fds);
  g_test_add_func("/tap/wrong-fds", test_wrong_fds);
  g_test_add_func("/tap/wrong-names", test_wrong_names);
  return g_test_run();
}
