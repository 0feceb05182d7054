/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service outside the process, on a local stream socket: docs/hypercalls.md, "Services outside the process".
 *
 * A vCPU waits for each answer, so everything has a deadline on the monotonic clock, its turn included, and nothing
 * blocks but poll. Whoever stops the vCPUs ends all calls at once (hypercall_peer_stop): a descriptor wakes the one
 * that waits for the peer, a condition those that wait for their turn. Whatever goes wrong (late, short, garbage, gone)
 * ends the connection: an answer that comes after its deadline is left behind with it, and the sequence number, which
 * never repeats, guards against the rest. The next call connects again. A request is never sent twice: only the peer
 * knows whether that is safe.
 *
 * `lock` guards `busy` and `stopping`. Who has set `busy` owns the connection: calls of several vCPUs are answered one
 * after the other.
 */
#include "vmm/hypercall/peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/socket-place.h"

#define PATH_LENGTH_MAX (sizeof((struct sockaddr_un *)NULL)->sun_path - 1)

struct HypercallPeer {
  uint32_t first, last;
  char *name; /* "unix:PATH" */
  SocketPlace place;
  unsigned timeout_ms;

  GMutex lock;
  GCond changed; /* `busy` or `stopping` */
  bool busy;     /* a call is under way */
  bool stopping; /* none may be */
  int stop_fd;   /* readable while stopping */
  int fd;        /* -1: not connected */
  uint64_t sequence;
  gint failure_logged; /* atomic */
};

typedef enum { EXCHANGE_DONE, EXCHANGE_TIMED_OUT, EXCHANGE_GONE, EXCHANGE_GARBAGE, EXCHANGE_STOPPED } Exchange;

static const struct {
  int64_t result;   /* for the guest */
  const char *text; /* NULL: nothing to be told of */
} exchanges[] = {
    [EXCHANGE_DONE] = {HYPERCALL_SUCCESS, "answered"}, [EXCHANGE_TIMED_OUT] = {HYPERCALL_TIMED_OUT, "did not answer in time"},
    [EXCHANGE_GONE] = {HYPERCALL_NO_PEER, "is gone"},  [EXCHANGE_GARBAGE] = {HYPERCALL_NO_PEER, "answered something that is no answer"},
    [EXCHANGE_STOPPED] = {HYPERCALL_TIMED_OUT, NULL}, /* no vCPU goes on to see it */
};

G_DEFINE_QUARK(eret_hypercall_peer_error, hypercall_peer_error)

/* False with errno. Never waits: a local socket connects at once, or its backlog is full. */
static bool connect_peer(HypercallPeer *peer) {
  peer->fd = socket_place_connect(&peer->place);
  return peer->fd >= 0;
}

static void disconnect_peer(HypercallPeer *peer) {
  if (peer->fd >= 0)
    close(peer->fd);
  peer->fd = -1;
}

HypercallPeer *hypercall_peer_new(uint32_t first, uint32_t last, const char *path, unsigned timeout_ms, GError **error) {
  g_autoptr(HypercallPeer) peer = g_new0(HypercallPeer, 1);

  g_mutex_init(&peer->lock);
  g_cond_init(&peer->changed);
  peer->fd = peer->stop_fd = -1;
  peer->first = first;
  peer->last = last;
  peer->timeout_ms = timeout_ms;
  peer->name = g_strconcat("unix:", path, NULL);
  peer->place = SOCKET_PLACE_NONE;
  if (timeout_ms == 0 || timeout_ms > HYPERCALL_PEER_TIMEOUT_MAX) {
    g_set_error(error, HYPERCALL_PEER_ERROR, HYPERCALL_PEER_ERROR_TIMEOUT,
                "hypercall service %s: a timeout of %u ms is not possible; give 1 to %u", path, timeout_ms, HYPERCALL_PEER_TIMEOUT_MAX);
    return NULL;
  }
  if (*path == '\0' || strlen(path) > PATH_LENGTH_MAX) {
    g_set_error(error, HYPERCALL_PEER_ERROR, HYPERCALL_PEER_ERROR_PATH,
                "hypercall service \"%s\": a socket's path has 1 to %zu bytes; give a shorter one", path, PATH_LENGTH_MAX);
    return NULL;
  }
  peer->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (peer->stop_fd < 0) {
    g_set_error(error, HYPERCALL_PEER_ERROR, HYPERCALL_PEER_ERROR_CONNECT, "hypercall service %s: cannot make an event descriptor: %s",
                path, g_strerror(errno));
    return NULL;
  }
  if (!socket_place_open(&peer->place, path) || !connect_peer(peer)) {
    bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    g_set_error(error, HYPERCALL_PEER_ERROR, HYPERCALL_PEER_ERROR_CONNECT, "cannot connect to hypercall service %s: %s%s", path,
                g_strerror(errno), nobody ? "; start the server first" : "");
    return NULL;
  }
  return g_steal_pointer(&peer);
}

