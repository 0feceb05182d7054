/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal back end: devices/backend/terminal.c and raw-mode.c, on pseudo-terminals, pipes and files. */
#define _GNU_SOURCE /* pipe2 */
#include "devices/backend/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WAIT_US     (20 * G_USEC_PER_SEC)
#define OUTPUT_SIZE (64 * 1024)

typedef struct {
  CharBackend *backend;
  GByteArray *received;
  size_t room;                           /* what it takes before it is full */
  int writable;                          /* calls */
  int quit, gone, ended, stalled, flows; /* events */
  int master, slave;                     /* of a pseudo-terminal; -1 without one */
  struct termios before;
} Fixture;

static size_t front_room(void *opaque) {
  return ((Fixture *)opaque)->room;
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t size) {
  Fixture *fixture = opaque;

  g_assert_cmpuint(size, >, 0);
  g_assert_cmpuint(size, <=, fixture->room);
  fixture->room -= size;
  g_byte_array_append(fixture->received, bytes, (guint)size);
}

static void front_writable(void *opaque) {
  ((Fixture *)opaque)->writable++;
}

static const CharFrontend frontend = {front_room, front_receive, front_writable};

static void on_event(TerminalEvent event, void *opaque) {
  Fixture *fixture = opaque;

  if (event == TERMINAL_QUIT)
    fixture->quit++;
  else if (event == TERMINAL_ENDED)
    fixture->ended++;
  else if (event == TERMINAL_STALLED)
    fixture->stalled++;
  else if (event == TERMINAL_FLOWS)
    fixture->flows++;
  else
    fixture->gone++;
}

static Fixture *fixture_new_on(int in_fd, int out_fd) {
  g_autoptr(GError) error = NULL;
  Fixture *fixture = g_new0(Fixture, 1);

  fixture->master = fixture->slave = -1;
  fixture->received = g_byte_array_new();
  fixture->room = SIZE_MAX;
  fixture->backend = terminal_new(in_fd, out_fd, on_event, fixture, &error);
  g_assert_no_error(error);
  char_backend_connect(fixture->backend, &frontend, fixture);
  return fixture;
}

static Fixture *fixture_new(void) {
  Fixture *fixture;
  struct termios before;
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &before), ==, 0);
  fixture = fixture_new_on(slave, slave);
  fixture->master = master;
  fixture->slave = slave;
  fixture->before = before;
  return fixture;
}

static void fixture_free(Fixture *fixture) {
  char_backend_free(fixture->backend);
  if (fixture->master >= 0)
    close(fixture->master);
  if (fixture->slave >= 0)
    close(fixture->slave);
  g_byte_array_unref(fixture->received);
  g_free(fixture);
}

static gboolean do_nothing(gpointer data) {
  return G_SOURCE_CONTINUE;
}

/* Runs the main loop until CONDITION holds, at most WAIT_US. */
#define RUN_UNTIL(condition)                                                                                                               \
  do {                                                                                                                                     \
    int64_t run_deadline = g_get_monotonic_time() + WAIT_US;                                                                               \
    guint run_tick = g_timeout_add(20, do_nothing, NULL);                                                                                  \
    while (!(condition)) {                                                                                                                 \
      g_assert_cmpint(g_get_monotonic_time(), <, run_deadline);                                                                            \
      g_main_context_iteration(NULL, TRUE);                                                                                                \
    }                                                                                                                                      \
    g_source_remove(run_tick);                                                                                                             \
  } while (0)

/* All that the main loop finds to do now. Bounded, so that a source that is always ready is found out. */
static void settle(void) {
  for (unsigned i = 0; g_main_context_iteration(NULL, FALSE); i++)
    g_assert_cmpuint(i, <, 10000);
}

static void type(Fixture *fixture, const char *keys) {
  g_assert_cmpint(write(fixture->master, keys, strlen(keys)), ==, strlen(keys));
}

static void assert_received(const Fixture *fixture, const char *expected) {
  g_assert_cmpmem(fixture->received->data, fixture->received->len, expected, strlen(expected));
}

static void assert_same_mode(int fd, const struct termios *expected) {
  struct termios now;

  g_assert_cmpint(tcgetattr(fd, &now), ==, 0);
  g_assert_cmphex(now.c_iflag, ==, expected->c_iflag);
  g_assert_cmphex(now.c_oflag, ==, expected->c_oflag);
  g_assert_cmphex(now.c_cflag, ==, expected->c_cflag);
  g_assert_cmphex(now.c_lflag, ==, expected->c_lflag);
  g_assert_cmpmem(now.c_cc, sizeof now.c_cc, expected->c_cc, sizeof expected->c_cc);
}

