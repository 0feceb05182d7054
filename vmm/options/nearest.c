/* SPDX-License-Identifier: Apache-2.0 */
/* Names of options and of what they take: all of them, and the one that somebody probably meant by one not known. */
#include <string.h>

#include "vmm/base/nearest.h"
#include "vmm/options/option.h"

const Option *option_find(const Option *options, const char *name) {
  for (const Option *option = options; option->name; option++)
    if (strcmp(option->name, name) == 0)
      return option;
  return NULL;
}

char *option_known_names(const Option *options) {
  GString *names = g_string_new(NULL);

  for (const Option *option = options; option->name; option++)
    g_string_append_printf(names, "%s%s", names->len ? ", " : "", option->name);
  return g_string_free(names, FALSE);
}

char *option_choice_names(const Option *option, const char *separator) {
  GString *names = g_string_new(NULL);

  for (const OptionChoice *choice = option->choices; choice->name; choice++)
    g_string_append_printf(names, "%s%s", names->len ? separator : "", choice->name);
  return g_string_free(names, FALSE);
}

char *option_meant(GPtrArray *names, const char *wanted, const char *prefix, const char **name) {
  g_ptr_array_add(names, NULL);
  const char *nearest = nearest_name(wanted, (const char *const *)names->pdata);
  if (name)
    *name = nearest;
  return nearest ? g_strdup_printf("; did you mean %s%s?", prefix, nearest) : g_strdup("");
}

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

char *option_nearest(const OptionSet *set, const Option *options, const char *wanted, const char *prefix, const Option **found) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  const char *name;
  bool negated;

  if (options)
    add_names(names, set, options);
  for (unsigned i = 0; !options && set->tables[i]; i++)
    add_names(names, set, set->tables[i]);
  char *meant = option_meant(names, wanted, prefix, &name);
  if (found)
    *found = name ? option_find_flag(set, name, &negated, NULL) : NULL;
  return meant;
}
