/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output goes into a ring, from any thread, and to the terminal where there is one, whose word on how much is taken
 * counts; each client has a place of its own in the ring, which the main loop moves on. Where the ring has overtaken a
 * client, its place is moved to the oldest byte, and a line in brackets says how much is missing.
 *
 * One GSource on the default main context has the listener and all clients. A client that has not said its line after
 * HELLO_MS makes place for others.
 *
 * Locks: `lock` guards the ring and its counters; it is not held in system calls nor in callbacks. `front_full` is
 * atomic. The rest is the main thread's.
 */
#define _GNU_SOURCE /* accept4 */
#include "devices/backend/console-server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO_MAX   32 /* bytes of a client's first line */
#define HELLO_MS    2000
#define INPUT_CHUNK 512
#define SEND_CHUNK  (16 * 1024)
#define REST_MS     1000 /* how long nobody is let in after that has failed: no descriptor is free, mostly */

typedef struct ConsoleServer ConsoleServer;

typedef struct {
  GSource source; /* first */
  ConsoleServer *server;
} ServerSource;

typedef enum { CLIENT_HELLO, CLIENT_READS, CLIENT_WRITES } ClientState;

typedef struct {
  ConsoleServer *server;
  int fd;
  ClientState state;
  char hello[HELLO_MAX + 1];
  size_t hello_size;
  int64_t hello_until; /* g_get_monotonic_time */
  gpointer tag;
  GIOCondition watched; /* with TAG */
  uint64_t position;    /* of all output: the next byte for it */
  char note[64];        /* what it is told before that byte: its answer, or how much it has missed */
  size_t note_sent, note_size;
  uint8_t input[INPUT_CHUNK];
  size_t input_start, input_end;
  bool gone;
} Client;

struct ConsoleServer {
  CharBackend base; /* first */
  CharBackend *terminal;
  bool types;
  int listener;
  gpointer listener_tag;
  int64_t rest_until; /* g_get_monotonic_time; 0: nobody has failed */
  ServerSource *source;
  GPtrArray *clients; /* of Client */
  int front_full;     /* atomic: the front end had no room, and has not called accept since */

  GMutex lock;
  uint8_t *ring;  /* of CONSOLE_SERVER_BACKLOG bytes */
  uint64_t total; /* of output so far; the ring has the last of it */
  bool looking;   /* the main loop has seen all of it, and waits for more */
};

/* Output. */

static size_t server_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  ConsoleServer *server = (ConsoleServer *)backend;
  size_t taken = server->terminal ? char_backend_write(server->terminal, bytes, size) : size;
  const uint8_t *from = bytes + (taken > CONSOLE_SERVER_BACKLOG ? taken - CONSOLE_SERVER_BACKLOG : 0);
  size_t kept = MIN(taken, CONSOLE_SERVER_BACKLOG);

  g_mutex_lock(&server->lock);
  server->total += taken;
  size_t start = (size_t)((server->total - kept) % CONSOLE_SERVER_BACKLOG);
  size_t first = MIN(kept, CONSOLE_SERVER_BACKLOG - start);
  memcpy(server->ring + start, from, first);
  memcpy(server->ring, from + first, kept - first);
  bool wake = server->looking && taken;
  server->looking = server->looking && !wake;
  g_mutex_unlock(&server->lock);
  if (wake)
    g_main_context_wakeup(NULL);
  return taken;
}

/* Copies what comes next for a client at *POSITION, which is moved to what is still there; MISSED is how far. */
static size_t next_output(ConsoleServer *server, uint64_t *position, uint8_t *to, size_t size, uint64_t *missed) {
  g_mutex_lock(&server->lock);
  uint64_t oldest = server->total - MIN(server->total, CONSOLE_SERVER_BACKLOG);
  *missed = oldest > *position ? oldest - *position : 0;
  *position += *missed;
  size = (size_t)MIN(size, server->total - *position);
  size_t start = (size_t)(*position % CONSOLE_SERVER_BACKLOG), first = MIN(size, CONSOLE_SERVER_BACKLOG - start);
  memcpy(to, server->ring + start, first);
  memcpy(to + first, server->ring, size - first);
  g_mutex_unlock(&server->lock);
  return size;
}

static bool has_output(ConsoleServer *server, const Client *client) {
  if (client->note_sent < client->note_size)
    return true;
  if (client->state == CLIENT_HELLO)
    return false;
  g_mutex_lock(&server->lock);
  bool has = client->position < server->total;
  server->looking = true;
  g_mutex_unlock(&server->lock);
  return has;
}