/* The terminal's mode. */

static void test_raw_mode(void) {
  Fixture *fixture = fixture_new();
  struct termios now, before = fixture->before;
  g_autoptr(GError) error = NULL;
  int master, slave, keep = dup(fixture->slave);

  g_assert_cmpint(tcgetattr(fixture->slave, &now), ==, 0);
  g_assert_cmphex(now.c_lflag & (ISIG | ICANON | ECHO | IEXTEN), ==, 0);
  g_assert_cmphex(now.c_iflag & (ICRNL | IXON | ISTRIP), ==, 0);
  g_assert_cmphex(now.c_oflag, ==, before.c_oflag);

  /* A second raw terminal would have nobody to restore it. */
  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_null(terminal_new(slave, slave, on_event, NULL, &error));
  g_assert_nonnull(error);
  close(master);
  close(slave);

  int master_of_first = fixture->master;
  fixture->master = -1;
  fixture_free(fixture);
  assert_same_mode(keep, &before);
  close(keep);
  close(master_of_first);
}

static void test_flags_stay(void) {
  Fixture *fixture;
  int master, slave, flags;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  flags = fcntl(slave, F_GETFL);
  fixture = fixture_new_on(slave, slave);
  char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  settle();
  g_assert_cmphex(fcntl(slave, F_GETFL), ==, flags);
  g_assert_cmphex(flags & O_NONBLOCK, ==, 0);
  fixture_free(fixture);
  g_assert_cmphex(fcntl(slave, F_GETFL), ==, flags);
  close(master);
  close(slave);
}

typedef enum { END_EXIT, END_FREE, END_SIGNAL, END_FAULT } End;

/* In the child: without the sanitizer's own handlers, so that the parent sees the signal. Never returns. */
static void live_and_end(int slave, int parent, End end, int number) {
  static const int defaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTRAP, SIGPIPE};
  CharBackend *backend;
  char byte = 'x';

  for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
    signal(defaults[i], SIG_DFL);
  backend = terminal_new(slave, slave, on_event, NULL, NULL);
  if (!backend || write(parent, &byte, 1) != 1 || read(parent, &byte, 1) != 1)
    _exit(99);
  switch (end) {
  case END_EXIT:
    exit(3);
  case END_FREE:
    char_backend_free(backend);
    _exit(3);
  case END_SIGNAL:
    raise(number);
    _exit(98);
  case END_FAULT:
    *(volatile char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
    _exit(97);
  }
}

/*
 * A process with a raw terminal ends one way or another; the terminal must be as it was, and the end the one that was
 * meant.
 */
static void check_end(End end, int number) {
  struct termios before, raw;
  int master, slave, status, pair[2];
  char byte = 0;
  pid_t child;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &before), ==, 0);
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  child = fork();
  g_assert_cmpint(child, >=, 0);
  if (child == 0) {
    live_and_end(slave, pair[1], end, number);
    _exit(96);
  }
  close(pair[1]);
  g_assert_cmpint(read(pair[0], &byte, 1), ==, 1);
  g_assert_cmpint(tcgetattr(slave, &raw), ==, 0);
  g_assert_cmphex(raw.c_lflag & (ICANON | ECHO | ISIG), ==, 0);
  g_assert_cmpint(write(pair[0], &byte, 1), ==, 1);
  close(pair[0]);
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  if (end == END_EXIT || end == END_FREE) {
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 3);
  } else {
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, number);
  }
  assert_same_mode(slave, &before);
  close(master);
  close(slave);
}

static void test_end_exit(void) {
  check_end(END_EXIT, 0);
}

static void test_end_free(void) {
  check_end(END_FREE, 0);
}

static void test_end_signals(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTRAP, SIGPIPE};

  for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++)
    check_end(END_SIGNAL, signals[i]);
}

static void test_end_fault(void) {
  check_end(END_FAULT, SIGSEGV);
}

