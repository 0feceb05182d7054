/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table against what is written about it: the help's form, and the manual page and the completion, which
 * must know every option that the help knows, and no other. Runs in the root of the source tree.
 */
#include <locale.h>
#include <string.h>

#include "vmm/cmd/option-sets.h"
#include "vmm/config/config.h"
#include "vmm/doctor/options.h"
#include "vmm/exec/options.h"
#include "vmm/suite/options.h"
#include "vmm/suite/suite-keys.h"

static void test_help_text(void) {
  g_autofree char *help = option_help(&config_option_set);
  g_auto(GStrv) lines = g_strsplit(help, "\n", -1);
  for (char **line = lines; *line; line++) {
    g_assert_cmpuint(strlen(*line), <=, 80);
    g_assert_false(g_str_has_suffix(*line, " "));
  }
  static const char *const wanted[] = {"--kernel FILE",   "--gic auto|2|3", "--console pl011|virtio",
                                       "--no-reboot",     "--rng",          "--disk FILE[,ro][,format=raw][,serial=TEXT]",
                                       "(default: 512M)", "Machine:"};
  for (guint i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_nonnull(strstr(help, wanted[i]));
}

/* The option names that begin a line of the help, such as "--no-reboot". */
static GPtrArray *options_in_help(void) {
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *help = option_help(&config_option_set);
  g_auto(GStrv) lines = g_strsplit(help, "\n", -1);
  for (char **line = lines; *line; line++) {
    if (g_str_has_prefix(*line, "  --"))
      g_ptr_array_add(names, g_strndup(*line + 2, strcspn(*line + 2, " [")));
  }
  guint count = 0;
  for (const Option *option = config_options; option->name; option++)
    count++;
  g_assert_cmpuint(names->len, ==, count);
  return names;
}

static char *read_document(const char *name) {
  g_autofree char *path = g_build_filename("docs", name, NULL);
  g_autoptr(GError) error = NULL;
  char *text = NULL;
  g_file_get_contents(path, &text, NULL, &error);
  g_assert_no_error(error);
  return text;
}

static void assert_mentions(const char *document, const char *text, const char *format, const char *option) {
  g_autofree char *pattern = g_strdup_printf(format, option);
  if (!g_regex_match_simple(pattern, text, G_REGEX_MULTILINE, 0))
    g_error("%s does not have %s (wanted: %s)", document, option, pattern);
}

/* The part of the manual about the options of `eret run`. */
static char *read_run_options(void) {
  g_autofree char *manual = read_document("eret.1");
  char *begin = strstr(manual, "\n.Sh OPTIONS\n");
  g_assert_nonnull(begin);
  char *end = strstr(begin + 1, "\n.Sh ");
  g_assert_nonnull(end);
  return g_strndup(begin, end - begin);
}

static void test_manual(void) {
  g_autofree char *manual = read_run_options();
  g_autoptr(GPtrArray) names = options_in_help();
  for (guint i = 0; i < names->len; i++)
    assert_mentions("eret.1", manual, "^\\.It Fl %s( |$)", (char *)names->pdata[i] + 1); /* Fl writes the first dash */
  /* And nothing else: each item that looks like an option is one. */
  g_auto(GStrv) lines = g_strsplit(manual, "\n", -1);
  for (char **line = lines; *line; line++) {
    if (!g_str_has_prefix(*line, ".It Fl -"))
      continue;
    const char *start = *line + strlen(".It Fl ");
    g_autofree char *name = g_strdup_printf("-%.*s", (int)strcspn(start, " "), start);
    if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
      g_error("eret.1 has %s, which is no option", name);
  }
}

/* The commands with a table of options of their own: each option of their help is in the manual, and is offered. */
static char *complete(const char *words);

static void assert_documented(const OptionSet *set) {
  g_autofree char *help = option_help(set);
  g_autofree char *manual = read_document("eret.1");
  g_autofree char *words = g_strdup_printf("eret %s --", set->command);
  g_autofree char *offered = complete(words);
  g_auto(GStrv) lines = g_strsplit(help, "\n", -1);
  for (char **line = lines; *line; line++) {
    g_assert_cmpuint(strlen(*line), <=, 80);
    if (!g_str_has_prefix(*line, "  --"))
      continue;
    g_autofree char *name = g_strndup(*line + 2, strcspn(*line + 2, " ["));
    assert_mentions("eret.1", manual, "Fl %s( |$)", name + 1);
    assert_mentions("eret.bash-completion", offered, "^%s$", name);
  }
}

static void test_other_commands(void) {
  assert_documented(&exec_option_set);
  assert_documented(&test_option_set);
  assert_documented(&test_merge_option_set);
  assert_documented(&doctor_option_set);
  assert_documented(&trace_option_set);
  assert_documented(&cpu_dump_option_set);
  assert_documented(&cpu_diff_option_set);
}

/*
 * Runs the completion in bash: WORDS are separated by a space, the last is being completed. Returns the candidates, a
 * line each.
 */
static char *complete(const char *words) {
  g_autofree char *script = g_build_filename("docs", "eret.bash-completion", NULL);
  const char *const arguments[] = {"bash",
                                   "--norc",
                                   "-c",
                                   "source \"$1\"; IFS=' ' read -ra COMP_WORDS <<<\"$2\"; [[ $2 == *' ' ]] && COMP_WORDS+=(''); "
                                   "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _eret; printf '%s\\n' \"${COMPREPLY[@]}\"",
                                   "bash",
                                   script,
                                   words,
                                   NULL};
  g_autoptr(GError) error = NULL;
  char *output = NULL;
  g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, NULL, &error);
  g_assert_no_error(error);
  return output;
}

