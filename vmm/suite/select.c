/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cases run. Who asks for some and gets none has made a mistake, most likely in a name: it is told, with the
 * names that there are. A shard is something else: where there are more of them than cases, some have none, and that is
 * right.
 */
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/nearest.h"
#include "vmm/suite/suite.h"

#define NAMES_TOLD 8

/* Names in the order in which they come, each once: SEEN owns them. */
static void add_name(GPtrArray *names, GHashTable *seen, const char *text, gsize size) {
  char *name = g_strndup(text, size);

  if (g_hash_table_contains(seen, name))
    g_free(name);
  else if (g_hash_table_add(seen, name))
    g_ptr_array_add(names, name);
}

/* "; did you mean X?", or else what there is: "; there are a, b, c ...". NAMES end with NULL. Free with g_free. */
static char *advise(const GPtrArray *names, const char *wanted) {
  const char *nearest = nearest_name(wanted, (const char *const *)names->pdata);
  unsigned n = names->len - 1;

  if (nearest)
    return g_strdup_printf("; did you mean %s?", nearest);
  if (n == 0)
    return g_strdup("; there are none");
  GString *text = g_string_new(n == 1 ? "; there is " : "; there are ");
  for (unsigned i = 0; i < MIN(n, NAMES_TOLD); i++)
    g_string_append_printf(text, "%s%s", i ? ", " : "", (const char *)g_ptr_array_index(names, i));
  if (n > NAMES_TOLD)
    g_string_append_printf(text, " and %u more", n - NAMES_TOLD);
  return g_string_free(text, FALSE);
}

/* Tags. */

static bool has_one_of(const SuiteCase *suite_case, const GPtrArray *tags) {
  for (unsigned i = 0; i < tags->len; i++)
    if (g_ptr_array_find_with_equal_func(suite_case->tags, g_ptr_array_index(tags, i), g_str_equal, NULL))
      return true;
  return false;
}

static void check_tags(const GPtrArray *cases, const GPtrArray *tags, const char *option, GString *mistakes) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) known = g_ptr_array_new();

  for (unsigned i = 0; tags->len && i < cases->len; i++) {
    const GPtrArray *own = ((const SuiteCase *)g_ptr_array_index(cases, i))->tags;
    for (unsigned j = 0; j < own->len; j++)
      add_name(known, seen, g_ptr_array_index(own, j), strlen(g_ptr_array_index(own, j)));
  }
  g_ptr_array_add(known, NULL);
  for (unsigned i = 0; i < tags->len; i++) {
    const char *tag = g_ptr_array_index(tags, i);
    if (g_hash_table_contains(seen, tag))
      continue;
    g_autofree char *advice = advise(known, tag);
    mistake(mistakes, "%s: no case has the tag '%s'%s", option, tag, advice);
  }
}

/* The filter. */

static void check_filter(const GPtrArray *cases, const char *filter, const GRegex *regex, GString *mistakes) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) tests = g_ptr_array_new(); /* without their matrices */

  for (unsigned i = 0; i < cases->len; i++) {
    g_autofree char *name = suite_case_full_name(g_ptr_array_index(cases, i));
    if (g_regex_match(regex, name, 0, NULL))
      return;
    add_name(tests, seen, name, strcspn(name, "["));
  }
  g_ptr_array_add(tests, NULL);
  g_autofree char *advice = advise(tests, filter);
  mistake(mistakes, "--filter: '%s' is found in the name of no case%s", filter, advice);
}

static bool is_wanted(const SuiteCase *suite_case, const GRegex *regex, const GPtrArray *tags, const GPtrArray *skip_tags) {
  g_autofree char *name = suite_case_full_name(suite_case);

  if (regex && !g_regex_match(regex, name, 0, NULL))
    return false;
  return (tags->len == 0 || has_one_of(suite_case, tags)) && !has_one_of(suite_case, skip_tags);
}

/* The shard's. NULL: nothing is left for any shard. */
static GPtrArray *choose(const GPtrArray *cases, const GRegex *regex, const GPtrArray *tags, const GPtrArray *skip_tags, unsigned shard,
                         unsigned shards) {
  g_autoptr(GPtrArray) chosen = g_ptr_array_new();
  unsigned number = 0;

  for (unsigned i = 0; i < cases->len; i++) {
    SuiteCase *suite_case = g_ptr_array_index(cases, i);
    if (is_wanted(suite_case, regex, tags, skip_tags) && number++ % shards == shard - 1)
      g_ptr_array_add(chosen, suite_case);
  }
  return number ? g_steal_pointer(&chosen) : NULL;
}

GPtrArray *suite_select(GPtrArray *cases, const char *filter, GPtrArray *tags, GPtrArray *skip_tags, unsigned shard, unsigned shards,
                        GError **error) {
  g_autoptr(GError) regex_error = NULL;
  g_autoptr(GRegex) regex = filter ? g_regex_new(filter, 0, 0, &regex_error) : NULL;
  g_autoptr(GString) mistakes = g_string_new(NULL);
  GPtrArray *chosen = NULL;

  if (regex_error)
    mistake(mistakes, "--filter: %s", regex_error->message);
  else if (filter)
    check_filter(cases, filter, regex, mistakes);
  check_tags(cases, tags, "--tag", mistakes);
  check_tags(cases, skip_tags, "--skip-tag", mistakes);
  if (mistakes->len == 0 && !(chosen = choose(cases, regex, tags, skip_tags, shard, shards)))
    mistake(mistakes, "of %u cases none is left to run: none is what --filter, --tag and --skip-tag ask for together", cases->len);
  if (mistakes->len)
    g_set_error_literal(error, SUITE_ERROR, SUITE_ERROR_INVALID, mistakes->str);
  return chosen;
}
