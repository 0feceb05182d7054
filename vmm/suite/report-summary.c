/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run for people: counts, then what needs a look, then where the time went. What the guest has written is
 * shown behind a bar, and without control characters. Pure functions, no lock.
 */
#include <string.h>

#include "vmm/suite/report-text.h"
#include "vmm/suite/report.h"

#define DETAIL_LINES    12 /* of a case's last lines */
#define SUB_RESULTS     10 /* failed ones of a case */
#define SLOWEST         5
#define SLOWEST_COLUMNS 48 /* of a case's name */

/* Counts. */

/*
 * From the first start to the last end, where that is known of all: cases may have run side by side. Else, and at most,
 * the sum of all.
 */
static double seconds_taken(GPtrArray *results) {
  double sum = 0, first = G_MAXDOUBLE, last = 0;
  bool known = true;

  for (unsigned i = 0; i < results->len; i++) {
    const CaseResult *result = g_ptr_array_index(results, i);
    if (result->seconds <= 0)
      continue;
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) started = result->started ? g_date_time_new_from_iso8601(result->started, utc) : NULL;
    double start = started ? (double)g_date_time_to_unix(started) + g_date_time_get_microsecond(started) / 1e6 : 0;
    known &= started != NULL;
    first = MIN(first, start);
    last = MAX(last, start + result->seconds);
    sum += result->seconds;
  }
  return known && last > first ? MIN(last - first, sum) : sum;
}

static void append_counts(GString *out, GPtrArray *groups, GPtrArray *results) {
  static const struct {
    GroupVerdict verdict;
    const char *word;
  } words[] = {
      {GROUP_PASSED, "passed"}, {GROUP_FAILED, "failed"}, {GROUP_ERROR, "in error"}, {GROUP_FLAKY, "flaky"}, {GROUP_SKIPPED, "skipped"}};
  unsigned counts[N_GROUP_VERDICTS] = {0};
  const char *before = "";

  for (unsigned i = 0; i < groups->len; i++)
    counts[((const CaseGroup *)g_ptr_array_index(groups, i))->verdict]++;
  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    if (!counts[words[i].verdict])
      continue;
    g_string_append_printf(out, "%s%u %s", before, counts[words[i].verdict], words[i].word);
    before = ", ";
  }
  if (groups->len == 0)
    g_string_append(out, "no cases");
  g_string_append_printf(out, " in %.1f s\n", seconds_taken(results));
}

/* Failures. */

static void append_details(GString *out, const char *details) {
  g_autofree char *text = report_lines(details);
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
  unsigned n = g_strv_length(lines);

  for (unsigned i = n > DETAIL_LINES ? n - DETAIL_LINES : 0; i < n; i++)
    g_string_append_printf(out, "     | %s\n", lines[i]);
}

static void append_failed_subs(GString *out, const CaseResult *result) {
  unsigned failed = 0;

  for (unsigned i = 0; i < result->sub->len; i++) {
    const SubResult *sub = g_ptr_array_index(result->sub, i);
    if ((sub->kind != RESULT_FAILED && sub->kind != RESULT_ERROR) || ++failed > SUB_RESULTS)
      continue;
    g_autofree char *name = report_line(sub->name);
    g_autofree char *detail = report_line(sub->detail);
    g_string_append_printf(out, "     not ok %s%s%s\n", name, detail ? ": " : "", detail ? detail : "");
  }
  if (failed > SUB_RESULTS)
    g_string_append_printf(out, "     and %u more\n", failed - SUB_RESULTS);
}

/* "failed: boot/panic: message (log: path)". */
static void append_head(GString *out, const CaseGroup *group) {
  static const char *const words[N_GROUP_VERDICTS] = {[GROUP_FAILED] = "failed", [GROUP_ERROR] = "error", [GROUP_FLAKY] = "flaky"};
  const CaseResult *shown = group->shown;
  g_autofree char *name = report_name(shown->suite, shown->name);
  g_autofree char *message = report_line(shown->message);
  g_autofree char *log = report_line(shown->log);

  g_string_append_printf(out, "%s: %s: ", words[group->verdict], name);
  if (group->attempts->len > 1)
    g_string_append_printf(out, "passed %u of %u: ", group->count[RESULT_PASSED], case_group_ran(group));
  if (message)
    g_string_append(out, message);
  else
    g_string_append_printf(out, "exit status %d%s%s", shown->exit_status, shown->expected ? ", expected: " : "",
                           shown->expected ? shown->expected : "");
  if (log)
    g_string_append_printf(out, " (log: %s)", log);
  g_string_append_c(out, '\n');
}

/* TRACES: fingerprint -> name of the first case that has it. The same trace is not shown again. */
static void append_failure(GString *out, const CaseGroup *group, GHashTable *traces) {
  const CaseResult *shown = group->shown;
  const char *same = shown->fingerprint ? g_hash_table_lookup(traces, shown->fingerprint) : NULL;

  append_head(out, group);
  append_failed_subs(out, shown);
  if (same) {
    g_string_append_printf(out, "     the same trace as %s\n", same);
    return;
  }
  if (shown->fingerprint) {
    g_autofree char *line = report_line(shown->fingerprint);
    g_string_append_printf(out, "     trace: %s\n", line);
    g_hash_table_insert(traces, shown->fingerprint, report_name(shown->suite, shown->name));
  }
  append_details(out, shown->details);
}

