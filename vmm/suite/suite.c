/*
 * A test is its section over [defaults]; a case is a test with one cell of its matrix. Each key becomes words for eret exec, or a field of the case. The words are then read by
 * eret exec's own parser, so that nothing about machines is known here, and no mistake waits until the case runs.
 */
#include "vmm/suite/suite.h"

#include <string.h>

#include "vmm/config-option.h"
#include "vmm/exec/options.h"
#include "vmm/suite/matrix.h"
#include "vmm/suite/suite-file.h"
#include "vmm/suite/suite-keys.h"

G_DEFINE_QUARK(eret_suite_error, suite_error)

#define DEFAULTS "defaults"

static const char *const outcome_names[N_EXPECTED] = {
    [EXPECT_PASS] = "pass",
    [EXPECT_PANIC] = "panic",
    [EXPECT_OOPS] = "oops",
    [EXPECT_RESET] = "reset",
    [EXPECT_BOOT_TIMEOUT] = "boot-timeout",
    [EXPECT_TIMEOUT] = "timeout",
    [EXPECT_OUT_OF_MEMORY] = "out-of-memory",
    [EXPECT_NO_DRIVER] = "no-driver",
    [EXPECT_NO_RESULT] = "no-result",
};

const char *suite_outcome_name(ExpectedOutcome outcome) {
  return outcome_names[outcome];
}

void suite_case_free(gpointer data) {
  SuiteCase *suite_case = data;

  if (!suite_case)
    return;
  GPtrArray *arrays[] = {suite_case->options,        suite_case->command,        suite_case->expect,   suite_case->reject,
                         suite_case->expect_console, suite_case->reject_console, suite_case->requires, suite_case->tags};
  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_ptr_array_unref(arrays[i]);
  g_clear_pointer(&suite_case->stdin_text, g_bytes_unref);
  g_free(suite_case->stdin_file);
  g_free(suite_case->suite);
  g_free(suite_case->name);
  g_free(suite_case);
}

static SuiteCase *new_case(const char *suite, const char *test, const MatrixCell *cell) {
  SuiteCase *suite_case = g_new0(SuiteCase, 1);
  GPtrArray **arrays[] = {&suite_case->options,        &suite_case->command,        &suite_case->expect,   &suite_case->reject,
                          &suite_case->expect_console, &suite_case->reject_console, &suite_case->requires, &suite_case->tags};

  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    *arrays[i] = g_ptr_array_new_with_free_func(g_free);
  suite_case->suite = g_strdup(suite);
  suite_case->name = g_strconcat(test, cell->name, NULL);
  return suite_case;
}

/* One case in the making. */
typedef struct {
  const SuiteFile *file;
  const SuiteSection *section; /* with what it has of [defaults] */
  const MatrixCell *cell;
  GHashTable *defines;
  SuiteMistakes *mistakes;
  const SuiteKey *key; /* that is looked at */
  SuiteCase *made;
  bool has_gaps; /* something in it stands for nothing: what else would be said of it makes no sense */
} Draft;

#define mistake(draft, ...) suite_mistake((draft)->mistakes, (draft)->file->path, (draft)->key->line, __VA_ARGS__)

/* Values. */

#define EXPAND_DEPTH_MAX 8

/* A variable or a key of this test, as it is written. */
static const char *value_of_key(const Draft *draft, const char *name) {
  g_autofree char *variable = g_strconcat(SUITE_VARIABLE, name, NULL);
  const char *const names[] = {variable, name};

  for (unsigned i = 0; i < draft->cell->choices->len; i++)
    for (unsigned j = 0; j < G_N_ELEMENTS(names); j++)
      if (strcmp(g_array_index(draft->cell->choices, MatrixChoice, i).key_name, names[j]) == 0)
        return g_array_index(draft->cell->choices, MatrixChoice, i).value;
  for (unsigned j = 0; j < G_N_ELEMENTS(names); j++) {
    const SuiteKey *key = suite_key_rule(names[j]) ? suite_section_find(draft->section, names[j]) : NULL;
    if (key)
      return key->value;
  }
  return NULL;
}

static char *expand(Draft *draft, const char *text, unsigned depth);

