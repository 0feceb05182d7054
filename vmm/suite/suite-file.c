/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library reads the values. Before it does, lines are looked at one by one: where each section and key stands, what
 * is there twice, and what is none of them, so that one mistake does not hide the next.
 */
#include "vmm/suite/suite-file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/whole-file.h"

#define START_MAX 4096 /* bytes that tell a suite from other files, with its first comments */
#define FILE_MAX  ((gsize)16 << 20)

static void free_key(gpointer data) {
  SuiteKey *key = data;
  g_free(key->name);
  g_free(key->value);
  g_free(key);
}

SuiteSection *suite_section_new(const char *name, unsigned line, bool owns_keys) {
  SuiteSection *section = g_new0(SuiteSection, 1);

  section->name = g_strdup(name);
  section->line = line;
  section->keys = g_ptr_array_new_with_free_func(owns_keys ? free_key : NULL);
  section->by_name = g_hash_table_new(g_str_hash, g_str_equal);
  return section;
}

void suite_section_free(gpointer data) {
  SuiteSection *section = data;
  g_hash_table_unref(section->by_name);
  g_ptr_array_unref(section->keys);
  g_free(section->name);
  g_free(section);
}

void suite_section_add(SuiteSection *section, SuiteKey *key) {
  g_ptr_array_add(section->keys, key);
  g_hash_table_insert(section->by_name, key->name, key);
}

void suite_file_free(SuiteFile *file) {
  if (!file)
    return;
  g_free(file->path);
  g_hash_table_unref(file->by_name);
  g_ptr_array_unref(file->sections);
  g_free(file);
}

void suite_mistake(SuiteMistakes *mistakes, const char *file, unsigned line, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *what = mistake_line(format, arguments);
  va_end(arguments);
  g_autofree char *place = printable_line_escaped(file, -1);
  g_autofree char *text = line ? g_strdup_printf("%s:%u: %s", place, line, what) : g_strdup_printf("%s: %s", place, what);
  if (!g_hash_table_add(mistakes->seen, g_strdup(text)))
    return;
  mistakes_add(mistakes->text, text);
}

const SuiteKey *suite_section_find(const SuiteSection *section, const char *name) {
  return g_hash_table_lookup(section->by_name, name);
}

static bool is_name(const char *name) {
  if (!*name)
    return false;
  for (; *name; name++)
    if (!g_ascii_isalnum(*name) && !strchr("._-+:@", *name))
      return false;
  return true;
}

static SuiteSection *begin_section(SuiteFile *file, char *text, unsigned line) {
  char *end = strchr(text, ']');

  if (!end || end[1]) {
    suite_file_mistake(file, line, "a section is [NAME], alone on its line");
    return NULL;
  }
  *end = 0;
  SuiteSection *before = g_hash_table_lookup(file->by_name, text + 1);
  if (before) {
    suite_file_mistake(file, line, "[%s] is there twice; the first is in line %u", text + 1, before->line);
    return before;
  }
  if (!is_name(text + 1))
    suite_file_mistake(file, line, "'%s' is no name: letters, digits and . _ - + : @ make one", text + 1);
  SuiteSection *section = suite_section_new(text + 1, line, true);
  g_ptr_array_add(file->sections, section);
  g_hash_table_insert(file->by_name, section->name, section);
  return section;
}

static void add_key(SuiteFile *file, SuiteSection *section, char *text, unsigned line) {
  char *equals = strchr(text, '=');

  if (!equals) {
    suite_file_mistake(file, line, "'%s' is neither [SECTION], KEY=VALUE, nor # and a comment", text);
    return;
  }
  *equals = 0;
  const char *name = g_strchomp(text);
  const SuiteKey *before = section ? suite_section_find(section, name) : NULL;
  if (!section)
    suite_file_mistake(file, line, "%s stands before the first [SECTION]", name);
  else if (before)
    suite_file_mistake(file, line, "%s is there twice; the first is in line %u", name, before->line);
  if (!section || before)
    return;
  SuiteKey *key = g_new0(SuiteKey, 1);
  key->name = g_strdup(name);
  key->value = g_strdup(g_strchug(equals + 1));
  key->line = line;
  suite_section_add(section, key);
}

