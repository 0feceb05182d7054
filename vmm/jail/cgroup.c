/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two jails of one name may have different directories, but not one group: whoever has it holds a lock (flock(2)) on
 * the group's directory, so that nobody else takes it for something that was left behind.
 *
 * A group with processes has no children with controllers, but for the root: so processes are in the last one alone,
 * and controllers are enabled in each one above.
 */
#include "vmm/jail/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/whole-file.h"
#include "vmm/jail/fail.h"

#define FILE_MAX (1 << 20)

#define MODE       0755
#define TRIES      10
#define WAIT_TRIES 500
#define WAIT_USEC  10000 /* of each: 5 s in all */

struct JailCgroup {
  char *root, *path;
  GPtrArray *parents; /* of char *: those that it removes once they are empty */
  int lock_fd;        /* the group's directory */
  int processes_fd;   /* its cgroup.procs */
};

/* The host. */

char *jail_cgroup_mount_of(const char *text, bool *old) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  char *found = NULL;

  *old = false;
  for (char **line = lines; *line; line++) {
    const char *behind = strstr(*line, " - ");
    g_auto(GStrv) words = g_strsplit(*line, " ", 6);
    if (!behind || g_strv_length(words) < 6)
      continue;
    *old |= g_str_has_prefix(behind, " - cgroup ");
    if (g_str_has_prefix(behind, " - cgroup2 ") && !found)
      found = g_strcompress(words[4]);
  }
  return found;
}

static char *find_mount(GError **error) {
  g_autofree char *text = NULL;
  bool old;

  if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, error))
    return NULL;
  char *mount = jail_cgroup_mount_of(text, &old);
  if (!mount && old)
    jail_fail(error, "this host has control groups of version 1 alone, and a jail needs version 2: boot it with "
                     "systemd.unified_cgroup_hierarchy=1");
  else if (!mount)
    jail_fail(error, "control groups are not mounted: mount -t cgroup2 none /sys/fs/cgroup");
  return mount;
}

/* What is asked for. */