/* Stopped and continued: the shell sees its terminal as it was, the machine sees it raw again. */
static void test_suspend(void) {
  struct termios before, now;
  int master, slave, status, pair[2];
  char byte;
  pid_t child;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &before), ==, 0);
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  child = fork();
  g_assert_cmpint(child, >=, 0);
  if (child == 0) {
    live_and_end(slave, pair[1], END_EXIT, 0);
    _exit(96);
  }
  g_assert_cmpint(read(pair[0], &byte, 1), ==, 1);
  g_assert_cmpint(kill(child, SIGTSTP), ==, 0);
  g_assert_cmpint(waitpid(child, &status, WUNTRACED), ==, child);
  g_assert_true(WIFSTOPPED(status));
  assert_same_mode(slave, &before);
  g_assert_cmpint(kill(child, SIGCONT), ==, 0);
  for (int64_t deadline = g_get_monotonic_time() + WAIT_US;;) {
    g_assert_cmpint(tcgetattr(slave, &now), ==, 0);
    if (!(now.c_lflag & ICANON))
      break;
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(1000);
  }
  g_assert_cmpint(write(pair[0], &byte, 1), ==, 1);
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  assert_same_mode(slave, &before);
  close(pair[0]);
  close(pair[1]);
  close(master);
  close(slave);
}

/* Input. */

static void test_keys_pass(void) {
  Fixture *fixture = fixture_new();

  type(fixture, "ls\r\003\032\004\034\021\023");
  RUN_UNTIL(fixture->received->len == 9);
  assert_received(fixture, "ls\r\003\032\004\034\021\023");
  g_assert_cmpint(fixture->quit, ==, 0);
  fixture_free(fixture);
}

static void test_escapes(void) {
  Fixture *fixture = fixture_new();
  char screen[512] = "";

  type(fixture, "a\001\001b\001ac\001zd");
  RUN_UNTIL(fixture->received->len >= 8);
  assert_received(fixture, "a\001b\001c\001zd");
  type(fixture, "\001");
  settle();
  g_assert_cmpint(fixture->quit, ==, 0);
  type(fixture, "x");
  RUN_UNTIL(fixture->quit == 1);

  type(fixture, "\001h!");
  RUN_UNTIL(fixture->received->len >= 9);
  assert_received(fixture, "a\001b\001c\001zd!");
  g_assert_cmpint(read(fixture->master, screen, sizeof screen - 1), >, 0);
  g_assert_nonnull(strstr(screen, "Ctrl-A x"));
  fixture_free(fixture);
}

/* A guest that takes nothing must not take the way out. */
static void test_quit_without_room(void) {
  Fixture *fixture = fixture_new();

  fixture->room = 0;
  type(fixture, "hello");
  settle();
  type(fixture, "\001x");
  RUN_UNTIL(fixture->quit == 1);
  g_assert_cmpuint(fixture->received->len, ==, 0);
  fixture->room = 2;
  char_backend_accept(fixture->backend);
  RUN_UNTIL(fixture->received->len == 2);
  settle();
  g_assert_cmpuint(fixture->received->len, ==, 2);
  fixture->room = SIZE_MAX;
  char_backend_accept(fixture->backend);
  RUN_UNTIL(fixture->received->len == 5);
  assert_received(fixture, "hello");
  fixture_free(fixture);
}

/* Help goes to the user's terminal, not into the file that the output goes to. */
static void test_help_is_for_the_terminal(void) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int master, slave, file = g_mkstemp(path);
  char screen[512] = "";
  Fixture *fixture;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  fixture = fixture_new_on(slave, file);
  g_assert_cmpint(write(master, "\001h.", 3), ==, 3);
  RUN_UNTIL(fixture->received->len == 1);
  g_assert_cmpint(read(master, screen, sizeof screen - 1), >, 0);
  g_assert_nonnull(strstr(screen, "Ctrl-A x"));
  g_assert_cmpint(lseek(file, 0, SEEK_END), ==, 0);
  fixture_free(fixture);
  close(file);
  close(master);
  close(slave);
  g_unlink(path);
}

