/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of samples: medians, ratios, verdicts, and the three forms in which they are shown. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/bench/report/report.h"

static const char *const canned = "info\tmachine\temulated (this machine is x86_64)\n"
                                  "info\trounds\t3\n"
                                  "sample\tboot.pl011.userspace\teret\t48\n"
                                  "sample\tboot.pl011.userspace\teret\t52\n"
                                  "sample\tboot.pl011.userspace\teret\t50\n"
                                  "sample\tboot.pl011.userspace\tqemu\t265\n"
                                  "sample\tboot.pl011.userspace\tqemu\t250\n"
                                  "sample\tboot.pl011.userspace\tqemu\t200\n"
                                  "detail\tboot.pl011.userspace\teret\tPL011\t30\n"
                                  "detail\tboot.pl011.userspace\teret\tPL031\t20\n"
                                  "sample\tboot.pl011.wall\teret\t8000000000\n"
                                  "sample\tboot.pl011.wall\tqemu\t10000000000\n"
                                  "sample\tblock.read.random.1.rate\teret\t150\n"
                                  "sample\tblock.read.random.1.rate\tqemu\t100\n"
                                  "none\ttrips.hvc\tqemu\tno <hypercall> & so on\n"
                                  "sample\ttrips.hvc\tminimal\t1000\n"
                                  "a stray line of somebody else\n";

static Samples *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  Samples *samples = samples_parse(text, &error);

  g_assert_no_error(error);
  return samples;
}

static const Row *find(const GArray *rows, const char *id) {
  for (guint i = 0; i < rows->len; i++)
    if (g_str_equal(g_array_index(rows, Row, i).figure->id, id))
      return &g_array_index(rows, Row, i);
  return NULL;
}

static void test_summary(void) {
  static const double odd[] = {5, 1, 9}, even[] = {4, 2, 8, 6};
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));

  g_assert_cmpuint(summarise(NULL).n, ==, 0);
  g_assert_cmpuint(summarise(values).n, ==, 0);
  g_array_append_vals(values, odd, G_N_ELEMENTS(odd));
  Summary summary = summarise(values);
  g_assert_cmpfloat(summary.median, ==, 5);
  g_assert_cmpfloat(summary.min, ==, 1);
  g_assert_cmpfloat(summary.max, ==, 9);
  g_array_set_size(values, 0);
  g_array_append_vals(values, even, G_N_ELEMENTS(even));
  g_assert_cmpfloat(summarise(values).median, ==, 5);
}

static void test_rows(void) {
  g_autoptr(Samples) samples = parse(canned);
  g_autoptr(GArray) rows = rows_new(samples);

  const Row *exits = find(rows, "boot.pl011.userspace");
  g_assert_nonnull(exits);
  g_assert_cmpfloat(exits->subjects[SUBJECT_ERET].median, ==, 50);
  g_assert_cmpfloat(exits->subjects[SUBJECT_QEMU].median, ==, 250);
  g_assert_cmpfloat_with_epsilon(exits->ratio.median, 52.0 / 250, 1e-9); /* round by round, not of the medians */
  g_assert_cmpint(exits->verdict, ==, VERDICT_MET);
  g_assert_cmpint(find(rows, "boot.pl011.wall")->verdict, ==, VERDICT_MISSED);
  g_assert_cmpint(find(rows, "block.read.random.1.rate")->verdict, ==, VERDICT_MET);

  const Row *hvc = find(rows, "trips.hvc");
  g_assert_cmpstr(hvc->subjects[SUBJECT_QEMU].reason, ==, "no <hypercall> & so on");
  g_assert_cmpint(hvc->verdict, ==, VERDICT_UNKNOWN);
  g_assert_cmpuint(hvc->ratio.n, ==, 0);
  g_assert_null(find(rows, "memory.private")); /* nobody has said anything about it */
}

/* Rounds of which one is on either side of the target. */
static void test_unclear(void) {
  g_autoptr(Samples) samples = parse("sample\ttrips.hvc\teret\t100\nsample\ttrips.hvc\teret\t130\n"
                                     "sample\ttrips.hvc\tminimal\t100\nsample\ttrips.hvc\tminimal\t100\n");
  g_autoptr(GArray) rows = rows_new(samples);

  g_assert_cmpint(find(rows, "trips.hvc")->verdict, ==, VERDICT_UNCLEAR);
}

static void test_table(void) {
  g_autoptr(Samples) samples = parse(canned);
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *table = bench_table(samples, rows);

  g_assert_nonnull(strstr(table, "<= 60 met"));
  g_assert_nonnull(strstr(table, "48..52"));
  g_assert_nonnull(strstr(table, "eret: PL011 30, PL031 20"));
  g_assert_nonnull(strstr(table, "<= 0.70 x missed"));
  g_assert_nonnull(strstr(table, "0.80 x"));
  g_assert_nonnull(strstr(table, "QEMU: no <hypercall> & so on"));
  g_assert_null(strstr(table, "8.00 s")); /* of an emulated host */
  g_assert_null(strstr(table, "stray"));
}

