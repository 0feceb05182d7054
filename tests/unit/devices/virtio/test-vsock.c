/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio socket device, through the real virtio core and real sockets: devices/virtio/vsock.c, vsock-host.c and
 * vsock-connection.c.
 */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include "tests/unit/devices/virtio/fake-vsock.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "devices/virtio/vsock-host.h"

#define WINDOW (256u * 1024) /* what the guest has room for, here */

/* The clock of deadlines, which a test may put forward. */
static int64_t clock_offset; /* atomic */

gint64 g_get_monotonic_time(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + __atomic_load_n(&clock_offset, __ATOMIC_SEQ_CST);
}

static int halves; /* atomic: ends of writing alone, of whatever socket */

int shutdown(int fd, int how) {
  if (how == SHUT_WR)
    __atomic_fetch_add(&halves, 1, __ATOMIC_SEQ_CST);
  return (int)syscall(SYS_shutdown, fd, how);
}

static void assert_idle(FakeVsock *vsock) {
  fake_settle(vsock->guest);
  g_assert_cmpint(fake_idle_cost(200000), <, 60000);
}

static void test_identity(void) {
  FakeVsock *vsock = fake_vsock_new();

  g_assert_cmpuint(vsock->guest->device->ops->id, ==, 19);
  g_assert_cmpuint(vsock->guest->device->n_queues, ==, 3);
  g_assert_cmphex(vsock->guest->device->offered_features & 0xffffff, ==, 1); /* streams, and nothing else */
  g_assert_cmpuint(fake_config(vsock->guest, 0, 4), ==, FAKE_CID);
  g_assert_cmpuint(fake_config(vsock->guest, 4, 4), ==, 0);
  g_assert_cmpuint(fake_config(vsock->guest, 8, 4), ==, 0);
  virtio_config_write(vsock->guest->device, 0, "xxxxxxxx", 8);
  g_assert_cmpuint(fake_config(vsock->guest, 0, 4), ==, FAKE_CID);
  fake_vsock_free(vsock);
}

static void test_host_connects(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  g_assert_cmpuint(stream.host_port, >=, UINT32_C(1) << 30);
  g_assert_cmpuint(stream.device_window, >=, 64 * 1024);
  /* What the host was told is not the guest's. */
  g_assert_cmpuint(stream.device_forwarded, ==, 0);
  fake_host_write(fd, "from the host");
  fake_stream_expect_text(&stream, "from the host");
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "from the guest", 14);
  fake_host_expect(fd, "from the guest");
  fake_stream_say(&stream, VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
  g_assert_cmpuint(fake_stream_expect(&stream, VSOCK_OP_CREDIT_UPDATE).fwd_cnt, ==, 14);

  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  fake_vsock_free(vsock);
}

static void test_guest_connects(void) {
  FakeVsock *vsock = fake_vsock_new();
  int listener = fake_host_listen(vsock, 1234, 4);
  FakeStream stream;
  int fd = fake_open_by_guest(vsock, listener, 1234, 5000, WINDOW, &stream);

  fake_stream_say(&stream, VSOCK_OP_RW, 0, "hello", 5);
  fake_host_expect(fd, "hello");
  fake_host_write(fd, "and hello");
  fake_stream_expect_text(&stream, "and hello");
  /* The guest closes, and expects the last word to be ours. */
  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_host_expect_end(fd);
  close(fd);
  fake_vsock_quiet(vsock);
  /* The same ports again. */
  fd = fake_open_by_guest(vsock, listener, 1234, 5000, WINDOW, &stream);
  fake_host_write(fd, "again");
  fake_stream_expect_text(&stream, "again");
  close(fd);
  close(listener);
  fake_vsock_free(vsock);
}

static void test_nobody_listens(void) {
  FakeVsock *vsock = fake_vsock_new();
  int listener = fake_host_listen(vsock, 1, 0), waiting[4];
  FakeStream stream = {.vsock = vsock, .guest_port = 9, .host_port = 1234, .window = WINDOW};

  fake_stream_say(&stream, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  stream.host_port = VSOCK_PORT_ANY;
  fake_stream_say(&stream, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  /* Somebody who accepts nothing is nobody, and holds nothing up. */
  stream.host_port = 1;
  for (unsigned i = 0; i < G_N_ELEMENTS(waiting); i++) {
    VsockHeader header;
    stream.guest_port = 10 + i;
    fake_stream_say(&stream, VSOCK_OP_REQUEST, 0, NULL, 0);
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
    g_assert_cmpuint(header.op, ==, i < 1 ? VSOCK_OP_RESPONSE : VSOCK_OP_RST);
  }
  close(listener);
  fake_vsock_free(vsock);
}

static void test_guest_refuses(void) {
  FakeVsock *vsock = fake_vsock_new();
  int fd = fake_host_connect(vsock, "CONNECT 52\n");
  VsockHeader request;

  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &request));
  FakeStream stream = {.vsock = vsock, .guest_port = 52, .host_port = request.src_port};
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_host_expect_end(fd); /* and never an OK */
  fake_vsock_quiet(vsock);
  close(fd);
  fake_vsock_free(vsock);
}

/* A line that comes by and by, with the first bytes of the stream close behind it. */
static void test_split_greeting(void) {
  static const char *const parts[] = {"C", "ONNE", "CT", " ", "5", "2", "\n"};
  FakeVsock *vsock = fake_vsock_new();
  int fd = fake_host_connect(vsock, "");
  VsockHeader request;

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
    fake_vsock_quiet(vsock);
    fake_host_write(fd, parts[i]);
  }
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &request));
  g_assert_cmpuint(request.op, ==, VSOCK_OP_REQUEST);
  g_assert_cmpuint(request.dst_port, ==, 52);
  close(fd);

  FakeStream stream = {.vsock = vsock, .guest_port = 53, .window = WINDOW};
  fd = fake_host_connect(vsock, "CONNECT 53\nhas no patience");
  g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &request));
  stream.host_port = request.src_port;
  fake_vsock_quiet(vsock);
  fake_stream_say(&stream, VSOCK_OP_RESPONSE, 0, NULL, 0);
  fake_stream_expect_text(&stream, "has no patience");
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_SEND);
  close(fd);
  fake_vsock_free(vsock);
}