static void test_pipe_input(void) {
  int in[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  Fixture *fixture;
  char left[8];

  g_assert_cmpint(pipe2(in, O_NONBLOCK), ==, 0);
  fixture = fixture_new_on(in[0], null);
  /* Binary-safe: no escape key here. */
  g_assert_cmpint(write(in[1], "a\001xb\001", 5), ==, 5);
  RUN_UNTIL(fixture->received->len == 5);
  assert_received(fixture, "a\001xb\001");
  g_assert_cmpint(fixture->quit, ==, 0);

  /* Not a byte more than the front end takes leaves the pipe. */
  fixture->room = 3;
  g_assert_cmpint(write(in[1], "123456", 6), ==, 6);
  RUN_UNTIL(fixture->received->len == 8);
  settle();
  g_assert_cmpint(read(in[0], left, sizeof left), ==, 3);
  g_assert_cmpmem(left, 3, "456", 3);
  g_assert_cmpint(write(in[1], "789", 3), ==, 3);
  settle();
  g_assert_cmpuint(fixture->received->len, ==, 8);
  fixture->room = 100;
  char_backend_accept(fixture->backend);
  RUN_UNTIL(fixture->received->len == 11);

  /* The end of input is no event, and nothing spins on it. */
  close(in[1]);
  settle();
  settle();
  g_assert_false(g_main_context_iteration(NULL, FALSE));
  g_assert_cmpint(fixture->quit + fixture->gone, ==, 0);
  fixture_free(fixture);
  close(in[0]);
  close(null);
}

/* What ends at once, was never open, or is a file. */
static void test_other_inputs(void) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), file = g_mkstemp(path), closed = dup(null);
  int inputs[] = {null, -1, closed, file};

  close(closed);
  g_assert_cmpint(write(file, "from a file", 11), ==, 11);
  g_assert_cmpint(lseek(file, 0, SEEK_SET), ==, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS(inputs); i++) {
    Fixture *fixture = fixture_new_on(inputs[i], null);

    settle();
    settle();
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    g_assert_cmpint(fixture->quit + fixture->gone, ==, 0);
    assert_received(fixture, inputs[i] == file ? "from a file" : "");
    fixture_free(fixture);
  }
  close(file);
  close(null);
  g_unlink(path);
}

/* Before a front end is connected, input waits. */
static void test_no_front_end(void) {
  int in[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  Fixture *fixture;

  g_assert_cmpint(pipe(in), ==, 0);
  fixture = fixture_new_on(in[0], null);
  char_backend_connect(fixture->backend, NULL, NULL);
  g_assert_cmpint(write(in[1], "early", 5), ==, 5);
  settle();
  char_backend_connect(fixture->backend, &frontend, fixture);
  RUN_UNTIL(fixture->received->len == 5);
  assert_received(fixture, "early");
  fixture_free(fixture);
  close(in[0]);
  close(in[1]);
  close(null);
}

/* Output. */

static void read_all(int fd, GByteArray *to) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  uint8_t bytes[4096];

  while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
    ssize_t size = read(fd, bytes, sizeof bytes);

    if (size <= 0)
      return;
    g_byte_array_append(to, bytes, (guint)size);
  }
}

static void test_output(void) {
  Fixture *fixture = fixture_new();
  g_autoptr(GByteArray) screen = g_byte_array_new();

  g_assert_cmpuint(char_backend_write(fixture->backend, (const uint8_t *)"hello", 5), ==, 5);
  g_assert_cmpuint(char_backend_write(fixture->backend, (const uint8_t *)"", 0), ==, 0);
  g_assert_cmpuint(char_backend_write(fixture->backend, (const uint8_t *)" world\r", 7), ==, 7);
  RUN_UNTIL((read_all(fixture->master, screen), screen->len == 12));
  g_assert_cmpmem(screen->data, screen->len, "hello world\r", 12);
  g_assert_cmpint(fixture->writable, ==, 0);
  fixture_free(fixture);
}

/*
 * Another thread writes as fast as it can, and waits for room; every byte arrives, in order, through each kind of
 * output.
 */
typedef struct {
  Fixture *fixture;
  size_t size;
  int refused, done; /* atomic */
} Writer;

static uint8_t byte_at(size_t offset) {
  return (uint8_t)(offset * 2654435761u >> 13);
}

static void *write_all(void *data) {
  Writer *writer = data;
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  uint8_t bytes[9000];

  for (size_t at = 0; at < writer->size;) {
    size_t wanted = (size_t)g_rand_int_range(random, 1, sizeof bytes);
    size_t size = MIN(wanted, writer->size - at), taken;

    for (size_t i = 0; i < size; i++)
      bytes[i] = byte_at(at + i);
    taken = char_backend_write(writer->fixture->backend, bytes, size);
    at += taken;
    if (taken < size) {
      __atomic_fetch_add(&writer->refused, 1, __ATOMIC_SEQ_CST);
      g_usleep(200);
    }
  }
  __atomic_store_n(&writer->done, 1, __ATOMIC_SEQ_CST);
  g_main_context_wakeup(NULL);
  return NULL;
}

