/* SPDX-License-Identifier: Apache-2.0 */
/* One line of TAP or KTAP taken apart. Pure functions, no lock. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/suite/result.h"

typedef enum {
  KTAP_TEXT,     /* anything else */
  KTAP_COMMENT,  /* "# ..." */
  KTAP_SECTION,  /* "# selftests: dir: test": kselftest's runner begins a test */
  KTAP_SUBTEST,  /* "# Subtest: name" */
  KTAP_VERSION,  /* "KTAP version 1", "TAP version 13" */
  KTAP_PLAN,     /* "1..N" */
  KTAP_RESULT,   /* "ok ...", "not ok ..." */
  KTAP_BAIL_OUT, /* "Bail out! ..." */
} KtapLineKind;

typedef enum { KTAP_NO_DIRECTIVE, KTAP_SKIP, KTAP_TODO, KTAP_XFAIL, KTAP_TIMEOUT, KTAP_ERROR, KTAP_EXIT } KtapDirective;

typedef struct {
  KtapLineKind kind;
  unsigned column; /* of its first character: the indentation; "# " before a nested line counts as two */
  bool prefixed;   /* there is such a "# " */
  bool ktap;       /* KTAP_VERSION: KTAP, not TAP */
  bool ok;         /* KTAP_RESULT */
  bool sure;       /* KTAP_RESULT: with a number or a dash; else it may also be prose that begins with "ok" */
  guint64 number;  /* KTAP_RESULT: 0: none. KTAP_PLAN: how many */
  KtapDirective directive;
  char *text;   /* the name, the comment without its marks, or the line */
  char *reason; /* what follows the directive, or NULL */
} KtapLine;

/*
 * SIZE bytes at TEXT, without the line's end. PREFIXED: "# " may stand before nested lines, as kselftest's runner
 * prints them; a version line is recognised there always.
 */
void ktap_line_parse(KtapLine *line, const char *text, size_t size, bool prefixed);
void ktap_line_clear(KtapLine *line);

/* Of a KTAP_RESULT: its kind; a failure that was expected is skipped. */
ResultKind ktap_line_result(const KtapLine *line);
/* Of a KTAP_RESULT: what its directive says about it, or NULL. Free with g_free. */
char *ktap_line_explain(const KtapLine *line);
/*
 * Of a KTAP_RESULT or a KTAP_SECTION: the name, never empty; ORDINAL is used where it has neither name nor number. Free
 * with g_free.
 */
char *ktap_line_name(const KtapLine *line, guint64 ordinal);
/* Of a KTAP_TEXT in a YAML block: the scalar of "message: ...", without quotes; or NULL. Free with g_free. */
char *ktap_line_yaml_message(const KtapLine *line);
