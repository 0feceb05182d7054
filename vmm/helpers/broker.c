/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides: before they part there is one, which enters what may be done; afterwards each has that in its own copy,
 * and the side outside goes by nothing else. Processes have numbers, in a table of few places, which are free again
 * when they are forgotten.
 *
 * Signals go by pidfd: a number of a process may be another's by then.
 */
#define _GNU_SOURCE /* close_range */
#include "vmm/helpers/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/helpers/broker-wire.h"

#define PROCESSES_MAX 256 /* at the same time; a machine has fewer devices */
#define NAME          "eret-broker"

typedef struct {
  bool used;
  int pid_fd; /* outside, and before they part; else -1 */
  GPid pid;   /* 0: it is not the broker's to wait for, or has been waited for */
} Process;

struct Broker {
  unsigned references;
  GPtrArray *programs; /* of HelperConfig: copies */
  Process processes[PROCESSES_MAX];
  void (*farewell)(void *opaque);
  void *farewell_opaque;
  GArray *farewell_fds;
  int socket; /* -1: they have not parted */
  GPid pid;
};

/* Programs. */

static void free_program(gpointer data) {
  HelperConfig *program = data;

  g_strfreev((char **)program->argv);
  g_free(program);
}

static bool is_same(const HelperConfig *a, const HelperConfig *b) {
  return a->tells_ready == b->tells_ready && a->listens == b->listens && a->file == b->file && a->set_up.prepare == b->set_up.prepare &&
         a->set_up.opaque == b->set_up.opaque && strcmp(a->name, b->name) == 0 && g_strv_equal(a->argv, b->argv);
}

/* -1: it was not allowed. */
static int find_program(const Broker *broker, const HelperConfig *config) {
  for (unsigned i = 0; i < broker->programs->len; i++)
    if (is_same(broker->programs->pdata[i], config))
      return (int)i;
  return -1;
}

static void add_program(Broker *broker, const HelperConfig *config) {
  HelperConfig *program = g_new(HelperConfig, 1);

  if (find_program(broker, config) >= 0) {
    g_free(program);
    return;
  }
  *program = *config;
  program->argv = (const char *const *)g_strdupv((char **)config->argv);
  program->broker = NULL;
  g_ptr_array_add(broker->programs, program);
}

/* Processes. */

/* NULL: all places are taken. */
static Process *take_place(Broker *broker) {
  for (unsigned i = 0; i < PROCESSES_MAX; i++)
    if (!broker->processes[i].used) {
      broker->processes[i] = (Process){.used = true, .pid_fd = -1};
      return &broker->processes[i];
    }
  return NULL;
}

unsigned broker_allow(Broker *broker, const HelperConfig *config, int pid_fd) {
  Process *process = take_place(broker);

  add_program(broker, config);
  if (!process)
    return PROCESSES_MAX;
  process->pid_fd = pid_fd;
  return (unsigned)(process - broker->processes);
}

/* Outside. */

static void reply_start(Broker *broker, int socket, uint32_t number) {
  BrokerReply reply = {0};
  HelperEnds ends = HELPER_NO_ENDS;
  g_autoptr(GError) error = NULL;
  const HelperConfig *program = number < broker->programs->len ? broker->programs->pdata[number] : NULL;
  Process *process = program ? take_place(broker) : NULL;

  if (process && helper_spawn(program, &ends, &error)) {
    *process = (Process){.used = true, .pid_fd = ends.pid_fd, .pid = ends.pid};
    reply = (BrokerReply){.done = true, .number = (uint32_t)(process - broker->processes), .pid = ends.pid};
  } else if (process) {
    process->used = false;
  }
  g_strlcpy(reply.error, error ? error->message : "there are too many helpers", sizeof reply.error);
  const int fds[BROKER_FDS] = {ends.fd, ends.output, ends.pid_fd, ends.ready};
  broker_send(socket, &reply, sizeof reply, fds, !reply.done ? 0 : ends.ready >= 0 ? BROKER_FDS : BROKER_FDS - 1);
  ends.pid_fd = -1; /* stays here */
  helper_ends_close(&ends);
}

static Process *find_process(Broker *broker, uint32_t number) {
  return number < PROCESSES_MAX && broker->processes[number].used ? &broker->processes[number] : NULL;
}

