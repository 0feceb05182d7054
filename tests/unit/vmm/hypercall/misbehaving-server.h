/* SPDX-License-Identifier: Apache-2.0 */
/* For the test of hypercall peers: a server thread that misbehaves as a script says. */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/hypercall/peer.h"

#define TIMEOUT_MS 400 /* of the peer: what is late is later than this */

/* What the server does with a request; one per request, the last one for ever. */
typedef enum {
  ANSWER,
  LATE,
  SHORT_STALL,
  SHORT_CLOSE,
  DRIP,
  BAD_MAGIC,
  BAD_VERSION,
  BAD_SEQUENCE,
  OLD_ANSWER,
  TOO_LONG,
  SILENT,
  DIE,
  ANSWER_AND_DIE
} Behaviour;

typedef struct {
  char *directory, *path;
  int listener;
  GThread *thread;
  Behaviour script[8];
  unsigned at, n;                   /* of script; the server's own */
  gint requests, connections, quit; /* atomic */
} Server;

static inline bool read_message(int fd, HypercallMessage *message) {
  return recv(fd, message, sizeof *message, MSG_WAITALL) == (ssize_t)sizeof *message;
}

static inline bool send_bytes(int fd, const void *bytes, size_t size) {
  return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* False to close the connection. */
static inline bool misbehave(Server *server, int fd, Behaviour behaviour, HypercallMessage *message) {
  switch (behaviour) {
  case LATE:
    g_usleep(2 * TIMEOUT_MS * 1000);
    send_bytes(fd, message, sizeof *message);
    return true;
  case SHORT_STALL:
    return send_bytes(fd, message, sizeof *message - 1);
  case SHORT_CLOSE:
    send_bytes(fd, message, 20);
    return false;
  case DRIP:
    for (unsigned i = 0; i < sizeof *message; i++) {
      if (!send_bytes(fd, (const char *)message + i, 1))
        return false;
      g_usleep(TIMEOUT_MS * 1000 / 20);
    }
    return true;
  case BAD_MAGIC:
    message->magic ^= 1;
    return send_bytes(fd, message, sizeof *message);
  case BAD_VERSION:
    message->version++;
    return send_bytes(fd, message, sizeof *message);
  case BAD_SEQUENCE:
    message->sequence++;
    return send_bytes(fd, message, sizeof *message);
  case OLD_ANSWER: /* the one before comes a second time, ahead of this one */
    message->sequence--;
    send_bytes(fd, message, sizeof *message);
    message->sequence++;
    return send_bytes(fd, message, sizeof *message);
  case TOO_LONG:
    return send_bytes(fd, message, sizeof *message) && send_bytes(fd, message, 20);
  case SILENT:
    return true;
  case ANSWER_AND_DIE:
    send_bytes(fd, message, sizeof *message);
    return false;
  case DIE:
    return false;
  case ANSWER:
  default:
    return send_bytes(fd, message, sizeof *message);
  }
}

/* x0 = x1 + x2, x17 counted up. */
static inline void serve(Server *server, int fd) {
  HypercallMessage message;

  while (read_message(fd, &message)) {
    __atomic_fetch_add(&server->requests, 1, __ATOMIC_SEQ_CST);
    message.x[0] = message.x[1] + message.x[2];
    message.x[17]++;
    Behaviour behaviour = server->script[MIN(server->at, server->n - 1)];
    server->at++;
    if (!misbehave(server, fd, behaviour, &message))
      return;
  }
}

static inline gpointer server_thread(gpointer data) {
  Server *server = data;

  for (;;) {
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0 || __atomic_load_n(&server->quit, __ATOMIC_SEQ_CST)) {
      if (fd >= 0)
        close(fd);
      return NULL;
    }
    __atomic_fetch_add(&server->connections, 1, __ATOMIC_SEQ_CST);
    serve(server, fd);
    close(fd);
  }
}

static inline void server_listen(Server *server) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  g_strlcpy(address.sun_path, server->path, sizeof address.sun_path);
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(server->listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(server->listener, 4), ==, 0);
  __atomic_store_n(&server->quit, 0, __ATOMIC_SEQ_CST);
  server->thread = g_thread_new("server", server_thread, server);
}

/* The peer has to be gone or disconnected, as the server reads to the end of its connection. */
static inline void server_stop(Server *server) {
  __atomic_store_n(&server->quit, 1, __ATOMIC_SEQ_CST);
  shutdown(server->listener, SHUT_RDWR);
  g_thread_join(server->thread);
  close(server->listener);
  g_unlink(server->path);
}

static inline void server_start(Server *server, const Behaviour *script, unsigned n) {
  *server = (Server){.n = n};
  memcpy(server->script, script, n * sizeof *script);
  server->directory = g_dir_make_tmp("eret-peer-XXXXXX", NULL);
  server->path = g_build_filename(server->directory, "socket", NULL);
  server_listen(server);
}

static inline void server_clear(Server *server) {
  server_stop(server);
  g_rmdir(server->directory);
  g_free(server->directory);
  g_free(server->path);
}
