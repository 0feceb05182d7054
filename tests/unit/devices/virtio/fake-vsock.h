/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest with sockets, and a host with some, for the tests of the virtio socket device: packets are written and read
 * by hand, one at a time. Tests only.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "devices/virtio/vsock-packet.h"
#include "devices/virtio/vsock.h"
#include "tests/unit/devices/virtio/fake-guest.h"
#include "tests/unit/directory.h"

#define FAKE_CID      7
#define FAKE_RXQ      0
#define FAKE_TXQ      1
#define FAKE_BUFFER   4096 /* bytes of a buffer for the device */
#define FAKE_BUFFERS  128
#define FAKE_MOST     (VSOCK_HEADER_SIZE + 2 * VSOCK_PAYLOAD_MAX)
#define FAKE_QUIET_US 30000 /* what has not come by then does not come */

typedef struct {
  FakeGuest *guest;
  char *directory, *path;
  uint64_t in, out;      /* buffers: FAKE_BUFFERS of FAKE_BUFFER bytes, and one of FAKE_MOST */
  unsigned given, taken; /* buffers, ever */
  unsigned piece;        /* bytes of a descriptor of what the guest sends; 0: one for each of header and bytes */
  bool hold;             /* buffers are not given again */
  uint8_t bytes[FAKE_BUFFER];
} FakeVsock;

static inline void fake_vsock_give(FakeVsock *vsock) {
  const FakeBuffer buffer = {vsock->in + (uint64_t)(vsock->given++ % FAKE_BUFFERS) * FAKE_BUFFER, FAKE_BUFFER, true};

  fake_add(vsock->guest, FAKE_RXQ, &buffer, 1);
}

/* The guest's driver: BUFFERS are there for the device from the beginning. */
static inline void fake_vsock_start(FakeVsock *vsock, uint64_t features, unsigned buffers) {
  fake_guest_start(vsock->guest, features);
  vsock->in = fake_alloc(vsock->guest, FAKE_BUFFERS * FAKE_BUFFER);
  vsock->out = fake_alloc(vsock->guest, FAKE_MOST);
  vsock->given = vsock->taken = 0;
  for (unsigned i = 0; i < buffers; i++)
    fake_vsock_give(vsock);
  fake_kick(vsock->guest, FAKE_RXQ);
}

static inline FakeVsock *fake_vsock_new_stopped(void) {
  FakeVsock *vsock = g_new0(FakeVsock, 1);
  g_autoptr(GError) error = NULL;

  vsock->directory = directory_new();
  vsock->path = g_build_filename(vsock->directory, "vm", NULL);
  vsock->guest = fake_guest_new();
  VsockHybrid *hybrid = vsock_hybrid_new(vsock->path, &error);
  g_assert_no_error(error);
  fake_guest_plug(vsock->guest, virtio_vsock_new("vsock", &vsock->guest->memory, FAKE_CID, hybrid, &error));
  g_assert_no_error(error);
  return vsock;
}

static inline FakeVsock *fake_vsock_new(void) {
  FakeVsock *vsock = fake_vsock_new_stopped();

  fake_vsock_start(vsock, VIRTIO_F_EVENT_IDX, FAKE_BUFFERS);
  return vsock;
}

static inline void fake_vsock_free(FakeVsock *vsock) {
  fake_guest_free(vsock->guest);
  g_assert_false(g_file_test(vsock->path, G_FILE_TEST_EXISTS));
  directory_free(vsock->directory);
  g_free(vsock->directory);
  g_free(vsock->path);
  g_free(vsock);
}

/* What the guest sends. */

static inline void fake_vsock_send_raw(FakeVsock *vsock, const void *bytes, size_t size) {
  FakeBuffer buffers[128];
  unsigned n = 0;

  g_assert_cmpuint(size, <=, FAKE_MOST);
  memcpy(fake_at(vsock->guest, vsock->out), bytes, size);
  for (size_t at = 0, part; at < size; at += part) {
    part = MIN(size - at, vsock->piece ? vsock->piece : at ? size : VSOCK_HEADER_SIZE);
    g_assert_cmpuint(n, <, G_N_ELEMENTS(buffers));
    buffers[n++] = (FakeBuffer){vsock->out + at, (uint32_t)part, false};
  }
  fake_add(vsock->guest, FAKE_TXQ, buffers, n);
  fake_kick_if_wanted(vsock->guest, FAKE_TXQ, 1);
  uint32_t written;
  fake_take(vsock->guest, FAKE_TXQ, &written);
  g_assert_cmpuint(written, ==, 0);
}

