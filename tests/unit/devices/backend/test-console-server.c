/* SPDX-License-Identifier: Apache-2.0 */
/* Those who attach to a console: what they get and may do, and that nobody waits for them. */
#include "devices/backend/console-server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A front end that takes ROOM bytes and keeps what it got. */
typedef struct {
  CharBackend *server;
  char *directory, *path;
  size_t room;
  GString *received;
} Fixture;

static size_t room(void *opaque) {
  const Fixture *fixture = opaque;
  return fixture->room;
}

static void receive(void *opaque, const uint8_t *bytes, size_t size) {
  Fixture *fixture = opaque;
  g_assert_cmpuint(size, <=, fixture->room);
  fixture->room -= size;
  g_string_append_len(fixture->received, (const char *)bytes, (gssize)size);
}

static void writable(void *opaque) {
}

static const CharFrontend frontend = {room, receive, writable};

static struct sockaddr_un address_of(const Fixture *fixture) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  g_strlcpy(address.sun_path, fixture->path, sizeof address.sun_path);
  return address;
}

static void set_up_over(Fixture *fixture, CharBackend *terminal, bool types) {
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  fixture->directory = g_dir_make_tmp("console-XXXXXX", NULL);
  fixture->path = g_build_filename(fixture->directory, "console", NULL);
  fixture->room = SIZE_MAX / 2;
  fixture->received = g_string_new(NULL);
  struct sockaddr_un address = address_of(fixture);
  g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(listener, 64), ==, 0);
  fixture->server = console_server_new_take_fd(listener, terminal, types);
  char_backend_connect(fixture->server, &frontend, fixture);
}

static void set_up(Fixture *fixture, gconstpointer data) {
  set_up_over(fixture, NULL, false);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  char_backend_free(fixture->server);
  unlink(fixture->path);
  rmdir(fixture->directory);
  g_free(fixture->path);
  g_free(fixture->directory);
  g_string_free(fixture->received, TRUE);
}

static void turn(void) {
  for (int i = 0; i < 20; i++)
    g_main_context_iteration(NULL, FALSE);
}

static void say(int fd, const char *text) {
  g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (ssize_t)strlen(text));
  turn();
}

static int attach(const Fixture *fixture, const char *hello) {
  struct sockaddr_un address = address_of(fixture);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  turn();
  if (hello)
    say(fd, hello);
  return fd;
}

static void output(const Fixture *fixture, const char *text) {
  g_assert_cmpuint(char_backend_write(fixture->server, (const uint8_t *)text, strlen(text)), ==, strlen(text));
  turn();
}

/* All that is there for FD now. */
static char *heard(int fd) {
  GString *text = g_string_new(NULL);
  char buffer[4096];
  ssize_t got;

  do {
    turn();
    got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0)
      g_string_append_len(text, buffer, got);
  } while (got > 0);
  return g_string_free(text, FALSE);
}

static void assert_heard(int fd, const char *wanted) {
  g_autofree char *text = heard(fd);
  g_assert_cmpstr(text, ==, wanted);
}

static void assert_gone(int fd) {
  char byte;
  turn();
  ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
  g_assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
  close(fd);
}

static void test_backlog_then_live(Fixture *fixture, gconstpointer data) {
  output(fixture, "before\n");
  int fd = attach(fixture, "console read\n");
  assert_heard(fd, "read\nbefore\n");
  output(fixture, "after\n");
  assert_heard(fd, "after\n");
  close(fd);
}

static void test_one_writes(Fixture *fixture, gconstpointer data) {
  int first = attach(fixture, "console write\n"), second = attach(fixture, "console write\n"), third = attach(fixture, "console read\n");

  assert_heard(first, "write\n");
  assert_heard(second, "read\n");
  assert_heard(third, "read\n");
  say(second, "ignored");
  say(first, "typed");
  say(third, "ignored");
  g_assert_cmpstr(fixture->received->str, ==, "typed");
  close(first);
  turn();
  int fourth = attach(fixture, "console write\n");
  assert_heard(fourth, "write\n");
  close(second);
  close(third);
  close(fourth);
}

/* What is typed behind the first line, in the same packet, is not lost; nor what comes in pieces. */
static void test_hello_in_pieces(Fixture *fixture, gconstpointer data) {
  int fd = attach(fixture, "cons");
  assert_heard(fd, "");
  say(fd, "ole write\nls");
  say(fd, " -l\n");
  assert_heard(fd, "write\n");
  g_assert_cmpstr(fixture->received->str, ==, "ls -l\n");
  close(fd);
}

static void test_wrong_hello(Fixture *fixture, gconstpointer data) {
  static const char *const lines[] = {"\n", "hello\n", "console write \n", "GET / HTTP/1.1\r\n",
                                      "0123456789012345678901234567890123456789"};

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
    assert_gone(attach(fixture, lines[i]));
  int fd = attach(fixture, "console write\n");
  assert_heard(fd, "write\n");
  close(fd);
}

static void test_a_front_end_that_is_full(Fixture *fixture, gconstpointer data) {
  fixture->room = 3;
  int fd = attach(fixture, "console write\n");
  say(fd, "abcdef");
  g_assert_cmpstr(fixture->received->str, ==, "abc");
  say(fd, "ghi");
  g_assert_cmpstr(fixture->received->str, ==, "abc");
  fixture->room = 100;
  char_backend_accept(fixture->server);
  turn();
  g_assert_cmpstr(fixture->received->str, ==, "abcdefghi");
  close(fd);
}

