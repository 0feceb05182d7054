/* SPDX-License-Identifier: Apache-2.0 */
/* Results written as JSON, read back, and merged: vmm/suite/report-json.c, report-merge.c. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/vmm/suite/report-fixture.h"

static char *write_file(const char *text) {
  char *path = NULL;
  int fd = g_file_open_tmp("eret-results-XXXXXX", &path, NULL);

  g_assert_cmpint(fd, >=, 0);
  g_assert_true(g_close(fd, NULL));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  return path;
}

static char *write_results(GPtrArray *results, unsigned shard, unsigned shards) {
  g_autoptr(GString) out = g_string_new(NULL);

  report_json(out, results, shard, shards);
  return write_file(out->str);
}

/* Written, read, and written again: the same. */
static void test_json_round(void) {
  static GPtrArray *(*const makers[])(void) = {sample, hostile, new_results};

  for (unsigned i = 0; i < G_N_ELEMENTS(makers); i++) {
    g_autoptr(GPtrArray) results = makers[i]();
    g_autoptr(GString) first = g_string_new(NULL);
    g_autoptr(GString) second = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    report_json(first, results, 2, 4);
    g_autofree char *path = write_file(first->str);
    g_autoptr(LoadedResults) loaded = results_load_json(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(loaded->shard, ==, 2);
    g_assert_cmpuint(loaded->shards, ==, 4);
    report_json(second, loaded->results, 2, 4);
    g_assert_cmpstr(first->str, ==, second->str);
    assert_printable(first->str);
    g_unlink(path);
  }
}

static void test_json_members(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autofree char *path = write_results(results, 1, 1);
  g_autoptr(LoadedResults) loaded = results_load_json(path, NULL);
  const CaseResult *console = g_ptr_array_index(loaded->results, 0), *panic = g_ptr_array_index(loaded->results, 1);

  g_assert_cmpuint(loaded->shards, ==, 1);
  g_assert_cmpfloat(console->kernel_seconds, ==, 6.1);
  g_assert_cmpfloat(panic->kernel_seconds, ==, -1);
  g_assert_cmpuint(console->cpus, ==, 4);
  g_assert_cmpstr(g_ptr_array_index(console->tags, 0), ==, "smoke");
  g_assert_cmpstr(panic->fingerprint, ==, "a < b < c");
  g_assert_cmpint(panic->exit_status, ==, 241);
  g_assert_cmpuint(((CaseResult *)g_ptr_array_index(loaded->results, 3))->attempt, ==, 2);
  g_assert_cmpuint(((CaseResult *)g_ptr_array_index(loaded->results, 4))->sub->len, ==, 3);
  g_unlink(path);
}

static const struct {
  const char *text, *message;
} bad_files[] = {
    {"[]", ": this is not a JSON object"},
    {"", ": "},
    {"{", "this is not JSON"},
    {"{\"version\":1,\"cases\":[]}x", ": this is not JSON: 1:25: the document ends here, and 'x' follows"},
    {"{\"version\":1,\"cases\":[],\"cases\":[]}", ": this is not JSON: 1:25: cases: given twice, first in line 1"},
    {"{\"version\":01,\"cases\":[]}", ": this is not JSON: 1:12: version: '01' is no number of JSON"},
    {"{\"version\":1,\"cases\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "nested too deeply for a result of eret test: 16 levels"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"attempt\":99999999999999999999}]}",
     "cases[0].attempt: 99999999999999999999 is out of range"},
    {"{}", ": version is missing"},
    {"{\"version\":2}", ": version is not 1"},
    {"{\"version\":\"1\"}", ": version must be a whole number"},
    {"{\"version\":1}", ": cases is missing"},
    {"{\"version\":1,\"cases\":{}}", ": cases must be an array"},
    {"{\"version\":1,\"cases\":[1]}", ": cases[0] must be an object"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\"}]}", ": cases[0]: name is missing"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"\"}]}", ": cases[0]: name is empty"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":[]}]}", ": cases[0]: name must be a string"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\"}]}", ": cases[0]: kind is missing"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"kind\":\"good\"}]}", ": cases[0]: kind must be passed, failed"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"seconds\":-1}]}", ": cases[0]: seconds must be a number of seconds"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"seconds\":1e999}]}", ": "},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"seconds\":true}]}", ": cases[0]: seconds must be a number"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"attempt\":0}]}", ": cases[0]: attempt is 0, and must be between 1"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"kind\":\"passed\",\"tags\":[7]}]}",
     ": cases[0]: tags[0] must be a string"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"kind\":\"skipped\",\"no_kvm\":1}]}",
     ": cases[0]: no_kvm must be true or false"},
    {"{\"version\":1,\"cases\":[{\"suite\":\"s\",\"name\":\"n\",\"kind\":\"passed\",\"sub\":[{}]}]}",
     ": cases[0]: sub[0]: name is missing"},
    {"{\"version\":1,\"cases\":[],\"shard\":3}", ": shard must be an object"},
    {"{\"version\":1,\"cases\":[],\"shard\":{\"index\":3,\"of\":2}}", ": shard: index is more than"},
    {"{\"version\":1,\"cases\":[],\"shard\":{\"index\":3}}", ": shard: of is missing"},
};

