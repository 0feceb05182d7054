/* SPDX-License-Identifier: Apache-2.0 */
/* Which cases run. */
#include <string.h>

#include "vmm/suite/suite.h"

static bool has_one_of(const SuiteCase *suite_case, const GPtrArray *tags) {
  for (unsigned i = 0; i < suite_case->tags->len; i++)
    for (unsigned j = 0; j < tags->len; j++)
      if (strcmp(g_ptr_array_index(suite_case->tags, i), g_ptr_array_index(tags, j)) == 0)
        return true;
  return false;
}

static bool is_wanted(const SuiteCase *suite_case, const GRegex *regex, const GPtrArray *tags, const GPtrArray *skip_tags) {
  g_autofree char *name = g_strconcat(suite_case->suite, "/", suite_case->name, NULL);

  if (regex && !g_regex_match(regex, name, 0, NULL))
    return false;
  return (tags->len == 0 || has_one_of(suite_case, tags)) && !has_one_of(suite_case, skip_tags);
}

GPtrArray *suite_select(GPtrArray *cases, const char *filter, GPtrArray *tags, GPtrArray *skip_tags, unsigned shard, unsigned shards,
                        GError **error) {
  g_autoptr(GError) regex_error = NULL;
  g_autoptr(GRegex) regex = filter ? g_regex_new(filter, 0, 0, &regex_error) : NULL;
  unsigned number = 0;

  if (regex_error) {
    g_set_error(error, SUITE_ERROR, SUITE_ERROR_INVALID, "--filter: %s", regex_error->message);
    return NULL;
  }
  GPtrArray *chosen = g_ptr_array_new();
  for (unsigned i = 0; i < cases->len; i++) {
    SuiteCase *suite_case = g_ptr_array_index(cases, i);
    if (is_wanted(suite_case, regex, tags, skip_tags) && number++ % shards == shard - 1)
      g_ptr_array_add(chosen, suite_case);
  }
  return chosen;
}
