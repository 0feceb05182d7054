/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value: from text into the field that its option names, checked by the option's kind. Flags come here as they are;
 * JSON's strings and numbers come here too, so that both say the same about the same mistake.
 */
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/options/option.h"

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

bool option_has_failed(const OptionDraft *draft, const char *name, int index) {
  g_autofree char *key = origin_key(name, index);
  return g_hash_table_contains(draft->failed, key);
}

void option_set_failed(OptionDraft *draft, const char *name, int index) {
  g_hash_table_add(draft->failed, origin_key(name, index));
}

/* Sizes: binary units throughout, as every machine's memory is counted. */

static const char units[] = "KMGT";

static bool is_unit_tail(const char *text, bool after_unit) {
  return *text == '\0' || !g_ascii_strcasecmp(text, "B") || (after_unit && !g_ascii_strcasecmp(text, "iB"));
}

bool size_parse(const char *text, uint64_t *size, const char **why) {
  if (!g_ascii_isdigit(*text)) {
    *why = *text ? "does not start with a digit" : "is empty";
    return false;
  }
  uint64_t value = 0;
  const char *end = text;
  for (; g_ascii_isdigit(*end); end++) {
    if (!g_uint64_checked_mul(&value, value, 10) || !g_uint64_checked_add(&value, value, *end - '0')) {
      *why = "is too large";
      return false;
    }
  }
  if (*end == '.' || *end == ',') {
    *why = "has a fraction: write 1536M, not 1.5G";
    return false;
  }
  const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
  if (unit)
    end++;
  if (!is_unit_tail(end, unit != NULL)) {
    *why = "has an unknown unit: K, M, G and T are known";
    return false;
  }
  if (unit && !g_uint64_checked_mul(&value, value, UINT64_C(1) << 10 * (unit - units + 1))) {
    *why = "is too large";
    return false;
  }
  *size = value;
  return true;
}

char *size_format(uint64_t size) {
  unsigned unit = 0;
  while (size && size % 1024 == 0 && unit < strlen(units)) {
    size /= 1024;
    unit++;
  }
  char suffix[2] = {unit ? units[unit - 1] : '\0'};
  return g_strdup_printf("%" G_GUINT64_FORMAT "%s", size, suffix);
}

/* Fields. */

static void *field_of(void *record, const Option *option) {
  return (char *)record + option->offset;
}

/* What follows sets FIELD, each of its own kind, or returns why not, as option_parse does. */

static char *place_below(void *base, const char *path, size_t offset) {
  return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(base, path, NULL);
}

static char *set_string(void *field, const Option *option, const char *base, const char *text) {
  char **string = field;

  if (!*text && !option->may_be_empty)
    return g_strdup("must not be empty");
  if (option->max && strlen(text) > option->max)
    return g_strdup_printf("has %zu bytes, at most %" G_GUINT64_FORMAT " are possible", strlen(text), option->max);
  g_free(*string);
  *string = base ? option_place(option, text, place_below, (char *)base) : g_strdup(text);
  return NULL;
}

static char *set_number(void *field, const Option *option, const char *base, const char *text) {
  guint64 value;

  if (!g_ascii_string_to_unsigned(text, 10, option->min, option->max, &value, NULL))
    return g_strdup_printf("'%s' is not a whole number%s%s from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, text,
                           option->unit ? " of " : "", option->unit ? option->unit : "", option->min, option->max);
  *(unsigned *)field = value;
  return NULL;
}

static char *set_size(void *field, const Option *option, const char *base, const char *text) {
  uint64_t value;
  const char *why;

  if (!size_parse(text, &value, &why))
    return g_strdup_printf("'%s' %s", text, why);
  if (value < option->min || value > option->max) {
    g_autofree char *min = size_format(option->min), *max = size_format(option->max);
    bool bytes = value < option->min && g_ascii_isdigit(text[strlen(text) - 1]);
    return g_strdup_printf("'%s' is %s, %s to %s is possible%s%s%s", text, value < option->min ? "too little" : "too much", min, max,
                           bytes ? "; without a unit it counts bytes: " : "", bytes ? text : "", bytes ? "M?" : "");
  }
  if (option->step && value % option->step) {
    uint64_t below = value - value % option->step;
    g_autofree char *step = size_format(option->step);
    g_autofree char *low = size_format(below), *high = size_format(below + option->step);
    return g_strdup_printf("'%s' is not a multiple of %s, as %s and %s are", text, step, low, high);
  }
  *(uint64_t *)field = value;
  return NULL;
}

