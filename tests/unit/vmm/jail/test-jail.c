/* SPDX-License-Identifier: Apache-2.0 */
/* Whole jails, with shells in them: what they see, what they are, how they end, and that nothing is left. As root. */
#define _GNU_SOURCE /* unshare */
#include "vmm/jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/remove-tree.h"

#define USER 4711

typedef struct {
  char *top;
  JailPlan plan;
  GPtrArray *settings;
  JailBind bind;
  char *said; /* what came out of the last one */
  int status; /* as a shell has it; NOT_BEGUN: SAID is why */
} Fixture;

#define NOT_BEGUN 100 /* the status of the process that waits */

static void set_up(Fixture *fixture, gconstpointer data) {
  static char *const environment[] = {"PATH=/usr/bin:/bin", NULL};

  *fixture = (Fixture){.top = g_dir_make_tmp("jail-XXXXXX", NULL), .settings = g_ptr_array_new()};
  fixture->plan = (JailPlan){
      .base = fixture->top,
      .id = "web",
      .uid = USER,
      .gid = USER + 1,
      .environment = environment,
      .parent_cgroup = "eret",
      .cgroup_settings = fixture->settings,
      .limits = JAIL_LIMITS_NONE,
      .pid_namespace = true,
  };
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_assert_true(remove_tree(fixture->top, NULL));
  g_free(fixture->top);
  g_free(fixture->said);
  g_ptr_array_unref(fixture->settings);
}

static void run_in_child(Fixture *fixture, const char *script) {
  g_autofree char *shell = realpath("/bin/sh", NULL);
  char *const argv[] = {shell, "-c", (char *)script, NULL};
  g_autoptr(GError) error = NULL;
  int status;

  fixture->plan.argv = argv;
  fixture->plan.mounts = jail_mounts_plan(shell, &fixture->bind, fixture->bind.source ? 1 : 0, &error);
  if (fixture->plan.mounts && jail_run(&fixture->plan, &status, &error))
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  (void)!write(STDOUT_FILENO, error->message, strlen(error->message));
  _exit(NOT_BEGUN);
}

/* The process that waits, whose output is *FD: as it changes its own namespaces, there is one for each jail. */
static pid_t begin(Fixture *fixture, const char *script, int *fd) {
  int ends[2];

  g_assert_cmpint(pipe(ends), ==, 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    run_in_child(fixture, script);
  }
  close(ends[1]);
  *fd = ends[0];
  return pid;
}

static void await(const char *word, int fd, GString *said) {
  char part[256];
  ssize_t size;

  while ((!word || !strstr(said->str, word)) && (size = read(fd, part, sizeof part)) > 0)
    g_string_append_len(said, part, size);
}

