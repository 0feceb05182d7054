/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines into a tree: a level is an indentation, and the result at a lesser one adopts all that came at deeper ones
 * before it. The results lie in one array, so a level's children are its end; adoption puts the parent's name before
 * theirs. Nothing is trusted: levels, results, names and the sum of all text are bounded. No lock.
 */
#include "vmm/suite/ktap.h"

#include <string.h>

#include "vmm/suite/ktap-line.h"
#include "vmm/suite/report-text.h"

#define TEXT_MAX      (8u << 20) /* bytes of all names and details: each adoption makes names longer */
#define PENDING_LINES 8          /* of what a test says before it fails */
#define PENDING_BYTES 200        /* of each of them */

typedef struct {
  unsigned column;
  bool declared; /* there was a version or a plan: what begins with "ok" is a result */
  bool has_plan;
  bool broken; /* an earlier plan at this place was not kept */
  bool echoed; /* the plan, which has been kept, was there again: what a child process had buffered, or the plan of another document */
  guint64 planned, tests;
  unsigned start; /* the first result of its own, or of its children */
  char *hint;     /* "# Subtest: name": its parent's name, should that never come; or NULL */
  char *skipped;  /* "1..0 # SKIP reason"; or NULL */
} Level;

typedef struct {
  GPtrArray *results; /* of SubResult */
  Level levels[KTAP_DEPTH_MAX];
  unsigned depth;
  Level children; /* levels closed last: the next result adopts them. */
  bool has_children;
  char *hint; /* of the next level */
  bool complete;
  bool prefixed;    /* by kselftest's runner */
  bool says_before; /* tests explain a failure before its result, not behind */
  bool too_much;    /* a bound was met */
  bool full;        /* one that leaves nothing to look for behind it */
  size_t text;      /* bytes of all names and details */
  GString *pending; /* lines since the last result */
  unsigned pending_lines;
  SubResult *last; /* the last result, for what is said behind it; or NULL */
  bool explain;    /* comments behind it are its detail */
  int yaml;        /* column of the YAML block that we are in; -1: in none */
} Parser;

/* Names and details. */

/* Takes TEXT, and gives a clean one of bounded length. */
static char *bound(Parser *parser, char *text) {
  g_autofree char *given = text;
  char *clean = report_lines(given);
  size_t size = strlen(clean);

  if (size >= KTAP_NAME_MAX) {
    const char *end = g_utf8_find_prev_char(clean, clean + KTAP_NAME_MAX);
    clean[end ? end - clean : 0] = '\0';
    size = strlen(clean);
  }
  parser->text += size;
  return clean;
}

static bool has_room(Parser *parser) {
  if (parser->results->len < KTAP_RESULTS_MAX && parser->text < TEXT_MAX)
    return true;
  parser->too_much = parser->full = true;
  return false;
}

/* Takes NAME and DETAIL (NULL: none). NULL: there are too many. */
static SubResult *add(Parser *parser, char *name, ResultKind kind, char *detail) {
  if (!has_room(parser)) {
    g_free(name);
    g_free(detail);
    return NULL;
  }
  SubResult *sub = g_new0(SubResult, 1);
  *sub = (SubResult){.name = g_strdelimit(bound(parser, name), "\n", ' '), .kind = kind, .detail = detail ? bound(parser, detail) : NULL};
  g_ptr_array_add(parser->results, sub);
  return sub;
}

static void set_detail(Parser *parser, SubResult *sub, char *detail) {
  g_free(sub->detail);
  sub->detail = bound(parser, detail);
}

static void put_before_names(Parser *parser, unsigned start, const char *parent) {
  for (unsigned i = start; i < parser->results->len && has_room(parser); i++) {
    SubResult *sub = g_ptr_array_index(parser->results, i);
    char *name = g_strconcat(parent, "/", sub->name, NULL);
    g_free(sub->name);
    sub->name = bound(parser, name);
  }
}

/* Levels. */

static void level_clear(Level *level) {
  g_free(level->hint);
  g_free(level->skipped);
  *level = (Level){0};
}

static bool keeps_plan(const Level *level) {
  return !level->broken && (!level->has_plan || level->planned == level->tests);
}

/* Nobody adopts them: they keep the name that was announced, if any was. */
static void drop_children(Parser *parser) {
  if (!parser->has_children)
    return;
  parser->complete &= keeps_plan(&parser->children);
  if (parser->children.hint)
    put_before_names(parser, parser->children.start, parser->children.hint);
  level_clear(&parser->children);
  parser->has_children = false;
}

/* Closes levels deeper than COLUMN: the last of them holds the children of what comes there. */
static void leave(Parser *parser, unsigned column) {
  while (parser->depth && parser->levels[parser->depth - 1].column > column) {
    drop_children(parser);
    parser->children = parser->levels[--parser->depth];
    parser->levels[parser->depth] = (Level){0};
    parser->has_children = true;
  }
}