static void test_bad_greeting(void) {
  static const char *const lines[] = {
      "CONNECT\n", "CONNECT x\n", "CONNECT 4294967295\n", "HELLO 52\n", "\n", "CONNECT 52 53\n", "an endless line without any end to it",
  };
  FakeVsock *vsock = fake_vsock_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    int fd = fake_host_connect(vsock, lines[i]);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;
    g_assert_cmpint(poll(&ready, 1, FAKE_WAIT_US / 1000), ==, 1);
    g_assert_cmpint(recv(fd, &byte, 1, 0), <=, 0);
    close(fd);
  }
  /* Nor does one that ends too soon, or is never begun. */
  int fd = fake_host_connect(vsock, "CONNECT 5");
  g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
  char byte;
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  g_assert_cmpint(poll(&ready, 1, FAKE_WAIT_US / 1000), ==, 1);
  g_assert_cmpint(recv(fd, &byte, 1, 0), <=, 0);
  close(fd);
  close(fake_host_connect(vsock, ""));
  fake_vsock_quiet(vsock);
  fd = fake_host_connect(vsock, "CONN");
  assert_idle(vsock);
  close(fd);
  fake_vsock_free(vsock);
}

/* Half a close at a time. */

static void test_host_ends_first(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fake_host_write(fd, "the last");
  g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
  fake_stream_expect_text(&stream, "the last");
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_SEND);
  assert_idle(vsock);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "an answer", 9);
  fake_host_expect(fd, "an answer");
  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
  fake_host_expect_end(fd);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  close(fd);
  fake_vsock_quiet(vsock);
  fake_vsock_free(vsock);
}

static void test_host_ends_and_goes(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_SEND);
  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  assert_idle(vsock);
  /* What is under way meanwhile goes nowhere, and is no fault of the guest's. */
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "too late", 8);
  fake_vsock_quiet(vsock);
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "far too late", 12);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_vsock_free(vsock);
}

static void test_guest_ends_first(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fake_stream_say(&stream, VSOCK_OP_RW, 0, "a question", 10);
  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_SEND, NULL, 0);
  fake_host_expect(fd, "a question");
  fake_host_expect_end(fd);
  assert_idle(vsock);
  fake_host_write(fd, "an answer");
  fake_stream_expect_text(&stream, "an answer");
  /* The host's end of file makes it whole. */
  g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
  VsockHeader header = fake_stream_expect(&stream, VSOCK_OP_SHUTDOWN);
  g_assert_cmpuint(header.flags & VSOCK_SHUTDOWN_SEND, ==, VSOCK_SHUTDOWN_SEND);
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  close(fd);
  fake_vsock_quiet(vsock);
  fake_vsock_free(vsock);
}

static void test_guest_stops_reading(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_RECEIVE, NULL, 0);
  g_assert_cmpint(send(fd, "x", 1, MSG_NOSIGNAL), ==, -1);
  g_assert_cmpint(errno, ==, EPIPE);
  assert_idle(vsock);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "goes on", 7);
  fake_host_expect(fd, "goes on");
  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, 0, NULL, 0); /* says nothing new */
  fake_vsock_quiet(vsock);
  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  fake_vsock_free(vsock);
}

static void test_host_stops_reading(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  g_assert_cmpint(shutdown(fd, SHUT_RD), ==, 0);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "into the void", 13);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_RECEIVE);
  g_assert_cmpuint(stream.device_forwarded, ==, 13);
  fake_host_write(fd, "but listen");
  fake_stream_expect_text(&stream, "but listen");
  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  fake_vsock_free(vsock);
}

/* Its end and nothing more: what a guest sends behind its own end breaks the connection. */
static void test_guest_talks_on(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_SEND, NULL, 0);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "x", 1);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_host_expect_end(fd);
  close(fd);
  fake_vsock_free(vsock);
}

/* A host that closes with bytes unread does not close less. */
static void test_host_closes_unread(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fake_stream_say(&stream, VSOCK_OP_RW, 0, "unread", 6);
  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  assert_idle(vsock);
  fake_vsock_free(vsock);
}

/* Credit, guest to host. */

static uint8_t pattern(uint64_t at) {
  return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16) * 31);
}

static void fill_pattern(uint8_t *bytes, uint64_t at, size_t size) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = pattern(at + i);
}

static void assert_pattern(const uint8_t *bytes, uint64_t at, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != pattern(at + i))
      g_error("byte %" G_GUINT64_FORMAT " is another", at + i);
}

/* As much as the device has credit for, in packets of 64 KiB at most, from byte AT on. Returns how much. */
static uint64_t send_all_credit(FakeStream *stream, uint64_t at) {
  g_autofree uint8_t *bytes = g_malloc(VSOCK_PAYLOAD_MAX);
  uint64_t sent = 0;

  for (uint32_t credit; (credit = fake_stream_credit(stream)) > 0;) {
    uint32_t part = MIN(credit, VSOCK_PAYLOAD_MAX);
    VsockHeader header;
    fill_pattern(bytes, at + sent, part);
    fake_stream_say(stream, VSOCK_OP_RW, 0, bytes, part);
    sent += part;
    while (fake_vsock_poll(stream->vsock, 0, &header))
      fake_stream_note(stream, &header);
  }
  return sent;
}

/* Fills the socket and the device, with a host that does not read. Returns how much was sent. */
static uint64_t fill_up(FakeStream *stream) {
  uint64_t sent = 0;
  VsockHeader header;

  do {
    sent += send_all_credit(stream, sent);
    while (fake_vsock_poll(stream->vsock, FAKE_QUIET_US, &header)) {
      g_assert_cmpuint(header.op, ==, VSOCK_OP_CREDIT_UPDATE);
      fake_stream_note(stream, &header);
    }
  } while (fake_stream_credit(stream) > 0);
  return sent;
}

static void drain_host(int fd, uint64_t from, uint64_t to) {
  g_autofree uint8_t *bytes = g_malloc(VSOCK_PAYLOAD_MAX);

  while (from < to) {
    size_t got = fake_host_read(fd, bytes, VSOCK_PAYLOAD_MAX);
    g_assert_cmpuint(got, >, 0);
    assert_pattern(bytes, from, got);
    from += got;
  }
  g_assert_cmpuint(from, ==, to);
}

