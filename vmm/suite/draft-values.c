/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written in a key: variables, keys and the environment by their names, escapes, lists, paths. eret-suite(5)
 * describes it.
 */
#include <string.h>

#include "vmm/exec/options.h"
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

static char *expand(CaseDraft *draft, const char *text, unsigned depth, gsize at);

/* What begins at AT is not the suite's. */
static char *from_outside(CaseDraft *draft, const char *value, gsize at) {
  g_array_append_val(draft->outside, at);
  return g_strdup(value);
}

/*
 * What ${NAME} stands for, which is to begin at AT: what was defined, a variable or a key of this test, the
 * environment. In keys there may be more of them. Free with g_free.
 */
static char *value_of(CaseDraft *draft, const char *name, unsigned depth, gsize at) {
  const char *value = g_hash_table_lookup(draft->defines, name);

  if (value)
    return from_outside(draft, value, at);
  if ((value = value_of_key(draft, name)) && depth < EXPAND_DEPTH_MAX) {
    g_autofree char *text = suite_unescape(value);
    return expand(draft, text, depth + 1, at);
  }
  const char *outside = value ? NULL : g_getenv(name);
  if (outside)
    return from_outside(draft, outside, at);
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

/* AT: where what becomes of TEXT begins, in the value or the item of one. */
static char *expand(CaseDraft *draft, const char *text, unsigned depth, gsize at) {
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
    g_autofree char *value = value_of(draft, name, depth, at + out->len);
    if (!afford(draft, value))
      break;
    g_string_append(out, value);
    next = end + 1;
  }
  return g_string_free(out, FALSE);
}

static char *expand_item(CaseDraft *draft, const char *text) {
  g_array_set_size(draft->outside, 0);
  return expand(draft, text, 0, 0);
}

/* Paths. */

/* A value, of which the paths are looked at. */
typedef struct {
  const CaseDraft *draft;
  const GArray *outside; /* as in the draft */
  gsize shift;           /* of its beginning to what OUTSIDE is about */
} Value;

static int compare_places(const void *a, const void *b) {
  gsize left = *(const gsize *)a, right = *(const gsize *)b;

  return (left > right) - (left < right);
}

/* Paths start at the suite's directory; one that begins with what the user gave starts where the user is. */
static char *place_path(void *opaque, const char *path, gsize offset) {
  const Value *value = opaque;
  const gsize at = value->shift + offset;
  bool from_user = g_array_binary_search((GArray *)value->outside, &at, compare_places, NULL);
  g_autofree char *directory = g_path_get_dirname(value->draft->file->path);
  g_autofree char *base = g_canonicalize_filename(from_user ? "." : directory, NULL);
  g_autofree char *placed = g_canonicalize_filename(path, base);

  return g_strconcat(placed, g_str_has_suffix(path, "/") && !g_str_has_suffix(placed, "/") ? "/" : NULL, NULL);
}

static char *place_item(CaseDraft *draft, const SuiteKeyRule *rule, const char *text) {
  const Option *option = suite_key_option(rule);
  Value value = {draft, draft->outside, 0};

  if (rule->kind == KEY_FILES || rule->kind == KEY_STDIN_FILE)
    return place_path(&value, text, 0);
  char *placed = option ? option_place(option, text, place_path, &value) : g_strdup(text);
  if (placed)
    return placed;
  draft->has_gaps = true;
  draft_mistake(draft, "[%s] %s: '%s' cannot start at the suite's directory, in whose path is a colon: write where it starts",
                draft->section->name, draft->key->name, text);
  return g_strdup(text);
}

/* Options and their values, as they are given to eret exec. */
typedef struct {
  const CaseDraft *draft;
  GPtrArray *items;         /* of char * */
  const GPtrArray *outside; /* of each of them, as in the draft; of GArray */
  GPtrArray *placed;        /* of char *: what becomes of them */
} Words;

static void on_option(void *opaque, const Option *option, int argument, const char *text) {
  const Words *words = opaque;
  char **item = (char **)&g_ptr_array_index(words->placed, argument);
  gsize shift = text ? (gsize)(text - (const char *)g_ptr_array_index(words->items, argument)) : 0;
  Value value = {words->draft, g_ptr_array_index(words->outside, argument), shift};
  g_autofree char *placed = text ? option_place(option, text, place_path, &value) : NULL;

  if (!placed)
    return;
  g_autofree char *before = *item;
  before[shift] = 0;
  *item = g_strconcat(before, placed, NULL);
}

/* Takes ITEMS; OUTSIDE is as in Words. */
static GPtrArray *place_words(const CaseDraft *draft, GPtrArray *items, const GPtrArray *outside) {
  GPtrArray *placed = g_ptr_array_new_with_free_func(g_free);
  Words words = {draft, items, outside, placed};

  for (unsigned i = 0; i < items->len; i++)
    g_ptr_array_add(placed, g_strdup(g_ptr_array_index(items, i)));
  g_autofree char *mistakes = option_each(&exec_option_set, (int)items->len, (char **)items->pdata, on_option, &words);
  g_ptr_array_unref(items);
  return placed;
}

/* Values. */

char *draft_text(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autofree char *raw = suite_unescape(value);

  draft->key_left = DRAFT_KEY_TEXT_MAX;
  g_autofree char *text = expand_item(draft, raw);
  return place_item(draft, rule, text);
}

GPtrArray *draft_list(CaseDraft *draft, const SuiteKeyRule *rule, const char *value) {
  g_autoptr(GPtrArray) raw = suite_split(value);
  g_autoptr(GPtrArray) outside = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
  GPtrArray *items = g_ptr_array_new_with_free_func(g_free);

  draft->key_left = DRAFT_KEY_TEXT_MAX;
  for (unsigned i = 0; i < raw->len; i++) {
    g_autofree char *text = expand_item(draft, g_ptr_array_index(raw, i));
    g_ptr_array_add(items, place_item(draft, rule, text));
    g_ptr_array_add(outside, g_array_copy(draft->outside));
  }
  return rule->kind == KEY_WORDS ? place_words(draft, items, outside) : items;
}

bool draft_is_boolean(const char *value) {
  return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

bool draft_is_true(const CaseDraft *draft, const char *value) {
  if (!draft_is_boolean(value))
    draft_mistake(draft, "%s: '%s' is neither true nor false", draft->key->name, value);
  return strcmp(value, "true") == 0;
}
