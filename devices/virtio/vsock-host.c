/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that may become ready is in one epoll(7) instance, so that a thread waits for one descriptor, however many
 * connections there are. Sockets are watched for edges; for room to write only while they are full.
 *
 * All is bounded: connections of each side's asking, so that neither takes the other's places; what they keep for the
 * host, by windows that are small once the large ones are given away; resets, which a guest that never takes any loses.
 * Where there is no place, or no descriptor, whoever connects waits in the listener's backlog.
 */
#include "devices/virtio/vsock-host.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WINDOW_LARGE  (256u * 1024) /* as Linux: VIRTIO_VSOCK_DEFAULT_BUF_SIZE */
#define WINDOW_SMALL  (16u * 1024)
#define WINDOWS_LARGE 128 /* so many connections have a large one */
#define EVENTS        64  /* taken at a time */
#define TICK_SECONDS  1
#define LAST_WAIT_US  G_USEC_PER_SEC /* for hosts that have not read all, at the end of the device */

/* Ports of the host's end where the host asked: below them are those that somebody may listen on. */
#define EPHEMERAL_FIRST (UINT32_C(1) << 30)
#define EPHEMERAL_COUNT (UINT32_C(1) << 30)

#define WATCH_ALWAYS (EPOLLIN | EPOLLRDHUP | EPOLLET)

struct VsockHost {
  VsockHybrid *hybrid;
  uint64_t guest_cid;
  int epoll, timer;
  bool accepting; /* the listener is watched */
  bool ticking;
  uint32_t next_port;
  unsigned n_large, n_from_guest, n_from_host;
  GHashTable *table; /* those that the guest knows, by their ports */
  GQueue all, ready; /* of VsockConnection */
  GQueue resets;     /* of VsockHeader */
};

static uint64_t number_of(const VsockPorts *ports) {
  return (uint64_t)ports->host << 32 | ports->guest;
}

static guint hash_ports(gconstpointer ports) {
  return (guint)(number_of(ports) * UINT64_C(0x9e3779b97f4a7c15) >> 32); /* the golden ratio: Knuth, volume 3, 6.4 */
}

static gboolean same_ports(gconstpointer a, gconstpointer b) {
  return number_of(a) == number_of(b);
}

static VsockConnection *find(const VsockHost *host, uint32_t host_port, uint32_t guest_port) {
  const VsockPorts ports = {.host = host_port, .guest = guest_port};
  return g_hash_table_lookup(host->table, &ports);
}

static void enter_table(VsockHost *host, VsockConnection *connection) {
  g_hash_table_insert(host->table, &connection->ports, connection);
}

static void leave_table(VsockHost *host, VsockConnection *connection) {
  /* Those that are not in it may have the ports of one that is. */
  if (find(host, connection->ports.host, connection->ports.guest) == connection)
    g_hash_table_remove(host->table, &connection->ports);
  if (connection->is_ready)
    g_queue_unlink(&host->ready, &connection->ready);
  connection->is_ready = false;
}

/* Waiting. */

static bool watch(const VsockHost *host, int operation, int fd, uint32_t events, void *what) {
  struct epoll_event event = {.events = events, .data.ptr = what};
  return epoll_ctl(host->epoll, operation, fd, &event) == 0;
}

static void set_ticking(VsockHost *host, bool ticking) {
  const struct itimerspec times = {.it_interval.tv_sec = ticking ? TICK_SECONDS : 0, .it_value.tv_sec = ticking ? TICK_SECONDS : 0};

  if (host->ticking != ticking)
    timerfd_settime(host->timer, 0, &times, NULL);
  host->ticking = ticking;
}

static void set_accepting(VsockHost *host, bool accepting) {
  if (host->accepting == accepting || !host->hybrid)
    return;
  if (watch(host, accepting ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, vsock_hybrid_fd(host->hybrid), EPOLLIN, host))
    host->accepting = accepting;
}

/* Connections come and go. */

/* Owns FD. NULL: the host has no more of what it takes. */
static VsockConnection *add_connection(VsockHost *host, int fd, bool from_guest) {
  bool large = host->n_large < WINDOWS_LARGE;
  VsockConnection *connection = vsock_connection_new(fd, large ? WINDOW_LARGE : WINDOW_SMALL);

  if (!watch(host, EPOLL_CTL_ADD, fd, WATCH_ALWAYS, connection)) {
    vsock_connection_free(connection);
    return NULL;
  }
  connection->from_guest = from_guest;
  host->n_large += large;
  *(from_guest ? &host->n_from_guest : &host->n_from_host) += 1;
  g_queue_push_tail_link(&host->all, &connection->all);
  return connection;
}