static inline void fake_vsock_send(FakeVsock *vsock, const VsockHeader *header, const void *bytes) {
  g_autofree uint8_t *packet = g_malloc(VSOCK_HEADER_SIZE + header->len);

  vsock_header_encode(header, packet);
  if (header->len)
    memcpy(packet + VSOCK_HEADER_SIZE, bytes, header->len);
  fake_vsock_send_raw(vsock, packet, VSOCK_HEADER_SIZE + header->len);
}

/* What it receives. */

/* The next packet, if one comes within TIME microseconds; its bytes are in vsock->bytes. */
static inline bool fake_vsock_poll(FakeVsock *vsock, int64_t time, VsockHeader *header) {
  int64_t end = g_get_monotonic_time() + time;
  const uint8_t *buffer = fake_at(vsock->guest, vsock->in + (uint64_t)(vsock->taken % FAKE_BUFFERS) * FAKE_BUFFER);
  uint32_t written;

  while (!fake_returned(vsock->guest, FAKE_RXQ)) {
    if (g_get_monotonic_time() > end)
      return false;
    g_usleep(50);
  }
  fake_take(vsock->guest, FAKE_RXQ, &written);
  vsock->taken++;
  g_assert_cmpuint(written, >=, VSOCK_HEADER_SIZE);
  g_assert_cmpuint(written, <=, FAKE_BUFFER);
  *header = (VsockHeader){0};
  memcpy(header, buffer, VSOCK_HEADER_SIZE); /* little-endian, and in the same order */
  g_assert_cmpuint(header->len, ==, written - VSOCK_HEADER_SIZE);
  memcpy(vsock->bytes, buffer + VSOCK_HEADER_SIZE, header->len);
  if (!vsock->hold) {
    fake_vsock_give(vsock);
    fake_kick_if_wanted(vsock->guest, FAKE_RXQ, 1);
  }
  return true;
}

static inline void fake_vsock_quiet(FakeVsock *vsock) {
  VsockHeader header;

  if (fake_vsock_poll(vsock, FAKE_QUIET_US, &header))
    g_error("a packet that nobody expected: operation %u", header.op);
}

/* One stream of the guest's. */
typedef struct {
  FakeVsock *vsock;
  uint32_t guest_port, host_port;
  uint32_t window, received, forwarded;           /* what the guest says of itself */
  uint32_t sent, device_window, device_forwarded; /* and what it knows of the device */
} FakeStream;

static inline void fake_stream_say(FakeStream *stream, VsockOp op, uint32_t flags, const void *bytes, uint32_t len) {
  const VsockHeader header = {
      .src_cid = FAKE_CID,
      .dst_cid = VSOCK_CID_HOST,
      .src_port = stream->guest_port,
      .dst_port = stream->host_port,
      .len = len,
      .type = VSOCK_TYPE_STREAM,
      .op = op,
      .flags = flags,
      .buf_alloc = stream->window,
      .fwd_cnt = stream->forwarded,
  };

  stream->sent += len;
  fake_vsock_send(stream->vsock, &header, bytes);
}

/* A packet that came: it is this stream's, and its credit is noted. */
static inline void fake_stream_note(FakeStream *stream, const VsockHeader *header) {
  g_assert_cmpuint(header->src_cid, ==, VSOCK_CID_HOST);
  g_assert_cmpuint(header->dst_cid, ==, FAKE_CID);
  g_assert_cmpuint(header->src_port, ==, stream->host_port);
  g_assert_cmpuint(header->dst_port, ==, stream->guest_port);
  g_assert_cmpuint(header->type, ==, VSOCK_TYPE_STREAM);
  if (header->op == VSOCK_OP_RST)
    return;
  stream->device_window = header->buf_alloc;
  stream->device_forwarded = header->fwd_cnt;
}

