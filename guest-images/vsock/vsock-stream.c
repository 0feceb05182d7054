/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets between a guest and its host, for tests, from either side: the same program runs in both.
 *
 *   vsock-stream [-n COUNT] [-w SECONDS] END ACTION [BYTES]
 *
 *   vsock:CID:PORT      connects to that port             listen:PORT    accepts there
 *   hybrid:PATH:PORT    by "CONNECT PORT" on a socket     socket:PATH    accepts on this local socket
 *
 *   exchange BYTES      sends so many, ends its half, and receives the same until the end of the other
 *   echo                sends back what it receives, until its end; then ends its own half
 *   hold                says `open`, and waits for the end, or a reset: `closed`
 *
 * COUNT connections at a time, a process each (default: 1). SECONDS: how long to go on trying to connect. Status 0 when
 * all went well, 2 when nobody listens, 1 for anything else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { DONE, FAILED, NOBODY };
enum { RETRY_US = 100000, PIECE = 65536 };

typedef union {
  struct sockaddr any;
  struct sockaddr_vm vm;
  struct sockaddr_un local;
} Address;

typedef struct {
  bool accepts;
  Address address;
  socklen_t size;
  const char *greeting; /* the port to ask for, or NULL */
} End;

static int fail(const char *what) {
  fprintf(stderr, "vsock-stream: %s: %s\n", what, strerror(errno));
  return FAILED;
}

/* Ends. */

static void set_vsock(End *end, unsigned cid, const char *port) {
  end->address.vm = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = (unsigned)strtoul(port, NULL, 10)};
  end->size = sizeof end->address.vm;
}

static void set_local(End *end, const char *path) {
  end->address.local = (struct sockaddr_un){.sun_family = AF_UNIX};
  snprintf(end->address.local.sun_path, sizeof end->address.local.sun_path, "%s", path);
  end->size = sizeof end->address.local;
}

static bool parse_end(char *text, End *end) {
  char *kind = strsep(&text, ":"), *last = text ? strrchr(text, ':') : NULL;

  *end = (End){.accepts = strcmp(kind, "listen") == 0 || strcmp(kind, "socket") == 0};
  if (!text)
    return false;
  if (strcmp(kind, "listen") == 0) {
    set_vsock(end, VMADDR_CID_ANY, text);
    return true;
  }
  if (strcmp(kind, "socket") == 0) {
    set_local(end, text);
    return true;
  }
  if (!last)
    return false;
  *last = '\0';
  if (strcmp(kind, "vsock") == 0) {
    set_vsock(end, (unsigned)strtoul(text, NULL, 10), last + 1);
    return true;
  }
  set_local(end, text);
  end->greeting = last + 1;
  return strcmp(kind, "hybrid") == 0;
}

/* Says which port, and reads the answer up to the end of its line. */
static bool greet(int fd, const char *port) {
  char byte = 0, line[32];
  int size = snprintf(line, sizeof line, "CONNECT %s\n", port);

  if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size)
    return false;
  do {
    if (read(fd, &byte, 1) != 1) {
      errno = ECONNREFUSED;
      return false;
    }
  } while (byte != '\n');
  return true;
}

