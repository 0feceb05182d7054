/* SPDX-License-Identifier: Apache-2.0 */
/* Medians of rounds, and ratios within a round: what a host was busy with in one round then weighs on both. */
#include "tests/bench/report/rows.h"

static int compare(gconstpointer a, gconstpointer b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

Summary summarise(const GArray *values) {
  if (!values || values->len == 0)
    return (Summary){0};

  g_autoptr(GArray) sorted = g_array_sized_new(FALSE, FALSE, sizeof(double), values->len);
  g_array_append_vals(sorted, values->data, values->len);
  g_array_sort(sorted, compare);
  guint n = sorted->len;
  double low = g_array_index(sorted, double, (n - 1) / 2), high = g_array_index(sorted, double, n / 2);
  return (Summary){
      .n = n,
      .median = (low + high) / 2,
      .min = g_array_index(sorted, double, 0),
      .max = g_array_index(sorted, double, n - 1),
  };
}

/* Rounds of which one side is missing are left out, from the end. */
static Summary ratios(const GArray *values, const GArray *reference) {
  g_autoptr(GArray) quotients = g_array_new(FALSE, FALSE, sizeof(double));

  for (guint i = 0; values && reference && i < MIN(values->len, reference->len); i++) {
    double divisor = g_array_index(reference, double, i);
    if (divisor == 0)
      continue;
    double quotient = g_array_index(values, double, i) / divisor;
    g_array_append_val(quotients, quotient);
  }
  return summarise(quotients);
}

static TargetVerdict judge(const Row *row) {
  const Figure *figure = row->figure;
  const Summary *judged = figure->target_kind == TARGET_AT_MOST ? &row->subjects[SUBJECT_ERET] : &row->ratio;

  if (figure->target_kind == TARGET_NONE)
    return VERDICT_NONE;
  if (judged->n == 0)
    return VERDICT_UNKNOWN;
  bool at_least = figure->target_kind == TARGET_RATIO_AT_LEAST;
  bool min_met = at_least ? judged->min >= figure->target : judged->min <= figure->target;
  bool max_met = at_least ? judged->max >= figure->target : judged->max <= figure->target;
  if (min_met != max_met)
    return VERDICT_UNCLEAR;
  return min_met ? VERDICT_MET : VERDICT_MISSED;
}

static bool row_of(const Samples *samples, const Figure *figure, Row *row) {
  bool known = false;

  *row = (Row){.figure = figure};
  for (Subject subject = 0; subject < N_SUBJECTS; subject++) {
    Summary *summary = &row->subjects[subject];
    *summary = summarise(samples_values(samples, figure->id, subject_name(subject)));
    if (summary->n == 0)
      summary->reason = samples_reason(samples, figure->id, subject_name(subject));
    known = known || summary->n > 0 || summary->reason;
  }
  row->ratio = ratios(samples_values(samples, figure->id, subject_name(SUBJECT_ERET)),
                      samples_values(samples, figure->id, subject_name(figure->reference)));
  row->verdict = judge(row);
  return known;
}

GArray *rows_new(const Samples *samples) {
  GArray *rows = g_array_new(FALSE, FALSE, sizeof(Row));

  for (guint i = 0; i < n_figures; i++) {
    Row row;
    if (row_of(samples, &figures[i], &row))
      g_array_append_val(rows, row);
  }
  return rows;
}

char *target_text(const Figure *figure) {
  switch (figure->target_kind) {
  case TARGET_AT_MOST:
    return g_strdup_printf("<= %g", figure->target);
  case TARGET_RATIO_AT_MOST:
    return g_strdup_printf("<= %.2f x", figure->target);
  case TARGET_RATIO_AT_LEAST:
    return g_strdup_printf(">= %.2f x", figure->target);
  case TARGET_NONE:
    break;
  }
  return g_strdup("");
}

const char *verdict_text(TargetVerdict verdict) {
  static const char *const texts[] = {[VERDICT_NONE] = "",
                                      [VERDICT_MET] = "met",
                                      [VERDICT_MISSED] = "missed",
                                      [VERDICT_UNCLEAR] = "unclear",
                                      [VERDICT_UNKNOWN] = "not measured"};
  return texts[verdict];
}
