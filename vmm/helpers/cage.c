/* SPDX-License-Identifier: Apache-2.0 */
/* Between fork and exec: only what is async-signal-safe (signal-safety(7)), so texts are written piece by piece. */
#define _GNU_SOURCE /* unshare, strerrordesc_np */
#include "vmm/helpers/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_MAX 1000000 /* Linux: fs.nr_open is 1048576 unless somebody has changed it */

static void say(const char *text) {
  (void)!write(STDERR_FILENO, text, strlen(text));
}

static bool complain(const char *what) {
  const char *why = strerrordesc_np(errno);

  say(what);
  say(": ");
  say(why ? why : "for a reason without a name");
  say("\n");
  return false;
}

/* Of what is not allowed nothing is said: the limit is looked at afterwards. */
static void raise_limit(void) {
  const struct rlimit many = {FILES_MAX, FILES_MAX};
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MAX)
    return;
  if (limit.rlim_max < FILES_MAX && setrlimit(RLIMIT_NOFILE, &many) == 0)
    return;
  limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* User namespace. */

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

  if (fd >= 0)
    close(fd);
  return written || complain(path);
}

/* "0 ID 1": the one who may be root there. */
static bool map_root(const char *path, uint32_t id) {
  char text[] = "0 4294967295 1";
  char *digit = text + sizeof "0 4294967295" - 1;

  for (unsigned i = 0; i < sizeof "4294967295" - 1; i++, id /= 10)
    *--digit = id || i == 0 ? (char)('0' + id % 10) : ' ';
  return write_file(path, text);
}

/* Groups that one is in beside are no one's there (user_namespaces(7), "gid_map"). */
static bool become_root(const Cage *cage) {
  return (unshare(CLONE_NEWUSER) == 0 || complain("it cannot have a user namespace")) && write_file("/proc/self/setgroups", "deny") &&
         map_root("/proc/self/uid_map", cage->uid) && map_root("/proc/self/gid_map", cage->gid);
}

/* Mounts. */

static bool have_own_mounts(void) {
  return (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0) ||
         complain("it cannot have mounts of its own");
}

static bool bind_to(const char *from, const char *to) {
  return mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0 || complain(to);
}

static bool make_read_only(const char *path) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

  if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attributes, sizeof attributes) < 0)
    return complain("its directory cannot be made read-only");
  return true;
}

static bool set_up_mounts(const Cage *cage) {
  const char *whole = cage->whole_at, *path = cage->read_only;

  if (!whole && !path)
    return true;
  return have_own_mounts() && (!whole || bind_to("/", whole)) &&
         (!path || ((path == whole || bind_to(path, path)) && make_read_only(path)));
}

bool cage_enter(const void *opaque) {
  const Cage *cage = opaque;

  raise_limit();
  return (!cage->root || become_root(cage)) && set_up_mounts(cage);
}
