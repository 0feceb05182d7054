/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags, and what is no flag: --NAME VALUE, --NAME=VALUE, --no-NAME, -jVALUE, -j VALUE; "--" ends them. What follows an
 * option that takes a value is its value, unless it is an option itself.
 */
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/options/option.h"

G_DEFINE_QUARK(eret_option_error, option_error)

/* A flag as it was given, taken apart. */
typedef struct {
  const Option *option;
  unsigned table;
  const char *value; /* NULL: there is none */
  int argument;      /* the last that belongs to it: the one with the value */
  bool apart;        /* a word of its own */
  bool bare;         /* there is only the value: it is the operand */
  bool negated;
} Flag;

const Option *option_find_flag(const OptionSet *set, const char *name, bool *negated, unsigned *table) {
  const char *positive = g_str_has_prefix(name, "no-") ? name + strlen("no-") : NULL;

  for (unsigned i = 0; set->tables[i]; i++) {
    const Option *option = option_find(set->tables[i], name);
    const Option *opposite = positive && !option ? option_find(set->tables[i], positive) : NULL;
    *negated = opposite && option_can_be_negated(opposite);
    if (!option && !*negated)
      continue;
    if (table)
      *table = i;
    return option ? option : opposite;
  }
  return NULL;
}

static const Option *find_letter(const OptionSet *set, char letter, unsigned *table) {
  for (unsigned i = 0; set->tables[i]; i++)
    for (const Option *option = set->tables[i]; option->name; option++)
      if (option->letter == letter) {
        *table = i;
        return option;
      }
  return NULL;
}

static Flag find_flag(const OptionSet *set, const char *argument) {
  const char *equals = strchr(argument, '=');
  Flag flag = {.value = equals ? equals + 1 : NULL};

  if (argument[1] == '-') {
    g_autofree char *name = g_strndup(argument + 2, strcspn(argument + 2, "="));
    flag.option = option_find_flag(set, name, &flag.negated, &flag.table);
    return flag;
  }
  const char *value = argument + 2;
  flag.option = find_letter(set, argument[1], &flag.table);
  if (flag.option && *value && !option_takes_value(flag.option))
    flag.option = NULL;
  flag.value = *value ? value + (*value == '=') : NULL;
  return flag;
}

static bool is_flag(const OptionSet *set, const char *argument) {
  return g_str_has_prefix(argument, "--") && (!argument[2] || find_flag(set, argument).option);
}

/* Whether ARGV[I] is the value of the option that needs no flag. */
static bool take_bare(OptionDraft *draft, char **argv, int i, GArray *flags) {
  const OptionSet *set = draft->set;

  if (!set->operand || !set->takes_operand(argv[i]))
    return false;
  for (unsigned k = 0; k < flags->len; k++)
    if (g_array_index(flags, Flag, k).bare)
      return false;
  const Flag flag = {.option = option_find(set->tables[0], set->operand), .value = argv[i], .argument = i, .bare = true};
  g_array_append_val(flags, flag);
  return true;
}

static void add_operand(OptionDraft *draft, char **argv, int i, GArray *flags) {
  const OptionSet *set = draft->set;
  const char *operand = argv[i];

  if (take_bare(draft, argv, i, flags))
    return;
  if (draft->operands->len < set->operands_max) {
    g_ptr_array_add(draft->operands, (char *)operand);
    return;
  }
  const char *meant = NULL;
  g_autofree char *explanation = set->explain_stray ? set->explain_stray(operand, &meant) : NULL;
  option_mistake(draft, NULL, "unexpected argument '%s'%s", operand, explanation ? explanation : "");
  if (meant)
    option_set_failed(draft, meant, -1);
  draft->operand_lost = true;
}

/* An option and its value that came as one word, "--net user": in quotes, or from a list of words. */
static bool is_two_words(OptionDraft *draft, const char *argument) {
  const char *blank = strchr(argument, ' ');
  bool negated;
  g_autofree char *flag = blank ? g_strndup(argument, (gsize)(blank - argument)) : NULL;
  const Option *option = flag ? option_find_flag(draft->set, flag + strspn(flag, "-"), &negated, NULL) : NULL;

  if (!option)
    return false;
  option_set_failed(draft, option->name, -1);
  option_mistake(draft, NULL, "'%s' is one word: a value is a word of its own, or stands behind an equals sign: %s=%s", argument, flag,
                 blank + 1);
  return true;
}