/* A guest that closes both ways does not do one after the other: who sees the end cannot write any more. */
static void test_guest_closes(void) {
  for (unsigned slow = 0; slow < 2; slow++) {
    FakeVsock *vsock = fake_vsock_new();
    FakeStream stream;
    int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
    int before = __atomic_load_n(&halves, __ATOMIC_SEQ_CST);
    uint64_t sent = slow ? fill_up(&stream) : 0;

    fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH, NULL, 0);
    fake_stream_expect(&stream, VSOCK_OP_RST);
    drain_host(fd, 0, sent);
    fake_host_expect_end(fd);
    g_assert_cmpint(send(fd, "x", 1, MSG_NOSIGNAL), ==, -1);
    g_assert_cmpint(errno, ==, EPIPE);
    g_assert_cmpint(__atomic_load_n(&halves, __ATOMIC_SEQ_CST), ==, before);
    close(fd);
    fake_vsock_free(vsock);
  }
}

static void test_host_never_reads(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream, other;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  uint64_t sent = fill_up(&stream);

  assert_idle(vsock);
  /* It is alone in that. */
  int second = fake_open_by_host(vsock, 53, WINDOW, &other);
  fake_stream_say(&other, VSOCK_OP_RW, 0, "not held up", 11);
  fake_host_expect(second, "not held up");
  close(second);
  fake_stream_expect_shutdown(&other, VSOCK_SHUTDOWN_BOTH);
  /* And when it reads at last, nothing is missing. */
  drain_host(fd, 0, sent);
  fake_stream_expect(&stream, VSOCK_OP_CREDIT_UPDATE);
  g_assert_cmpuint(fake_stream_credit(&stream), >=, stream.device_window / 2);
  close(fd);
  fake_vsock_free(vsock);
}

static void test_credit_ignored(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  fill_up(&stream);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "x", 1);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "x", 1);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  close(fd);
  /* Nor is a packet taken that is larger than all there ever could be. */
  fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  g_autofree uint8_t *bytes = g_malloc0(2 * VSOCK_PAYLOAD_MAX);
  for (unsigned i = 0; i < 2; i++)
    fake_stream_say(&stream, VSOCK_OP_RW, 0, bytes, 2 * VSOCK_PAYLOAD_MAX);
  drain_host(fd, 0, 0);
  close(fd);
  fake_vsock_free(vsock);
}

/* A guest that closes behind its last byte is done at once, and the host has all of it in its own time. */
static void close_behind_a_slow_host(VsockOp op, unsigned flags) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  uint64_t sent = fill_up(&stream);

  fake_stream_say(&stream, op, flags, NULL, 0);
  if (op == VSOCK_OP_SHUTDOWN)
    fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  g_assert_cmpint(send(fd, "x", 1, MSG_NOSIGNAL), ==, -1); /* nobody is there to read */
  drain_host(fd, 0, sent);
  fake_host_expect_end(fd);
  close(fd);
  fake_vsock_free(vsock);
}

static void test_close_behind_a_slow_host(void) {
  close_behind_a_slow_host(VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_BOTH);
  close_behind_a_slow_host(VSOCK_OP_RST, 0);
}

/* The same, half of it. */
static void test_end_behind_a_slow_host(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  uint64_t sent = fill_up(&stream);

  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_SEND, NULL, 0);
  fake_host_write(fd, "still there");
  fake_stream_expect_text(&stream, "still there");
  drain_host(fd, 0, sent);
  fake_host_expect_end(fd);
  close(fd);
  fake_vsock_free(vsock);
}

/* Who does not read before the end of the machine has a moment more, and then no longer. */
static void *read_late(void *fd) {
  g_usleep(100000);
  g_autofree uint8_t *bytes = g_malloc(VSOCK_PAYLOAD_MAX);
  uint64_t size = 0;
  for (size_t got; (got = fake_host_read(GPOINTER_TO_INT(fd), bytes, VSOCK_PAYLOAD_MAX)) > 0; size += got)
    assert_pattern(bytes, size, got);
  return GSIZE_TO_POINTER(size);
}

static void test_end_of_machine(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream slow, deaf;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &slow), other = fake_open_by_host(vsock, 53, WINDOW, &deaf);
  uint64_t sent = fill_up(&slow);

  fill_up(&deaf);
  fake_guest_reset(vsock->guest);
  GThread *reader = g_thread_new("reader", read_late, GINT_TO_POINTER(fd));
  fake_vsock_free(vsock);
  g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(reader)), ==, sent);
  close(fd);
  close(other);
}

/* Credit, host to guest. */

static void test_guest_window(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, 1000, &stream);
  uint8_t bytes[5000];

  fill_pattern(bytes, 0, sizeof bytes);
  g_assert_cmpint(write(fd, bytes, sizeof bytes), ==, sizeof bytes);
  g_assert_cmpuint(fake_stream_expect(&stream, VSOCK_OP_RW).len, ==, 1000);
  assert_pattern(vsock->bytes, 0, 1000);
  /* It asks once, and waits: an answer without credit is none. */
  fake_stream_expect(&stream, VSOCK_OP_CREDIT_REQUEST);
  fake_vsock_quiet(vsock);
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  stream.forwarded = 600;
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  g_assert_cmpuint(fake_stream_expect(&stream, VSOCK_OP_RW).len, ==, 600);
  assert_pattern(vsock->bytes, 1000, 600);
  fake_stream_expect(&stream, VSOCK_OP_CREDIT_REQUEST);
  /* A window that shrinks below what is under way is as good as none. */
  stream.window = 10;
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  fake_vsock_quiet(vsock);
  /* As is one that has forwarded what it never got. */
  stream.window = WINDOW;
  stream.forwarded = 100000;
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  fake_vsock_quiet(vsock);
  stream.forwarded = 1600;
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  g_assert_cmpuint(fake_stream_expect(&stream, VSOCK_OP_RW).len, ==, 3400);
  assert_pattern(vsock->bytes, 1600, 3400);
  close(fd);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  fake_vsock_free(vsock);
}

/* The end waits for the bytes before it, also of a host that is gone. */
static void test_end_waits_for_credit(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, 3, &stream);

  fake_host_write(fd, "abcdef");
  close(fd);
  fake_stream_expect_text(&stream, "abc");
  fake_stream_expect(&stream, VSOCK_OP_CREDIT_REQUEST);
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
  fake_stream_expect_text(&stream, "def");
  VsockHeader header;
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  if (header.op == VSOCK_OP_CREDIT_REQUEST) {
    fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  }
  g_assert_cmpuint(header.op, ==, VSOCK_OP_SHUTDOWN);
  g_assert_cmpuint(header.flags, ==, VSOCK_SHUTDOWN_BOTH);
  fake_vsock_free(vsock);
}

