/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper's output comes by a pipe and is read as it comes (helper-lines.h). Its end is seen on a pidfd, so that no
 * signal handler is needed.
 *
 * Whose child it is: this process's, while that may make any; and the broker's afterwards, who also signals those from
 * before, which may have become another user.
 */
#include "vmm/helpers/helper-process.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/helpers/broker.h"
#include "vmm/helpers/helper-lines.h"
#include "vmm/helpers/helper-spawn.h"

#define END_WAIT_MS 2000 /* between asking and ending */

struct HelperProcess {
  char *name;
  HelperEnded *ended;
  void *opaque;
  GPid pid;
  int pid_fd, output_fd;
  int ready_fd;                    /* -1: it does not tell, or has told */
  Broker *broker;                  /* NULL: this process's own matter */
  unsigned number;                 /* the broker's, of it */
  bool brokers;                    /* it is the broker's child */
  guint pid_source, output_source; /* 0: there is none */
  HelperLines lines;
};

/* Output. */

/* How much there was; 0: nothing more will come. */
static ssize_t read_output(HelperProcess *process) {
  char bytes[1024];
  ssize_t got = read(process->output_fd, bytes, sizeof bytes);

  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return -1;
  if (got > 0)
    helper_lines_hear(&process->lines, bytes, (size_t)got);
  return MAX(got, 0);
}

static gboolean on_output(gint fd, GIOCondition condition, gpointer data) {
  HelperProcess *process = data;

  if (read_output(process) != 0)
    return G_SOURCE_CONTINUE;
  process->output_source = 0;
  return G_SOURCE_REMOVE;
}

/* Its end. */

static char *describe_end(const HelperProcess *process, int status) {
  g_autofree char *how = WIFSIGNALED(status) ? g_strdup_printf("ended by signal %d (%s)", WTERMSIG(status), g_strsignal(WTERMSIG(status)))
                                             : g_strdup_printf("ended with exit status %d", WEXITSTATUS(status));

  return process->lines.last ? g_strdup_printf("%s; its last words: %s", how, process->lines.last) : g_steal_pointer(&how);
}

/* When its descriptor says so: how it has ended, with what it had still to say, and whether WELL; NULL: it has not. */
static char *reap(HelperProcess *process, bool *well) {
  int status = 0;

  /* Where the broker knows of none it has ended itself, and this with it. */
  if (process->brokers && !broker_reap(process->broker, process->number, &status))
    status = SIGKILL;
  if (!process->brokers && waitpid(process->pid, &status, WNOHANG) == 0)
    return NULL;
  process->pid = 0;
  for (unsigned i = 0; i < HELPER_LINES_MAX && process->output_source && read_output(process) > 0; i++)
    ;
  helper_lines_end(&process->lines);
  *well = status == 0;
  return describe_end(process, status);
}

static gboolean on_end(gint fd, GIOCondition condition, gpointer data) {
  HelperProcess *process = data;
  bool well;
  g_autofree char *how = reap(process, &well);

  if (!how)
    return G_SOURCE_CONTINUE;
  process->pid_source = 0;
  if (process->ended)
    process->ended(process->opaque, how, well); /* may free it */
  return G_SOURCE_REMOVE;
}

/* Whether it has told; what it tells is for nobody to read. */
static bool has_told(HelperProcess *process) {
  char word[64];
  ssize_t got = read(process->ready_fd, word, sizeof word);

  if (got >= 0) {
    close(process->ready_fd);
    process->ready_fd = -1;
  }
  return got > 0;
}

