/* SPDX-License-Identifier: Apache-2.0 */
/* What runs in a guest, of what the user says and what an image says. */
#include "vmm/exec/program.h"

#include <string.h>

static const char *const none[] = {NULL};

static GPtrArray *words(const char *text) {
  GPtrArray *all = g_ptr_array_new_null_terminated(1, g_free, true);
  g_auto(GStrv) parts = g_strsplit(text, " ", -1);

  for (char **part = parts; *part; part++)
    g_ptr_array_add(all, g_strdup(*part));
  return all;
}

/* Blanks between the words of each; NULL: nothing is said. */
static Program program(const char *command, const char *env) {
  return (Program){.command = words(command ? command : ""), .env = words(env ? env : "")};
}

static const ImageConfig image = {
    .entrypoint = (char *[]){"/entry", "-e", NULL},
    .command = (char *[]){"cmd", "arg", NULL},
    .env = (char *[]){"A=1", "PATH=/image", "A=2", "AB=3", NULL},
    .cwd = "/srv",
    .user = "app",
};

static void expect_command(const char *command, const ImageConfig *of, const char *entrypoint, const char *wanted) {
  g_auto(Program) is = program(command, NULL);
  g_autoptr(GError) error = NULL;

  bool taken = program_take_image(&is, of, entrypoint, &error);
  g_autofree char *all = g_strjoinv(" ", (char **)is.command->pdata);
  g_assert_cmpstr(all, ==, wanted);
  g_assert_true(taken == (*wanted != 0));
  g_assert_true(taken == !error);
}

static void test_command(void) {
  const ImageConfig only_command = {.entrypoint = (char **)none, .command = image.command, .env = (char **)none};
  const ImageConfig nothing = {.entrypoint = (char **)none, .command = (char **)none, .env = (char **)none};

  expect_command(NULL, &image, NULL, "/entry -e cmd arg");
  expect_command("x y", &image, NULL, "/entry -e x y");
  expect_command(NULL, &image, "/other", "/other");
  expect_command("x", &image, "/other", "/other x");
  expect_command("x", &image, "", "x");
  expect_command(NULL, &image, "", "");
  expect_command(NULL, &only_command, NULL, "cmd arg");
  expect_command("sh", &only_command, NULL, "sh");
  expect_command(NULL, &nothing, NULL, "");
  expect_command("sh", &nothing, NULL, "sh");
}

static void test_rest(void) {
  g_auto(Program) is = program(NULL, "B=new A=mine");
  g_auto(Program) other = program(NULL, NULL);
  const ImageConfig bare = {.entrypoint = image.entrypoint, .command = (char **)none, .env = (char **)none};

  g_assert_true(program_take_image(&is, &image, NULL, NULL));
  g_autofree char *env = g_strjoinv(" ", (char **)is.env->pdata);
  g_assert_cmpstr(env, ==, "PATH=/image AB=3 B=new A=mine");
  g_assert_cmpstr(is.cwd, ==, "/srv");
  g_assert_cmpstr(is.user, ==, "app");
  g_assert_true(is.makes_cwd);
  other.cwd = g_strdup("/mine");
  g_assert_true(program_take_image(&other, &bare, NULL, NULL));
  g_assert_cmpstr(other.cwd, ==, "/mine");
  g_assert_cmpstr(other.user, ==, "0");
}

static void expect_records(const Program *of, const char *wanted) {
  g_autoptr(GByteArray) spec = g_byte_array_new();

  program_add_records(spec, of, "vt220");
  for (unsigned i = 0; i < spec->len; i++)
    if (!spec->data[i])
      spec->data[i] = '|';
  g_autofree char *all = g_strndup((const char *)spec->data, spec->len);
  g_assert_cmpstr(all, ==, wanted);
}

static void test_records(void) {
  g_auto(Program) plain = program("uname -a", "A=b");
  g_auto(Program) of_image = program("x", "PATH=/p TERM=t");

  expect_records(&plain, "arg=uname|arg=-a|env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|env=HOME=/root|env=TERM="
                         "vt220|env=A=b|");
  g_assert_true(program_take_image(&of_image, &image, "", NULL));
  expect_records(&of_image, "arg=x|env=A=2|env=AB=3|env=PATH=/p|env=TERM=t|cwd=/srv|make-cwd=1|user=app|");
}

static void test_users(void) {
  static const char *const good[] = {"root", "0", "a:b", "1000:1000", "a b"}, *const bad[] = {"", ":", ":1", "a:", "a:b:c", "a\nb"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
    g_assert_true(program_is_user(good[i]));
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_false(program_is_user(bad[i]));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/program/command", test_command);
  g_test_add_func("/program/rest", test_rest);
  g_test_add_func("/program/records", test_records);
  g_test_add_func("/program/users", test_users);
  return g_test_run();
}