static void finish(Fixture *fixture, pid_t pid, int fd, GString *said) {
  int status;

  await(NULL, fd, said);
  close(fd);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_free(fixture->said);
  fixture->said = g_string_free(said, FALSE);
  fixture->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void run(Fixture *fixture, const char *script) {
  int fd;
  pid_t pid = begin(fixture, script, &fd);

  finish(fixture, pid, fd, g_string_new(NULL));
}

static bool is_empty(const Fixture *fixture) {
  g_autoptr(GDir) directory = g_dir_open(fixture->top, 0, NULL);

  return !g_dir_read_name(directory);
}

static void assert_said(const Fixture *fixture, const char *pattern) {
  if (!g_pattern_match_simple(pattern, fixture->said))
    g_error("it says '%s', which is not like '%s'", fixture->said, pattern);
}

static void test_user(Fixture *fixture, gconstpointer data) {
  run(fixture, "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapBnd|NoNewPrivs):' /proc/self/status | tr -s '\\t ' ' '; ulimit -n; exit 7");
  assert_said(fixture, "Uid: 4711 4711 4711 4711\nGid: 4712 4712 4712 4712\nGroups: *CapPrm: 0000000000000000\nCapEff: "
                       "0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\n*");
  g_assert_cmpint(fixture->status, ==, 7);
  g_assert_true(strstr(fixture->said, "Groups: \n") || strstr(fixture->said, "Groups:\n"));
  g_assert_cmpuint(g_ascii_strtoull(strrchr(g_strchomp(fixture->said), '\n') + 1, NULL, 10), >=, 4096);
  g_assert_true(is_empty(fixture));
}

static void test_root(Fixture *fixture, gconstpointer data) {
  run(fixture, "ls / | tr '\\n' ' '; pwd; touch /usr/x 2>/dev/null || echo read-only; touch /tmp/x /run/x && echo writable; "
               "echo 1 > /dev/null && head -c 1 /dev/zero | wc -c; ls -d /proc/[0-9]* | wc -l; ls /etc/shadow /root /home 2>/dev/null");
  assert_said(fixture, "bin dev etc lib*proc run*tmp usr /\nread-only\nwritable\n1\n*");
  /* The shell, ls, wc, and the first process. */
  g_assert_cmpint(atoi(strrchr(g_strchomp(fixture->said), '\n') + 1), <=, 5);
  g_assert_true(is_empty(fixture));
}

/* What a chroot could not do, and eret's own sandbox needs. */
static void test_user_namespace(Fixture *fixture, gconstpointer data) {
  if (access("/usr/bin/unshare", X_OK) != 0) {
    g_test_skip("there is no unshare");
    return;
  }
  run(fixture, "unshare -U -r -m -p -f --mount-proc sh -c 'id -u; mount -t tmpfs none /tmp && echo mounted' 2>&1");
  if (strstr(fixture->said, "unshare failed"))
    g_test_skip("this host gives users no namespaces");
  else
    g_assert_cmpstr(fixture->said, ==, "0\nmounted\n");
}

static void test_bind(Fixture *fixture, gconstpointer data) {
  g_autofree char *directory = g_dir_make_tmp("bind-XXXXXX", NULL), *file = g_build_filename(directory, "file", NULL);

  g_assert_true(g_file_set_contents(file, "text", 4, NULL));
  g_assert_cmpint(chmod(directory, 0777), ==, 0);
  g_assert_cmpint(chmod(file, 0666), ==, 0);
  fixture->bind = (JailBind){.source = directory, .target = "/data/deep", .read_only = true};
  run(fixture, "cat /data/deep/file; echo more > /data/deep/file || echo no");
  g_assert_true(g_str_has_prefix(fixture->said, "text") && strstr(fixture->said, "no\n"));
  fixture->bind.read_only = false;
  run(fixture, "echo more > /data/deep/file && echo yes");
  g_assert_cmpstr(fixture->said, ==, "yes\n");
  fixture->bind.target = "/usr/no-such-place";
  run(fixture, "true");
  g_assert_cmpint(fixture->status, ==, NOT_BEGUN);
  assert_said(fixture, "there is no place for '/usr/no-such-place' in the jail: No such file or directory");
  g_assert_true(is_empty(fixture));
  g_assert_true(remove_tree(directory, NULL));
}

static void test_network(Fixture *fixture, gconstpointer data) {
  g_autofree char *here = g_file_read_link("/proc/self/ns/net", NULL);

  run(fixture, "readlink /proc/self/ns/net");
  g_assert_cmpstr(g_strchomp(fixture->said), ==, here);
  fixture->plan.netns = JAIL_NETNS_NEW;
  run(fixture, "sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev; readlink /proc/self/ns/net");
  g_assert_null(strstr(fixture->said, here));
  fixture->plan.netns = "/proc/self/ns/net";
  run(fixture, "readlink /proc/self/ns/net");
  g_assert_cmpstr(g_strchomp(fixture->said), ==, here);
  fixture->plan.netns = "/dev/null";
  run(fixture, "true");
  g_assert_cmpstr(fixture->said, ==, "--netns /dev/null: that is no network namespace");
  fixture->plan.netns = "/no/such";
  run(fixture, "true");
  assert_said(fixture, "--netns /no/such: *: No such file or directory");
  g_assert_true(is_empty(fixture));
}

/* Signals: of the program's own, and passed on, once each. */
static void test_signals(Fixture *fixture, gconstpointer data) {
  int fd;

  run(fixture, "kill -9 $$");
  g_assert_cmpint(fixture->status, ==, 128 + SIGKILL);
  pid_t pid = begin(fixture, "trap 'echo term' TERM; trap 'echo usr; exit 3' USR1; echo ready; while :; do sleep 0.1; done", &fd);
  GString *said = g_string_new(NULL);
  await("ready", fd, said);
  kill(pid, SIGTERM);
  await("term\n", fd, said);
  kill(pid, SIGUSR1);
  finish(fixture, pid, fd, said);
  g_assert_cmpstr(fixture->said, ==, "ready\nterm\nusr\n");
  g_assert_cmpint(fixture->status, ==, 3);
  pid = begin(fixture, "echo ready; exec sleep 100", &fd);
  said = g_string_new(NULL);
  await("ready", fd, said);
  kill(pid, SIGTERM);
  finish(fixture, pid, fd, said);
  g_assert_cmpint(fixture->status, ==, 128 + SIGTERM);
  g_assert_true(is_empty(fixture));
}

/* Nobody who holds the pipe is left: else it would not end. */
static void test_left_running(Fixture *fixture, gconstpointer data) {
  run(fixture, "(setsid sleep 1000 &) ; exit 4");
  g_assert_cmpint(fixture->status, ==, 4);
  fixture->plan.pid_namespace = false;
  run(fixture, "(setsid sleep 1000 &) ; sleep 0.2; exit 4");
  g_assert_cmpint(fixture->status, ==, 4);
  g_assert_true(is_empty(fixture));
}

/* Who waits is killed: so is all in the jail, which the next one of its name clears; meanwhile that is refused. */
static void test_killed(Fixture *fixture, gconstpointer data) {
  for (int with = 0; with < 2; with++) {
    int fd;
    GString *said = g_string_new(NULL);
    fixture->plan.pid_namespace = with;
    pid_t pid = begin(fixture, "touch /tmp/left; echo ready; exec sleep 1000", &fd);
    await("ready", fd, said);
    run(fixture, "true");
    assert_said(fixture, "a jail 'web' runs already, by process *");
    kill(pid, SIGKILL);
    finish(fixture, pid, fd, said);
    g_assert_false(is_empty(fixture));
    run(fixture, "ls /tmp");
    g_assert_cmpstr(fixture->said, ==, "");
    g_assert_cmpint(fixture->status, ==, 0);
    g_assert_true(is_empty(fixture));
  }
}

static void test_limits(Fixture *fixture, gconstpointer data) {
  fixture->plan.limits = (JailLimits){.files = 77, .file_size = 512 * 1024};
  run(fixture, "ulimit -n; head -c 1000000 /dev/zero > /tmp/file; stat -c %s /tmp/file");
  assert_said(fixture, "77\n*524288\n");
}

static void test_program(Fixture *fixture, gconstpointer data) {
  run(fixture, "true");
  g_assert_cmpint(fixture->status, ==, 0);
  run(fixture, "env");
  assert_said(fixture, "*PATH=/usr/bin:/bin\n*");
  g_assert_null(strstr(fixture->said, "HOME="));
}

static void test_cgroup(Fixture *fixture, gconstpointer data) {
  fixture->plan.cgroup_wanted = true;
  run(fixture, "sed -n 's/^0:://p' /proc/self/cgroup");
  if (fixture->status == NOT_BEGUN && strstr(fixture->said, "control group")) {
    g_test_skip(fixture->said);
    return;
  }
  g_assert_cmpstr(fixture->said, ==, "/\n"); /* in a namespace of groups, it is the first */
  fixture->plan.cgroup_wanted = true;
  g_ptr_array_add(fixture->settings, "nothing.max=1");
  run(fixture, "true");
  g_assert_cmpint(fixture->status, ==, NOT_BEGUN);
  assert_said(fixture, "the controller 'nothing' is not there for control groups of version 2*");
  g_assert_true(is_empty(fixture));
}

static bool can_jail(void) {
  pid_t pid = geteuid() == 0 ? fork() : -1;
  int status = 1;

  if (pid == 0)
    _exit(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) == 0 ? 0 : 1);
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void add(const char *path, void (*test)(Fixture *fixture, gconstpointer data)) {
  g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

static void test_nothing(void) {
  g_test_skip("jails need root, and namespaces");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  if (!can_jail()) {
    g_test_add_func("/jail-run", test_nothing);
    return g_test_run();
  }
  add("/jail-run/user", test_user);
  add("/jail-run/root", test_root);
  add("/jail-run/user-namespace", test_user_namespace);
  add("/jail-run/bind", test_bind);
  add("/jail-run/network", test_network);
  add("/jail-run/signals", test_signals);
  add("/jail-run/left-running", test_left_running);
  add("/jail-run/killed", test_killed);
  add("/jail-run/limits", test_limits);
  add("/jail-run/program", test_program);
  add("/jail-run/cgroup", test_cgroup);
  return g_test_run();
}
