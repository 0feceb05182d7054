/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a machine's local sockets: who answers where a machine's vsock should be, and who asks. Neither reads
 * anything behind the other's line: vmm/control/guest-port.c, devices/backend/vsock-hybrid.c.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/vsock-hybrid.h"
#include "vmm/control/guest-port.h"

/* A connection of which the other end has said DATA, and is gone if it has ENDED. */
static int open_said(int *theirs, const uint8_t *data, size_t size, bool ended) {
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==, 0);
  g_assert_cmpint(send(pair[1], data, size, 0), ==, (gssize)size);
  if (ended)
    shutdown(pair[1], SHUT_WR);
  *theirs = pair[1];
  return pair[0];
}

/* What is still to be read is what stands behind the first line. */
static void assert_left(int fd, const uint8_t *data, size_t size) {
  const uint8_t *end = memchr(data, '\n', size);
  g_autofree uint8_t *left = g_malloc(size + 1);

  g_assert_nonnull(end);
  size_t wanted = size - (size_t)(end + 1 - data);
  ssize_t got = recv(fd, left, size + 1, MSG_DONTWAIT);
  g_assert_cmpint(MAX(got, 0), ==, (gssize)wanted);
  g_assert_true(wanted == 0 || memcmp(left, end + 1, wanted) == 0);
}

static void ask(const uint8_t *data, size_t size) {
  const GuestPortPatience patience = {.until = g_get_monotonic_time() + G_USEC_PER_SEC};
  g_autoptr(GError) error = NULL;
  int theirs, fd = open_said(&theirs, data, size, true);

  if (guest_port_greet(fd, 22, &patience, &error)) {
    g_assert_true(size > 3 && memcmp(data, "OK ", 3) == 0);
    assert_left(fd, data, size);
  } else {
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
  }
  close(fd);
  close(theirs);
}

static void be_asked(const uint8_t *data, size_t size, bool ended) {
  uint32_t port = 0;
  int theirs, fd = open_said(&theirs, data, size, ended);
  VsockLine line = vsock_hybrid_read_line(fd, ended, &port);

  g_assert_true(line != VSOCK_LINE_INCOMPLETE || !ended);
  if (line == VSOCK_LINE_GOOD) {
    g_assert_true(size > 8 && g_ascii_strncasecmp((const char *)data, "CONNECT ", 8) == 0);
    assert_left(fd, data, size);
  }
  close(fd);
  close(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ask(data, size);
  be_asked(data, size, false);
  be_asked(data, size, true);
  return 0;
}