/* Without buffers nothing turns in circles, and with the first one it goes on. */
static void test_no_buffers(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  FakeStream stream;

  fake_vsock_start(vsock, VIRTIO_F_EVENT_IDX, 1);
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  vsock->hold = true;
  fake_host_write(fd, "first");
  fake_stream_expect_text(&stream, "first");
  fake_host_write(fd, "second");
  fake_settle(vsock->guest);
  assert_idle(vsock);
  close(fd);
  assert_idle(vsock);
  fake_vsock_give(vsock);
  fake_kick_if_wanted(vsock->guest, FAKE_RXQ, 1);
  fake_stream_expect_text(&stream, "second");
  assert_idle(vsock);
  fake_vsock_give(vsock);
  fake_kick_if_wanted(vsock->guest, FAKE_RXQ, 1);
  fake_stream_expect_shutdown(&stream, VSOCK_SHUTDOWN_BOTH);
  fake_vsock_free(vsock);
}

/* Many bytes both ways at once, as the rings allow. */

typedef struct {
  int fd;
  uint64_t size, received;
} Echo;

static void *host_writes(void *opaque) {
  const Echo *echo = opaque;
  g_autofree uint8_t *bytes = g_malloc(100000);

  for (uint64_t at = 0; at < echo->size;) {
    size_t part = MIN(100000, echo->size - at);
    fill_pattern(bytes, at, part);
    ssize_t written = send(echo->fd, bytes, part, MSG_NOSIGNAL);
    g_assert_cmpint(written, >, 0);
    at += (size_t)written;
  }
  shutdown(echo->fd, SHUT_WR);
  return NULL;
}

static void *host_reads(void *opaque) {
  Echo *echo = opaque;
  g_autofree uint8_t *bytes = g_malloc(VSOCK_PAYLOAD_MAX);

  for (size_t got; (got = fake_host_read(echo->fd, bytes, 1 + echo->received % VSOCK_PAYLOAD_MAX)) > 0; echo->received += got)
    assert_pattern(bytes, echo->received, got);
  return NULL;
}

static void transfer(uint64_t size, unsigned piece, uint64_t features) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  FakeStream stream;
  bool ended = false;

  fake_vsock_start(vsock, features, FAKE_BUFFERS);
  vsock->piece = piece;
  Echo echo = {.fd = fake_open_by_host(vsock, 52, WINDOW, &stream), .size = size};
  GThread *writer = g_thread_new("writer", host_writes, &echo), *reader = g_thread_new("reader", host_reads, &echo);
  g_autofree uint8_t *bytes = g_malloc(VSOCK_PAYLOAD_MAX);
  uint64_t sent = 0, got = 0;
  while (!ended || sent < size) {
    VsockHeader header;
    uint32_t part = (uint32_t)MIN(MIN(fake_stream_credit(&stream), 1 + (sent * 31) % 20000), size - sent);
    if (part > 0) {
      fill_pattern(bytes, sent, part);
      fake_stream_say(&stream, VSOCK_OP_RW, 0, bytes, part);
      sent += part;
    }
    if (!fake_vsock_poll(vsock, part > 0 ? 0 : 1000, &header))
      continue;
    fake_stream_note(&stream, &header);
    assert_pattern(vsock->bytes, got, header.len);
    got += header.len;
    g_assert_cmpuint(got - stream.forwarded, <=, WINDOW);
    ended |= header.op == VSOCK_OP_SHUTDOWN;
    if (header.op == VSOCK_OP_CREDIT_REQUEST || got - stream.forwarded > WINDOW / 2) {
      stream.forwarded = (uint32_t)got;
      fake_stream_say(&stream, VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
    }
  }
  g_assert_cmpuint(got, ==, size);
  fake_stream_say(&stream, VSOCK_OP_SHUTDOWN, VSOCK_SHUTDOWN_SEND, NULL, 0);
  g_thread_join(writer);
  g_thread_join(reader);
  g_assert_cmpuint(echo.received, ==, size);
  close(echo.fd);
  fake_vsock_free(vsock);
}

static void test_transfer(void) {
  transfer(8 << 20, 0, VIRTIO_F_EVENT_IDX);
  transfer(2 << 20, 0, 0);
}

/* Header and bytes in whatever descriptors. */
static void test_transfer_in_pieces(void) {
  transfer(1 << 20, 1000, VIRTIO_F_EVENT_IDX);
  transfer(1 << 20, 199, VIRTIO_F_EVENT_IDX);
}

/* Buffers of several descriptors, of which the first is smaller than a header. */
static void test_buffers_in_pieces(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  FakeStream stream;
  uint8_t bytes[600], taken[600];
  VsockHeader header;

  fake_vsock_start(vsock, 0, 1);
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  vsock->hold = true;
  fill_pattern(bytes, 0, sizeof bytes);
  g_assert_cmpint(write(fd, bytes, sizeof bytes), ==, sizeof bytes);
  /* The next buffer is taken by the first bytes; after it come two in pieces. */
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.len, ==, sizeof bytes);
  g_assert_cmpint(write(fd, bytes, sizeof bytes), ==, sizeof bytes);
  uint64_t area = fake_alloc(vsock->guest, 4096);
  const FakeBuffer first[] = {{area, 10, true}, {area + 100, 33, true}, {area + 200, 2, true}, {area + 300, 99, true}};
  const FakeBuffer second[] = {{area + 500, 1, true}, {area + 600, 2000, true}};
  vsock->guest->queues[FAKE_RXQ].next_descriptor = 8;
  fake_add(vsock->guest, FAKE_RXQ, first, 4);
  fake_add(vsock->guest, FAKE_RXQ, second, 2);
  fake_kick(vsock->guest, FAKE_RXQ);
  uint32_t written;
  fake_take(vsock->guest, FAKE_RXQ, &written);
  g_assert_cmpuint(written, ==, 144);
  taken[0] = *(uint8_t *)fake_at(vsock->guest, area + 201);
  memcpy(taken + 1, fake_at(vsock->guest, area + 300), 99);
  fake_take(vsock->guest, FAKE_RXQ, &written);
  g_assert_cmpuint(written, ==, VSOCK_HEADER_SIZE + 500);
  memcpy(taken + 100, fake_at(vsock->guest, area + 600 + 43), 500);
  assert_pattern(taken, 0, sizeof taken);
  g_assert_cmpuint(*(uint8_t *)fake_at(vsock->guest, area + 10), ==, 0); /* and nothing between them */
  close(fd);
  fake_vsock_free(vsock);
}