void hypercall_peer_free(HypercallPeer *peer) {
  if (!peer)
    return;
  disconnect_peer(peer);
  if (peer->stop_fd >= 0)
    close(peer->stop_fd);
  g_mutex_clear(&peer->lock);
  g_cond_clear(&peer->changed);
  socket_place_close(&peer->place);
  g_free(peer->name);
  g_free(peer);
}

void hypercall_peer_stop(HypercallPeer *peer) {
  g_mutex_lock(&peer->lock);
  peer->stopping = true;
  eventfd_write(peer->stop_fd, 1);
  g_cond_broadcast(&peer->changed);
  g_mutex_unlock(&peer->lock);
}

void hypercall_peer_go_on(HypercallPeer *peer) {
  eventfd_t count;

  g_mutex_lock(&peer->lock);
  peer->stopping = false;
  eventfd_read(peer->stop_fd, &count);
  g_mutex_unlock(&peer->lock);
}

/* Waits for EVENT until DEADLINE (g_get_monotonic_time). */
static Exchange wait_for(const HypercallPeer *peer, short event, int64_t deadline) {
  struct pollfd poll_fds[] = {{.fd = peer->fd, .events = event}, {.fd = peer->stop_fd, .events = POLLIN}};

  for (;;) {
    int64_t left = deadline - g_get_monotonic_time();
    if (left <= 0)
      return EXCHANGE_TIMED_OUT;
    int n = poll(poll_fds, G_N_ELEMENTS(poll_fds), (int)((left + 999) / 1000));
    if (n > 0)
      return poll_fds[1].revents ? EXCHANGE_STOPPED : EXCHANGE_DONE; /* an error or a hang-up shows in the transfer */
    if (n < 0 && errno != EINTR)
      return EXCHANGE_GONE;
  }
}

/* Sends or receives all of DATA. */
static Exchange transfer(const HypercallPeer *peer, bool sending, void *data, size_t size, int64_t deadline) {
  char *at = data;

  while (size > 0) {
    /* MSG_NOSIGNAL: a peer that died must not take eret along by SIGPIPE. */
    ssize_t n = sending ? send(peer->fd, at, size, MSG_NOSIGNAL) : recv(peer->fd, at, size, 0);
    if (n > 0) {
      at += n;
      size -= (size_t)n;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      Exchange waited = wait_for(peer, sending ? POLLOUT : POLLIN, deadline);
      if (waited != EXCHANGE_DONE)
        return waited;
    } else if (n == 0 || errno != EINTR) {
      return EXCHANGE_GONE;
    }
  }
  return EXCHANGE_DONE;
}

/*
 * A connection on which nothing is under way has nothing to read. One that has was closed by the peer, or carries what
 * nobody asked for: either way it is of no use. Noticed before the call, so that a restart of the peer between two
 * calls costs no failed one.
 */
