/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value: from text into the field that its option names, checked by the option's kind. Flags come here as they are;
 * JSON's strings and numbers come here too, so that both say the same about the same mistake.
 */
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/nearest.h"
#include "vmm/options/option.h"
#include "vmm/options/size.h"

void option_mistake(OptionDraft *draft, const char *where, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  mistake(draft->mistakes, "%s%s%s", where ? where : "", where ? ": " : "", text);
}

void option_begin_source(OptionDraft *draft) {
  g_hash_table_remove_all(draft->listed);
}

static char *origin_key(const char *name, int index) {
  return index < 0 ? g_strdup(name) : g_strdup_printf("%s[%d]", name, index);
}

const char *option_where(const OptionDraft *draft, const char *name, int index) {
  g_autofree char *key = origin_key(name, index);
  const char *where = g_hash_table_lookup(draft->origins, key);
  return where ? where : name;
}

bool option_is_given(const OptionDraft *draft, const char *name) {
  return g_hash_table_contains(draft->origins, name);
}

void option_set_where(OptionDraft *draft, const char *name, int index, const char *where) {
  g_hash_table_replace(draft->origins, origin_key(name, index), g_strdup(where));
}

const Option *option_find(const Option *options, const char *name) {
  for (const Option *option = options; option->name; option++) {
    if (!strcmp(option->name, name))
      return option;
  }
  return NULL;
}

char *option_known_names(const Option *options) {
  GString *names = g_string_new(NULL);
  for (const Option *option = options; option->name; option++)
    g_string_append_printf(names, "%s%s", names->len ? ", " : "", option->name);
  return g_string_free(names, false);
}

static void *field_of(void *record, const Option *option) {
  return (char *)record + option->offset;
}

static void replace_text(void *field, char *text) {
  char **pointer = field;
  g_free(*pointer);
  *pointer = text;
}

static bool set_string(OptionDraft *draft, void *field, const Option *option, const char *where, const char *base, const char *text) {
  if (!*text && !option->may_be_empty) {
    option_mistake(draft, where, "must not be empty");
    return false;
  }
  if (option->max && strlen(text) > option->max) {
    option_mistake(draft, where, "has %zu bytes, at most %" G_GUINT64_FORMAT " are possible", strlen(text), option->max);
    return false;
  }
  bool is_file = strcmp(text, "-") != 0; /* it is a standard stream everywhere */
  bool relative = option->kind == OPTION_PATH && base && is_file && !g_path_is_absolute(text);
  replace_text(field, relative ? g_build_filename(base, text, NULL) : g_strdup(text));
  return true;
}

static bool set_number(OptionDraft *draft, void *field, const Option *option, const char *where, const char *text) {
  guint64 value;
  if (!g_ascii_string_to_unsigned(text, 10, option->min, option->max, &value, NULL)) {
    option_mistake(draft, where, "'%s' is not a whole number%s%s from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, text,
                   option->unit ? " of " : "", option->unit ? option->unit : "", option->min, option->max);
    return false;
  }
  *(unsigned *)field = value;
  return true;
}

static bool set_size(OptionDraft *draft, void *field, const Option *option, const char *where, const char *text) {
  uint64_t value;
  const char *why;
  if (!size_parse(text, &value, &why)) {
    option_mistake(draft, where, "'%s' %s", text, why);
    return false;
  }
  if (value < option->min || value > option->max) {
    g_autofree char *min = size_format(option->min), *max = size_format(option->max);
    bool bytes = value < option->min && g_ascii_isdigit(text[strlen(text) - 1]);
    option_mistake(draft, where, "'%s' is %s, %s to %s is possible%s%s%s", text, value < option->min ? "too little" : "too much", min, max,
                   bytes ? "; without a unit it counts bytes: " : "", bytes ? text : "", bytes ? "M?" : "");
    return false;
  }
  if (value % option->step) {
    uint64_t below = value - value % option->step;
    g_autofree char *step = size_format(option->step);
    g_autofree char *low = size_format(below), *high = size_format(below + option->step);
    option_mistake(draft, where, "'%s' is not a multiple of %s, as %s and %s are", text, step, low, high);
    return false;
  }
  *(uint64_t *)field = value;
  return true;
}

char *option_choice_names(const Option *option) {
  GString *names = g_string_new(NULL);
  for (const OptionChoice *choice = option->choices; choice->name; choice++)
    g_string_append_printf(names, "%s%s", names->len ? ", " : "", choice->name);
  return g_string_free(names, false);
}

static bool set_choice(OptionDraft *draft, void *field, const Option *option, const char *where, const char *text) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (const OptionChoice *choice = option->choices; choice->name; choice++) {
    if (!strcmp(choice->name, text)) {
      *(int *)field = choice->value;
      return true;
    }
    g_ptr_array_add(names, (char *)choice->name);
  }
  g_ptr_array_add(names, NULL);
  const char *nearest = nearest_name(text, (const char *const *)names->pdata);
  g_autofree char *known = option_choice_names(option);
  g_autofree char *meant = nearest ? g_strdup_printf("; did you mean %s?", nearest) : g_strdup("");
  option_mistake(draft, where, "'%s' is none of %s%s", text, known, meant);
  return false;
}

static bool set_on_off(OptionDraft *draft, void *record, const Option *option, const char *where, const char *text) {
  bool on = !strcmp(text, "on");
  if (!on && strcmp(text, "off") != 0) {
    option_mistake(draft, where, "'%s' is neither on nor off", text);
    return false;
  }
  option_set_boolean(record, option, on);
  return true;
}