bool helper_process_wait(HelperProcess *process, int fd, unsigned ms, GError **error) {
  gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;
  bool tells = process->ready_fd >= 0, well;

  for (;;) {
    gint64 left = (until - g_get_monotonic_time()) / 1000;
    struct pollfd fds[] = {{.fd = tells ? process->ready_fd : fd, .events = POLLIN}, {.fd = process->pid_fd, .events = POLLIN}};

    if (left < 0 || (poll(fds, G_N_ELEMENTS(fds), (int)left) < 0 && errno != EINTR)) {
      g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s does not come to be ready in %u seconds", process->name, ms / 1000);
      return false;
    }
    if (tells ? fds[0].revents && has_told(process) : fds[0].revents == POLLIN)
      return true;
    if (fds[0].revents & (POLLHUP | POLLERR))
      fd = -1; /* what follows is its end */
    g_autofree char *how = fds[1].revents ? reap(process, &well) : NULL;
    if (how) {
      g_clear_handle_id(&process->pid_source, g_source_remove);
      g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s %s", process->name, how);
      return false;
    }
  }
}

int helper_process_pid(const HelperProcess *process) {
  return process->pid;
}

static bool send_signal(const HelperProcess *process, int number) {
  return process->broker && broker_is_apart(process->broker) ? broker_signal(process->broker, process->number, number)
                                                             : kill(process->pid, number) == 0;
}

/* Where it cannot be signalled, since the broker has ended, it goes with this process. */
static void end_child(const HelperProcess *process) {
  struct pollfd ended = {.fd = process->pid_fd, .events = POLLIN};
  int status;

  if (!send_signal(process, SIGTERM) && poll(&ended, 1, 0) <= 0)
    return;
  if (poll(&ended, 1, END_WAIT_MS) <= 0)
    send_signal(process, SIGKILL);
  if (process->brokers) {
    poll(&ended, 1, END_WAIT_MS);
    broker_reap(process->broker, process->number, &status);
    return;
  }
  while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

void helper_process_free(HelperProcess *process) {
  if (!process)
    return;
  g_clear_handle_id(&process->pid_source, g_source_remove);
  g_clear_handle_id(&process->output_source, g_source_remove);
  if (process->pid)
    end_child(process);
  if (process->broker) {
    broker_forget(process->broker, process->number);
    broker_unref(process->broker);
  }
  if (process->pid_fd >= 0)
    close(process->pid_fd);
  if (process->output_fd >= 0)
    close(process->output_fd);
  if (process->ready_fd >= 0)
    close(process->ready_fd);
  helper_lines_clear(&process->lines);
  g_free(process->name);
  g_free(process);
}

HelperProcess *helper_process_give_up(HelperProcess *process, const int *fd) {
  helper_process_free(process);
  close(*fd);
  return NULL;
}

/* By this process, or by the broker once that is apart. */
static bool make(HelperProcess *process, const HelperConfig *config, HelperEnds *ends, GError **error) {
  Broker *broker = config->broker;

  if (broker && broker_is_apart(broker)) {
    process->brokers = true;
    process->broker = broker_ref(broker);
    return broker_start(broker, config, ends, &process->number, error);
  }
  if (!helper_spawn(config, ends, error))
    return false;
  if (broker) {
    process->broker = broker_ref(broker);
    process->number = broker_allow(broker, config, ends->pid_fd);
  }
  return true;
}

HelperProcess *helper_process_start(const HelperConfig *config, int *fd, GError **error) {
  g_autoptr(HelperProcess) process = g_new0(HelperProcess, 1);
  HelperEnds ends = HELPER_NO_ENDS;

  *process = (HelperProcess){
      .name = g_strdup(config->name),
      .ended = config->ended,
      .opaque = config->opaque,
      .pid_fd = -1,
      .output_fd = -1,
      .ready_fd = -1,
  };
  helper_lines_init(&process->lines, process->name, config->is_noise, config->skip);
  if (!make(process, config, &ends, error))
    return NULL;
  process->pid = ends.pid;
  process->pid_fd = ends.pid_fd;
  process->output_fd = ends.output;
  process->ready_fd = ends.ready;
  process->output_source = g_unix_fd_add(process->output_fd, G_IO_IN | G_IO_HUP, on_output, process);
  process->pid_source = g_unix_fd_add(process->pid_fd, G_IO_IN, on_end, process);
  *fd = ends.fd;
  return g_steal_pointer(&process);
}
