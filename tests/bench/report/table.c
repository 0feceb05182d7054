/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table on standard output. A time of an emulated host is shown as a multiple of the reference's median, never in
 * seconds.
 */
#include "tests/bench/report/report.h"

#define WIDE          100 /* from here on, a count is shown without decimals */
#define NS_PER_US     1e3
#define NS_PER_MS     1e6
#define NS_PER_SECOND 1e9

bool bench_is_absolute(const Samples *samples) {
  return g_strcmp0(samples_info(samples, "machine"), "real") == 0;
}

static char *number_text(double value) {
  if (value >= WIDE || value == (double)(gint64)value)
    return g_strdup_printf("%'.0f", value);
  return g_strdup_printf("%.2f", value);
}

static char *time_text(double ns) {
  if (ns < NS_PER_US)
    return g_strdup_printf("%.0f ns", ns);
  if (ns < NS_PER_MS)
    return g_strdup_printf("%.2f us", ns / NS_PER_US);
  if (ns < NS_PER_SECOND)
    return g_strdup_printf("%.2f ms", ns / NS_PER_MS);
  return g_strdup_printf("%.2f s", ns / NS_PER_SECOND);
}

/* VALUE as the figure is counted; relative to BASE where only that means something. */
static char *value_text(const Figure *figure, double value, double base, bool absolute) {
  if (figure->kind == FIGURE_COUNT || (absolute && figure->kind == FIGURE_RATE)) {
    g_autofree char *number = number_text(value);
    return g_strdup_printf("%s%s%s", number, *figure->unit ? " " : "", figure->unit);
  }
  if (absolute)
    return time_text(value);
  return base > 0 ? g_strdup_printf("%.2f x", value / base) : g_strdup("-");
}

/* The one that is neither eret nor QEMU. */
static Subject other_subject(const Row *row) {
  return row->figure->reference == SUBJECT_PACKED ? SUBJECT_PACKED : SUBJECT_MINIMAL;
}

static char *cell(const Row *row, Subject subject, bool absolute) {
  const Summary *summary = &row->subjects[subject];

  if (summary->n == 0)
    return g_strdup(summary->reason ? "none" : "");
  return value_text(row->figure, summary->median, row->subjects[row->figure->reference].median, absolute);
}

/* Of the ratio where that is what counts, else of eret's values. */
static char *spread(const Row *row) {
  bool ratio = row->figure->kind != FIGURE_COUNT;
  const Summary *summary = ratio ? &row->ratio : &row->subjects[SUBJECT_ERET];

  if (summary->n < 2)
    return g_strdup("");
  if (ratio)
    return g_strdup_printf("%.2f..%.2f x", summary->min, summary->max);
  g_autofree char *min = number_text(summary->min), *max = number_text(summary->max);
  return g_strdup_printf("%s..%s", min, max);
}

static void append_reasons(GString *out, const Row *row) {
  for (Subject subject = 0; subject < N_SUBJECTS; subject++)
    if (row->subjects[subject].n == 0 && row->subjects[subject].reason)
      g_string_append_printf(out, "      %s: %s\n", subject_title(subject), row->subjects[subject].reason);
}

/* What the value of a subject consists of, on one line. */
static void append_details(GString *out, const Samples *samples, const Row *row, Subject subject) {
  const GArray *details = samples_details(samples);
  g_autoptr(GString) line = g_string_new(NULL);

  for (guint i = 0; i < details->len; i++) {
    const Detail *detail = &g_array_index(details, Detail, i);
    if (g_str_equal(detail->figure, row->figure->id) && g_str_equal(detail->subject, subject_name(subject)))
      g_string_append_printf(line, "%s%s %g", line->len > 0 ? ", " : "", detail->name, detail->value);
  }
  if (line->len > 0)
    g_string_append_printf(out, "      %s: %s\n", subject_title(subject), line->str);
}

static void append_row(GString *out, const Samples *samples, const Row *row) {
  bool absolute = bench_is_absolute(samples);
  g_autofree char *eret = cell(row, SUBJECT_ERET, absolute), *qemu = cell(row, SUBJECT_QEMU, absolute),
                  *other = cell(row, other_subject(row), absolute), *range = spread(row), *target = target_text(row->figure),
                  *ratio = row->ratio.n > 0 ? g_strdup_printf("%.2f", row->ratio.median) : g_strdup("");
  const char *verdict = verdict_text(row->verdict);

  g_autofree char *line = g_strdup_printf("  %-48s %12s %12s %9s %7s %16s  %s%s%s", row->figure->title, eret, qemu, other, ratio, range,
                                          target, *verdict ? " " : "", verdict);
  g_string_append_printf(out, "%s\n", g_strchomp(line));
  append_reasons(out, row);
  for (Subject subject = 0; subject < N_SUBJECTS; subject++)
    append_details(out, samples, row, subject);
}

static void append_info(GString *out, const Samples *samples, const char *key, const char *title) {
  const char *value = samples_info(samples, key);
  if (value)
    g_string_append_printf(out, "%-14s%s\n", title, value);
}

char *bench_table(const Samples *samples, const GArray *rows) {
  GString *out = g_string_new(NULL);
  const char *group = "";

  append_info(out, samples, "machine", "host");
  append_info(out, samples, "host-kernel", "host kernel");
  append_info(out, samples, "guest-kernel", "guest kernel");
  append_info(out, samples, "eret", "eret");
  append_info(out, samples, "qemu", "QEMU");
  append_info(out, samples, "rounds", "rounds");
  append_info(out, samples, "guests", "idle guests");
  if (!bench_is_absolute(samples))
    g_string_append(
        out, "Times, which are instructions, and rates are multiples of the reference's: seconds of an emulated host say nothing.\n");
  g_string_append_printf(out, "\n  %-48s %12s %12s %9s %7s %16s  %s\n", "", "eret", "QEMU", "other", "ratio", "spread", "target");
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index(rows, Row, i);
    if (!g_str_equal(row->figure->group, group))
      g_string_append_printf(out, "%s\n", row->figure->group);
    group = row->figure->group;
    append_row(out, samples, row);
  }
  return g_string_free(out, FALSE);
}
