/* SPDX-License-Identifier: Apache-2.0 */
/* Who a command runs as, by a root's own files: guest-images/init/user.c. Whoever made the root has written them. */
#include "guest-images/init/user.h"

#include <glib.h>
#include <string.h>

static const char passwd_text[] = "# users\n"
                                  "root:x:0:0:root:/root:/bin/sh\n"
                                  "broken\n"
                                  "minus:x:-1:5::/:\n"
                                  "large:x:4294967296:5::/:\n"
                                  "short:x:50:51\n"
                                  "app:x:1000:1001:An app:/srv/app:/bin/sh\n"
                                  "app:x:7:7:the second:/:\n"
                                  "same:x:1000:9::/same:\n"
                                  "42:x:43:44::/home/42:\n"
                                  "lost:x:60:60::relative:\n"
                                  ":x:61:61::/:\n"
                                  "last:x:70:71::/last:/bin/sh"; /* without an end */
static const char group_text[] = "root:x:0:\n"
                                 "wheel:x:10:root,app\n"
                                 "more:x:20:other,app\n"
                                 "none:x:30:appendix,ap\n"
                                 "bad:x:x:app\n"
                                 "app:x:1001:\n"
                                 "large:x:4294967296:app\n";

static bool find_in(const char *text, const char *passwd, const char *group, User *user, char *why) {
  FILE *files[] = {passwd ? fmemopen((void *)passwd, strlen(passwd), "r") : NULL,
                   group ? fmemopen((void *)group, strlen(group), "r") : NULL};
  bool found = user_find(text, files[0], files[1], user, why);

  for (unsigned i = 0; i < G_N_ELEMENTS(files); i++)
    if (files[i])
      fclose(files[i]);
  return found;
}

/* "UID:GID HOME GROUP,GROUP". */
static void expect(const char *text, const char *wanted) {
  char why[USER_WHY_MAX] = "";
  User user;
  g_autoptr(GString) is = g_string_new(NULL);

  g_assert_true(find_in(text, passwd_text, group_text, &user, why));
  g_string_printf(is, "%u:%u %s ", user.uid, user.gid, user.home);
  for (size_t i = 0; i < user.n_groups; i++)
    g_string_append_printf(is, "%s%u", i ? "," : "", user.groups[i]);
  g_assert_cmpstr(is->str, ==, wanted);
}

static void expect_none(const char *text, const char *wanted) {
  char why[USER_WHY_MAX] = "";
  User user;

  g_assert_false(find_in(text, passwd_text, group_text, &user, why));
  g_assert_cmpstr(why, ==, wanted);
}

static void test_users(void) {
  expect("root", "0:0 /root 10");
  expect("0", "0:0 /root 10");
  expect("app", "1000:1001 /srv/app 10,20");
  expect("1000", "1000:1001 /srv/app 10,20");
  expect("app:", "1000:1001 /srv/app 10,20");
  expect("same", "1000:9 /same ");
  expect("short", "50:51 / ");
  expect("lost", "60:60 / ");
  expect("last", "70:71 /last ");
}

/* A number is an ID, although there is a name that looks like it. */
static void test_numbers(void) {
  expect("42", "42:0 / ");
  expect("43", "43:44 /home/42 ");
  expect("12345", "12345:0 / ");
  expect("12345:678", "12345:678 / ");
  expect("2147483647:2147483647", "2147483647:2147483647 / ");
  expect_none("2147483648", "user 2147483648: it is too large a number");
  expect_none("18446744073709551617", "user 18446744073709551617: it is too large a number");
  expect_none("0:4294967296", "group 4294967296: it is too large a number");
}

static void test_groups(void) {
  expect("app:wheel", "1000:10 /srv/app ");
  expect("app:20", "1000:20 /srv/app ");
  expect("12345:wheel", "12345:10 / ");
  expect_none("app:nobody", "group nobody: /etc/group has none of this name");
  expect_none("app:bad", "group bad: /etc/group has none of this name");
}

static void test_nobody(void) {
  char why[USER_WHY_MAX];
  User user;

  expect_none("nobody", "user nobody: /etc/passwd has none of this name");
  expect_none("minus", "user minus: /etc/passwd has none of this name");
  expect_none("large", "user large: /etc/passwd has none of this name");
  expect_none("-1", "user -1: /etc/passwd has none of this name");
  expect_none("", "user '': it is no name and no number");
  expect_none(":0", "user ':0': it is no name and no number");
  g_assert_true(find_in("7:8", NULL, NULL, &user, why));
  g_assert_cmpuint(user.uid, ==, 7);
  g_assert_cmpuint(user.gid, ==, 8);
  g_assert_cmpstr(user.home, ==, "/");
  g_assert_false(find_in("app", NULL, NULL, &user, why));
}

/* Lines that do not end, entries without number, homes and names without bound. */
static void test_hostile(void) {
  g_autoptr(GString) passwd = g_string_new("long:x:5:5::/");
  g_autoptr(GString) group = g_string_new(NULL);
  g_autofree char *name = g_strnfill(300, 'n'), *end = g_strnfill(200000, 'x');
  char why[USER_WHY_MAX];
  User user;

  g_string_append_printf(passwd, "%s:evil:x:0:0::/:\n%s:x:6:6::/:\ngood:x:9:9::/good:\n", end, name);
  for (unsigned i = 0; i < 3000; i++)
    g_string_append_printf(group, "g%u:x:%u:good,%s\n", i, i + 100, i == 7 ? end : "x");
  g_assert_true(find_in("good", passwd->str, group->str, &user, why));
  g_assert_cmpuint(user.uid, ==, 9);
  g_assert_cmpuint(user.n_groups, ==, USER_GROUPS_MAX);
  g_assert_cmpuint(user.groups[8], ==, 108);
  g_assert_true(find_in("long", passwd->str, NULL, &user, why));
  g_assert_cmpuint(strlen(user.home), ==, USER_HOME_MAX - 1);
  g_assert_false(find_in("evil", passwd->str, NULL, &user, why));
  g_assert_false(find_in(name, passwd->str, NULL, &user, why));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/init-user/users", test_users);
  g_test_add_func("/init-user/numbers", test_numbers);
  g_test_add_func("/init-user/groups", test_groups);
  g_test_add_func("/init-user/nobody", test_nobody);
  g_test_add_func("/init-user/hostile", test_hostile);
  return g_test_run();
}
