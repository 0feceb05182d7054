/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case in the making: one test's keys and one cell of its matrix. draft-values.c says what is written in a key, draft.c what becomes of it. For suite.c.
 */
#pragma once

#include "vmm/suite/matrix.h"
#include "vmm/suite/suite-file.h"
#include "vmm/suite/suite-keys.h"
#include "vmm/suite/suite.h"

typedef struct {
  const SuiteFile *file;
  const SuiteSection *section; /* with what it has of [defaults] */
  const MatrixCell *cell;
  GHashTable *defines;
  SuiteMistakes *mistakes;
  const SuiteKey *key; /* that is looked at */
  SuiteCase *made;
  bool has_gaps; /* something in it stands for nothing: what else would be said of it makes no sense */
} Draft;

/* A mistake in the key that is looked at. */
#define draft_mistake(draft, ...) suite_mistake((draft)->mistakes, (draft)->file->path, (draft)->key->line, __VA_ARGS__)

/* The case, as far as it is right; its mistakes are in draft->mistakes. SUITE is the suite's name. */
SuiteCase *draft_make_case(Draft *draft, const char *suite);

/* VALUE of a key with RULE, with what stands for something else replaced: as text, as the items of a list (of char *), as yes or no. Paths are as they have been written. */
char *draft_text(Draft *draft, const SuiteKeyRule *rule, const char *value);
GPtrArray *draft_list(Draft *draft, const SuiteKeyRule *rule, const char *value);
bool draft_is_boolean(const char *value);
bool draft_is_true(const Draft *draft, const char *value);
/* PATH, which is relative to the suite's file, as an absolute one. */
char *draft_path(const Draft *draft, const char *path);
