/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw mode, and the promise that the terminal comes back whatever ends the process: raw_mode_leave, exit(3) (by
 * on_exit; atexit comes from a part of the C library that is linked statically, and has no BTI in Debian 12), and every
 * signal that would end it (by a handler that restores and then lets the signal do what it did before). A stop
 * (SIGTSTP) restores too, and SIGCONT goes raw again; a process in the background leaves the terminal alone, as it then
 * belongs to the shell. Only SIGKILL and SIGSTOP cannot be seen. tcsetattr and tcgetpgrp are async-signal-safe
 * (signal-safety(7)). See termios(3).
 *
 * `guard` is a mutable object at file scope: a signal handler is given nothing else to find the terminal by.
 * It is written on the main thread, before the handlers are installed and after they are gone.
 *
 * Locks: none.
 */
#include "devices/backend/raw-mode.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static void on_ending(int number, siginfo_t *info, void *context);
static void on_stop(int number, siginfo_t *info, void *context);
static void on_continue(int number, siginfo_t *info, void *context);

/*
 * The signals that end or stop a process by default. Faults are taken over even from another handler, which then gets
 * its turn.
 */
static const struct {
  int number;
  bool fault;
  void (*handler)(int number, siginfo_t *info, void *context);
} watched[] = {
    {SIGSEGV, true, on_ending},    {SIGBUS, true, on_ending},   {SIGILL, true, on_ending},   {SIGFPE, true, on_ending},
    {SIGTRAP, true, on_ending},    {SIGABRT, true, on_ending},  {SIGSYS, true, on_ending},   {SIGHUP, false, on_ending},
    {SIGINT, false, on_ending},    {SIGQUIT, false, on_ending}, {SIGTERM, false, on_ending}, {SIGPIPE, false, on_ending},
    {SIGALRM, false, on_ending},   {SIGXCPU, false, on_ending}, {SIGXFSZ, false, on_ending}, {SIGTSTP, false, on_stop},
    {SIGCONT, false, on_continue},
};

static struct {
  volatile sig_atomic_t active;
  bool exit_handler; /* on_exit cannot be undone, so it is registered once */
  int fd;
  struct termios cooked, raw;
  struct sigaction before[G_N_ELEMENTS(watched)];
  bool ours[G_N_ELEMENTS(watched)];
} guard;

/*
 * From the background it would stop us (SIGTTOU), and take the terminal from whoever has it. A terminal that controls
 * nobody is ours.
 */
static bool in_foreground(void) {
  pid_t group = tcgetpgrp(guard.fd);

  return group < 0 || group == getpgrp();
}

static void set_mode(const struct termios *mode) {
  if (guard.active && in_foreground())
    tcsetattr(guard.fd, TCSANOW, mode);
}

static void at_exit(int status, void *opaque) {
  set_mode(&guard.cooked);
}

/* Whether a signal of this number, with this origin, comes again by itself when its handler returns. */
static bool repeats(int number, const siginfo_t *info) {
  return info->si_code > 0 && (number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE);
}

void raw_mode_restore(void) {
  set_mode(&guard.cooked);
}

static void on_ending(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;

  set_mode(&guard.cooked);
  for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++)
    if (watched[i].number == number)
      sigaction(number, &guard.before[i], NULL);
  /* A faulting instruction faults again; what was sent is sent again, and arrives when this returns. */
  if (!repeats(number, info))
    raise(number);
  errno = saved_errno;
}

static void on_stop(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;

  set_mode(&guard.cooked);
  raise(SIGSTOP);
  errno = saved_errno;
}

static void on_continue(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;

  set_mode(&guard.raw);
  errno = saved_errno;
}

static bool is_handled(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) || action->sa_handler != SIG_DFL;
}

static bool is_ignored(const struct sigaction *action) {
  return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN;
}

/* Whoever handles or ignores a signal does not end by it, so it stays theirs. */
static void install(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++) {
    struct sigaction action = {.sa_sigaction = watched[i].handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct sigaction *before = &guard.before[i];

    sigaction(watched[i].number, NULL, before);
    guard.ours[i] = !is_handled(before) || (watched[i].fault && !is_ignored(before));
    if (guard.ours[i])
      sigaction(watched[i].number, &action, NULL);
  }
}

/* Only what is still ours: others may have installed handlers of their own since. */
static void uninstall(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++) {
    struct sigaction now;

    sigaction(watched[i].number, NULL, &now);
    if (guard.ours[i] && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == watched[i].handler)
      sigaction(watched[i].number, &guard.before[i], NULL);
  }
}

bool raw_mode_enter(int fd, GError **error) {
  if (guard.active) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "another terminal is in raw mode already");
    return false;
  }
  if (tcgetattr(fd, &guard.cooked) < 0) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot read the terminal's settings: %s", g_strerror(errno));
    return false;
  }
  guard.fd = fd;
  guard.raw = guard.cooked;
  guard.raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | IGNBRK | IGNCR | INLCR | INPCK | ISTRIP | IXON | PARMRK);
  guard.raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
  guard.raw.c_cflag = (guard.raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
  guard.raw.c_cc[VMIN] = 1;
  guard.raw.c_cc[VTIME] = 0;
  install();
  guard.active = 1;
  if (!guard.exit_handler)
    guard.exit_handler = on_exit(at_exit, NULL) == 0;
  set_mode(&guard.raw);
  return true;
}

void raw_mode_leave(int fd) {
  if (!guard.active || guard.fd != fd)
    return;
  set_mode(&guard.cooked);
  guard.active = 0;
  uninstall();
}