static char *set_choice(void *field, const Option *option, const char *base, const char *text) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();

  for (const OptionChoice *choice = option->choices; choice->name; choice++) {
    g_ptr_array_add(names, (char *)choice->name);
    if (strcmp(choice->name, text) != 0)
      continue;
    *(int *)field = choice->value;
    return NULL;
  }
  g_autofree char *known = option_choice_names(option, ", "), *meant = option_meant(names, text, "", NULL);
  bool is_only_one = option->choices[0].name && !option->choices[1].name;
  return is_only_one ? g_strdup_printf("'%s' is not %s, the only choice%s", text, known, meant)
                     : g_strdup_printf("'%s' is none of %s%s", text, known, meant);
}

static char *set_on_off(void *field, const Option *option, const char *base, const char *text) {
  bool on = strcmp(text, "on") == 0;

  if (!on && strcmp(text, "off") != 0)
    return g_strdup_printf("'%s' is neither on nor off", text);
  *(bool *)field = on;
  return NULL;
}

static char *add_text(void *field, const Option *option, const char *base, const char *text) {
  if (!*text)
    return g_strdup("must not be empty");
  g_ptr_array_add(*(GPtrArray **)field, base ? option_place(option, text, place_below, (char *)base) : g_strdup(text));
  return NULL;
}

static char *set_parsed(void *field, const Option *option, const char *base, const char *text) {
  return option->parse(field, text);
}

static char *(*const setters[])(void *field, const Option *option, const char *base, const char *text) = {
    [OPTION_BOOLEAN] = set_on_off, [OPTION_STRING] = set_string, [OPTION_PATH] = set_string, [OPTION_NUMBER] = set_number,
    [OPTION_SIZE] = set_size,      [OPTION_CHOICE] = set_choice, [OPTION_TEXTS] = add_text,  [OPTION_PARSED] = set_parsed,
};

char *option_parse(void *record, const Option *option, const char *base, const char *text) {
  g_assert(setters[option->kind]);
  return setters[option->kind](field_of(record, option), option, base, text);
}

bool option_set(OptionDraft *draft, void *record, const Option *option, const char *where, const char *base, const char *text) {
  g_autofree char *why = option_parse(record, option, base, text);

  if (why)
    option_mistake(draft, where, "%s", why);
  return !why;
}

bool option_takes_value(const Option *option) {
  return option->kind != OPTION_HELP && option->kind != OPTION_FLAG && option->kind != OPTION_BOOLEAN;
}

bool option_is_of(const Option *option, const OptionSet *set) {
  return !option->forms || !set->form || (option->forms & set->form);
}

bool option_can_be_negated(const Option *option) {
  return option->kind == OPTION_BOOLEAN || (option->kind == OPTION_CHOICE && option->alone);
}

void option_set_boolean(void *record, const Option *option, bool value) {
  const OptionChoice *choice = option->choices;

  if (!choice) {
    *(bool *)field_of(record, option) = value;
    return;
  }
  while (value && strcmp(choice->name, option->alone) != 0)
    choice++;
  *(int *)field_of(record, option) = choice->value;
}

void option_record_init(const Option *options, void *record) {
  for (const Option *option = options; option->name; option++)
    if (option->kind == OPTION_LIST || option->kind == OPTION_TEXTS)
      *(GPtrArray **)field_of(record, option) = g_ptr_array_new_null_terminated(1, g_free, true);
}

static void empty_list(GPtrArray *list, const OptionElement *element) {
  for (unsigned i = 0; i < list->len; i++)
    option_record_clear(element->options, list->pdata[i]);
  g_ptr_array_set_size(list, 0);
}

void option_record_clear(const Option *options, void *record) {
  for (const Option *option = options; option->name; option++) {
    void *field = field_of(record, option);
    if (option->kind == OPTION_STRING || option->kind == OPTION_PATH)
      g_free(*(char **)field);
    if (option->kind == OPTION_LIST)
      empty_list(*(GPtrArray **)field, option->element);
    if (option->kind == OPTION_LIST || option->kind == OPTION_TEXTS)
      g_ptr_array_unref(*(GPtrArray **)field);
  }
}