/* What ${NAME} stands for: what was defined, a variable or a key of this test, the environment. In keys there may be more of them. Free with g_free. */
static char *value_of(Draft *draft, const char *name, unsigned depth) {
  const char *value = g_hash_table_lookup(draft->defines, name);

  if (value)
    return g_strdup(value);
  if ((value = value_of_key(draft, name)) && depth < EXPAND_DEPTH_MAX) {
    g_autofree char *text = suite_unescape(value);
    return expand(draft, text, depth + 1);
  }
  const char *outside = value ? NULL : g_getenv(name);
  if (outside)
    return g_strdup(outside);
  draft->has_gaps = true;
  if (value)
    mistake(draft, "%s: ${%s} stands for itself, or for too much of what stands for something else", draft->key->name, name);
  else
    mistake(draft, "%s: there is no ${%s}: neither --define %s=..., nor a key or var.%s of the test, nor in the environment",
            draft->key->name, name, name, name);
  return g_strdup("");
}

static char *expand(Draft *draft, const char *text, unsigned depth) {
  GString *out = g_string_new(NULL);

  for (const char *next = text; *next;) {
    bool literal = g_str_has_prefix(next, "$${");
    const char *end = g_str_has_prefix(next, "${") ? strchr(next, '}') : NULL;
    if (!end) {
      next += literal;
      g_string_append_c(out, *next++);
      if (literal)
        g_string_append_c(out, *next++);
      continue;
    }
    g_autofree char *name = g_strndup(next + 2, (gsize)(end - next - 2));
    g_autofree char *value = value_of(draft, name, depth);
    g_string_append(out, value);
    next = end + 1;
  }
  return g_string_free(out, FALSE);
}

/* Whether TEXT begins with what the suite does not have: what was defined, or the environment's. */
static bool begins_outside(const Draft *draft, const char *text, unsigned depth) {
  const char *end = g_str_has_prefix(text, "${") ? strchr(text, '}') : NULL;
  g_autofree char *name = end ? g_strndup(text + 2, (gsize)(end - text - 2)) : NULL;

  if (!name || depth > EXPAND_DEPTH_MAX)
    return false;
  const char *value = g_hash_table_contains(draft->defines, name) ? NULL : value_of_key(draft, name);
  return value ? begins_outside(draft, value, depth + 1) : true;
}

/* As expand(). Paths in a suite are relative to its file; one that begins with what the user gave is relative to where the user is. */
static char *expand_path(Draft *draft, const char *text) {
  g_autofree char *path = expand(draft, text, 0);
  g_autofree char *here = g_get_current_dir();

  return !g_path_is_absolute(path) && begins_outside(draft, text, 0) ? g_strconcat(here, "/", path, NULL) : g_steal_pointer(&path);
}

static char *path_value(const Draft *draft, const char *path) {
  g_autofree char *directory = g_path_get_dirname(draft->file->path);
  g_autofree char *absolute = g_canonicalize_filename(directory, NULL);
  return g_canonicalize_filename(path, absolute);
}

static bool is_path(const SuiteKeyRule *rule) {
  switch (rule->kind) {
  case KEY_FILE_OPTION:
  case KEY_STDIN_FILE:
  case KEY_DISKS:
  case KEY_COPY_IN:
  case KEY_FILES:
    return true;
  default:
    return false;
  }
}

static char *text_value(Draft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autofree char *text = suite_unescape(value);
  return is_path(rule) ? expand_path(draft, text) : expand(draft, text, 0);
}

static GPtrArray *list_value(Draft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autoptr(GPtrArray) raw = suite_split(value);
  GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

  for (unsigned i = 0; i < raw->len; i++) {
    const char *item = g_ptr_array_index(raw, i);
    g_ptr_array_add(items, is_path(rule) ? expand_path(draft, item) : expand(draft, item, 0));
  }
  return items;
}

static bool is_true(const Draft *draft, const char *value) {
  static const char *const yes[] = {"true", "yes", "1", NULL}, *const no[] = {"false", "no", "0", NULL};

  if (!g_strv_contains(yes, value) && !g_strv_contains(no, value))
    mistake(draft, "%s: '%s' is neither true nor false", draft->key->name, value);
  return g_strv_contains(yes, value);
}

/* Keys. */

static void add_option(Draft *draft, const char *name, char *value) {
  g_ptr_array_add(draft->made->options, g_strconcat("--", name, NULL));
  if (value)
    g_ptr_array_add(draft->made->options, value);
}

