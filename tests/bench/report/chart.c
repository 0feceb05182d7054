/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run as an SVG image: for each figure that has a ratio, a bar from 1 (the reference) to eret's, on a logarithmic
 * scale, coloured by whether that is better or worse, with the target as a tick. No script, no fonts but the viewer's
 * own, and colours that both a white and a black page bear.
 */
#include <math.h>

#include "tests/bench/report/report.h"

#define WIDTH        920
#define LEFT         330 /* of the scale */
#define RIGHT        720 /* the numbers stand beyond */
#define TOP          56
#define ROW_HEIGHT   20
#define GROUP_SPACE  8
#define GROUP_HEIGHT 22
#define BAR_HEIGHT   12
#define FOOT         30
#define TEXT_DOWN    10 /* from the top of a bar to the base line of its text */

/* The scale: from a hundredth to ten times the reference. */
#define SCALE_MIN (-2.0)
#define SCALE_MAX 1.0

static const char *const style = "text{font:12px sans-serif;fill:#777}.g{font-weight:bold}.s{stroke:#999;stroke-opacity:.4}"
                                 ".better{fill:#2a9d5c}.worse{fill:#d0553f}.t{stroke:#777;stroke-width:2}";

static double place(double ratio) {
  double log_ratio = ratio > 0 ? log10(ratio) : SCALE_MIN;
  return LEFT + (CLAMP(log_ratio, SCALE_MIN, SCALE_MAX) - SCALE_MIN) / (SCALE_MAX - SCALE_MIN) * (RIGHT - LEFT);
}

static void append_text(GString *out, double x, double y, const char *attributes, const char *text) {
  g_autofree char *escaped = g_markup_escape_text(text, -1);
  g_string_append_printf(out, "<text x=\"%.0f\" y=\"%.0f\"%s>%s</text>\n", x, y, attributes, escaped);
}

static void append_line(GString *out, const char *class, double x, double top, double bottom) {
  g_string_append_printf(out, "<path class=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n", class, x, top, bottom);
}

static void append_row(GString *out, const Row *row, int y) {
  const Figure *figure = row->figure;
  double one = place(1), end = place(row->ratio.median);
  bool better = figure->kind == FIGURE_RATE ? row->ratio.median >= 1 : row->ratio.median <= 1;

  g_string_append_printf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", better ? "better" : "worse",
                         MIN(one, end), y, MAX(fabs(end - one), 1), BAR_HEIGHT);
  if (figure->target_kind == TARGET_RATIO_AT_MOST || figure->target_kind == TARGET_RATIO_AT_LEAST)
    append_line(out, "t", place(figure->target), y - 2, y + BAR_HEIGHT + 2);
  append_text(out, LEFT - 8, y + TEXT_DOWN, " text-anchor=\"end\"", figure->title);
  g_autofree char *number = g_strdup_printf("%.2f of %s%s%s", row->ratio.median, subject_title(figure->reference),
                                            row->verdict == VERDICT_NONE ? "" : ", ", verdict_text(row->verdict));
  append_text(out, RIGHT + 8, y + TEXT_DOWN, "", number);
}

static void append_scale(GString *out, int bottom) {
  for (int power = (int)SCALE_MIN; power <= (int)SCALE_MAX; power++) {
    double ratio = pow(10, power);
    g_autofree char *label = g_strdup_printf("%g", ratio);
    append_line(out, "s", place(ratio), TOP - 14, bottom);
    append_text(out, place(ratio), TOP - 18, " text-anchor=\"middle\"", label);
  }
}

char *bench_chart(const Samples *samples, const GArray *rows) {
  g_autoptr(GString) body = g_string_new(NULL);
  const char *group = "";
  int y = TOP;

  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index(rows, Row, i);
    if (row->ratio.n == 0)
      continue;
    if (!g_str_equal(row->figure->group, group)) {
      y += GROUP_SPACE;
      append_text(body, 8, y + TEXT_DOWN, " class=\"g\"", row->figure->group);
      y += GROUP_HEIGHT;
      group = row->figure->group;
    }
    append_row(body, row, y);
    y += ROW_HEIGHT;
  }
  append_scale(body, y);

  const char *machine = samples_info(samples, "machine"), *rounds = samples_info(samples, "rounds");
  g_autofree char *foot = g_strdup_printf("Logarithmic; 1 is the reference, tick: target. Host: %s. Median of %s rounds.",
                                          machine ? machine : "unknown", rounds ? rounds : "unknown");
  append_text(body, 8, y + FOOT - 8, "", foot);
  append_text(body, 8, 20, " class=\"g\"",
              "eret in relation to QEMU, to the minimal loop, and to a packed root: green is better, red is worse");
  return g_strdup_printf(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n<style>%s</style>\n%s</svg>\n", WIDTH,
      y + FOOT, WIDTH, y + FOOT, style, body->str);
}
