/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages beside a guest's output: devices/backend/message.c and terminal.c, on pipes, files and pseudo-terminals in
 * the place of standard error.
 */
#define _GNU_SOURCE /* memfd_create */
#include "devices/backend/message.h"

#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/terminal.h"

static void on_event(TerminalEvent event, void *opaque) {
}

/* Standard error is FD, until it is put back. */
static int replace_stderr(int fd) {
  int saved = dup(STDERR_FILENO);

  g_assert_cmpint(saved, >=, 0);
  g_assert_cmpint(dup2(fd, STDERR_FILENO), ==, STDERR_FILENO);
  return saved;
}

static void put_back(int saved) {
  g_assert_cmpint(dup2(saved, STDERR_FILENO), ==, STDERR_FILENO);
  close(saved);
}

static void guest_writes(CharBackend *guest, const char *text) {
  g_assert_cmpuint(char_backend_write(guest, (const uint8_t *)text, strlen(text)), ==, strlen(text));
  g_assert_true(terminal_flush(guest, 1000));
}

/* A terminal hands on what was written in pieces, and a little later. */
static void assert_reads(int fd, const char *wanted) {
  char bytes[1024];
  size_t size = 0;

  do {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&ready, 1, 5000) == 1 ? read(fd, bytes + size, sizeof bytes - size) : 0;
    g_assert_cmpint(n, >=, 0);
    if (n == 0)
      break;
    size += (size_t)n;
  } while (size < strlen(wanted));
  g_assert_cmpmem(bytes, size, wanted, strlen(wanted));
}

/* What a guest and eret write, and what arrives; '!' begins a message. */
static const struct {
  const char *pieces[6], *shared;
} stories[] = {
    {{"login: ", "!eret: stopped\n"}, "login: \neret: stopped\n"},
    {{"a line\n", "!eret: stopped\n"}, "a line\neret: stopped\n"},
    {{"a line\r\n\r", "!eret: stopped\n"}, "a line\r\n\reret: stopped\n"},
    {{"half\r", "!eret: stopped\n"}, "half\r\neret: stopped\n"},
    {{"half", "\r", "!eret: one\neret: two\n", "!eret: three\n"}, "half\r\neret: one\neret: two\neret: three\n"},
    {{"half", "!eret: in between\n", " and the rest", "!eret: again\n", "\n"}, "half\neret: in between\n and the rest\neret: again\n\n"},
    {{"!eret: first\n", "guest\n"}, "eret: first\nguest\n"},
};

static void tell(CharBackend *guest, unsigned i) {
  for (unsigned n = 0; n < G_N_ELEMENTS(stories[i].pieces) && stories[i].pieces[n]; n++) {
    if (stories[i].pieces[n][0] == '!')
      message_say(stories[i].pieces[n] + 1, -1);
    else
      guest_writes(guest, stories[i].pieces[n]);
  }
}

static void test_shared(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(stories); i++) {
    int fds[2];
    g_assert_cmpint(pipe(fds), ==, 0);
    int saved = replace_stderr(fds[1]);
    g_assert_true(message_shares(fds[1]));
    message_say("eret: begins\n", -1);
    CharBackend *guest = terminal_new_stream(-1, fds[1], on_event, NULL);
    tell(guest, i);
    char_backend_free(guest);
    put_back(saved);
    g_autofree char *wanted = g_strconcat("eret: begins\n", stories[i].shared, NULL);
    assert_reads(fds[0], wanted);
    close(fds[0]);
    close(fds[1]);
  }
}

/* A file that was opened twice, and one that was not. */
static void test_file(void) {
  int file = memfd_create("shared", MFD_CLOEXEC), other = memfd_create("other", MFD_CLOEXEC);
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", file);
  int saved = replace_stderr(file), again = open(path, O_RDWR | O_CLOEXEC);

  g_assert_true(message_shares(again));
  g_assert_false(message_shares(other));
  g_assert_false(message_shares(-1));
  put_back(saved);
  close(again);
  close(file);
  close(other);
}

/* Not shared: each has its own bytes, and nothing else. */
static void test_apart(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(stories); i++) {
    g_autoptr(GString) guests = g_string_new(NULL), messages = g_string_new(NULL);
    int out[2], err[2];
    g_assert_cmpint(pipe(out), ==, 0);
    g_assert_cmpint(pipe(err), ==, 0);
    int saved = replace_stderr(err[1]);
    g_assert_false(message_shares(out[1]));
    CharBackend *guest = terminal_new_stream(-1, out[1], on_event, NULL);
    tell(guest, i);
    char_backend_free(guest);
    put_back(saved);
    for (unsigned n = 0; n < G_N_ELEMENTS(stories[i].pieces) && stories[i].pieces[n]; n++)
      g_string_append(stories[i].pieces[n][0] == '!' ? messages : guests, stories[i].pieces[n] + (stories[i].pieces[n][0] == '!'));
    assert_reads(out[0], guests->str);
    assert_reads(err[0], messages->str);
    for (unsigned n = 0; n < 2; n++) {
      close(out[n]);
      close(err[n]);
    }
  }
}

