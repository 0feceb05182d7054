/* SPDX-License-Identifier: Apache-2.0 */
/* No lock: pure functions. */
#include "vmm/boot/command-line.h"

#include <string.h>

#define SHOWN_MAX ((size_t)80) /* of what was added */

typedef struct {
  const char *name;
  size_t name_length;
  bool value;
} Word;

/*
 * Takes the next word of *LINE; false at the end. A quote at the word's very beginning is not of its name, nor is the
 * one that ends it.
 */
static bool next_word(const char **line, Word *word) {
  const char *at = *line;

  while (g_ascii_isspace(*at))
    at++;
  if (!*at)
    return false;
  bool quoted = *at == '"', in_quotes = quoted;
  const char *start = at + quoted, *equals = NULL;
  for (at = start; *at && (in_quotes || !g_ascii_isspace(*at)); at++) {
    if (*at == '=' && at > start && !equals)
      equals = at;
    in_quotes ^= *at == '"';
  }
  const char *end = quoted && at > start && at[-1] == '"' ? at - 1 : at;
  *word = (Word){start, (size_t)((equals ? equals : end) - start), equals != NULL};
  *line = at;
  return true;
}

static char dashed(char c) {
  return c == '_' ? '-' : c;
}

static bool is_called(const Word *word, const char *name, size_t length) {
  if (word->name_length != length)
    return false;
  for (size_t i = 0; i < length; i++)
    if (dashed(word->name[i]) != dashed(name[i]))
      return false;
  return true;
}

static bool has(const char *line, const char *name, size_t length) {
  Word word;

  while (next_word(&line, &word)) {
    if (!word.value && word.name_length == 2 && memcmp(word.name, "--", 2) == 0)
      return false;
    if (is_called(&word, name, length))
      return true;
  }
  return false;
}

bool command_line_has(const char *line, const char *name) {
  return has(line, name, strlen(name));
}

void command_line_put(char **line, const char *words) {
  g_autofree char *rest = *line;

  *line = g_strconcat(words, *rest ? " " : "", rest, NULL);
}

void command_line_add(char **line, const char *word) {
  if (!has(*line, word, strcspn(word, "=")))
    command_line_put(line, word);
}

bool command_line_fits(const char *line, size_t user_length, char **why) {
  size_t length = strlen(line), added = length - user_length - (user_length > 0 && length > user_length);

  if (length <= COMMAND_LINE_MAX)
    return true;
  *why = g_strdup_printf(
      "has %zu bytes, and %zu with what eret puts before them (%.*s%s); Linux takes %d and would cut off the end: %zu too many",
      user_length, length, (int)MIN(added, SHOWN_MAX), line, added > SHOWN_MAX ? "..." : "", COMMAND_LINE_MAX, length - COMMAND_LINE_MAX);
  return false;
}
