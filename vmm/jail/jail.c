/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who. The caller's process stays outside, root, and waits. Where there is a PID namespace, its first process is
 * one that does nothing but take up what others leave: with it all end at once, and it ends with the one that waits,
 * however that ends. The program is a child of the one that waits, too, so that signals and job control are as always.
 *
 * Locks and descriptors of the one that waits are close-on-exec, and the program's process closes the rest.
 */
#define _GNU_SOURCE /* unshare, setns, pipe2, close_range, execve */
#include "vmm/jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/jail/cgroup.h"
#include "vmm/jail/fail.h"
#include "vmm/jail/identity.h"
#include "vmm/jail/place.h"
#include "vmm/jail/root.h"
#include "vmm/jail/supervise.h"

#define STATUS_FAILED 125
#define MESSAGE_MAX   4096

typedef struct {
  const JailPlan *plan;
  JailPlace *place;
  JailCgroup *cgroup;
  Supervision supervision;
  int netns_fd;
  int alive[2];  /* ends when the one that waits does */
  int failed[2]; /* what went wrong before the program was there */
} Jail;

/* Network. */

static bool open_netns(Jail *jail, GError **error) {
  const char *path = jail->plan->netns;

  if (!path || strcmp(path, JAIL_NETNS_NEW) == 0)
    return true;
  jail->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
  if (jail->netns_fd < 0)
    return jail_fail_errno(error, "--netns %s: 'ip netns add' makes one in /run/netns", path);
  return true;
}

static bool raise_loopback(GError **error) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;

  request.ifr_flags |= IFF_UP;
  up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (!up)
    jail_fail_errno(error, "--netns new: cannot bring up its loopback");
  if (fd >= 0)
    close(fd);
  return up;
}

static bool enter_network(const Jail *jail, GError **error) {
  if (jail->netns_fd >= 0 && setns(jail->netns_fd, CLONE_NEWNET) < 0)
    return errno == EINVAL ? jail_fail(error, "--netns %s: that is no network namespace", jail->plan->netns)
                           : jail_fail_errno(error, "--netns %s: cannot enter it", jail->plan->netns);
  if (!jail->plan->netns || jail->netns_fd >= 0)
    return true;
  return unshare(CLONE_NEWNET) < 0 ? jail_fail_errno(error, "--netns new: cannot have one") : raise_loopback(error);
}

/* The program's process. */

/* It ends with the one that waits; that may be gone already. */
static bool follow_to_the_end(const Jail *jail) {
  struct pollfd alive = {.fd = jail->alive[0], .events = POLLIN};

  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&alive, 1, 0) == 0;
}

static bool enter_namespaces(const Jail *jail, GError **error) {
  if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
    return jail_fail_errno(error, "cannot have namespaces of its own");
  if (jail->cgroup && unshare(CLONE_NEWCGROUP) < 0)
    return jail_fail_errno(error, "cannot have a namespace of control groups");
  return true;
}

static bool enter(const Jail *jail, GError **error) {
  const JailPlan *plan = jail->plan;

  if ((jail->cgroup && !jail_cgroup_enter(jail->cgroup, error)) || !enter_network(jail, error) || !enter_namespaces(jail, error))
    return false;
  if (!jail_root_enter(jail_place_root(jail->place), plan->mounts, error) || !jail_limits_set(&plan->limits, error))
    return false;
  return jail_identity_take(plan->uid, plan->gid, error);
}

static void become_program(Jail *jail) {
  const JailPlan *plan = jail->plan;
  g_autoptr(GError) error = NULL;

  close(jail->alive[1]);
  if (enter(jail, &error) && follow_to_the_end(jail)) {
    signal(SIGXFSZ, SIG_DFL); /* what is ignored here (vmm/main.c) would be there, too */
    supervise_child(&jail->supervision);
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(plan->argv[0], plan->argv, plan->environment);
    jail_fail_errno(&error, "cannot start '%s' in the jail", plan->argv[0]);
  }
  const char *message = error ? error->message : "who started the jail has gone";
  (void)!write(jail->failed[1], message, MIN(strlen(message), MESSAGE_MAX));
  _exit(STATUS_FAILED);
}

