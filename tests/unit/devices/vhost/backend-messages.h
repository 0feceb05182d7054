/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a back end of vhost-user hears and is heard: its socket, and messages with descriptors. For the back ends of
 * tests, a good one (fake-backend.h) and others. Tests only.
 */
#pragma once

#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/vhost/user-message.h"

#define BACKEND_HEADER_SIZE 12
#define BACKEND_FDS_MAX     8  /* that come with a message; the kernel closes others */
#define BACKEND_SEND_MAX    40 /* that go with one */

static inline void backend_close(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static inline int backend_listen(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(fd, 4), ==, 0);
  return fd;
}

/* Descriptors that have come, whose whoever reads is. */
typedef struct {
  int fd[BACKEND_FDS_MAX];
  unsigned n;
} BackendFds;

static inline void backend_close_all(BackendFds *fds) {
  while (fds->n > 0)
    close(fds->fd[--fds->n]);
}

/* SIZE bytes, and what comes with them behind what is in FDS. False: that is the end, or STOP_FD became readable. */
static inline bool backend_read(int fd, int stop_fd, void *to, size_t size, BackendFds *fds) {
  for (size_t done = 0; done < size;) {
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(BACKEND_FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {(uint8_t *)to + done, size - done};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    if (poll(ready, G_N_ELEMENTS(ready), -1) < 0 || ready[1].revents)
      return false;
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0)
      return false;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part))
      for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        g_assert_cmpuint(fds->n, <, BACKEND_FDS_MAX);
        memcpy(&fds->fd[fds->n++], CMSG_DATA(part) + at, sizeof(int));
      }
    done += (size_t)got;
  }
  return true;
}

/* The next message, as it is said to be: of one that is larger than any, the header. */
static inline bool backend_read_message(int fd, int stop_fd, VhostUserMessage *message, BackendFds *fds) {
  *message = (VhostUserMessage){.request = 0};
  return backend_read(fd, stop_fd, message, BACKEND_HEADER_SIZE, fds) && message->size <= sizeof *message - BACKEND_HEADER_SIZE &&
         backend_read(fd, stop_fd, &message->number, message->size, fds);
}

/* As sendmsg(2), with N of FDS, which stay the caller's. */
static inline ssize_t backend_send(int fd, const void *bytes, size_t size, const int *fds, unsigned n, int flags) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(BACKEND_SEND_MAX * sizeof(int))];
  } control = {0};
  struct iovec iov = {(void *)bytes, size};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

  g_assert_cmpuint(n, <=, BACKEND_SEND_MAX);
  if (n) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int))};
    memcpy(CMSG_DATA(rights), fds, n * sizeof(int));
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL | flags);
}
