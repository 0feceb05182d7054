/* SPDX-License-Identifier: Apache-2.0 */
/* Local sockets for a guest's streams: devices/backend/vsock-hybrid.c. */
#define _GNU_SOURCE /* accept4 */
#include "devices/backend/vsock-hybrid.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/directory.h"

static VsockHybrid *make(const char *path) {
  g_autoptr(GError) error = NULL;
  VsockHybrid *hybrid = vsock_hybrid_new(path, &error);

  g_assert_no_error(error);
  return hybrid;
}

static void assert_refused(const char *path, VsockHybridError code, const char *why) {
  g_autoptr(GError) error = NULL;

  g_assert_null(vsock_hybrid_new(path, &error));
  g_assert_error(error, VSOCK_HYBRID_ERROR, (int)code);
  g_assert_nonnull(strstr(error->message, why));
}

/* From the directory itself, so that a path may be long. */
static struct sockaddr_un address_in(const char *directory, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  g_assert_cmpint(g_chdir(directory), ==, 0);
  g_assert_cmpuint(g_strlcpy(address.sun_path, name, sizeof address.sun_path), <, sizeof address.sun_path);
  return address;
}

static int connect_in(const char *directory, const char *name) {
  const struct sockaddr_un address = address_in(directory, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  close(fd);
  return -1;
}

static int listen_in(const char *directory, const char *name) {
  const struct sockaddr_un address = address_in(directory, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(fd, 1), ==, 0);
  return fd;
}

static void exchange(int one, int other) {
  char bytes[3] = "";

  g_assert_cmpint(write(one, "hi", 2), ==, 2);
  g_assert_cmpint(read(other, bytes, 2), ==, 2);
  g_assert_cmpstr(bytes, ==, "hi");
  close(one);
  close(other);
}

/* Who connects to NAME is let in by HYBRID. */
static void meet(const char *directory, const char *name, const VsockHybrid *hybrid) {
  int client = connect_in(directory, name);

  g_assert_cmpint(client, >=, 0);
  exchange(client, vsock_hybrid_accept(hybrid));
}

static void test_accepts_and_connects(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);
  VsockHybrid *hybrid = make(path);
  int client = connect_in(directory, "vm"), listener;

  int fd = vsock_hybrid_accept(hybrid);
  g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
  g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  exchange(client, fd);
  g_assert_cmpint(vsock_hybrid_accept(hybrid), ==, -1);
  g_assert_cmpint(errno, ==, EAGAIN);

  g_assert_cmpint(vsock_hybrid_connect(hybrid, 1234), ==, -1);
  g_assert_cmpint(errno, ==, ENOENT);
  listener = listen_in(directory, "vm_4294967294");
  fd = vsock_hybrid_connect(hybrid, UINT32_MAX - 1);
  g_assert_cmpint(fd, >=, 0);
  exchange(fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  close(listener);
  g_assert_cmpint(vsock_hybrid_connect(hybrid, UINT32_MAX - 1), ==, -1);
  g_assert_cmpint(errno, ==, ECONNREFUSED);
  vsock_hybrid_free(hybrid);
  vsock_hybrid_free(NULL);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  directory_free(directory);
}

/* Nobody is waited for: neither by a backlog that is full. */
static void test_full_backlog(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);
  VsockHybrid *hybrid = make(path);
  int listener = listen_in(directory, "vm_1"), fds[8];
  unsigned n = 0;

  while (n < G_N_ELEMENTS(fds) && (fds[n] = vsock_hybrid_connect(hybrid, 1)) >= 0)
    n++;
  g_assert_cmpint(errno, ==, EAGAIN);
  while (n > 0)
    close(fds[--n]);
  close(listener);
  vsock_hybrid_free(hybrid);
  directory_free(directory);
}

static void test_path_is_taken(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);
  VsockHybrid *hybrid = make(path);

  assert_refused(path, VSOCK_HYBRID_ERROR_IN_USE, "another process serves");
  /* It is the first one's still, though someone came who would have liked it. */
  close(connect_in(directory, "vm"));
  vsock_hybrid_free(hybrid);
  hybrid = make(path);
  vsock_hybrid_free(hybrid);
  directory_free(directory);
}

