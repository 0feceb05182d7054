/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of frames as a back end: devices/backend/net-stream.c. */
#define _GNU_SOURCE /* accept4 */
#include "devices/backend/net-stream.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/log-limit.h"

static const NetHeader plain;
static uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];

typedef struct {
  NetBackend *backend;
  int other;
} Stream;

static Stream stream_new(void) {
  Stream stream;
  g_autoptr(GError) error = NULL;
  int fds[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  stream.backend = net_stream_take_fd("passt", fds[0], &error);
  g_assert_no_error(error);
  g_assert_true(stream.backend->link);
  stream.other = fds[1];
  return stream;
}

static void stream_free(Stream *stream) {
  net_backend_free(stream->backend);
  if (stream->other >= 0)
    close(stream->other);
}

static int fd_of(NetBackend *backend) {
  return backend->ops->fd(backend, 0);
}

static void fill(uint8_t first, size_t size) {
  for (size_t i = 0; i < size; i++)
    frame[i] = (uint8_t)(first + i * 5 + (i >> 8));
}

static ssize_t receive(NetBackend *backend) {
  NetHeader header = {.flags = 1, .gso_type = 1};
  /* In pieces. */
  struct iovec iov[] = {{0}, {got, 1}, {got + 1, 99}, {got + 100, sizeof got - 100}};
  ssize_t size = backend->ops->receive(backend, 0, &header, iov, 4);

  g_assert_cmpmem(&header, sizeof header, &plain, sizeof plain);
  return size;
}

static NetSent send_frame(NetBackend *backend, size_t size) {
  struct iovec iov[] = {{0}, {frame, MIN(size, 10)}, {frame + 10, size - MIN(size, 10)}};

  return backend->ops->send(backend, 0, &plain, iov, 3);
}

static void say(int fd, const void *bytes, size_t size) {
  g_assert_cmpint(write(fd, bytes, size), ==, (ssize_t)size);
}

static void say_frame(int fd, size_t size) {
  uint32_t length = GUINT32_TO_BE((uint32_t)size);

  say(fd, &length, sizeof length);
  say(fd, frame, size);
}

static void read_all(int fd, void *to, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(fd, (uint8_t *)to + done, size - done);

    g_assert_cmpint(n, >, 0);
    done += (size_t)n;
  }
}

static void hear_frame(int fd, size_t size) {
  uint32_t length;

  read_all(fd, &length, sizeof length);
  g_assert_cmpuint(GUINT32_FROM_BE(length), ==, size);
  read_all(fd, got, size);
  g_assert_cmpmem(got, size, frame, size);
}

static void test_both_ways(void) {
  static const size_t sizes[] = {14, 60, 1514, 9014, 65535, NET_FRAME_MAX};
  Stream stream = stream_new();

  g_assert_cmpuint(stream.backend->receive_offloads | stream.backend->send_offloads, ==, 0);
  g_assert_true(stream.backend->ops->set_offloads(stream.backend, 0));
  g_assert_false(stream.backend->ops->set_offloads(stream.backend, NET_OFFLOAD_CSUM));
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    fill((uint8_t)i, sizes[i]);
    g_assert_cmpint(send_frame(stream.backend, sizes[i]), ==, NET_SENT);
    hear_frame(stream.other, sizes[i]);
    say_frame(stream.other, sizes[i]);
    g_assert_cmpint(receive(stream.backend), ==, (ssize_t)sizes[i]);
    g_assert_cmpmem(got, sizes[i], frame, sizes[i]);
    g_assert_cmpint(receive(stream.backend), ==, 0);
  }
  stream_free(&stream);
}

