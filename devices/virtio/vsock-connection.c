/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest to host: bytes go straight from the guest's memory to the socket; what that does not take waits in the ring,
 * which has room for all that the guest may send without a word from us. A guest that sends more breaks the connection.
 * Host to guest: bytes stay in the socket until the guest has both credit and a buffer for them.
 *
 * What is to be said is a set of bits and not a list of packets, so that no guest makes us remember much. Each header
 * tells the guest's credit, and so makes a word of its own about it unnecessary.
 *
 * The socket is watched for edges (EPOLLET): `readable` and `blocked` remember them, and nothing turns in circles while
 * the guest has no buffers, or a peer that is gone stays gone.
 */
#include "devices/virtio/vsock-connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/vsock-hybrid.h"

/*
 * How long the guest may take to answer a request, and to answer that both ends are shut: Linux's VSOCK_CLOSE_TIMEOUT.
 */
#define REQUEST_TIME_US (8 * G_USEC_PER_SEC)
#define CLOSE_TIME_US   (8 * G_USEC_PER_SEC)

#define SAY(op) (1u << VSOCK_OP_##op)

VsockConnection *vsock_connection_new(int fd, uint32_t window) {
  VsockConnection *connection = g_new0(VsockConnection, 1);

  connection->fd = fd;
  connection->window = window;
  connection->all.data = connection->ready.data = connection;
  return connection;
}

static void close_socket(VsockConnection *connection) {
  if (connection->fd >= 0)
    close(connection->fd);
  connection->fd = -1;
}

static void drop_ring(VsockConnection *connection) {
  g_clear_pointer(&connection->ring, g_free);
  connection->ring_start = connection->ring_size = 0;
}

void vsock_connection_free(VsockConnection *connection) {
  if (!connection)
    return;
  close_socket(connection);
  drop_ring(connection);
  g_free(connection);
}

unsigned vsock_slice(const struct iovec *iov, unsigned n_iov, uint64_t offset, uint64_t size, struct iovec *to) {
  unsigned n = 0;

  for (unsigned i = 0; i < n_iov && size > 0; i++) {
    if (offset >= iov[i].iov_len) {
      offset -= iov[i].iov_len;
      continue;
    }
    size_t part = MIN(iov[i].iov_len - offset, size);
    to[n++] = (struct iovec){(uint8_t *)iov[i].iov_base + offset, part};
    size -= part;
    offset = 0;
  }
  return n;
}

/* Guest to host. */

/* What the guest may send, as far as it knows. There is at least as much room in the ring. */
static uint32_t known_room(const VsockConnection *connection) {
  return connection->window - (connection->received - connection->told);
}

/* BYTES more have gone on. The guest is told when it knows of less than half of its room, and there is more. */
static void forward(VsockConnection *connection, uint32_t bytes) {
  connection->forwarded += bytes;
  if (connection->forwarded != connection->told && known_room(connection) < connection->window / 2)
    connection->say |= SAY(CREDIT_UPDATE);
}

/* Nobody reads what the guest sends: it is told, and what is under way is as good as gone on. */
static void lose_reader(VsockConnection *connection) {
  uint32_t lost = connection->ring_size;

  connection->host_shut |= VSOCK_SHUTDOWN_RECEIVE;
  connection->blocked = false;
  drop_ring(connection);
  forward(connection, lost);
}

/* Nobody is at the other end any more, and nothing is left of what it wrote, or wanted. */
static void lose_host(VsockConnection *connection) {
  lose_reader(connection);
  connection->host_shut = VSOCK_SHUTDOWN_BOTH;
  connection->readable = false;
}

/* How many of these bytes the socket takes. */
static uint32_t write_out(VsockConnection *connection, struct iovec *iov, unsigned n_iov) {
  const struct msghdr message = {.msg_iov = iov, .msg_iovlen = n_iov};
  ssize_t written;

  do
    written = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
  while (written < 0 && errno == EINTR);
  if (written >= 0)
    return (uint32_t)written;
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
    connection->blocked = true;
  else
    lose_reader(connection);
  return 0;
}

/*
 * What waits, as far as the socket takes it; then the end, if it was the last. Not where the guest closes both ways:
 * then the socket is closed as well, and whoever sees its end finds that nobody reads it any more either.
 */
static void flush(VsockConnection *connection) {
  while (connection->ring_size > 0 && !connection->blocked) {
    uint32_t first = MIN(connection->ring_size, connection->window - connection->ring_start);
    struct iovec iov[] = {{connection->ring + connection->ring_start, first}, {connection->ring, connection->ring_size - first}};
    uint32_t written = write_out(connection, iov, iov[1].iov_len ? 2 : 1);
    if (connection->ring_size == 0)
      break; /* lost */
    connection->ring_start = (connection->ring_start + written) % connection->window;
    connection->ring_size -= written;
    forward(connection, written);
  }
  if (connection->ring_size > 0)
    return;
  drop_ring(connection);
  if (connection->guest_shut == VSOCK_SHUTDOWN_SEND && !connection->end_passed && connection->fd >= 0) {
    shutdown(connection->fd, SHUT_WR);
    connection->end_passed = true;
  }
}