static void test_buffer_too_small(void) {
  for (uint32_t size = VSOCK_HEADER_SIZE - 1; size <= VSOCK_HEADER_SIZE; size++) {
    FakeVsock *vsock = fake_vsock_new_stopped();
    fake_vsock_start(vsock, 0, 0);
    const FakeBuffer buffer = {vsock->in, size, true};
    fake_add(vsock->guest, FAKE_RXQ, &buffer, 1);
    int fd = fake_host_connect(vsock, "CONNECT 52\n");
    fake_wait_for(vsock->guest, VIRTIO_STATUS_NEEDS_RESET);
    g_assert_cmpuint(fake_returned(vsock->guest, FAKE_RXQ), ==, 0);
    assert_idle(vsock);
    fake_guest_reset(vsock->guest);
    fake_host_expect_end(fd);
    close(fd);
    fake_vsock_start(vsock, 0, FAKE_BUFFERS);
    FakeStream stream;
    close(fake_open_by_host(vsock, 52, WINDOW, &stream));
    fake_vsock_free(vsock);
  }
}

/* Hostile packets. */

static void test_strangers(void) {
  static const VsockOp answered[] = {VSOCK_OP_RESPONSE, VSOCK_OP_SHUTDOWN, VSOCK_OP_RW, VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST};
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream = {.vsock = vsock, .guest_port = 1, .host_port = 2, .window = WINDOW};
  VsockHeader header =
                  {.src_cid = FAKE_CID, .dst_cid = 99, .src_port = 4, .dst_port = 5, .type = VSOCK_TYPE_STREAM, .op = VSOCK_OP_REQUEST},
              reset;

  for (unsigned i = 0; i < G_N_ELEMENTS(answered); i++) {
    fake_stream_say(&stream, answered[i], VSOCK_SHUTDOWN_BOTH, "x", answered[i] == VSOCK_OP_RW);
    fake_stream_expect(&stream, VSOCK_OP_RST);
  }
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_vsock_quiet(vsock);

  /* Another guest, which we are not the way to: said in its name, so that the guest need not wait. */
  fake_vsock_send(vsock, &header, NULL);
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &reset));
  g_assert_cmpuint(reset.op, ==, VSOCK_OP_RST);
  g_assert_cmpuint(reset.src_cid, ==, 99);
  g_assert_cmpuint(reset.dst_cid, ==, FAKE_CID);
  g_assert_cmpuint(reset.src_port, ==, 5);
  g_assert_cmpuint(reset.dst_port, ==, 4);
  /* Another kind of socket. */
  header.dst_cid = VSOCK_CID_HOST;
  header.type = 2;
  fake_vsock_send(vsock, &header, NULL);
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &reset));
  g_assert_cmpuint(reset.op, ==, VSOCK_OP_RST);
  g_assert_cmpuint(reset.type, ==, 2);
  /* In the name of another: nobody may be answered. */
  header.type = VSOCK_TYPE_STREAM;
  header.src_cid = FAKE_CID + 1;
  fake_vsock_send(vsock, &header, NULL);
  fake_vsock_send_raw(vsock, "short", 5);
  fake_vsock_quiet(vsock);
  g_assert_false(fake_has_failed(vsock->guest));
  fake_vsock_free(vsock);
}

/* What is wrong with a packet is the end of its connection, and of no other. */
static void test_broken_packets(void) {
  static const VsockHeader rows[] = {
      {.type = VSOCK_TYPE_STREAM, .op = VSOCK_OP_REQUEST},
      {.type = VSOCK_TYPE_STREAM, .op = VSOCK_OP_RESPONSE},
      {.type = VSOCK_TYPE_STREAM, .op = VSOCK_OP_INVALID},
      {.type = VSOCK_TYPE_STREAM, .op = 8},
      {.type = 2, .op = VSOCK_OP_RW},
  };
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream, other;
  int bystander = fake_open_by_host(vsock, 51, WINDOW, &other);

  for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
    int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
    VsockHeader header = rows[i], reset;
    header.src_cid = FAKE_CID;
    header.dst_cid = VSOCK_CID_HOST;
    header.src_port = 52;
    header.dst_port = stream.host_port;
    fake_vsock_send(vsock, &header, NULL);
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &reset));
    g_assert_cmpuint(reset.op, ==, VSOCK_OP_RST);
    fake_host_expect_end(fd);
    close(fd);
  }
  /* One that claims more than it brings. */
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  uint8_t bytes[VSOCK_HEADER_SIZE + 10] = {0};
  vsock_header_encode(&(VsockHeader){.src_cid = FAKE_CID,
                                     .dst_cid = VSOCK_CID_HOST,
                                     .src_port = 52,
                                     .dst_port = stream.host_port,
                                     .len = 11,
                                     .type = 1,
                                     .op = VSOCK_OP_RW},
                      bytes);
  fake_vsock_send_raw(vsock, bytes, sizeof bytes);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_host_expect_end(fd);
  close(fd);
  /* Before the guest has answered, it has nothing to say. */
  fd = fake_host_connect(vsock, "CONNECT 54\n");
  VsockHeader request;
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &request));
  stream = (FakeStream){.vsock = vsock, .guest_port = 54, .host_port = request.src_port};
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "x", 1);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  fake_host_expect_end(fd);
  close(fd);
  fake_stream_say(&other, VSOCK_OP_RW, 0, "well", 4);
  fake_host_expect(bystander, "well");
  close(bystander);
  fake_vsock_free(vsock);
}