static bool stale(int fd) {
  char byte;
  ssize_t n = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);

  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void encode(HypercallMessage *message, const Hypercall *call, uint64_t sequence) {
  *message = (HypercallMessage){
      .magic = GUINT32_TO_LE(HYPERCALL_PEER_MAGIC),
      .version = GUINT32_TO_LE(HYPERCALL_PEER_VERSION),
      .sequence = GUINT64_TO_LE(sequence),
      .function = GUINT32_TO_LE(call->function),
      .vcpu = GUINT32_TO_LE(call->vcpu),
  };
  message->x[0] = GUINT64_TO_LE((uint64_t)call->function);
  for (unsigned i = 1; i < HYPERCALL_N_REGISTERS; i++)
    message->x[i] = GUINT64_TO_LE(call->x[i]);
}

static Exchange exchange(HypercallPeer *peer, Hypercall *call, int64_t deadline) {
  HypercallMessage message;

  if (peer->fd >= 0 && stale(peer->fd))
    disconnect_peer(peer);
  if (peer->fd < 0 && !connect_peer(peer))
    return EXCHANGE_GONE;
  encode(&message, call, ++peer->sequence);
  Exchange result = transfer(peer, true, &message, sizeof message, deadline);
  if (result == EXCHANGE_DONE)
    result = transfer(peer, false, &message, sizeof message, deadline);
  if (result != EXCHANGE_DONE)
    return result;
  if (message.magic != GUINT32_TO_LE(HYPERCALL_PEER_MAGIC) || message.version != GUINT32_TO_LE(HYPERCALL_PEER_VERSION) ||
      message.sequence != GUINT64_TO_LE(peer->sequence))
    return EXCHANGE_GARBAGE;
  for (unsigned i = 0; i < HYPERCALL_N_REGISTERS; i++)
    call->x[i] = GUINT64_FROM_LE(message.x[i]);
  return EXCHANGE_DONE;
}

/* Waits for the connection to be free. EXCHANGE_DONE: it is this call's, until it is given up. */
static Exchange take_turn(HypercallPeer *peer, int64_t deadline) {
  Exchange result = EXCHANGE_DONE;

  g_mutex_lock(&peer->lock);
  while (peer->busy && !peer->stopping && result == EXCHANGE_DONE)
    if (!g_cond_wait_until(&peer->changed, &peer->lock, deadline))
      result = EXCHANGE_TIMED_OUT;
  if (peer->stopping)
    result = EXCHANGE_STOPPED;
  peer->busy |= result == EXCHANGE_DONE;
  g_mutex_unlock(&peer->lock);
  return result;
}

static void give_up_turn(HypercallPeer *peer) {
  g_mutex_lock(&peer->lock);
  peer->busy = false;
  g_cond_signal(&peer->changed);
  g_mutex_unlock(&peer->lock);
}

static void tell_once(HypercallPeer *peer, Exchange result) {
  if (!exchanges[result].text || __atomic_exchange_n(&peer->failure_logged, 1, __ATOMIC_SEQ_CST))
    return;
  g_message("hypercall service %s %s; the guest gets an error, and the next call tries again (said once)", peer->name,
            exchanges[result].text);
}

/* On an error x1 .. x17 stay what they were. */
static HypercallOutcome peer_call(const HypercallService *service, Hypercall *call) {
  HypercallPeer *peer = service->opaque;
  int64_t deadline = g_get_monotonic_time() + (int64_t)peer->timeout_ms * 1000;
  Exchange result = take_turn(peer, deadline);

  if (result == EXCHANGE_DONE) {
    result = exchange(peer, call, deadline);
    if (result != EXCHANGE_DONE)
      disconnect_peer(peer);
    give_up_turn(peer);
  }
  if (result == EXCHANGE_DONE)
    return HYPERCALL_RETURN;
  tell_once(peer, result);
  call->x[0] = (uint64_t)exchanges[result].result;
  return HYPERCALL_RETURN;
}

bool hypercall_peer_add(HypercallPeer *peer, Hypercalls *hypercalls) {
  HypercallService service = {
      .name = peer->name,
      .first = peer->first,
      .last = peer->last,
      .doors = HYPERCALL_BY_ANY,
      .n_args = HYPERCALL_N_REGISTERS - 1,
      .n_results = HYPERCALL_N_REGISTERS,
      .handle = peer_call,
      .opaque = peer,
  };
  return hypercalls_add(hypercalls, &service);
}
