/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of TAP or KTAP: what stands before it (timestamp, indentation, "# "), its kind, its parts. Pure functions, no
 * lock.
 */
#include "vmm/suite/ktap-line.h"

#include <string.h>

#define LINE_MAX_BYTES 4096 /* more of a line is not looked at */

static const struct {
  const char *word;
  KtapDirective directive;
} directives[] = {
    {"skip", KTAP_SKIP}, {"todo", KTAP_TODO}, {"xfail", KTAP_XFAIL}, {"timeout", KTAP_TIMEOUT}, {"error", KTAP_ERROR}, {"exit=", KTAP_EXIT},
};

static const char *skip_spaces(const char *text) {
  while (*text == ' ' || *text == '\t')
    text++;
  return text;
}

static const char *skip_digits(const char *text) {
  while (g_ascii_isdigit(*text))
    text++;
  return text;
}

/*
 * "[    1.234567] ", with CONFIG_PRINTK_CALLER "[    1.234567][    T1] "; before it perhaps the level, "<6>". One
 * space: what follows is indentation.
 */
static const char *skip_timestamp(const char *text) {
  const char *c = text;

  if (c[0] == '<' && g_ascii_isdigit(c[1]) && *skip_digits(c + 1) == '>')
    c = skip_digits(c + 1) + 1;
  if (*c != '[')
    return text;
  const char *seconds = skip_spaces(c + 1), *point = skip_digits(seconds);
  c = *point == '.' ? skip_digits(point + 1) : point;
  if (point == seconds || c < point + 2 || *c != ']')
    return text;
  c++;
  if (*c == '[') {
    const char *caller = skip_spaces(c + 1);
    const char *end = strchr("TC", *caller) && *caller ? skip_digits(caller + 1) : caller;
    if (end > caller + 1 && *end == ']')
      c = end + 1;
  }
  return *c == ' ' ? c + 1 : c;
}

static KtapDirective find_directive(const char *text) {
  for (unsigned i = 0; i < G_N_ELEMENTS(directives); i++)
    if (g_ascii_strncasecmp(text, directives[i].word, strlen(directives[i].word)) == 0)
      return directives[i].directive;
  return KTAP_NO_DIRECTIVE;
}

/* Where in a description its directive or remark begins: a '#' of its own, not escaped; NULL: there is none. */
static const char *find_mark(const char *text) {
  for (const char *c = text; *c; c++) {
    if (*c == '\\' && c[1]) {
      c++;
      continue;
    }
    bool alone = c == text || c[-1] == ' ' || c[-1] == '\t';
    if (*c == '#' && alone && (c[1] == ' ' || find_directive(c + 1) != KTAP_NO_DIRECTIVE))
      return c;
  }
  return NULL;
}

/* "\#" and "\\" of TAP 14. */
static char *unescape(const char *text, size_t size) {
  GString *out = g_string_sized_new(size);

  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\\' && i + 1 < size && strchr("\\#", text[i + 1]))
      i++;
    g_string_append_c(out, text[i]);
  }
  return g_strstrip(g_string_free(out, FALSE));
}

static char *reason_of(const char *mark, KtapDirective directive) {
  const char *text = skip_spaces(mark);

  if (directive != KTAP_NO_DIRECTIVE && directive != KTAP_EXIT)
    while (*text && !strchr(" \t:", *text)) /* "SKIP", "Skipped:" */
      text++;
  while (*text && strchr(" \t:", *text))
    text++;
  return *text ? g_strdup(text) : NULL;
}

/* After "1..N" and after a result's number: a description, then perhaps " # DIRECTIVE reason". */
static void parse_description(KtapLine *line, const char *text) {
  const char *mark = find_mark(text);

  line->text = unescape(text, mark ? (size_t)(mark - text) : strlen(text));
  if (!mark)
    return;
  line->directive = find_directive(skip_spaces(mark + 1));
  line->reason = reason_of(mark + 1, line->directive);
  if (!*line->text && line->reason && line->directive != KTAP_EXIT) { /* kselftest's own "ok 1 # SKIP name" */
    g_free(line->text);
    line->text = g_steal_pointer(&line->reason);
  }
}

static bool parse_result(KtapLine *line, const char *text) {
  line->ok = !g_str_has_prefix(text, "not ok");
  const char *c = text + strlen(line->ok ? "ok" : "not ok");

  if ((line->ok && !g_str_has_prefix(text, "ok")) || (*c && *c != ' ' && *c != '\t'))
    return false;
  c = skip_spaces(c);
  const char *end = skip_digits(c);
  if (end > c && (!*end || *end == ' ' || *end == '\t')) {
    line->number = g_ascii_strtoull(c, NULL, 10);
    c = skip_spaces(end);
    line->sure = true;
  }
  if (c[0] == '-' && (c[1] == ' ' || !c[1])) {
    c++;
    line->sure = true;
  }
  line->sure |= !*c;
  parse_description(line, skip_spaces(c));
  line->kind = KTAP_RESULT;
  return true;
}

static bool parse_plan(KtapLine *line, const char *text) {
  if (!g_str_has_prefix(text, "1..") || !g_ascii_isdigit(text[3]))
    return false;
  const char *end = skip_spaces(skip_digits(text + 3));
  if (*end && *end != '#')
    return false;
  line->number = g_ascii_strtoull(text + 3, NULL, 10);
  line->directive = *end ? find_directive(skip_spaces(end + 1)) : KTAP_NO_DIRECTIVE;
  line->reason = *end ? reason_of(end + 1, line->directive) : NULL;
  line->kind = KTAP_PLAN;
  return true;
}

