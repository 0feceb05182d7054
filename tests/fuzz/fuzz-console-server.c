/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A console that other processes of the user look at and type into: devices/backend/console-server.c. The input is what
 * the guest and its clients do. One client types at a time, and only what it typed comes to the guest.
 */
#include "tests/fuzz/fuzz.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/backend/console-server.h"

#define CLIENTS 20
#define STEPS   64

typedef struct {
  FuzzInput *input;
  char *directory;
  struct sockaddr_un address;
  CharBackend *server;
  size_t room; /* of the guest */
  size_t received;
  size_t typed; /* by all clients, with all that they say to the server */
  int clients[CLIENTS];
} Fixture;

static size_t room(void *opaque) {
  return ((const Fixture *)opaque)->room;
}

static void receive(void *opaque, const uint8_t *bytes, size_t size) {
  Fixture *f = opaque;

  g_assert_cmpuint(size, <=, f->room);
  f->room -= size;
  f->received += size;
}

static void writable(void *opaque) {
}

static const CharFrontend frontend = {room, receive, writable};

static void settle(void) {
  for (unsigned i = 0; i < 4; i++)
    g_main_context_iteration(NULL, FALSE);
}

static void connect_client(Fixture *f) {
  static const char *const lines[] = {"console write\n", "console read\n", "console write\nabc", "console ", ""};
  int *client = &f->clients[fuzz_below(f->input, CLIENTS)];
  const char *line = lines[fuzz_below(f->input, G_N_ELEMENTS(lines))];

  if (*client >= 0)
    return;
  *client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connect(*client, (const struct sockaddr *)&f->address, sizeof f->address) < 0) { /* more than it has taken */
    close(*client);
    *client = -1;
    return;
  }
  ssize_t sent = send(*client, line, strlen(line), MSG_NOSIGNAL);
  f->typed += (size_t)MAX(sent, 0);
}

static void type(Fixture *f) {
  int client = f->clients[fuzz_below(f->input, CLIENTS)];
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);
  ssize_t sent = client < 0 || !size ? 0 : send(client, bytes, size, MSG_NOSIGNAL);

  f->typed += (size_t)MAX(sent, 0);
}

static void look(Fixture *f) {
  int client = f->clients[fuzz_below(f->input, CLIENTS)];
  g_autofree char *bytes = g_malloc(CONSOLE_SERVER_BACKLOG);

  while (client >= 0 && recv(client, bytes, CONSOLE_SERVER_BACKLOG, MSG_DONTWAIT) > 0)
    settle();
}

static void leave(Fixture *f) {
  int *client = &f->clients[fuzz_below(f->input, CLIENTS)];

  if (*client >= 0)
    close(*client);
  *client = -1;
}

static void shut(Fixture *f) {
  int client = f->clients[fuzz_below(f->input, CLIENTS)];

  if (client >= 0)
    shutdown(client, fuzz_number(f->input, 1) & 1 ? SHUT_RD : SHUT_WR);
}

static void write_output(Fixture *f) {
  size_t size = (size_t)fuzz_number(f->input, 1) << fuzz_below(f->input, 12);
  g_autofree uint8_t *bytes = g_malloc0(size + 1);

  g_assert_cmpuint(char_backend_write(f->server, bytes, size), ==, size);
}

static void make_room(Fixture *f) {
  f->room += fuzz_number(f->input, 1);
  char_backend_accept(f->server);
}

static void listen_at(Fixture *f) {
  f->directory = g_dir_make_tmp("eret-fuzz-XXXXXX", NULL);
  f->address.sun_family = AF_UNIX;
  g_snprintf(f->address.sun_path, sizeof f->address.sun_path, "%s/console", f->directory);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_assert_cmpint(bind(listener, (const struct sockaddr *)&f->address, sizeof f->address), ==, 0);
  g_assert_cmpint(listen(listener, CLIENTS), ==, 0);
  f->server = console_server_new_take_fd(listener, NULL, fuzz_number(f->input, 1) & 1);
  char_backend_connect(f->server, &frontend, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const steps[])(Fixture *) = {connect_client, connect_client, type, type, look, leave, shut, write_output, make_room};
  FuzzInput input = {data, size};
  Fixture f = {.input = &input};

  for (unsigned i = 0; i < CLIENTS; i++)
    f.clients[i] = -1;
  listen_at(&f);
  for (unsigned i = 0; i < STEPS && input.left; i++) {
    steps[fuzz_below(&input, G_N_ELEMENTS(steps))](&f);
    settle();
    g_assert_cmpuint(f.received, <=, f.typed);
  }
  char_backend_free(f.server);
  for (unsigned i = 0; i < CLIENTS; i++)
    if (f.clients[i] >= 0)
      close(f.clients[i]);
  g_unlink(f.address.sun_path);
  g_rmdir(f.directory);
  g_free(f.directory);
  return 0;
}
