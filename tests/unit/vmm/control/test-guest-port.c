/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a machine's socket for a port of its guest: what answers well, and all the ways in which it may not. */
#include "vmm/control/guest-port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/vmm/control/fake-listener.h"

#define LONG_US  (60 * G_USEC_PER_SEC)
#define SHORT_US (G_USEC_PER_SEC / 20)

static GuestPortPatience patience(int64_t us) {
  return (GuestPortPatience){.until = g_get_monotonic_time() + us};
}

static void write_all(int fd, const char *text, size_t size) {
  g_assert_cmpint(write(fd, text, size), ==, (ssize_t)size);
}

static void assert_line(int fd, const char *wanted) {
  char line[64] = "";

  g_assert_cmpint(read(fd, line, sizeof line - 1), ==, (ssize_t)strlen(wanted));
  g_assert_cmpstr(line, ==, wanted);
}

static void test_good(void) {
  static const char *const answers[] = {"OK 1073741824\n", "OK 0\n", "OK 4294967295\r\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
    const GuestPortPatience wait = patience(LONG_US);
    g_autoptr(GError) error = NULL;
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    g_autofree char *text = g_strconcat(answers[i], "SSH-2.0-x\r\n", NULL);
    write_all(pair[1], text, strlen(text));
    g_assert_true(guest_port_greet(pair[0], 22, &wait, &error));
    g_assert_no_error(error);
    assert_line(pair[1], "CONNECT 22\n");
    assert_line(pair[0], "SSH-2.0-x\r\n"); /* what follows is left alone */
    close(pair[0]);
    close(pair[1]);
  }
}

/* A byte at a time, and not at once. */
static gpointer answer_slowly(gpointer data) {
  static const char answer[] = "OK 12345\nX";
  int fd = GPOINTER_TO_INT(data);

  for (unsigned i = 0; i < sizeof answer - 1; i++) {
    g_usleep(2000);
    write_all(fd, answer + i, 1);
  }
  return NULL;
}

static void test_split(void) {
  const GuestPortPatience wait = patience(LONG_US);
  g_autoptr(GError) error = NULL;
  int pair[2];
  char byte;

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  GThread *thread = g_thread_new("answer", answer_slowly, GINT_TO_POINTER(pair[1]));
  g_assert_true(guest_port_greet(pair[0], 22, &wait, &error));
  g_assert_no_error(error);
  g_assert_cmpint(read(pair[0], &byte, 1), ==, 1);
  g_assert_cmpint(byte, ==, 'X');
  g_thread_join(thread);
  close(pair[0]);
  close(pair[1]);
}

/* What has answered ANSWER, and then ended or not. */
static void assert_refused(const char *answer, size_t size, bool ends, GuestPortError code, const char *message) {
  const GuestPortPatience wait = patience(code == GUEST_PORT_ERROR_NOBODY && !ends ? SHORT_US : LONG_US);
  g_autoptr(GError) error = NULL;
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  write_all(pair[1], answer, size);
  if (ends)
    shutdown(pair[1], SHUT_WR);
  g_assert_false(guest_port_greet(pair[0], 22, &wait, &error));
  g_assert_error(error, GUEST_PORT_ERROR, (int)code);
  g_assert_cmpstr(error->message, ==, message);
  close(pair[0]);
  close(pair[1]);
}

#define REFUSED(ANSWER, SHOWN)                                                                                                             \
  assert_refused(ANSWER, sizeof(ANSWER) - 1, false, GUEST_PORT_ERROR_HOST, "what answers there is no machine's vsock: \"" SHOWN "\"")

