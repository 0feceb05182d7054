/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of frames, as passt(1) and QEMU's stream sockets have it: 32 bits of length, big-endian, and the frame.
 * There is no header of virtio's, so nothing may be left undone in either direction.
 *
 * A frame is never sent in part only: what the socket did not take of it is kept, and goes out before any other.
 * A length that no frame has cannot be stepped over, so the connection ends there.
 *
 * Locks: none.
 */
#include "devices/backend/net-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/backend/answer-filter.h"
#include "devices/backend/unix-meeting.h"
#include "devices/log-limit.h"

#define LENGTH_SIZE 4
#define IN_SIZE     (LENGTH_SIZE + NET_FRAME_MAX)
#define OUT_SIZE    (LENGTH_SIZE + NET_FRAME_MAX)
#define MAX_FUTILE  16 /* connections in a row that brought nothing */
#define REST_S      1  /* before a connection is looked at again that could not be taken */

typedef struct {
  NetBackend base;
  UnixMeeting *meeting; /* where others are met */
  UserNetwork *network; /* or who gives connections; without either, one that is lost cannot be made again */
  int fd;               /* -1: gone */
  bool listening;       /* fd is what tells of the next connection */
  bool restricted;
  unsigned futile;
  int rest_timer; /* where others are met: readable when there was a rest of REST_S; else -1 */
  bool resting;   /* until then */
  LogLimit said;
  struct {
    uint32_t length;
    uint8_t start[ANSWER_FILTER_BYTES]; /* of a frame that was looked at */
  } front;                              /* of the frame that is being sent, as it goes out */

  uint8_t *in; /* received: in[in_start .. in_end) */
  size_t in_start, in_end;
  uint8_t *out; /* still to be sent: out[out_start .. out_end); NULL until needed */
  size_t out_start, out_end;
} NetStream;

G_STATIC_ASSERT(offsetof(NetStream, front.start) == offsetof(NetStream, front) + LENGTH_SIZE);

static int stream_fd(NetBackend *backend, unsigned pair) {
  const NetStream *stream = (NetStream *)backend;
  return stream->resting ? stream->rest_timer : stream->fd;
}

static void close_socket(NetStream *stream) {
  if (stream->fd >= 0 && stream->listening && stream->meeting)
    unix_meeting_leave(stream->meeting, stream->fd);
  else if (stream->fd >= 0 && !stream->listening)
    close(stream->fd);
  stream->fd = -1;
  stream->listening = stream->base.link = stream->resting = false;
  stream->in_start = stream->in_end = stream->out_start = stream->out_end = 0;
}

/* Waits for the other, or finds it waiting. */
static bool meet(NetStream *stream, GError **error) {
  if (stream->network) {
    stream->fd = stream->network->helper->event_fd;
    stream->listening = true;
    return true;
  }
  if (!unix_meeting_join(stream->meeting, &stream->fd, &stream->listening, error))
    return false;
  stream->base.link = !stream->listening;
  return true;
}

/* Who comes and goes does so any number of times. */
static void say(NetStream *stream, const char *why, const char *what) {
  g_autofree char *text = g_strconcat(why, what, NULL);

  log_limit_say(&stream->said, stream->base.name, text);
}

/* The other end has left, or is not what it should be: WHY. */
static void lose(NetStream *stream, const char *why) {
  g_autoptr(GError) error = NULL;

  bool comes_again = stream->meeting || stream->network;

  say(stream, why, comes_again ? "; the network card has no link until another comes" : "; the network card has no link any more");
  close_socket(stream);
  if (!comes_again)
    return;
  /* Who takes connections only to end them would have us busy for ever. */
  if (++stream->futile > MAX_FUTILE)
    g_message("%s: it ends every connection at once; the network card has no link any more", stream->base.name);
  else if (!meet(stream, &error))
    g_message("%s: %s; the network card has no link any more", stream->base.name, error->message);
}

static void lose_to_error(NetStream *stream, int code) {
  lose(stream, code == EPIPE || code == ECONNRESET ? "the other end has left" : g_strerror(code));
}

/* Receiving. */

/* What cannot be taken now stays to be taken, and would be announced without end. */
static void rest(NetStream *stream, int code) {
  static const struct itimerspec once = {.it_value = {REST_S, 0}};

  timerfd_settime(stream->rest_timer, 0, &once, NULL);
  stream->resting = true;
  say(stream, "a connection cannot be taken yet: ", g_strerror(code));
}

