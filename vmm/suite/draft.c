/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a key: words for eret exec, which are then read by its own parser, or a field of the case. */
#include "vmm/suite/draft.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/exec/options.h"

static void add_option(CaseDraft *draft, const char *name, char *value) {
  g_ptr_array_add(draft->made->options, g_strconcat("--", name, NULL));
  if (value)
    g_ptr_array_add(draft->made->options, value);
}

/* Mistakes are told by the option's name, and those of a description by that of its file. */
static void note_option(CaseDraft *draft, const Option *option, const char *value) {
  g_ptr_array_add(draft->of_options, g_strconcat("--", option->name, NULL));
  if (option->kind == OPTION_SOURCE && value)
    g_ptr_array_add(draft->of_options, g_strdup(value));
}

/* For suite_key_rule_of_option and the options' own tables to decide: what is left is for `options`. */
static void on_option(void *opaque, const Option *option, int argument, const char *value) {
  CaseDraft *draft = opaque;
  const char *name = option->name, *not_in_suite = option->not_in_suite;
  const SuiteKeyRule *rule = suite_key_rule_of_option(name);

  note_option(draft, option, value);
  draft->has_gaps |= rule || not_in_suite;
  if (rule)
    draft_mistake(draft, "[%s] options: --%s is a key of its own; write %s = ...", draft->section->name, name, rule->name);
  else if (not_in_suite)
    draft_mistake(draft, "[%s] options: --%s: %s", draft->section->name, name, not_in_suite);
}

static void check_words(CaseDraft *draft, const GPtrArray *words) {
  for (unsigned i = 0; i < words->len; i++) {
    if (strcmp(g_ptr_array_index(words, i), "--") != 0)
      continue;
    draft_mistake(draft, "[%s] options: what is behind -- is the key command", draft->section->name);
    draft->has_gaps = true;
  }
  g_autofree char *mistakes = option_each(&exec_option_set, (int)words->len, (char **)words->pdata, on_option, draft);
  g_auto(GStrv) lines = g_strsplit(mistakes, "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    g_ptr_array_add(draft->of_options, g_strdup(lines[i]));
}

static void add_list(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autoptr(GPtrArray) items = draft_list(draft, rule, value);
  const Option *option = suite_key_option(rule);

  if (rule->kind == KEY_WORDS)
    check_words(draft, items);
  for (unsigned i = 0; i < items->len; i++) {
    char *item = g_strdup(g_ptr_array_index(items, i));
    if (option)
      add_option(draft, option->name, item);
    else
      g_ptr_array_add(rule->kind == KEY_WORDS   ? draft->made->options
                      : rule->kind == KEY_FILES ? draft->made->requires
                                                : draft->made->tags,
                      item);
  }
}

/* "." that is also the end of a line: "(?s)" or "(?is:". */
#define DOTALL "(?<!\\\\)\\(\\?[a-zJU^]*s[a-z]*[-:)]"

static void add_regexes(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  GPtrArray *items = draft_list(draft, rule, value), **field = &G_STRUCT_MEMBER(GPtrArray *, draft->made, rule->offset);

  for (unsigned i = 0; i < items->len; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = g_regex_new(g_ptr_array_index(items, i), G_REGEX_RAW | G_REGEX_MULTILINE, 0, &error);
    if (!regex)
      draft_mistake(draft, "%s: %s", draft->key->name, error->message);
    else if (g_regex_match_simple(DOTALL, g_ptr_array_index(items, i), G_REGEX_RAW, 0))
      draft_mistake(draft, "%s: (?s) is for a whole text, and patterns are for lines; write two patterns, or '\\n' for the end of a line",
                    draft->key->name);
  }
  g_ptr_array_unref(*field);
  *field = items;
}

static void set_command(CaseDraft *draft, const char *text) {
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) words = NULL;

  draft->has_gaps |= !g_shell_parse_argv(text, NULL, &words, &error);
  if (error)
    draft_mistake(draft, "%s: %s", draft->key->name, error->message);
  for (unsigned i = 0; words && words[i]; i++)
    g_ptr_array_add(draft->made->command, g_strdup(words[i]));
}

static void set_outcome(CaseDraft *draft, const char *text) {
  const char *names[N_EXPECTED + 1] = {NULL};

  for (unsigned i = 0; i < N_EXPECTED; i++) {
    names[i] = suite_outcome_name(i);
    if (strcmp(text, names[i]) == 0) {
      draft->made->outcome = (ExpectedOutcome)i;
      return;
    }
  }
  g_autofree char *all = g_strjoinv(", ", (char **)names);
  draft_mistake(draft, "%s: '%s' is none of %s", draft->key->name, text, all);
}

