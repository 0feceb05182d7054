/* SPDX-License-Identifier: Apache-2.0 */
/* The paths in a value: all of it, a part of an element, or where the option says that they are. */
#include <string.h>

#include "vmm/options/option.h"

/* What is in a part of a longer value. */
typedef struct {
  OptionPlace *place;
  void *opaque;
  gsize offset; /* of the part */
} Part;

static char *place_in_part(void *opaque, const char *path, gsize offset) {
  const Part *part = opaque;

  return part->place(part->opaque, path, part->offset + offset);
}

/* Of AT, a part of an element: the comma behind it that is not doubled, or the end. */
static const char *end_of_part(const char *at) {
  while (*at && (*at != ',' || at[1] == ','))
    at += *at == ',' ? 2 : 1;
  return at;
}

static char *replace(const char *text, const char *old, const char *with) {
  g_auto(GStrv) pieces = g_strsplit(text, old, -1);

  return g_strjoinv(with, pieces);
}

/* OPTION's value from VALUE to END, in which commas are doubled, and are again. */
static char *place_part(const Option *option, const char *value, const char *end, Part *part) {
  g_autofree char *raw = g_strndup(value, (gsize)(end - value)), *text = replace(raw, ",,", ",");
  g_autofree char *placed = option_place(option, text, place_in_part, part);

  return placed ? replace(placed, ",", ",,") : NULL;
}

/* Parts that the element does not have stay as they are: they are told of elsewhere. */
static char *place_element(const OptionElement *kind, const char *text, OptionPlace *place, void *opaque) {
  g_autoptr(GString) out = g_string_new(NULL);
  bool unnamed = kind->first_unnamed && !option_is_instead(kind, text);

  for (const char *at = text, *end;; at = end + 1, unnamed = false) {
    end = end_of_part(at);
    const char *equals = memchr(at, '=', (gsize)(end - at)), *value = unnamed ? at : equals ? equals + 1 : end;
    g_autofree char *name = value > at ? g_strndup(at, (gsize)(value - at - 1)) : NULL;
    const Option *option = unnamed ? kind->options : name ? option_find(kind->options + kind->first_unnamed, name) : NULL;
    Part part = {place, opaque, (gsize)(value - text)};
    g_autofree char *placed = option ? place_part(option, value, end, &part) : g_strndup(value, (gsize)(end - value));
    if (!placed)
      return NULL;
    g_string_append_len(out, at, value - at);
    g_string_append(out, placed);
    if (!*end)
      return g_strdup(out->str);
    g_string_append_c(out, ',');
  }
}

char *option_place(const Option *option, const char *text, OptionPlace *place, void *opaque) {
  bool is_word = strcmp(text, "-") == 0 || (option->word && strcmp(text, option->word) == 0); /* "-": a standard stream */

  if (option->kind == OPTION_LIST)
    return place_element(option->element, text, place, opaque);
  if ((option->kind == OPTION_PATH || option->kind == OPTION_SOURCE || option->paths) && !is_word)
    return place(opaque, text, 0);
  return option->placed ? option->placed(text, place, opaque) : g_strdup(text);
}
