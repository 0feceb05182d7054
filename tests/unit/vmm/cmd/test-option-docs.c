/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option tables of all commands against what is written about them: the help's form; the manual page, which has
 * each option as the help has it, and no other; and the completion, whose lists are made from the tables. With the
 * argument --completion it prints these lists. Runs in the root of the source tree.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cmd/command.h"
#include "vmm/config/config.h"
#include "vmm/exec/options.h"
#include "vmm/suite/options.h"
#include "vmm/suite/suite-keys.h"

/* Each command, and where the manual has its own options: the section, and what the lines begin with. */
static const struct {
  const OptionSet *set;
  const char *section, *macro;
} commands[] = {
    {&config_option_set, "OPTIONS", ".It "},
    {&exec_option_set, "RUNNING A COMMAND", ".It "},
    {&test_option_set, "RUNNING TESTS", ".It "},
    {&test_merge_option_set, "RUNNING TESTS", ".Op "},
    {&trace_option_set, "READING A RECORDING", ".It "},
    {&doctor_option_set, "EXAMINING THE HOST", ".It "},
    {&ps_option_set, "MACHINES WITH NAMES", ".It "},
    {&attach_option_set, "MACHINES WITH NAMES", ".It "},
    {&ssh_option_set, "MACHINES WITH NAMES", ".It "},
    {&stop_option_set, "MACHINES WITH NAMES", ".It "},
    {&jail_option_set, "JAILS", ".It "},
    {&cpu_dump_option_set, "CPU TEMPLATES", ".It "},
    {&cpu_diff_option_set, "CPU TEMPLATES", ".It "},
};

static void test_help(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
    g_autofree char *help = option_help(commands[i].set);
    g_auto(GStrv) lines = g_strsplit(help, "\n", -1);
    for (char **line = lines; *line; line++) {
      g_assert_cmpuint(strlen(*line), <=, 80);
      g_assert_false(g_str_has_suffix(*line, " "));
    }
  }
  g_autofree char *help = option_help(&config_option_set);
  static const char *const wanted[] = {"--kernel FILE",   "--gic auto|2|3", "--console pl011|virtio",
                                       "--no-reboot",     "--rng",          "--disk FILE|nbd=URI[,ro|cow][,PART=VALUE]...",
                                       "(default: 512M;", "Machine:"};
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_nonnull(strstr(help, wanted[i]));
}

