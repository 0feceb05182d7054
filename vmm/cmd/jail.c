/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret jail`: another command of eret's in surroundings of its own, as another user (vmm/jail/jail.h). Options have
 * the names and the meaning that those of Firecracker's jailer have, as far as there is something to mean.
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/mistakes.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/jail-paths.h"
#include "vmm/exec/options.h"
#include "vmm/exec/outcome.h"
#include "vmm/jail/cgroup.h"
#include "vmm/jail/identity.h"
#include "vmm/jail/jail.h"
#include "vmm/jail/place.h"
#include "vmm/suite/options.h"

#define BASE        "/srv/jailer" /* as Firecracker's jailer has it: --chroot-base-dir */
#define PARENT      "eret"
#define KILLED      128 /* and the signal: as shells have it */
#define MESSAGE_MAX 4096

typedef struct {
  uint32_t id;
  bool given;
} Who;

typedef struct {
  char *source; /* PATH, or PATH:PATH */
  bool read_only;
} Bind;

typedef struct {
  char *id, *exec_file, *base, *netns, *parent_cgroup;
  Who user, group;
  bool allow_root, daemonize, new_pid_ns, version;
  GPtrArray *binds, *cgroup, *environment;
  JailLimits limits;
} Arguments;

/* Values. */

static char *parse_user(void *field, const char *text) {
  Who *who = field;

  who->given = true;
  return jail_identity_user(text, &who->id);
}

static char *parse_group(void *field, const char *text) {
  Who *who = field;

  who->given = true;
  return jail_identity_group(text, &who->id);
}

static char *parse_limit(void *field, const char *text) {
  return jail_limits_parse(field, text);
}

static char *parse_cgroup(void *field, const char *text) {
  char *wrong = jail_cgroup_check_setting(text);

  if (!wrong)
    g_ptr_array_add(*(GPtrArray **)field, g_strdup(text));
  return wrong;
}

static char *parse_cgroup_version(void *field, const char *text) {
  return strcmp(text, "2") == 0 ? NULL : g_strdup("a jail has control groups of version 2, the one that hosts have by now");
}

static char *parse_environment(void *field, const char *text) {
  const char *equals = strchr(text, '='), *value = equals ? NULL : g_getenv(text);

  if (equals == text || !*text)
    return g_strdup("wants NAME=VALUE");
  if (!equals && !value)
    return g_strdup_printf("there is no such variable here; write %s=VALUE", text);
  g_ptr_array_add(*(GPtrArray **)field, equals ? g_strdup(text) : g_strconcat(text, "=", value, NULL));
  return NULL;
}

static const Option bind_parts[] = {
    OPTION("path", STRING, Bind, source, "PATH", ""),
    OPTION("ro", BOOLEAN, Bind, read_only, NULL, ""),
    {.name = NULL},
};
static const OptionElement bind_element = {.options = bind_parts, .first_unnamed = true, .size = sizeof(Bind)};

static const Option options[] = {
    OPTION("id", STRING, Arguments, id, "NAME", "The jail's name: letters, digits and hyphens. One of a name runs at a time.",
           .group = "Who"),
    OPTION("uid", PARSED, Arguments, user, "USER", "Who the machine runs as: a number, or a name that this host knows.",
           .parse = parse_user),
    OPTION("gid", PARSED, Arguments, group, "GROUP", "Its only group, in the same way; kvm, where that is who may open /dev/kvm.",
           .parse = parse_group),
    OPTION("allow-root", FLAG, Arguments, allow_root, NULL, "USER or GROUP may be 0. Capabilities are gone nevertheless."),
    OPTION("exec-file", PATH, Arguments, exec_file, "FILE", "For scripts that name it: this program, as nothing else is run."),

    OPTION("chroot-base-dir", PATH, Arguments, base, "DIR",
           "Where the jail's directory is made, DIR/eret/NAME, with its root in it (default: " BASE ").", .group = "Root"),
    OPTION("bind", LIST, Arguments, binds, "PATH[:PATH][,ro]",
           "Put a file, a directory, a device or a socket of the host's in, at the same path or another; ro: it is only read; repeatable.",
           .element = &bind_element, .examples = OPTION_EXAMPLE_FILES),
    OPTION("env", PARSED, Arguments, environment, "K=V",
           "A variable of the environment, of which else PATH, TERM and the language stay; repeatable. K alone: as it is here.",
           .parse = parse_environment, .repeatable = true),

    OPTION("cgroup", PARSED, Arguments, cgroup, "FILE=VALUE",
           "A limit of the jail's control group, of version 2: memory.max=1G, cpu.max=\"50000 100000\", pids.max=64; repeatable.",
           .group = "Limits", .parse = parse_cgroup, .repeatable = true,
           .examples = "memory.max= memory.high= memory.swap.max= cpu.max= cpu.weight= pids.max= io.max= cpuset.cpus="),
    OPTION("parent-cgroup", STRING, Arguments, parent_cgroup, "PATH",
           "The group that it is made in, below the hierarchy's root (default: " PARENT ")."),
    OPTION("cgroup-version", PARSED, Arguments, cgroup, "2", "For scripts that name it: there is no other.", .parse = parse_cgroup_version,
           .examples = "2"),
    OPTION("resource-limit", PARSED, Arguments, limits, "no-file=N|fsize=BYTES",
           "How many descriptors a process may have (default: as many as the host allows), how large files may grow; repeatable.",
           .parse = parse_limit, .repeatable = true, .examples = "no-file= fsize="),

    OPTION("netns", PATH, Arguments, netns, "FILE",
           "The network namespace, such as /run/netns/NAME; 'new' is an empty one (default: the one that this is started in). Tap devices "
           "are opened in it.",
           .group = "Namespaces", .word = JAIL_NETNS_NEW),
    OPTION("new-pid-ns", BOOLEAN, Arguments, new_pid_ns, NULL,
           "Let it see the host's processes, and have a PID among them. It is safe to end all with one only without this.",
           .on_by_default = true),

    OPTION("daemonize", FLAG, Arguments, daemonize, NULL,
           "Return when the machine has been started, and let it go on without the terminal; its streams are /dev/null.",
           .group = "This program"),
    OPTION("version", FLAG, Arguments, version, NULL, "The version."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet jail_option_set = {
    .command = "jail",
    .usage = "Usage: eret jail --id NAME --uid USER --gid GROUP [OPTION]... -- run|exec|test ARGUMENT...\n"
             "Run another command of eret's as another user, in a root, namespaces and a control group of its own. Needs root. The command "
             "finds there the host's programs and libraries, read-only, devices that guests need, what --bind puts in, and directories of "
             "its own: /tmp and /run. The exit status is the command's. When it ends, nothing is left.",
    .tables = {options},
    .command_follows = true,
};

/* Checking. */

static void check_who(OptionDraft *draft, const char *name, const Who *who, bool allow_root) {
  g_autofree char *where = g_strconcat("--", name, NULL);

  if (!who->given && !option_has_failed(draft, name, -1))
    option_mistake(draft, NULL, "%s is missing: who the machine is to run as", where);
  else if (who->given && who->id == 0 && !allow_root && !option_has_failed(draft, name, -1))
    option_mistake(draft, where, "that is root, from whom a jail is to keep guests; --allow-root if it is meant");
}

static void check_id(OptionDraft *draft, const char *id) {
  const char *wrong = id ? jail_place_check_id(id) : NULL;

  if (!id && !option_has_failed(draft, "id", -1))
    option_mistake(draft, NULL, "--id is missing: the jail's name");
  if (wrong)
    option_mistake(draft, "--id", "%s", wrong);
}

static void check_exec_file(OptionDraft *draft, const char *path) {
  struct stat wanted, own;

  if (path && (stat(path, &wanted) < 0 || stat("/proc/self/exe", &own) < 0 || wanted.st_dev != own.st_dev || wanted.st_ino != own.st_ino))
    option_mistake(draft, "--exec-file", "'%s' is not this program, and nothing else is run in a jail of eret's", path);
}

/* The commands that have machines. */
static const OptionSet *set_of(const char *command) {
  const OptionSet *const sets[] = {&config_option_set, &exec_option_set, &test_option_set};

  for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
    if (strcmp(sets[i]->command, command) == 0)
      return sets[i];
  return NULL;
}

static void check_command(OptionDraft *draft) {
  const GPtrArray *command = draft->command;

  if (command->len == 0)
    option_mistake(draft, NULL, "the command is missing, which follows behind --: run, exec or test, and its options");
  else if (!set_of(command->pdata[0]))
    option_mistake(draft, NULL, "'%s' is not run in a jail: run, exec and test are", (const char *)command->pdata[0]);
}

static void check(OptionDraft *draft, const Arguments *arguments) {
  g_autofree char *parent = arguments->parent_cgroup ? jail_cgroup_check_parent(arguments->parent_cgroup) : NULL;

  check_id(draft, arguments->id);
  check_who(draft, "uid", &arguments->user, arguments->allow_root);
  check_who(draft, "gid", &arguments->group, arguments->allow_root);
  check_exec_file(draft, arguments->exec_file);
  if (parent)
    option_mistake(draft, "--parent-cgroup", "'%s' %s", arguments->parent_cgroup, parent);
  check_command(draft);
}

/* The plan. */

static GPtrArray *plan_mounts(const Arguments *arguments, const char *program, GError **error) {
  const GPtrArray *wanted = arguments->binds;
  g_autofree JailBind *binds = g_new0(JailBind, wanted->len + 1);
  g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);

  for (unsigned i = 0; i < wanted->len; i++) {
    const Bind *bind = wanted->pdata[i];
    const char *colon = strchr(bind->source, ':');
    char *source = colon ? g_strndup(bind->source, (gsize)(colon - bind->source)) : g_strdup(bind->source);
    g_ptr_array_add(sources, source);
    binds[i] = (JailBind){.source = source, .target = colon ? colon + 1 : NULL, .read_only = bind->read_only};
  }
  return jail_mounts_plan(program, binds, wanted->len, error);
}

/* Whatever else is there is the caller's alone. */
static GPtrArray *plan_environment(const GPtrArray *wanted) {
  static const char *const kept[] = {"PATH",     "TERM",   "COLORTERM", "NO_COLOR",    "LANG",
                                     "LANGUAGE", "LC_ALL", "LC_CTYPE",  "LC_MESSAGES", "TZ"};
  g_auto(GStrv) environment = g_environ_setenv(NULL, "HOME", "/tmp", TRUE);

  environment = g_environ_setenv(environment, "XDG_RUNTIME_DIR", "/run", TRUE);
  for (unsigned i = 0; i < G_N_ELEMENTS(kept); i++)
    if (g_getenv(kept[i]))
      environment = g_environ_setenv(environment, kept[i], g_getenv(kept[i]), TRUE);
  for (unsigned i = 0; i < wanted->len; i++) {
    g_auto(GStrv) parts = g_strsplit(wanted->pdata[i], "=", 2);
    environment = g_environ_setenv(environment, parts[0], parts[1], TRUE);
  }
  GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
  for (char **word = environment; *word; word++)
    g_ptr_array_add(words, g_strdup(*word));
  g_ptr_array_add(words, NULL);
  return words;
}

static GPtrArray *plan_words(const char *program, const GPtrArray *command) {
  GPtrArray *words = g_ptr_array_new();

  g_ptr_array_add(words, (char *)program);
  for (unsigned i = 0; i < command->len; i++)
    g_ptr_array_add(words, command->pdata[i]);
  g_ptr_array_add(words, NULL);
  return words;
}

/* What KVM's device asks of whoever opens it is said before, as the groups that somebody has are not there any more. */
static void tell_of_kvm(const Arguments *arguments) {
  struct stat kvm;
  mode_t both = 06;

  if (stat("/dev/kvm", &kvm) < 0 || arguments->user.id == 0)
    return;
  unsigned shift = kvm.st_uid == arguments->user.id ? 6 : kvm.st_gid == arguments->group.id ? 3 : 0;
  if ((kvm.st_mode >> shift & both) == both)
    return;
  g_autofree char *hint = kvm.st_gid ? g_strdup_printf("--gid %u", (unsigned)kvm.st_gid) : g_strdup("give it to a group first");
  complain_format("user %u with group %u may not open /dev/kvm, which is group %u's: %s", arguments->user.id, arguments->group.id,
                  (unsigned)kvm.st_gid, hint);
}

/* --daemonize. */

static void tell_started(void *opaque) {
  int *fd = opaque;

  if (*fd < 0)
    return;
  (void)!write(*fd, "", 1);
  close(*fd);
  *fd = -1;
}

static bool leave_terminal(void) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  bool left = fd >= 0 && setsid() >= 0;

  for (int i = STDIN_FILENO; left && i <= STDERR_FILENO; i++)
    left = dup2(fd, i) == i;
  if (fd > STDERR_FILENO)
    close(fd);
  return left;
}

/* The parent: a NUL says that it runs, anything else why it does not. */
static int wait_for_daemon(int fd, int unable) {
  char message[MESSAGE_MAX + 1];
  ssize_t size;

  while ((size = read(fd, message, MESSAGE_MAX)) < 0 && errno == EINTR)
    ;
  if (size > 0 && !message[0])
    return EXIT_OK;
  message[MAX(size, 0)] = 0;
  complain(size > 0 ? message : "the jail's process has ended before it had begun");
  return unable;
}

/* The status of the parent; -1: this is the daemon, and FD takes what it says. */
static int daemonize(int *fd, int unable) {
  int ends[2];
  pid_t pid = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();

  if (pid < 0) {
    complain_format("--daemonize: cannot make a process: %s", g_strerror(errno));
    return unable;
  }
  if (pid == 0) {
    close(ends[0]);
    *fd = ends[1];
    if (leave_terminal())
      return -1;
    _exit(unable);
  }
  close(ends[1]);
  int status = wait_for_daemon(ends[0], unable);
  close(ends[0]);
  return status;
}

/* Running. */

static int fail(const GError *error, int fd, int unable) {
  if (fd < 0)
    return complain_of(error, unable);
  (void)!write(fd, error->message, MIN(strlen(error->message), MESSAGE_MAX));
  close(fd);
  return unable;
}

static int run(JailPlan *plan, bool as_daemon, int unable) {
  int fd = -1, status = 0, parent = as_daemon ? daemonize(&fd, unable) : -1;
  g_autoptr(GError) error = NULL;

  if (parent >= 0)
    return parent;
  plan->started = tell_started;
  plan->opaque = &fd;
  if (!jail_run(plan, &status, &error))
    return fail(error, fd, unable);
  return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int jail(const Arguments *arguments, GPtrArray *command) {
  int unable = strcmp(command->pdata[0], "exec") == 0 ? OUTCOME_STATUS_HOST_ERROR : EXIT_HOST;
  const char *base = arguments->base ? arguments->base : BASE;
  g_autofree char *program = g_file_read_link("/proc/self/exe", NULL), *whole_base = g_canonicalize_filename(base, NULL);
  g_autofree char *root = g_build_filename(whole_base, "eret", arguments->id, "root", NULL);
  g_autoptr(GError) error = NULL;

  if (geteuid() != 0) {
    complain("a jail needs root, to make what its user cannot");
    return unable;
  }
  g_autoptr(GPtrArray) mounts = plan_mounts(arguments, program, &error);
  if (!mounts)
    return complain_of(error, unable);
  g_autoptr(GString) mistakes = g_string_new(NULL);
  jail_paths_check(set_of(command->pdata[0]), (int)command->len - 1, (char **)command->pdata + 1, mounts, root, mistakes);
  if (mistakes->len) {
    complain_lines(mistakes->str);
    return EXIT_USAGE;
  }
  tell_of_kvm(arguments);
  g_autoptr(GPtrArray) words = plan_words(program, command), environment = plan_environment(arguments->environment);
  JailPlan plan = {
      .base = whole_base,
      .id = arguments->id,
      .uid = arguments->user.id,
      .gid = arguments->group.id,
      .argv = (char *const *)words->pdata,
      .environment = (char *const *)environment->pdata,
      .mounts = mounts,
      .parent_cgroup = arguments->parent_cgroup ? arguments->parent_cgroup : PARENT,
      .cgroup_settings = arguments->cgroup,
      .cgroup_wanted = arguments->cgroup->len || arguments->parent_cgroup,
      .netns = arguments->netns,
      .limits = arguments->limits,
      .pid_namespace = arguments->new_pid_ns,
  };
  return run(&plan, arguments->daemonize, unable);
}

static int run_with(Arguments *arguments, int argc, char **argv) {
  void *const records[] = {arguments};
  g_autoptr(OptionDraft) draft = option_read(&jail_option_set, records, argc, argv);
  int status;

  if (!draft->help && arguments->version) {
    printf("eret %s\n", ERET_VERSION);
    return EXIT_OK;
  }
  if (!draft->help)
    check(draft, arguments);
  if (answer_options(draft, &status))
    return status;
  return jail(arguments, draft->command);
}

int cmd_jail(int argc, char **argv) {
  Arguments arguments = {.new_pid_ns = true, .limits = JAIL_LIMITS_NONE};

  option_record_init(options, &arguments);
  arguments.cgroup = g_ptr_array_new_with_free_func(g_free);
  arguments.environment = g_ptr_array_new_with_free_func(g_free);
  int status = run_with(&arguments, argc, argv);
  g_ptr_array_unref(arguments.cgroup);
  g_ptr_array_unref(arguments.environment);
  option_record_clear(options, &arguments);
  return status;
}
