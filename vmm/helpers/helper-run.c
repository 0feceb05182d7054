/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Its two streams and its end (pidfd_open(2)) are waited for together. Behind its end nothing more is waited for: a
 * process that it left behind may hold the streams for ever.
 */
#define _GNU_SOURCE
#include "vmm/helpers/helper-run.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/printable.h"

#define LINE_BYTES_MAX 1000
#define WAITING_MS     1000

typedef struct {
  const HelperRun *config;
  GPid pid;
  int pid_fd, output_fd, errors_fd;
  GString *output, *line, *last;
  bool too_much;
} Run;

static void run_clear(Run *run) {
  const int fds[] = {run->pid_fd, run->output_fd, run->errors_fd};

  for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
    if (fds[i] >= 0)
      close(fds[i]);
  if (run->output)
    g_string_free(run->output, TRUE);
  g_string_free(run->line, TRUE);
  g_string_free(run->last, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void keep_output(Run *run, const char *bytes, gsize size) {
  gsize room = run->config->output_max - run->output->len;

  run->too_much |= run->config->output_max && size > room;
  g_string_append_len(run->output, bytes, (gssize)MIN(size, room));
}

/* A line that is empty is none; of one that is too long the beginning counts. */
static void keep_errors(Run *run, const char *bytes, gsize size) {
  for (gsize i = 0; i < size; i++) {
    if (bytes[i] != '\n' && bytes[i] != '\r') {
      if (run->line->len < LINE_BYTES_MAX)
        g_string_append_c(run->line, bytes[i]);
      continue;
    }
    if (run->line->len)
      g_string_assign(run->last, run->line->str);
    g_string_truncate(run->line, 0);
  }
}

/* What is there now. */
static void hear(Run *run, int *fd, void (*keep)(Run *run, const char *bytes, gsize size)) {
  char bytes[4096];
  ssize_t got = 0;

  while (*fd >= 0 && !run->too_much && (got = read(*fd, bytes, sizeof bytes)) > 0)
    keep(run, bytes, (gsize)got);
  if (*fd < 0 || run->too_much || (got < 0 && (errno == EAGAIN || errno == EINTR)))
    return;
  close(*fd);
  *fd = -1;
}

/* Its wait status. */
static int wait_for_end(Run *run) {
  gint64 next = g_get_monotonic_time() + WAITING_MS * 1000;
  int status = 0;

  while (waitpid(run->pid, &status, WNOHANG) == 0) {
    struct pollfd fds[] = {
        {.fd = run->output_fd, .events = POLLIN}, {.fd = run->errors_fd, .events = POLLIN}, {.fd = run->pid_fd, .events = POLLIN}};
    poll(fds, G_N_ELEMENTS(fds), WAITING_MS);
    hear(run, &run->output_fd, keep_output);
    hear(run, &run->errors_fd, keep_errors);
    if (run->too_much)
      kill(run->pid, SIGKILL);
    if (g_get_monotonic_time() < next)
      continue;
    next = g_get_monotonic_time() + WAITING_MS * 1000;
    if (run->config->waiting)
      run->config->waiting(run->config->opaque);
  }
  hear(run, &run->output_fd, keep_output);
  hear(run, &run->errors_fd, keep_errors);
  keep_errors(run, "\n", 1);
  return status;
}

static bool start(Run *run, GError **error) {
  const HelperRun *config = run->config;
  GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_CLOEXEC_PIPES;
  g_autoptr(GError) local = NULL;

  if (!g_spawn_async_with_pipes(NULL, (char **)config->argv, config->environment, flags, helper_set_up, (gpointer)&config->set_up,
                                &run->pid, NULL, &run->output_fd, &run->errors_fd, &local)) {
    run->output_fd = run->errors_fd = -1;
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s cannot be started: %s", config->name, local->message);
    return false;
  }
  g_unix_set_fd_nonblocking(run->output_fd, TRUE, NULL);
  g_unix_set_fd_nonblocking(run->errors_fd, TRUE, NULL);
  run->pid_fd = (int)syscall(SYS_pidfd_open, run->pid, 0); /* without one it is looked at every second */
  return true;
}

static void set_failed(const Run *run, int status, GError **error) {
  const HelperRun *config = run->config;
  g_autofree char *plain = config->plain ? config->plain(run->last->str) : g_strdup(run->last->str);
  g_autofree char *shown = printable_line_escaped(plain, -1);

  if (run->too_much)
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s says more than %" G_GSIZE_FORMAT " bytes", config->name, config->output_max);
  else if (WIFSIGNALED(status))
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s was ended by signal %d (%s)", config->name, WTERMSIG(status),
                g_strsignal(WTERMSIG(status)));
  else if (*shown)
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s: %s", config->name, shown);
  else
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s ended with exit status %d, and does not say why", config->name,
                WEXITSTATUS(status));
}

char *helper_run(const HelperRun *config, gsize *size, GError **error) {
  g_auto(Run) run = {
      .config = config,
      .pid_fd = -1,
      .output_fd = -1,
      .errors_fd = -1,
      .output = g_string_new(NULL),
      .line = g_string_new(NULL),
      .last = g_string_new(NULL),
  };

  if (!start(&run, error))
    return NULL;
  int status = wait_for_end(&run);
  if (status != 0 || run.too_much) {
    set_failed(&run, status, error);
    return NULL;
  }
  if (size)
    *size = run.output->len;
  return g_string_free(g_steal_pointer(&run.output), FALSE);
}