/* More than anybody remembers, of a guest that takes no answers: it loses some, and that is all. */
static void test_reset_storm(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  FakeStream stream = {.vsock = vsock, .guest_port = 1, .host_port = 2, .window = WINDOW};
  VsockHeader header;
  unsigned n = 0;

  fake_vsock_start(vsock, VIRTIO_F_EVENT_IDX, 0);
  for (unsigned i = 0; i < 3000; i++)
    fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  for (stream.guest_port = 0; stream.guest_port < VSOCK_RESETS_MAX + 1000; stream.guest_port++)
    fake_stream_say(&stream, stream.guest_port % 2 ? VSOCK_OP_REQUEST : VSOCK_OP_RW, 0, NULL, 0);
  assert_idle(vsock);
  for (unsigned i = 0; i < FAKE_BUFFERS; i++)
    fake_vsock_give(vsock);
  fake_kick(vsock->guest, FAKE_RXQ);
  while (fake_vsock_poll(vsock, 10 * FAKE_QUIET_US, &header)) {
    g_assert_cmpuint(header.op, ==, VSOCK_OP_RST);
    g_assert_cmpuint(header.dst_port, ==, n++);
  }
  g_assert_cmpuint(n, ==, VSOCK_RESETS_MAX);
  close(fake_open_by_host(vsock, 52, WINDOW, &stream));
  fake_vsock_free(vsock);
}

/* Anything at all. Whatever it was, after a reset the device is as good as new, and the process lives. */
static void test_fuzz(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  int listener = fake_host_listen(vsock, 3, 1000);

  for (unsigned round = 0; round < 40; round++) {
    fake_vsock_start(vsock, round % 2 ? VIRTIO_F_EVENT_IDX : 0, FAKE_BUFFERS);
    int fds[4];
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
      fds[i] = fake_host_connect(vsock, i % 2 ? "CONNECT 1\nsome bytes" : "CONNECT 2\n");
    for (unsigned i = 0; i < 250; i++) {
      uint8_t packet[VSOCK_HEADER_SIZE + 300];
      VsockHeader seen;
      const VsockHeader header = {
          .src_cid = g_test_rand_int_range(0, 30) ? FAKE_CID : (uint32_t)g_test_rand_int(),
          .dst_cid = g_test_rand_int_range(0, 30) ? VSOCK_CID_HOST : (uint32_t)g_test_rand_int(),
          .src_port = (uint32_t)g_test_rand_int_range(0, 4),
          .dst_port = (uint32_t)g_test_rand_int_range(0, 4) + (g_test_rand_int_range(0, 2) ? (UINT32_C(1) << 30) + 4 * round : 0),
          .len = g_test_rand_int_range(0, 20) ? (uint32_t)g_test_rand_int_range(0, 300) : (uint32_t)g_test_rand_int(),
          .type = g_test_rand_int_range(0, 30) ? VSOCK_TYPE_STREAM : (uint16_t)g_test_rand_int(),
          .op = (uint16_t)g_test_rand_int_range(0, 9),
          .flags = (uint32_t)g_test_rand_int_range(0, 5),
          .buf_alloc = g_test_rand_int_range(0, 4) ? 4096 : (uint32_t)g_test_rand_int(),
          .fwd_cnt = (uint32_t)g_test_rand_int_range(0, 100),
      };
      memset(packet, 'x', sizeof packet);
      vsock_header_encode(&header, packet);
      vsock->piece = (unsigned)g_test_rand_int_range(10, 200);
      fake_vsock_send_raw(vsock, packet, (size_t)g_test_rand_int_range(1, (int)sizeof packet));
      while (g_test_rand_int_range(0, 3) && fake_vsock_poll(vsock, 0, &seen))
        ;
    }
    g_assert_false(fake_has_failed(vsock->guest));
    fake_guest_reset(vsock->guest);
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
      close(fds[i]);
  }
  FakeStream stream;
  vsock->piece = 0;
  fake_vsock_start(vsock, 0, FAKE_BUFFERS);
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  fake_host_write(fd, "as new");
  fake_stream_expect_text(&stream, "as new");
  close(fd);
  close(listener);
  fake_vsock_free(vsock);
}

/* Many. */

static void allow_files(unsigned n) {
  struct rlimit limit;

  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint(limit.rlim_max, >=, n);
  limit.rlim_cur = n;
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static void test_many_by_host(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream *streams = g_new(FakeStream, VSOCK_CONNECTIONS_MAX);
  int fds[VSOCK_CONNECTIONS_MAX];
  uint32_t large = 0, small = 0;

  allow_files(4096);
  for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
    fds[i] = fake_open_by_host(vsock, 52, WINDOW, &streams[i]);
    *(streams[i].device_window > 64 * 1024 ? &large : &small) += streams[i].device_window;
  }
  /* What they may cost together is bounded. */
  g_assert_cmpuint(large + small, <=, 64 << 20);
  /* One too many waits. */
  int waiting = fake_host_connect(vsock, "CONNECT 53\n");
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i += 97) {
    fake_host_write(fds[i], "one of many");
    fake_stream_expect_text(&streams[i], "one of many");
    fake_stream_say(&streams[i], VSOCK_OP_RW, 0, "and another", 11);
    fake_host_expect(fds[i], "and another");
  }
  /* The guest's own have places of their own. */
  FakeStream own;
  int listener = fake_host_listen(vsock, 7, 1);
  int fd = fake_open_by_guest(vsock, listener, 7, 1, WINDOW, &own);
  close(fd);
  fake_stream_expect_shutdown(&own, VSOCK_SHUTDOWN_BOTH);
  /* Until one goes. */
  close(fds[0]);
  fake_stream_expect_shutdown(&streams[0], VSOCK_SHUTDOWN_BOTH);
  fake_stream_say(&streams[0], VSOCK_OP_RST, 0, NULL, 0);
  VsockHeader header;
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.op, ==, VSOCK_OP_REQUEST);
  g_assert_cmpuint(header.dst_port, ==, 53);
  fake_guest_reset(vsock->guest);
  for (unsigned i = 1; i < VSOCK_CONNECTIONS_MAX; i++) {
    fake_host_expect_end(fds[i]);
    close(fds[i]);
  }
  close(waiting);
  close(listener);
  g_free(streams);
  fake_vsock_free(vsock);
}

static void test_many_by_guest(void) {
  FakeVsock *vsock = fake_vsock_new();
  int listener = fake_host_listen(vsock, 7, 4096), fds[VSOCK_CONNECTIONS_MAX];
  FakeStream stream;

  allow_files(4096);
  for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++)
    fds[i] = fake_open_by_guest(vsock, listener, 7, i, WINDOW, &stream);
  stream.guest_port = VSOCK_CONNECTIONS_MAX;
  fake_stream_say(&stream, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  stream.guest_port = 0;
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_host_expect_end(fds[0]);
  close(fds[0]);
  fds[0] = fake_open_by_guest(vsock, listener, 7, VSOCK_CONNECTIONS_MAX, WINDOW, &stream);
  for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++)
    close(fds[i]);
  close(listener);
  fake_vsock_free(vsock);
}

