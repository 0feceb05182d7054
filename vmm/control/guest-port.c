/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "CONNECT 22" is read a byte at a time: what follows its line is the stream, and somebody else's to
 * read. Who answers may be anybody, so neither its length nor its time is up to him.
 */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/control/guest-port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "devices/printable.h"
#include "devices/socket-place.h"

#define ANSWER_WORD "OK "
#define ANSWER_MAX  (sizeof ANSWER_WORD "4294967295\r\n" - 1)
#define TICK_MS     1000

G_DEFINE_QUARK(eret_guest_port_error, guest_port_error)

static bool set_nobody(GError **error, const char *why) {
  g_set_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_NOBODY, "%s", why);
  return false;
}

static bool set_host(GError **error, const char *what, int code) {
  g_set_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_HOST, "%s: %s", what, g_strerror(code));
  return false;
}

/* Until FD is ready for EVENTS. */
static bool wait_for(int fd, short events, const GuestPortPatience *patience, GError **error) {
  struct pollfd ready = {.fd = fd, .events = events};

  for (;;) {
    int64_t left = (patience->until - g_get_monotonic_time()) / 1000;
    int polled = poll(&ready, 1, (int)CLAMP(left, 0, TICK_MS));
    if (polled > 0)
      return true;
    if (polled < 0 && errno != EINTR)
      return set_host(error, "cannot wait for the guest", errno);
    if (polled == 0 && left <= 0)
      return set_nobody(error, "the guest does not answer");
    if (polled == 0 && patience->waiting)
      patience->waiting(patience->opaque);
  }
}

/* "OK 1073741824": the host's port, which nobody needs. */
static bool is_answer(const char *line, size_t length) {
  guint64 port;

  return strlen(line) == length && g_str_has_prefix(line, ANSWER_WORD) &&
         g_ascii_string_to_unsigned(line + strlen(ANSWER_WORD), 10, 0, UINT32_MAX, &port, NULL);
}

static bool refuse_answer(const char *answer, size_t size, GError **error) {
  g_autofree char *shown = printable_line_escaped(answer, (gssize)size);

  g_set_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_HOST, "what answers there is no machine's vsock: \"%s\"", shown);
  return false;
}

static bool read_answer(int fd, const GuestPortPatience *patience, GError **error) {
  char answer[ANSWER_MAX + 1];

  for (size_t size = 0; size < ANSWER_MAX; size++) {
    if (!wait_for(fd, POLLIN, patience, error))
      return false;
    ssize_t got = recv(fd, answer + size, 1, 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
      return size ? refuse_answer(answer, size, error) : set_nobody(error, "nobody listens there");
    if (got < 0)
      return set_host(error, "cannot read the answer", errno);
    if (answer[size] != '\n')
      continue;
    size_t length = size - (size && answer[size - 1] == '\r');
    answer[length] = 0;
    return is_answer(answer, length) || refuse_answer(answer, length, error);
  }
  return refuse_answer(answer, ANSWER_MAX, error);
}

bool guest_port_greet(int fd, uint32_t port, const GuestPortPatience *patience, GError **error) {
  g_autofree char *line = g_strdup_printf("CONNECT %u\n", port);

  for (size_t done = 0, size = strlen(line); done < size;) {
    ssize_t sent = send(fd, line + done, size - done, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
      return set_nobody(error, "nobody listens there");
    if (sent < 0 && errno != EINTR)
      return set_host(error, "cannot ask for the port", errno);
    done += sent > 0 ? (size_t)sent : 0;
  }
  return read_answer(fd, patience, error);
}

/* An address has room for 107 bytes; by its directory's descriptor PATH has one whatever its length. */
static bool connect_path(int fd, const char *path, GError **error) {
  g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
  struct sockaddr_un address;
  int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

  bool connected =
      directory >= 0 && socket_address_in(directory, name, &address) && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  int code = errno;
  if (directory >= 0)
    close(directory);
  if (!connected && (code == ENOENT || code == ECONNREFUSED)) /* the machine begins, or ends */
    return set_nobody(error, "nobody serves the machine's vsock");
  return connected || set_host(error, path, code);
}

static int connect_local(const char *path, uint32_t port, const GuestPortPatience *patience, GError **error) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    set_host(error, "cannot make a socket", errno);
  else if (connect_path(fd, path, error) && guest_port_greet(fd, port, patience, error))
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

/* What a guest that has not come so far, or does not listen, comes to. */
static bool is_nobody(int code) {
  return code == ECONNRESET || code == ECONNREFUSED || code == ETIMEDOUT || code == ENODEV || code == EHOSTUNREACH || code == EINTR;
}

/* The kernel waits by itself, for as long as a second. */
static int connect_kernel(uint32_t cid, uint32_t port, GError **error) {
  const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
  const struct timeval second = {.tv_sec = 1};
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0) {
    set_host(error, "this host has no AF_VSOCK sockets", errno);
    return -1;
  }
  setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &second, sizeof second);
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  int code = errno;
  close(fd);
  if (is_nobody(code))
    set_nobody(error, "nobody listens there");
  else
    set_host(error, "cannot connect to the guest's vsock", code);
  return -1;
}

int guest_port_connect(const GuestSockets *sockets, uint32_t port, const GuestPortPatience *patience, GError **error) {
  return sockets->path ? connect_local(sockets->path, port, patience, error) : connect_kernel(sockets->cid, port, error);
}
