/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JUnit XML as CI servers read it: the form that Ant began and Jenkins wrote down; tests/suites-schema/junit.xsd. It
 * has no word for flaky: that is a property of the suite, and a line in the system-out of each attempt. Pure functions,
 * no lock.
 */
#include <string.h>

#include "vmm/suite/report-text.h"
#include "vmm/suite/report.h"

typedef struct {
  unsigned tests, failures, errors, skipped;
  double seconds;
} Counts;

static void append_attribute(GString *out, const char *name, const char *text) {
  g_autofree char *line = report_line(text);

  if (!line)
    return;
  g_autofree char *escaped = g_markup_escape_text(*line ? line : "?", -1); /* readers want names and types to be there */
  g_string_append_printf(out, " %s=\"%s\"", name, escaped);
}

static void append_text(GString *out, const char *text) {
  g_autofree char *lines = report_lines(text);

  if (!lines)
    return;
  g_autofree char *escaped = g_markup_escape_text(lines, -1);
  g_string_append(out, escaped);
}

/* Counting. */

static void count_kind(Counts *counts, ResultKind kind) {
  counts->tests++;
  counts->failures += kind == RESULT_FAILED;
  counts->errors += kind == RESULT_ERROR;
  counts->skipped += kind == RESULT_SKIPPED;
}

static void count(Counts *counts, const GPtrArray *groups) {
  for (unsigned i = 0; i < groups->len; i++) {
    const CaseGroup *group = g_ptr_array_index(groups, i);
    for (unsigned j = 0; j < group->attempts->len; j++) {
      const CaseResult *result = g_ptr_array_index(group->attempts, j);
      count_kind(counts, result->kind);
      counts->seconds += MAX(result->seconds, 0);
      for (unsigned k = 0; k < result->sub->len; k++)
        count_kind(counts, ((const SubResult *)g_ptr_array_index(result->sub, k))->kind);
    }
  }
}

static void append_counts(GString *out, const Counts *counts) {
  g_string_append_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"", counts->tests, counts->failures,
                         counts->errors, counts->skipped);
  report_seconds(out, counts->seconds);
  g_string_append_c(out, '"');
}

/* Test cases. */

static void begin_case(GString *out, const char *name, unsigned attempt, const char *class_name, double seconds) {
  g_autofree char *full = attempt > 1 ? g_strdup_printf("%s (attempt %u)", name, attempt) : g_strdup(name);

  g_string_append(out, "    <testcase");
  append_attribute(out, "name", full);
  append_attribute(out, "classname", class_name);
  g_string_append(out, " time=\"");
  report_seconds(out, seconds);
  g_string_append(out, "\">\n");
}

static void append_verdict(GString *out, ResultKind kind, const char *type, const char *message, const char *text) {
  static const char *const elements[N_RESULTS] = {[RESULT_FAILED] = "failure", [RESULT_SKIPPED] = "skipped", [RESULT_ERROR] = "error"};

  if (!elements[kind])
    return;
  g_string_append_printf(out, "      <%s", elements[kind]);
  append_attribute(out, "message", message);
  if (kind != RESULT_SKIPPED)
    append_attribute(out, "type", type && *type ? type : result_kind_name(kind));
  g_string_append_c(out, '>');
  append_text(out, text);
  g_string_append_printf(out, "</%s>\n", elements[kind]);
}

static void append_times(GString *text, const CaseResult *result) {
  const struct {
    const char *name;
    double seconds;
  } parts[] = {{"VMM", result->vmm_seconds},
               {"kernel", result->kernel_seconds},
               {"init", result->init_seconds},
               {"command", result->command_seconds}};
  const char *before = "seconds: ";

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
    if (parts[i].seconds < 0)
      continue;
    g_string_append_printf(text, "%s%s ", before, parts[i].name);
    report_seconds(text, parts[i].seconds);
    before = ", ";
  }
  if (before[0] == ',')
    g_string_append_c(text, '\n');
}

static void append_line(GString *text, const char *name, const char *value) {
  if (value)
    g_string_append_printf(text, "%s: %s\n", name, value);
}

