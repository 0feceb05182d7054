/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of open files: which suffice, and what is said of the others. And whichever of 0, 1 and 2 are closed: what is
 * opened afterwards takes none of their places.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/descriptors.h"

typedef struct {
  rlim_t soft, hard;
  unsigned wanted;
  const char *says; /* NULL: they suffice */
} Case;

/* In a process of its own: a hard limit cannot be raised again. Descriptors 0 to 2 are open, and no more. */
static int try_limit(const Case *c) {
  const struct rlimit limit = {c->soft, c->hard};
  struct rlimit after;
  g_autoptr(GError) error = NULL;

  for (int fd = 3; fd < 1024; fd++)
    close(fd);
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
    return 1;
  if (descriptors_suffice(c->wanted, &error) != !c->says)
    return 2;
  if (c->says && strcmp(error->message, c->says) != 0) {
    g_printerr("%s\n", error->message);
    return 3;
  }
  if (getrlimit(RLIMIT_NOFILE, &after) < 0 || after.rlim_cur != c->hard)
    return 4;
  return dup(0) == 3 ? 0 : 5; /* none is kept */
}

static void test_limit(gconstpointer data) {
  int status;
  pid_t child = fork();

  if (child == 0)
    _exit(try_limit(data));
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static const Case exact = {35, 35, 32, NULL};
static const Case soft = {10, 64, 32, NULL};
static const Case one_less = {
    34, 34, 32,
    "32 more open files are needed, and 31 can be had: Too many open files; the limit (RLIMIT_NOFILE) is 34 and has "
    "to be 35: raise it with ulimit -n"};
static const Case both = {
    8, 12, 100,
    "100 more open files are needed, and 9 can be had: Too many open files; the limit (RLIMIT_NOFILE) is 12 and has to "
    "be 103: raise it with ulimit -n"};

/* In a process of its own; its status names the first thing that is wrong. */
static int try_closed(unsigned closed) {
  char byte;

  for (int fd = 0; fd <= 2; fd++)
    if (closed & 1u << fd)
      close(fd);
  if (!descriptors_keep_standard())
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
  g_test_add_data_func("/descriptors/exact", &exact, test_limit);
  g_test_add_data_func("/descriptors/soft-limit", &soft, test_limit);
  g_test_add_data_func("/descriptors/one-less", &one_less, test_limit);
  g_test_add_data_func("/descriptors/hard-limit", &both, test_limit);
  g_test_add_func("/descriptors/standard", test_every_one);
  return g_test_run();
}