/* The bytes from OFFSET of the chain on. They fit. */
static void keep(VsockConnection *connection, const VirtChain *chain, uint64_t offset, uint32_t size) {
  if (!connection->ring)
    connection->ring = g_malloc(connection->window);
  while (size > 0) {
    uint32_t at = (connection->ring_start + connection->ring_size) % connection->window;
    uint32_t part = MIN(size, connection->window - at);
    virt_chain_read(chain, offset, connection->ring + at, part);
    connection->ring_size += part;
    offset += part;
    size -= part;
  }
}

static VsockFate take_bytes(VsockConnection *connection, const VsockHeader *header, const VirtChain *chain) {
  struct iovec iov[VIRTQUEUE_MAX_SIZE];
  uint32_t size = header->len, written = 0;

  if ((connection->guest_shut & VSOCK_SHUTDOWN_SEND) || size > known_room(connection))
    return VSOCK_BROKEN;
  connection->received += size;
  if ((connection->host_shut & VSOCK_SHUTDOWN_RECEIVE) || connection->fd < 0) {
    forward(connection, size);
    return VSOCK_GOES_ON;
  }
  if (size > 0 && connection->ring_size == 0)
    written = write_out(connection, iov, vsock_slice(chain->iov, chain->n_out, VSOCK_HEADER_SIZE, size, iov));
  bool lost = connection->host_shut & VSOCK_SHUTDOWN_RECEIVE;
  forward(connection, lost ? size : written);
  if (written < size && !lost) {
    keep(connection, chain, VSOCK_HEADER_SIZE + (uint64_t)written, size - written);
    flush(connection); /* a socket that took some may be full, and then says so */
  }
  return VSOCK_GOES_ON;
}

/* From the guest. */

static VsockFate take_shutdown(VsockConnection *connection, unsigned flags) {
  bool had_receive = connection->guest_shut & VSOCK_SHUTDOWN_RECEIVE;

  connection->guest_shut |= flags & VSOCK_SHUTDOWN_BOTH;
  flush(connection);
  if (connection->guest_shut == VSOCK_SHUTDOWN_BOTH)
    return VSOCK_CLOSED;
  if (!(connection->guest_shut & VSOCK_SHUTDOWN_RECEIVE) || had_receive || connection->fd < 0)
    return VSOCK_GOES_ON;
  /*
   * Whoever writes to a guest that does not read any more is told so. Who is gone had more to say, but nobody listens.
   */
  shutdown(connection->fd, SHUT_RD);
  if (connection->gone)
    lose_host(connection);
  return VSOCK_GOES_ON;
}

static VsockFate take_response(VsockConnection *connection) {
  if (connection->state != VSOCK_REQUESTED || (connection->say & SAY(REQUEST)))
    return VSOCK_BROKEN;
  connection->state = VSOCK_ESTABLISHED;
  connection->deadline = 0;
  return vsock_hybrid_answer(connection->fd, connection->ports.host) ? VSOCK_GOES_ON : VSOCK_CLOSED;
}

/* 5.10.6.3: how many bytes the guest has room for. One that claims more than there is gets nothing. */
static uint32_t peer_room(const VsockConnection *connection) {
  uint32_t under_way = connection->sent - connection->peer_forwarded;
  return under_way < connection->peer_window ? connection->peer_window - under_way : 0;
}

/* As each header says. */
static void take_credit(VsockConnection *connection, const VsockHeader *header) {
  connection->peer_window = header->buf_alloc;
  connection->peer_forwarded = header->fwd_cnt;
  if (peer_room(connection) > 0)
    connection->credit_asked = false;
}

VsockFate vsock_connection_take(VsockConnection *connection, const VsockHeader *header, const VirtChain *chain) {
  if (header->op == VSOCK_OP_RST)
    return VSOCK_GONE;
  take_credit(connection, header);
  if (header->op == VSOCK_OP_RESPONSE)
    return take_response(connection);
  if (header->op == VSOCK_OP_REQUEST || connection->state != VSOCK_ESTABLISHED)
    return VSOCK_BROKEN;
  if (header->op == VSOCK_OP_RW)
    return take_bytes(connection, header, chain);
  if (header->op == VSOCK_OP_SHUTDOWN)
    return take_shutdown(connection, header->flags);
  if (header->op == VSOCK_OP_CREDIT_REQUEST)
    connection->say |= SAY(CREDIT_UPDATE);
  return VSOCK_GOES_ON;
}

void vsock_connection_request(VsockConnection *connection, VsockPorts ports) {
  connection->state = VSOCK_REQUESTED;
  connection->ports = ports;
  connection->say = SAY(REQUEST);
}

void vsock_connection_accept(VsockConnection *connection, const VsockHeader *request) {
  connection->state = VSOCK_ESTABLISHED;
  connection->ports = (VsockPorts){.host = request->dst_port, .guest = request->src_port};
  connection->say = SAY(RESPONSE);
  take_credit(connection, request);
}

/* From the host. */

