/* SPDX-License-Identifier: Apache-2.0 */
/* What a cage takes from the process that enters it: vmm/helpers/cage.c. Skipped where the machine allows none. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "vmm/helpers/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REFUSED = 77 };

typedef struct {
  char *directory, *below;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  f->directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  f->below = g_build_filename(f->directory, "below", NULL);
  g_assert_cmpint(g_mkdir(f->below, 0755), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data) {
  g_rmdir(f->below);
  g_assert_cmpint(g_rmdir(f->directory), ==, 0);
  g_free(f->below);
  g_free(f->directory);
}

/* What LOOK finds in CAGE, in a process of its own; REFUSED: it could not be entered. */
static int in_cage(const Cage *cage, int (*look)(const Fixture *f), const Fixture *f) {
  pid_t pid = fork();
  int status = 0;

  if (pid == 0)
    _exit(cage_enter(cage) ? look(f) : REFUSED);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void expect(const Cage *cage, int (*look)(const Fixture *f), const Fixture *f, int want) {
  int got = in_cage(cage, look, f);

  if (got == REFUSED)
    g_test_skip("this machine does not allow it");
  else
    g_assert_cmpint(got, ==, want);
}

static int write_error(const char *directory) {
  int fd = openat(AT_FDCWD, directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  int code = fd < 0 ? errno : 0;

  if (fd >= 0)
    close(fd);
  return code;
}

static int write_below(const Fixture *f) {
  return write_error(f->below);
}

static Cage cage_of(bool root, const char *read_only) {
  return (Cage){.root = root, .uid = geteuid(), .gid = getegid(), .read_only = read_only};
}

/* It cannot be written there, and elsewhere it can. */
static void test_read_only(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(geteuid() != 0, f->directory), open = cage_of(false, NULL);
  g_autofree char *other = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  const Fixture elsewhere = {.below = other};

  expect(&open, write_below, f, 0);
  expect(&cage, write_below, f, EROFS);
  expect(&cage, write_below, &elsewhere, 0);
  g_assert_cmpint(write_error(f->below), ==, 0); /* the others' is as it was */
  g_rmdir(other);
}

/* Of the root, which nothing can be laid over, too. */
static void test_read_only_root(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(geteuid() != 0, "/");

  expect(&cage, write_below, f, EROFS);
}

/* What is mounted below is no way round. */
static int mount_and_enter(const Fixture *f) {
  const Cage cage = {.read_only = f->directory};

  if (mount("tmpfs", f->below, "tmpfs", 0, NULL) < 0)
    return REFUSED;
  return cage_enter(&cage) ? write_below(f) : REFUSED;
}

static void test_read_only_below(Fixture *f, gconstpointer data) {
  Cage outer = cage_of(geteuid() != 0, "/proc"); /* mounts of its own */

  expect(&outer, mount_and_enter, f, EROFS);
}

/* The whole root at another place, where it can be read-only while it is not here. */
static int is_whole(const Fixture *f) {
  g_autofree char *there = g_strconcat(f->below, f->directory, "/below", NULL);
  struct stat here, other;

  return stat(f->directory, &here) == 0 && stat(there, &other) == 0 && write_error(there) == EROFS && write_error(f->directory) == 0 ? 0
                                                                                                                                     : 1;
}

static void test_whole(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(geteuid() != 0, f->below);

  cage.whole_at = f->below;
  expect(&cage, is_whole, f, 0);
}

static int who(const Fixture *f) {
  struct stat status;

  return geteuid() == 0 && getegid() == 0 && stat(f->directory, &status) == 0 && status.st_uid == 0 ? 0 : 1;
}

/* Its own files are root's, who it is. */
static void test_root(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(true, NULL);

  expect(&cage, who, f, 0);
}

static int limit_is_hard(const Fixture *f) {
  struct rlimit limit;

  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (limit.rlim_cur == limit.rlim_max || limit.rlim_cur >= 1000000) ? 0 : 1;
}

static void test_limit(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(false, NULL);

  expect(&cage, limit_is_hard, f, 0);
}

static void test_refused(Fixture *f, gconstpointer data) {
  Cage cage = cage_of(geteuid() != 0, "/no/such");

  g_assert_cmpint(in_cage(&cage, who, f), ==, REFUSED);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/cage/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("read-only", test_read_only);
  ADD("read-only-root", test_read_only_root);
  ADD("read-only-below", test_read_only_below);
  ADD("whole", test_whole);
  ADD("root", test_root);
  ADD("limit", test_limit);
  ADD("refused", test_refused);
  return g_test_run();
}