/* The help names each part of what an option takes. */
static void test_help_of_parts(void) {
  for (const Option *option = config_options; option->name; option++) {
    const OptionElement *element = option->kind == OPTION_LIST ? option->element : NULL;
    g_autofree char *head = option_head(option), *help = g_strconcat(head, " ", option->help, NULL);
    for (const Option *part = element ? element->options + element->first_unnamed : NULL; part && part->name; part++) {
      g_autofree char *pattern = g_strdup_printf("(^|[^-\\w])%s([^-\\w]|$)", part->name);
      if (!g_regex_match_simple(pattern, help, 0, 0))
        g_error("the help of --%s does not name %s", option->name, part->name);
    }
  }
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

static void add_without_spaces(GPtrArray *heads, const char *text) {
  g_auto(GStrv) words = g_strsplit(text, " ", -1);

  g_ptr_array_add(heads, g_strjoinv("", words));
}

/* What the help says, without spaces: "--gicauto|2|3", and "-jN" of "-j, --jobs N". */
static void add_heads_of_set(GPtrArray *heads, const OptionSet *set) {
  for (const Option *option = set->tables[0]; option->name; option++) {
    g_autofree char *head = option_head(option);
    g_autofree char *brief = option->letter && option->argument ? g_strdup_printf("-%c%s", option->letter, option->argument) : NULL;
    if (!option_is_of(option, set) || (option->kind == OPTION_HELP && set != &config_option_set))
      continue;
    add_without_spaces(heads, brief ? strstr(head, "--") : head);
    if (brief)
      g_ptr_array_add(heads, g_steal_pointer(&brief));
  }
}

/* What mdoc(7) makes of "Fl -copy-in Ar SRC Ns Op : Ns Ar DST", without spaces. Free with g_free. */
static char *plain(const char *item) {
  g_auto(GStrv) words = g_strsplit(item, " ", -1);
  GString *out = g_string_new(NULL);
  unsigned open = 0;

  for (char **word = words; *word; word++) {
    static const char *const fonts[] = {"Ar", "Cm", "Ns", NULL};
    if (strcmp(*word, "Fl") == 0) {
      g_string_append_c(out, '-');
    } else if (strcmp(*word, "Op") == 0 || strcmp(*word, "Oo") == 0) {
      g_string_append_c(out, '[');
      open += (*word)[1] == 'p';
    } else if (strcmp(*word, "Oc") == 0) {
      g_string_append_c(out, ']');
    } else if (!g_strv_contains(fonts, *word)) {
      g_string_append(out, *word);
    }
  }
  for (; open; open--)
    g_string_append_c(out, ']');
  return g_string_free(out, FALSE);
}

static void add_heads_of_manual(GPtrArray *heads, const char *manual, const char *section, const char *macro) {
  g_autofree char *title = g_strdup_printf("\n.Sh %s\n", section), *start = g_strconcat(macro, "Fl ", NULL);
  const char *begin = strstr(manual, title);
  g_assert_nonnull(begin);
  const char *end = strstr(begin + 1, "\n.Sh ");
  g_assert_nonnull(end);
  g_autofree char *text = g_strndup(begin, (gsize)(end - begin));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    if (!g_str_has_prefix(*line, start))
      continue;
    g_auto(GStrv) items = g_strsplit(*line + strlen(start), " , Fl ", -1);
    for (char **item = items; *item; item++) {
      g_autofree char *head = plain(*item);
      g_ptr_array_add(heads, g_strconcat("-", head, NULL));
    }
  }
}

static void assert_all_in(const GPtrArray *heads, GPtrArray *others, const char *where, const char *what) {
  for (unsigned i = 0; i < heads->len; i++)
    if (!g_ptr_array_find_with_equal_func(others, g_ptr_array_index(heads, i), g_str_equal, NULL))
      g_error("%s: %s is %s", where, (const char *)g_ptr_array_index(heads, i), what);
}

/* Each option as the help has it, and no other. */
static void test_manual(void) {
  g_autofree char *manual = read_document("eret.1");

  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
    g_autoptr(GPtrArray) wanted = g_ptr_array_new_with_free_func(g_free), found = g_ptr_array_new_with_free_func(g_free);
    for (unsigned j = 0; j < G_N_ELEMENTS(commands); j++)
      if (strcmp(commands[j].section, commands[i].section) == 0 && strcmp(commands[j].macro, commands[i].macro) == 0)
        add_heads_of_set(wanted, commands[j].set);
    add_heads_of_manual(found, manual, commands[i].section, commands[i].macro);
    assert_all_in(wanted, found, commands[i].section, "not in the manual");
    assert_all_in(found, wanted, commands[i].section, "in the manual, and no option");
  }
}

/* The lists of the completion. */

/* What a value begins with, where that has no name. */
static const Option *first_of(const Option *option) {
  return option->kind == OPTION_LIST && option->element->first_unnamed ? option->element->options : option;
}

static bool takes_file(const Option *option) {
  const Option *first = first_of(option);

  return first->kind == OPTION_PATH || first->paths || first->kind == OPTION_SOURCE ||
         g_strcmp0(option->examples, OPTION_EXAMPLE_FILES) == 0;
}

/* The values that OPTION is known to take, separated by spaces. */
static GString *known_values(const Option *option) {
  GString *words = g_string_new(option->examples);

  for (const OptionChoice *choice = option->choices; choice && choice->name; choice++)
    g_string_append_printf(words, "%s%s", words->len ? " " : "", choice->name);
  return words;
}

