/* SPDX-License-Identifier: Apache-2.0 */
/* Results of several files become those of one run: the shards of a CI job, mostly. No lock. */
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/suite/report.h"

#define MISSING_NAMED 8  /* shards that a warning names */
#define TWICE_NAMED   20 /* attempts that are in two files, each with a warning of its own */

typedef struct {
  CaseResult *result; /* owned until it is handed over */
  const char *path;
  unsigned order[3]; /* in its suite: its case's place in the file, from 1; the file's shard; its file */
} Entry;

/* Files. */

static GPtrArray *load_all(const char *const *files, GError **error) {
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)loaded_results_free);
  g_autoptr(GString) messages = g_string_new(NULL);
  g_autoptr(GError) first = NULL;

  for (unsigned i = 0; files[i]; i++) {
    g_autoptr(GError) why = NULL;
    LoadedResults *loaded = results_load_json(files[i], &why);
    if (loaded) {
      g_ptr_array_add(all, loaded);
      continue;
    }
    mistake(messages, "%s", why->message);
    if (!first)
      first = g_steal_pointer(&why);
  }
  if (!first)
    return all;
  g_set_error_literal(error, first->domain, first->code, messages->str);
  g_ptr_array_unref(all);
  return NULL;
}

/* Shards. */

/* True: none is missing. */
static bool warn_of_missing(GString *warnings, GHashTable *seen, unsigned shards) {
  unsigned missing = shards - g_hash_table_size(seen), named = 0;
  g_autoptr(GString) names = g_string_new(NULL);

  if (missing == 0)
    return true;
  for (unsigned i = 1; i <= shards && named < MIN(missing, MISSING_NAMED); i++)
    if (!g_hash_table_contains(seen, GUINT_TO_POINTER(i)))
      g_string_append_printf(names, "%s%u", named++ ? ", " : "", i);
  mistake(warnings, "%u of %u shards are missing: %s%s; their cases are in no report", missing, shards, names->str,
          missing > named ? ", ..." : "");
  return false;
}

/* True: these are all of one run. */
static bool check_shards(GString *warnings, const char *const *files, GPtrArray *all) {
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL); /* shard -> path */
  const LoadedResults *first = all->len ? g_ptr_array_index(all, 0) : NULL;
  bool alike = true;

  for (unsigned i = 0; i < all->len; i++) {
    const LoadedResults *loaded = g_ptr_array_index(all, i);
    if (loaded->shards != first->shards) {
      mistake(warnings, "%s is of %u shards, %s is of %u: they are not of the same run", files[i], loaded->shards, files[0], first->shards);
      alike = false;
      continue;
    }
    const char *other = g_hash_table_lookup(seen, GUINT_TO_POINTER(loaded->shard));
    if (other && loaded->shards > 1)
      mistake(warnings, "%s and %s are both shard %u of %u", other, files[i], loaded->shard, loaded->shards);
    g_hash_table_insert(seen, GUINT_TO_POINTER(loaded->shard), (gpointer)files[i]);
  }
  return alike && first && warn_of_missing(warnings, seen, first->shards);
}

/* Cases. */

static void check_twice(GString *warnings, GArray *entries) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* attempt -> path */
  unsigned twice = 0;

  for (unsigned i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);
    const CaseResult *result = entry->result;
    g_autofree char *of_case = case_result_key(result);
    g_autofree char *key = g_strdup_printf("%u %s", result->attempt, of_case);
    const char *other = g_hash_table_lookup(seen, key);
    if (!other)
      g_hash_table_insert(seen, g_steal_pointer(&key), (gpointer)entry->path);
    else if (twice++ < TWICE_NAMED)
      mistake(warnings, "%s/%s, attempt %u: it is in %s and in %s; both results count", result->suite, result->name, result->attempt, other,
              entry->path);
  }
  if (twice > TWICE_NAMED)
    mistake(warnings, "and %u more are there twice", twice - TWICE_NAMED);
}

/* Attempts of a case share its place. */
static void add_entries(GArray *entries, LoadedResults *loaded, const char *path, unsigned file) {
  g_autoptr(GPtrArray) groups = results_group(loaded->results);
  g_autoptr(GHashTable) places = g_hash_table_new(g_str_hash, g_str_equal); /* suite -> its last place */

  for (unsigned i = 0; i < groups->len; i++) {
    const CaseGroup *group = g_ptr_array_index(groups, i);
    unsigned place = GPOINTER_TO_UINT(g_hash_table_lookup(places, group->shown->suite)) + 1;
    g_hash_table_insert(places, group->shown->suite, GUINT_TO_POINTER(place));
    for (unsigned j = 0; j < group->attempts->len; j++) {
      Entry entry = {g_ptr_array_index(group->attempts, j), path, {place, loaded->shard, file}};
      g_array_append_val(entries, entry);
    }
  }
  g_ptr_array_set_free_func(loaded->results, NULL);
}

static int compare_entries(gconstpointer a, gconstpointer b) {
  const Entry *left = a, *right = b;
  int order = strcmp(left->result->suite, right->result->suite);

  for (unsigned i = 0; i < G_N_ELEMENTS(left->order) && order == 0; i++)
    order = left->order[i] < right->order[i] ? -1 : left->order[i] > right->order[i];
  return order;
}

GPtrArray *results_merge(const char *const *files, char **warnings, bool *whole, GError **error) {
  g_autoptr(GPtrArray) all = load_all(files, error);
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  g_autoptr(GString) told = g_string_new(NULL);

  *warnings = NULL;
  *whole = false;
  if (!all)
    return NULL;
  *whole = check_shards(told, files, all);
  for (unsigned i = 0; i < all->len; i++)
    add_entries(entries, g_ptr_array_index(all, i), files[i], i);
  check_twice(told, entries);
  g_array_sort(entries, compare_entries); /* stable: attempts stay in order */
  GPtrArray *results = g_ptr_array_new_with_free_func(case_result_free);
  for (unsigned i = 0; i < entries->len; i++)
    g_ptr_array_add(results, g_array_index(entries, Entry, i).result);
  if (told->len)
    *warnings = g_strdup(told->str);
  return results;
}
