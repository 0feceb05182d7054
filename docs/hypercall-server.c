/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An example of a hypercall service outside eret: adds two numbers, counts its calls. hypercalls.md, "Services outside
 * the process", specifies the messages. One thread a connection; each machine has one connection, so a slow call delays
 * its own machine only.
 *
 *   cc -O2 -Wall -o hypercall-server hypercall-server.c -pthread
 *   ./hypercall-server /tmp/sum.sock &
 *   eret run --hypercall 0xc2000000+2=unix:/tmp/sum.sock ...
 */
#define _GNU_SOURCE /* accept4 */
#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAGIC   0x74657265u /* "eret" */
#define VERSION 1u

#define FUNCTION_ADD   0xc2000000u /* x1, x2 -> x0 = 0, x1 = x1 + x2 */
#define FUNCTION_COUNT 0xc2000001u /* -> x0 = 0, x1 = calls of all connections so far */

#define SUCCESS       UINT64_C(0)
#define NOT_SUPPORTED UINT64_C(-1)

/* Little-endian. */
typedef struct {
  uint32_t magic, version;
  uint64_t sequence;
  uint32_t function, vcpu;
  uint64_t x[18];
} Message;
_Static_assert(sizeof(Message) == 168, "the message has 168 bytes");

static uint64_t calls; /* atomic */

/* Changes the results alone: every other register goes back as it came. */
static void answer(Message *message) {
  uint64_t count = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);

  switch (le32toh(message->function)) {
  case FUNCTION_ADD:
    message->x[1] = htole64(le64toh(message->x[1]) + le64toh(message->x[2]));
    message->x[0] = htole64(SUCCESS);
    break;
  case FUNCTION_COUNT:
    message->x[1] = htole64(count);
    message->x[0] = htole64(SUCCESS);
    break;
  default:
    message->x[0] = htole64(NOT_SUPPORTED);
    break;
  }
}

static void *serve(void *data) {
  int fd = (int)(intptr_t)data;
  Message message;

  while (recv(fd, &message, sizeof message, MSG_WAITALL) == (ssize_t)sizeof message) {
    if (le32toh(message.magic) != MAGIC || le32toh(message.version) != VERSION)
      break;
    answer(&message);
    if (send(fd, &message, sizeof message, MSG_NOSIGNAL) != (ssize_t)sizeof message)
      break;
  }
  close(fd);
  return NULL;
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat old;

  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "%s: a socket's path has at most %zu bytes\n", path, sizeof address.sun_path - 1);
    return -1;
  }
  strcpy(address.sun_path, path);
  if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
    unlink(path); /* of an earlier run */
  umask(077);     /* whoever can connect can call */
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0)
    return fd;
  perror(path);
  return -1;
}

/* No socket must take the place of a standard stream that is closed: messages would be sent to whoever is connected. */
static int keep_standard_fds(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
      return -1;
  return 0;
}

int main(int argc, char **argv) {
  if (keep_standard_fds() < 0)
    return 1;
  if (argc != 2) {
    fprintf(stderr, "usage: hypercall-server PATH\n");
    return 2;
  }
  int listener = listen_at(argv[1]);
  if (listener < 0)
    return 1;
  for (;;) {
    pthread_t thread;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
      continue;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
      pthread_detach(thread);
    else
      close(fd);
  }
}