static void remove_connection(VsockHost *host, VsockConnection *connection) {
  leave_table(host, connection);
  g_queue_unlink(&host->all, &connection->all);
  host->n_large -= connection->window == WINDOW_LARGE;
  *(connection->from_guest ? &host->n_from_guest : &host->n_from_host) -= 1;
  vsock_connection_free(connection);
  set_accepting(host, host->n_from_host < VSOCK_CONNECTIONS_MAX);
}

/* After anything that happened to it. */
static void settle(VsockHost *host, VsockConnection *connection) {
  if (connection->fd >= 0 && connection->output_watched != connection->blocked &&
      watch(host, EPOLL_CTL_MOD, connection->fd, WATCH_ALWAYS | (connection->blocked ? EPOLLOUT : 0), connection))
    connection->output_watched = connection->blocked;
  if (connection->deadline)
    set_ticking(host, true);
  if (connection->is_ready || !vsock_connection_has_news(connection))
    return;
  g_queue_push_tail_link(&host->ready, &connection->ready);
  connection->is_ready = true;
}

static void owe_reset(VsockHost *host, const VsockHeader *reset) {
  if (host->resets.length < VSOCK_RESETS_MAX)
    g_queue_push_tail(&host->resets, g_memdup2(reset, sizeof *reset));
}

static void reset_connection(VsockHost *host, const VsockConnection *connection) {
  const VsockHeader reset = {
      .src_cid = VSOCK_CID_HOST,
      .dst_cid = host->guest_cid,
      .src_port = connection->ports.host,
      .dst_port = connection->ports.guest,
      .type = VSOCK_TYPE_STREAM,
      .op = VSOCK_OP_RST,
  };
  owe_reset(host, &reset);
}

/* From the guest. */

static bool open_from_guest(VsockHost *host, const VsockHeader *request) {
  if (host->n_from_guest >= VSOCK_CONNECTIONS_MAX)
    return false;
  int fd = vsock_hybrid_connect(host->hybrid, request->dst_port);
  VsockConnection *connection = fd >= 0 ? add_connection(host, fd, true) : NULL;
  if (!connection)
    return false;
  vsock_connection_accept(connection, request);
  enter_table(host, connection);
  settle(host, connection);
  return true;
}

static bool end_connection(VsockHost *host, VsockConnection *connection, VsockFate fate) {
  if (fate != VSOCK_GONE)
    reset_connection(host, connection);
  leave_table(host, connection);
  if (fate != VSOCK_BROKEN && vsock_connection_drain(connection))
    settle(host, connection);
  else
    remove_connection(host, connection);
  return fate != VSOCK_BROKEN;
}

bool vsock_host_take(VsockHost *host, const VirtChain *chain, VsockHeader *header) {
  VsockVerdict verdict = vsock_header_take(chain, host->guest_cid, header);

  if (verdict == VSOCK_PACKET_IGNORED)
    return false;
  VsockConnection *connection = header->dst_cid == VSOCK_CID_HOST ? find(host, header->dst_port, header->src_port) : NULL;
  if (connection) {
    VsockFate fate = verdict == VSOCK_PACKET_GOOD ? vsock_connection_take(connection, header, chain) : VSOCK_BROKEN;
    if (fate != VSOCK_GOES_ON)
      return end_connection(host, connection, fate);
    settle(host, connection);
    return true;
  }
  if (header->op == VSOCK_OP_RST || (verdict == VSOCK_PACKET_GOOD && header->op == VSOCK_OP_REQUEST && open_from_guest(host, header)))
    return true;
  const VsockHeader reset = vsock_reset_for(header);
  owe_reset(host, &reset);
  return false;
}

/* From the host. */

static uint32_t choose_port(VsockHost *host, uint32_t guest_port) {
  uint32_t port;

  do
    port = EPHEMERAL_FIRST + host->next_port++ % EPHEMERAL_COUNT;
  while (find(host, port, guest_port));
  return port;
}

static void greet(VsockHost *host, VsockConnection *connection) {
  uint32_t guest_port;
  VsockLine line = vsock_hybrid_read_line(connection->fd, connection->ending, &guest_port);

  if (line == VSOCK_LINE_BAD)
    remove_connection(host, connection);
  if (line != VSOCK_LINE_GOOD)
    return;
  vsock_connection_request(connection, (VsockPorts){.host = choose_port(host, guest_port), .guest = guest_port});
  enter_table(host, connection);
  settle(host, connection);
}

static void awake(VsockHost *host, VsockConnection *connection, uint32_t events) {
  vsock_connection_awake(connection, events);
  if (connection->state == VSOCK_GREETING)
    greet(host, connection);
  else if (connection->state == VSOCK_DRAINING && !vsock_connection_drain(connection))
    remove_connection(host, connection);
  else
    settle(host, connection);
}