static void test_left_over(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);

  close(listen_in(directory, "vm"));
  g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
  VsockHybrid *hybrid = make(path);
  meet(directory, "vm", hybrid);
  vsock_hybrid_free(hybrid);

  /* What is no socket is somebody's, and stays. */
  directory_write(directory, "vm", "text");
  assert_refused(path, VSOCK_HYBRID_ERROR_PATH, "is no socket");
  g_assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
  g_unlink(path);
  g_assert_cmpint(symlink("/nowhere/at/all", path), ==, 0);
  assert_refused(path, VSOCK_HYBRID_ERROR_PATH, "is no socket");
  directory_free(directory);
}

static void test_removes_its_own(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);
  VsockHybrid *hybrid = make(path);

  g_unlink(path);
  VsockHybrid *second = make(path);
  vsock_hybrid_free(hybrid);
  meet(directory, "vm", second);
  vsock_hybrid_free(second);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  directory_free(directory);
}

static void test_long_path(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *deep = g_strconcat(directory, "/", "a-directory-whose-name-is-long-enough-that-no-socket's-address-has-room-for-it",
                                      "/and-another-one-below-it-as-if-that-had-not-been-enough", NULL);
  g_autofree char *path = g_build_filename(deep, "vm", NULL);
  g_autofree char *too_long = g_strdup_printf("%s/%090d", deep, 0);

  g_assert_cmpint(g_mkdir_with_parents(deep, 0700), ==, 0);
  VsockHybrid *hybrid = make(path);
  meet(deep, "vm", hybrid);
  int listener = listen_in(deep, "vm_4000000000");
  int fd = vsock_hybrid_connect(hybrid, 4000000000);
  exchange(fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  close(listener);
  assert_refused(path, VSOCK_HYBRID_ERROR_IN_USE, "another process serves");
  vsock_hybrid_free(hybrid);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  assert_refused(too_long, VSOCK_HYBRID_ERROR_PATH, "no path for vsock's sockets");

  /* With room for the name, but not for each port behind it, it is the same. */
  for (size_t size = 90; size < 110; size++) {
    g_autofree char *name = g_strnfill(size - strlen(directory) - 1, 'x');
    g_autofree char *just = g_build_filename(directory, name, NULL);
    g_autofree char *port = g_strconcat(name, "_4294967290", NULL);
    hybrid = vsock_hybrid_new(just, NULL);
    if (!hybrid)
      continue;
    meet(directory, name, hybrid);
    listener = listen_in(directory, port);
    fd = vsock_hybrid_connect(hybrid, 4294967290);
    exchange(fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    close(listener);
    vsock_hybrid_free(hybrid);
  }
  directory_free(directory);
}

static void test_no_path(void) {
  g_autofree char *directory = directory_new(), *slash = g_strconcat(directory, "/", NULL);

  assert_refused("", VSOCK_HYBRID_ERROR_PATH, "no path for vsock's sockets");
  assert_refused(slash, VSOCK_HYBRID_ERROR_PATH, "no path for vsock's sockets");
  assert_refused("/no/such/directory/vm", VSOCK_HYBRID_ERROR_PATH, "No such file");
  assert_refused("/dev/null/vm", VSOCK_HYBRID_ERROR_PATH, "Not a directory");
  assert_refused(directory, VSOCK_HYBRID_ERROR_PATH, "is no socket");
  directory_free(directory);
}

/* A name that is said to do does with every port, wherever its directory is. */
static void test_longest_name(void) {
  enum { NAME_MAX_ = 71 };
  g_autofree char *directory = directory_new(), *deep_name = g_strnfill(100, 'd'), *name = g_strnfill(NAME_MAX_, 'n');
  g_autofree char *deep = g_build_filename(directory, deep_name, NULL), *path = g_build_filename(deep, name, NULL);
  g_autofree char *longer = g_strconcat(path, "n", NULL);

  g_assert_cmpint(mkdir(deep, 0700), ==, 0);
  g_autofree char *good = vsock_hybrid_explain_path(path), *bad = vsock_hybrid_explain_path(longer);
  g_assert_null(good);
  g_assert_cmpstr(bad, ==, "the name is too long for sockets, one for each port: 72 bytes, and 71 are possible");
  assert_refused(longer, VSOCK_HYBRID_ERROR_PATH, bad);
  g_autoptr(GError) error = NULL;
  VsockHybrid *hybrid = vsock_hybrid_new(path, &error);
  g_assert_no_error(error);
  g_assert_cmpint(vsock_hybrid_connect(hybrid, UINT32_MAX - 1), ==, -1);
  g_assert_cmpint(errno, ==, ENOENT); /* nobody listens; no name that is too long */
  vsock_hybrid_free(hybrid);
  g_assert_cmpint(rmdir(deep), ==, 0);
  directory_free(directory);
}

static void test_somebody_elses_lock(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
  VsockHybrid *hybrid = make(path);
  g_assert_cmpint(flock(fd, LOCK_UN), ==, 0);
  g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), ==, 0); /* it keeps none */
  close(fd);
  vsock_hybrid_free(hybrid);
  directory_free(directory);
}

