/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the kernel's own tests of AF_VSOCK (tools/testing/vsock), linked in front of libc by ld's --wrap.
 *
 * With VSOCK_HYBRID=PATH in the environment, the host's end of a machine whose sockets are local ones: an AF_VSOCK
 * socket is a local one, a port that is listened on is PATH_PORT, and a connection is asked for by "CONNECT PORT" on
 * PATH. Options of the AF_VSOCK level are taken, remembered and mean nothing.
 *
 * The connection by which the two ends of a test tell each other where they are is a TCP one. Here it is AF_VSOCK as
 * well, in the guest too, as there is no network: the name `guest` is CID 3, 0.0.0.0 any, and every other CID 2; and
 * whoever comes first waits for the other.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { FDS_MAX = 1024, OPTIONS_MAX = 16, WAIT_SECONDS = 60, RETRY_US = 200000, GUEST_CID = 3 };

int __real_socket(int domain, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __real_listen(int fd, int backlog);
int __real_accept(int fd, struct sockaddr *address, socklen_t *size);
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_listen(int fd, int backlog);
int __wrap_accept(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result);
void __wrap_freeaddrinfo(struct addrinfo *result);

static unsigned ports[FDS_MAX], control_port;
static unsigned char options[FDS_MAX][OPTIONS_MAX][sizeof(uint64_t)];

/* Where the host's sockets are; NULL: AF_VSOCK is what it is. */
static const char *hybrid(void) {
  return getenv("VSOCK_HYBRID");
}

static struct sockaddr_un local(const char *format, unsigned port) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  snprintf(address.sun_path, sizeof address.sun_path, format, hybrid(), port);
  return address;
}

int __wrap_socket(int domain, int type, int protocol) {
  return __real_socket(domain == AF_VSOCK && hybrid() ? AF_UNIX : domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size) {
  if (!hybrid())
    return __real_bind(fd, address, size);
  ports[fd] = ((const struct sockaddr_vm *)(const void *)address)->svm_port;
  return 0;
}

int __wrap_listen(int fd, int backlog) {
  if (hybrid()) {
    const struct sockaddr_un address = local("%s_%u", ports[fd]);
    unlink(address.sun_path);
    if (__real_bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
      return -1;
  }
  return __real_listen(fd, backlog);
}

int __wrap_accept(int fd, struct sockaddr *address, socklen_t *size) {
  const struct sockaddr_vm guest = {.svm_family = AF_VSOCK, .svm_cid = GUEST_CID};

  if (!hybrid())
    return __real_accept(fd, address, size);
  int accepted = __real_accept(fd, NULL, NULL);
  if (accepted >= 0 && address) {
    memcpy(address, &guest, sizeof guest);
    *size = sizeof guest;
  }
  return accepted;
}

/* What the guest refuses ends without an answer. */
static int greet(int fd, unsigned port) {
  char byte = 0, line[32];
  int size = snprintf(line, sizeof line, "CONNECT %u\n", port);

  if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size)
    return -1;
  while (byte != '\n') {
    ssize_t got = read(fd, &byte, 1);
    if (got == 0)
      errno = ECONNRESET;
    if (got <= 0)
      return -1;
  }
  return 0;
}

static int connect_once(int fd, const struct sockaddr *address, socklen_t size) {
  if (!hybrid())
    return __real_connect(fd, address, size);
  const unsigned port = ((const struct sockaddr_vm *)(const void *)address)->svm_port;
  const struct sockaddr_un path = local("%s", 0);
  if (__real_connect(fd, (const struct sockaddr *)&path, sizeof path) != 0)
    return -1;
  return greet(fd, port);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size) {
  const bool control = ((const struct sockaddr_vm *)(const void *)address)->svm_port == control_port;
  const time_t last = time(NULL) + WAIT_SECONDS;
  int result;

  while ((result = connect_once(fd, address, size)) != 0 && control && time(NULL) < last) {
    int fresh = __wrap_socket(AF_VSOCK, SOCK_STREAM, 0);
    dup2(fresh, fd);
    close(fresh);
    usleep(RETRY_US);
  }
  return result;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  if (!hybrid() || level != AF_VSOCK || name >= OPTIONS_MAX || size > sizeof options[fd][name])
    return __real_setsockopt(fd, level, name, value, size);
  memcpy(options[fd][name], value, size);
  return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  if (!hybrid() || level != AF_VSOCK || name >= OPTIONS_MAX || *size > sizeof options[fd][name])
    return __real_getsockopt(fd, level, name, value, size);
  memcpy(value, options[fd][name], *size);
  return 0;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  static struct sockaddr_vm address = {.svm_family = AF_VSOCK};
  static struct addrinfo info = {.ai_family = AF_VSOCK, .ai_socktype = SOCK_STREAM, .ai_addrlen = sizeof address};

  (void)hints;
  control_port = address.svm_port = (unsigned)strtoul(service, NULL, 10);
  if (!host || strcmp(host, "0.0.0.0") == 0)
    address.svm_cid = VMADDR_CID_ANY;
  else
    address.svm_cid = strcmp(host, "guest") == 0 ? GUEST_CID : VMADDR_CID_HOST;
  info.ai_addr = (struct sockaddr *)&address;
  *result = &info;
  return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *result) {
  (void)result;
}
