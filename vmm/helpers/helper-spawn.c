/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper is told of the end of who made it by the kernel (helper-config.c) and by its socket. Its output comes by a
 * pipe.
 */
#define _GNU_SOURCE /* pipe2 */
#include "vmm/helpers/helper-spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/helpers/helper-socket.h"

static bool set_errno(GError **error, const char *name, const char *what) {
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s cannot be started: %s: %s", name, what, g_strerror(errno));
  return false;
}

/* Its ends of what is between it and us. */
typedef struct {
  int fd, output, ready;
} ItsEnds;

static void close_all(const int *fds, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

void helper_ends_close(HelperEnds *ends) {
  const int fds[] = {ends->fd, ends->output, ends->ready, ends->pid_fd};

  close_all(fds, G_N_ELEMENTS(fds));
  *ends = HELPER_NO_ENDS;
}

static bool make_process(const HelperConfig *config, const ItsEnds *its, HelperEnds *ours, GError **error) {
  const int given[] = {its->fd, config->file}, targets[] = {HELPER_FD, HELPER_FILE};
  g_autoptr(GError) local = NULL;

  if (!g_spawn_async_with_pipes_and_fds(NULL, config->argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDIN_FROM_DEV_NULL, helper_set_up,
                                        (gpointer)&config->set_up, -1, its->ready >= 0 ? its->ready : its->output, its->output, given,
                                        targets, config->file ? 2 : 1, &ours->pid, NULL, NULL, NULL, &local)) {
    ours->pid = 0;
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s cannot be started: %s", config->name, local->message);
    return false;
  }
  ours->pid_fd = (int)syscall(SYS_pidfd_open, ours->pid, 0);
  return ours->pid_fd >= 0 || set_errno(error, config->name, "cannot watch its process");
}

static bool make_pipe(const HelperConfig *config, int *ours, int *its, GError **error) {
  int ends[2];

  if (pipe2(ends, O_CLOEXEC) < 0)
    return set_errno(error, config->name, "cannot make a pipe");
  *ours = ends[0];
  *its = ends[1];
  return g_unix_set_fd_nonblocking(*ours, TRUE, error);
}

/* What it tells by is opened anew by some, after they became another user. */
static bool connect_ends(const HelperConfig *config, HelperEnds *ours, ItsEnds *its, GError **error) {
  if (!(config->listens ? helper_socket_listening : helper_socket_pair)(config->name, &ours->fd, &its->fd, error))
    return false;
  if (!make_pipe(config, &ours->output, &its->output, error))
    return false;
  if (!config->tells_ready)
    return true;
  return make_pipe(config, &ours->ready, &its->ready, error) &&
         (fchmod(its->ready, 0666) == 0 || set_errno(error, config->name, "cannot open a pipe to it"));
}

bool helper_spawn(const HelperConfig *config, HelperEnds *ours, GError **error) {
  ItsEnds its = {-1, -1, -1};

  *ours = HELPER_NO_ENDS;
  bool started = connect_ends(config, ours, &its, error) && make_process(config, &its, ours, error);
  close_all((const int[]){its.fd, its.output, its.ready}, 3);
  if (started)
    return true;
  if (ours->pid) { /* nobody would hear of its end */
    kill(ours->pid, SIGKILL);
    waitpid(ours->pid, NULL, 0);
  }
  helper_ends_close(ours);
  return false;
}