static void check_stream(int out_fd, int reader_fd) {
  Fixture *fixture = fixture_new_on(-1, out_fd);
  Writer writer = {.fixture = fixture, .size = 3 * 1000 * 1000};
  g_autoptr(GByteArray) screen = g_byte_array_new();
  GThread *thread = g_thread_new(NULL, write_all, &writer);

  RUN_UNTIL((read_all(reader_fd, screen), screen->len == writer.size));
  g_thread_join(thread);
  for (size_t i = 0; i < writer.size; i++)
    if (screen->data[i] != byte_at(i))
      g_error("byte %zu is wrong", i);
  g_assert_cmpint(!!writer.refused, ==, fixture->writable > 0);
  g_assert_false(g_main_context_iteration(NULL, FALSE));
  fixture_free(fixture);
}

static void test_stream_to_pipe(void) {
  int out[2];

  g_assert_cmpint(pipe(out), ==, 0);
  check_stream(out[1], out[0]);
  close(out[0]);
  close(out[1]);
}

/* Cannot be opened a second time: the small, waiting writes. */
static void test_stream_to_socket(void) {
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  check_stream(pair[1], pair[0]);
  close(pair[0]);
  close(pair[1]);
}

/* Somebody else has made the descriptor non-blocking. */
static void test_stream_to_nonblocking_socket(void) {
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
  check_stream(pair[1], pair[0]);
  close(pair[0]);
  close(pair[1]);
}

static void test_stream_to_terminal(void) {
  struct termios mode;
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &mode), ==, 0);
  cfmakeraw(&mode); /* bytes, not lines: output processing is not what is tested */
  g_assert_cmpint(tcsetattr(slave, TCSANOW, &mode), ==, 0);
  check_stream(slave, master);
  close(master);
  close(slave);
}

/*
 * Asleep in poll(2) with no timeout of its own, the main loop is woken by the first byte, and not by each one after it.
 */
static int n_polls; /* the main thread's */

static gint counting_poll(GPollFD *fds, guint n_fds, gint timeout) {
  n_polls++;
  return g_poll(fds, n_fds, timeout);
}

static void *write_later(void *data) {
  Fixture *fixture = data;

  g_usleep(100 * 1000);
  char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  return NULL;
}

static void *write_bytes(void *data) {
  Fixture *fixture = data;

  for (unsigned i = 0; i < 2000; i++)
    char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  return NULL;
}

static gboolean set_flag(gpointer data) {
  *(bool *)data = true;
  return G_SOURCE_REMOVE;
}

static void test_wakes(void) {
  Fixture *fixture;
  GThread *thread;
  bool timeout = false;
  struct pollfd ready;
  guint timer;
  static const uint8_t bytes[4096];
  int out[2];
  char byte;

  g_assert_cmpint(pipe(out), ==, 0);
  fixture = fixture_new_on(-1, out[1]);
  settle();
  ready = (struct pollfd){.fd = out[0], .events = POLLIN};
  timer = g_timeout_add_seconds(20, set_flag, &timeout);
  thread = g_thread_new(NULL, write_later, fixture);
  while (!timeout && poll(&ready, 1, 0) == 0)
    g_main_context_iteration(NULL, TRUE);
  g_assert_false(timeout);
  g_source_remove(timer);
  g_thread_join(thread);
  g_assert_cmpint(read(out[0], &byte, 1), ==, 1);

  /* Now with a reader that has stalled: the ring is never empty. */
  ready = (struct pollfd){.fd = out[1], .events = POLLOUT};
  while (poll(&ready, 1, 0) == 1) {
    char_backend_write(fixture->backend, bytes, sizeof bytes);
    settle();
  }
  char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  settle();
  g_main_context_set_poll_func(NULL, counting_poll);
  n_polls = 0;
  g_timeout_add(300, set_flag, &timeout);
  thread = g_thread_new(NULL, write_bytes, fixture);
  while (!timeout)
    g_main_context_iteration(NULL, TRUE);
  g_thread_join(thread);
  g_assert_cmpint(n_polls, <, 10);
  g_main_context_set_poll_func(NULL, NULL);
  fixture_free(fixture);
  close(out[0]);
  close(out[1]);
}