/* In raw mode the terminal does not return the carriage by itself. */
static void test_terminal(void) {
  struct termios mode;
  int master, slave;

  g_assert_cmpint(openpty(&master, &slave, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint(tcgetattr(slave, &mode), ==, 0);
  cfmakeraw(&mode);
  g_assert_cmpint(tcsetattr(slave, TCSANOW, &mode), ==, 0);
  int saved = replace_stderr(slave);
  CharBackend *guest = terminal_new_stream(-1, slave, on_event, NULL);
  guest_writes(guest, "login: ");
  message_say("eret: one\neret: two\n", -1);
  message_show_status("1/3  1 passed");
  message_say("eret: three\n", -1);
  message_show_status("2/3  2 passed");
  message_show_status("3/3  3 passed");
  message_show_status(NULL);
  message_say("eret: four\n", -1);
  char_backend_free(guest);
  put_back(saved);
  assert_reads(master,
               "login: \r\neret: one\r\neret: two\r\n\r\033[K1/3  1 passed\r\033[Keret: three\r\n\r\033[K2/3  2 passed\r\033[K3/3  3 passed"
               "\r\033[Keret: four\r\n");
  close(master);
  close(slave);
}

/* A reader who takes nothing costs one wait, not one a message; when it takes again, messages come again. */
static void test_stalled(void) {
  g_autofree char *much = g_strnfill(1 << 20, 'x');
  g_autofree char *bytes = g_malloc(1 << 20);
  int fds[2];

  g_assert_cmpint(pipe(fds), ==, 0);
  int saved = replace_stderr(fds[1]);
  int64_t begin = g_get_monotonic_time();
  message_say(much, 300);
  for (unsigned i = 0; i < 100; i++)
    message_say("eret: who hears me?\n", 300);
  int64_t waited = g_get_monotonic_time() - begin;
  g_assert_cmpint(fcntl(fds[0], F_SETFL, O_NONBLOCK), ==, 0);
  while (read(fds[0], bytes, 1 << 20) > 0)
    ;
  message_say("eret: again\n", 300);
  put_back(saved);
  g_assert_cmpint(waited, >=, 250000);
  g_assert_cmpint(waited, <, 3000000);
  close(fds[1]);
  ssize_t size = read(fds[0], bytes, 1 << 20);
  g_assert_cmpint(size, >=, 12);
  g_assert_cmpmem(bytes + size - 12, 12, "eret: again\n", 12);
  close(fds[0]);
}

/* Messages of other threads between a guest's lines: no line is cut, neither theirs nor the guest's. */
static gpointer say_much(gpointer data) {
  for (unsigned i = 0; i < 300; i++)
    message_say("eret: of another thread\n", -1);
  return NULL;
}

static void test_threads(void) {
  int file = memfd_create("shared", MFD_CLOEXEC);
  g_assert_cmpint(fcntl(file, F_SETFL, O_APPEND), ==, 0);
  int saved = replace_stderr(file);
  CharBackend *guest = terminal_new_stream(-1, file, on_event, NULL);
  GThread *thread = g_thread_new("says", say_much, NULL);

  for (unsigned i = 0; i < 300; i++)
    guest_writes(guest, i % 3 ? "a line of the guest\n" : "half ");
  g_thread_join(thread);
  char_backend_free(guest);
  put_back(saved);
  g_autofree char *text = g_malloc0(1 << 20);
  g_assert_cmpint(pread(file, text, (1 << 20) - 1, 0), >, 0);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  unsigned ours = 0;
  for (unsigned i = 0; lines[i]; i++) {
    ours += strcmp(lines[i], "eret: of another thread") == 0;
    g_assert_true(!strstr(lines[i], "eret") || g_str_has_prefix(lines[i], "eret: of another thread"));
  }
  g_assert_cmpuint(ours, ==, 300);
  close(file);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/message/shared", test_shared);
  g_test_add_func("/message/file", test_file);
  g_test_add_func("/message/apart", test_apart);
  g_test_add_func("/message/terminal", test_terminal);
  g_test_add_func("/message/stalled", test_stalled);
  g_test_add_func("/message/threads", test_threads);
  return g_test_run();
}
