/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strchrnul */
/*
 * `last` is, beside the guard of raw-mode.c, the mutable object at file scope: standard error is one for the process,
 * and messages come from everywhere, GLib's log among them, which are given nothing else to find it by.
 *
 * Locks: `last.lock` guards the object, and is held while something is written: only what does not block for long, but
 * for a message that may wait.
 */
#include "devices/backend/message.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"
#define PIECE_MAX  4096 /* PIPE_BUF: this much a pipe takes without blocking when poll says that it takes anything */

static struct {
  GMutex lock;
  bool open;   /* a line of somebody's is not finished */
  bool status; /* it is one that can be cleared */
  bool lost;   /* the last message was not taken in time: the next does not wait again */
} last;

/* A terminal has several names, /dev/tty among them. */
static bool same_terminal(int a, int b) {
  unsigned number_a, number_b;

  return isatty(a) && isatty(b) && ioctl(a, TIOCGDEV, &number_a) == 0 && ioctl(b, TIOCGDEV, &number_b) == 0 && number_a == number_b;
}

bool message_shares(int fd) {
  struct stat ours, theirs;

  if (fd < 0 || fstat(fd, &theirs) < 0 || fstat(STDERR_FILENO, &ours) < 0)
    return false;
  return (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) || same_terminal(fd, STDERR_FILENO);
}

/* A carriage return alone leaves a line as empty or as full as it is. */
static void note_end(const char *bytes, size_t size) {
  while (size && bytes[size - 1] == '\r')
    size--;
  if (size)
    last.open = bytes[size - 1] != '\n';
  last.status = false;
}

ssize_t message_write_beside(int fd, const void *bytes, size_t size, ssize_t (*write_bytes)(int fd, const void *bytes, size_t size)) {
  g_mutex_lock(&last.lock);
  ssize_t written = write_bytes(fd, bytes, size);
  int saved_errno = errno;
  if (written > 0)
    note_end(bytes, (size_t)written);
  g_mutex_unlock(&last.lock);
  errno = saved_errno;
  return written;
}

/*
 * In pieces, each of which poll has announced, so that a limit can be kept without changing the descriptor, which
 * others share.
 */
static bool write_all(const char *text, size_t size, int timeout_ms) {
  while (size) {
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    int polled = timeout_ms < 0 ? 1 : poll(&ready, 1, timeout_ms);
    if (polled < 0 && errno == EINTR)
      continue;
    if (polled <= 0)
      return false;
    ssize_t written = write(STDERR_FILENO, text, MIN(size, PIECE_MAX));
    if (written < 0 && errno != EINTR && errno != EAGAIN)
      return false;
    if (written < 0 && errno == EAGAIN)
      poll(&ready, 1, timeout_ms);
    if (written > 0) {
      text += written;
      size -= (size_t)written;
    }
  }
  return true;
}

static void append_line_end(GString *out, bool terminal) {
  g_string_append(out, terminal ? "\r\n" : "\n");
}

void message_say(const char *text, int timeout_ms) {
  bool terminal = isatty(STDERR_FILENO);
  g_autoptr(GString) out = g_string_new(NULL);

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&last.lock);
  if (last.open && last.status)
    g_string_append(out, CLEAR_LINE);
  else if (last.open)
    append_line_end(out, terminal);
  for (const char *next = text, *end; *next; next = *end ? end + 1 : end) {
    end = strchrnul(next, '\n');
    g_string_append_len(out, next, end - next);
    append_line_end(out, terminal);
  }
  last.open = last.status = false;
  last.lost = !write_all(out->str, out->len, last.lost ? MIN(timeout_ms, 0) : timeout_ms);
}

void message_show_status(const char *text) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&last.lock);
  g_autofree char *line = g_strconcat(last.open && !last.status ? "\n" : "", CLEAR_LINE, text, NULL);
  last.open = last.status = text && *text;
  write_all(line, strlen(line), -1);
}
