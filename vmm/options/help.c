/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option tables as help text: flags at the left, explanations wrapped beside them, 80 columns in all.
 */
#include <string.h>

#include "vmm/options/option.h"

#define WIDTH       80
#define TEXT_COLUMN 24

char *option_head(const Option *option) {
  char letter[] = {'-', option->letter, ',', ' ', '\0'};
  if (!option->letter || option->kind == OPTION_HELP)
    *letter = '\0';
  if (!option_takes_value(option))
    return g_strdup_printf("%s--%s%s", letter, option->on_by_default ? "no-" : "", option->name);
  g_autofree char *choices = option->choices ? option_choice_names(option, "|") : NULL;
  const char *argument = choices ? choices : option->argument;
  return g_strdup_printf(option->alone ? "%s--%s[=%s]" : "%s--%s %s", letter, option->name, argument);
}

/* Appends WORDS from COLUMN on, breaking lines before WIDTH. */
static void append_wrapped(GString *out, unsigned column, const char *text) {
  g_auto(GStrv) words = g_strsplit(text, " ", -1);
  unsigned position = column;
  for (char **word = words; *word; word++) {
    unsigned length = g_utf8_strlen(*word, -1);
    if (position > column && position + 1 + length > WIDTH) {
      g_string_append_printf(out, "\n%*s", column, "");
      position = column;
    }
    g_string_append_printf(out, "%s%s", position > column ? " " : "", *word);
    position += length + (position > column);
  }
  g_string_append_c(out, '\n');
}

/* A line of TEXT each, with its indentation. */
static void append_paragraphs(GString *out, const char *text) {
  g_auto(GStrv) paragraphs = g_strsplit(text, "\n", -1);
  for (char **paragraph = paragraphs; *paragraph; paragraph++) {
    unsigned indentation = strspn(*paragraph, " ");
    g_string_append_len(out, *paragraph, indentation);
    append_wrapped(out, indentation, *paragraph + indentation);
  }
}

static void append_option(GString *out, const Option *option) {
  g_autofree char *head = option_head(option);
  int room = TEXT_COLUMN - 2;
  if ((int)strlen(head) < room)
    g_string_append_printf(out, "  %-*s", room, head);
  else
    g_string_append_printf(out, "  %s\n%*s", head, TEXT_COLUMN, "");
  append_wrapped(out, TEXT_COLUMN, option->help);
}

/*
 * Those that another form of the command has are left out, with the groups that are empty then. *TOLD: the last
 * heading.
 */
static void append_table(GString *out, const OptionSet *set, const Option *options, const char **told) {
  const char *group = "";
  for (const Option *option = options; option->name; option++) {
    group = option->group ? option->group : group;
    if (!option_is_of(option, set))
      continue;
    if (g_strcmp0(group, *told) != 0)
      g_string_append_printf(out, "\n%s%s", group, *group ? ":\n" : "");
    *told = group;
    append_option(out, option);
  }
}

char *option_help(const OptionSet *set) {
  GString *out = g_string_new(NULL);
  const char *told = NULL;
  append_paragraphs(out, set->usage);
  for (unsigned i = 0; set->tables[i]; i++)
    append_table(out, set, set->tables[i], &told);
  if (set->closing) {
    g_string_append_c(out, '\n');
    append_paragraphs(out, set->closing);
  }
  return g_string_free(out, false);
}