static void *compete(void *path) {
  return vsock_hybrid_new(path, NULL);
}

/* Of two that find the same left-over socket, one gets the path, and keeps it. */
static void test_race(void) {
  g_autofree char *directory = directory_new(), *path = g_build_filename(directory, "vm", NULL);

  for (unsigned i = 0; i < 100; i++) {
    close(listen_in(directory, "vm"));
    GThread *thread = g_thread_new("compete", compete, path);
    VsockHybrid *mine = compete(path), *theirs = g_thread_join(thread);
    g_assert_true((mine != NULL) != (theirs != NULL));
    VsockHybrid *winner = mine ? mine : theirs;
    int client = connect_in(directory, "vm"), fd, last = -1;
    g_assert_cmpint(client, >=, 0);
    /* Who asked whether anybody is there may be in front. */
    while ((fd = vsock_hybrid_accept(winner)) >= 0) {
      if (last >= 0)
        close(last);
      last = fd;
    }
    exchange(client, last);
    vsock_hybrid_free(winner);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  }
  directory_free(directory);
}

/* The line. */

static void test_lines(void) {
  static const struct {
    const char *text;
    VsockLine line;
    uint32_t port;
    const char *rest;
  } rows[] = {
      {"CONNECT 52\n", VSOCK_LINE_GOOD, 52, ""},
      {"connect 52\r\n", VSOCK_LINE_GOOD, 52, ""},
      {"CONNECT 0\n", VSOCK_LINE_GOOD, 0, ""},
      {"CONNECT 4294967294\n", VSOCK_LINE_GOOD, UINT32_MAX - 1, ""},
      {"CONNECT 1024\nhello\n", VSOCK_LINE_GOOD, 1024, "hello\n"},
      {"CONNECT 1024\nand very much more than a line has room for, in one go", VSOCK_LINE_GOOD, 1024,
       "and very much more than a line has room for, in one go"},
      {"CONNECT 4294967295\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 4294967296\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 99999999999999999999\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT -1\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT +1\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 1 2\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT  1\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 1 \n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 0x10\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT \n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT\n", VSOCK_LINE_BAD, 0, NULL},
      {"\n", VSOCK_LINE_BAD, 0, NULL},
      {"\r\n", VSOCK_LINE_BAD, 0, NULL},
      {"LISTEN 1\n", VSOCK_LINE_BAD, 0, NULL},
      {"GET / HTTP/1.1\r\n", VSOCK_LINE_BAD, 0, NULL},
      {"CONNECT 1", VSOCK_LINE_INCOMPLETE, 0, NULL},
      {"C", VSOCK_LINE_INCOMPLETE, 0, NULL},
      {"CONNECT 000000000000000000000001", VSOCK_LINE_BAD, 0, NULL},
      {"a line that has no end, or none soon", VSOCK_LINE_BAD, 0, NULL},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
    uint32_t port = 0;
    char rest[100] = "";
    int fds[2];

    g_test_message("%s", rows[i].text);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    g_assert_cmpint(write(fds[0], rows[i].text, strlen(rows[i].text)), ==, (ssize_t)strlen(rows[i].text));
    g_assert_cmpint(vsock_hybrid_read_line(fds[1], false, &port), ==, rows[i].line);
    if (rows[i].line == VSOCK_LINE_GOOD) {
      g_assert_cmpuint(port, ==, rows[i].port);
      g_assert_cmpint(read(fds[1], rest, sizeof rest - 1), ==, *rows[i].rest ? (ssize_t)strlen(rows[i].rest) : -1);
      g_assert_cmpstr(rest, ==, rows[i].rest);
    }
    if (rows[i].line == VSOCK_LINE_INCOMPLETE)
      g_assert_cmpint(vsock_hybrid_read_line(fds[1], true, &port), ==, VSOCK_LINE_BAD);
    close(fds[0]);
    if (rows[i].line != VSOCK_LINE_GOOD)
      g_assert_cmpint(vsock_hybrid_read_line(fds[1], true, &port), ==, VSOCK_LINE_BAD);
    close(fds[1]);
  }
}