static void set_status(CaseDraft *draft, const char *text) {
  guint64 number;

  if (g_ascii_string_to_unsigned(text, 10, 0, 255, &number, NULL))
    draft->made->exit_status = (int)number;
  else
    draft_mistake(draft, "%s: '%s' is not a number from 0 to 255", draft->key->name, text);
}

static void set_output_limit(CaseDraft *draft, const char *text) {
  static const Option limit =
      OPTION("output-limit", SIZE, SuiteCase, output_limit, NULL, NULL, .min = SUITE_OUTPUT_LIMIT_MIN, .max = SUITE_OUTPUT_LIMIT_MAX);
  g_autofree char *why = option_parse(draft->made, &limit, NULL, text);

  if (why)
    draft_mistake(draft, "%s: %s", draft->key->name, why);
}

static void set_stdin_file(CaseDraft *draft, const char *path) {
  struct stat status;

  if (stat(path, &status) < 0)
    draft_mistake(draft, "%s: cannot open '%s': %s", draft->key->name, path, g_strerror(errno));
  else if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) /* a pipe would be read once, by one of many */
    draft_mistake(draft, "%s: '%s' is neither a file nor a character device", draft->key->name, path);
  g_free(draft->made->stdin_file);
  draft->made->stdin_file = g_strdup(path);
}

static void set_stdin(CaseDraft *draft, const char *text) {
  g_clear_pointer(&draft->made->stdin_text, g_bytes_unref);
  draft->made->stdin_text = g_bytes_new(text, strlen(text));
}

static void apply_text(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  static void (*const setters[])(CaseDraft * draft, const char *text) = {
      [KEY_COMMAND] = set_command, [KEY_STDIN] = set_stdin,     [KEY_STDIN_FILE] = set_stdin_file,
      [KEY_STATUS] = set_status,   [KEY_OUTCOME] = set_outcome, [KEY_OUTPUT_LIMIT] = set_output_limit,
  };
  SuiteKeyKind kind = suite_key_kind(rule);
  g_autofree char *text = draft_text(draft, rule, value);

  if (kind < G_N_ELEMENTS(setters) && setters[kind])
    setters[kind](draft, text);
  else if (kind == KEY_OPTION)
    add_option(draft, rule->name, g_steal_pointer(&text));
  else if (kind == KEY_FLAG_VALUE && !draft_is_boolean(text))
    g_ptr_array_add(draft->made->options, g_strdup_printf("--%s=%s", rule->name, text));
  else if ((kind == KEY_FLAG || kind == KEY_FLAG_VALUE) && draft_is_true(draft, text))
    add_option(draft, rule->name, NULL);
  else if (kind == KEY_BOOLEAN)
    G_STRUCT_MEMBER(bool, draft->made, rule->offset) = draft_is_true(draft, text);
}

static void apply(CaseDraft *draft, const SuiteKey *key, const char *name, const char *value) {
  const SuiteKeyRule *rule = suite_key_rule(name);
  SuiteKeyKind kind = suite_key_kind(rule);

  draft->key = key;
  if (kind == KEY_COMMENT || kind == KEY_EXCLUDE) /* it stands for itself, and the matrix has read it */
    return;
  if (kind == KEY_REGEXES)
    add_regexes(draft, rule, value);
  else if (kind > KEY_LAST_SINGLE && kind <= KEY_LAST_LIST)
    add_list(draft, rule, value);
  else
    apply_text(draft, rule, value);
}

/* NULL: none is. */
static const SuiteKey *key_of_option(const CaseDraft *draft, const char *option) {
  for (unsigned i = 0; i < draft->section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(draft->section->keys, i);
    const SuiteKeyRule *rule = suite_key_rule(key->name);
    if ((!suite_key_of(key->name, "label.") && strcmp(suite_key_base(key->name), option) == 0) ||
        (rule && rule->option && strcmp(rule->option, option) == 0))
      return key;
  }
  return NULL;
}

static bool is_of_options(const CaseDraft *draft, const char *mistake) {
  for (unsigned i = 0; i < draft->of_options->len; i++) {
    const char *start = g_ptr_array_index(draft->of_options, i);
    if (*start && g_str_has_prefix(mistake, start) && strchr(": =", mistake[strlen(start)])) /* or it is all of it */
      return true;
  }
  return false;
}

/* The key that a mistake of eret exec's parser, "--cpus: ...", is about; the section where it is none of them. */
static void pass_on(CaseDraft *draft, const char *text) {
  g_autofree char *option = g_str_has_prefix(text, "--") ? g_strndup(text + 2, strcspn(text + 2, ": =")) : g_strdup("");
  const SuiteKey *key = key_of_option(draft, option);

  if (!key && is_of_options(draft, text))
    key = suite_section_find(draft->section, "options");
  suite_file_mistake(draft->file, key ? key->line : draft->section->line, "[%s] %s", draft->section->name, text);
}

