/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: unix(7), SOCK_SEQPACKET and SCM_RIGHTS. */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "vmm/helpers/broker-wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union {
  char bytes[CMSG_SPACE(BROKER_FDS * sizeof(int))];
  struct cmsghdr align;
} Rights;

bool broker_send(int socket, const void *packet, uint32_t size, const int *fds, unsigned n) {
  struct iovec bytes = {(void *)packet, size};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  Rights rights = {0};
  ssize_t sent;

  if (n) {
    message.msg_control = rights.bytes;
    message.msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(header), fds, n * sizeof(int));
  }
  do
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)size;
}

/* One piece of rights at most is asked for, and so one comes. */
static unsigned take_fds(struct msghdr *message, int fds[BROKER_FDS]) {
  const struct cmsghdr *header = CMSG_FIRSTHDR(message);

  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    return 0;
  unsigned n = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  memcpy(fds, CMSG_DATA(header), n * sizeof(int));
  return n;
}

bool broker_receive(int socket, void *packet, uint32_t size, int fds[BROKER_FDS], unsigned *n) {
  struct iovec bytes = {packet, size};
  Rights rights;
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = rights.bytes, .msg_controllen = sizeof rights.bytes};
  ssize_t got;

  do
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  *n = got >= 0 ? take_fds(&message, fds) : 0;
  if (got == (ssize_t)size && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
    return true;
  while (*n)
    close(fds[--*n]);
  return false;
}