/* Byte by byte, in the length word too; and several frames at once. */
static void test_pieces(void) {
  Stream stream = stream_new();
  uint32_t length = GUINT32_TO_BE(60);

  fill(1, 60);
  for (unsigned i = 0; i < 64; i++) {
    g_assert_cmpint(receive(stream.backend), ==, 0);
    say(stream.other, i < 4 ? (uint8_t *)&length + i : frame + i - 4, 1);
  }
  g_assert_cmpint(receive(stream.backend), ==, 60);
  g_assert_cmpmem(got, 60, frame, 60);
  for (unsigned i = 0; i < 60; i++) {
    fill((uint8_t)i, 60 + i % 40);
    say_frame(stream.other, 60 + i % 40);
  }
  for (unsigned i = 0; i < 60; i++) {
    fill((uint8_t)i, 60 + i % 40);
    g_assert_cmpint(receive(stream.backend), ==, 60 + i % 40);
    g_assert_cmpmem(got, 60 + i % 40, frame, 60 + i % 40);
  }
  g_assert_cmpint(receive(stream.backend), ==, 0);
  stream_free(&stream);
}

/* Who takes nothing has frames wait, each whole: none in part, none twice. */
static void test_back_pressure(void) {
  Stream stream = stream_new();
  unsigned sent = 0, heard = 0, full = 0, partly = 0;
  struct pollfd room = {.fd = fd_of(stream.backend), .events = POLLOUT};

  while (heard < 400) {
    NetSent result = NET_FULL;
    size_t size;

    while (sent < 400) {
      size = 1000 + 977 * (sent % 60);
      fill((uint8_t)sent, size);
      result = send_frame(stream.backend, size);
      if (result == NET_FULL)
        break;
      sent++;
      if (result == NET_SENT_FULL)
        break;
      g_assert_cmpint(result, ==, NET_SENT);
    }
    full += result == NET_FULL;
    partly += result == NET_SENT_FULL;
    /* Not until it is said so. */
    if (result == NET_SENT_FULL && !stream.backend->ops->ready_to_send(stream.backend, 0)) {
      fill(0, 100);
      g_assert_cmpint(send_frame(stream.backend, 100), ==, NET_FULL);
    }
    /* The end of a frame may be still on its way: read what there is, and have it moved on. */
    size = 1000 + 977 * (heard % 60);
    fill((uint8_t)heard++, size);
    uint8_t *whole = g_malloc(size + 4);
    for (size_t done = 0; done < size + 4;) {
      ssize_t n = recv(stream.other, whole + done, size + 4 - done, MSG_DONTWAIT);

      if (n > 0)
        done += (size_t)n;
      else if (poll(&room, 1, 100) == 1)
        stream.backend->ops->ready_to_send(stream.backend, 0);
    }
    uint32_t length = GUINT32_TO_BE((uint32_t)size);
    g_assert_cmpmem(whole, 4, &length, 4);
    g_assert_cmpmem(whole + 4, size, frame, size);
    g_free(whole);
  }
  g_assert_cmpuint(full + partly, >, 0);
  g_assert_true(stream.backend->ops->ready_to_send(stream.backend, 0));
  stream_free(&stream);
}

static void assert_lost(NetBackend *backend) {
  g_assert_cmpint(receive(backend), ==, 0);
  g_assert_cmpint(fd_of(backend), ==, -1);
  g_assert_false(backend->link);
  g_assert_cmpint(send_frame(backend, 60), ==, NET_REFUSED);
  g_assert_true(backend->ops->ready_to_send(backend, 0));
  g_assert_cmpint(receive(backend), ==, 0);
}

static void test_gone(void) {
  Stream stream = stream_new();

  /* What it said before it left still counts. */
  fill(1, 60);
  say_frame(stream.other, 60);
  say(stream.other, "\0\0", 2);
  close(stream.other);
  stream.other = -1;
  g_assert_cmpint(receive(stream.backend), ==, 60);
  assert_lost(stream.backend);
  stream_free(&stream);
}

static void test_gone_while_sending(void) {
  Stream stream = stream_new();

  while (send_frame(stream.backend, 60000) == NET_SENT)
    ;
  close(stream.other);
  stream.other = -1;
  g_assert_cmpint(send_frame(stream.backend, 60), ==, NET_REFUSED);
  assert_lost(stream.backend);
  stream_free(&stream);
}