static void test_table_of_a_real_host(void) {
  g_autofree char *text = g_strconcat("info\tmachine\treal\n", strchr(canned, '\n') + 1, NULL);
  g_autoptr(Samples) samples = parse(text);
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *table = bench_table(samples, rows);

  g_assert_nonnull(strstr(table, "8.00 s"));
  g_assert_nonnull(strstr(table, "1.00 us"));
}

/* One that is compared with neither QEMU nor the minimal loop. */
static void test_packed(void) {
  g_autoptr(Samples) samples = parse("sample\troot.memory\teret\t1000\nsample\troot.memory\tpacked\t5000\n"
                                     "sample\troot.time\teret\t300\nsample\troot.time\tpacked\t1000\n");
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *table = bench_table(samples, rows);

  g_assert_cmpint(find(rows, "root.memory")->verdict, ==, VERDICT_MET);
  g_assert_cmpint(find(rows, "root.time")->verdict, ==, VERDICT_MISSED);
  g_assert_nonnull(strstr(table, "1000 KiB"));
  g_assert_nonnull(strstr(table, "5000 KiB"));
  g_assert_nonnull(strstr(table, "0.30 x"));
}

static void test_json(void) {
  g_autoptr(Samples) samples = parse(canned);
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *text = bench_json(samples, rows);
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) root = json_from_string(text, &error);

  g_assert_no_error(error);
  JsonObject *object = json_node_get_object(root);
  g_assert_false(json_object_get_boolean_member(object, "absolute"));
  g_assert_cmpstr(json_object_get_string_member(json_object_get_object_member(object, "info"), "rounds"), ==, "3");
  JsonObject *first = json_array_get_object_element(json_object_get_array_member(object, "figures"), 0);
  g_assert_cmpstr(json_object_get_string_member(first, "id"), ==, "boot.pl011.userspace");
  g_assert_cmpstr(json_object_get_string_member(first, "verdict"), ==, "met");
  JsonObject *eret = json_object_get_object_member(first, "eret");
  g_assert_cmpfloat(json_object_get_double_member(eret, "median"), ==, 50);
  g_assert_cmpuint(json_array_get_length(json_object_get_array_member(eret, "values")), ==, 3);
  g_assert_cmpuint(json_array_get_length(json_object_get_array_member(object, "details")), ==, 2);
}

static void note_text(GMarkupParseContext *context, const char *text, gsize size, gpointer data, GError **error) {
  g_string_append_len(data, text, (gssize)size);
}

static void test_chart(void) {
  static const GMarkupParser parser = {.text = note_text};
  g_autoptr(Samples) samples = parse(canned);
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *chart = bench_chart(samples, rows);
  g_autoptr(GString) shown = g_string_new(NULL);
  g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, shown, NULL);
  g_autoptr(GError) error = NULL;

  g_markup_parse_context_parse(context, chart, -1, &error);
  g_assert_no_error(error);
  g_markup_parse_context_end_parse(context, &error);
  g_assert_no_error(error);
  g_assert_nonnull(strstr(shown->str, "exits to userspace"));
  g_assert_nonnull(strstr(shown->str, "0.80 of QEMU, missed"));
}

static void test_refused(void) {
  static const char *const bad[] = {"sample\tfigure\teret\n", "sample\tfigure\teret\tmany\n", "info\tkey\n", "detail\ta\tb\tc\tnan\n"};

  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strconcat("info\tmachine\treal\n", bad[i], NULL);
    g_assert_null(samples_parse(text, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
    g_assert_nonnull(strstr(error->message, "line 2 "));
  }
}

static void test_figures(void) {
  for (guint i = 0; i < n_figures; i++)
    for (guint j = 0; j < i; j++)
      g_assert_cmpstr(figures[i].id, !=, figures[j].id);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/bench/summary", test_summary);
  g_test_add_func("/bench/rows", test_rows);
  g_test_add_func("/bench/unclear", test_unclear);
  g_test_add_func("/bench/table", test_table);
  g_test_add_func("/bench/table-of-a-real-host", test_table_of_a_real_host);
  g_test_add_func("/bench/packed", test_packed);
  g_test_add_func("/bench/json", test_json);
  g_test_add_func("/bench/chart", test_chart);
  g_test_add_func("/bench/refused", test_refused);
  g_test_add_func("/bench/figures", test_figures);
  return g_test_run();
}
