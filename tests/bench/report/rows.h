/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the samples: medians, spreads, ratios, and whether the target is met. */
#pragma once

#include "tests/bench/report/figures.h"
#include "tests/bench/report/samples.h"

typedef struct {
  guint n; /* 0: nothing was measured */
  double median, min, max;
  const char *reason; /* why nothing was measured, or NULL */
} Summary;

typedef enum { VERDICT_NONE, VERDICT_MET, VERDICT_MISSED, VERDICT_UNCLEAR, VERDICT_UNKNOWN } TargetVerdict;

typedef struct {
  const Figure *figure;
  Summary subjects[N_SUBJECTS];
  Summary ratio; /* eret's over the reference's, round by round */
  TargetVerdict verdict;
} Row;

/* A row of each figure of which something is known: a value, or why there is none. Of Row. */
GArray *rows_new(const Samples *samples);

/* Medians of the values; a NULL array has none. */
Summary summarise(const GArray *values);

/* "<= 60", "<= 0.70 x", or "". */
char *target_text(const Figure *figure);
/* "met", "missed", "unclear" (rounds disagree), "not measured", or "". */
const char *verdict_text(TargetVerdict verdict);