/* The first process of a PID namespace. It has nothing open, and nobody else may look into it. */
static void become_first(Jail *jail) {
  close(jail->alive[1]);
  prctl(PR_SET_NAME, "eret-jail");
  prctl(PR_SET_DUMPABLE, 0);
  signal(SIGCHLD, SIG_IGN); /* none of them stays */
  setsid();
  if (!follow_to_the_end(jail))
    _exit(STATUS_FAILED);
  close_range(0, ~0u, 0);
  for (;;)
    pause();
}

/* The one that waits. */

static pid_t start(Jail *jail, void (*become)(Jail *jail), GError **error) {
  pid_t pid = fork();

  if (pid == 0)
    become(jail);
  if (pid < 0)
    jail_fail_errno(error, "cannot make a process");
  return pid;
}

/* False: the program has not been started, and why. */
static bool has_started(Jail *jail, GError **error) {
  char message[MESSAGE_MAX + 1];
  size_t size = 0;
  ssize_t got;

  close(jail->failed[1]);
  jail->failed[1] = -1;
  while ((got = read(jail->failed[0], message + size, MESSAGE_MAX - size)) > 0 || (got < 0 && errno == EINTR))
    size += got > 0 ? (size_t)got : 0;
  message[size] = 0;
  return size == 0 || jail_fail(error, "%s", message);
}

/* What is in the namespace, or has become ours, or is in the control group, ends here. */
static bool run(Jail *jail, int *status, GError **error) {
  const JailPlan *plan = jail->plan;

  if (plan->pid_namespace && unshare(CLONE_NEWPID) < 0)
    return jail_fail_errno(error, "cannot have a PID namespace (--no-new-pid-ns does without)");
  supervise_begin(&jail->supervision);
  pid_t first = plan->pid_namespace ? start(jail, become_first, error) : 0;
  pid_t program = first < 0 ? -1 : start(jail, become_program, error);
  bool started = program > 0 && has_started(jail, error);
  if (started && plan->started)
    plan->started(plan->opaque);
  if (program > 0)
    *status = supervise(program);
  if (first > 0)
    kill(first, SIGKILL);
  supervise_kill_children(first);
  supervise_end(&jail->supervision);
  return started;
}

static bool prepare(Jail *jail, GError **error) {
  const JailPlan *plan = jail->plan;
  g_autoptr(GError) no_cgroup = NULL;

  if (pipe2(jail->alive, O_CLOEXEC) < 0 || pipe2(jail->failed, O_CLOEXEC) < 0)
    return jail_fail_errno(error, "cannot make a pipe");
  if (!open_netns(jail, error) || !(jail->place = jail_place_new(plan->base, plan->id, error)))
    return false;
  jail->cgroup = jail_cgroup_new(plan->parent_cgroup, plan->id, plan->cgroup_settings, &no_cgroup);
  if (!jail->cgroup && plan->cgroup_wanted) {
    g_propagate_error(error, g_steal_pointer(&no_cgroup));
    return false;
  }
  if (no_cgroup && !plan->pid_namespace)
    g_warning("what a helper leaves running may stay, without a PID namespace and a control group: %s", no_cgroup->message);
  return jail_root_prepare(jail->place, plan->mounts, plan->uid, plan->gid, error);
}

bool jail_run(const JailPlan *plan, int *status, GError **error) {
  Jail jail = {.plan = plan, .netns_fd = -1, .alive = {-1, -1}, .failed = {-1, -1}};
  int *const all[] = {&jail.netns_fd, &jail.alive[0], &jail.alive[1], &jail.failed[0], &jail.failed[1]};
  bool done = prepare(&jail, error) && run(&jail, status, error);

  jail_cgroup_free(jail.cgroup);
  jail_place_free(jail.place);
  for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
    if (*all[i] >= 0)
      close(*all[i]);
  return done;
}