static bool send_signal(const Process *process, int number) {
  return process && process->pid_fd >= 0 && (number == SIGTERM || number == SIGKILL) &&
         syscall(SYS_pidfd_send_signal, process->pid_fd, number, NULL, 0) == 0;
}

static bool reap(Process *process, int32_t *status) {
  int ended;

  if (!process || !process->pid || waitpid(process->pid, &ended, WNOHANG) != process->pid)
    return false;
  *status = ended;
  process->pid = 0;
  return true;
}

/* One that runs is not forgotten: it would never be waited for. */
static bool forget(Process *process) {
  if (!process || process->pid)
    return false;
  if (process->pid_fd >= 0)
    close(process->pid_fd);
  process->used = false;
  return true;
}

static bool say_farewell(Broker *broker) {
  void (*farewell)(void *opaque) = broker->farewell;

  broker->farewell = NULL;
  if (farewell)
    farewell(broker->farewell_opaque);
  return farewell;
}

static void serve(Broker *broker, int socket) {
  int fds[BROKER_FDS];
  BrokerRequest request;
  unsigned n;

  while (broker_receive(socket, &request, sizeof request, fds, &n)) {
    BrokerReply reply = {0};
    Process *process = find_process(broker, request.number);

    while (n)
      close(fds[--n]);
    switch ((BrokerWish)request.wish) {
    case BROKER_START:
      reply_start(broker, socket, request.number);
      continue;
    case BROKER_SIGNAL:
      reply.done = send_signal(process, request.signal_number);
      break;
    case BROKER_REAP:
      reply.done = reap(process, &reply.status);
      break;
    case BROKER_FORGET:
      reply.done = forget(process);
      break;
    case BROKER_FAREWELL:
      reply.done = say_farewell(broker);
      break;
    }
    broker_send(socket, &reply, sizeof reply, NULL, 0);
  }
}

static int compare(gconstpointer a, gconstpointer b) {
  return *(const int *)a - *(const int *)b;
}

/* The machine's own stay with the machine: who waits for their end would wait for the broker's, too. */
static void close_others(const Broker *broker, int socket) {
  g_autoptr(GArray) kept = g_array_copy(broker->farewell_fds);
  unsigned next = STDERR_FILENO + 1;

  g_array_append_val(kept, socket);
  for (unsigned i = 0; i < broker->programs->len; i++) {
    const HelperConfig *program = broker->programs->pdata[i];
    if (program->file)
      g_array_append_val(kept, program->file);
  }
  for (unsigned i = 0; i < PROCESSES_MAX; i++)
    if (broker->processes[i].used)
      g_array_append_val(kept, broker->processes[i].pid_fd);
  g_array_sort(kept, compare);
  for (unsigned i = 0; i < kept->len; i++) {
    int fd = g_array_index(kept, int, i);
    if (fd < (int)next)
      continue;
    if (fd > (int)next)
      close_range(next, (unsigned)fd - 1, 0);
    next = (unsigned)fd + 1;
  }
  close_range(next, ~0u, 0);
}