static void append_value(GString *out, const Option *option) {
  bool is_first = option->kind == OPTION_LIST && option->element->first_unnamed && !option->examples;
  g_autoptr(GString) words = known_values(is_first ? option->element->options : option);

  if (!takes_file(option) && !words->len)
    return;
  g_string_append_printf(out, "    --%s", option->name);
  if (option->letter)
    g_string_append_printf(out, " | -%c", option->letter);
  if (takes_file(option))
    g_string_append_printf(out, ") _eret_files \"$2\"%s%s ;;\n", first_of(option)->word ? " " : "",
                           first_of(option)->word ? first_of(option)->word : "");
  else
    g_string_append_printf(out, ") _eret_words \"%s\" \"$2\" ;;\n", words->str);
}

/* The parts of a list's elements, but for one that has no name. */
static void append_parts(GString *out, const Option *option) {
  const OptionElement *element = option->kind == OPTION_LIST ? option->element : NULL;
  const Option *part = element ? element->options + element->first_unnamed : NULL;

  if (!part)
    return;
  g_string_append_printf(out, "    --%s) named=%s parts=\"", option->name, element->first_unnamed ? "''" : "yes");
  for (const char *separator = ""; part->name; part++, separator = " ")
    g_string_append_printf(out, "%s%s%s", separator, part->name, option_takes_value(part) ? "=" : "");
  g_string_append(out, "\" ;;\n");
}

static void append_part_values(GString *out, const Option *option) {
  const Option *part = option->kind == OPTION_LIST ? option->element->options + option->element->first_unnamed : NULL;

  for (; part && part->name; part++) {
    g_autoptr(GString) words = part->kind == OPTION_BOOLEAN ? g_string_new("on off") : known_values(part);
    if (takes_file(part))
      g_string_append_printf(out, "    --%s,%s) _eret_files \"$2\" ;;\n", option->name, part->name);
    else if (words->len)
      g_string_append_printf(out, "    --%s,%s) _eret_words \"%s\" \"$2\" ;;\n", option->name, part->name, words->str);
  }
}

/* An option of this name means the same value in every command. */
static void append_each(GString *out, void (*append)(GString *out, const Option *option)) {
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
    for (unsigned table = 0; commands[i].set->tables[table]; table++)
      for (const Option *option = commands[i].set->tables[table]; option->name; option++)
        if (option_takes_value(option) && g_hash_table_add(seen, (char *)option->name))
          append(out, option);
}

static void append_name(GString *out, const char **separator, const Option *option) {
  bool needs_value = option_takes_value(option) && !option->alone;

  g_string_append_printf(out, "%s--%s%s%s", *separator, option->on_by_default ? "no-" : "", option->name, needs_value ? "=" : "");
  *separator = " ";
  if (option->letter && needs_value)
    g_string_append_printf(out, " -%c=", option->letter);
}

static void append_names(GString *out, const OptionSet *set) {
  const char *separator = "";

  g_string_append_printf(out, "    %s%s%s) options=\"", strchr(set->command, ' ') ? "\"" : "", set->command,
                         strchr(set->command, ' ') ? "\"" : "");
  for (unsigned table = 0; set->tables[table]; table++)
    for (const Option *option = set->tables[table]; option->name; option++)
      if (option_is_of(option, set))
        append_name(out, &separator, option);
  g_string_append(out, "\" ;;\n");
}

static char *completion_lists(void) {
  GString *out = g_string_new("# $1: an option that takes a value, $2: what is there of it.\n"
                              "_eret_value() {\n"
                              "    case $1 in\n");

  append_each(out, append_value);
  g_string_append(out,
                  "    *) COMPREPLY=() ;;\n"
                  "    esac\n"
                  "}\n\n"
                  "# Of option $1, whose value is parts that are separated by commas, sets parts: those with a name, one that has a value\n"
                  "# ends in \"=\"; and named: the first has a name, too.\n"
                  "_eret_parts_of() {\n"
                  "    case $1 in\n");
  append_each(out, append_parts);
  g_string_append(out, "    esac\n"
                       "}\n\n"
                       "# $1: an option and a part of it, $2: what is there of the part's value.\n"
                       "_eret_part() {\n"
                       "    case $1 in\n");
  append_each(out, append_part_values);
  g_string_append(out, "    *) COMPREPLY=() ;;\n"
                       "    esac\n"
                       "}\n\n"
                       "# Sets options: those of command $1. One that needs a value ends in \"=\".\n"
                       "_eret_options_of() {\n"
                       "    case $1 in\n");
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
    append_names(out, commands[i].set);
  g_string_append(out, "    esac\n"
                       "}\n");
  return g_string_free(out, FALSE);
}