/* The level at COLUMN, which is then the deepest one. NULL: it would be too deep. */
static Level *enter(Parser *parser, unsigned column) {
  leave(parser, column);
  if (parser->depth && parser->levels[parser->depth - 1].column == column)
    return &parser->levels[parser->depth - 1];
  if (parser->depth == KTAP_DEPTH_MAX) {
    parser->too_much = true;
    return NULL;
  }
  Level *level = &parser->levels[parser->depth++];
  *level = (Level){.column = column, .start = parser->has_children ? parser->children.start : parser->results->len};
  if (column) /* a hint is not about the outermost level */
    level->hint = g_steal_pointer(&parser->hint);
  return level;
}

/* Another document at the same place. */
static void restart(Parser *parser, Level *level) {
  bool root = level == parser->levels;

  level->broken |= !keeps_plan(level) || (root && !level->has_plan);
  level->has_plan = level->declared = false;
  level->planned = level->tests = 0;
  level->echoed = false;
}

/* What tests say. */

/* Nothing that comes explains LAST (NULL: no result), and nothing that came the next one. */
static void begin_anew(Parser *parser, SubResult *last) {
  parser->last = last;
  parser->explain = false;
  g_string_truncate(parser->pending, 0);
  parser->pending_lines = 0;
}

static void remember(Parser *parser, const char *text) {
  if (!*text)
    return;
  if (parser->pending_lines == PENDING_LINES)
    g_string_erase(parser->pending, 0, strchr(parser->pending->str, '\n') - parser->pending->str + 1);
  else
    parser->pending_lines++;
  g_string_append_printf(parser->pending, "%.*s\n", PENDING_BYTES, text);
}

static void on_said(Parser *parser, const KtapLine *line) {
  if (!parser->explain || line->kind != KTAP_COMMENT) {
    remember(parser, line->text);
    return;
  }
  const char *before = parser->last->detail;
  if (!before || strlen(before) < KTAP_NAME_MAX / 2)
    set_detail(parser, parser->last, g_strconcat(before ? before : "", before ? "\n" : "", line->text, NULL));
}

/* Blocks of YAML stand behind a result, indented. True: the line was part of one. */
static bool in_yaml(Parser *parser, const KtapLine *line) {
  bool text = line->kind == KTAP_TEXT;

  if (parser->yaml < 0) {
    if (text && parser->last && line->column && strcmp(line->text, "---") == 0)
      parser->yaml = (int)line->column;
    return parser->yaml >= 0;
  }
  if ((int)line->column < parser->yaml && !(text && !*line->text)) { /* its end is missing */
    parser->yaml = -1;
    return false;
  }
  if (!text || (int)line->column != parser->yaml)
    return true;
  if (strcmp(line->text, "...") == 0)
    parser->yaml = -1;
  char *message = ktap_line_yaml_message(line);
  if (message)
    set_detail(parser, parser->last, message);
  return true;
}

/* Results. */

/* Why it is not simply passed; NULL: nothing is known. */
static char *explain(Parser *parser, const KtapLine *line) {
  char *reason = ktap_line_explain(line);

  if (reason || ktap_line_result(line) != RESULT_FAILED || !parser->pending->len)
    return reason;
  return g_strndup(parser->pending->str, parser->pending->len - 1);
}

static char *explain_plan(const Level *children) {
  if (keeps_plan(children))
    return NULL;
  return children->has_plan && children->planned != children->tests
             ? g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " planned tests have a result", children->tests,
                               children->planned)
             : g_strdup("its test plan was not kept");
}

/* An expected failure of the parent is one of its children, too. True: one of them failed. */
static bool settle_children(Parser *parser, const KtapLine *line) {
  bool expected = line->directive == KTAP_TODO || line->directive == KTAP_XFAIL;
  bool failed = false;

  for (unsigned i = parser->children.start; i < parser->results->len; i++) {
    SubResult *sub = g_ptr_array_index(parser->results, i);
    if (sub->kind == RESULT_FAILED && expected)
      sub->kind = RESULT_SKIPPED;
    failed |= sub->kind == RESULT_FAILED;
  }
  return failed;
}

static SubResult *add_leaf(Parser *parser, const KtapLine *line, char *name) {
  const Level *children = &parser->children;
  char *plan = parser->has_children ? explain_plan(children) : NULL;

  if (plan)
    return add(parser, name, RESULT_FAILED, plan);
  if (parser->has_children && children->skipped && line->ok)
    return add(parser, name, RESULT_SKIPPED, g_strdup(children->skipped));
  return add(parser, name, ktap_line_result(line), explain(parser, line));
}

static SubResult *add_parent(Parser *parser, const KtapLine *line, char *name) {
  bool failed = settle_children(parser, line);
  char *plan = explain_plan(&parser->children);

  put_before_names(parser, parser->children.start, name);
  if (plan)
    return add(parser, name, RESULT_FAILED, plan);
  if (ktap_line_result(line) == RESULT_FAILED && (!failed || line->directive == KTAP_TIMEOUT))
    return add(parser, name, RESULT_FAILED, line->reason ? explain(parser, line) : g_strdup("it failed, though none of its tests did"));
  g_free(name);
  return NULL;
}

