/* SPDX-License-Identifier: Apache-2.0 */
/* Which option somebody probably meant by one that is not known. */
#include "vmm/base/nearest.h"

#include <string.h>

#include "vmm/options/option.h"

/* Those of OPTIONS that SET has; without one, the parts of an element, which have no opposites. */
static void add_names(GPtrArray *names, const OptionSet *set, const Option *options) {
  for (const Option *option = options; option->name; option++) {
    if (set && !option_is_of(option, set))
      continue;
    g_ptr_array_add(names, g_strdup(option->name));
    if (set && option_can_be_negated(option))
      g_ptr_array_add(names, g_strconcat("no-", option->name, NULL));
  }
}

/* Ends NAMES. */
static const char *find(GPtrArray *names, const char *wanted) {
  g_ptr_array_add(names, NULL);
  return nearest_name(wanted, (const char *const *)names->pdata);
}

static char *meant(const char *name, const char *prefix) {
  return name ? g_strdup_printf("; did you mean %s%s?", prefix, name) : g_strdup("");
}

char *option_nearest_part(const Option *options, const char *wanted) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

  add_names(names, NULL, options);
  return meant(find(names, wanted), "");
}

char *option_nearest(const OptionSet *set, const Option *options, const char *wanted, const char *prefix, const Option **found) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  bool negated;

  for (unsigned i = 0; set->tables[i]; i++)
    if (!options || options == set->tables[i])
      add_names(names, set, set->tables[i]);
  const char *name = find(names, wanted);
  if (found)
    *found = name ? option_find_flag(set, name, &negated, NULL) : NULL;
  return meant(name, prefix);
}
