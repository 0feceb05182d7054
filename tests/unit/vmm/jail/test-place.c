/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a jail: made, locked, removed; after a kill; with what somebody had put in it, or set as a trap. */
#include "vmm/jail/place.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/remove-tree.h"

typedef struct {
  char *top, *base, *place;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->top = g_dir_make_tmp("jail-XXXXXX", NULL);
  fixture->base = g_build_filename(fixture->top, "a", "base", NULL);
  fixture->place = g_build_filename(fixture->base, "eret", "web", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_assert_true(remove_tree(fixture->top, NULL));
  g_free(fixture->top);
  g_free(fixture->base);
  g_free(fixture->place);
}

static char *path_of(const Fixture *fixture, const char *below) {
  return g_build_filename(fixture->place, below, NULL);
}

static bool is_there(const Fixture *fixture, const char *below) {
  g_autofree char *path = path_of(fixture, below);
  struct stat status;

  return lstat(path, &status) == 0;
}

/* All that a jail makes of it. */
static JailPlace *fill(const Fixture *fixture) {
  g_autoptr(GError) error = NULL;
  JailPlace *place = jail_place_new(fixture->base, "web", &error);

  g_assert_no_error(error);
  g_assert_true(jail_place_make_root(place, geteuid(), getegid(), &error));
  g_assert_true(jail_place_make_directory(place, "/data/deep/er", &error));
  g_assert_true(jail_place_make_file(place, "/dev/null", &error));
  g_assert_true(jail_place_make_link(place, "/lib", "usr/lib", &error));
  g_assert_true(jail_place_make_own_directory(place, "/tmp", geteuid(), getegid(), &error));
  g_assert_no_error(error);
  return place;
}

static void test_life(Fixture *fixture, gconstpointer data) {
  JailPlace *place = fill(fixture);
  g_autoptr(GError) error = NULL;

  g_assert_true(is_there(fixture, "root/data/deep/er") && is_there(fixture, "root/dev/null") && is_there(fixture, "root/lib"));
  g_autofree char *path = path_of(fixture, "pid"), *pid = NULL, *message = NULL;
  g_assert_true(g_file_get_contents(path, &pid, NULL, NULL));
  g_assert_cmpint(atoi(pid), ==, getpid());
  g_assert_null(jail_place_new(fixture->base, "web", &error));
  message = g_strdup_printf("a jail 'web' runs already, by process %d: its directory is '%s'", (int)getpid(), fixture->place);
  g_assert_cmpstr(error->message, ==, message);
  JailPlace *other = jail_place_new(fixture->base, "other", NULL);
  g_assert_nonnull(other);
  jail_place_free(other);
  jail_place_free(place);
  g_autofree char *first = g_path_get_dirname(fixture->base);
  g_assert_false(g_file_test(first, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_test(fixture->top, G_FILE_TEST_EXISTS));
}

/* A process that is killed leaves all; the next one of that name clears it. */
static void test_left_over(Fixture *fixture, gconstpointer data) {
  pid_t child = fork();

  if (child == 0) {
    fill(fixture);
    raise(SIGKILL);
  }
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  g_autofree char *path = path_of(fixture, "root/tmp/big");
  g_assert_true(g_file_set_contents(path, "x", 1, NULL));
  JailPlace *place = jail_place_new(fixture->base, "web", NULL);
  g_assert_nonnull(place);
  g_assert_false(is_there(fixture, "root"));
  jail_place_free(place);
  g_assert_false(is_there(fixture, ""));
}

static void prepare(const Fixture *fixture) {
  g_autofree char *root = path_of(fixture, "root/data"), *file = path_of(fixture, "root/data/disk.img");

  g_assert_cmpint(g_mkdir_with_parents(root, 0755), ==, 0);
  g_assert_true(g_file_set_contents(file, "disk", 4, NULL));
}

/* What somebody has put in a root before stays, also after a kill. */
static void test_kept(Fixture *fixture, gconstpointer data) {
  prepare(fixture);
  pid_t child = fork();
  if (child == 0) {
    fill(fixture);
    raise(SIGKILL);
  }
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  jail_place_free(fill(fixture));
  g_assert_true(is_there(fixture, "root/data/disk.img"));
  static const char *const gone[] = {"root/data/deep", "root/dev", "root/lib", "root/tmp", "made", "pid"};
  for (unsigned i = 0; i < G_N_ELEMENTS(gone); i++)
    g_assert_false(is_there(fixture, gone[i]));
}

/* Whoever owns the root puts a link in the place of a directory: what it leads to is neither filled nor removed. */
static void test_trap(Fixture *fixture, gconstpointer data) {
  g_autofree char *victim = g_build_filename(fixture->top, "victim", NULL), *deep = g_build_filename(victim, "deep", NULL);
  g_autofree char *inside = path_of(fixture, "root/data"), *away = path_of(fixture, "root/away");
  g_autoptr(GError) error = NULL;

  prepare(fixture);
  g_assert_cmpint(g_mkdir_with_parents(deep, 0755), ==, 0);
  JailPlace *place = fill(fixture);
  g_assert_cmpint(rename(inside, away), ==, 0);
  g_assert_cmpint(symlink(victim, inside), ==, 0);
  g_assert_false(jail_place_make_file(place, "/data/more", &error));
  g_assert_true(g_pattern_match_simple("there is no place for '/data/more' in the jail*", error->message));
  jail_place_free(place);
  g_assert_true(g_file_test(deep, G_FILE_TEST_IS_DIR));
}

static void test_others(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  prepare(fixture);
  g_assert_cmpint(chmod(fixture->place, 0777), ==, 0);
  g_assert_null(jail_place_new(fixture->base, "web", &error));
  g_assert_true(g_pattern_match_simple("*can be written by others*", error->message));
  g_assert_true(is_there(fixture, "root/data/disk.img"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/jail-place/life", Fixture, NULL, set_up, test_life, tear_down);
  g_test_add("/jail-place/left-over", Fixture, NULL, set_up, test_left_over, tear_down);
  g_test_add("/jail-place/kept", Fixture, NULL, set_up, test_kept, tear_down);
  g_test_add("/jail-place/trap", Fixture, NULL, set_up, test_trap, tear_down);
  g_test_add("/jail-place/others", Fixture, NULL, set_up, test_others, tear_down);
  return g_test_run();
}