/* Returns whether the argument behind it probably belongs to it. */
static bool add_unknown(OptionDraft *draft, const char *argument) {
  const OptionSet *set = draft->set;
  g_autofree char *flag = g_strndup(argument, strcspn(argument, "="));
  const char *name = flag + strspn(flag, "-");
  const char *absent = set->explain_absent ? set->explain_absent(name) : NULL;
  const Option *meant = NULL;

  if (is_two_words(draft, argument))
    return false;
  if (strcmp(name, "version") == 0) {
    option_mistake(draft, NULL, "--version belongs to eret itself: eret --version");
    return false;
  }
  g_autofree char *nearest = absent ? g_strconcat(": ", absent, NULL) : option_nearest(set, NULL, name, "--", &meant);
  option_mistake(draft, NULL, "unknown option %s%s", flag, nearest);
  if (meant)
    option_set_failed(draft, meant->name, -1);
  return !strchr(argument, '=') && !(meant && (option_can_be_negated(meant) || !option_takes_value(meant)));
}

/* The name that it goes by in messages. */
static char *where_of(const Flag *flag) {
  return g_strconcat("--", flag->negated ? "no-" : "", flag->option->name, NULL);
}

/* Whether there is a value where there must be one; takes it from NEXT, unless that is NULL. */
static bool complete(OptionDraft *draft, Flag *flag, const char *next) {
  g_autofree char *where = where_of(flag);

  if (!option_is_of(flag->option, draft->set))
    option_mistake(draft, where, "%s", draft->set->other_form);
  if (flag->negated || !option_takes_value(flag->option)) {
    bool has_opposite = option_can_be_negated(flag->option);
    if (flag->value)
      option_mistake(draft, where, "takes no value%s%s%s", has_opposite ? ": it is " : "", has_opposite ? where : "",
                     has_opposite ? " or left out" : "");
    return true;
  }
  if (!flag->value && !flag->option->alone)
    flag->value = next;
  if (flag->value || flag->option->alone)
    return true;
  option_mistake(draft, where, "needs a value");
  option_set_failed(draft, flag->option->name, -1);
  return false;
}

/* Reads the flag at ARGV[*I]; moves *I to the last argument that belongs to it. */
static void read_flag(OptionDraft *draft, int argc, char **argv, int *i, GArray *flags) {
  const char *next = *i + 1 < argc && !is_flag(draft->set, argv[*i + 1]) ? argv[*i + 1] : NULL;
  Flag flag = find_flag(draft->set, argv[*i]);

  if (!flag.option) {
    bool takes_next = add_unknown(draft, argv[*i]) && next && next[0] != '-';
    draft->operand_lost |= takes_next;
    *i += takes_next;
    return;
  }
  if (!complete(draft, &flag, next))
    return;
  flag.apart = next && flag.value == next;
  *i += flag.apart;
  flag.argument = *i;
  draft->help |= flag.option->kind == OPTION_HELP && !flag.value;
  g_array_append_val(flags, flag);
}

static GArray *read_flags(OptionDraft *draft, int argc, char **argv) {
  GArray *flags = g_array_new(false, true, sizeof(Flag));
  bool ended = false;

  for (int i = 0; i < argc; i++) {
    if (ended && draft->set->command_follows)
      g_ptr_array_add(draft->command, argv[i]);
    else if (draft->set->rest_follows && draft->operands->len > 0)
      g_ptr_array_add(draft->operands, argv[i]);
    else if (ended || argv[i][0] != '-' || !argv[i][1])
      add_operand(draft, argv, i, flags);
    else if (strcmp(argv[i], "--") == 0)
      ended = true;
    else
      read_flag(draft, argc, argv, &i, flags);
  }
  return flags;
}

/* The name that one of many goes by: with its value, or that alone. */
static char *where_of_one(const char *name, const Flag *flag) {
  g_autofree char *cut = flag->value ? mistake_value(flag->value) : NULL;

  return flag->bare ? g_steal_pointer(&cut) : g_strconcat(name, " ", cut, NULL);
}

static void apply_flag(OptionDraft *draft, const Flag *flag) {
  const Option *option = flag->option;
  void *record = draft->records[flag->table];
  g_autofree char *name = g_strconcat("--", option->name, NULL);
  bool is_one_of_many = option->kind == OPTION_LIST || option->repeatable;
  g_autofree char *where = is_one_of_many ? where_of_one(name, flag) : g_steal_pointer(&name);
  const char *value = flag->value ? flag->value : option->alone;

  if (option->kind == OPTION_SOURCE || option->kind == OPTION_HELP)
    return;
  if (option->kind == OPTION_LIST)
    option_add_text(draft, record, option, where, NULL, value);
  else if (!option_takes_value(option) || flag->negated)
    option_set_boolean(record, option, !flag->negated);
  else if (!option_set(draft, record, option, where, NULL, value)) {
    option_set_failed(draft, option->name, -1);
    draft->operand_lost |= flag->apart && !draft->set->command_follows;
    return;
  }
  if (!is_one_of_many)
    option_set_where(draft, option->name, -1, where);
}

