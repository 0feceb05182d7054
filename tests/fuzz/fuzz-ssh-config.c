/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ssh(1) is told of a machine: vmm/control/ssh-config.c. Its lines are ours, whatever the user's paths are, and by
 * the shell the command that connects is the program that was named.
 */
#include "tests/fuzz/fuzz.h"

#include "vmm/control/runtime-directory.h"
#include "vmm/control/ssh-config.h"

#define LINES 11 /* without an identity, which takes two more */

static char *undouble(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, "%%", -1);

  return g_strjoinv("%", parts);
}

static void assert_program(const SshConfig *config) {
  g_autofree char *proxy = ssh_config_proxy(config->program, config->name, 7), *plain = undouble(proxy);
  g_auto(GStrv) words = NULL;

  g_assert_true(g_shell_parse_argv(plain, NULL, &words, NULL));
  g_assert_cmpuint(g_strv_length(words), ==, 6);
  g_assert_cmpstr(words[0], ==, config->program);
  g_assert_cmpstr(words[5], ==, config->name);
}

/* No character of a path ends its line, or the quotes around it. */
static void assert_lines(const SshConfig *config, const char *text) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  g_assert_cmpuint(g_strv_length(lines), ==, (config->identity ? LINES + 2 : LINES) + 1);
  for (char **line = lines + 1; *line; line++) {
    unsigned quotes = 0;
    if (g_str_has_prefix(*line, "  ProxyCommand ")) /* whose quotes are the shell's */
      continue;
    for (const char *c = *line; *c; c++) {
      g_assert_false(g_ascii_iscntrl(*c));
      quotes += *c == '"';
    }
    g_assert_true(quotes == 0 || (quotes == 2 && g_str_has_suffix(*line, "\"")));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  bool has_identity = fuzz_number(&input, 1) & 1;
  g_autofree char *name = fuzz_line(&input), *directory = fuzz_line(&input), *program = fuzz_line(&input), *identity = fuzz_line(&input);
  g_autofree char *long_program = g_strconcat("/", program, NULL);
  const SshConfig config = {runtime_name_is_valid(name) ? name : "web", directory, long_program, has_identity ? identity : NULL};
  g_autoptr(GError) error = NULL;
  g_autofree char *text = ssh_config_print(&config, &error);

  g_assert_true(!text == !!error);
  if (text) {
    assert_lines(&config, text);
    assert_program(&config);
  }
  return 0;
}
