/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The combinations of a test's matrix: for each list one choice, under a label that makes it readable. No lock: one
 * thread.
 */
#pragma once

#include "vmm/suite/suite-file.h"

typedef struct {
  const SuiteKey *key;  /* "matrix.cpus" */
  const char *key_name; /* "cpus"; "var.suite" */
  const char *value;
} MatrixChoice;

typedef struct {
  char *name;      /* "[kernel=6.12,cpus=2]"; "" where there is no matrix */
  GArray *choices; /* of MatrixChoice */
} MatrixCell;

typedef struct {
  GPtrArray *axes;  /* private */
  GPtrArray *cells; /* of MatrixCell, the last list's choices fastest; at least one, unless there were mistakes */
} Matrix;

/* The matrix of SECTION, without what its `exclude` leaves out. Mistakes are told, and leave fewer cells. */
Matrix *matrix_new(const SuiteFile *file, const SuiteSection *section);
void matrix_free(Matrix *matrix); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Matrix, matrix_free)