/* What the library makes of it. */
static void read_values(SuiteFile *file, const char *text) {
  g_autoptr(GKeyFile) key_file = g_key_file_new();
  g_autoptr(GError) error = NULL;

  if (!g_key_file_load_from_data(key_file, text, (gsize)-1, G_KEY_FILE_NONE, &error)) {
    suite_file_mistake(file, 0, "%s", error->message);
    return;
  }
  for (unsigned i = 0; i < file->sections->len; i++) {
    SuiteSection *section = g_ptr_array_index(file->sections, i);
    for (unsigned j = 0; j < section->keys->len; j++) {
      SuiteKey *key = g_ptr_array_index(section->keys, j);
      char *value = g_key_file_get_value(key_file, section->name, key->name, NULL);
      if (!value)
        continue;
      g_free(key->value);
      key->value = value;
    }
  }
}

bool suite_file_is_one(const char *path) {
  char start[START_MAX + 1] = "";
  struct stat status;
  bool has_text = stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
  FILE *file = has_text ? fopen(path, "re") : NULL;

  if (!file)
    return false;
  start[fread(start, 1, START_MAX, file)] = 0;
  fclose(file);
  const char *c = start + strspn(start, " \t\r\n");
  while (*c == '#') {
    c += strcspn(c, "\n");
    c += strspn(c, " \t\r\n");
  }
  return *c == '[';
}

SuiteFile *suite_file_read(const char *path, SuiteMistakes *mistakes) {
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  SuiteSection *section = NULL;
  gsize size;

  if (!(text = whole_file_read(path, FILE_MAX, "suite", &size, &error))) {
    suite_mistake(mistakes, path, 0, "it cannot be read: %s", error->message);
    return NULL;
  }
  if (strlen(text) != size || !g_utf8_validate(text, -1, NULL)) {
    suite_mistake(mistakes, path, 0, "it is not a text in UTF-8");
    return NULL;
  }
  SuiteFile *file = g_new0(SuiteFile, 1);
  file->path = g_strdup(path);
  file->mistakes = mistakes;
  file->sections = g_ptr_array_new_with_free_func(suite_section_free);
  file->by_name = g_hash_table_new(g_str_hash, g_str_equal);
  gsize before = mistakes->text->len;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (unsigned i = 0; lines[i]; i++) {
    char *line = g_strstrip(lines[i]);
    if (*line == '[')
      section = begin_section(file, line, i + 1);
    else if (*line && *line != '#')
      add_key(file, section, line, i + 1);
  }
  if (mistakes->text->len == before)
    read_values(file, text);
  return file;
}

/* Values. */

char *suite_unescape(const char *value) {
  static const char letters[] = "sntr\\;", meant[] = " \n\t\r\\;";
  GString *text = g_string_new(NULL);

  for (; *value; value++) {
    const char *letter = *value == '\\' && value[1] ? strchr(letters, value[1]) : NULL;
    g_string_append_c(text, letter ? meant[letter - letters] : *value);
    value += letter != NULL;
  }
  return g_string_free(text, FALSE);
}

static void add_item(GPtrArray *items, const char *start, const char *end) {
  g_autofree char *item = g_strstrip(g_strndup(start, (gsize)(end - start)));

  if (*item)
    g_ptr_array_add(items, g_steal_pointer(&item));
}

GPtrArray *suite_split_raw(const char *value) {
  GPtrArray *items = g_ptr_array_new_with_free_func(g_free);
  const char *start = value;

  for (; *value; value++) {
    if (*value == '\\' && value[1])
      value++;
    else if (*value == ';') {
      add_item(items, start, value);
      start = value + 1;
    }
  }
  add_item(items, start, value);
  return items;
}

GPtrArray *suite_split(const char *value) {
  g_autoptr(GPtrArray) raw = suite_split_raw(value);
  GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

  for (unsigned i = 0; i < raw->len; i++)
    g_ptr_array_add(items, suite_unescape(g_ptr_array_index(raw, i)));
  return items;
}