static void on_result(Parser *parser, const KtapLine *line) {
  bool declared = false;

  for (unsigned i = 0; i < parser->depth; i++)
    declared |= parser->levels[i].column == line->column && parser->levels[i].declared;
  if (!line->sure && !declared) {
    remember(parser, line->text ? line->text : "");
    return;
  }
  Level *level = enter(parser, line->column);
  if (!level)
    return;
  if (level->echoed) {
    guint64 planned = level->planned;
    restart(parser, level);
    level->declared = level->has_plan = true;
    level->planned = planned;
  }
  level->tests++;
  char *name = ktap_line_name(line, level->tests);
  if (parser->has_children)
    parser->complete &= keeps_plan(&parser->children);
  if (parser->has_children && parser->children.start < parser->results->len)
    begin_anew(parser, add_parent(parser, line, name));
  else
    begin_anew(parser, add_leaf(parser, line, name));
  parser->explain = parser->last && parser->last->kind == RESULT_FAILED && !parser->last->detail && !parser->says_before;
  parser->has_children = false;
  level_clear(&parser->children);
  g_clear_pointer(&parser->hint, g_free);
}

/* The other lines. */

static void on_version(Parser *parser, const KtapLine *line) {
  Level *level = enter(parser, line->column);

  parser->says_before |= line->ktap || line->prefixed;
  parser->prefixed |= line->prefixed;
  if (!level)
    return;
  drop_children(parser);
  if (level->tests || level->has_plan)
    restart(parser, level);
  level->declared = true;
  begin_anew(parser, NULL);
}

static void on_plan(Parser *parser, const KtapLine *line) {
  Level *level = enter(parser, line->column);

  if (!level)
    return;
  drop_children(parser);
  level->echoed = level->has_plan && level->tests && level->tests == level->planned && level->planned == line->number;
  if (level->echoed)
    return;
  if (level->has_plan && level->tests)
    restart(parser, level);
  level->declared = level->has_plan = true;
  level->planned = line->number;
  if (line->number == 0 && line->directive == KTAP_SKIP) {
    g_free(level->skipped);
    level->skipped = g_strdup(line->reason ? line->reason : "all are skipped");
  }
}

static void on_bail_out(Parser *parser, const KtapLine *line) {
  Level *level = enter(parser, line->column);

  parser->complete = false;
  if (!level)
    return;
  drop_children(parser);
  begin_anew(parser, add(parser, g_strdup("Bail out!"), RESULT_FAILED, *line->text ? g_strdup(line->text) : NULL));
  level->has_plan = false; /* that it is not kept needs no second word */
}

static void on_name(Parser *parser, const KtapLine *line) {
  Level *top = parser->depth ? &parser->levels[parser->depth - 1] : NULL;
  bool section = line->kind == KTAP_SECTION;
  bool own = !section && top && line->column && top->column == line->column && !top->tests && !top->has_plan;
  char **hint = own ? &top->hint : &parser->hint;

  g_free(*hint);
  *hint = bound(parser, ktap_line_name(line, 1));
  parser->prefixed |= section;
  parser->says_before |= section;
  begin_anew(parser, NULL);
}

static void on_line(Parser *parser, const KtapLine *line) {
  static void (*const handlers[])(Parser *, const KtapLine *) = {
      [KTAP_TEXT] = on_said,       [KTAP_COMMENT] = on_said, [KTAP_SECTION] = on_name,  [KTAP_SUBTEST] = on_name,
      [KTAP_VERSION] = on_version, [KTAP_PLAN] = on_plan,    [KTAP_RESULT] = on_result, [KTAP_BAIL_OUT] = on_bail_out,
  };

  if (!in_yaml(parser, line))
    handlers[line->kind](parser, line);
}

/* The text is over: what has no parent stays so, and the outermost level must have kept its plan. */
static void finish(Parser *parser) {
  Level *root = parser->levels;

  while (parser->depth > 1)
    leave(parser, parser->levels[parser->depth - 2].column);
  drop_children(parser);
  if (parser->depth == 0) {
    parser->complete = false;
    return;
  }
  parser->complete &= root->has_plan && keeps_plan(root);
  if (root->skipped && parser->results->len == 0)
    add(parser, g_strdup("all tests"), RESULT_SKIPPED, g_strdup(root->skipped));
  if (root->hint)
    put_before_names(parser, root->start, root->hint);
  level_clear(root);
}

GPtrArray *ktap_parse(const char *text, size_t size, bool *complete) {
  Parser parser = {.results = g_ptr_array_new_with_free_func(sub_result_free), .complete = true, .yaml = -1, .pending = g_string_new(NULL)};

  unsigned lines = 0;

  for (const char *end = text + size; text < end && !parser.full; lines++) {
    const char *line_end = memchr(text, '\n', (size_t)(end - text));
    KtapLine line;
    if (!line_end)
      line_end = end;
    if (lines == KTAP_LINES_MAX) {
      parser.too_much = true;
      break;
    }
    ktap_line_parse(&line, text, (size_t)(line_end - text), parser.prefixed);
    on_line(&parser, &line);
    ktap_line_clear(&line);
    text = line_end < end ? line_end + 1 : end;
  }
  finish(&parser);
  g_string_free(parser.pending, TRUE);
  g_free(parser.hint);
  *complete = parser.complete && !parser.too_much;
  return parser.results;
}