static void test_completion(void) {
  g_autofree char *all = complete("eret run --");
  g_autoptr(GPtrArray) names = options_in_help();
  for (guint i = 0; i < names->len; i++)
    assert_mentions("eret.bash-completion", all, "^%s$", names->pdata[i]);
  g_auto(GStrv) offered = g_strsplit(g_strchomp(all), "\n", -1);
  g_assert_cmpuint(g_strv_length(offered), ==, names->len);
  for (const Option *option = config_options; option->name; option++) {
    g_autofree char *words = g_strdup_printf("eret run --%s %s", option->name, option->alone ? "= " : "");
    g_autofree char *values = option->choices ? complete(words) : NULL;
    for (const OptionChoice *choice = option->choices; choice && choice->name; choice++)
      assert_mentions(words, values, "^%s$", choice->name);
  }
  static const struct {
    const char *words, *output;
  } cases[] = {
      {"eret r", "run\n"},
      {"eret run --conso", "--console\n"},
      {"eret run --gic = a", "auto\n"},
      {"eret run --transport mm", "mmio\n"},
      {"eret run --kernel LICE", "LICENSE\n"},
      {"eret run --config = doc", "docs\n"},
      {"eret run --nested = e", "e2h0\n"},
      {"eret run --nested --conso", "--console\n"},
      {"eret version --", "\n"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *output = complete(cases[i].words);
    g_assert_cmpstr(output, ==, cases[i].output);
  }
}

/* Every key of a suite, and every outcome that can be expected. */
static void test_suites(void) {
  g_autofree char *manual = read_document("eret-suite.5");

  for (const SuiteKeyRule *rule = suite_key_rules; rule->name; rule++)
    assert_mentions("eret-suite.5", manual, "^\\.It Cm (.* )?%s( |$)", rule->name);
  for (unsigned i = 0; i < N_EXPECTED; i++)
    assert_mentions("eret-suite.5", manual, "^\\.Ql %s( |$)", suite_outcome_name(i));
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/config-docs/help", test_help_text);
  g_test_add_func("/config-docs/manual", test_manual);
  g_test_add_func("/config-docs/completion", test_completion);
  g_test_add_func("/config-docs/other-commands", test_other_commands);
  g_test_add_func("/config-docs/suites", test_suites);
  return g_test_run();
}