/* A connection to END, or -1. */
static int open_once(const End *end) {
  int fd = socket(end->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  if (connect(fd, &end->address.any, end->size) == 0 && (!end->greeting || greet(fd, end->greeting)))
    return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static int open_end(const End *end, unsigned seconds) {
  time_t last = time(NULL) + seconds;
  int fd;

  while ((fd = open_once(end)) < 0 && time(NULL) < last)
    usleep(RETRY_US);
  return fd;
}

static int listen_at(const End *end) {
  int fd = socket(end->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (end->address.any.sa_family == AF_UNIX)
    unlink(end->address.local.sun_path);
  if (fd < 0 || bind(fd, &end->address.any, end->size) != 0 || listen(fd, 128) != 0)
    exit(fail("listen"));
  return fd;
}

/* Actions. */

static uint8_t pattern(uint64_t at) {
  return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16) * 31);
}

/* As much as the socket takes of what is left. False: it failed. */
static bool send_some(int fd, uint64_t *sent, uint64_t size) {
  static uint8_t bytes[PIECE];
  uint64_t part = size - *sent < PIECE ? size - *sent : PIECE;

  for (uint64_t i = 0; i < part; i++)
    bytes[i] = pattern(*sent + i);
  ssize_t n = send(fd, bytes, part, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0)
    return errno == EAGAIN;
  *sent += (uint64_t)n;
  return *sent < size || shutdown(fd, SHUT_WR) == 0;
}

/* What there is, compared; *ENDED at its end. */
static bool receive_some(int fd, uint64_t *received, bool *ended) {
  static uint8_t bytes[PIECE];
  ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

  if (n < 0)
    return errno == EAGAIN;
  for (ssize_t i = 0; i < n; i++) {
    if (bytes[i] == pattern(*received + (uint64_t)i))
      continue;
    errno = EILSEQ;
    return false;
  }
  *received += (uint64_t)n;
  *ended = n == 0;
  return true;
}

static int exchange(int fd, uint64_t size) {
  uint64_t sent = 0, received = 0;
  bool ended = false;

  while (!ended) {
    struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (sent < size ? POLLOUT : 0))};
    if (poll(&ready, 1, -1) < 0)
      return fail("poll");
    if (sent < size && (ready.revents & POLLOUT) && !send_some(fd, &sent, size))
      return fail("send");
    if ((ready.revents & ~POLLOUT) && !receive_some(fd, &received, &ended))
      return fail("receive");
  }
  if (sent == size && received == size)
    return DONE;
  fprintf(stderr, "vsock-stream: %llu bytes went, and %llu came back\n", (unsigned long long)sent, (unsigned long long)received);
  return FAILED;
}

static int echo(int fd) {
  static uint8_t bytes[PIECE];
  ssize_t got, put;

  while ((got = read(fd, bytes, sizeof bytes)) > 0)
    for (ssize_t at = 0; at < got; at += put)
      if ((put = send(fd, bytes + at, (size_t)(got - at), MSG_NOSIGNAL)) < 0)
        return fail("send");
  if (got < 0)
    return fail("receive");
  shutdown(fd, SHUT_WR);
  /* The other end may not have read all of it yet. */
  return read(fd, bytes, 1) == 0 ? DONE : fail("end");
}

static int hold(int fd) {
  char byte;

  puts("open");
  fflush(stdout);
  while (read(fd, &byte, 1) > 0)
    ;
  puts("closed");
  return DONE;
}

static int act(int fd, const char *action, const char *bytes) {
  if (strcmp(action, "exchange") == 0 && bytes)
    return exchange(fd, strtoull(bytes, NULL, 10));
  if (strcmp(action, "echo") == 0)
    return echo(fd);
  return strcmp(action, "hold") == 0 ? hold(fd) : FAILED;
}

static int usage(void) {
  fputs("usage: vsock-stream [-n COUNT] [-w SECONDS] END exchange BYTES|echo|hold\n", stderr);
  return FAILED;
}

int main(int argc, char **argv) {
  unsigned count = 1, wait_seconds = 0;
  int status, worst = DONE;
  End end;

  for (int option; (option = getopt(argc, argv, "n:w:")) != -1;) {
    if (option == '?')
      return usage();
    *(option == 'n' ? &count : &wait_seconds) = (unsigned)strtoul(optarg, NULL, 10);
  }
  if (argc - optind < 2 || !parse_end(argv[optind], &end))
    return usage();
  int listener = end.accepts ? listen_at(&end) : -1;
  for (unsigned i = 0; i < count; i++) {
    int fd = end.accepts ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (end.accepts && fd < 0)
      return fail("accept");
    pid_t child = fork();
    if (child < 0)
      return fail("fork");
    if (child > 0) {
      if (fd >= 0)
        close(fd);
      continue;
    }
    if (!end.accepts && (fd = open_end(&end, wait_seconds)) < 0) {
      status = errno == ECONNRESET || errno == ECONNREFUSED || errno == ENOENT ? NOBODY : FAILED;
      fail("connect");
      return status;
    }
    return act(fd, argv[optind + 1], argv[optind + 2]);
  }
  while (wait(&status) > 0) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
    worst = code > worst ? code : worst;
  }
  return worst;
}