void option_begin_list(OptionDraft *draft, void *record, const Option *option) {
  if (g_hash_table_add(draft->listed, (char *)option->name))
    empty_list(*(GPtrArray **)field_of(record, option), option->element);
}

void option_keep_last(GPtrArray *list, const OptionElement *element) {
  for (; list->len > 1; g_ptr_array_remove_index(list, 0))
    option_record_clear(element->options, list->pdata[0]);
}

void option_keep_list(OptionDraft *draft, const Option *option) {
  g_hash_table_add(draft->listed, (char *)option->name);
}

void *option_add_element(OptionDraft *draft, void *record, const Option *option, const char *where) {
  GPtrArray *list = *(GPtrArray **)field_of(record, option);
  option_begin_list(draft, record, option);
  void *element = g_malloc0(option->element->size);
  option_record_init(option->element->options, element);
  g_ptr_array_add(list, element);
  option_set_where(draft, option->name, list->len - 1, where);
  g_autofree char *key = origin_key(option->name, list->len - 1);
  g_hash_table_remove(draft->failed, key); /* that was the one of another source */
  return element;
}

/* What is known of element number FROM is so of number TO. */
static void renumber(OptionDraft *draft, const char *name, int from, int to) {
  bool failed = option_has_failed(draft, name, from);
  g_autofree char *where = g_strdup(option_where(draft, name, from)), *key = origin_key(name, to);

  option_set_where(draft, name, to, where);
  g_hash_table_remove(draft->failed, key);
  if (failed)
    option_set_failed(draft, name, to);
}

void option_put_first(OptionDraft *draft, void *record, const Option *option, const char *where, void *element) {
  GPtrArray *list = *(GPtrArray **)field_of(record, option);
  g_autofree char *first = origin_key(option->name, 0);

  for (int i = (int)list->len; i > 0; i--)
    renumber(draft, option->name, i - 1, i);
  g_hash_table_remove(draft->failed, first);
  option_set_where(draft, option->name, 0, where);
  g_ptr_array_insert(list, 0, element);
}

void option_end_element(OptionDraft *draft, void *record, const Option *option, gsize before) {
  const GPtrArray *list = *(GPtrArray **)field_of(record, option);
  if (draft->mistakes->len > before)
    option_set_failed(draft, option->name, (int)list->len - 1);
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

char *option_first_part(const char *text) {
  g_autoptr(GPtrArray) parts = split_parts(text);

  return g_strdup(parts->pdata[0]);
}

char *option_double_commas(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);

  return g_strjoinv(",,", parts);
}

bool option_is_instead(const OptionElement *kind, const char *part) {
  g_autofree char *name = strchr(part, '=') ? g_strndup(part, strcspn(part, "=")) : NULL;
  const Option *option = name ? option_find(kind->options, name) : NULL;

  return option && option->instead;
}

/* One "name", "name=value" of an element. SEEN: the options already set, by position. */
static void set_part(OptionDraft *draft, void *element, const OptionElement *kind, const char *where, const char *base, const char *part,
                     uint64_t *seen) {
  const char *equals = strchr(part, '=');
  g_autofree char *name = g_strndup(part, strcspn(part, "="));
  const Option *first = kind->options + kind->first_unnamed;
  const Option *option = option_find(first, name);
  if (!option) {
    g_autofree char *nearest = option_nearest(NULL, first, name, "", NULL), *known = option_known_names(first);
    option_mistake(draft, where, "unknown part '%s'%s (%s%s; a comma within a value is written ,,)", name, nearest,
                   *known ? "known: " : "it has no parts", known);
    return;
  }
  g_autofree char *there = g_strdup_printf("%s: %s", where, name);
  uint64_t bit = UINT64_C(1) << (option - kind->options);
  if ((*seen & bit) && option->kind != OPTION_TEXTS)
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
  gsize before = draft->mistakes->len;
  unsigned i = 0;
  if (kind->first_unnamed && !option_is_instead(kind, parts->pdata[0]))
    option_set(draft, element, kind->options, where, base, parts->pdata[i++]);
  for (uint64_t seen = 0; i < parts->len; i++) {
    const char *part = parts->pdata[i];
    if (*part || draft->mistakes->len == before) /* a comma too many is said once, and not beside other mistakes */
      set_part(draft, element, kind, where, base, part, &seen);
  }
  option_end_element(draft, record, option, before);
}