static void test_json_bad(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(bad_files); i++) {
    g_autofree char *path = write_file(bad_files[i].text);
    g_autoptr(GError) error = NULL;
    g_assert_null(results_load_json(path, &error));
    g_assert_error(error, REPORT_ERROR, REPORT_ERROR_INVALID);
    g_assert_true(g_str_has_prefix(error->message, path));
    if (!strstr(error->message, bad_files[i].message))
      g_error("%s: %s", bad_files[i].text, error->message);
    g_unlink(path);
  }
}

/* As many digits as it takes, and no more. */
static void test_json_fractions(void) {
  g_autoptr(GPtrArray) results = sample();
  g_autoptr(GString) out = g_string_new(NULL);

  report_json(out, results, 1, 1);
  g_assert_nonnull(strstr(out->str, "\"kernel_seconds\" : 6.1,"));
}

static void test_json_no_file(void) {
  g_autoptr(GError) error = NULL;

  g_assert_null(results_load_json("/nonexistent/results.json", &error));
  g_assert_error(error, REPORT_ERROR, REPORT_ERROR_FILE);
  g_assert_true(g_str_has_prefix(error->message, "/nonexistent/results.json: "));
}

/* Merging. */

static char *write_shard(const char *suite, const char *const *names, unsigned shard, unsigned shards) {
  g_autoptr(GPtrArray) results = new_results();

  for (unsigned i = 0; names[i]; i++)
    for (unsigned attempt = 1; attempt <= 2; attempt++)
      add(results, suite, names[i], RESULT_PASSED, NULL)->attempt = attempt;
  add(results, "a-suite", suite, RESULT_PASSED, NULL);
  return write_results(results, shard, shards);
}

/* IS_WHOLE: whether all shards are there. */
static char *merged_names(const char *const *files, char **warnings, bool is_whole) {
  g_autoptr(GError) error = NULL;
  bool whole = !is_whole;
  g_autoptr(GPtrArray) results = results_merge(files, warnings, &whole, &error);
  GString *names = g_string_new(NULL);

  g_assert_no_error(error);
  g_assert_true(whole == is_whole);
  for (unsigned i = 0; i < results->len; i++) {
    const CaseResult *result = g_ptr_array_index(results, i);
    g_string_append_printf(names, "%s/%s.%u ", result->suite, result->name, result->attempt);
  }
  return g_string_free(names, FALSE);
}

static void test_merge(void) {
  g_autofree char *one = write_shard("boot", (const char *const[]){"1", "4", NULL}, 1, 3);
  g_autofree char *two = write_shard("boot", (const char *const[]){"2", "5", NULL}, 2, 3);
  g_autofree char *three = write_shard("net", (const char *const[]){"3", NULL}, 3, 3);
  g_autofree char *warnings = NULL, *names = merged_names((const char *const[]){three, two, one, NULL}, &warnings, true);
  g_autofree char *again = NULL, *same = merged_names((const char *const[]){one, two, three, NULL}, &again, true);
  g_autofree char *told = g_strdup_printf("a-suite/boot, attempt 1: it is in %s and in %s; both results count", two, one);

  g_assert_cmpstr(names, ==,
                  "a-suite/boot.1 a-suite/boot.1 a-suite/net.1 boot/1.1 boot/1.2 boot/2.1 boot/2.2 boot/4.1 boot/4.2 boot/5.1 boot/5.2 "
                  "net/3.1 net/3.2 ");
  g_assert_cmpstr(names, ==, same);
  g_assert_cmpstr(warnings, ==, told);
  g_unlink(one);
  g_unlink(two);
  g_unlink(three);
}

/* However much is there twice, it is told in some lines. */
static void test_merge_many_twice(void) {
  g_autoptr(GPtrArray) results = new_results();
  g_autofree char *warnings = NULL;
  bool whole;

  for (unsigned i = 0; i < 1000; i++) {
    g_autofree char *name = g_strdup_printf("n%u", i);
    add(results, "s", name, RESULT_PASSED, NULL);
  }
  g_autofree char *path = write_results(results, 1, 1);
  g_autoptr(GPtrArray) merged = results_merge((const char *const[]){path, path, NULL}, &warnings, &whole, NULL);
  g_auto(GStrv) lines = g_strsplit(warnings, "\n", -1);
  g_assert_cmpuint(merged->len, ==, 2000);
  g_assert_cmpuint(g_strv_length(lines), ==, 21);
  g_assert_cmpstr(lines[20], ==, "and 980 more are there twice");
  g_unlink(path);
}