/* Its output would be nobody's, and would keep who reads ours waiting. */
static void leave_terminal(void) {
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

  for (int fd = STDIN_FILENO; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
    dup2(null_fd, fd);
  if (null_fd > STDERR_FILENO)
    close(null_fd);
}

/*
 * The machine has ended, however that was: its end of the socket is closed, and what works for it goes, too. The kernel
 * would tell its children of its death, but not where Landlock keeps it from signalling others: that holds for this
 * signal as well (Linux 6.12). So it is not relied on here.
 */
static void end_all(const Broker *broker) {
  for (unsigned i = 0; i < PROCESSES_MAX; i++)
    if (broker->processes[i].used)
      syscall(SYS_pidfd_send_signal, broker->processes[i].pid_fd, SIGKILL, NULL, 0);
}

static void be_broker(Broker *broker, int socket) {
  sigset_t all;

  sigfillset(&all); /* of a terminal, for the machine to take */
  sigprocmask(SIG_SETMASK, &all, NULL);
  prctl(PR_SET_NAME, NAME);
  leave_terminal();
  close_others(broker, socket);
  serve(broker, socket);
  end_all(broker);
  _exit(EXIT_SUCCESS);
}

/* Life. */

Broker *broker_new(void) {
  Broker *broker = g_new0(Broker, 1);

  broker->references = 1;
  broker->programs = g_ptr_array_new_with_free_func(free_program);
  broker->farewell_fds = g_array_new(FALSE, FALSE, sizeof(int));
  broker->socket = -1;
  return broker;
}

Broker *broker_ref(Broker *broker) {
  broker->references++;
  return broker;
}

static void end_process(const Broker *broker) {
  if (broker->socket < 0)
    return;
  close(broker->socket);
  while (waitpid(broker->pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

void broker_unref(Broker *broker) {
  if (!broker || --broker->references)
    return;
  end_process(broker);
  g_ptr_array_unref(broker->programs);
  g_array_unref(broker->farewell_fds);
  g_free(broker);
}

void broker_set_farewell(Broker *broker, void (*farewell)(void *opaque), void *opaque, const int *fds, unsigned n) {
  broker->farewell = farewell;
  broker->farewell_opaque = opaque;
  g_array_append_vals(broker->farewell_fds, fds, n);
}

bool broker_has_work(const Broker *broker) {
  return broker->programs->len || broker->farewell;
}

bool broker_is_apart(const Broker *broker) {
  return broker->socket >= 0;
}

bool broker_part(Broker *broker, GError **error) {
  int ends[2];

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "cannot make a socket for helpers: %s", g_strerror(errno));
    return false;
  }
  broker->pid = fork();
  if (broker->pid == 0)
    be_broker(broker, ends[1]);
  int code = errno;
  close(ends[1]);
  if (broker->pid > 0) {
    broker->socket = ends[0];
    return true;
  }
  close(ends[0]);
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "cannot make a process for helpers: %s", g_strerror(code));
  return false;
}

/* Inside. */

/* False: it is gone, or will not. */
static bool ask(const Broker *broker, const BrokerRequest *request, BrokerReply *reply, int fds[BROKER_FDS], unsigned *n) {
  return broker_send(broker->socket, request, sizeof *request, NULL, 0) && broker_receive(broker->socket, reply, sizeof *reply, fds, n) &&
         reply->done;
}

static bool wish(const Broker *broker, const BrokerRequest *request, BrokerReply *reply) {
  int fds[BROKER_FDS];
  unsigned n = 0;

  return broker->socket >= 0 && ask(broker, request, reply, fds, &n);
}

bool broker_start(Broker *broker, const HelperConfig *config, HelperEnds *ends, unsigned *number, GError **error) {
  int program = find_program(broker, config), fds[BROKER_FDS] = {-1, -1, -1, -1};
  const BrokerRequest request = {.wish = BROKER_START, .number = (uint32_t)program};
  BrokerReply reply = {.error = "nobody is there who could"};
  unsigned n = 0;

  *ends = HELPER_NO_ENDS;
  *number = PROCESSES_MAX;
  if (program < 0) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s cannot be started: it was not before", config->name);
    return false;
  }
  if (!ask(broker, &request, &reply, fds, &n) || n < BROKER_FDS - 1) {
    reply.error[sizeof reply.error - 1] = 0;
    g_set_error_literal(error, HELPER_ERROR, HELPER_ERROR_START, reply.error);
    return false;
  }
  *number = reply.number;
  *ends = (HelperEnds){.fd = fds[0], .output = fds[1], .pid_fd = fds[2], .ready = fds[3], .pid = reply.pid};
  return true;
}

bool broker_signal(Broker *broker, unsigned number, int signal_number) {
  BrokerReply reply;

  return wish(broker, &(BrokerRequest){.wish = BROKER_SIGNAL, .number = number, .signal_number = signal_number}, &reply);
}

bool broker_reap(Broker *broker, unsigned number, int *status) {
  BrokerReply reply;

  if (!wish(broker, &(BrokerRequest){.wish = BROKER_REAP, .number = number}, &reply))
    return false;
  *status = reply.status;
  return true;
}

void broker_forget(Broker *broker, unsigned number) {
  BrokerReply reply;

  if (broker_is_apart(broker))
    wish(broker, &(BrokerRequest){.wish = BROKER_FORGET, .number = number}, &reply);
  else if (number < PROCESSES_MAX)
    broker->processes[number].used = false;
}

void broker_say_farewell(Broker *broker) {
  BrokerReply reply;

  wish(broker, &(BrokerRequest){.wish = BROKER_FAREWELL}, &reply);
}
