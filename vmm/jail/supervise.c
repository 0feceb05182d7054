/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program is in a process group of its own. In that of this process it would get what the terminal sends, or what
 * somebody sends to all of a job, and the same once more from here: and a second SIGTERM ends a guest at once. So each
 * signal comes here or goes there, and the terminal is handed over as a shell does it.
 */
#include "vmm/jail/supervise.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/whole-file.h"

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

static void wanted(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGCHLD);
  sigaddset(set, SIGTTOU); /* of tcsetpgrp(3), from behind */
  for (unsigned i = 0; i < G_N_ELEMENTS(passed_on); i++)
    sigaddset(set, passed_on[i]);
}

static bool has_terminal(void) {
  return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void supervise_begin(Supervision *supervision) {
  sigset_t set;

  wanted(&set);
  signal(SIGCHLD, SIG_DFL); /* ignored, there would be nothing to wait for */
  sigprocmask(SIG_BLOCK, &set, &supervision->mask);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void supervise_child(const Supervision *supervision) {
  bool in_front = has_terminal();

  setpgid(0, 0);
  if (in_front)
    tcsetpgrp(STDIN_FILENO, getpgrp());
  sigprocmask(SIG_SETMASK, &supervision->mask, NULL);
}

/* Job control. */

static void take_terminal(pid_t from) {
  if (tcgetpgrp(STDIN_FILENO) == from)
    tcsetpgrp(STDIN_FILENO, getpgrp());
}

static void go_on(pid_t pid) {
  if (has_terminal())
    tcsetpgrp(STDIN_FILENO, pid);
  kill(-pid, SIGCONT);
}

/* False: nobody would let this process go on, so that the kernel has not stopped it (an orphaned group). */
static bool stop(void) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGTSTP);
  signal(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it stands still */
  sigprocmask(SIG_BLOCK, &set, NULL);
  return sigpending(&set) == 0 && sigismember(&set, SIGCONT);
}

/* SIGSTOP is of somebody who knows the program itself, and no shell's. */
static void on_stopped(pid_t pid, int number) {
  bool wants_terminal = number == SIGTTIN || number == SIGTTOU;

  if (number == SIGSTOP)
    return;
  if (wants_terminal && has_terminal()) {
    go_on(pid); /* a job that has come to the front as it ran */
    return;
  }
  take_terminal(pid);
  if (!stop() && !wants_terminal)
    go_on(pid);
}

/* True: PID has ended. */
static bool look(pid_t pid, int *status) {
  pid_t found;
  int state;

  while ((found = waitpid(-1, &state, WNOHANG | WUNTRACED)) > 0) {
    if (found != pid)
      continue;
    if (!WIFSTOPPED(state)) {
      *status = state;
      return true;
    }
    on_stopped(pid, WSTOPSIG(state));
  }
  return found < 0 && errno == ECHILD;
}

int supervise(pid_t pid) {
  sigset_t set;
  int status = 0;

  wanted(&set);
  setpgid(pid, pid);
  while (!look(pid, &status)) {
    int number = sigwaitinfo(&set, NULL);
    if (number == SIGCONT)
      go_on(pid);
    else if (number == SIGTSTP)
      kill(-pid, SIGTSTP); /* as the terminal would */
    else if (number > 0 && number != SIGCHLD && number != SIGTTOU)
      kill(pid, number);
  }
  take_terminal(pid);
  return status;
}

/* The end. */

static pid_t first_child(void) {
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
  g_autofree char *text = whole_file_read(path, 1 << 20, "list of processes", NULL, NULL);

  return text ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* Theirs come to us when they are gone (PR_SET_CHILD_SUBREAPER). */
void supervise_kill_children(pid_t first) {
  while (first > 0 && waitpid(first, NULL, 0) < 0 && errno == EINTR)
    ;
  for (pid_t child; (child = first_child()) > 0;) {
    kill(child, SIGKILL);
    if (waitpid(child, NULL, 0) < 0 && errno != EINTR)
      return;
  }
}

void supervise_end(const Supervision *supervision) {
  sigprocmask(SIG_SETMASK, &supervision->mask, NULL);
}