static void test_output_to_file(void) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int file = g_mkstemp(path);
  Fixture *fixture;
  char bytes[16];

  g_assert_cmpint(write(file, "before ", 7), ==, 7);
  fixture = fixture_new_on(-1, file);
  char_backend_write(fixture->backend, (const uint8_t *)"after", 5);
  terminal_flush(fixture->backend, 1000);
  g_assert_cmpint(pread(file, bytes, sizeof bytes, 0), ==, 12);
  g_assert_cmpmem(bytes, 12, "before after", 12);
  fixture_free(fixture);
  close(file);
  g_unlink(path);
}

/* A full disk: it is told, and why. */
static void test_output_lost(void) {
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  Fixture *fixture = fixture_new_on(-1, full);

  g_assert_cmpint(terminal_lost(fixture->backend), ==, 0);
  char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  terminal_flush(fixture->backend, 0);
  g_assert_cmpint(fixture->gone, ==, 1);
  g_assert_cmpint(terminal_lost(fixture->backend), ==, ENOSPC);
  fixture_free(fixture);
  close(full);
}

/* What a closed standard output has become. The guest goes on, and nothing waits. */
static void test_output_to_nobody(void) {
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  Fixture *fixture = fixture_new_on(-1, null);
  g_autofree uint8_t *bytes = g_malloc0(OUTPUT_SIZE);

  for (unsigned i = 0; i < 3; i++)
    g_assert_cmpuint(char_backend_write(fixture->backend, bytes, OUTPUT_SIZE), ==, OUTPUT_SIZE);
  settle();
  terminal_flush(fixture->backend, 1000);
  g_assert_cmpint(fixture->gone, ==, 0);
  fixture_free(fixture);
  close(null);
}

/*
 * The buffer is bounded; a reader that stalls stops neither writers nor the main loop; when it reads, there is room
 * again.
 */
static void check_stalled(int out_fd, int reader_fd) {
  Fixture *fixture = fixture_new_on(-1, out_fd);
  g_autofree uint8_t *bytes = g_malloc0(OUTPUT_SIZE);
  g_autoptr(GByteArray) screen = g_byte_array_new();
  size_t total = 0, taken;
  int64_t begin = g_get_monotonic_time();

  do {
    taken = char_backend_write(fixture->backend, bytes, OUTPUT_SIZE);
    total += taken;
    g_assert_cmpuint(total, <, 16u << 20);
    settle();
  } while (taken);
  g_assert_cmpuint(total, >=, OUTPUT_SIZE);
  terminal_flush(fixture->backend, 50);
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * G_USEC_PER_SEC);
  g_assert_cmpint(fixture->writable, ==, 0);
  RUN_UNTIL((read_all(reader_fd, screen), fixture->writable > 0));
  g_assert_cmpint(fixture->writable, ==, 1);
  RUN_UNTIL((read_all(reader_fd, screen), screen->len == total));
  g_assert_cmpuint(char_backend_write(fixture->backend, bytes, 100), ==, 100);
  fixture_free(fixture);
}

static void test_stalled_pipe(void) {
  int out[2];

  g_assert_cmpint(pipe(out), ==, 0);
  check_stalled(out[1], out[0]);
  close(out[0]);
  close(out[1]);
}

static void test_stalled_terminal(void) {
  struct termios mode;
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &mode), ==, 0);
  cfmakeraw(&mode);
  g_assert_cmpint(tcsetattr(slave, TCSANOW, &mode), ==, 0);
  check_stalled(slave, master);
  close(master);
  close(slave);
}

/* The reader goes away: told once, no signal, later output vanishes, and whoever waited for room goes on. */
static void check_gone(int out_fd, int reader_fd) {
  Fixture *fixture = fixture_new_on(-1, out_fd);
  g_autofree uint8_t *bytes = g_malloc0(OUTPUT_SIZE);

  while (char_backend_write(fixture->backend, bytes, OUTPUT_SIZE) == OUTPUT_SIZE)
    settle();
  settle();
  close(reader_fd);
  RUN_UNTIL(fixture->gone == 1);
  g_assert_cmpint(fixture->writable, >=, 1);
  g_assert_cmpuint(char_backend_write(fixture->backend, bytes, OUTPUT_SIZE), ==, OUTPUT_SIZE);
  g_assert_cmpuint(char_backend_write(fixture->backend, bytes, OUTPUT_SIZE), ==, OUTPUT_SIZE);
  settle();
  terminal_flush(fixture->backend, 1000);
  g_assert_cmpint(fixture->gone, ==, 1);
  g_assert_false(g_main_context_iteration(NULL, FALSE));
  fixture_free(fixture);
}

