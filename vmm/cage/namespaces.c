/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that may make them without is not given a user namespace: what it has to do with files of others goes on.
 * There is no namespace of processes: it would be its children's, and it makes none.
 */
#define _GNU_SOURCE /* unshare */
#include "vmm/cage/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  if (fd < 0)
    return false;
  bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  int code = errno;
  close(fd);
  errno = code;
  return written;
}

/* The same user as outside, so that its files stay its own; groups beside the first count for them as before. */
static bool map(const char *path, unsigned id) {
  char text[32];

  snprintf(text, sizeof text, "%u %u 1", id, id);
  return write_file(path, text);
}

static bool enter_with_user(int flags) {
  unsigned uid = geteuid(), gid = getegid();

  return unshare(flags | CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") && map("/proc/self/uid_map", uid) &&
         map("/proc/self/gid_map", gid);
}

bool namespaces_enter(bool network) {
  const int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (network ? CLONE_NEWNET : 0);

  return (unshare(flags) == 0 || enter_with_user(flags)) && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool namespaces_are_to_be_had(void) {
  pid_t child = fork();
  int status = 0;

  if (child == 0)
    _exit(namespaces_enter(true) ? 0 : errno & 0xff);
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (child > 0)
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
  return child > 0 && errno == 0;
}
