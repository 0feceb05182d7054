/* SPDX-License-Identifier: Apache-2.0 */
/* Whichever of 0, 1 and 2 are closed: what is opened afterwards takes none of their places. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/standard-fds.h"

/* In a process of its own; its status names the first thing that is wrong. */
static int try_closed(unsigned closed) {
  char byte;

  for (int fd = 0; fd <= 2; fd++)
    if (closed & 1u << fd)
      close(fd);
  if (!standard_fds_keep())
    return 1;
  if (open("/dev/zero", O_RDWR | O_CLOEXEC) <= 2)
    return 2;
  if (closed & 1u << 0 && read(0, &byte, 1) != 0)
    return 3;
  for (int fd = 1; fd <= 2; fd++)
    if (closed & 1u << fd && (write(fd, "x", 1) != -1 || errno != EBADF))
      return 4;
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) != 0) /* open, and not closed by an exec: a child has it too */
      return 5;
  return 0;
}

static void test_every_one(void) {
  for (unsigned closed = 0; closed < 8; closed++) {
    int status;
    pid_t child = fork();
    if (child == 0)
      _exit(try_closed(closed));
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/standard-fds/every-one", test_every_one);
  return g_test_run();
}