static void test_gone_pipe(void) {
  int out[2];

  g_assert_cmpint(pipe(out), ==, 0);
  check_gone(out[1], out[0]);
  close(out[1]);
}

static void test_gone_terminal(void) {
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  check_gone(slave, master);
  close(slave);
}

static void test_full_device(void) {
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  Fixture *fixture = fixture_new_on(-1, full);

  char_backend_write(fixture->backend, (const uint8_t *)"x", 1);
  RUN_UNTIL(fixture->gone == 1);
  settle();
  g_assert_cmpuint(char_backend_write(fixture->backend, (const uint8_t *)"x", 1), ==, 1);
  fixture_free(fixture);
  close(full);
}

static void test_file_size_limit(void) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int file = g_mkstemp(path);
  Fixture *fixture = fixture_new_on(-1, file);
  struct rlimit before, limit;

  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  limit = (struct rlimit){3, before.rlim_max};
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
  char_backend_write(fixture->backend, (const uint8_t *)"hello", 5);
  RUN_UNTIL(fixture->gone == 1);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  g_assert_cmpint(lseek(file, 0, SEEK_END), ==, 3);
  fixture_free(fixture);
  close(file);
  g_unlink(path);
}

static Fixture *fixture_new_stream(int in_fd, int out_fd) {
  Fixture *fixture = g_new0(Fixture, 1);

  fixture->master = fixture->slave = -1;
  fixture->received = g_byte_array_new();
  fixture->room = SIZE_MAX;
  fixture->backend = terminal_new_stream(in_fd, out_fd, on_event, fixture);
  char_backend_connect(fixture->backend, &frontend, fixture);
  return fixture;
}

/* The end is told when everything before it has been taken, and once. */
static void test_stream_end(void) {
  int pipe_fds[2];

  g_assert_cmpint(pipe(pipe_fds), ==, 0);
  Fixture *fixture = fixture_new_stream(pipe_fds[0], -1);
  fixture->room = 3;
  g_assert_cmpint(write(pipe_fds[1], "a\001xb", 4), ==, 4);
  close(pipe_fds[1]);
  RUN_UNTIL(fixture->received->len == 3);
  settle();
  g_assert_cmpint(fixture->ended, ==, 0);
  fixture->room = SIZE_MAX;
  char_backend_accept(fixture->backend);
  RUN_UNTIL(fixture->ended == 1);
  settle();
  g_assert_cmpint(fixture->ended, ==, 1);
  g_assert_cmpint(fixture->quit, ==, 0); /* Ctrl-A x is two bytes like any others */
  g_assert_cmpmem(fixture->received->data, fixture->received->len, "a\001xb", 4);
  g_assert_cmpuint(char_backend_write(fixture->backend, (const uint8_t *)"gone", 4), ==, 4);
  fixture_free(fixture);
  close(pipe_fds[0]);
}

/*
 * A reader that takes nothing while there is more for it is told of once, and so is that it goes on; one that is merely
 * slow is not.
 */