static bool add_text(OptionDraft *draft, void *field, const char *where, const char *text) {
  if (*text)
    g_ptr_array_add(*(GPtrArray **)field, g_strdup(text));
  else
    option_mistake(draft, where, "must not be empty");
  return *text;
}

static bool set_parsed(OptionDraft *draft, void *field, const Option *option, const char *where, const char *text) {
  g_autofree char *why = NULL;
  if (option->parse(field, text, &why))
    return true;
  option_mistake(draft, where, "%s", why);
  return false;
}

bool option_set(OptionDraft *draft, void *record, const Option *option, const char *where, const char *base, const char *text) {
  void *field = field_of(record, option);
  switch (option->kind) {
  case OPTION_STRING:
  case OPTION_PATH:
    return set_string(draft, field, option, where, base, text);
  case OPTION_NUMBER:
    return set_number(draft, field, option, where, text);
  case OPTION_SIZE:
    return set_size(draft, field, option, where, text);
  case OPTION_CHOICE:
    return set_choice(draft, field, option, where, text);
  case OPTION_BOOLEAN:
    return set_on_off(draft, record, option, where, text);
  case OPTION_FLAG:
    return *(bool *)field = true;
  case OPTION_TEXTS:
    return add_text(draft, field, where, text);
  case OPTION_PARSED:
    return set_parsed(draft, field, option, where, text);
  case OPTION_HELP:
  case OPTION_SOURCE:
  case OPTION_LIST:
    break;
  }
  g_assert_not_reached();
}

bool option_takes_value(const Option *option) {
  return option->kind != OPTION_HELP && option->kind != OPTION_FLAG && option->kind != OPTION_BOOLEAN;
}

bool option_is_repeatable(const Option *option) {
  return option->kind == OPTION_LIST || option->kind == OPTION_TEXTS || option->repeatable;
}

bool option_is_of(const Option *option, const OptionSet *set) {
  return !option->forms || !set->form || (option->forms & set->form);
}

bool option_can_be_negated(const Option *option) {
  return option->kind == OPTION_BOOLEAN || (option->kind == OPTION_CHOICE && option->alone);
}

void option_set_boolean(void *record, const Option *option, bool value) {
  const OptionChoice *choice = option->choices;

  if (option->kind == OPTION_BOOLEAN) {
    *(bool *)field_of(record, option) = value;
    return;
  }
  while (value && strcmp(choice->name, option->alone) != 0)
    choice++;
  *(int *)field_of(record, option) = choice->value;
}

void option_begin_list(OptionDraft *draft, void *record, const Option *option) {
  if (g_hash_table_add(draft->listed, (char *)option->name))
    g_ptr_array_set_size(*(GPtrArray **)field_of(record, option), 0);
}

void option_keep_list(OptionDraft *draft, const Option *option) {
  g_hash_table_add(draft->listed, (char *)option->name);
}

void *option_add_element(OptionDraft *draft, void *record, const Option *option, const char *where) {
  GPtrArray *list = *(GPtrArray **)field_of(record, option);
  option_begin_list(draft, record, option);
  void *element = g_malloc0(option->element->size);
  g_ptr_array_add(list, element);
  option_set_where(draft, option->name, list->len - 1, where);
  return element;
}

/* At the commas; a doubled one is a comma. */
static GPtrArray *split_parts(const char *text) {
  GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);
  GString *part = g_string_new(NULL);
  for (; *text; text++) {
    bool comma = *text == ',';
    if (comma && text[1] == ',')
      text++;
    else if (comma) {
      g_ptr_array_add(parts, g_string_free(part, false));
      part = g_string_new(NULL);
      continue;
    }
    g_string_append_c(part, *text);
  }
  g_ptr_array_add(parts, g_string_free(part, false));
  return parts;
}

/* One "name", "name=value" of an element. SEEN: the options already set, by position. */
static void set_part(OptionDraft *draft, void *element, const OptionElement *kind, const char *where, const char *base, const char *part,
                     uint64_t *seen) {
  const char *equals = strchr(part, '=');
  g_autofree char *name = equals ? g_strndup(part, equals - part) : g_strdup(part);
  const Option *first = kind->options + kind->first_unnamed;
  const Option *option = option_find(first, name);
  if (!option) {
    g_autofree char *nearest = option_nearest_part(first, name), *known = option_known_names(first);
    option_mistake(draft, where, "unknown part '%s'%s (known: %s; a comma within a value is written ,,)", name, nearest, known);
    return;
  }
  g_autofree char *there = g_strdup_printf("%s: %s", where, name);
  uint64_t bit = UINT64_C(1) << (option - kind->options);
  if (*seen & bit)
    option_mistake(draft, there, "given twice");
  else if (equals)
    option_set(draft, element, option, there, base, equals + 1);
  else if (option->kind == OPTION_BOOLEAN)
    option_set_boolean(element, option, true);
  else
    option_mistake(draft, there, "needs a value: %s=%s", name, option->argument ? option->argument : "VALUE");
  *seen |= bit;
}

void option_add_text(OptionDraft *draft, void *record, const Option *option, const char *where, const char *base, const char *text) {
  const OptionElement *kind = option->element;
  void *element = option_add_element(draft, record, option, where);
  g_autoptr(GPtrArray) parts = split_parts(text);
  unsigned i = 0;
  if (kind->first_unnamed)
    option_set(draft, element, kind->options, where, base, parts->pdata[i++]);
  for (uint64_t seen = 0; i < parts->len; i++)
    set_part(draft, element, kind, where, base, parts->pdata[i], &seen);
}