/* A listener whose turn never ends, as nobody can be let in, is not watched for a while. */
static void accept_some(VsockHost *host) {
  for (unsigned i = 0; i < EVENTS && host->n_from_host < VSOCK_CONNECTIONS_MAX; i++) {
    int fd = vsock_hybrid_accept(host->hybrid);
    if (fd < 0 && errno == EAGAIN)
      return;
    if (fd < 0 || !add_connection(host, fd, false)) {
      set_accepting(host, false);
      set_ticking(host, true);
      return;
    }
  }
  set_accepting(host, host->n_from_host < VSOCK_CONNECTIONS_MAX);
}

static void tick(VsockHost *host) {
  int64_t now = g_get_monotonic_time();
  bool waiting = false;
  uint64_t ticks;

  while (read(host->timer, &ticks, sizeof ticks) < 0 && errno == EINTR)
    ;
  for (GList *next, *link = host->all.head; link; link = next) {
    VsockConnection *connection = link->data;
    next = link->next;
    if (!connection->deadline || connection->deadline > now) {
      waiting |= connection->deadline != 0;
      continue;
    }
    reset_connection(host, connection);
    remove_connection(host, connection);
  }
  set_accepting(host, host->n_from_host < VSOCK_CONNECTIONS_MAX);
  set_ticking(host, waiting);
}

void vsock_host_serve(VsockHost *host) {
  struct epoll_event events[EVENTS];
  int n = epoll_wait(host->epoll, events, EVENTS, 0);
  bool ticked = false;

  for (int i = 0; i < n; i++) {
    if (events[i].data.ptr == host)
      accept_some(host);
    else if (events[i].data.ptr == &host->timer)
      ticked = true;
    else
      awake(host, events[i].data.ptr, events[i].events);
  }
  /* Last, as it may free what other events are about. */
  if (ticked)
    tick(host);
}

/* To the guest. */

bool vsock_host_has_news(const VsockHost *host) {
  return host->resets.length || host->ready.length;
}

bool vsock_host_next(VsockHost *host, VsockHeader *header, VsockConnection **connection) {
  VsockHeader *reset = g_queue_pop_head(&host->resets);

  *connection = NULL;
  if (reset) {
    *header = *reset;
    g_free(reset);
    return true;
  }
  GList *link = g_queue_pop_head_link(&host->ready);
  if (!link)
    return false;
  VsockConnection *next = link->data;
  next->is_ready = false;
  bool said = vsock_connection_say(next, header);
  if (said || !vsock_connection_may_read(next))
    settle(host, next);
  else
    *connection = next;
  header->dst_cid = host->guest_cid;
  return said;
}

void vsock_host_done(VsockHost *host, VsockConnection *connection) {
  settle(host, connection);
}

/* Life. */

int vsock_host_fd(const VsockHost *host) {
  return host->epoll;
}

/* The guest knows no connection any more. What it sent before is still the host's to read. */
void vsock_host_reset(VsockHost *host) {
  for (GList *next, *link = host->all.head; link; link = next) {
    VsockConnection *connection = link->data;
    next = link->next;
    leave_table(host, connection);
    if (!vsock_connection_drain(connection))
      remove_connection(host, connection);
  }
  for (VsockHeader *reset; (reset = g_queue_pop_head(&host->resets));)
    g_free(reset);
}

/* Who reads slowly has some time yet; who does not read, none for long. */
static void drain_all(VsockHost *host) {
  int64_t end = g_get_monotonic_time() + LAST_WAIT_US;

  for (int64_t left; host->all.length && (left = end - g_get_monotonic_time()) > 0;) {
    struct pollfd ready = {.fd = host->epoll, .events = POLLIN};
    if (poll(&ready, 1, (int)(left / 1000) + 1) > 0)
      vsock_host_serve(host);
  }
}

VsockHost *vsock_host_new(VsockHybrid *hybrid, uint64_t guest_cid, GError **error) {
  g_autoptr(VsockHost) host = g_new0(VsockHost, 1);

  host->hybrid = hybrid;
  host->guest_cid = guest_cid;
  host->table = g_hash_table_new(hash_ports, same_ports);
  host->epoll = epoll_create1(EPOLL_CLOEXEC);
  host->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  bool waits = host->epoll >= 0 && host->timer >= 0 && watch(host, EPOLL_CTL_ADD, host->timer, EPOLLIN, &host->timer);
  if (waits)
    set_accepting(host, true);
  if (host->accepting || (waits && !hybrid))
    return g_steal_pointer(&host);
  int number = errno;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "cannot wait for vsock's sockets: %s", g_strerror(number));
  return NULL;
}

void vsock_host_free(VsockHost *host) {
  if (!host)
    return;
  g_clear_pointer(&host->hybrid, vsock_hybrid_free);
  vsock_host_reset(host);
  drain_all(host);
  while (host->all.head)
    remove_connection(host, host->all.head->data);
  g_hash_table_unref(host->table);
  if (host->epoll >= 0)
    close(host->epoll);
  if (host->timer >= 0)
    close(host->timer);
  g_free(host);
}