/* Whether all of it went; a client that cannot take any is gone. */
static size_t send_some(Client *client, const void *bytes, size_t size) {
  ssize_t sent = send(client->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    client->gone = true;
  return sent < 0 ? 0 : (size_t)sent;
}

static void send_output(Client *client) {
  uint8_t bytes[SEND_CHUNK];
  uint64_t missed;

  if (client->note_sent == client->note_size && client->state != CLIENT_HELLO) {
    uint64_t position = client->position;
    size_t size = next_output(client->server, &position, bytes, sizeof bytes, &missed);
    client->position = position;
    if (!missed) {
      client->position += send_some(client, bytes, size);
      return;
    }
    client->note_size =
        (size_t)g_snprintf(client->note, sizeof client->note, "\r\n[%" G_GUINT64_FORMAT " bytes are missing here]\r\n", missed);
    client->note_sent = 0;
  }
  client->note_sent += send_some(client, client->note + client->note_sent, client->note_size - client->note_sent);
}

/* Input. */

static size_t front_room(ConsoleServer *server) {
  size_t room = 0;

  if (!server->base.frontend)
    return 0;
  /* Set before it is asked, so that an accept between question and answer is not lost. */
  __atomic_store_n(&server->front_full, 1, __ATOMIC_SEQ_CST);
  room = server->base.frontend->room(server->base.opaque);
  if (room)
    __atomic_store_n(&server->front_full, 0, __ATOMIC_SEQ_CST);
  return room;
}

static void deliver(Client *client) {
  ConsoleServer *server = client->server;

  while (client->state == CLIENT_WRITES && client->input_start < client->input_end) {
    size_t size = MIN(front_room(server), client->input_end - client->input_start);
    if (!size)
      return;
    server->base.frontend->receive(server->base.opaque, client->input + client->input_start, size);
    client->input_start += size;
  }
  client->input_start = client->input_end = 0;
}

static bool is_taken(const ConsoleServer *server) {
  for (unsigned i = 0; i < server->clients->len; i++)
    if (((const Client *)g_ptr_array_index(server->clients, i))->state == CLIENT_WRITES)
      return true;
  return server->types;
}

static void answer(Client *client, ClientState state, const char *line) {
  ConsoleServer *server = client->server;

  client->state = state;
  client->note_size = (size_t)g_snprintf(client->note, sizeof client->note, "%s\n", line);
  g_mutex_lock(&server->lock);
  client->position = server->total - MIN(server->total, CONSOLE_SERVER_BACKLOG);
  g_mutex_unlock(&server->lock);
}

/* The line is complete: what the client wants. False: it is none of ours. */
static bool greet(Client *client) {
  if (strcmp(client->hello, "console write") == 0 && !is_taken(client->server))
    answer(client, CLIENT_WRITES, "write");
  else if (strcmp(client->hello, "console write") == 0 || strcmp(client->hello, "console read") == 0)
    answer(client, CLIENT_READS, "read");
  else
    return false;
  return true;
}

static void hear_hello(Client *client, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != '\n' && client->hello_size < HELLO_MAX) {
      client->hello[client->hello_size++] = (char)bytes[i];
      continue;
    }
    client->gone = bytes[i] != '\n' || !greet(client);
    if (client->gone)
      return;
    /* What it has typed already. */
    client->input_end = client->state == CLIENT_WRITES ? MIN(size - i - 1, sizeof client->input) : 0;
    memcpy(client->input, bytes + i + 1, client->input_end);
    return;
  }
}

static void read_client(Client *client) {
  uint8_t bytes[INPUT_CHUNK];
  ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    client->gone = true;
    return;
  }
  if (got < 0)
    return;
  if (client->state == CLIENT_HELLO) {
    hear_hello(client, bytes, (size_t)got);
  } else if (client->state == CLIENT_WRITES) {
    memcpy(client->input, bytes, (size_t)got);
    client->input_end = (size_t)got;
  }
}

static bool can_deliver(ConsoleServer *server, const Client *client) {
  return client->input_start < client->input_end && !__atomic_load_n(&server->front_full, __ATOMIC_SEQ_CST);
}

/* Clients. */

static void free_client(gpointer data) {
  Client *client = data;

  if (client->tag && !g_source_is_destroyed(&client->server->source->source))
    g_source_remove_unix_fd(&client->server->source->source, client->tag);
  close(client->fd);
  g_free(client);
}

