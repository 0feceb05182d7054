/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a trace instance belongs to: the lock of vmm/observe/kernel-instance.c, on directories of the test's.
 * tests/boot/record.sh has the rest.
 */
#include "vmm/observe/kernel-instance.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that has the lock, until it is killed. */
static pid_t start_owner(const char *path) {
  int ready[2];
  char byte;

  g_assert_cmpint(pipe(ready), ==, 0);
  pid_t pid = fork();
  if (pid == 0) {
    byte = kernel_instance_lock(path) >= 0 ? 'y' : 'n';
    if (write(ready[1], &byte, 1) == 1)
      pause();
    _exit(1);
  }
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
  g_assert_cmpint(byte, ==, 'y');
  close(ready[0]);
  close(ready[1]);
  return pid;
}

static void test_lock(void) {
  g_autofree char *path = g_dir_make_tmp("eret-instance-XXXXXX", NULL);
  pid_t owner = start_owner(path);

  g_assert_cmpint(kernel_instance_lock(path), ==, -1);
  g_assert_cmpint(errno, ==, EWOULDBLOCK);
  kill(owner, SIGKILL);
  waitpid(owner, NULL, 0);
  int fd = kernel_instance_lock(path); /* it went with its process */
  g_assert_cmpint(fd, >=, 0);
  g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  g_assert_cmpint(kernel_instance_lock(path), ==, -1);
  close(fd);
  fd = kernel_instance_lock(path);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(g_rmdir(path), ==, 0); /* as who finds it without an owner does, with the lock in hand */
  close(fd);
  g_assert_cmpint(kernel_instance_lock(path), ==, -1);
  g_assert_cmpint(errno, ==, ENOENT);
}

typedef struct {
  const char *path;
  int stop; /* atomic */
} Remover;

/* Takes each directory away that it gets the lock of. */
static gpointer remove_all(gpointer data) {
  Remover *remover = data;

  while (!__atomic_load_n(&remover->stop, __ATOMIC_SEQ_CST)) {
    int fd = kernel_instance_lock(remover->path);
    if (fd < 0)
      continue;
    g_assert_cmpint(g_rmdir(remover->path), ==, 0);
    close(fd);
  }
  return NULL;
}

/* Who makes a directory and gets its lock has it for good, however soon another came by. */
static void test_new_ones(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-instance-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "instance", NULL);
  Remover remover = {.path = path};
  unsigned kept = 0, lost = 0;

  GThread *thread = g_thread_new("remover", remove_all, &remover);
  for (unsigned i = 0; i < 100000 && (kept < 500 || lost < 5); i++) {
    if (g_mkdir(path, 0700) < 0)
      continue;
    int fd = kernel_instance_lock(path);
    if (fd < 0) {
      lost++;
      continue;
    }
    g_usleep(10);
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
    g_assert_cmpint(g_rmdir(path), ==, 0);
    close(fd);
    kept++;
  }
  __atomic_store_n(&remover.stop, 1, __ATOMIC_SEQ_CST);
  g_thread_join(thread);
  g_assert_cmpuint(kept, >, 0);
  g_rmdir(path);
  g_rmdir(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/kernel-instance/lock", test_lock);
  g_test_add_func("/kernel-instance/new-ones", test_new_ones);
  return g_test_run();
}
