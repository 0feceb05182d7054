/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers: shells in their place, good ones and bad ones. And what passt is started with. */
#include "vmm/helpers/helper-process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/helpers/helper-lines.h"
#include "vmm/helpers/passt.h"

typedef struct {
  GString *log;
  char *how;
  unsigned n_lines;
} Fixture;

static GLogWriterOutput keep(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data) {
  Fixture *fixture = data;

  for (gsize i = 0; i < n_fields && level & G_LOG_LEVEL_MESSAGE; i++)
    if (strcmp(fields[i].key, "MESSAGE") == 0) {
      g_string_append_printf(fixture->log, "%s\n", (const char *)fields[i].value);
      fixture->n_lines++;
    }
  return G_LOG_WRITER_HANDLED;
}

static Fixture the = {0};

static void set_up(Fixture *fixture, gconstpointer data) {
  the = (Fixture){.log = g_string_new(NULL)};
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_string_free(the.log, TRUE);
  g_free(the.how);
}

static void on_ended(void *opaque, const char *how, bool well) {
  g_free(the.how);
  the.how = g_strdup(how);
}

static bool is_noise(const char *line) {
  return g_str_has_prefix(line, "noise");
}

static HelperProcess *start_with(const char *script, bool tells_ready, int *fd) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  const HelperConfig config = {.name = "helper", .argv = argv, .is_noise = is_noise, .ended = on_ended, .tells_ready = tells_ready};
  g_autoptr(GError) error = NULL;
  HelperProcess *process = helper_process_start(&config, fd, &error);

  g_assert_no_error(error);
  return process;
}

static HelperProcess *start(const char *script, int *fd) {
  return start_with(script, false, fd);
}

static size_t skip_head(const char *line) {
  return g_str_has_prefix(line, "head: ") ? strlen("head: ") : 0;
}

/* A file of ours, and lines whose heads are not shown. */
static HelperProcess *start_with_file(const char *script, int file, int *fd) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  const HelperConfig config = {.name = "helper", .argv = argv, .is_noise = is_noise, .skip = skip_head, .ended = on_ended, .file = file};
  g_autoptr(GError) error = NULL;
  HelperProcess *process = helper_process_start(&config, fd, &error);

  g_assert_no_error(error);
  return process;
}

static void wait_for_end(void) {
  gint64 until = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

  while (!the.how) {
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
  }
}

static void test_file(Fixture *fixture, gconstpointer data) {
  g_autofree char *path = NULL;
  int fd, file = g_file_open_tmp("eret-test-XXXXXX", &path, NULL);

  HelperProcess *process =
      start_with_file("echo it >/proc/self/fd/4; echo 'head: one'; echo two; echo 'noise head: '; echo 'head: '", file, &fd);
  wait_for_end();
  g_assert_cmpstr(the.log->str, ==, "helper: one\nhelper: two\nhelper: \n");
  helper_process_free(process);
  char text[8] = "";
  g_assert_cmpint(pread(file, text, sizeof text, 0), ==, 3);
  g_assert_cmpstr(text, ==, "it\n");
  close(file);
  close(fd);
  unlink(path);
}

static void test_talks(Fixture *fixture, gconstpointer data) {
  char answer[16] = "";
  int fd;
  HelperProcess *process = start("read line <&3; echo \"got $line\" >&3", &fd);

  g_assert_cmpint(send(fd, "it\n", 3, MSG_NOSIGNAL), ==, 3);
  g_assert_cmpint(recv(fd, answer, sizeof answer - 1, MSG_WAITALL), ==, 7);
  g_assert_cmpstr(answer, ==, "got it\n");
  wait_for_end();
  g_assert_cmpstr(the.how, ==, "ended with exit status 0");
  helper_process_free(process);
  close(fd);
}

static void test_ready(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *script, *why; /* NULL: it becomes ready */
  } cases[] = {
      {"sleep 0.1; echo 17; read line <&3", NULL},
      {"echo 17 > /proc/self/fd/1; read line <&3", NULL},
      {"echo 17; exit 3", NULL}, /* it was */
      {"echo 'the port is taken' >&2; exit 3", "helper ended with exit status 3; its last words: the port is taken"},
      {"exec >&-; sleep 0.1; exit 3", "helper ended with exit status 3"},
      {"sleep 60", "helper does not come to be ready in 1 seconds"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    int fd;
    HelperProcess *process = start_with(cases[i].script, true, &fd);
    bool ready = helper_process_wait(process, -1, cases[i].why && cases[i].script[0] == 's' ? 1000 : 30000, &error);

    g_assert_cmpint(ready, ==, !cases[i].why);
    g_assert_cmpstr(error ? error->message : NULL, ==, cases[i].why);
    g_assert_null(the.how);
    close(fd);
    helper_process_free(process);
  }
}

static bool prepare(const void *opaque) {
  return *(const bool *)opaque && write(STDOUT_FILENO, "prepared\n", 9) == 9;
}

