/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TAP version 13 (testanything.org): its YAML blocks keep to the part of YAML that Perl's TAP::Parser reads. GitHub's
 * annotations are here too: the other report of one line a case. Pure functions, no lock.
 */
#include <string.h>

#include "vmm/suite/report-text.h"
#include "vmm/suite/report.h"

/* TEXT as a line, with a backslash before each of SPECIAL. */
static void append_line(GString *out, const char *text, const char *special) {
  g_autofree char *line = report_line(text);

  for (const char *c = line; *c; c++) {
    if (strchr(special, *c))
      g_string_append_c(out, '\\');
    g_string_append_c(out, *c);
  }
}

/* A description: '#' would begin a directive. */
static void append_description(GString *out, const char *text) {
  append_line(out, text, "#\\");
}

static void append_point(GString *out, const char *indent, ResultKind kind, unsigned number) {
  bool ok = kind == RESULT_PASSED || kind == RESULT_SKIPPED;

  g_string_append_printf(out, "%s%s %u - ", indent, ok ? "ok" : "not ok", number);
}

static void append_skip(GString *out, ResultKind kind, const char *reason) {
  g_autofree char *line = report_line(reason);

  if (kind == RESULT_SKIPPED)
    g_string_append_printf(out, " # SKIP%s%s", line ? " " : "", line ? line : "");
  g_string_append_c(out, '\n');
}

static void append_yaml_text(GString *out, const char *key, const char *text) {
  if (!text)
    return;
  g_string_append_printf(out, "  %s: \"", key);
  append_line(out, text, "\"\\");
  g_string_append(out, "\"\n");
}

/* A literal block: its first line tells the indentation, and so must not begin with a space. */
static void append_yaml_lines(GString *out, const char *key, const char *text) {
  g_autofree char *clean = report_lines(text);

  if (!clean || !*g_strchug(clean))
    return;
  g_auto(GStrv) lines = g_strsplit(clean, "\n", -1);
  g_string_append_printf(out, "  %s: |\n", key);
  for (unsigned i = 0; lines[i]; i++)
    g_string_append_printf(out, "    %s\n", lines[i]);
}

static void append_yaml(GString *out, const CaseResult *result) {
  g_string_append(out, "  ---\n");
  append_yaml_text(out, "message", result->message);
  append_yaml_text(out, "severity", result->kind == RESULT_ERROR ? "error" : "fail");
  append_yaml_text(out, "outcome", result->outcome);
  append_yaml_text(out, "expected", result->expected);
  g_string_append_printf(out, "  exit_status: %d\n  seconds: ", result->exit_status);
  report_seconds(out, result->seconds);
  g_string_append_c(out, '\n');
  append_yaml_text(out, "log", result->log);
  append_yaml_text(out, "fingerprint", result->fingerprint);
  append_yaml_lines(out, "details", result->details);
  g_string_append(out, "  ...\n");
}

static void append_subtest(GString *out, const CaseResult *result) {
  g_string_append_printf(out, "# Subtest: ");
  append_description(out, result->name);
  g_string_append_c(out, '\n');
  for (unsigned i = 0; i < result->sub->len; i++) {
    const SubResult *sub = g_ptr_array_index(result->sub, i);
    append_point(out, "    ", sub->kind, i + 1);
    append_description(out, sub->name);
    append_skip(out, sub->kind, sub->detail);
    g_autofree char *detail = sub->kind == RESULT_SKIPPED ? NULL : report_lines(sub->detail);
    g_auto(GStrv) lines = g_strsplit(detail ? detail : "", "\n", -1);
    for (unsigned j = 0; lines[j]; j++)
      g_string_append_printf(out, "    # %s\n", lines[j]);
  }
  g_string_append_printf(out, "    1..%u\n", result->sub->len);
}

void report_tap_plan(GString *out, unsigned count) {
  g_string_append_printf(out, "TAP version 13\n1..%u%s\n", count, count ? "" : " # SKIP no cases");
}

void report_tap_case(GString *out, unsigned number, const CaseResult *result) {
  if (result->sub->len)
    append_subtest(out, result);
  append_point(out, "", result->kind, number);
  append_description(out, result->suite);
  g_string_append_c(out, '/');
  append_description(out, result->name);
  if (result->attempt > 1)
    g_string_append_printf(out, " (attempt %u)", result->attempt);
  append_skip(out, result->kind, result->message);
  if (result->kind == RESULT_FAILED || result->kind == RESULT_ERROR)
    append_yaml(out, result);
}

void report_tap(GString *out, GPtrArray *results) {
  report_tap_plan(out, results->len);
  for (unsigned i = 0; i < results->len; i++)
    report_tap_case(out, i + 1, g_ptr_array_index(results, i));
}

/*
 * GitHub: docs, "Workflow commands"; a command is one line, so its line ends are escaped, and what ends a property in
 * that.
 */

static void append_escaped(GString *out, const char *text, bool property) {
  g_autofree char *clean = report_lines(text);

  for (const char *c = clean; c && *c; c++)
    if (strchr("%\r\n", *c) || (property && strchr(":,", *c)))
      g_string_append_printf(out, "%%%02X", (unsigned)*c);
    else
      g_string_append_c(out, *c);
}

static void append_annotation(GString *out, const CaseGroup *group) {
  const CaseResult *shown = group->shown;
  bool flaky = group->verdict == GROUP_FLAKY;
  g_autofree char *title = g_strconcat(shown->suite, "/", shown->name, NULL);

  g_string_append(out, flaky ? "::warning title=" : "::error title=");
  append_escaped(out, title, true);
  g_string_append(out, "::");
  if (flaky)
    g_string_append_printf(out, "flaky: passed %u of %u%s", group->count[RESULT_PASSED], case_group_ran(group), shown->message ? ": " : "");
  else if (!shown->message)
    g_string_append(out, "failed");
  append_escaped(out, shown->message, false);
  if (shown->log) {
    g_string_append(out, "%0Alog: ");
    append_escaped(out, shown->log, false);
  }
  if (shown->details) {
    g_string_append(out, "%0A");
    append_escaped(out, shown->details, false);
  }
  g_string_append_c(out, '\n');
}

void report_github(GString *out, GPtrArray *results) {
  g_autoptr(GPtrArray) groups = results_group(results);

  for (unsigned i = 0; i < groups->len; i++) {
    const CaseGroup *group = g_ptr_array_index(groups, i);
    if (group->verdict != GROUP_PASSED && group->verdict != GROUP_SKIPPED)
      append_annotation(out, group);
  }
}