static void test_stream_stall(void) {
  g_autofree uint8_t *bytes = g_malloc0(OUTPUT_SIZE);
  g_autoptr(GByteArray) screen = g_byte_array_new();
  int out[2];

  g_assert_cmpint(pipe(out), ==, 0);
  Fixture *fixture = fixture_new_stream(-1, out[1]);
  uint64_t total = 0;
  for (int64_t end = g_get_monotonic_time() + (TERMINAL_STALL_MS + 500) * 1000; g_get_monotonic_time() < end;) {
    total += char_backend_write(fixture->backend, bytes, OUTPUT_SIZE);
    settle();
    read_all(out[0], screen);
  }
  g_assert_cmpint(fixture->stalled, ==, 0);
  for (size_t taken = 1; taken;) {
    total += taken = char_backend_write(fixture->backend, bytes, OUTPUT_SIZE);
    settle();
  }
  g_assert_cmpuint(terminal_taken(fixture->backend), ==, total);
  int64_t begin = g_get_monotonic_time();
  RUN_UNTIL(fixture->stalled == 1);
  g_assert_cmpint(g_get_monotonic_time() - begin, >=, (TERMINAL_STALL_MS - 500) * 1000);
  g_assert_cmpint(fixture->flows, ==, 0);
  g_assert_false(terminal_flush(fixture->backend, 10));
  RUN_UNTIL((read_all(out[0], screen), fixture->flows == 1));
  RUN_UNTIL((read_all(out[0], screen), screen->len == total));
  g_assert_true(terminal_flush(fixture->backend, 10));

  for (size_t taken = 1; taken;) {
    taken = char_backend_write(fixture->backend, bytes, OUTPUT_SIZE);
    settle();
  }
  RUN_UNTIL(fixture->stalled == 2);
  close(out[0]);
  RUN_UNTIL(fixture->gone == 1);
  g_assert_cmpint(fixture->flows, ==, 2); /* it is no longer waited for */
  fixture_free(fixture);
  close(out[1]);
}

/* A terminal stays as it is: Ctrl-C is the process's signal, lines are edited. */
static void test_stream_on_terminal(void) {
  struct termios before, after;
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &before), ==, 0);
  Fixture *fixture = fixture_new_stream(slave, slave);
  g_assert_cmpint(tcgetattr(slave, &after), ==, 0);
  g_assert_cmpuint(after.c_lflag, ==, before.c_lflag);
  g_assert_cmpint(write(master, "line\n", 5), ==, 5);
  RUN_UNTIL(fixture->received->len == 5);
  g_assert_cmpint(write(master, "\004", 1), ==, 1); /* Ctrl-D at the beginning of a line */
  RUN_UNTIL(fixture->ended == 1);
  fixture_free(fixture);
  close(master);
  close(slave);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/terminal/raw-mode", test_raw_mode);
  g_test_add_func("/terminal/flags-stay", test_flags_stay);
  g_test_add_func("/terminal/end/exit", test_end_exit);
  g_test_add_func("/terminal/end/free", test_end_free);
  g_test_add_func("/terminal/end/signals", test_end_signals);
  g_test_add_func("/terminal/end/fault", test_end_fault);
  g_test_add_func("/terminal/suspend", test_suspend);
  g_test_add_func("/terminal/input/keys-pass", test_keys_pass);
  g_test_add_func("/terminal/input/escapes", test_escapes);
  g_test_add_func("/terminal/input/quit-without-room", test_quit_without_room);
  g_test_add_func("/terminal/input/help-is-for-the-terminal", test_help_is_for_the_terminal);
  g_test_add_func("/terminal/input/pipe", test_pipe_input);
  g_test_add_func("/terminal/input/others", test_other_inputs);
  g_test_add_func("/terminal/input/no-front-end", test_no_front_end);
  g_test_add_func("/terminal/output/terminal", test_output);
  g_test_add_func("/terminal/output/wakes", test_wakes);
  g_test_add_func("/terminal/output/file", test_output_to_file);
  g_test_add_func("/terminal/output/lost", test_output_lost);
  g_test_add_func("/terminal/output/nobody", test_output_to_nobody);
  g_test_add_func("/terminal/output/stream-to-pipe", test_stream_to_pipe);
  g_test_add_func("/terminal/output/stream-to-socket", test_stream_to_socket);
  g_test_add_func("/terminal/output/stream-to-nonblocking-socket", test_stream_to_nonblocking_socket);
  g_test_add_func("/terminal/output/stream-to-terminal", test_stream_to_terminal);
  g_test_add_func("/terminal/output/stalled-pipe", test_stalled_pipe);
  g_test_add_func("/terminal/output/stalled-terminal", test_stalled_terminal);
  g_test_add_func("/terminal/output/gone-pipe", test_gone_pipe);
  g_test_add_func("/terminal/output/gone-terminal", test_gone_terminal);
  g_test_add_func("/terminal/output/file-size-limit", test_file_size_limit);
  g_test_add_func("/terminal/stream/end", test_stream_end);
  g_test_add_func("/terminal/stream/stall", test_stream_stall);
  g_test_add_func("/terminal/stream/on-terminal", test_stream_on_terminal);
  g_test_add_func("/terminal/output/full-device", test_full_device);
  return g_test_run();
}
