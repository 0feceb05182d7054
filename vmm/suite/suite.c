/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test is its section over [defaults]; a case is a test with one cell of its matrix. Each key becomes words for eret
 * exec, or a field of the case. The words are then read by eret exec's own parser, so that nothing about machines is
 * known here, and no mistake waits until the case runs.
 */
#include "vmm/suite/suite.h"

#include <string.h>

#include "vmm/base/nearest.h"
#include "vmm/suite/draft.h"

G_DEFINE_QUARK(eret_suite_error, suite_error)

#define DEFAULTS "defaults"

/* Sections. */

static void check_keys(const SuiteFile *file, const SuiteSection *section) {
  const char *names[64] = {NULL};

  for (unsigned i = 0; suite_key_rules[i].name && i + 1 < G_N_ELEMENTS(names); i++)
    names[i] = suite_key_rules[i].name;
  for (unsigned i = 0; i < section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(section->keys, i);
    const char *label_of = suite_key_of(key->name, "label.");
    g_autofree char *matrix = label_of ? g_strconcat("matrix.", label_of, NULL) : NULL;
    if (!suite_key_rule(key->name)) {
      const char *nearest = nearest_name(key->name, names);
      suite_file_mistake(file, key->line, nearest ? "there is no key '%s'; did you mean %s?" : "there is no key '%s'", key->name, nearest);
    } else if (matrix && !suite_section_find(section, matrix)) {
      suite_file_mistake(file, key->line, "%s: there is no %s to name", key->name, matrix);
    }
  }
}

static bool has_key(const SuiteSection *section, const char *name) {
  g_autofree char *matrix = g_strconcat("matrix.", name, NULL);

  return suite_section_find(section, name) || suite_section_find(section, matrix);
}

/* The other form of what the command reads; NULL: NAME is none. */
static const char *other_form(const char *name) {
  if (strcmp(name, "stdin") == 0)
    return "stdin-file";
  return strcmp(name, "stdin-file") == 0 ? "stdin" : NULL;
}

static bool overrides(const SuiteSection *section, const char *name) {
  const char *of = suite_key_base(name), *other = other_form(of);

  return suite_section_find(section, name) || has_key(section, of) || (other && has_key(section, other));
}

/*
 * SECTION with the keys of DEFAULTS that it does not have, in front. The keys stay theirs. Those that there are not,
 * which has been told, are left out: each of the cases would look at them.
 */
static SuiteSection *merge(const SuiteSection *section, const SuiteSection *defaults) {
  SuiteSection *merged = suite_section_new(section->name, section->line, false);

  for (unsigned i = 0; defaults && i < defaults->keys->len; i++) {
    SuiteKey *key = g_ptr_array_index(defaults->keys, i);
    if (suite_key_rule(key->name) && !overrides(section, key->name))
      suite_section_add(merged, key);
  }
  for (unsigned i = 0; i < section->keys->len; i++) {
    SuiteKey *key = g_ptr_array_index(section->keys, i);
    if (suite_key_rule(key->name))
      suite_section_add(merged, key);
  }
  return merged;
}

static void load_section(const SuiteFile *file, const SuiteSection *section, const SuiteSection *defaults, GHashTable *defines,
                         NamedFiles *named, GPtrArray *cases) {
  SuiteSection *merged = merge(section, defaults);
  g_autoptr(Matrix) matrix = matrix_new(file, merged);
  g_autofree char *base = g_path_get_basename(file->path);
  CaseDraft draft = {
      .file = file, .own = section, .section = merged, .defines = defines, .named = named, .section_left = DRAFT_SECTION_TEXT_MAX};
  char *dot = strrchr(base, '.');

  if (dot && dot > base)
    *dot = 0;
  for (unsigned i = 0; i < matrix->cells->len && !draft.too_much; i++) { /* the next ones would be, too */
    draft.cell = g_ptr_array_index(matrix->cells, i);
    g_ptr_array_add(cases, draft_make_case(&draft, base));
  }
  suite_section_free(merged);
}

static void load_file(const char *path, GHashTable *defines, NamedFiles *named, GPtrArray *cases, SuiteMistakes *mistakes) {
  gsize mistakes_before = mistakes->text->len;
  g_autoptr(SuiteFile) file = suite_file_read(path, mistakes);
  bool is_well_formed = mistakes->text->len == mistakes_before;
  const SuiteSection *defaults = NULL;

  if (!file)
    return;
  for (unsigned i = 0; i < file->sections->len; i++) {
    const SuiteSection *section = g_ptr_array_index(file->sections, i);
    check_keys(file, section);
    if (strcmp(section->name, DEFAULTS) == 0)
      defaults = section;
  }
  if (!is_well_formed) /* what tests it has is not known */
    return;
  for (unsigned i = 0; i < file->sections->len; i++) {
    const SuiteSection *section = g_ptr_array_index(file->sections, i);
    if (section != defaults)
      load_section(file, section, defaults, defines, named, cases);
  }
  if (file->sections->len == (defaults != NULL))
    suite_file_mistake(file, 0, "there is no test in it");
}

/* Files of one name in two directories would make results that cannot be told apart. */
static void check_names(const GPtrArray *cases, SuiteMistakes *mistakes) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned i = 0; i < cases->len; i++) {
    const SuiteCase *suite_case = g_ptr_array_index(cases, i);
    char *name = suite_case_full_name(suite_case);
    if (g_hash_table_contains(seen, name))
      suite_mistake(mistakes, suite_case->suite, 0, "there are two cases %s; suites need names of their own", name);
    g_hash_table_add(seen, name);
  }
}

GPtrArray *suite_load(const char *const *files, GHashTable *defines, NamedFiles *named, GError **error) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func(suite_case_free);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  SuiteMistakes mistakes = {g_string_new(NULL), seen};

  for (unsigned i = 0; files[i]; i++)
    load_file(files[i], defines, named, cases, &mistakes);
  if (mistakes.text->len == 0)
    check_names(cases, &mistakes);
  g_autofree char *text = g_string_free(mistakes.text, FALSE);
  if (!*text)
    return g_steal_pointer(&cases);
  g_set_error_literal(error, SUITE_ERROR, SUITE_ERROR_INVALID, text);
  return NULL;
}
