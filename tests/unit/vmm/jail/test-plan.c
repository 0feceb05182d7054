/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a jail, before anything is made: names, users, limits, control groups, what is in the root. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/jail/cgroup.h"
#include "vmm/jail/identity.h"
#include "vmm/jail/limits.h"
#include "vmm/jail/mounts.h"
#include "vmm/jail/place.h"

static void test_id(void) {
  char longest[JAIL_ID_MAX + 2];

  memset(longest, 'a', sizeof longest);
  longest[JAIL_ID_MAX + 1] = 0;
  g_assert_nonnull(jail_place_check_id(longest));
  longest[JAIL_ID_MAX] = 0;
  g_assert_null(jail_place_check_id(longest));
  g_assert_null(jail_place_check_id("Web-1"));
  static const char *const bad[] = {"", "..", "a/b", "a b", "a_b", "a\n", "\xc3\xa4"};
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_nonnull(jail_place_check_id(bad[i]));
}

static void test_identity(void) {
  uid_t uid = 1;
  gid_t gid = 1;

  g_assert_null(jail_identity_user("root", &uid));
  g_assert_cmpuint(uid, ==, 0);
  g_assert_null(jail_identity_user("4294967294", &uid));
  g_assert_cmpuint(uid, ==, 4294967294u);
  g_assert_null(jail_identity_group("root", &gid));
  g_assert_cmpuint(gid, ==, 0);
  static const char *const bad[] = {"4294967295", "-1", "", "no-such-one", "99999999999999999999", "1 "};
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *of_user = jail_identity_user(bad[i], &uid), *of_group = jail_identity_group(bad[i], &gid);
    g_assert_nonnull(of_user);
    g_assert_nonnull(of_group);
  }
}

static void test_limits(void) {
  JailLimits limits = JAIL_LIMITS_NONE;

  g_assert_null(jail_limits_parse(&limits, "no-file=4096"));
  g_assert_null(jail_limits_parse(&limits, "fsize=0"));
  g_assert_cmpuint(limits.files, ==, 4096);
  g_assert_cmpuint(limits.file_size, ==, 0);
  static const char *const bad[] = {"no-file", "no-file=", "no-file=-1", "fsize=1K", "nofile=1", "=1", ""};
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *wrong = jail_limits_parse(&limits, bad[i]);
    g_assert_nonnull(wrong);
  }
}

static void test_cgroup_settings(void) {
  static const char *const good[] = {"memory.max=1G", "cpu.max=50000 100000", "io.max=8:0 rbps=1", "hugetlb.2MB.max=0", "pids.max=max"};
  static const char *const bad[] = {"",         "memory.max", "memory.max=",    "=1",       "memory=1",
                                    "../x.y=1", ".a=1",       "cgroup.procs=1", "a.b=1\n2", "a/b.c=1"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autofree char *wrong = jail_cgroup_check_setting(good[i]);
    g_assert_cmpstr(wrong, ==, NULL);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *wrong = jail_cgroup_check_setting(bad[i]);
    g_assert_nonnull(wrong);
  }
  static const char *const parents[] = {"", "/", "..", "a/../b", "."};
  for (unsigned i = 0; i < G_N_ELEMENTS(parents); i++) {
    g_autofree char *wrong = jail_cgroup_check_parent(parents[i]);
    g_assert_nonnull(wrong);
  }
  g_assert_null(jail_cgroup_check_parent("/machine.slice/web"));
}

static void test_cgroup_mount(void) {
  static const struct {
    const char *text, *mount;
    bool old;
  } cases[] = {
      {"30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup", false},
      {"30 23 0:26 / /my\\040groups rw shared:4 master:1 - cgroup2 none rw\n", "/my groups", false},
      {"30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", NULL, true},
      {"1 2 0:1 / /a rw - cgroup cgroup rw\n2 3 0:2 / /b rw - cgroup2 cgroup2 rw\n", "/b", true},
      {"30 23 0:26 / / rw - ext4 /dev/vda rw\nnonsense\n", NULL, false},
      {"", NULL, false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    bool old = !cases[i].old;
    g_autofree char *mount = jail_cgroup_mount_of(cases[i].text, &old);
    g_assert_cmpstr(mount, ==, cases[i].mount);
    g_assert_true(old == cases[i].old);
  }
}

static void test_clean(void) {
  static const struct {
    const char *path, *clean;
  } cases[] = {{"/a//b/./c/", "/a/b/c"}, {"/", "/"}, {"//", "/"}, {"a", NULL}, {"/a/../b", NULL}, {"/a\nb", NULL}, {"", NULL}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *clean = jail_mounts_clean(cases[i].path);
    g_assert_cmpstr(clean, ==, cases[i].clean);
  }
}

static void test_mounts(void) {
  const JailBind binds[] = {{"/etc/passwd", "/data/disk.img", false}, {"/usr", "/data", true}, {"/etc/hostname", "/etc/passwd", true}};
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) mounts = jail_mounts_plan("/usr/bin/env", binds, access("/etc/hostname", R_OK) == 0 ? 3 : 2, &error);

  g_assert_no_error(error);
  const JailMount *data = jail_mounts_find(mounts, "/data/file"), *disk = jail_mounts_find(mounts, "/data/disk.img");
  g_assert_true(data && data->is_directory && data->read_only);
  g_assert_true(disk && !disk->is_directory && !disk->read_only && !disk->device);
  g_assert_null(jail_mounts_find(mounts, "/dat"));
  g_assert_null(jail_mounts_find(mounts, "/home/somebody"));
  const JailMount *null = jail_mounts_find(mounts, "/dev/null"), *usr = jail_mounts_find(mounts, "/usr/bin/env");
  g_assert_true(null && null->device && !null->read_only);
  g_assert_cmpstr(usr->target, ==, "/usr"); /* the program is in it */
  unsigned of_passwd = 0;
  for (unsigned i = 0; i < mounts->len; i++) {
    const JailMount *mount = mounts->pdata[i];
    g_assert_cmpuint(strlen(mount->target), >=, i ? strlen(((const JailMount *)mounts->pdata[i - 1])->target) : 0);
    of_passwd += strcmp(mount->target, "/etc/passwd") == 0;
  }
  g_assert_cmpuint(of_passwd, ==, 1);
}

static void test_bad_mounts(void) {
  static const struct {
    JailBind bind;
    const char *message;
  } cases[] = {
      {{"/no/such/file", NULL, false}, "*--bind /no/such/file: cannot be put into the jail: No such file*"},
      {{"/etc", "/proc/x", false}, "*'/proc/x' is no place in the jail*"},
      {{"/etc", "/../x", false}, "*'/../x' is no place*"},
      {{"/etc", "x", false}, "*'x' is no place*"},
      {{"/etc", "/", false}, "*'/' is no place*"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(jail_mounts_plan("/usr/bin/env", &cases[i].bind, 1, &error));
    g_assert_true(g_pattern_match_simple(cases[i].message, error->message));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/jail/id", test_id);
  g_test_add_func("/jail/identity", test_identity);
  g_test_add_func("/jail/limits", test_limits);
  g_test_add_func("/jail/cgroup-settings", test_cgroup_settings);
  g_test_add_func("/jail/cgroup-mount", test_cgroup_mount);
  g_test_add_func("/jail/clean", test_clean);
  g_test_add_func("/jail/mounts", test_mounts);
  g_test_add_func("/jail/bad-mounts", test_bad_mounts);
  return g_test_run();
}