static void take_client(ConsoleServer *server) {
  int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd < 0) {
    server->rest_until = g_get_monotonic_time() + REST_MS * 1000;
    return;
  }
  if (server->clients->len == CONSOLE_SERVER_CLIENTS) {
    static const char busy[] = "busy\n";
    /* Whether it hears it or not, it is over. */
    if (send(fd, busy, strlen(busy), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      g_debug("a client too many did not hear it: %s", g_strerror(errno));
    close(fd);
    return;
  }
  Client *client = g_new0(Client, 1);
  client->server = server;
  client->fd = fd;
  client->hello_until = g_get_monotonic_time() + HELLO_MS * 1000;
  g_ptr_array_add(server->clients, client);
}

/* The source. */

static GIOCondition wanted(ConsoleServer *server, const Client *client) {
  bool input = client->state != CLIENT_WRITES || client->input_start == client->input_end;

  return (input ? G_IO_IN : 0) | (has_output(server, client) ? G_IO_OUT : 0);
}

static gboolean source_prepare(GSource *source, gint *timeout) {
  ConsoleServer *server = ((ServerSource *)source)->server;
  int64_t now = g_get_monotonic_time();
  bool ready = false;

  *timeout = -1;
  if (server->rest_until)
    *timeout = (int)(MAX(0, server->rest_until - now) / 1000) + 1;
  if (server->rest_until && server->rest_until <= now)
    server->rest_until = 0;
  g_source_modify_unix_fd(source, server->listener_tag, server->rest_until ? 0 : G_IO_IN);
  for (unsigned i = 0; i < server->clients->len; i++) {
    Client *client = g_ptr_array_index(server->clients, i);
    GIOCondition condition = wanted(server, client);

    if (client->tag && condition != client->watched)
      g_source_modify_unix_fd(source, client->tag, condition);
    else if (!client->tag)
      client->tag = g_source_add_unix_fd(source, client->fd, condition);
    client->watched = condition;
    if (client->state == CLIENT_HELLO) {
      int64_t left = MAX(0, client->hello_until - now) / 1000 + 1;
      *timeout = *timeout < 0 ? (int)left : MIN(*timeout, (int)left);
    }
    ready = ready || can_deliver(server, client);
  }
  return ready;
}

static gboolean source_check(GSource *source) {
  ConsoleServer *server = ((ServerSource *)source)->server;
  int64_t now = g_get_monotonic_time();
  bool ready = g_source_query_unix_fd(source, server->listener_tag);

  for (unsigned i = 0; i < server->clients->len && !ready; i++) {
    const Client *client = g_ptr_array_index(server->clients, i);
    ready = (client->tag && g_source_query_unix_fd(source, client->tag)) || can_deliver(server, client) ||
            (client->state == CLIENT_HELLO && client->hello_until <= now);
  }
  return ready;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
  ConsoleServer *server = ((ServerSource *)source)->server;
  int64_t now = g_get_monotonic_time();

  for (unsigned i = server->clients->len; i-- > 0;) {
    Client *client = g_ptr_array_index(server->clients, i);
    GIOCondition ready = client->tag ? g_source_query_unix_fd(source, client->tag) : 0;

    if (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR) && client->input_start == client->input_end)
      read_client(client);
    if (!client->gone && ready & G_IO_OUT)
      send_output(client);
    if (!client->gone)
      deliver(client);
    if (client->gone || ready & G_IO_ERR || (client->state == CLIENT_HELLO && client->hello_until <= now))
      g_ptr_array_remove_index(server->clients, i);
  }
  if (g_source_query_unix_fd(source, server->listener_tag))
    take_client(server);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.prepare = source_prepare, .check = source_check, .dispatch = source_dispatch};

/* Between terminal and front end. */

static size_t terminal_room(void *opaque) {
  const ConsoleServer *server = opaque;

  return server->base.frontend ? server->base.frontend->room(server->base.opaque) : 0;
}

static void terminal_receive(void *opaque, const uint8_t *bytes, size_t size) {
  const ConsoleServer *server = opaque;

  if (server->base.frontend)
    server->base.frontend->receive(server->base.opaque, bytes, size);
}

static void terminal_writable(void *opaque) {
  const ConsoleServer *server = opaque;

  if (server->base.frontend)
    server->base.frontend->writable(server->base.opaque);
}

static const CharFrontend terminal_frontend = {terminal_room, terminal_receive, terminal_writable};

static void server_accept(CharBackend *backend) {
  ConsoleServer *server = (ConsoleServer *)backend;

  if (__atomic_exchange_n(&server->front_full, 0, __ATOMIC_SEQ_CST))
    g_main_context_wakeup(NULL);
  if (server->terminal)
    char_backend_accept(server->terminal);
}

/* What came last is still sent to whoever takes it at once. */
static void server_free(CharBackend *backend) {
  ConsoleServer *server = (ConsoleServer *)backend;

  for (unsigned i = 0; i < server->clients->len; i++) {
    Client *client = g_ptr_array_index(server->clients, i);
    for (unsigned tries = 0; tries < CONSOLE_SERVER_BACKLOG / SEND_CHUNK + 2 && !client->gone && has_output(server, client); tries++)
      send_output(client);
  }
  g_ptr_array_unref(server->clients);
  g_source_destroy(&server->source->source);
  g_source_unref(&server->source->source);
  close(server->listener);
  if (server->terminal)
    server->terminal->frontend = NULL;
  g_free(server->ring);
  g_mutex_clear(&server->lock);
  g_free(server);
}

static const CharBackendOps server_ops = {server_write, server_accept, server_free};

CharBackend *console_server_new_take_fd(int listener, CharBackend *terminal, bool types) {
  ConsoleServer *server = g_new0(ConsoleServer, 1);

  server->base.ops = &server_ops;
  server->terminal = terminal;
  server->types = types;
  server->listener = listener;
  server->ring = g_malloc(CONSOLE_SERVER_BACKLOG);
  server->clients = g_ptr_array_new_with_free_func(free_client);
  g_mutex_init(&server->lock);
  if (terminal)
    char_backend_connect(terminal, &terminal_frontend, server);
  server->source = (ServerSource *)g_source_new(&source_funcs, sizeof *server->source);
  server->source->server = server;
  server->listener_tag = g_source_add_unix_fd(&server->source->source, listener, G_IO_IN);
  g_source_attach(&server->source->source, NULL);
  return &server->base;
}