/* A process that has no descriptors left lets nobody in, and does not turn in circles over it. */
static void test_no_descriptors(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int probe = fake_host_connect(vsock, "CONNECT 52\n"), hogs[64];
  VsockHeader header;

  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS(hogs); i++)
    hogs[i] = fcntl(probe, F_DUPFD_CLOEXEC, 0);
  allow_files((unsigned)hogs[G_N_ELEMENTS(hogs) - 1] + 1);
  const struct sockaddr_un address = fake_address(vsock, "");
  g_assert_cmpint(connect(waiting, (const struct sockaddr *)&address, sizeof address), ==, 0);
  fake_host_write(waiting, "CONNECT 53\n");
  fake_vsock_quiet(vsock);
  assert_idle(vsock);
  /* Nor does the guest get one. */
  stream = (FakeStream){.vsock = vsock, .guest_port = 1, .host_port = 2, .window = WINDOW};
  fake_stream_say(&stream, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(&stream, VSOCK_OP_RST);
  for (unsigned i = 0; i < G_N_ELEMENTS(hogs); i++)
    close(hogs[i]);
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.dst_port, ==, 53);
  allow_files(4096);
  close(waiting);
  close(probe);
  fake_vsock_free(vsock);
}

/* Life. */

static void test_before_the_driver(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();
  int fd = fake_host_connect(vsock, "CONNECT 52\n");
  VsockHeader header;

  fake_vsock_start(vsock, 0, FAKE_BUFFERS);
  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.op, ==, VSOCK_OP_REQUEST);
  close(fd);
  fake_vsock_free(vsock);
}

static void test_reset_with_connections(void) {
  FakeVsock *vsock = fake_vsock_new();
  int listener = fake_host_listen(vsock, 7, 4);
  FakeStream one, two;

  for (unsigned round = 0; round < 10; round++) {
    int by_host = fake_open_by_host(vsock, 52, WINDOW, &one), by_guest = fake_open_by_guest(vsock, listener, 7, 3, WINDOW, &two);
    int asking = fake_host_connect(vsock, "CONNECT 53\n");
    fake_host_write(by_guest, "under way");
    fake_guest_reset(vsock->guest);
    int meanwhile = fake_host_connect(vsock, "CONNECT 54\n");
    fake_host_expect_end(by_host);
    uint8_t byte;
    g_assert_cmpint(recv(by_guest, &byte, 1, 0), <=, 0);
    fake_vsock_start(vsock, 0, FAKE_BUFFERS);
    VsockHeader header;
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
    /* The one before it was let in or was not: it is gone, or asks now. */
    if (header.dst_port == 53)
      g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
    g_assert_cmpuint(header.op, ==, VSOCK_OP_REQUEST);
    g_assert_cmpuint(header.dst_port, ==, 54);
    fake_guest_reset(vsock->guest);
    fake_vsock_start(vsock, 0, FAKE_BUFFERS);
    /* What the guest of before knew is not known any more. */
    fake_stream_say(&two, VSOCK_OP_RW, 0, "x", 1);
    fake_stream_expect(&two, VSOCK_OP_RST);
    close(by_host);
    close(by_guest);
    close(asking);
    close(meanwhile);
  }
  close(listener);
  fake_vsock_free(vsock);
}

static void test_pause(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);

  virtio_device_pause(vsock->guest->device);
  fake_host_write(fd, "meanwhile");
  int other = fake_host_connect(vsock, "CONNECT 53\n");
  fake_vsock_quiet(vsock);
  virtio_device_resume(vsock->guest->device);
  VsockHeader header;
  bool bytes = false, request = false;
  while (!bytes || !request) {
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
    bytes |= header.op == VSOCK_OP_RW && header.len == 9;
    request |= header.op == VSOCK_OP_REQUEST && header.dst_port == 53;
  }
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "goes on", 7);
  fake_host_expect(fd, "goes on");
  close(fd);
  close(other);
  fake_vsock_free(vsock);
}

/* A guest that does not answer loses the connection; its ports are free again. */
static void test_time(void) {
  FakeVsock *vsock = fake_vsock_new();
  FakeStream silent = {.vsock = vsock, .guest_port = 52}, lingering, quiet;
  VsockHeader header;
  int other = fake_open_by_host(vsock, 54, WINDOW, &quiet);
  int second = fake_open_by_host(vsock, 53, WINDOW, &lingering);
  int fd = fake_host_connect(vsock, "CONNECT 52\n");

  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  silent.host_port = header.src_port;
  close(second);
  fake_stream_expect_shutdown(&lingering, VSOCK_SHUTDOWN_BOTH);
  g_usleep(1200000);
  fake_vsock_quiet(vsock); /* it has some seconds */
  __atomic_fetch_add(&clock_offset, 10 * G_USEC_PER_SEC, __ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
    g_assert_cmpuint(header.op, ==, VSOCK_OP_RST);
    g_assert_true(header.src_port == silent.host_port || header.src_port == lingering.host_port);
  }
  fake_host_expect_end(fd);
  close(fd);
  /* One that is only quiet may be so for ever. */
  __atomic_fetch_add(&clock_offset, INT64_C(100000) * G_USEC_PER_SEC, __ATOMIC_SEQ_CST);
  g_usleep(1200000);
  fake_stream_say(&quiet, VSOCK_OP_RW, 0, "still there", 11);
  fake_host_expect(other, "still there");
  close(other);
  fake_vsock_free(vsock);
}

static void test_same_path(void) {
  FakeVsock *vsock = fake_vsock_new();
  g_autoptr(GError) error = NULL;

  g_assert_null(vsock_hybrid_new(vsock->path, &error));
  g_assert_error(error, VSOCK_HYBRID_ERROR, VSOCK_HYBRID_ERROR_IN_USE);
  FakeStream stream;
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  close(fd);
  fake_vsock_free(vsock);
}

/* A doorbell only while it is wanted; and each packet wanted rings. */
typedef struct {
  DeviceWatch watch;   /* first */
  int received, sent;  /* bytes; atomic */
  int events, strange; /* atomic: bits of those below; others, or by another queue */
} Watcher;

