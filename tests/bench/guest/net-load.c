/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a network card or a vsock device, as block-load.c loads a disk: one connection, a stream one way, or one byte
 * there and back so many times. The same program is both ends; the one that connects tells the other what is to be
 * done, and measures.
 *
 *   net-load tcp ADDRESS PORT send|receive|echo AMOUNT      AMOUNT: bytes, or bytes there and back one at a time
 *   net-load vsock CID PORT send|receive|echo AMOUNT
 *   net-load serve LISTENER...                              tcp:ADDRESS:PORT, vsock:PORT, unix:PATH: until it is killed
 *   net-load tap NAME                                       makes a tap device of one queue that stays
 *
 * Prints: BENCH net NANOSECONDS. The time of a stream ends when its last byte is known to have arrived.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK         65536
#define MAX_LISTENERS 8
#define BACKLOG       4
#define NS_PER_SECOND 1000000000ull

typedef enum { SEND, RECEIVE, ECHO } What;

/* The first bytes on a connection; both ends have the same byte order. */
typedef struct {
  uint64_t what, amount;
} Order;

static unsigned char chunk[CHUNK];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void usage(void) {
  fprintf(stderr,
          "usage: net-load tcp ADDRESS PORT|vsock CID PORT send|receive|echo AMOUNT; net-load serve LISTENER...; net-load tap NAME\n");
  exit(2);
}

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static bool put(int fd, uint64_t amount) {
  while (amount) {
    ssize_t n = write(fd, chunk, amount < CHUNK ? amount : CHUNK);
    if (n <= 0)
      return false;
    amount -= (uint64_t)n;
  }
  return true;
}

static bool get(int fd, uint64_t amount) {
  while (amount) {
    ssize_t n = read(fd, chunk, amount < CHUNK ? amount : CHUNK);
    if (n <= 0)
      return false;
    amount -= (uint64_t)n;
  }
  return true;
}

/* Addresses. */

typedef union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_vm vm;
  struct sockaddr_un un;
} Address;

static socklen_t tcp_address(Address *address, const char *host, const char *port) {
  address->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, host, &address->in.sin_addr) != 1)
    usage();
  return sizeof address->in;
}

static socklen_t vsock_address(Address *address, unsigned cid, const char *port) {
  address->vm = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = (unsigned)atoi(port)};
  return sizeof address->vm;
}

static int open_socket(const Address *address) {
  int one = 1, fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    fail("socket");
  if (address->any.sa_family == AF_INET) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  return fd;
}

/* The end that does as it is told. */

static void obey(int fd) {
  Order order;

  if (recv(fd, &order, sizeof order, MSG_WAITALL) != sizeof order)
    return;
  switch ((What)order.what) {
  case SEND:
    if (get(fd, order.amount))
      put(fd, 1);
    break;
  case RECEIVE:
    put(fd, order.amount);
    get(fd, 1); /* so that the connection is there until all has arrived */
    break;
  case ECHO:
    while (order.amount-- && get(fd, 1) && put(fd, 1))
      ;
    break;
  }
}

static int listen_at(char *listener) {
  Address address = {0};
  socklen_t size;
  char *kind = strsep(&listener, ":"), *host;

  if (!listener)
    usage();
  if (strcmp(kind, "tcp") == 0) {
    host = strsep(&listener, ":");
    if (!listener)
      usage();
    size = tcp_address(&address, host, listener);
  } else if (strcmp(kind, "vsock") == 0) {
    size = vsock_address(&address, VMADDR_CID_ANY, listener);
  } else {
    address.un.sun_family = AF_UNIX;
    snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s", listener);
    unlink(address.un.sun_path);
    size = sizeof address.un;
  }
  int fd = open_socket(&address);
  if (bind(fd, &address.any, size) < 0 || listen(fd, BACKLOG) < 0)
    fail(kind);
  return fd;
}

static void serve(char **listeners, int n) {
  struct pollfd polls[MAX_LISTENERS];

  if (n < 1 || n > MAX_LISTENERS)
    usage();
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < n; i++)
    polls[i] = (struct pollfd){.fd = listen_at(listeners[i]), .events = POLLIN};
  puts("serving");
  fflush(stdout);
  while (poll(polls, (nfds_t)n, -1) > 0 || errno == EINTR)
    for (int i = 0; i < n; i++) {
      int one = 1, fd = polls[i].revents ? accept4(polls[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;
      if (fd < 0)
        continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* where it is TCP */
      obey(fd);
      close(fd);
    }
  fail("poll");
}

/* The end that measures. */

static uint64_t carry_out(int fd, What what, uint64_t amount) {
  Order order = {.what = what, .amount = amount};
  uint64_t start = now();
  bool well = send(fd, &order, sizeof order, 0) == sizeof order;

  switch (what) {
  case SEND:
    well = well && put(fd, amount) && get(fd, 1);
    break;
  case RECEIVE:
    well = well && get(fd, amount);
    break;
  case ECHO:
    for (uint64_t i = 0; i < amount && well; i++)
      well = put(fd, 1) && get(fd, 1);
    break;
  }
  uint64_t taken = now() - start;
  if (!well)
    fail("the connection");
  if (what == RECEIVE)
    put(fd, 1);
  return taken;
}

static What what_of(const char *word) {
  static const char *const words[] = {[SEND] = "send", [RECEIVE] = "receive", [ECHO] = "echo"};

  for (What what = SEND; what <= ECHO; what++)
    if (strcmp(word, words[what]) == 0)
      return what;
  usage();
  return SEND;
}

static void load(char **words) {
  Address address = {0};
  socklen_t size = strcmp(words[0], "tcp") == 0 ? tcp_address(&address, words[1], words[2])
                                                : vsock_address(&address, (unsigned)atoi(words[1]), words[2]);
  What what = what_of(words[3]);
  int fd = open_socket(&address);

  if (connect(fd, &address.any, size) < 0)
    fail("connect");
  printf("BENCH net %llu\n", (unsigned long long)carry_out(fd, what, strtoull(words[4], NULL, 10)));
}

static void make_tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
    fail(name);
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "serve") == 0)
    serve(argv + 2, argc - 2);
  else if (argc == 3 && strcmp(argv[1], "tap") == 0)
    make_tap(argv[2]);
  else if (argc == 6 && (strcmp(argv[1], "tcp") == 0 || strcmp(argv[1], "vsock") == 0))
    load(argv + 1);
  else
    usage();
  return 0;
}
