/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent stays until the machine runs, so that what keeps it from running is said where it was asked for, with the
 * exit status that it would have without --detach. Then the child is alone, in a session of its own.
 */
#define _GNU_SOURCE /* pipe2 */
#include "vmm/cmd/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"

#define LOG_SHOWN (64 * 1024) /* bytes of the log that are shown of a machine that did not come to run */

static void set_error(GError **error, const char *what) {
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "--detach: cannot %s: %s", what, g_strerror(errno));
}

/* Whether the byte came; else the child has ended. */
static bool wait_for_start(int fd) {
  char byte;
  ssize_t got;

  do
    got = read(fd, &byte, 1);
  while (got < 0 && errno == EINTR);
  return got == 1;
}

static void show_log(int log_fd) {
  g_autofree char *text = g_malloc(LOG_SHOWN + 1);
  ssize_t size = pread(log_fd, text, LOG_SHOWN, 0);

  if (size <= 0)
    return;
  text[size] = 0;
  message_say(text, -1);
}

static int status_of(pid_t child) {
  int status;
  pid_t ended;

  do
    ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) != EXIT_OK)
    return WEXITSTATUS(status);
  if (ended == child && WIFSIGNALED(status))
    complain_format("the machine's process was ended by signal %d before the machine ran", WTERMSIG(status));
  return EXIT_HOST;
}

static int finish_parent(NamedMachine *named, pid_t child, int ready_fd, int log_fd) {
  const char *name = named_machine_name(named);
  int status = EXIT_OK;

  if (wait_for_start(ready_fd)) {
    g_autofree char *ssh = named_machine_has_key(named) ? g_strdup_printf("'eret ssh %s' logs in, ", name) : g_strdup("");
    printf("%s: runs, process %d; 'eret attach %s' shows its console, %s'eret stop %s' ends it\n", name, (int)child, name, ssh, name);
  } else {
    status = status_of(child);
    show_log(log_fd);
  }
  named_machine_forget(named);
  return status;
}

/* The child's own streams: nothing comes in, output is for those who attach, messages are in the log. */
static bool leave_terminal(int log_fd) {
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

  if (null_fd < 0 || setsid() < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
    return false;
  close(null_fd);
  return true;
}

bool detach(NamedMachine *named, Detached *detached, int *status, GError **error) {
  int ready[2] = {-1, -1}, log_fd = named_machine_open_log(named, error);

  if (log_fd < 0)
    return false;
  if (pipe2(ready, O_CLOEXEC) < 0) {
    set_error(error, "make a pipe");
    close(log_fd);
    return false;
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    close(ready[0]);
    detached->ready_fd = ready[1];
    bool left = leave_terminal(log_fd);
    if (!left)
      set_error(error, "leave the terminal");
    close(log_fd);
    return left;
  }
  if (child < 0)
    set_error(error, "make a process");
  close(ready[1]);
  if (child > 0)
    *status = finish_parent(named, child, ready[0], log_fd);
  close(ready[0]);
  close(log_fd);
  return false;
}

void detached_tell_started(Detached *detached) {
  if (detached->ready_fd < 0)
    return;
  OutputGuard guard;
  output_guard_begin(&guard);
  if (write(detached->ready_fd, "", 1) != 1)
    g_debug("--detach: nobody waits for the start");
  output_guard_end(&guard);
  close(detached->ready_fd);
  detached->ready_fd = -1;
}
