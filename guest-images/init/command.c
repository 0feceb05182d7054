/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command: its three streams are pipes, as everywhere else, so that /dev/stderr can be opened again and a reader's
 * end shows; the bytes go on from there to the ports and come from them. A full port or pipe stops its own stream and
 * none of the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define CHUNK 32768 /* what a port takes at a time */

/* Bytes on their way from one descriptor to another; -1 when an end is closed. */
typedef struct {
  int from, to;
  char bytes[CHUNK];
  size_t start, end;
  bool ended; /* nothing more will come */
} Flow;

typedef struct {
  pid_t pid;
  int status;
  bool ended;
  Flow in, out, err;
} Command;

static void finish(Flow *flow) {
  if (flow->from >= 0)
    close(flow->from);
  if (flow->to >= 0)
    close(flow->to);
  flow->from = flow->to = -1;
}

/* One read or one write; false when neither would do anything now. */
static bool step(Flow *flow) {
  if (flow->to < 0 || flow->from < 0)
    return false;
  if (flow->start < flow->end) {
    ssize_t written = write(flow->to, flow->bytes + flow->start, flow->end - flow->start);
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
      return false;
    if (written < 0)
      finish(flow);
    else
      flow->start += (size_t)written;
    return written > 0;
  }
  if (flow->ended)
    return false;
  ssize_t got = read(flow->from, flow->bytes, sizeof flow->bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  flow->start = 0;
  flow->end = got > 0 ? (size_t)got : 0;
  flow->ended = got <= 0;
  return got > 0;
}

static void move_some(Flow *flow) {
  for (unsigned i = 0; i < 16 && step(flow); i++)
    ;
  if (flow->ended && flow->start == flow->end)
    finish(flow);
}

static struct pollfd wait_for(const Flow *flow) {
  if (flow->to < 0 || flow->from < 0)
    return (struct pollfd){.fd = -1};
  if (flow->start < flow->end)
    return (struct pollfd){.fd = flow->to, .events = POLLOUT};
  return (struct pollfd){.fd = flow->from, .events = POLLIN};
}

static void set_nonblocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static _Noreturn void child(const Spec *spec, const int fds[3], int failure) {
  int reason[2];

  setsid();
  for (int i = 0; i < 3; i++)
    dup2(fds[i], i);
  reason[1] = (int)become_command(spec);
  reason[0] = errno;
  (void)!write(failure, reason, sizeof reason);
  _exit(127);
}

static bool start(const Spec *spec, const Ports *ports, Command *command) {
  int in[2], out[2], err[2], failure[2], reason[2];

  if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0) {
    control_say("failed %d no pipes: %s", errno, strerror(errno));
    return false;
  }
  command->pid = fork();
  if (command->pid == 0)
    child(spec, (const int[]){in[0], out[1], err[1]}, failure[1]);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  close(failure[1]);
  command->in = (Flow){.from = ports->in, .to = in[1]};
  command->out = (Flow){.from = out[0], .to = ports->out};
  command->err = (Flow){.from = err[0], .to = ports->err};
  set_nonblocking(in[1]);
  set_nonblocking(out[0]);
  set_nonblocking(err[0]);
  bool failed = command->pid < 0 || read(failure[0], reason, sizeof reason) == sizeof reason;
  close(failure[0]);
  if (command->pid < 0)
    control_say("failed %d cannot fork: %s", errno, strerror(errno));
  else if (failed)
    control_say("failed %d %s: %s", reason[0], command_step_text(spec, (CommandStep)reason[1]), strerror(reason[0]));
  else
    control_say("started %d", (int)command->pid);
  return !failed;
}

/* Everybody's children end up with us. */
static void reap(Command *command) {
  int status;

  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == command->pid) {
      command->status = status;
      command->ended = true;
    }
}

static void listen_to_host(Command *command) {
  char line[64];
  int number;

  while (control_read(line, sizeof line, false)) {
    if (control_answer(line))
      continue;
    if (sscanf(line, "closed %d", &number) == 1)
      finish(number == STDOUT_FILENO ? &command->out : &command->err);
    else if (sscanf(line, "signal %d", &number) == 1 && number > 0 && !command->ended)
      kill(-command->pid, number);
  }
}

static void say_how_it_ended(const Command *command, bool oom) {
  if (WIFSIGNALED(command->status))
    control_say("signal %d%s", WTERMSIG(command->status), oom && WTERMSIG(command->status) == SIGKILL ? " oom" : "");
  else if (oom && WEXITSTATUS(command->status) == 128 + SIGKILL)
    control_say("signal %d oom", SIGKILL);
  else
    control_say("exit %d", WEXITSTATUS(command->status));
}

/* What the command had written is still in the pipes; what its orphans may write later is not waited for. */
static void drain(Command *command, Flow *flow) {
  for (;;) {
    if (step(flow))
      continue;
    if (flow->to < 0 || flow->start == flow->end)
      break;
    struct pollfd ready[] = {wait_for(flow), {.fd = control_fd, .events = POLLIN}};
    poll(ready, sizeof ready / sizeof *ready, -1);
    listen_to_host(command);
  }
  finish(flow);
}

static void serve(Command *command, const Ports *ports, int signals) {
  struct signalfd_siginfo info;
  struct pollfd ready[] = {{.fd = signals, .events = POLLIN},
                           {.fd = ports->control, .events = POLLIN},
                           wait_for(&command->in),
                           wait_for(&command->out),
                           wait_for(&command->err)};

  poll(ready, sizeof ready / sizeof *ready, -1);
  while (read(signals, &info, sizeof info) > 0)
    ;
  reap(command);
  listen_to_host(command);
  move_some(&command->in);
  move_some(&command->out);
  move_some(&command->err);
}

void run_command(const Spec *spec, const Ports *ports, bool can_run) {
  static Command command;
  unsigned long kills = oom_kills();
  sigset_t child_signal;

  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_signal, NULL);
  int signals = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
  if (!can_run || !start(spec, ports, &command)) {
    close(ports->out);
    close(ports->err);
    return;
  }
  while (!command.ended)
    serve(&command, ports, signals);
  drain(&command, &command.out);
  drain(&command, &command.err);
  finish(&command.in);
  say_how_it_ended(&command, oom_kills() > kills);
}
