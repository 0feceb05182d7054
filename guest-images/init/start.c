/* SPDX-License-Identifier: Apache-2.0 */
/* How a process of init's becomes the command: in its directory, as its user, with its environment. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"
#include "user.h"

static User user; /* of the command: found before it starts */
static bool has_user;

/* What is no file there is nobody's list of users; a FIFO would have init wait. */
static FILE *open_list(const char *path) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat status;
  FILE *file = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "r") : NULL;

  if (fd >= 0 && !file)
    close(fd);
  return file;
}

bool find_user(const Spec *spec) {
  char why[USER_WHY_MAX];

  if (!spec->user)
    return true;
  FILE *passwd = open_list("/etc/passwd"), *group = open_list("/etc/group");
  has_user = user_find(spec->user, passwd, group, &user, why);
  if (passwd)
    fclose(passwd);
  if (group)
    fclose(group);
  if (!has_user)
    control_say("failed %d %s", ENOENT, why);
  return has_user;
}

/* The kernel kills init for memory last of all, and the command as others. */
static void restore_oom_score(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0)
    write_all(fd, "0", 1);
}

/* What leads to init is the user's, so that he can open it once more, as /dev/stderr. */
static bool become_user(void) {
  for (int fd = STDIN_FILENO; has_user && fd <= STDERR_FILENO; fd++)
    (void)!fchown(fd, user.uid, (gid_t)-1);
  return !has_user || (setgroups(user.n_groups, user.groups) == 0 && setgid(user.gid) == 0 && setuid(user.uid) == 0);
}

CommandStep become_command(const Spec *spec) {
  static char *nothing[] = {NULL};
  sigset_t none;

  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  restore_oom_score();
  if (chdir(spec->directory) < 0)
    return COMMAND_DIRECTORY;
  environ = spec->environment ? spec->environment : nothing;
  if (has_user)
    setenv("HOME", user.home, 0);
  if (!become_user())
    return COMMAND_USER;
  execvp(spec->arguments[0], spec->arguments);
  return COMMAND_PROGRAM;
}

const char *command_step_text(const Spec *spec, CommandStep step) {
  return step == COMMAND_DIRECTORY ? spec->directory : step == COMMAND_USER ? spec->user : spec->arguments[0];
}
