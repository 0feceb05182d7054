/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring, written by any thread and emptied by the main loop, which is woken only when the ring was empty before. The
 * user's descriptor keeps its flags, as others share them (O_NONBLOCK would outlive us); so that a reader who stalls
 * cannot stall the main loop, a terminal or pipe is opened a second time for writing without blocking, and where that
 * fails writes are small and wait for poll(2). What cannot block is written without asking poll first.
 */
#include "devices/backend/terminal-output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/message.h"

size_t terminal_output_put(TerminalOutput *self, const uint8_t *bytes, size_t size, bool wake_when_full, bool *wake) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

  *wake = false;
  if (self->vanish) {
    self->taken += size;
    return size;
  }
  if (!self->ring)
    self->ring = g_malloc(TERMINAL_OUTPUT_SIZE);
  size_t taken = MIN(size, TERMINAL_OUTPUT_SIZE - self->size);
  size_t end = (self->start + self->size) % TERMINAL_OUTPUT_SIZE;
  size_t first = MIN(taken, TERMINAL_OUTPUT_SIZE - end);
  memcpy(self->ring + end, bytes, first);
  memcpy(self->ring, bytes + first, taken - first);
  *wake = (taken && !self->size) || (wake_when_full && taken < size && !self->refused);
  self->size += taken;
  self->taken += taken;
  self->refused |= taken < size;
  return taken;
}

size_t terminal_output_waiting(TerminalOutput *self) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
  return self->size;
}

bool terminal_output_is_full(TerminalOutput *self) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
  return self->refused;
}

/* A reader that has gone, or a file at the process's limit, is an error code and not the end of the process. */
ssize_t terminal_output_write(int fd, const void *bytes, size_t size) {
  static const struct timespec no_wait = {0};
  sigset_t signals, before;
  ssize_t written;
  int saved_errno;

  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  written = write(fd, bytes, size);
  saved_errno = errno;
  if (written < 0 && (saved_errno == EPIPE || saved_errno == EFBIG)) {
    sigdelset(&signals, saved_errno == EPIPE ? SIGXFSZ : SIGPIPE);
    if (!sigismember(&before, saved_errno == EPIPE ? SIGPIPE : SIGXFSZ))
      sigtimedwait(&signals, NULL, &no_wait);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = saved_errno;
  return written;
}

static void lose(TerminalOutput *self) {
  self->error = errno;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
  self->vanish = true;
  self->size = 0;
  self->gone = true;
}

/* The bytes at the ring's front, in one piece. They stay where they are: other threads only append. */
static size_t front(TerminalOutput *self, const uint8_t **bytes) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

  *bytes = self->ring + self->start;
  return MIN(MIN(self->size, TERMINAL_OUTPUT_SIZE - self->start), self->write_max);
}

/* Drops SIZE bytes from the front; whether a front end waits for room and there is enough of it to be worth the way. */
static bool advance(TerminalOutput *self, size_t size) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

  self->start = (self->start + size) % TERMINAL_OUTPUT_SIZE;
  self->size -= size;
  bool announce = self->refused && self->size <= TERMINAL_OUTPUT_SIZE / 2;
  self->refused &= !announce;
  return announce;
}

size_t terminal_output_drain(TerminalOutput *self, bool *room) {
  const uint8_t *bytes;
  size_t size = front(self, &bytes);

  *room = false;
  if (!size)
    return 0;
  ssize_t written = self->shares ? message_write_beside(self->write_fd, bytes, size, terminal_output_write)
                                 : terminal_output_write(self->write_fd, bytes, size);
  /* A full disk (ENOSPC) or a file at its limit will not get better either; the guest must not hang over it. */
  if (written < 0 && errno != EAGAIN && errno != EINTR)
    lose(self);
  written = MAX(written, 0);
  self->full = (size_t)written < size;
  *room = written > 0 ? advance(self, (size_t)written) : self->gone;
  return (size_t)written;
}

/* A standard output that was closed is open for reading alone: a guest may run with nobody there for its output. */
static bool is_writable(int fd) {
  int flags = fcntl(fd, F_GETFL);

  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static bool is_pty_master(int fd) {
  unsigned number;

  return ioctl(fd, TIOCGPTN, &number) == 0;
}

/*
 * A description of the output's file of our own can be non-blocking without anybody noticing. Not for regular files:
 * they never block, and their offset is part of the description.
 */
static void open_for_writing(TerminalOutput *self) {
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", self->fd);
  struct stat status;
  int own = -1;

  self->write_fd = self->fd;
  self->write_max = PIPE_BUF;
  self->shares = message_shares(self->fd);
  if (fstat(self->fd, &status) < 0)
    return;
  if (S_ISFIFO(status.st_mode) || (self->is_terminal && !is_pty_master(self->fd)))
    own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own >= 0)
    self->write_fd = own;
  self->never_blocks = own >= 0 || S_ISREG(status.st_mode);
  if (self->never_blocks)
    self->write_max = TERMINAL_OUTPUT_SIZE;
}

void terminal_output_init(TerminalOutput *self, int fd) {
  g_mutex_init(&self->lock);
  self->fd = fd;
  self->is_terminal = isatty(fd);
  self->vanish = !is_writable(fd);
  open_for_writing(self);
}

void terminal_output_clear(TerminalOutput *self) {
  if (self->write_fd != self->fd)
    close(self->write_fd);
  g_free(self->ring);
  g_mutex_clear(&self->lock);
}
