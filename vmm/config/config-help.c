/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table as help text: flags at the left, explanations wrapped beside them, 80 columns in all.
 */
#include <string.h>

#include "vmm/config/config-option.h"

#define WIDTH       80
#define TEXT_COLUMN 24

static char *choices_text(const OptionChoice *choice) {
  GString *text = g_string_new(NULL);
  for (; choice->name; choice++)
    g_string_append_printf(text, "%s%s", text->len ? "|" : "", choice->name);
  return g_string_free(text, false);
}

static char *flag_text(const ConfigOption *option) {
  if (option->kind == OPTION_BOOLEAN)
    return g_strdup_printf("--%s%s", option->on_by_default ? "no-" : "", option->name);
  g_autofree char *choices = option->choices ? choices_text(option->choices) : NULL;
  const char *argument = choices ? choices : option->argument;
  if (option->alone)
    return g_strdup_printf("--%s[=%s]", option->name, argument);
  return argument ? g_strdup_printf("--%s %s", option->name, argument) : g_strdup_printf("--%s", option->name);
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

char *config_help(void) {
  GString *out = g_string_new(NULL);
  for (const ConfigOption *option = config_options; option->name; option++) {
    if (option->group)
      g_string_append_printf(out, "%s%s:\n", out->len ? "\n" : "", option->group);
    g_autofree char *flag = flag_text(option);
    int room = TEXT_COLUMN - 2;
    if ((int)strlen(flag) < room)
      g_string_append_printf(out, "  %-*s", room, flag);
    else
      g_string_append_printf(out, "  %s\n%*s", flag, TEXT_COLUMN, "");
    append_wrapped(out, TEXT_COLUMN, option->help);
  }
  g_string_append(out, "\n");
  append_wrapped(
      out, 0,
      "A flag without a value can be undone: --no-rng, --reboot. Where a flag is given twice, the last one counts; --disk adds up. "
      "Sizes are 512M, 4G or bytes.");
  return g_string_free(out, false);
}