/* "FILE,ro": the path is what stands before the first comma, unless that is doubled. */
static char *disk_value(const Draft *draft, const char *value) {
  const char *comma = value;

  while (*comma && (*comma != ',' || comma[1] == ','))
    comma += *comma == ',' ? 2 : 1;
  g_autofree char *path = g_strndup(value, (gsize)(comma - value));
  g_autofree char *absolute = path_value(draft, path);
  return g_strconcat(absolute, comma, NULL);
}

/* "SRC:DST" */
static char *copy_value(const Draft *draft, const char *value) {
  const char *colon = strrchr(value, ':');
  g_autofree char *source = g_strndup(value, colon ? (gsize)(colon - value) : strlen(value));
  g_autofree char *absolute = path_value(draft, source);
  return g_strconcat(absolute, colon, NULL);
}

static void add_list(Draft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autoptr(GPtrArray) items = list_value(draft, rule, value);

  for (unsigned i = 0; i < items->len; i++) {
    const char *item = g_ptr_array_index(items, i);
    switch (rule->kind) {
    case KEY_DISKS:
      add_option(draft, rule->option, disk_value(draft, item));
      break;
    case KEY_COPY_IN:
      add_option(draft, rule->name, copy_value(draft, item));
      break;
    case KEY_WORDS:
      g_ptr_array_add(draft->made->options, g_strdup(item));
      break;
    case KEY_FILES:
      g_ptr_array_add(draft->made->requires, path_value(draft, item));
      break;
    case KEY_TAGS:
      g_ptr_array_add(draft->made->tags, g_strdup(item));
      break;
    default:
      add_option(draft, rule->option, g_strdup(item));
      break;
    }
  }
}

static void add_regexes(Draft *draft, const SuiteKeyRule *rule, const char *value) {
  GPtrArray *items = list_value(draft, rule, value), **field = (GPtrArray **)((char *)draft->made + rule->offset);

  for (unsigned i = 0; i < items->len; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = g_regex_new(g_ptr_array_index(items, i), G_REGEX_RAW | G_REGEX_MULTILINE, 0, &error);
    if (!regex)
      mistake(draft, "%s: %s", draft->key->name, error->message);
  }
  g_ptr_array_unref(*field);
  *field = items;
}

static void set_command(Draft *draft, const char *text) {
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) words = NULL;

  draft->has_gaps |= !g_shell_parse_argv(text, NULL, &words, &error);
  if (error)
    mistake(draft, "%s: %s", draft->key->name, error->message);
  for (unsigned i = 0; words && words[i]; i++)
    g_ptr_array_add(draft->made->command, g_strdup(words[i]));
}

static void set_outcome(Draft *draft, const char *text) {
  const char *names[N_EXPECTED + 1] = {NULL};

  for (unsigned i = 0; i < N_EXPECTED; i++) {
    names[i] = outcome_names[i];
    if (strcmp(text, names[i]) == 0) {
      draft->made->outcome = (ExpectedOutcome)i;
      return;
    }
  }
  g_autofree char *all = g_strjoinv(", ", (char **)names);
  mistake(draft, "%s: '%s' is none of %s", draft->key->name, text, all);
}

static void set_status(Draft *draft, const char *text) {
  guint64 number;

  if (g_ascii_string_to_unsigned(text, 10, 0, 255, &number, NULL))
    draft->made->exit_status = (int)number;
  else
    mistake(draft, "%s: '%s' is not a number from 0 to 255", draft->key->name, text);
}

static void set_stdin_file(Draft *draft, const char *text) {
  char *path = path_value(draft, text);

  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    mistake(draft, "%s: '%s' is not there", draft->key->name, path);
  g_free(draft->made->stdin_file);
  draft->made->stdin_file = path;
}

static void apply_text(Draft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autofree char *text = text_value(draft, rule, value);

  switch (rule->kind) {
  case KEY_OPTION:
    add_option(draft, rule->name, g_steal_pointer(&text));
    break;
  case KEY_FILE_OPTION:
    add_option(draft, rule->name, path_value(draft, text));
    break;
  case KEY_FLAG:
    if (is_true(draft, text))
      add_option(draft, rule->name, NULL);
    break;
  case KEY_BOOLEAN:
    *(bool *)((char *)draft->made + rule->offset) = is_true(draft, text);
    break;
  case KEY_COMMAND:
    set_command(draft, text);
    break;
  case KEY_STDIN:
    draft->made->stdin_text = g_bytes_new(text, strlen(text));
    break;
  case KEY_STDIN_FILE:
    set_stdin_file(draft, text);
    break;
  case KEY_STATUS:
    set_status(draft, text);
    break;
  case KEY_OUTCOME:
    set_outcome(draft, text);
    break;
  default:
    break;
  }
}