/* Nobody waits for a client that does not read; it is told what it has missed. */
static void test_a_slow_reader(Fixture *fixture, gconstpointer data) {
  int slow = attach(fixture, "console read\n"), quick = attach(fixture, "console read\n");
  g_autofree char *line = g_strnfill(1023, 'x');
  g_autofree char *full = g_strdup_printf("%s\n", line);

  assert_heard(quick, "read\n");
  for (int i = 0; i < 2048; i++) {
    output(fixture, full);
    assert_heard(quick, full);
  }
  g_autofree char *text = heard(slow);
  g_assert_true(g_str_has_prefix(text, "read\nxxx"));
  const char *note = strstr(text, "\r\n[");
  g_assert_nonnull(note);
  guint64 missed = g_ascii_strtoull(note + 3, NULL, 10);
  g_autofree char *all = g_strdup_printf("\r\n[%" G_GUINT64_FORMAT " bytes are missing here]\r\n", missed);
  g_assert_true(g_str_has_prefix(note, all));
  g_assert_cmpuint(strlen(text) - strlen("read\n") - strlen(all) + missed, ==, 2048 * 1024);
  close(slow);
  close(quick);
}

static void test_a_large_write(Fixture *fixture, gconstpointer data) {
  g_autofree char *large = g_malloc(3 * CONSOLE_SERVER_BACKLOG + 1);
  for (size_t i = 0; i < 3 * CONSOLE_SERVER_BACKLOG; i++)
    large[i] = (char)('a' + i % 23);
  large[3 * CONSOLE_SERVER_BACKLOG] = 0;
  output(fixture, large);
  int fd = attach(fixture, "console read\n");
  g_autofree char *text = heard(fd);
  g_assert_cmpuint(strlen(text), ==, strlen("read\n") + CONSOLE_SERVER_BACKLOG);
  g_assert_cmpstr(text + strlen("read\n"), ==, large + 2 * CONSOLE_SERVER_BACKLOG);
  close(fd);
}

static void test_too_many(Fixture *fixture, gconstpointer data) {
  int fds[CONSOLE_SERVER_CLIENTS];

  for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
    fds[i] = attach(fixture, "console read\n");
  int more = attach(fixture, NULL);
  assert_heard(more, "busy\n");
  assert_gone(more);
  close(fds[3]);
  turn();
  more = attach(fixture, "console read\n");
  assert_heard(more, "read\n");
  close(more);
  for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
    if (i != 3)
      close(fds[i]);
}

/* One that says nothing does not keep its place. */
static void test_silence(Fixture *fixture, gconstpointer data) {
  int fd = attach(fixture, NULL);
  gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  char byte;

  while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    g_main_context_iteration(NULL, TRUE);
  }
  close(fd);
}

/* What came last is sent before the end. */
static void test_last_words(Fixture *fixture, gconstpointer data) {
  int fd = attach(fixture, "console read\n");
  g_assert_cmpuint(char_backend_write(fixture->server, (const uint8_t *)"bye\n", 4), ==, 4);
  char_backend_free(fixture->server);
  fixture->server = NULL;
  assert_heard(fd, "read\nbye\n");
  assert_gone(fd);
}

/* A terminal below: what it takes counts, and who types there is the one who writes. */
typedef struct {
  CharBackend base;
  size_t takes;
  unsigned accepts;
} FakeTerminal;

static size_t fake_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  return MIN(size, ((const FakeTerminal *)backend)->takes);
}

static void fake_accept(CharBackend *backend) {
  ((FakeTerminal *)backend)->accepts++;
}

static void test_terminal(void) {
  static const CharBackendOps ops = {fake_write, fake_accept, NULL};
  FakeTerminal terminal = {.base = {.ops = &ops}, .takes = 3};
  Fixture fixture = {0};

  set_up_over(&fixture, &terminal.base, true);
  int fd = attach(&fixture, "console write\n");
  assert_heard(fd, "read\n");
  g_assert_cmpuint(char_backend_write(fixture.server, (const uint8_t *)"abcdef", 6), ==, 3);
  assert_heard(fd, "abc");
  terminal.base.frontend->receive(terminal.base.opaque, (const uint8_t *)"key", 3);
  g_assert_cmpstr(fixture.received->str, ==, "key");
  g_assert_cmpuint(terminal.base.frontend->room(terminal.base.opaque), ==, fixture.room);
  char_backend_accept(fixture.server);
  g_assert_cmpuint(terminal.accepts, ==, 1);
  close(fd);
  tear_down(&fixture, NULL);
  g_assert_null(terminal.base.frontend);
}

/* Output from another thread while clients come and go. */
static gpointer write_much(gpointer data) {
  const Fixture *fixture = data;
  for (int i = 0; i < 20000; i++)
    char_backend_write(fixture->server, (const uint8_t *)"0123456789abcdef", 16);
  return NULL;
}

static void test_threads(Fixture *fixture, gconstpointer data) {
  GThread *thread = g_thread_new("writer", write_much, fixture);

  for (int i = 0; i < 50; i++) {
    int fd = attach(fixture, "console read\n");
    g_autofree char *text = heard(fd);
    g_assert_true(g_str_has_prefix(text, "read\n"));
    close(fd);
  }
  g_thread_join(thread);
  int fd = attach(fixture, "console read\n");
  g_autofree char *text = heard(fd);
  g_assert_true(g_str_has_suffix(text, "0123456789abcdef"));
  close(fd);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/console-server/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("backlog-then-live", test_backlog_then_live);
  ADD("one-writes", test_one_writes);
  ADD("hello-in-pieces", test_hello_in_pieces);
  ADD("wrong-hello", test_wrong_hello);
  ADD("front-end-full", test_a_front_end_that_is_full);
  ADD("slow-reader", test_a_slow_reader);
  ADD("large-write", test_a_large_write);
  ADD("too-many", test_too_many);
  ADD("silence", test_silence);
  ADD("last-words", test_last_words);
  ADD("threads", test_threads);
  g_test_add_func("/console-server/terminal", test_terminal);
  return g_test_run();
}
