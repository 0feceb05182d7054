/* SPDX-License-Identifier: Apache-2.0 */
/* Opening does not wait, what comes after it does; and a write is a whole one. */
#define _GNU_SOURCE
#include "devices/backend/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"

#define SIZE (1024 * 1024) /* more than a pipe holds */

typedef struct {
  char *directory, *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->path = g_build_filename(fixture->directory, "fifo", NULL);
  g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->path);
}

static void assert_waits(int fd) {
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmphex(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, 0);
  g_assert_cmphex(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
}

static void test_open(Fixture *fixture, gconstpointer data) {
  g_autofree char *nothing = g_build_filename(fixture->directory, "nothing", NULL);

  g_assert_cmpint(descriptor_open(fixture->path, O_WRONLY), ==, -1);
  g_assert_cmpint(errno, ==, ENXIO);
  int reader = descriptor_open(fixture->path, O_RDONLY);
  assert_waits(reader);
  int writer = descriptor_open(fixture->path, O_WRONLY);
  assert_waits(writer);
  g_assert_cmpint(descriptor_open(nothing, O_RDONLY), ==, -1);
  g_assert_cmpint(errno, ==, ENOENT);
  close(reader);
  close(writer);
}

static gpointer read_all(gpointer opaque) {
  GByteArray *got = g_byte_array_new();
  guint8 buffer[4096];
  ssize_t n;

  while ((n = read(GPOINTER_TO_INT(opaque), buffer, sizeof buffer)) > 0)
    g_byte_array_append(got, buffer, (guint)n);
  return got;
}

static void test_write(gconstpointer data) {
  g_autofree char *bytes = g_malloc(SIZE);
  int fds[2];

  for (unsigned i = 0; i < SIZE; i++)
    bytes[i] = (char)(i * 7 >> 3);
  g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
  if (GPOINTER_TO_INT(data))
    g_assert_cmpint(fcntl(fds[1], F_SETFL, O_NONBLOCK), ==, 0);
  GThread *reader = g_thread_new("reader", read_all, GINT_TO_POINTER(fds[0]));
  g_assert_true(descriptor_write(fds[1], bytes, SIZE));
  close(fds[1]);
  g_autoptr(GByteArray) got = g_thread_join(reader);
  g_assert_cmpmem(got->data, got->len, bytes, SIZE);
  close(fds[0]);
}

static void test_nobody_reads(void) {
  int fds[2];

  g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
  close(fds[0]);
  signal(SIGPIPE, SIG_IGN);
  g_assert_true(descriptor_write(fds[1], "", 0));
  g_assert_false(descriptor_write(fds[1], "x", 1));
  g_assert_cmpint(errno, ==, EPIPE);
  close(fds[1]);
}

/* Of those that have no size: one that is empty, one that is not, and one that is waited for, whatever it has now. */
static void test_made_as_read(Fixture *fixture, gconstpointer data) {
  static const char *const made[] = {"/proc/self/status", "/proc/kmsg"};
  g_autofree char *empty = g_build_filename(fixture->directory, "empty", NULL);
  int fd = open(empty, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  char text[4096];

  g_assert_cmpint(fd, >=, 0);
  g_assert_false(descriptor_is_made_as_read(fd));
  close(fd);
  for (unsigned i = 0; i < G_N_ELEMENTS(made); i++) {
    if ((fd = open(made[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0) /* it is root's */
      continue;
    g_assert_true(descriptor_is_made_as_read(fd));
    while (read(fd, text, sizeof text) > 0) /* until it would be waited for, or its end */
      ;
    g_assert_true(descriptor_is_made_as_read(fd));
    close(fd);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/descriptor/open", Fixture, NULL, set_up, test_open, tear_down);
  g_test_add_data_func("/descriptor/write", GINT_TO_POINTER(0), test_write);
  g_test_add_data_func("/descriptor/write-non-blocking", GINT_TO_POINTER(1), test_write);
  g_test_add_func("/descriptor/nobody-reads", test_nobody_reads);
  g_test_add("/descriptor/made-as-read", Fixture, NULL, set_up, test_made_as_read, tear_down);
  return g_test_run();
}