/* The next packet, which is OP. */
static inline VsockHeader fake_stream_expect(FakeStream *stream, VsockOp op) {
  VsockHeader header;

  g_assert_true(fake_vsock_poll(stream->vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.op, ==, op);
  fake_stream_note(stream, &header);
  return header;
}

static inline void fake_stream_expect_shutdown(FakeStream *stream, unsigned flags) {
  g_assert_cmpuint(fake_stream_expect(stream, VSOCK_OP_SHUTDOWN).flags, ==, flags);
}

static inline void fake_stream_expect_text(FakeStream *stream, const char *text) {
  VsockHeader header = fake_stream_expect(stream, VSOCK_OP_RW);

  g_assert_cmpmem(stream->vsock->bytes, header.len, text, strlen(text));
  stream->received += header.len;
  stream->forwarded += header.len;
}

static inline uint32_t fake_stream_credit(const FakeStream *stream) {
  return stream->device_window - (stream->sent - stream->device_forwarded);
}

/* The host's ends. */

static inline struct sockaddr_un fake_address(const FakeVsock *vsock, const char *suffix) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  g_snprintf(address.sun_path, sizeof address.sun_path, "%s%s", vsock->path, suffix);
  return address;
}

static inline int fake_host_connect(const FakeVsock *vsock, const char *line) {
  const struct sockaddr_un address = fake_address(vsock, "");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint(connect(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(send(fd, line, strlen(line), MSG_NOSIGNAL), ==, (ssize_t)strlen(line));
  return fd;
}

static inline int fake_host_listen(const FakeVsock *vsock, unsigned port, int backlog) {
  g_autofree char *suffix = g_strdup_printf("_%u", port);
  const struct sockaddr_un address = fake_address(vsock, suffix);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(fd, backlog), ==, 0);
  return fd;
}

/* What comes, up to SIZE bytes; waits for the first. */
static inline size_t fake_host_read(int fd, void *to, size_t size) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};

  g_assert_cmpint(poll(&ready, 1, FAKE_WAIT_US / 1000), ==, 1);
  ssize_t got = recv(fd, to, size, 0);
  g_assert_cmpint(got, >=, 0);
  return (size_t)got;
}

static inline void fake_host_expect(int fd, const char *text) {
  char bytes[256];
  size_t size = 0;

  while (size < strlen(text)) {
    size_t got = fake_host_read(fd, bytes + size, strlen(text) - size);
    g_assert_cmpuint(got, >, 0);
    size += got;
  }
  g_assert_cmpmem(bytes, size, text, strlen(text));
}

static inline void fake_host_expect_end(int fd) {
  char byte;
  g_assert_cmpuint(fake_host_read(fd, &byte, 1), ==, 0);
}

static inline void fake_host_write(int fd, const char *text) {
  g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (ssize_t)strlen(text));
}

/* A connection that the host asked for: its end, and the guest's. WINDOW: the guest's room. */
static inline int fake_open_by_host(FakeVsock *vsock, uint32_t guest_port, uint32_t window, FakeStream *stream) {
  g_autofree char *line = g_strdup_printf("CONNECT %u\n", guest_port);
  int fd = fake_host_connect(vsock, line);
  VsockHeader header;

  g_assert_true(fake_vsock_poll(vsock, FAKE_WAIT_US, &header));
  g_assert_cmpuint(header.op, ==, VSOCK_OP_REQUEST);
  *stream = (FakeStream){.vsock = vsock, .guest_port = guest_port, .host_port = header.src_port, .window = window};
  fake_stream_note(stream, &header);
  fake_stream_say(stream, VSOCK_OP_RESPONSE, 0, NULL, 0);
  g_autofree char *answer = g_strdup_printf("OK %u\n", header.src_port);
  fake_host_expect(fd, answer);
  return fd;
}

/* One that the guest asked for, of LISTENER on host_port. */
static inline int fake_open_by_guest(FakeVsock *vsock, int listener, uint32_t host_port, uint32_t guest_port, uint32_t window,
                                     FakeStream *stream) {
  *stream = (FakeStream){.vsock = vsock, .guest_port = guest_port, .host_port = host_port, .window = window};
  fake_stream_say(stream, VSOCK_OP_REQUEST, 0, NULL, 0);
  fake_stream_expect(stream, VSOCK_OP_RESPONSE);
  int fd = accept(listener, NULL, NULL);
  g_assert_cmpint(fd, >=, 0);
  return fd;
}

/* Processor time of this process over TIME microseconds of nothing to do, in microseconds. */
static inline int64_t fake_idle_cost(int64_t time) {
  struct timespec before, after;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  g_usleep((gulong)time);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  return (after.tv_sec - before.tv_sec) * G_USEC_PER_SEC + (after.tv_nsec - before.tv_nsec) / 1000;
}
