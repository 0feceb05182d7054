/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar as a table: a word, then a number, then words or a text, with one space between two of them. */
#include "vmm/exec/control-line.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NUMBER_DIGITS 10

/* The first that fits: "signal N oom" is no "signal N". */
static const struct {
  const char *word;
  unsigned min, max;  /* of the number; 0: there is none */
  const char *behind; /* what follows the number, to the letter; or NULL */
  bool text;          /* follows at the end */
  ControlKind kind;
} grammar[] = {
    {"warning", 0, 0, NULL, true, CONTROL_WARNING}, /* the run goes on */
    {"hello", 1, 65535, NULL, false, CONTROL_HELLO},
    {"missing", 0, 0, NULL, true, CONTROL_MISSING},
    {"started", 1, 4194304, NULL, false, CONTROL_STARTED}, /* Linux: PID_MAX_LIMIT */
    {"failed", 1, 4095, NULL, true, CONTROL_FAILED},       /* Linux: MAX_ERRNO */
    {"exit", 0, 255, NULL, false, CONTROL_EXIT},
    {"signal", 1, 127, " oom", false, CONTROL_SIGNAL_OOM},
    {"signal", 1, 127, NULL, false, CONTROL_SIGNAL},
    {"files failed", 0, 0, NULL, true, CONTROL_FILES_FAILED},
    {"files END", 0, 0, NULL, false, CONTROL_FILES_END},
    {"done", 0, 0, NULL, false, CONTROL_DONE},
    {"pong", 0, 0, NULL, false, CONTROL_PONG},
    {"taint", 0, UINT32_MAX, NULL, false, CONTROL_TAINT},
};

/* " 123": as init writes it, without sign, leading zeros or a second space. Returns what is behind it, or NULL. */
static const char *take_number(const char *text, unsigned min, unsigned max, unsigned *number) {
  unsigned digits = 0;
  uint64_t value = 0;

  if (*text++ != ' ')
    return NULL;
  for (; g_ascii_isdigit(text[digits]); digits++) {
    if (digits == NUMBER_DIGITS)
      return NULL;
    value = value * 10 + (unsigned)(text[digits] - '0');
  }
  if (digits == 0 || (digits > 1 && text[0] == '0') || value < min || value > max)
    return NULL;
  *number = (unsigned)value;
  return text + digits;
}

static bool fits(const char *line, unsigned index, ControlLine *result) {
  const char *next = g_str_has_prefix(line, grammar[index].word) ? line + strlen(grammar[index].word) : NULL;

  *result = (ControlLine){.kind = grammar[index].kind};
  if (next && grammar[index].max)
    next = take_number(next, grammar[index].min, grammar[index].max, &result->number);
  if (next && grammar[index].behind)
    next = g_str_has_prefix(next, grammar[index].behind) ? next + strlen(grammar[index].behind) : NULL;
  if (!next)
    return false;
  if (!grammar[index].text)
    return *next == 0;
  result->text = next + 1;
  return next[0] == ' ' && next[1] != 0;
}

ControlLine control_line_parse(const char *line) {
  ControlLine result;

  for (unsigned i = 0; i < G_N_ELEMENTS(grammar); i++)
    if (fits(line, i, &result))
      return result;
  return (ControlLine){.kind = CONTROL_NONE, .text = line};
}