static void see_request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started,
                        bool failed) {
  Watcher *watcher = (Watcher *)watch;

  g_assert_cmpstr(kind, ==, queue == FAKE_RXQ ? "receive" : "transmit");
  __atomic_fetch_add(queue == FAKE_RXQ ? &watcher->received : &watcher->sent, failed ? 0 : (int)bytes, __ATOMIC_SEQ_CST);
}

static void see_event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  static const struct {
    const char *what;
    unsigned queue;
  } known[] = {
      {"connection from the host asked for", FAKE_RXQ}, {"connection from the host", FAKE_TXQ}, {"reset by the guest", FAKE_TXQ},
      {"connection from the guest refused", FAKE_TXQ},  {"reset to the guest", FAKE_RXQ},
  };
  Watcher *watcher = (Watcher *)watch;

  for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
    if (strcmp(what, known[i].what) == 0 && queue == known[i].queue) {
      __atomic_fetch_or(&watcher->events, 1 << i, __ATOMIC_SEQ_CST);
      return;
    }
  __atomic_fetch_add(&watcher->strange, 1, __ATOMIC_SEQ_CST);
}

static void see_doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
}

static void see_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
}

static void test_watch(void) {
  Watcher watcher = {.watch = {see_doorbell, see_interrupt, see_request, see_event}};
  FakeVsock *vsock = fake_vsock_new_stopped();
  FakeStream stream, nobody = {.vsock = vsock, .guest_port = 1000, .host_port = 99, .window = WINDOW};

  vsock->guest->device->watch = &watcher.watch;
  fake_vsock_start(vsock, VIRTIO_F_EVENT_IDX, FAKE_BUFFERS);
  int fd = fake_open_by_host(vsock, 52, WINDOW, &stream);
  fake_host_write(fd, "to the guest");
  fake_stream_expect_text(&stream, "to the guest");
  fake_stream_say(&stream, VSOCK_OP_RW, 0, "from it", 7);
  fake_host_expect(fd, "from it");
  fake_stream_say(&stream, VSOCK_OP_RST, 0, NULL, 0);
  fake_stream_say(&nobody, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(&nobody, VSOCK_OP_RST);
  fake_settle(vsock->guest);
  g_assert_cmpint(watcher.received, ==, 12);
  g_assert_cmpint(watcher.sent, ==, 7);
  g_assert_cmphex(watcher.events, ==, 0x1f);
  g_assert_cmpint(watcher.strange, ==, 0);
  close(fd);
  fake_vsock_free(vsock);
}

static void test_doorbell_on_demand(void) {
  for (unsigned i = 0; i < 2; i++) {
    FakeVsock *vsock = fake_vsock_new_stopped();
    fake_vsock_start(vsock, i ? VIRTIO_F_EVENT_IDX : 0, 0);
    vsock_header_encode(&(VsockHeader){.src_cid = FAKE_CID, .dst_cid = 2, .type = 1, .op = VSOCK_OP_RST},
                        fake_at(vsock->guest, vsock->out));
    const FakeBuffer buffer = {vsock->out, VSOCK_HEADER_SIZE, false};
    fake_stream(vsock->guest, FAKE_TXQ, &buffer, 1, 20000);
    fake_vsock_free(vsock);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vsock/identity", test_identity);
  g_test_add_func("/vsock/watch", test_watch);
  g_test_add_func("/vsock/host-connects", test_host_connects);
  g_test_add_func("/vsock/guest-connects", test_guest_connects);
  g_test_add_func("/vsock/nobody-listens", test_nobody_listens);
  g_test_add_func("/vsock/guest-refuses", test_guest_refuses);
  g_test_add_func("/vsock/split-greeting", test_split_greeting);
  g_test_add_func("/vsock/bad-greeting", test_bad_greeting);
  g_test_add_func("/vsock/host-ends-first", test_host_ends_first);
  g_test_add_func("/vsock/host-ends-and-goes", test_host_ends_and_goes);
  g_test_add_func("/vsock/guest-ends-first", test_guest_ends_first);
  g_test_add_func("/vsock/guest-closes", test_guest_closes);
  g_test_add_func("/vsock/guest-stops-reading", test_guest_stops_reading);
  g_test_add_func("/vsock/host-stops-reading", test_host_stops_reading);
  g_test_add_func("/vsock/guest-talks-on", test_guest_talks_on);
  g_test_add_func("/vsock/host-closes-unread", test_host_closes_unread);
  g_test_add_func("/vsock/host-never-reads", test_host_never_reads);
  g_test_add_func("/vsock/credit-ignored", test_credit_ignored);
  g_test_add_func("/vsock/close-behind-a-slow-host", test_close_behind_a_slow_host);
  g_test_add_func("/vsock/end-behind-a-slow-host", test_end_behind_a_slow_host);
  g_test_add_func("/vsock/end-of-machine", test_end_of_machine);
  g_test_add_func("/vsock/guest-window", test_guest_window);
  g_test_add_func("/vsock/end-waits-for-credit", test_end_waits_for_credit);
  g_test_add_func("/vsock/no-buffers", test_no_buffers);
  g_test_add_func("/vsock/transfer", test_transfer);
  g_test_add_func("/vsock/transfer-in-pieces", test_transfer_in_pieces);
  g_test_add_func("/vsock/buffers-in-pieces", test_buffers_in_pieces);
  g_test_add_func("/vsock/buffer-too-small", test_buffer_too_small);
  g_test_add_func("/vsock/strangers", test_strangers);
  g_test_add_func("/vsock/broken-packets", test_broken_packets);
  g_test_add_func("/vsock/reset-storm", test_reset_storm);
  g_test_add_func("/vsock/fuzz", test_fuzz);
  g_test_add_func("/vsock/many-by-host", test_many_by_host);
  g_test_add_func("/vsock/many-by-guest", test_many_by_guest);
  g_test_add_func("/vsock/no-descriptors", test_no_descriptors);
  g_test_add_func("/vsock/before-the-driver", test_before_the_driver);
  g_test_add_func("/vsock/reset-with-connections", test_reset_with_connections);
  g_test_add_func("/vsock/pause", test_pause);
  g_test_add_func("/vsock/time", test_time);
  g_test_add_func("/vsock/same-path", test_same_path);
  g_test_add_func("/vsock/doorbell-on-demand", test_doorbell_on_demand);
  return g_test_run();
}