char *jail_cgroup_check_setting(const char *setting) {
  const char *equals = strchr(setting, '=');
  size_t length = equals ? (size_t)(equals - setting) : 0,
         known = strspn(setting, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

  if (!equals || known != length || !memchr(setting, '.', length) || setting[0] == '.')
    return g_strdup("wants FILE=VALUE, such as memory.max=1G");
  if (g_str_has_prefix(setting, "cgroup."))
    return g_strdup("is no limit: files of groups themselves are eret's");
  if (!equals[1] || strchr(equals, '\n'))
    return g_strdup("wants a value of one line");
  return NULL;
}

char *jail_cgroup_check_parent(const char *parent) {
  g_auto(GStrv) parts = g_strsplit(parent, "/", -1);
  bool named = false;

  for (char **part = parts; *part; part++) {
    if (strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
      return g_strdup("leads through '.' or '..'");
    named |= **part != 0;
  }
  return named ? NULL : g_strdup("names no group");
}

/* "memory" of "memory.max=1G". */
static char *controller_of(const char *setting) {
  return g_strndup(setting, strcspn(setting, "."));
}

/* Files. */

static bool write_file(const char *directory, const char *name, const char *value) {
  g_autofree char *path = g_build_filename(directory, name, NULL);
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  if (fd < 0)
    return false;
  bool written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
  int code = errno;
  close(fd);
  errno = code;
  return written;
}

static char *read_file(const char *directory, const char *name) {
  g_autofree char *path = g_build_filename(directory, name, NULL);
  char *text = whole_file_read(path, FILE_MAX, "file of a control group", NULL, NULL);

  return text ? text : g_strdup("");
}

static bool has_word(const char *text, const char *word) {
  g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);

  return g_strv_contains((const char *const *)words, word);
}

/* Controllers, on the way down. */

static bool enable(const JailCgroup *cgroup, const char *directory, const char *controller, GError **error) {
  g_autofree char *there = read_file(directory, "cgroup.controllers"), *word = g_strconcat("+", controller, NULL);

  if (!has_word(there, controller))
    return jail_fail(error,
                     strcmp(directory, cgroup->root) == 0
                         ? "the controller '%s' is not there for control groups of version 2 (%s/cgroup.controllers): the kernel has "
                           "none, or version 1 has taken it"
                         : "the controller '%s' is not given to '%s', nor to what is below",
                     controller, directory);
  if (write_file(directory, "cgroup.subtree_control", word))
    return true;
  if (errno == EBUSY)
    return jail_fail(error,
                     "the controller '%s' cannot be enabled below '%s': that control group has processes of its own; --parent-cgroup "
                     "names one that has none",
                     controller, directory);
  return jail_fail_errno(error, "the controller '%s' cannot be enabled below '%s'", controller, directory);
}

static bool enable_all(const JailCgroup *cgroup, const char *directory, const GPtrArray *settings, GError **error) {
  for (unsigned i = 0; i < settings->len; i++) {
    g_autofree char *controller = controller_of(settings->pdata[i]);
    if (!enable(cgroup, directory, controller, error))
      return false;
  }
  return true;
}

static bool apply(const JailCgroup *cgroup, const char *setting, GError **error) {
  g_autofree char *name = g_strndup(setting, strcspn(setting, "="));
  const char *value = setting + strlen(name) + 1;

  if (write_file(cgroup->path, name, value))
    return true;
  if (errno == ENOENT)
    return jail_fail(error, "--cgroup %s: there is no such file in a control group of this host's", setting);
  return jail_fail_errno(error, "--cgroup %s: '%s' does not take it", setting, name);
}

/* What is left. */

static void kill_each(const JailCgroup *cgroup) {
  g_autofree char *text = read_file(cgroup->path, "cgroup.procs");
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  for (char **line = lines; *line; line++) {
    pid_t pid = (pid_t)strtol(*line, NULL, 10);
    if (pid > 0)
      kill(pid, SIGKILL);
  }
}

static bool is_populated(const JailCgroup *cgroup) {
  g_autofree char *events = read_file(cgroup->path, "cgroup.events");

  return strstr(events, "populated 1") != NULL;
}

static void empty(const JailCgroup *cgroup) {
  for (unsigned i = 0; i < WAIT_TRIES && is_populated(cgroup); i++) {
    if (!write_file(cgroup->path, "cgroup.kill", "1")) /* before Linux 5.14 */
      kill_each(cgroup);
    g_usleep(WAIT_USEC);
  }
}

/* Life. */

/* From the top down; those that it makes, and the one that is eret's anyway, are also its to remove. */
static bool make_parents(JailCgroup *cgroup, const char *parent, const GPtrArray *settings, GError **error) {
  g_auto(GStrv) parts = g_strsplit(parent, "/", -1);
  g_autofree char *path = g_strdup(cgroup->root);

  if (!enable_all(cgroup, path, settings, error))
    return false;
  for (char **part = parts; *part; part++) {
    if (!**part)
      continue;
    char *next = g_build_filename(path, *part, NULL);
    g_free(path);
    path = next;
    bool made = mkdir(path, MODE) == 0;
    if (!made && errno != EEXIST)
      return jail_fail_errno(error, "cannot make the control group '%s'", path);
    if (made || strcmp(parent, "eret") == 0)
      g_ptr_array_add(cgroup->parents, g_strdup(path));
    if (!enable_all(cgroup, path, settings, error))
      return false;
  }
  g_free(cgroup->path);
  cgroup->path = g_steal_pointer(&path);
  return true;
}

static void remove_parents(JailCgroup *cgroup) {
  while (cgroup->parents->len) {
    rmdir(cgroup->parents->pdata[cgroup->parents->len - 1]); /* fails where others have groups there */
    g_ptr_array_set_size(cgroup->parents, (int)cgroup->parents->len - 1);
  }
}

/* Else errno; ENOENT: another one is there by now, or none. */
static bool is_still_at(int fd, const char *path) {
  struct stat held, found;

  if (fstat(fd, &held) < 0 || stat(path, &found) < 0)
    return false;
  errno = ENOENT;
  return held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* 1: it is ours; 0: it went away meanwhile; -1: ERROR. */
static int lock(JailCgroup *cgroup, GError **error) {
  cgroup->lock_fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup->lock_fd >= 0 && flock(cgroup->lock_fd, LOCK_EX | LOCK_NB) == 0 && is_still_at(cgroup->lock_fd, cgroup->path))
    return 1;
  int code = errno;
  if (cgroup->lock_fd >= 0)
    close(cgroup->lock_fd);
  cgroup->lock_fd = -1;
  errno = code;
  if (code == EWOULDBLOCK)
    jail_fail(error, "the control group '%s' is that of another jail, which runs", cgroup->path);
  else if (code != ENOENT)
    jail_fail_errno(error, "cannot lock the control group '%s'", cgroup->path);
  return code == ENOENT ? 0 : -1;
}

/* As lock(). A parent may go away, too, with the jail that was the last in it. */
static int try_claim(JailCgroup *cgroup, const char *parent, const char *id, const GPtrArray *settings, GError **error) {
  remove_parents(cgroup);
  if (!make_parents(cgroup, parent, settings, error))
    return -1;
  char *path = g_build_filename(cgroup->path, id, NULL);
  g_free(cgroup->path);
  cgroup->path = path;
  if (mkdir(path, MODE) < 0 && errno != EEXIST) {
    if (errno == ENOENT)
      return 0;
    jail_fail_errno(error, "cannot make the control group '%s'", path);
    return -1;
  }
  return lock(cgroup, error);
}

static bool set_up(JailCgroup *cgroup, const GPtrArray *settings, GError **error) {
  empty(cgroup);
  for (unsigned i = 0; i < settings->len; i++)
    if (!apply(cgroup, settings->pdata[i], error))
      return false;
  g_autofree char *processes = g_build_filename(cgroup->path, "cgroup.procs", NULL);
  cgroup->processes_fd = open(processes, O_WRONLY | O_CLOEXEC);
  return cgroup->processes_fd >= 0 || jail_fail_errno(error, "cannot open '%s'", processes);
}

JailCgroup *jail_cgroup_new(const char *parent, const char *id, const GPtrArray *settings, GError **error) {
  g_autofree char *root = find_mount(error);
  int claimed = 0;

  if (!root)
    return NULL;
  g_autoptr(JailCgroup) cgroup = g_new0(JailCgroup, 1);
  *cgroup = (JailCgroup){.root = g_steal_pointer(&root), .lock_fd = -1, .processes_fd = -1};
  cgroup->parents = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < TRIES && claimed == 0; i++)
    claimed = try_claim(cgroup, parent, id, settings, error);
  if (claimed == 0)
    jail_fail(error, "the control group '%s' comes and goes: other processes make the same one; try again", cgroup->path);
  return claimed == 1 && set_up(cgroup, settings, error) ? g_steal_pointer(&cgroup) : NULL;
}

bool jail_cgroup_enter(JailCgroup *cgroup, GError **error) {
  if (write(cgroup->processes_fd, "0", 1) != 1)
    return jail_fail_errno(error, "cannot enter the control group '%s'", cgroup->path);
  return true;
}

void jail_cgroup_free(JailCgroup *cgroup) {
  if (!cgroup)
    return;
  if (cgroup->processes_fd >= 0)
    close(cgroup->processes_fd);
  if (cgroup->lock_fd >= 0) {
    empty(cgroup);
    if (rmdir(cgroup->path) < 0)
      g_warning("the control group '%s' cannot be removed: %s", cgroup->path, g_strerror(errno));
    close(cgroup->lock_fd);
  }
  remove_parents(cgroup);
  g_ptr_array_unref(cgroup->parents);
  g_free(cgroup->root);
  g_free(cgroup->path);
  g_free(cgroup);
}