static bool is_rested(NetStream *stream) {
  uint64_t expirations;

  if (stream->resting && read(stream->rest_timer, &expirations, sizeof expirations) > 0)
    stream->resting = false;
  return !stream->resting;
}

static void accept_other(NetStream *stream) {
  if (!is_rested(stream))
    return;
  Helper *helper = stream->network ? stream->network->helper : NULL;
  int accepted = helper ? helper->ops->take(helper) : unix_meeting_accept(stream->fd);

  if (accepted < 0 && stream->meeting && errno != EAGAIN)
    rest(stream, errno);
  if (accepted < 0)
    return;
  close_socket(stream);
  stream->fd = accepted;
  stream->base.link = true;
  stream->futile = 0;
}

/* More bytes behind those that are there. False: there are none now, or the connection is lost. */
static bool read_more(NetStream *stream) {
  ssize_t got;

  memmove(stream->in, stream->in + stream->in_start, stream->in_end - stream->in_start);
  stream->in_end -= stream->in_start;
  stream->in_start = 0;
  do
    got = recv(stream->fd, stream->in + stream->in_end, IN_SIZE - stream->in_end, MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    stream->in_end += (size_t)got;
    return true;
  }
  if (got == 0)
    lose(stream, "the other end has left");
  else if (errno != EAGAIN)
    lose_to_error(stream, errno);
  return false;
}

/* Copies the SIZE bytes at FROM into the buffers, as far as there is room. */
static void scatter(const struct iovec *iov, unsigned n, const uint8_t *from, size_t size) {
  for (unsigned i = 0; i < n && size; i++) {
    size_t part = MIN(iov[i].iov_len, size);

    memcpy(iov[i].iov_base, from, part);
    from += part;
    size -= part;
  }
}

static ssize_t stream_receive(NetBackend *backend, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n) {
  NetStream *stream = (NetStream *)backend;

  *header = (NetHeader){0};
  if (stream->listening)
    accept_other(stream);
  while (stream->fd >= 0 && !stream->listening) {
    size_t there = stream->in_end - stream->in_start;
    uint32_t length = 0;

    if (there >= LENGTH_SIZE) {
      memcpy(&length, stream->in + stream->in_start, LENGTH_SIZE);
      length = GUINT32_FROM_BE(length);
      if (length == 0 || length > NET_FRAME_MAX) {
        lose(stream, "the other end sends what is no frame");
        return 0;
      }
    }
    if (there >= LENGTH_SIZE && there - LENGTH_SIZE >= length) {
      scatter(iov + 1, n - 1, stream->in + stream->in_start + LENGTH_SIZE, length);
      stream->in_start += LENGTH_SIZE + length;
      stream->futile = 0;
      return length;
    }
    if (!read_more(stream))
      return 0;
  }
  return 0;
}

/* Sending. */

/* Sends what was kept. False: some of it still is. */
static bool flush(NetStream *stream) {
  while (stream->out_start < stream->out_end) {
    ssize_t sent = send(stream->fd, stream->out + stream->out_start, stream->out_end - stream->out_start, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0)
      stream->out_start += (size_t)sent;
    else if (errno == EAGAIN)
      return false;
    else if (errno != EINTR)
      lose_to_error(stream, errno);
  }
  return true;
}

static bool stream_ready_to_send(NetBackend *backend, unsigned pair) {
  return flush((NetStream *)backend);
}

/* Keeps what is behind the first DONE bytes. */
static void keep(NetStream *stream, const struct iovec *iov, unsigned n, size_t done) {
  if (!stream->out)
    stream->out = g_malloc(OUT_SIZE);
  stream->out_start = stream->out_end = 0;
  for (unsigned i = 0; i < n; i++) {
    size_t skip = MIN(done, iov[i].iov_len), part = iov[i].iov_len - skip;

    memcpy(stream->out + stream->out_end, (const uint8_t *)iov[i].iov_base + skip, part);
    stream->out_end += part;
    done -= skip;
  }
}

/*
 * Whether the guest may send the frame in iov[1 .. n). It may change what it sends while that is looked at: so the copy
 * that was looked at goes out, of *COPIED bytes, and only what is behind it goes from iov.
 */