static void apply_flags(OptionDraft *draft, const GArray *flags) {
  for (unsigned i = 0; i < flags->len; i++) {
    const Flag *flag = &g_array_index(flags, Flag, i);
    if (flag->option->kind != OPTION_SOURCE)
      continue;
    option_begin_source(draft);
    g_ptr_array_add(draft->descriptions, (char *)flag->value);
    option_json_load(draft, draft->set->tables[flag->table], draft->records[flag->table], flag->value);
  }
  option_begin_source(draft);
  for (unsigned i = 0; i < flags->len; i++)
    apply_flag(draft, &g_array_index(flags, Flag, i));
}

static OptionDraft *draft_new(const OptionSet *set, void *const *records) {
  OptionDraft *draft = g_new0(OptionDraft, 1);

  draft->set = set;
  draft->records = records;
  draft->operands = g_ptr_array_new();
  draft->command = g_ptr_array_new();
  draft->mistakes = g_string_new(NULL);
  draft->origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  draft->listed = g_hash_table_new(g_str_hash, g_str_equal);
  draft->failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  draft->descriptions = g_ptr_array_new();
  return draft;
}

OptionDraft *option_read(const OptionSet *set, void *const *records, int argc, char **argv) {
  OptionDraft *draft = draft_new(set, records);
  g_autoptr(GArray) flags = read_flags(draft, argc, argv);

  if (!draft->help)
    apply_flags(draft, flags);
  return draft;
}

void option_draft_free(OptionDraft *draft) {
  if (!draft)
    return;
  g_ptr_array_unref(draft->operands);
  g_ptr_array_unref(draft->command);
  g_string_free(draft->mistakes, TRUE);
  g_hash_table_unref(draft->origins);
  g_hash_table_unref(draft->listed);
  g_hash_table_unref(draft->failed);
  g_ptr_array_unref(draft->descriptions);
  g_free(draft);
}

bool option_is_good(const OptionDraft *draft, GError **error) {
  if (draft->mistakes->len)
    g_set_error_literal(error, OPTION_ERROR, OPTION_ERROR_INVALID, draft->mistakes->str);
  return draft->mistakes->len == 0;
}

char *option_each(const OptionSet *set, int argc, char **argv, OptionFound *found, void *opaque) {
  g_autoptr(OptionDraft) draft = draft_new(set, NULL);
  g_autoptr(GArray) flags = read_flags(draft, argc, argv);

  for (unsigned table = 0; set->tables[table]; table++)
    for (unsigned i = 0; i < flags->len; i++) {
      const Flag *flag = &g_array_index(flags, Flag, i);
      if (flag->table == table)
        found(opaque, flag->option, flag->argument, flag->value);
    }
  return g_strdup(draft->mistakes->str);
}

/* Nothing that one option names is to be overwritten for another. */

/* Of RECORD, a table's or an element of a list's, the file that OPTION names. */
static void name_file(NamedFiles *named, const void *record, const Option *option, const char *where, bool written, GString *mistakes) {
  const char *path = *(char *const *)((const char *)record + option->offset);

  if (option->alone && g_strcmp0(path, option->alone) == 0) /* no file of the user's */
    return;
  if (written)
    named_files_write(named, where, path, mistakes);
  else
    named_files_read(named, where, path, mistakes);
}

/* Files that are read, of a part that can be given again. */
static void name_texts(NamedFiles *named, const void *record, const Option *option, const char *where, GString *mistakes) {
  const GPtrArray *paths = *(GPtrArray *const *)((const char *)record + option->offset);

  for (unsigned i = 0; i < paths->len; i++)
    named_files_read(named, where, paths->pdata[i], mistakes);
}

static void name_files_of_list(OptionDraft *draft, NamedFiles *named, const void *record, const Option *list, bool written) {
  const GPtrArray *elements = *(GPtrArray *const *)((const char *)record + list->offset);

  for (unsigned i = 0; i < elements->len; i++)
    for (const Option *option = list->element->options; option->name; option++) {
      const char *where = option_where(draft, list->name, (int)i);
      if (option->kind == OPTION_PATH && option->written == written)
        name_file(named, elements->pdata[i], option, where, written, draft->mistakes);
      else if (option->paths && !written)
        name_texts(named, elements->pdata[i], option, where, draft->mistakes);
    }
}

/* A command's own files come last: they are what a mistake is about. */
static void name_files(OptionDraft *draft, NamedFiles *named, bool written) {
  unsigned i = 0;

  while (draft->set->tables[i])
    i++;
  while (i-- > 0)
    for (const Option *option = draft->set->tables[i]; option->name; option++) {
      if (option->kind == OPTION_PATH && option->written == written)
        name_file(named, draft->records[i], option, option_where(draft, option->name, -1), written, draft->mistakes);
      else if (option->kind == OPTION_LIST)
        name_files_of_list(draft, named, draft->records[i], option, written);
    }
}

void option_name_files(OptionDraft *draft, NamedFiles *named) {
  for (unsigned i = 0; i < draft->descriptions->len; i++)
    named_files_read(named, "--config", draft->descriptions->pdata[i], draft->mistakes);
  name_files(draft, named, false);
  name_files(draft, named, true);
}