/* Keys that say nothing beside others. */

/* Whether what KEY says is more than what is so without it. */
static bool says_something(const CaseDraft *draft, const SuiteKeyRule *rule) {
  if (rule->kind == KEY_BOOLEAN)
    return G_STRUCT_MEMBER(bool, draft->made, rule->offset);
  return rule->kind == KEY_STATUS ? draft->made->exit_status != 0 : *draft->key->value != 0;
}

static void check_keys(CaseDraft *draft, const ExecOptions *options) {
  const SuiteCase *made = draft->made;

  for (unsigned i = 0; options->boot_only && i < draft->section->keys->len; i++) {
    draft->key = g_ptr_array_index(draft->section->keys, i);
    const SuiteKeyRule *rule = suite_key_rule(draft->key->name);
    if (rule && rule->needs_command && says_something(draft, rule))
      draft_mistake(draft,
                    "[%s] %s: a guest of the user's own (initrd) has no command that this is about; expect-console looks at its console",
                    draft->section->name, draft->key->name);
  }
  if ((draft->key = suite_section_find(draft->section, "outcome")) && made->outcome == EXPECT_OOPS && !options->fail_on_oops)
    draft_mistake(draft, "[%s] outcome: an oops does not end a guest but with fail-on-oops = true", draft->section->name);
  if (suite_section_find(draft->section, "outcome") && made->outcome != EXPECT_PASS &&
      (draft->key = suite_section_find(draft->own, "exit-status")))
    draft_mistake(draft, "[%s] exit-status: it is looked at with outcome = pass only", draft->section->name);
}

static void check_input(CaseDraft *draft) {
  if (!draft->made->stdin_text || !draft->made->stdin_file)
    return;
  draft->key = suite_section_find(draft->section, "stdin-file");
  draft->key = draft->key ? draft->key : suite_section_find(draft->section, "matrix.stdin-file");
  draft_mistake(draft, "[%s] %s: there is also stdin; a command reads one of them", draft->section->name, draft->key->name);
}

/* What the case reads, for who writes something while it runs. */
static void name_files(CaseDraft *draft, const NamedFiles *of_exec) {
  g_autofree char *where = g_strdup_printf("%s: [%s]", draft->file->path, draft->section->name);
  g_autofree char *stdin_file = g_strconcat(where, " stdin-file", NULL), *requires = g_strconcat(where, " requires", NULL);

  named_files_read_all(draft->named, where, of_exec, draft->file->mistakes->text);
  named_files_read(draft->named, stdin_file, draft->made->stdin_file, draft->file->mistakes->text);
  for (unsigned i = 0; i < draft->made->requires->len; i++)
    named_files_read(draft->named, requires, g_ptr_array_index(draft->made->requires, i), draft->file->mistakes->text);
}

/* What would eret exec say? It also tells what the machine needs of this one. */
static void check_options(CaseDraft *draft) {
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
  g_autoptr(GError) error = NULL;
  SuiteCase *made = draft->made;

  suite_case_add_arguments(made, builder);
  g_auto(GStrv) words = g_strv_builder_end(builder);
  g_autoptr(ExecOptions) options = exec_options_parse((int)g_strv_length(words), words, NULL, &error);
  g_auto(GStrv) lines = g_strsplit(error ? error->message : "", "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    pass_on(draft, lines[i]);
  if (!options)
    return;
  made->cpus = options->config->cpus;
  made->memory = options->config->memory;
  made->timeout = options->timeout;
  made->boot_timeout = options->boot_timeout;
  check_keys(draft, options);
  name_files(draft, options->config->named);
}

static void apply_keys(CaseDraft *draft) {
  for (unsigned i = 0; i < draft->section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(draft->section->keys, i);
    if (suite_key_rule(key->name) && !strchr(key->name, '.'))
      apply(draft, key, key->name, key->value);
  }
  for (unsigned i = 0; i < draft->cell->choices->len; i++) {
    const MatrixChoice *choice = &g_array_index(draft->cell->choices, MatrixChoice, i);
    apply(draft, choice->key, choice->key_name, choice->value);
  }
}

SuiteCase *draft_make_case(CaseDraft *draft, const char *suite) {
  g_autoptr(GArray) outside = draft->outside = g_array_new(FALSE, FALSE, sizeof(gsize));
  g_autoptr(GPtrArray) of_options = draft->of_options = g_ptr_array_new_with_free_func(g_free);
  SuiteCase *made = draft->made = suite_case_new(g_strdup(suite), g_strconcat(draft->section->name, draft->cell->name, NULL));

  draft->has_gaps = false;
  apply_keys(draft);
  check_input(draft);
  if (!draft->has_gaps)
    check_options(draft);
  draft->outside = NULL;
  draft->of_options = NULL;
  return made;
}