/* "[[ATTACHMENT|path]]" is what Jenkins and GitLab make a link of. */
static void append_system_out(GString *out, const CaseGroup *group, const CaseResult *result) {
  g_autoptr(GString) text = g_string_new(NULL);

  if (group->verdict == GROUP_FLAKY)
    g_string_append_printf(text, "flaky: passed %u of %u\n", group->count[RESULT_PASSED], case_group_ran(group));
  append_line(text, "outcome", result->outcome);
  append_line(text, "expected", result->expected);
  append_line(text, "trace", result->fingerprint);
  append_times(text, result);
  for (unsigned i = 0; i < result->tags->len; i++)
    append_line(text, "tag", g_ptr_array_index(result->tags, i));
  append_line(text, "log", result->log);
  if (result->log)
    g_string_append_printf(text, "[[ATTACHMENT|%s]]\n", result->log);
  if (!text->len)
    return;
  g_string_append(out, "      <system-out>");
  append_text(out, text->str);
  g_string_append(out, "</system-out>\n");
}

static void append_case(GString *out, const CaseGroup *group, const CaseResult *result) {
  g_autofree char *class_name = g_strconcat(result->suite, ".", result->name, NULL);

  begin_case(out, result->name, result->attempt, result->suite, result->seconds);
  append_verdict(out, result->kind, result->outcome, result->message, result->kind == RESULT_SKIPPED ? NULL : result->details);
  append_system_out(out, group, result);
  g_string_append(out, "    </testcase>\n");
  for (unsigned i = 0; i < result->sub->len; i++) {
    const SubResult *sub = g_ptr_array_index(result->sub, i);
    begin_case(out, sub->name, result->attempt, class_name, 0);
    append_verdict(out, sub->kind, NULL, sub->detail, NULL);
    g_string_append(out, "    </testcase>\n");
  }
}

/* Suites. */

/* ISO 8601 without fraction and zone, as the strictest readers want it: "2025-01-31T12:00:00". */
static void append_timestamp(GString *out, const char *started) {
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) time = started ? g_date_time_new_from_iso8601(started, utc) : NULL;
  g_autoptr(GDateTime) in_utc = time ? g_date_time_to_utc(time) : NULL;
  g_autofree char *text = in_utc ? g_date_time_format(in_utc, "%Y-%m-%dT%H:%M:%S") : NULL;

  append_attribute(out, "timestamp", text);
}

static void append_properties(GString *out, const GPtrArray *groups) {
  bool any = false;

  for (unsigned i = 0; i < groups->len; i++) {
    const CaseGroup *group = g_ptr_array_index(groups, i);
    if (group->verdict != GROUP_FLAKY)
      continue;
    g_autofree char *name = g_strconcat("flaky:", group->shown->name, NULL);
    g_string_append_printf(out, "%s      <property", any ? "" : "    <properties>\n");
    append_attribute(out, "name", name);
    g_string_append_printf(out, " value=\"passed %u of %u\"/>\n", group->count[RESULT_PASSED], case_group_ran(group));
    any = true;
  }
  if (any)
    g_string_append(out, "    </properties>\n");
}

/* GROUPS: of one suite. */
static void append_suite(GString *out, const GPtrArray *groups) {
  const CaseGroup *group = g_ptr_array_index(groups, 0);
  const CaseResult *first = g_ptr_array_index(group->attempts, 0);
  Counts counts = {0};

  count(&counts, groups);
  g_string_append(out, "  <testsuite");
  append_attribute(out, "name", first->suite);
  append_counts(out, &counts);
  append_timestamp(out, first->started);
  g_string_append(out, ">\n");
  append_properties(out, groups);
  for (unsigned i = 0; i < groups->len; i++) {
    group = g_ptr_array_index(groups, i);
    for (unsigned j = 0; j < group->attempts->len; j++)
      append_case(out, group, g_ptr_array_index(group->attempts, j));
  }
  g_string_append(out, "  </testsuite>\n");
}

/* Of GPtrArray: GROUPS by suite, in the order of their first ones. */
static GPtrArray *split_suites(const GPtrArray *groups) {
  GPtrArray *suites = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

  for (unsigned i = 0; i < groups->len; i++) {
    CaseGroup *group = g_ptr_array_index(groups, i);
    GPtrArray *suite = g_hash_table_lookup(by_name, group->shown->suite);
    if (!suite) {
      suite = g_ptr_array_new();
      g_ptr_array_add(suites, suite);
      g_hash_table_insert(by_name, group->shown->suite, suite);
    }
    g_ptr_array_add(suite, group);
  }
  return suites;
}

void report_junit(GString *out, GPtrArray *results) {
  g_autoptr(GPtrArray) groups = results_group(results);
  g_autoptr(GPtrArray) suites = split_suites(groups);
  Counts all = {0};

  count(&all, groups);
  g_string_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
  append_counts(out, &all);
  g_string_append(out, ">\n");
  for (unsigned i = 0; i < suites->len; i++)
    append_suite(out, g_ptr_array_index(suites, i));
  g_string_append(out, "</testsuites>\n");
}