static bool parse_version(KtapLine *line, const char *text) {
  line->ktap = *text == 'K';
  const char *version = text + line->ktap;

  if (!g_str_has_prefix(version, "TAP version ") || !g_ascii_isdigit(version[strlen("TAP version ")]))
    return false;
  line->kind = KTAP_VERSION;
  return true;
}

static bool parse_bail_out(KtapLine *line, const char *text) {
  if (!g_str_has_prefix(text, "Bail out!"))
    return false;
  line->text = g_strdup(skip_spaces(text + strlen("Bail out!")));
  line->kind = KTAP_BAIL_OUT;
  return true;
}

static void parse_comment(KtapLine *line, const char *text) {
  static const char subtest[] = "Subtest:", section[] = "selftests:";

  while (*text == '#' || *text == ' ' || *text == '\t')
    text++;
  line->kind = KTAP_COMMENT;
  if (g_str_has_prefix(text, subtest)) {
    line->kind = KTAP_SUBTEST;
    text = skip_spaces(text + strlen(subtest));
  } else if (g_str_has_prefix(text, section)) {
    line->kind = KTAP_SECTION; /* the name keeps its "selftests:", as in the result */
  }
  line->text = g_strdup(text);
}

/* What stands behind "# ": false, if it is a comment after all. */
static bool parse_prefixed(KtapLine *line, const char *text, bool allowed) {
  const char *c = text;

  while (*c == '#' && c[1] == ' ')
    c = skip_spaces(c + 2);
  KtapLine inner = {.column = line->column + (unsigned)(c - text), .prefixed = true};
  if (c == text ||
      (!parse_version(&inner, c) && !(allowed && (parse_result(&inner, c) || parse_plan(&inner, c) || parse_bail_out(&inner, c)))))
    return false;
  *line = inner;
  return true;
}

void ktap_line_parse(KtapLine *line, const char *text, size_t size, bool prefixed) {
  size = MIN(size, LINE_MAX_BYTES);
  g_autofree char *bytes = g_strndup(text, size);

  for (size_t i = strlen(bytes); i < size; i++) /* the bytes behind a NUL are text like any other */
    bytes[i] = text[i] ? text[i] : '?';
  g_strchomp(bytes);
  g_autofree char *valid = g_utf8_make_valid(bytes, -1);
  const char *start = skip_timestamp(valid), *c = skip_spaces(start);
  *line = (KtapLine){.column = (unsigned)(c - start)};
  if (*c == '#') {
    if (!parse_prefixed(line, c, prefixed))
      parse_comment(line, c);
    return;
  }
  if (parse_result(line, c) || parse_plan(line, c) || parse_version(line, c) || parse_bail_out(line, c))
    return;
  *line = (KtapLine){.column = line->column, .kind = KTAP_TEXT, .text = g_strdup(c)};
}

void ktap_line_clear(KtapLine *line) {
  g_free(line->text);
  g_free(line->reason);
}

ResultKind ktap_line_result(const KtapLine *line) {
  if (line->directive == KTAP_SKIP || line->directive == KTAP_XFAIL)
    return RESULT_SKIPPED;
  if (line->ok)
    return RESULT_PASSED;
  return line->directive == KTAP_TODO ? RESULT_SKIPPED : RESULT_FAILED;
}

char *ktap_line_explain(const KtapLine *line) {
  static const char *const words[] = {[KTAP_TODO] = "expected failure",
                                      [KTAP_XFAIL] = "expected failure",
                                      [KTAP_TIMEOUT] = "timeout",
                                      [KTAP_ERROR] = "error",
                                      [KTAP_EXIT] = NULL};
  const char *word = words[line->directive];

  if (ktap_line_result(line) == RESULT_PASSED)
    return line->directive == KTAP_TODO ? g_strdup("passed, though marked TODO") : NULL;
  return word ? g_strconcat(word, line->reason ? ": " : NULL, line->reason, NULL) : g_strdup(line->reason);
}

/* "selftests: timers: posix_timers", as kselftest's runner has it, becomes "timers/posix_timers". */
char *ktap_line_name(const KtapLine *line, guint64 ordinal) {
  static const char runner[] = "selftests: ";

  if (!line->text || !*line->text)
    return g_strdup_printf("test %" G_GUINT64_FORMAT, line->number ? line->number : ordinal);
  if (!g_str_has_prefix(line->text, runner))
    return g_strdup(line->text);
  g_auto(GStrv) parts = g_strsplit(line->text + strlen(runner), ": ", 2);
  return g_strjoinv("/", parts);
}

char *ktap_line_yaml_message(const KtapLine *line) {
  static const char key[] = "message:";

  if (!g_str_has_prefix(line->text, key) || !line->text[strlen(key)])
    return NULL;
  char *message = g_strstrip(g_strdup(line->text + strlen(key)));
  size_t size = strlen(message);
  if (size > 1 && strchr("'\"", message[0]) && message[size - 1] == message[0]) {
    message[size - 1] = '\0';
    memmove(message, message + 1, size - 1);
  }
  return message;
}