/* Whether all that the guest may still read has been read. */
static bool is_read_out(const VsockConnection *connection) {
  return (connection->host_shut & VSOCK_SHUTDOWN_SEND) || (connection->guest_shut & VSOCK_SHUTDOWN_RECEIVE);
}

void vsock_connection_awake(VsockConnection *connection, uint32_t events) {
  connection->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  connection->ending |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  connection->gone |= (events & (EPOLLHUP | EPOLLERR)) != 0;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && connection->blocked) {
    connection->blocked = false;
    flush(connection);
  }
  if (connection->gone && is_read_out(connection) && connection->state == VSOCK_ESTABLISHED)
    lose_host(connection);
}

bool vsock_connection_drain(VsockConnection *connection) {
  if (connection->state != VSOCK_DRAINING && connection->fd >= 0)
    shutdown(connection->fd, SHUT_RD);
  connection->state = VSOCK_DRAINING;
  return connection->fd >= 0 && connection->ring_size > 0;
}

/* The end of what the host writes; or of the host's end altogether. */
static void reach_end(VsockConnection *connection) {
  connection->readable = false;
  connection->host_shut |= VSOCK_SHUTDOWN_SEND;
  if (connection->gone)
    lose_host(connection);
}

uint32_t vsock_connection_read(VsockConnection *connection, const struct iovec *iov, unsigned n_iov, uint32_t size) {
  ssize_t got;

  do
    got = readv(connection->fd, iov, (int)n_iov);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    /* Less than asked for: that was all, and an edge tells of more; but none tells of an end that was there before. */
    if ((uint32_t)got < size && !connection->ending)
      connection->readable = false;
    return (uint32_t)got;
  }
  if (got < 0 && errno == EAGAIN)
    connection->readable = false;
  else if (got == 0)
    reach_end(connection);
  else
    lose_host(connection);
  return 0;
}

/* To the guest. */

static bool may_send_bytes(const VsockConnection *connection) {
  return connection->state == VSOCK_ESTABLISHED && connection->readable && connection->fd >= 0 &&
         !(connection->guest_shut & VSOCK_SHUTDOWN_RECEIVE) && !(connection->host_shut & VSOCK_SHUTDOWN_SEND);
}

uint32_t vsock_connection_may_read(const VsockConnection *connection) {
  return may_send_bytes(connection) ? MIN(peer_room(connection), VSOCK_PAYLOAD_MAX) : 0;
}

bool vsock_connection_has_news(const VsockConnection *connection) {
  if (connection->state != VSOCK_REQUESTED && connection->state != VSOCK_ESTABLISHED)
    return false;
  return connection->say || (connection->host_shut & ~connection->told_shut) ||
         (may_send_bytes(connection) && (peer_room(connection) > 0 || !connection->credit_asked));
}

/* Any header tells the credit. */
static void make_header(VsockConnection *connection, VsockOp op, VsockHeader *header) {
  *header = (VsockHeader){
      .src_cid = VSOCK_CID_HOST,
      .src_port = connection->ports.host,
      .dst_port = connection->ports.guest,
      .type = VSOCK_TYPE_STREAM,
      .op = op,
      .buf_alloc = connection->window,
      .fwd_cnt = connection->forwarded,
  };
  connection->told = connection->forwarded;
  connection->say &= ~(SAY(CREDIT_UPDATE) | 1u << op);
}

/* Once the guest knows that both are shut, it is its turn to say the last word. */
static void say_shutdown(VsockConnection *connection, VsockHeader *header) {
  make_header(connection, VSOCK_OP_SHUTDOWN, header);
  header->flags = connection->told_shut = connection->host_shut;
  if (connection->told_shut != VSOCK_SHUTDOWN_BOTH)
    return;
  close_socket(connection);
  connection->deadline = g_get_monotonic_time() + CLOSE_TIME_US;
}

bool vsock_connection_say(VsockConnection *connection, VsockHeader *header) {
  if (connection->say & SAY(REQUEST)) {
    make_header(connection, VSOCK_OP_REQUEST, header);
    connection->deadline = g_get_monotonic_time() + REQUEST_TIME_US;
    return true;
  }
  if (connection->say & SAY(RESPONSE)) {
    make_header(connection, VSOCK_OP_RESPONSE, header);
    return true;
  }
  if (connection->host_shut & ~connection->told_shut) {
    say_shutdown(connection, header);
    return true;
  }
  if (vsock_connection_may_read(connection) > 0)
    return false;
  if (may_send_bytes(connection) && !connection->credit_asked) {
    connection->credit_asked = true;
    make_header(connection, VSOCK_OP_CREDIT_REQUEST, header);
    return true;
  }
  if (connection->say & SAY(CREDIT_UPDATE)) {
    make_header(connection, VSOCK_OP_CREDIT_UPDATE, header);
    return true;
  }
  return false;
}

void vsock_connection_say_bytes(VsockConnection *connection, uint32_t len, VsockHeader *header) {
  make_header(connection, VSOCK_OP_RW, header);
  header->len = len;
  connection->sent += len;
}
