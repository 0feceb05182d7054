/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case in the making: one test's keys and one cell of its matrix. draft-values.c says what is written in a key,
 * draft.c what becomes of it. For suite.c.
 */
#pragma once

#include "vmm/base/named-files.h"
#include "vmm/suite/matrix.h"
#include "vmm/suite/suite-case.h"
#include "vmm/suite/suite-file.h"
#include "vmm/suite/suite-keys.h"

/*
 * ${NAME} stands for what may stand for more, so that some lines could make more text than there is memory. What is put
 * in the place of names is counted, in bytes, and each name as some bytes more: for the text of one key, and for all
 * cases of one section.
 */
#define DRAFT_KEY_TEXT_MAX     (UINT64_C(4) << 20)
#define DRAFT_SECTION_TEXT_MAX (UINT64_C(256) << 20)
#define DRAFT_NAME_COST        256

typedef struct {
  const SuiteFile *file;
  const SuiteSection *own;     /* the test's */
  const SuiteSection *section; /* with what it has of [defaults] */
  const MatrixCell *cell;
  GHashTable *defines;
  const SuiteKey *key; /* that is looked at */
  GArray *outside;     /* of gsize, ascending: where in the value that is looked at what begins that the suite does not have */
  SuiteCase *made;
  GPtrArray *of_options;           /* of char *: what mistakes begin with that are about `options` */
  NamedFiles *named;               /* by the cases */
  bool has_gaps;                   /* something in it makes no sense: nor would what else could be said of it */
  uint64_t key_left, section_left; /* of what names may make */
  bool too_much;                   /* they made more */
} CaseDraft;

/* A mistake in the key that is looked at. */
#define draft_mistake(draft, ...) suite_file_mistake((draft)->file, (draft)->key->line, __VA_ARGS__)

/* The case, as far as it is right; its mistakes are those of draft->file. SUITE is the suite's name. */
SuiteCase *draft_make_case(CaseDraft *draft, const char *suite);

/*
 * VALUE of a key with RULE, with what stands for something else replaced: as text, as the items of a list (of char *),
 * as yes or no. Paths are absolute ones.
 */
char *draft_text(CaseDraft *draft, const SuiteKeyRule *rule, const char *value);
GPtrArray *draft_list(CaseDraft *draft, const SuiteKeyRule *rule, const char *value);
bool draft_is_boolean(const char *value);
bool draft_is_true(const CaseDraft *draft, const char *value);