static void apply(Draft *draft, const SuiteKey *key, const char *name, const char *value) {
  const SuiteKeyRule *rule = suite_key_rule(name);

  draft->key = key;
  switch (rule->kind) {
  case KEY_LIST:
  case KEY_DISKS:
  case KEY_COPY_IN:
  case KEY_WORDS:
  case KEY_FILES:
  case KEY_TAGS:
    add_list(draft, rule, value);
    break;
  case KEY_REGEXES:
    add_regexes(draft, rule, value);
    break;
  default:
    apply_text(draft, rule, value);
    break;
  }
}

/* The key that a mistake of eret exec's parser, "--cpus: ...", is about; the section where it is none of them. */
static void pass_on(Draft *draft, const char *text) {
  g_autofree char *option = g_str_has_prefix(text, "--") ? g_strndup(text + 2, strcspn(text + 2, ": =")) : g_strdup("");
  const SuiteKey *found = NULL;

  for (unsigned i = 0; i < draft->section->keys->len && !found; i++) {
    const SuiteKey *key = g_ptr_array_index(draft->section->keys, i);
    const char *of = suite_key_of(key->name, "matrix.");
    const SuiteKeyRule *rule = suite_key_rule(key->name);
    if (strcmp(of ? of : key->name, option) == 0 || (rule && rule->option && strcmp(rule->option, option) == 0))
      found = key;
  }
  suite_mistake(draft->mistakes, draft->file->path, found ? found->line : draft->section->line, "[%s] %s", draft->section->name, text);
}