/* A case is known by suite and name, and not by how they look side by side. */
static void test_merge_alike(void) {
  g_autoptr(GPtrArray) results = new_results();
  g_autofree char *warnings = NULL;
  bool whole;

  add(results, "a/b", "c", RESULT_PASSED, NULL);
  add(results, "a", "b/c", RESULT_FAILED, "it failed");
  g_autofree char *path = write_results(results, 1, 1);
  g_autoptr(GPtrArray) merged = results_merge((const char *const[]){path, NULL}, &warnings, &whole, NULL);
  g_autoptr(GPtrArray) groups = results_group(merged);
  g_assert_null(warnings);
  g_assert_cmpuint(groups->len, ==, 2);
  g_assert_cmpint(((CaseGroup *)g_ptr_array_index(groups, 0))->verdict, ==, GROUP_FAILED);
  g_assert_cmpint(((CaseGroup *)g_ptr_array_index(groups, 1))->verdict, ==, GROUP_PASSED);
  g_assert_true(results_failed(merged, true));
  g_unlink(path);
}

static void test_merge_shards(void) {
  g_autofree char *one = write_shard("a", (const char *const[]){NULL}, 1, 4);
  g_autofree char *also_one = write_shard("b", (const char *const[]){NULL}, 1, 4);
  g_autofree char *other = write_shard("c", (const char *const[]){NULL}, 1, 2);
  g_autofree char *warnings = NULL, *missing = NULL, *alone = NULL;
  g_autofree char *names = merged_names((const char *const[]){one, other, NULL}, &warnings, false);
  g_autofree char *more = merged_names((const char *const[]){one, also_one, NULL}, &missing, false);

  g_assert_nonnull(strstr(warnings, "they are not of the same run"));
  g_assert_nonnull(strstr(missing, "are both shard 1 of 4\n3 of 4 shards are missing: 2, 3, 4; their cases are in no report"));
  g_autofree char *whole = write_shard("d", (const char *const[]){NULL}, 1, 1);
  g_autofree char *single = merged_names((const char *const[]){whole, NULL}, &alone, true);
  g_assert_null(alone);
  g_unlink(one);
  g_unlink(also_one);
  g_unlink(other);
  g_unlink(whole);
}

/* Nothing ran, and for want of KVM: that is still known when the results come together again. */
static void test_no_kvm(void) {
  static const struct {
    ResultKind kind;
    bool no_kvm;
    ResultKind other;
    bool wanted;
  } tries[] = {
      {RESULT_SKIPPED, true, RESULT_SKIPPED, true},
      {RESULT_SKIPPED, true, RESULT_PASSED, false},
      {RESULT_SKIPPED, true, RESULT_FAILED, false},
      {RESULT_SKIPPED, false, RESULT_SKIPPED, false},
  };
  g_autoptr(GPtrArray) none = new_results();

  for (unsigned i = 0; i < G_N_ELEMENTS(tries); i++) {
    g_autoptr(GPtrArray) first = new_results(), second = new_results();
    g_autofree char *warnings = NULL;
    bool whole;
    add(first, "s", "a", tries[i].kind, "cannot open /dev/kvm")->no_kvm = tries[i].no_kvm;
    add(second, "s", "b", tries[i].other, "it requires a file");
    g_autofree char *one = write_results(first, 1, 2);
    g_autofree char *two = write_results(second, 2, 2);
    g_autoptr(GPtrArray) merged = results_merge((const char *const[]){one, two, NULL}, &warnings, &whole, NULL);
    g_assert_true(results_lack_kvm(merged) == tries[i].wanted);
    g_unlink(one);
    g_unlink(two);
  }
  g_assert_false(results_lack_kvm(none));
}

static void test_merge_bad(void) {
  g_autofree char *bad = write_file("{}");
  g_autofree char *warnings = NULL;
  g_autoptr(GError) error = NULL;
  bool whole = true;

  g_assert_null(results_merge((const char *const[]){bad, "/nonexistent/b.json", NULL}, &warnings, &whole, &error));
  g_assert_error(error, REPORT_ERROR, REPORT_ERROR_INVALID);
  g_assert_nonnull(strstr(error->message, ": version is missing\n/nonexistent/b.json: "));
  g_assert_null(warnings);
  g_assert_false(whole);
  g_unlink(bad);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report/json/round", test_json_round);
  g_test_add_func("/report/json/members", test_json_members);
  g_test_add_func("/report/json/bad", test_json_bad);
  g_test_add_func("/report/json/fractions", test_json_fractions);
  g_test_add_func("/report/json/no-file", test_json_no_file);
  g_test_add_func("/report/merge", test_merge);
  g_test_add_func("/results/merge/many-twice", test_merge_many_twice);
  g_test_add_func("/results/merge/alike", test_merge_alike);
  g_test_add_func("/report/merge/shards", test_merge_shards);
  g_test_add_func("/report/merge/no-kvm", test_no_kvm);
  g_test_add_func("/report/merge/bad", test_merge_bad);
  return g_test_run();
}