static bool may_go(NetStream *stream, struct iovec *iov, unsigned n, size_t *copied) {
  const AnswerFilter filter = {stream->network->udp_ports, stream->network->n_udp_ports};
  uint8_t *start = stream->front.start;

  *copied = 0;
  for (unsigned i = 1; i < n && *copied < ANSWER_FILTER_BYTES; i++) {
    size_t part = MIN(iov[i].iov_len, ANSWER_FILTER_BYTES - *copied);

    memcpy(start + *copied, iov[i].iov_base, part);
    iov[i] = (struct iovec){(uint8_t *)iov[i].iov_base + part, iov[i].iov_len - part};
    *copied += part;
  }
  return answer_filter_passes(&filter, start, *copied);
}

static NetSent stream_send(NetBackend *backend, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n) {
  NetStream *stream = (NetStream *)backend;
  struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
  size_t copied = 0;
  ssize_t sent;

  if (stream->restricted && !may_go(stream, iov, n, &copied))
    return NET_FORBIDDEN;
  if (!flush(stream))
    return NET_FULL;
  if (stream->fd < 0 || stream->listening)
    return NET_REFUSED;
  size_t size = copied;
  for (unsigned i = 1; i < n; i++)
    size += iov[i].iov_len;
  stream->front.length = GUINT32_TO_BE((uint32_t)size);
  iov[0] = (struct iovec){&stream->front, LENGTH_SIZE + copied};
  do
    sent = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN)
    return NET_FULL;
  if (sent < 0) {
    lose_to_error(stream, errno);
    return NET_REFUSED;
  }
  if ((size_t)sent == LENGTH_SIZE + size)
    return NET_SENT;
  keep(stream, iov, n, (size_t)sent);
  return NET_SENT_FULL;
}

/* There is nothing that could be left undone. */
static bool stream_set_offloads(NetBackend *backend, unsigned offloads) {
  return !offloads;
}

static void stream_reset(NetBackend *backend) {
  NetStream *stream = (NetStream *)backend;

  if (stream->network && stream->listening)
    stream->network->helper->ops->renew(stream->network->helper);
}

static void stream_free(NetBackend *backend) {
  NetStream *stream = (NetStream *)backend;

  close_socket(stream);
  if (stream->rest_timer >= 0)
    close(stream->rest_timer);
  user_network_free(stream->network);
  g_free(stream->in);
  g_free(stream->out);
  unix_meeting_free(stream->meeting);
  g_free(stream->base.name);
  g_free(stream);
}

static const NetBackendOps stream_ops = {
    .fd = stream_fd,
    .receive = stream_receive,
    .send = stream_send,
    .ready_to_send = stream_ready_to_send,
    .set_offloads = stream_set_offloads,
    .reset = stream_reset,
    .free = stream_free,
};

static NetStream *stream_new(const char *name) {
  NetStream *stream = g_new0(NetStream, 1);

  stream->base = (NetBackend){.ops = &stream_ops, .name = g_strdup(name), .n_pairs = 1};
  stream->fd = stream->rest_timer = -1;
  stream->in = g_malloc(IN_SIZE);
  return stream;
}

NetBackend *net_stream_take_fd(const char *name, int fd, GError **error) {
  g_autoptr(NetBackend) backend = &stream_new(name)->base;
  NetStream *stream = (NetStream *)backend;
  socklen_t size = sizeof(int);
  int type;

  stream->fd = fcntl(fd, F_GETFD) < 0 ? -1 : fd;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "descriptor %d is no stream socket", fd);
    return NULL;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  backend->link = true;
  return g_steal_pointer(&backend);
}

NetBackend *net_stream_meet(const char *path, GError **error) {
  g_autofree char *name = g_strdup_printf("unix socket %s", path);
  g_autoptr(NetBackend) backend = &stream_new(name)->base;
  NetStream *stream = (NetStream *)backend;

  stream->meeting = unix_meeting_new(path, error);
  if (!stream->meeting)
    return NULL;
  stream->rest_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (stream->rest_timer < 0) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot make a timer for %s: %s", name, g_strerror(errno));
    return NULL;
  }
  return meet(stream, error) ? g_steal_pointer(&backend) : NULL;
}

NetBackend *net_stream_of(UserNetwork *network, bool restricted) {
  NetStream *stream = stream_new(network->helper->name);

  stream->network = network;
  stream->restricted = restricted;
  meet(stream, NULL);
  accept_other(stream);
  return &stream->base;
}