/* In its process, before the program; or in its place. */
static void test_prepared(Fixture *fixture, gconstpointer data) {
  static const char *const argv[] = {"/bin/sh", "-c", "echo started", NULL};

  for (int good = 1; good >= 0; good--) {
    const bool is_good = good;
    const HelperConfig config = {.name = "helper", .argv = argv, .ended = on_ended, .set_up = {prepare, &is_good}};
    g_autoptr(HelperProcess) process = NULL;
    int fd;

    g_clear_pointer(&the.how, g_free);
    g_string_truncate(the.log, 0);
    process = helper_process_start(&config, &fd, NULL);
    wait_for_end();
    g_assert_cmpstr(the.log->str, ==, good ? "helper: prepared\nhelper: started\n" : "");
    g_assert_cmpstr(the.how, ==, good ? "ended with exit status 0; its last words: started" : "ended with exit status 1");
    close(fd);
  }
}

/* One that takes a socket that listens finds a connection there, and nobody else finds the socket. */
static void test_listens(Fixture *fixture, gconstpointer data) {
  static const char *const argv[] = {"/bin/sh", "-c", "ls -l /proc/$$/fd/3; read line <&3", NULL};
  const HelperConfig config = {.name = "helper", .argv = argv, .ended = on_ended, .listens = true};
  g_autoptr(HelperProcess) process = NULL;
  struct sockaddr_un name = {0};
  socklen_t size = sizeof name;
  int fd;

  process = helper_process_start(&config, &fd, NULL);
  g_assert_cmpint(getpeername(fd, (struct sockaddr *)&name, &size), ==, 0);
  wait_for_end(); /* a socket that listens cannot be read */
  g_assert_nonnull(strstr(the.log->str, "socket:["));
  g_assert_cmpint(access(name.sun_path, F_OK), ==, -1);
  close(fd);
}

/* Only what it is given: the socket, and the three that everybody has. */
static void test_descriptors(Fixture *fixture, gconstpointer data) {
  int fd, other = dup(STDIN_FILENO);
  HelperProcess *process =
      start("for f in /proc/$$/fd/*; do [ ! -e $f ] || printf '%s ' ${f##*/}; done; echo; readlink /proc/$$/fd/0", &fd);

  wait_for_end();
  g_assert_cmpstr(the.log->str, ==, "helper: 0 1 2 3 \nhelper: /dev/null\n");
  helper_process_free(process);
  close(fd);
  close(other);
}

static void test_says(Fixture *fixture, gconstpointer data) {
  int fd;
  HelperProcess *process = start("echo one; echo noise >&2; echo 'two\033[31m' >&2; printf 'no end'; exit 7", &fd);

  wait_for_end();
  g_assert_cmpstr(the.log->str, ==, "helper: one\nhelper: two?[31m\nhelper: no end\n");
  g_assert_cmpstr(the.how, ==, "ended with exit status 7; its last words: no end");
  helper_process_free(process);
  close(fd);
}

static void test_says_much(Fixture *fixture, gconstpointer data) {
  int fd;
  HelperProcess *process =
      start("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done; head -c 100000 /dev/zero | tr '\\0' x", &fd);

  wait_for_end();
  g_assert_cmpuint(the.n_lines, ==, HELPER_LINES_MAX + 1);
  g_assert_cmpuint(the.log->len, <, 64 * 1024);
  helper_process_free(process);
  close(fd);
}

static void test_killed(Fixture *fixture, gconstpointer data) {
  int fd;
  HelperProcess *process = start("kill -SEGV $$", &fd);

  wait_for_end();
  g_assert_true(g_str_has_prefix(the.how, "ended by signal 11"));
  helper_process_free(process);
  close(fd);
}

/* One that does not hear is ended all the same, and the end that was wanted is not told. */
static void test_deaf(Fixture *fixture, gconstpointer data) {
  int fd;
  HelperProcess *process = start("trap '' TERM; echo ready; while :; do sleep 1; done", &fd);

  while (!the.n_lines)
    g_main_context_iteration(NULL, FALSE);
  helper_process_free(process);
  g_assert_null(the.how);
  char byte;
  g_assert_cmpint(recv(fd, &byte, 1, MSG_DONTWAIT), <=, 0);
  close(fd);
}

static void test_not_there(Fixture *fixture, gconstpointer data) {
  const char *const argv[] = {"/nowhere/helper", NULL};
  const HelperConfig config = {.name = "helper", .argv = argv};
  g_autoptr(GError) error = NULL;
  int fd;

  g_assert_null(helper_process_start(&config, &fd, &error));
  g_assert_error(error, HELPER_ERROR, HELPER_ERROR_START);
}