/* Calls APPEND for each of the texts that KEY has of GROUPS: with how many have it, and the first of them. */
static void append_alike(GString *out, GPtrArray *groups, const char *(*key)(const CaseGroup *group),
                         void (*append)(GString *out, const CaseResult *first, unsigned count, const char *line)) {
  g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);

  for (int pass = 0; pass < 2; pass++)
    for (unsigned i = 0; i < groups->len; i++) {
      const CaseGroup *group = g_ptr_array_index(groups, i);
      const char *text = key(group);
      unsigned count = text ? GPOINTER_TO_UINT(g_hash_table_lookup(counts, text)) : 0;
      if (text && pass == 0)
        g_hash_table_insert(counts, (gpointer)text, GUINT_TO_POINTER(count + 1));
      if (pass == 0 || count == 0)
        continue;
      g_autofree char *line = report_line(text);
      append(out, group->shown, count, line);
      g_hash_table_remove(counts, text); /* it has been told */
    }
}

static const char *trace_of(const CaseGroup *group) {
  return group->shown->fingerprint;
}

static void append_equal_traces(GString *out, const CaseResult *first, unsigned count, const char *trace) {
  if (count > 1)
    g_string_append_printf(out, "%u cases fail with the same trace: %s\n", count, trace);
}

static void append_failures(GString *out, GPtrArray *groups) {
  static const GroupVerdict order[] = {GROUP_FAILED, GROUP_ERROR, GROUP_FLAKY};
  g_autoptr(GHashTable) traces = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr(GPtrArray) failures = g_ptr_array_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(order); i++)
    for (unsigned j = 0; j < groups->len; j++) {
      CaseGroup *group = g_ptr_array_index(groups, j);
      if (group->verdict != order[i])
        continue;
      append_failure(out, group, traces);
      g_ptr_array_add(failures, group);
    }
  append_alike(out, failures, trace_of, append_equal_traces);
}

static const char *reason_of_skipped(const CaseGroup *group) {
  if (group->verdict != GROUP_SKIPPED)
    return NULL;
  return group->shown->message ? group->shown->message : "no reason is known";
}

/* "skipped: boot/a and 3 more: it requires ...": a line for each reason. */
static void append_skipped(GString *out, const CaseResult *first, unsigned count, const char *reason) {
  g_autofree char *name = report_name(first->suite, first->name);

  g_string_append_printf(out, "skipped: %s", name);
  if (count > 1)
    g_string_append_printf(out, " and %u more", count - 1);
  g_string_append_printf(out, ": %s\n", reason);
}

/* The slowest. */

static int compare_seconds(gconstpointer a, gconstpointer b) {
  const CaseResult *left = *(CaseResult *const *)a, *right = *(CaseResult *const *)b;

  return left->seconds > right->seconds ? -1 : left->seconds < right->seconds;
}

static void append_part(GString *out, int columns, double seconds) {
  if (seconds >= 0)
    g_string_append_printf(out, "%*.1f", columns, seconds);
  else
    g_string_append_printf(out, "%*s", columns, "-");
}

/* The slowest attempt of each case that ran. */
static GPtrArray *slowest_attempts(GPtrArray *groups) {
  GPtrArray *slowest = g_ptr_array_new();

  for (unsigned i = 0; i < groups->len; i++) {
    const CaseGroup *group = g_ptr_array_index(groups, i);
    CaseResult *chosen = g_ptr_array_index(group->attempts, 0);
    for (unsigned j = 1; j < group->attempts->len; j++) {
      CaseResult *result = g_ptr_array_index(group->attempts, j);
      chosen = result->seconds > chosen->seconds ? result : chosen;
    }
    if (chosen->seconds > 0)
      g_ptr_array_add(slowest, chosen);
  }
  g_ptr_array_sort(slowest, compare_seconds);
  return slowest;
}

static void append_slowest(GString *out, GPtrArray *groups) {
  g_autoptr(GPtrArray) slowest = slowest_attempts(groups);
  glong columns = (glong)strlen("slowest:");

  if (slowest->len < 2)
    return;
  g_ptr_array_set_size(slowest, (int)MIN(slowest->len, SLOWEST));
  for (unsigned i = 0; i < slowest->len; i++) {
    const CaseResult *result = g_ptr_array_index(slowest, i);
    g_autofree char *name = report_name(result->suite, result->name);
    columns = CLAMP(g_utf8_strlen(name, -1), columns, SLOWEST_COLUMNS);
  }
  g_string_append_printf(out, "%-*s    total   VMM  kernel  init  command\n", (int)columns + 2, "slowest:");
  for (unsigned i = 0; i < slowest->len; i++) {
    const CaseResult *result = g_ptr_array_index(slowest, i);
    g_autofree char *name = report_name(result->suite, result->name);
    int padding = (int)MAX(columns - g_utf8_strlen(name, -1), 0); /* printf counts bytes */
    g_string_append_printf(out, "  %s%*s  %5.1f s", name, padding, "", result->seconds);
    append_part(out, 6, result->vmm_seconds);
    append_part(out, 8, result->kernel_seconds);
    append_part(out, 6, result->init_seconds);
    append_part(out, 9, result->command_seconds);
    g_string_append_c(out, '\n');
  }
}

void report_summary(GString *out, GPtrArray *results) {
  g_autoptr(GPtrArray) groups = results_group(results);

  append_counts(out, groups, results);
  append_failures(out, groups);
  append_alike(out, groups, reason_of_skipped, append_skipped);
  append_slowest(out, groups);
}