/* A byte with a zero is no end of a line. */
static void test_zero_in_line(void) {
  uint32_t port;
  int fds[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_cmpint(write(fds[0], "CONNECT 1\0002\n", 12), ==, 12);
  g_assert_cmpint(vsock_hybrid_read_line(fds[1], false, &port), ==, VSOCK_LINE_BAD);
  close(fds[0]);
  close(fds[1]);
}

static void test_split_line(void) {
  static const char text[] = "CONNECT 4294967294\n";
  uint32_t port = 0;
  int fds[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  for (unsigned i = 0; i < sizeof text - 1; i++) {
    g_assert_cmpint(vsock_hybrid_read_line(fds[1], false, &port), ==, VSOCK_LINE_INCOMPLETE);
    g_assert_cmpint(write(fds[0], text + i, 1), ==, 1);
  }
  g_assert_cmpint(vsock_hybrid_read_line(fds[1], false, &port), ==, VSOCK_LINE_GOOD);
  g_assert_cmpuint(port, ==, UINT32_MAX - 1);
  close(fds[0]);
  close(fds[1]);
}

static void test_answer(void) {
  char line[32] = "";
  int fds[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  g_assert_true(vsock_hybrid_answer(fds[0], 1073741824));
  g_assert_cmpint(read(fds[1], line, sizeof line - 1), ==, 14);
  g_assert_cmpstr(line, ==, "OK 1073741824\n");
  close(fds[1]);
  g_assert_false(vsock_hybrid_answer(fds[0], 1)); /* and no SIGPIPE */
  close(fds[0]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vsock-hybrid/accepts-and-connects", test_accepts_and_connects);
  g_test_add_func("/vsock-hybrid/full-backlog", test_full_backlog);
  g_test_add_func("/vsock-hybrid/path-is-taken", test_path_is_taken);
  g_test_add_func("/vsock-hybrid/left-over", test_left_over);
  g_test_add_func("/vsock-hybrid/removes-its-own", test_removes_its_own);
  g_test_add_func("/vsock-hybrid/long-path", test_long_path);
  g_test_add_func("/vsock-hybrid/longest-name", test_longest_name);
  g_test_add_func("/vsock-hybrid/no-path", test_no_path);
  g_test_add_func("/vsock-hybrid/somebody-elses-lock", test_somebody_elses_lock);
  g_test_add_func("/vsock-hybrid/race", test_race);
  g_test_add_func("/vsock-hybrid/lines", test_lines);
  g_test_add_func("/vsock-hybrid/zero-in-line", test_zero_in_line);
  g_test_add_func("/vsock-hybrid/split-line", test_split_line);
  g_test_add_func("/vsock-hybrid/answer", test_answer);
  return g_test_run();
}
