/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's command line: vmm/boot/command-line.c. */
#include "vmm/boot/command-line.h"

#include <string.h>

static void test_has(void) {
  static const struct {
    const char *line, *name;
    bool has;
  } cases[] = {
      {"", "quiet", false},
      {"quiet", "quiet", true},
      {"root=x\tquiet\n", "quiet", true},
      {"quietly", "quiet", false},
      {"systemd.quiet", "quiet", false},
      {"netconsole=@/,@10.0.0.1/", "console", false},
      {"console=ttyAMA0,115200", "console", true},
      {"console", "console", true},
      {"debug_guardpage_minorder=1", "debug", false},
      {"ignore-loglevel", "ignore_loglevel", true},
      {"init=/bin/sh -- quiet", "quiet", false},
      {"init=/bin/sh --quiet quiet", "quiet", true},
      {"--=x quiet", "quiet", true},
      {"\"--\" quiet", "quiet", false},
      {"dyndbg=\"file a.c +p; quiet\"", "quiet", false},
      {"dyndbg=\"file a.c +p\" quiet", "quiet", true},
      {"a=\"b c\"d quiet", "quiet", true},
      {"\"quiet\"", "quiet", true},
      {"\"console=hvc0 x\"", "console", true},
      {"\"a quiet b\"", "quiet", false},
      {"a\" quiet", "quiet", false},
      {"=quiet quiet=", "quiet", true},
      {"=quiet", "quiet", false},
      {"\"", "quiet", false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
    if (command_line_has(cases[i].line, cases[i].name) != cases[i].has)
      g_error("'%s' has '%s': %d", cases[i].line, cases[i].name, !cases[i].has);
}

static void test_add(void) {
  static const struct {
    const char *line, *word, *result;
  } cases[] = {
      {"", "console=hvc0", "console=hvc0"},
      {"quiet", "console=hvc0", "console=hvc0 quiet"},
      {"console=ttyS9", "console=hvc0", "console=ttyS9"},
      {"init=/a -- console=x", "console=hvc0", "console=hvc0 init=/a -- console=x"},
      {"unended=\"quote", "panic=-1", "panic=-1 unended=\"quote"},
      {"panic=5", "panic=-1", "panic=5"},
      {"loglevel=3", "quiet", "quiet loglevel=3"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *line = g_strdup(cases[i].line);
    command_line_add(&line, cases[i].word);
    g_assert_cmpstr(line, ==, cases[i].result);
  }
}

/* In front, whoever else has said something of that name. */
static void test_put(void) {
  g_autofree char *line = g_strdup("");

  command_line_put(&line, "a=\"b c\"");
  g_assert_cmpstr(line, ==, "a=\"b c\"");
  command_line_put(&line, "a=1 d");
  g_assert_cmpstr(line, ==, "a=1 d a=\"b c\"");
}

static void test_fits(void) {
  g_autofree char *user = g_strnfill(COMMAND_LINE_MAX - strlen("quiet "), 'x'), *why = NULL;
  g_autofree char *line = g_strconcat("quiet ", user, NULL), *longer = g_strconcat("quiet y", user, NULL);

  g_assert_true(command_line_fits("", 0, &why));
  g_assert_true(command_line_fits(line, strlen(user), &why));
  g_assert_null(why);
  g_assert_false(command_line_fits(longer, strlen(user) + 1, &why));
  g_autofree char *added = g_strnfill(2000, 'z'), *both = g_strconcat(added, " ", user, NULL);
  g_clear_pointer(&why, g_free);
  g_assert_false(command_line_fits(both, strlen(user), &why));
  g_assert_nonnull(strstr(why, " them (zzzz"));
  g_assert_nonnull(strstr(why, "zzzz...); Linux takes 2047"));
  g_assert_cmpuint(strlen(why), <, 250);
  g_clear_pointer(&why, g_free);
  g_assert_false(command_line_fits(longer, strlen(user) + 1, &why));
  g_assert_cmpstr(
      why, ==, "has 2042 bytes, and 2048 with what eret puts before them (quiet); Linux takes 2047 and would cut off the end: 1 too many");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/command-line/has", test_has);
  g_test_add_func("/command-line/add", test_add);
  g_test_add_func("/command-line/put", test_put);
  g_test_add_func("/command-line/fits", test_fits);
  return g_test_run();
}
