/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of vhost-user; see user-message.h. Sockets never block: what is not there yet is waited for with poll(2), up
 * to the deadline.
 */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "devices/vhost/user-message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_SIZE  (3 * sizeof(uint32_t))
#define PAYLOAD_MAX  (sizeof(VhostUserMessage) - offsetof(VhostUserMessage, number))
#define UNWANTED_FDS 32 /* room for descriptors that should not be there; the kernel closes what is beyond */
#define US_PER_MS    1000

G_DEFINE_QUARK(vhost - user - error - quark, vhost_user_error)

/* The payload lies where a union that begins with a uint64_t does: not right behind the header. */
static void *payload_of(VhostUserMessage *message) {
  return &message->number;
}

const char *vhost_user_request_name(uint32_t request) {
  static const char *const names[] = {
      [VHOST_USER_GET_FEATURES] = "GET_FEATURES",
      [VHOST_USER_SET_FEATURES] = "SET_FEATURES",
      [VHOST_USER_SET_OWNER] = "SET_OWNER",
      [VHOST_USER_SET_MEM_TABLE] = "SET_MEM_TABLE",
      [VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
      [VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
      [VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
      [VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
      [VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
      [VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
      [VHOST_USER_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
      [VHOST_USER_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
      [VHOST_USER_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
      [VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
      [VHOST_USER_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
      [VHOST_USER_GET_CONFIG] = "GET_CONFIG",
      [VHOST_USER_SET_CONFIG] = "SET_CONFIG",
      [VHOST_USER_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
      [VHOST_USER_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
      [VHOST_USER_RESET_DEVICE] = "RESET_DEVICE",
  };

  return request < G_N_ELEMENTS(names) && names[request] ? names[request] : "a request";
}

static bool gone(const VhostUserChannel *channel, int code, GError **error) {
  if (code == 0 || code == EPIPE || code == ECONNRESET)
    g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE, "%s has closed its connection", channel->peer);
  else
    g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE, "%s cannot be talked to: %s", channel->peer, g_strerror(code));
  return false;
}

/* Waits until the socket is ready for EVENTS. */
static bool wait_for(const VhostUserChannel *channel, short events, gint64 deadline, GError **error) {
  int ready;

  while (true) {
    struct pollfd wanted[] = {{.fd = channel->fd, .events = events}, {.fd = channel->beside ? *channel->beside_fd : -1, .events = POLLIN}};
    gint64 left = MAX(deadline - g_get_monotonic_time(), 0);
    ready = poll(wanted, G_N_ELEMENTS(wanted), (int)((left + US_PER_MS - 1) / US_PER_MS));
    if (ready > 0 && wanted[0].revents)
      return true;
    /* Who says something without end, and nothing that is waited for, does not answer. */
    if (ready > 0 && left > 0 && channel->beside) {
      if (!channel->beside(channel->opaque, error))
        return false;
    } else if (ready >= 0 || errno != EINTR)
      break;
  }
  if (ready < 0)
    return gone(channel, errno, error);
  g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_SLOW, "%s does not %s", channel->peer, events == POLLIN ? "answer" : "read");
  return false;
}

bool vhost_user_send(const VhostUserChannel *channel, const VhostUserMessage *message, const int *fds, unsigned n_fds, gint64 deadline,
                     GError **error) {
  uint8_t bytes[HEADER_SIZE + PAYLOAD_MAX];
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(VHOST_USER_REGIONS_MAX * sizeof(int))];
  } control = {0};
  size_t size = HEADER_SIZE + message->size, done = 0;

  g_assert(message->size <= PAYLOAD_MAX && n_fds <= VHOST_USER_REGIONS_MAX);
  memcpy(bytes, message, HEADER_SIZE);
  memcpy(bytes + HEADER_SIZE, &message->number, message->size);
  while (done < size) {
    struct iovec iov = {bytes + done, size - done};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds && done == 0) { /* with the first byte, and once */
      header.msg_control = control.bytes;
      header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
      struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
      memcpy(CMSG_DATA(rights), fds, n_fds * sizeof(int));
    }
    ssize_t sent = sendmsg(channel->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      done += (size_t)sent;
    else if (errno == EAGAIN) {
      if (!wait_for(channel, POLLOUT, deadline, error))
        return false;
    } else if (errno != EINTR)
      return gone(channel, errno, error);
  }
  return true;
}

/*
 * Keeps one descriptor of those that came with a message, where WANTED has none yet, and closes the others; true: there
 * were others.
 */
static bool take_fds(struct msghdr *header, int *wanted) {
  bool others = header->msg_flags & MSG_CTRUNC;

  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
      if (wanted && *wanted < 0) {
        *wanted = fd;
        continue;
      }
      close(fd);
      others = true;
    }
  }
  return others;
}

/* FD: where one descriptor may be put, that holds -1 until there is one; NULL: none is wanted. */
static bool receive_bytes(const VhostUserChannel *channel, void *to, size_t size, int *fd, gint64 deadline, GError **error) {
  size_t done = 0;

  while (done < size) {
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(UNWANTED_FDS * sizeof(int))];
    } control;
    struct iovec iov = {(uint8_t *)to + done, size - done};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got < 0 && errno == EAGAIN) {
      if (!wait_for(channel, POLLIN, deadline, error))
        return false;
      continue;
    }
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return gone(channel, got < 0 ? errno : 0, error);
    if (take_fds(&header, fd)) {
      g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG, "%s sent descriptors that nobody asked for", channel->peer);
      return false;
    }
    done += (size_t)got;
  }
  return true;
}

static bool receive(const VhostUserChannel *channel, VhostUserMessage *message, int *fd, gint64 deadline, GError **error) {
  memset(message, 0, sizeof *message);
  if (!receive_bytes(channel, message, HEADER_SIZE, fd, deadline, error))
    return false;
  if ((message->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION || message->size > PAYLOAD_MAX) {
    g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG,
                "%s sent what is no message of vhost-user's (number %u, flags %#x, %u bytes)", channel->peer, message->request,
                message->flags, message->size);
    return false;
  }
  return receive_bytes(channel, payload_of(message), message->size, fd, deadline, error);
}

bool vhost_user_receive(const VhostUserChannel *channel, VhostUserMessage *message, gint64 deadline, GError **error) {
  return receive(channel, message, NULL, deadline, error);
}

bool vhost_user_receive_with(const VhostUserChannel *channel, VhostUserMessage *message, int *fd, gint64 deadline, GError **error) {
  *fd = -1;
  if (receive(channel, message, fd, deadline, error))
    return true;
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  return false;
}