static void test_garbage(void) {
  REFUSED("\n", "");
  REFUSED("\r\n", "");
  REFUSED("OK\n", "OK");
  REFUSED("OK \n", "OK ");
  REFUSED("OK -1\n", "OK -1");
  REFUSED("OK 4294967296\n", "OK 4294967296");
  REFUSED("OK 1 \n", "OK 1 ");
  REFUSED("ok 1\n", "ok 1");
  REFUSED("OK 1\0x\n", "OK 1\\x00x");
  REFUSED("SSH-2.0-OpenSSH_10.0\r\n", "SSH-2.0-OpenSSH");
  REFUSED("\033[2J\n", "\\u001b[2J");
  REFUSED("\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377",
          "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff");
  assert_refused("OK 12", 5, true, GUEST_PORT_ERROR_HOST, "what answers there is no machine's vsock: \"OK 12\"");
}

static void count(void *opaque) {
  ++*(unsigned *)opaque;
}

static void test_nobody(void) {
  assert_refused("", 0, true, GUEST_PORT_ERROR_NOBODY, "nobody listens there");
  assert_refused("", 0, false, GUEST_PORT_ERROR_NOBODY, "the guest does not answer");
  assert_refused("OK 12", 5, false, GUEST_PORT_ERROR_NOBODY, "the guest does not answer");
  /* It has gone before it was asked. */
  const GuestPortPatience wait = patience(LONG_US);
  g_autoptr(GError) error = NULL;
  int pair[2];
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  close(pair[1]);
  g_assert_false(guest_port_greet(pair[0], 22, &wait, &error));
  g_assert_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_NOBODY);
  close(pair[0]);
}

/* Who waits for long is told so. */
static void test_waiting(void) {
  unsigned told = 0;
  const GuestPortPatience wait = {.until = g_get_monotonic_time() + 1200000, .waiting = count, .opaque = &told};
  g_autoptr(GError) error = NULL;
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
  g_assert_false(guest_port_greet(pair[0], 22, &wait, &error));
  g_assert_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_NOBODY);
  g_assert_cmpuint(told, >=, 1);
  close(pair[0]);
  close(pair[1]);
}

/* The machine's own half of it, which is another's code. */
static gpointer serve(gpointer data) {
  int fd = fake_listener_accept(data);

  g_assert_true(vsock_hybrid_answer(fd, 1073741824));
  write_all(fd, "stream", 6);
  return GINT_TO_POINTER(fd);
}

static void check_path(const char *path) {
  const GuestSockets sockets = {.path = (char *)path, .cid = 3};
  const GuestPortPatience wait = patience(LONG_US);
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(guest_port_connect(&sockets, FAKE_LISTENER_PORT, &wait, &error), ==, -1);
  g_assert_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_NOBODY); /* it may be there soon */
  g_clear_error(&error);
  g_autoptr(VsockHybrid) hybrid = vsock_hybrid_new(path, &error);
  g_assert_no_error(error);
  GThread *thread = g_thread_new("serve", serve, hybrid);
  int fd = guest_port_connect(&sockets, FAKE_LISTENER_PORT, &wait, &error);
  g_assert_no_error(error);
  assert_line(fd, "stream");
  close(fd);
  close(GPOINTER_TO_INT(g_thread_join(thread)));
}

static void test_machine(void) {
  g_autofree char *directory = directory_new(), *far = g_strnfill(80, 'd');
  g_autofree char *near = g_build_filename(directory, "vsock", NULL), *below = g_build_filename(directory, far, NULL);
  g_autofree char *long_path = g_build_filename(below, "vsock", NULL);
  const GuestSockets nowhere = {.path = (char *)"/proc/version/x", .cid = 3};
  const GuestPortPatience wait = patience(LONG_US);
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(g_mkdir(below, 0700), ==, 0);
  check_path(near);
  check_path(long_path);
  g_assert_cmpint(guest_port_connect(&nowhere, FAKE_LISTENER_PORT, &wait, &error), ==, -1);
  g_assert_error(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_HOST);
  directory_free(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/guest-port/good", test_good);
  g_test_add_func("/guest-port/split", test_split);
  g_test_add_func("/guest-port/garbage", test_garbage);
  g_test_add_func("/guest-port/nobody", test_nobody);
  g_test_add_func("/guest-port/waiting", test_waiting);
  g_test_add_func("/guest-port/machine", test_machine);
  return g_test_run();
}