/* What would eret exec say? It also tells what the machine needs of this one. */
static void check_options(Draft *draft) {
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  SuiteCase *made = draft->made;
  bool help;

  for (unsigned i = 0; i < made->options->len; i++)
    g_ptr_array_add(words, g_ptr_array_index(made->options, i));
  if (made->command->len)
    g_ptr_array_add(words, (char *)"--");
  for (unsigned i = 0; i < made->command->len; i++)
    g_ptr_array_add(words, g_ptr_array_index(made->command, i));
  g_autoptr(ExecOptions) options = exec_options_parse((int)words->len, (char **)words->pdata, &help, &error);
  g_auto(GStrv) lines = g_strsplit(error ? error->message : "", "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    pass_on(draft, lines[i]);
  if (!options)
    return;
  made->cpus = options->config->cpus;
  made->memory = options->config->memory;
  made->timeout = options->timeout;
  made->boot_timeout = options->boot_timeout;
}

static SuiteCase *make_case(Draft *draft, const char *suite) {
  SuiteCase *made = draft->made = new_case(suite, draft->section->name, draft->cell);

  for (unsigned i = 0; i < draft->section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(draft->section->keys, i);
    if (suite_key_rule(key->name) && !strchr(key->name, '.'))
      apply(draft, key, key->name, key->value);
  }
  for (unsigned i = 0; i < draft->cell->choices->len; i++) {
    const MatrixChoice *choice = &g_array_index(draft->cell->choices, MatrixChoice, i);
    apply(draft, choice->key, choice->key_name, choice->value);
  }
  if (!draft->has_gaps)
    check_options(draft);
  return made;
}

/* Sections. */

static void check_keys(const SuiteFile *file, const SuiteSection *section, SuiteMistakes *mistakes) {
  const char *names[64] = {NULL};

  for (unsigned i = 0; suite_key_rules[i].name && i + 1 < G_N_ELEMENTS(names); i++)
    names[i] = suite_key_rules[i].name;
  for (unsigned i = 0; i < section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(section->keys, i);
    const char *label_of = suite_key_of(key->name, "label.");
    g_autofree char *matrix = label_of ? g_strconcat("matrix.", label_of, NULL) : NULL;
    if (!suite_key_rule(key->name)) {
      const char *nearest = nearest_name(key->name, names);
      suite_mistake(mistakes, file->path, key->line, nearest ? "there is no key '%s'; did you mean %s?" : "there is no key '%s'", key->name,
                    nearest);
    } else if (matrix && !suite_section_find(section, matrix)) {
      suite_mistake(mistakes, file->path, key->line, "%s: there is no %s to name", key->name, matrix);
    }
  }
}

static bool overrides(const SuiteSection *section, const char *name) {
  const char *of = suite_key_of(name, "matrix.");
  of = of ? of : suite_key_of(name, "label.");
  g_autofree char *matrix = g_strconcat("matrix.", of ? of : name, NULL);

  return suite_section_find(section, name) || suite_section_find(section, of ? of : name) || suite_section_find(section, matrix);
}

/* SECTION with the keys of DEFAULTS that it does not have, in front. The keys stay theirs. */
static SuiteSection *merge(const SuiteSection *section, const SuiteSection *defaults) {
  SuiteSection *merged = g_new0(SuiteSection, 1);

  merged->name = g_strdup(section->name);
  merged->line = section->line;
  merged->keys = g_ptr_array_new();
  for (unsigned i = 0; defaults && i < defaults->keys->len; i++)
    if (!overrides(section, ((const SuiteKey *)g_ptr_array_index(defaults->keys, i))->name))
      g_ptr_array_add(merged->keys, g_ptr_array_index(defaults->keys, i));
  for (unsigned i = 0; i < section->keys->len; i++)
    g_ptr_array_add(merged->keys, g_ptr_array_index(section->keys, i));
  return merged;
}

static void load_section(const SuiteFile *file, const SuiteSection *section, const SuiteSection *defaults, GHashTable *defines,
                         GPtrArray *cases, SuiteMistakes *mistakes) {
  SuiteSection *merged = merge(section, defaults);
  g_autoptr(Matrix) matrix = matrix_new(file, merged, mistakes);
  g_autofree char *base = g_path_get_basename(file->path);
  char *dot = strrchr(base, '.');

  if (dot && dot > base)
    *dot = 0;
  for (unsigned i = 0; i < matrix->cells->len; i++) {
    Draft draft = {.file = file, .section = merged, .cell = g_ptr_array_index(matrix->cells, i), .defines = defines, .mistakes = mistakes};
    g_ptr_array_add(cases, make_case(&draft, base));
  }
  g_ptr_array_unref(merged->keys);
  g_free(merged->name);
  g_free(merged);
}

static void load_file(const char *path, GHashTable *defines, GPtrArray *cases, SuiteMistakes *mistakes) {
  gsize mistakes_before = mistakes->text->len;
  g_autoptr(SuiteFile) file = suite_file_read(path, mistakes);
  bool is_well_formed = mistakes->text->len == mistakes_before;
  const SuiteSection *defaults = NULL;

  if (!file)
    return;
  for (unsigned i = 0; i < file->sections->len; i++) {
    const SuiteSection *section = g_ptr_array_index(file->sections, i);
    check_keys(file, section, mistakes);
    if (strcmp(section->name, DEFAULTS) == 0)
      defaults = section;
  }
  if (!is_well_formed) /* what tests it has is not known */
    return;
  for (unsigned i = 0; i < file->sections->len; i++) {
    const SuiteSection *section = g_ptr_array_index(file->sections, i);
    if (section != defaults)
      load_section(file, section, defaults, defines, cases, mistakes);
  }
  if (file->sections->len == (defaults != NULL))
    suite_mistake(mistakes, path, 0, "there is no test in it");
}

/* Files of one name in two directories would make results that cannot be told apart. */
static void check_names(const GPtrArray *cases, SuiteMistakes *mistakes) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned i = 0; i < cases->len; i++) {
    const SuiteCase *suite_case = g_ptr_array_index(cases, i);
    char *name = g_strconcat(suite_case->suite, "/", suite_case->name, NULL);
    if (g_hash_table_contains(seen, name))
      suite_mistake(mistakes, suite_case->suite, 0, "there are two cases %s; suites need names of their own", name);
    g_hash_table_add(seen, name);
  }
}

GPtrArray *suite_load(const char *const *files, GHashTable *defines, GError **error) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func(suite_case_free);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  SuiteMistakes mistakes = {g_string_new(NULL), seen};

  for (unsigned i = 0; files[i]; i++)
    load_file(files[i], defines, cases, &mistakes);
  if (mistakes.text->len == 0)
    check_names(cases, &mistakes);
  g_autofree char *text = g_string_free(mistakes.text, FALSE);
  if (!*text)
    return g_steal_pointer(&cases);
  g_set_error_literal(error, SUITE_ERROR, SUITE_ERROR_INVALID, text);
  return NULL;
}