static void test_forwards(void) {
  static const struct {
    const char *text, *address;
    uint16_t host, guest;
    bool udp;
  } good[] = {
      {"2222:22", NULL, 2222, 22, false},           {"53:53/udp", NULL, 53, 53, true},
      {"80:8080/tcp", NULL, 80, 8080, false},       {"127.0.0.1:2222:22", "127.0.0.1", 2222, 22, false},
      {"[::1]:65535:1/udp", "::1", 65535, 1, true},
  };
  static const char *const bad[] = {
      "",           "22",     "22:",         ":22",       "0:22",           "22:0",       "65536:22",        "a:b",
      "22:22/sctp", "22:22/", "1.2.3:22:22", "::1:22:22", "[::1]22:22",     "[::1:22:22", "localhost:22:22", "22:22:22",
      "-1:22",      "22:22 ", "+22:22",      "0x16:22",   "127.0.0.1/22:22"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    PasstForward forward;
    const char *why;
    g_assert_true(passt_parse_forward(good[i].text, &forward, &why));
    g_assert_cmpstr(forward.address, ==, good[i].address);
    g_assert_cmpuint(forward.host_port, ==, good[i].host);
    g_assert_cmpuint(forward.guest_port, ==, good[i].guest);
    g_assert_cmpint(forward.udp, ==, good[i].udp);
    g_free(forward.address);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    PasstForward forward;
    const char *why = NULL;
    g_assert_false(passt_parse_forward(bad[i], &forward, &why));
    g_assert_nonnull(why);
    g_assert_null(forward.address);
  }
}

static void test_arguments(void) {
  const Passt passt = {.program = (char *)"/usr/bin/passt", .vhost_user = true};
  PasstForward ssh = {.host_port = 2222, .guest_port = 22},
               dns = {.address = (char *)"127.0.0.1", .host_port = 53, .guest_port = 5353, .udp = true};
  g_autoptr(GPtrArray) forwards = g_ptr_array_new();

  g_ptr_array_add(forwards, &ssh);
  g_ptr_array_add(forwards, &dns);
  g_autoptr(GPtrArray) arguments = passt_arguments(&passt, forwards, true);
  g_autofree char *line = g_strjoinv(" ", (char **)arguments->pdata);
  g_assert_cmpstr(
      line, ==,
      "/usr/bin/passt --foreground --quiet --vhost-user --fd 3 --pid /proc/self/fd/1 --tcp-ports 2222:22 --udp-ports 127.0.0.1/53:5353");
}

/* A port that somebody has, by either protocol, and at one of the families alone. */
static void test_taken(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;

  for (unsigned udp = 0; udp < 2; udp++) {
    int taken = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    g_autoptr(GPtrArray) forwards = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    address.sin_port = 0;
    g_assert_cmpint(bind(taken, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(getsockname(taken, (struct sockaddr *)&address, &size), ==, 0);
    g_assert_true(udp || listen(taken, 1) == 0);
    PasstForward forward = {.host_port = g_ntohs(address.sin_port), .guest_port = 1, .udp = udp};
    g_ptr_array_add(forwards, &forward);
    g_assert_false(passt_check_ports(forwards, &error));
    g_autofree char *wanted =
        g_strdup_printf("%s port %u of the host cannot be forwarded: Address already in use", udp ? "UDP" : "TCP", forward.host_port);
    g_assert_cmpstr(error->message, ==, wanted);
    g_clear_error(&error);
    close(taken);
    g_assert_true(passt_check_ports(forwards, &error));
  }
}

/* The real one, where it is installed: it starts, stays, and leaves when its socket is closed. */
static void test_real(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Passt) passt = passt_find(&error);
  int fd;

  if (!passt) {
    g_test_skip(error->message);
    return;
  }
  HelperProcess *process = passt_start(passt, NULL, false, on_ended, NULL, &fd, &error);
  g_assert_no_error(error);
  for (int i = 0; i < 50 && !the.how; i++) {
    g_main_context_iteration(NULL, FALSE);
    g_usleep(10000);
  }
  if (the.how) { /* it needs namespaces of its own, which not every place allows */
    g_test_skip(the.how);
  } else {
    close(fd);
    fd = -1;
    wait_for_end();
  }
  helper_process_free(process);
  if (fd >= 0)
    close(fd);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_writer_func(keep, &the, NULL);
  g_log_set_always_fatal(G_LOG_FATAL_MASK);
#define ADD(name, function) g_test_add("/helper-process/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("talks", test_talks);
  ADD("file", test_file);
  ADD("ready", test_ready);
  ADD("prepared", test_prepared);
  ADD("listens", test_listens);
  ADD("descriptors", test_descriptors);
  ADD("says", test_says);
  ADD("says-much", test_says_much);
  ADD("killed", test_killed);
  ADD("deaf", test_deaf);
  ADD("not-there", test_not_there);
  ADD("passt", test_real);
  g_test_add_func("/passt/forwards", test_forwards);
  g_test_add_func("/passt/arguments", test_arguments);
  g_test_add_func("/passt/taken", test_taken);
  return g_test_run();
}
