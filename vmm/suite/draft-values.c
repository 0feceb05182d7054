/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written in a key: variables, keys and the environment by their names, escapes, lists, paths. eret-suite(5)
 * describes it.
 */
#include <string.h>

#include "vmm/suite/draft.h"

#define EXPAND_DEPTH_MAX 8

/* A variable or a key of this test, as it is written. */
static const char *value_of_key(const CaseDraft *draft, const char *name) {
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

static char *expand(CaseDraft *draft, const char *text, unsigned depth);

/*
 * What ${NAME} stands for: what was defined, a variable or a key of this test, the environment. In keys there may be
 * more of them. Free with g_free.
 */
static char *value_of(CaseDraft *draft, const char *name, unsigned depth) {
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
    draft_mistake(draft, "%s: ${%s} stands for itself, or for too much of what stands for something else", draft->key->name, name);
  else
    draft_mistake(draft, "%s: there is no ${%s}: neither --define %s=..., nor a key or var.%s of the test, nor in the environment",
                  draft->key->name, name, name, name);
  return g_strdup("");
}

/* Takes what VALUE costs from what is left. False: there is not enough, which is told once. */
static bool afford(CaseDraft *draft, const char *value) {
  uint64_t cost = DRAFT_NAME_COST + strlen(value);
  bool enough = cost <= draft->key_left && cost <= draft->section_left;

  if (draft->too_much)
    return false;
  if (enough) {
    draft->key_left -= cost;
    draft->section_left -= cost;
    return true;
  }
  draft->too_much = draft->has_gaps = true;
  draft_mistake(draft, "[%s] %s: what its ${NAME}s stand for, and what these stand for, is more than %u MiB%s", draft->section->name,
                draft->key->name, (unsigned)((cost > draft->key_left ? DRAFT_KEY_TEXT_MAX : DRAFT_SECTION_TEXT_MAX) >> 20),
                cost > draft->key_left ? "" : " in all cases of the test");
  return false;
}

static char *expand(CaseDraft *draft, const char *text, unsigned depth) {
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
    if (!afford(draft, value))
      break;
    g_string_append(out, value);
    next = end + 1;
  }
  return g_string_free(out, FALSE);
}

/* Whether TEXT begins with what the suite does not have: what was defined, or the environment's. */
static bool begins_outside(const CaseDraft *draft, const char *text, unsigned depth) {
  const char *end = g_str_has_prefix(text, "${") ? strchr(text, '}') : NULL;
  g_autofree char *name = end ? g_strndup(text + 2, (gsize)(end - text - 2)) : NULL;

  if (!name || depth > EXPAND_DEPTH_MAX)
    return false;
  const char *value = g_hash_table_contains(draft->defines, name) ? NULL : value_of_key(draft, name);
  return value ? begins_outside(draft, value, depth + 1) : true;
}

/*
 * As expand(). Paths in a suite are relative to its file; one that begins with what the user gave is relative to where
 * the user is.
 */
static char *expand_path(CaseDraft *draft, const char *text) {
  g_autofree char *path = expand(draft, text, 0);
  g_autofree char *here = g_get_current_dir();

  return !g_path_is_absolute(path) && begins_outside(draft, text, 0) ? g_strconcat(here, "/", path, NULL) : g_steal_pointer(&path);
}

char *draft_path(const CaseDraft *draft, const char *path) {
  g_autofree char *directory = g_path_get_dirname(draft->file->path);
  g_autofree char *absolute = g_canonicalize_filename(directory, NULL);
  return g_canonicalize_filename(path, absolute);
}

static bool is_path(const SuiteKeyRule *rule) {
  SuiteKeyKind kind = suite_key_kind(rule);

  return kind == KEY_FILE_OPTION || kind == KEY_STDIN_FILE || kind == KEY_DISKS || kind == KEY_COPY_IN || kind == KEY_FILES;
}

char *draft_text(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autofree char *text = suite_unescape(value);

  draft->key_left = DRAFT_KEY_TEXT_MAX;
  return is_path(rule) ? expand_path(draft, text) : expand(draft, text, 0);
}

GPtrArray *draft_list(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autoptr(GPtrArray) raw = suite_split(value);
  GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

  draft->key_left = DRAFT_KEY_TEXT_MAX;
  for (unsigned i = 0; i < raw->len; i++) {
    const char *item = g_ptr_array_index(raw, i);
    g_ptr_array_add(items, is_path(rule) ? expand_path(draft, item) : expand(draft, item, 0));
  }
  return items;
}

bool draft_is_boolean(const char *value) {
  return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

bool draft_is_true(const CaseDraft *draft, const char *value) {
  if (!draft_is_boolean(value))
    draft_mistake(draft, "%s: '%s' is neither true nor false", draft->key->name, value);
  return strcmp(value, "true") == 0;
}
