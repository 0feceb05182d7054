/* SPDX-License-Identifier: Apache-2.0 */
/* Job control: a session on a terminal of its own, whose leader is in the shell's place. */
#define _GNU_SOURCE /* posix_openpt */
#include "vmm/jail/supervise.h"

#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 60 /* seconds */

/* The job: waits for a program that reads a line of the terminal. */
static void be_job(void) {
  Supervision supervision;

  setpgid(0, 0);
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(STDIN_FILENO, getpgrp());
  supervise_begin(&supervision);
  pid_t program = fork();
  if (program == 0) {
    supervise_child(&supervision);
    execl("/bin/sh", "sh", "-c", "echo ready; read line; test \"$line\" = word && exit 9", NULL);
    _exit(1);
  }
  int status = supervise(program);
  supervise_end(&supervision);
  _exit(tcgetpgrp(STDIN_FILENO) == getpgrp() && WIFEXITED(status) ? WEXITSTATUS(status) : 100);
}

/* The shell: sees the job stop, lets it go on in front, and ends with its status. */
static void be_shell(const char *terminal) {
  int fd, status;

  alarm(PATIENCE);
  setsid();
  fd = open(terminal, O_RDWR);
  ioctl(fd, TIOCSCTTY, 0);
  for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
    dup2(fd, i);
  pid_t job = fork();
  if (job == 0)
    be_job();
  signal(SIGTTOU, SIG_IGN);
  if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status))
    _exit(101);
  tcsetpgrp(STDIN_FILENO, getpgrp());
  (void)!write(STDOUT_FILENO, "stopped\n", 8);
  tcsetpgrp(STDIN_FILENO, job);
  kill(-job, SIGCONT);
  if (waitpid(job, &status, WUNTRACED) != job || !WIFEXITED(status))
    _exit(102);
  _exit(WEXITSTATUS(status));
}

static void await(int terminal, GString *said, const char *word) {
  char part[256];
  ssize_t size;

  while (!strstr(said->str, word) && (size = read(terminal, part, sizeof part)) > 0)
    g_string_append_len(said, part, size);
  g_assert_nonnull(strstr(said->str, word));
}

static void test_job(void) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
  g_autoptr(GString) said = g_string_new(NULL);

  if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0) {
    g_test_skip("there are no terminals");
    return;
  }
  g_autofree char *name = g_strdup(ptsname(terminal));
  int held = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  pid_t shell = fork();
  if (shell == 0)
    be_shell(name);
  await(terminal, said, "ready");
  g_assert_cmpint(write(terminal, "\032", 1), ==, 1); /* ^Z: to the program's group alone, which is in front */
  await(terminal, said, "stopped");
  g_assert_cmpint(write(terminal, "word\n", 5), ==, 5);
  g_assert_cmpint(waitpid(shell, &status, 0), ==, shell);
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 9);
  close(held);
  close(terminal);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/supervise/job", test_job);
  return g_test_run();
}