#define LISTS_BEGIN "# From here on made from the option tables: build/native/tests/unit/vmm/cmd/test-option-docs --completion\n"
#define LISTS_END   "# To here.\n"

static void test_completion_lists(void) {
  g_autofree char *script = read_document("eret.bash-completion"), *wanted = completion_lists();
  const char *begin = strstr(script, LISTS_BEGIN), *end = strstr(script, LISTS_END);

  g_assert_true(begin && end);
  begin += strlen(LISTS_BEGIN);
  g_autofree char *found = g_strndup(begin, (gsize)(end - begin));
  g_assert_cmpstr(found, ==, wanted);
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

/* What is offered is what there is. */
static void assert_offered(const OptionSet *set) {
  g_autofree char *words = g_strdup_printf("eret %s -", set->command);
  g_autofree char *all = complete(words);
  unsigned n = 0;

  for (unsigned table = 0; set->tables[table]; table++)
    for (const Option *option = set->tables[table]; option->name; option++) {
      g_autofree char *name = g_strconcat("--", option->on_by_default ? "no-" : "", option->name, NULL);
      if (!option_is_of(option, set))
        continue;
      n += option->letter && option->kind != OPTION_HELP ? 2 : 1;
      assert_mentions(words, all, "^%s$", name);
    }
  g_auto(GStrv) offered = g_strsplit(g_strchomp(all), "\n", -1);
  g_assert_cmpuint(g_strv_length(offered), ==, n);
}

static void test_completion(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
    assert_offered(commands[i].set);
  for (const Option *option = config_options; option->name; option++) {
    g_autofree char *words = g_strdup_printf("eret run --%s %s", option->name, option->alone ? "= " : "");
    g_autofree char *values = option->choices ? complete(words) : NULL;
    for (const OptionChoice *choice = option->choices; choice && choice->name; choice++)
      assert_mentions(words, values, "^%s$", choice->name);
  }
  for (const Option *option = config_options; option->name; option++) {
    const OptionElement *element = option->kind == OPTION_LIST ? option->element : NULL;
    g_autofree char *words = g_strdup_printf("eret run --%s %s", option->name, element && element->first_unnamed ? "x," : "");
    g_autofree char *parts = element ? complete(words) : NULL;
    for (const Option *part = element ? element->options + element->first_unnamed : NULL; part && part->name; part++)
      assert_mentions(words, parts, option_takes_value(part) ? "^(x,)?%s=$" : "^(x,)?%s$", part->name);
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
      {"eret exec --rootfs LICE", "LICENSE\n"},
      {"eret test merge --js", "--json\n"},
      {"eret cpu dump -o LICE", "LICENSE\n"},
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

  for (const SuiteKeyRule *rule = suite_key_rules; rule->name; rule++) {
    bool negated;
    const char *option = rule->option ? rule->option : rule->name;
    assert_mentions("eret-suite.5", manual, "^\\.It Cm (.* )?%s( |$)", rule->name);
    if ((rule->kind == KEY_OPTION || rule->option) && !option_find_flag(&exec_option_set, option, &negated, NULL))
      g_error("the key %s is no option of eret exec", rule->name);
  }
  for (unsigned i = 0; i < N_EXPECTED; i++)
    assert_mentions("eret-suite.5", manual, "^\\.Ql %s( |$)", suite_outcome_name(i));
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  if (argc == 2 && strcmp(argv[1], "--completion") == 0) {
    g_autofree char *lists = completion_lists();
    fputs(lists, stdout);
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/option-docs/help", test_help);
  g_test_add_func("/option-docs/help-of-parts", test_help_of_parts);
  g_test_add_func("/option-docs/manual", test_manual);
  g_test_add_func("/option-docs/completion-lists", test_completion_lists);
  g_test_add_func("/option-docs/completion", test_completion);
  g_test_add_func("/option-docs/suites", test_suites);
  return g_test_run();
}