/* A length that no frame has: where the next begins is not known any more. */
static void test_garbage(void) {
  static const uint32_t lengths[] = {0, NET_FRAME_MAX + 1, 0x10000000, 0x80000000, 0xffffffff};

  for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
    Stream stream = stream_new();
    uint32_t length = GUINT32_TO_BE(lengths[i]);

    fill(1, 60);
    say_frame(stream.other, 60);
    say(stream.other, &length, sizeof length);
    say(stream.other, frame, 60);
    g_assert_cmpint(receive(stream.backend), ==, 60);
    assert_lost(stream.backend);
    stream_free(&stream);
  }
}

static void test_no_socket(void) {
  g_autoptr(GError) error = NULL;
  int fds[2];

  g_assert_null(net_stream_take_fd("passt", 9999, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_clear_error(&error);
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  g_assert_null(net_stream_take_fd("passt", fds[0], &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_assert_cmpint(close(fds[0]), ==, -1); /* taken all the same */
  close(fds[1]);
}

static NetBackend *meet(const char *path) {
  g_autoptr(GError) error = NULL;
  NetBackend *backend = net_stream_meet(path, &error);

  g_assert_no_error(error);
  return backend;
}

static void exchange(NetBackend *from, NetBackend *to, uint8_t first) {
  fill(first, 300);
  g_assert_cmpint(send_frame(from, 300), ==, NET_SENT);
  g_assert_cmpint(receive(to), ==, 300);
  g_assert_cmpmem(got, 300, frame, 300);
}

static bool is_ready(NetBackend *backend) {
  struct pollfd ready = {.fd = fd_of(backend), .events = POLLIN};

  return poll(&ready, 1, 0) == 1;
}

/* Two meet, one leaves, the next comes; whoever was there listens for it. */
static void test_meet(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  NetBackend *first = meet(path), *second;

  g_assert_false(first->link);
  g_assert_cmpint(send_frame(first, 60), ==, NET_REFUSED);
  g_assert_cmpint(receive(first), ==, 0);
  second = meet(path);
  g_assert_true(second->link);
  g_assert_true(is_ready(first));
  g_assert_cmpint(receive(first), ==, 0);
  g_assert_true(first->link);
  exchange(first, second, 1);
  exchange(second, first, 2);
  for (unsigned i = 0; i < 3; i++) {
    /* The one who listened leaves. */
    net_backend_free(first);
    g_assert_true(is_ready(second));
    g_assert_cmpint(receive(second), ==, 0);
    g_assert_false(second->link);
    g_assert_false(is_ready(second));
    first = meet(path);
    g_assert_true(first->link);
    g_assert_cmpint(receive(second), ==, 0);
    g_assert_true(second->link);
    exchange(first, second, 3);
    exchange(second, first, 4);
    NetBackend *swap = first;
    first = second;
    second = swap;
  }
  /* The one who connected leaves. */
  net_backend_free(second);
  g_assert_cmpint(receive(first), ==, 0);
  g_assert_false(first->link);
  second = meet(path);
  g_assert_cmpint(receive(first), ==, 0);
  exchange(first, second, 5);
  net_backend_free(first);
  net_backend_free(second);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

/* One who takes connections to end them at once is given up in the end. */
static void test_futile(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unsigned rounds = 0;

  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(listener, 5), ==, 0);
  NetBackend *backend = meet(path);
  while (fd_of(backend) >= 0 && rounds++ < 100) {
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    g_assert_cmpint(receive(backend), ==, 0);
  }
  g_assert_cmpuint(rounds, <, 50);
  net_backend_free(backend);
  close(listener);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void count_message(const char *domain, GLogLevelFlags level, const char *text, gpointer count) {
  (*(unsigned *)count)++;
}

/* One who comes and leaves without end is spoken of a few times. */
static void test_comes_and_leaves(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  NetBackend *backend = meet(path);
  unsigned messages = 0, handler = g_log_set_handler(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, count_message, &messages);

  for (unsigned i = 0; i < 100; i++) {
    net_backend_free(meet(path));
    g_assert_cmpint(receive(backend), ==, 0);
    g_assert_false(backend->link);
    g_assert_cmpint(fd_of(backend), >=, 0);
  }
  g_log_remove_handler(G_LOG_DOMAIN, handler);
  g_assert_cmpuint(messages, ==, LOG_LIMIT_MESSAGES);
  net_backend_free(backend);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

/*
 * Without a descriptor for who comes, the card rests instead of being woken without end, and takes the connection
 * later.
 */
static void test_no_descriptors(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  NetBackend *first = meet(path), *second = meet(path);
  struct rlimit limit, none;

  g_assert_true(is_ready(first));
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){1, limit.rlim_max};
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
  g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "unix socket *: a connection cannot be taken yet: *");
  g_assert_cmpint(receive(first), ==, 0);
  g_test_assert_expected_messages();
  g_assert_false(is_ready(first));
  g_assert_cmpint(receive(first), ==, 0); /* whoever asks */
  g_assert_false(first->link);
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpint(receive(first), ==, 0);
  g_assert_false(first->link); /* not yet */
  struct pollfd rested = {.fd = fd_of(first), .events = POLLIN};
  g_assert_cmpint(poll(&rested, 1, 20000), ==, 1);
  g_assert_cmpint(receive(first), ==, 0);
  g_assert_true(first->link);
  exchange(first, second, 1);
  exchange(second, first, 2);
  net_backend_free(second);
  net_backend_free(first);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

/* A user network whose program is this test. */
typedef struct {
  Helper base;
  int fd;
  unsigned n_renewed, n_freed;
} FakeNetwork;

static int fake_take(Helper *helper) {
  FakeNetwork *fake = (FakeNetwork *)helper;
  eventfd_t ignored;
  int fd = fake->fd;

  if (fd >= 0)
    eventfd_read(helper->event_fd, &ignored);
  fake->fd = -1;
  return fd;
}

static void fake_renew(Helper *helper) {
  ((FakeNetwork *)helper)->n_renewed++;
}

static void fake_free(Helper *helper) {
  ((FakeNetwork *)helper)->n_freed++;
}

static const HelperOps fake_ops = {.take = fake_take, .renew = fake_renew, .free = fake_free};

static UserNetwork *network_of(FakeNetwork *fake, const uint16_t *udp_ports, unsigned n_udp_ports) {
  UserNetwork *network = g_new0(UserNetwork, 1);

  *network = (UserNetwork){
      .helper = &fake->base,
      .udp_ports = g_memdup2(udp_ports, n_udp_ports * sizeof *udp_ports),
      .n_udp_ports = n_udp_ports,
  };
  return network;
}

/* The program's end of a new connection. */
static int connect_fake(FakeNetwork *fake) {
  int fds[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  fake->fd = fds[0];
  eventfd_write(fake->base.event_fd, 1);
  return fds[1];
}

static void test_user_network(void) {
  FakeNetwork fake = {.base = {.ops = &fake_ops, .name = "passt", .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}};
  int other = connect_fake(&fake);
  NetBackend *backend = net_stream_of(network_of(&fake, NULL, 0), false);

  g_assert_cmpstr(backend->name, ==, "passt");
  for (unsigned i = 0; i < 40; i++) { /* more often than others are borne who leave at once */
    g_assert_true(backend->link);
    fill((uint8_t)i, 100);
    g_assert_cmpint(send_frame(backend, 100), ==, NET_SENT);
    hear_frame(other, 100);
    say_frame(other, 100);
    g_assert_cmpint(receive(backend), ==, 100);
    backend->ops->reset(backend);
    g_assert_cmpuint(fake.n_renewed, ==, i); /* nothing is lost */
    close(other);
    g_assert_cmpint(receive(backend), ==, 0);
    g_assert_false(backend->link);
    g_assert_cmpint(fd_of(backend), ==, fake.base.event_fd);
    g_assert_false(is_ready(backend));
    g_assert_cmpint(send_frame(backend, 100), ==, NET_REFUSED);
    g_assert_cmpint(receive(backend), ==, 0);
    backend->ops->reset(backend);
    g_assert_cmpuint(fake.n_renewed, ==, i + 1);
    other = connect_fake(&fake);
    g_assert_true(is_ready(backend));
    g_assert_cmpint(receive(backend), ==, 0);
  }
  net_backend_free(backend);
  g_assert_cmpint(read(other, got, 1), ==, 0);
  close(other);
  g_assert_cmpuint(fake.n_freed, ==, 1);
  close(fake.base.event_fd);
}

/* What may go: see test-answer-filter.c. Here, that it is asked, of frames in pieces, and what comes is not. */
static void test_restricted(void) {
  static const uint16_t ports[] = {53};
  FakeNetwork fake = {.base = {.ops = &fake_ops, .name = "passt", .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}};
  int other = connect_fake(&fake);
  NetBackend *backend = net_stream_of(network_of(&fake, ports, G_N_ELEMENTS(ports)), true);

  fill(1, 200);
  memcpy(frame + 12, (const uint8_t[]){0x08, 0x00, 0x45}, 3); /* IPv4 */
  memset(frame + 15, 0, 30);
  frame[23] = 17; /* UDP */
  frame[35] = 53;
  g_assert_cmpint(send_frame(backend, 200), ==, NET_SENT);
  hear_frame(other, 200);
  frame[35] = 54;
  g_assert_cmpint(send_frame(backend, 200), ==, NET_FORBIDDEN);
  g_assert_cmpint(send_frame(backend, 14), ==, NET_FORBIDDEN);
  g_assert_cmpint(recv(other, got, 1, MSG_DONTWAIT), ==, -1);
  say_frame(other, 200);
  g_assert_cmpint(receive(backend), ==, 200);
  net_backend_free(backend);
  close(other);
  close(fake.base.event_fd);
}

/* A guest's other CPU, which writes to a frame that is on its way. */
static void *change_frame(void *opaque) {
  const int *stop = opaque;

  for (uint8_t port = 53; !__atomic_load_n(stop, __ATOMIC_RELAXED); port ^= 53 ^ 54)
    __atomic_store_n(&frame[35], port, __ATOMIC_RELAXED);
  return NULL;
}

/* What goes out is what was looked at, though the guest exchanges it meanwhile. */
static void test_restricted_race(void) {
  enum { SIZE = 60, MOST_US = 1500000 };
  static const uint16_t ports[] = {53};
  FakeNetwork fake = {.base = {.ops = &fake_ops, .name = "passt", .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}};
  int other = connect_fake(&fake), stop = 0;
  NetBackend *backend = net_stream_of(network_of(&fake, ports, G_N_ELEMENTS(ports)), true);
  uint32_t length;

  memset(frame, 0, sizeof frame);
  memcpy(frame + 12, (const uint8_t[]){0x08, 0x00, 0x45}, 3);
  frame[23] = 17;
  GThread *thread = g_thread_new("other", change_frame, &stop);
  for (int64_t end = g_get_monotonic_time() + MOST_US; g_get_monotonic_time() < end;) {
    if (send_frame(backend, SIZE) != NET_SENT)
      continue;
    read_all(other, &length, sizeof length);
    g_assert_cmpuint(GUINT32_FROM_BE(length), ==, SIZE);
    read_all(other, got, SIZE);
    g_assert_cmpuint(got[35], ==, 53);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  g_thread_join(thread);
  net_backend_free(backend);
  close(other);
  close(fake.base.event_fd);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-stream/both-ways", test_both_ways);
  g_test_add_func("/net-stream/pieces", test_pieces);
  g_test_add_func("/net-stream/back-pressure", test_back_pressure);
  g_test_add_func("/net-stream/gone", test_gone);
  g_test_add_func("/net-stream/gone-while-sending", test_gone_while_sending);
  g_test_add_func("/net-stream/garbage", test_garbage);
  g_test_add_func("/net-stream/no-socket", test_no_socket);
  g_test_add_func("/net-stream/meet", test_meet);
  g_test_add_func("/net-stream/futile", test_futile);
  g_test_add_func("/net-stream/comes-and-leaves", test_comes_and_leaves);
  g_test_add_func("/net-stream/no-descriptors", test_no_descriptors);
  g_test_add_func("/net-stream/user-network", test_user_network);
  g_test_add_func("/net-stream/restricted", test_restricted);
  g_test_add_func("/net-stream/restricted-race", test_restricted_race);
  return g_test_run();
}
