/* SPDX-License-Identifier: Apache-2.0 */
/* --verbose with readers that are slow, stand still, or go away: vmm/exec/console-show.c. */
#include "vmm/exec/console-show.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LIMIT (1024 * 1024)
#define LINE  "[    1.234567] a line of a kernel that says much\n"

static void read_some(int fd, GString *to) {
  char bytes[65536];
  ssize_t size = read(fd, bytes, sizeof bytes);

  if (size > 0)
    g_string_append_len(to, bytes, size);
}

static void make_pipe(int fds[2]) {
  g_assert_cmpint(pipe(fds), ==, 0);
  g_assert_cmpint(fcntl(fds[0], F_SETFL, O_NONBLOCK), ==, 0);
}

/* More than pipe and buffer hold, in large pieces and small ones: nothing is lost and nothing changes its place. */
static void test_slow(void) {
  g_autoptr(GString) written = g_string_new(NULL), seen = g_string_new(NULL);
  int fds[2];

  make_pipe(fds);
  ConsoleShow *show = console_show_new(fds[1], LIMIT);
  for (unsigned i = 0; i < 10000; i++)
    g_string_append_printf(written, "%u " LINE, i);
  for (size_t done = 0, piece = 1; done < written->len; done += piece, piece = piece % 300000 * 3 + 1) {
    piece = MIN(piece, written->len - done);
    console_show_write(show, written->str + done, piece);
  }
  while (!console_show_flush(show, 10))
    read_some(fds[0], seen);
  close(fds[1]);
  console_show_free(show);
  for (size_t before = G_MAXSIZE; before != seen->len;) {
    before = seen->len;
    read_some(fds[0], seen);
  }
  g_assert_cmpmem(seen->str, seen->len, written->str, written->len);
  close(fds[0]);
}

/*
 * Ten times what may wait, and nobody reads: writing does not wait, memory is bounded, and the gap is named where it
 * is.
 */
static void test_stalled(void) {
  g_autoptr(GString) seen = g_string_new(NULL);
  int fds[2];

  make_pipe(fds);
  ConsoleShow *show = console_show_new(fds[1], LIMIT);
  int64_t begin = g_get_monotonic_time();
  for (unsigned i = 0; i < 10 * LIMIT / strlen(LINE); i++) {
    console_show_write(show, LINE, strlen(LINE));
    if (i % 1000 == 0)
      g_main_context_iteration(NULL, FALSE);
  }
  g_assert_false(console_show_flush(show, 10));
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 100 * G_USEC_PER_SEC);
  while (!console_show_flush(show, 10))
    read_some(fds[0], seen);
  console_show_write(show, "after\n", 6);
  g_assert_true(console_show_flush(show, 1000));
  read_some(fds[0], seen);
  const char *gap = strstr(seen->str, " bytes of the kernel's console were left out here: standard error was not read\n");
  g_assert_nonnull(gap);
  g_assert_null(strstr(gap + 1, " bytes of the kernel"));
  g_assert_true(g_str_has_suffix(seen->str, "was not read\nafter\n"));
  g_assert_cmpuint(seen->len, >=, LIMIT);
  g_assert_cmpuint(seen->len, <, 2 * LIMIT);
  console_show_free(show);
  close(fds[0]);
  close(fds[1]);
}

static void test_gone(void) {
  int fds[2];

  make_pipe(fds);
  ConsoleShow *show = console_show_new(fds[1], LIMIT);
  close(fds[0]);
  for (unsigned i = 0; i < 10 * LIMIT / strlen(LINE); i++)
    console_show_write(show, LINE, strlen(LINE));
  g_assert_true(console_show_flush(show, 1000));
  console_show_free(show);
  close(fds[1]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/console-show/slow", test_slow);
  g_test_add_func("/console-show/stalled", test_stalled);
  g_test_add_func("/console-show/gone", test_gone);
  return g_test_run();
}
