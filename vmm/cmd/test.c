/* SPDX-License-Identifier: Apache-2.0 */
/* `eret test`: suites in, results out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/printable.h"
#include "vmm/base/mistakes.h"
#include "vmm/base/named-files.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/test-progress.h"
#include "vmm/machine/machine.h"
#include "vmm/suite/options.h"
#include "vmm/suite/report.h"
#include "vmm/suite/runner.h"
#include "vmm/suite/suite-file.h"

static const char empty_shard[] = "this shard is empty: there are more shards than cases";

/* Reports. */

enum { JUNIT, JSON, N_FILES };
static const char *const file_options[N_FILES] = {"--junit", "--json"};

typedef struct {
  const TestOptions *options;
  OutputFile *files[N_FILES]; /* or NULL */
  Progress *progress;
  unsigned number; /* of the last TAP line */
} Output;

static void print(const GString *text, FILE *to) {
  fwrite(text->str, 1, text->len, to);
  fflush(to);
}

static void tell_result(Output *output, const CaseResult *result) {
  if (!output->options->tap)
    return;
  g_autoptr(GString) text = g_string_new(NULL);
  report_tap_case(text, ++output->number, result);
  progress_clear(output->progress);
  print(text, stdout);
}

/* No report is written over what is read, NAMED or ours, nor over a suite that *.ini has put behind an option. */
static bool check_files(const TestOptions *options, NamedFiles *named) {
  const char *const paths[N_FILES] = {options->junit, options->json};
  g_autoptr(GString) mistakes = g_string_new(NULL);

  for (unsigned i = 0; i + 1 < options->files->len; i++)
    named_files_read(named, options->merge ? "a result to merge" : "a suite", g_ptr_array_index(options->files, i), mistakes);
  for (unsigned i = 0; i < N_FILES; i++) {
    gsize before = mistakes->len;
    named_files_write(named, file_options[i], paths[i], mistakes);
    if (mistakes->len == before && paths[i] && suite_file_is_one(paths[i]))
      mistake(mistakes, "%s: '%s' is a suite, which would be overwritten: name the file of the report first", file_options[i], paths[i]);
  }
  if (mistakes->len)
    complain_lines(mistakes->str);
  return mistakes->len == 0;
}

/* Before anything runs. */
static bool open_output(Output *output) {
  const char *const paths[N_FILES] = {output->options->junit, output->options->json};
  bool ok = true;

  for (unsigned i = 0; i < N_FILES; i++) {
    g_autoptr(GError) error = NULL;
    output->files[i] = paths[i] ? output_file_open(paths[i], &error) : NULL;
    if (error)
      complain_format("%s: %s", file_options[i], error->message);
    ok &= !error;
  }
  return ok;
}

static void close_output(Output *output) {
  for (unsigned i = 0; i < N_FILES; i++)
    output_file_free(output->files[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Output, close_output)

/* For people, unless something that programs read goes there. */
static FILE *summary_stream(const TestOptions *options) {
  bool taken = options->tap || output_file_is_stdout(options->junit) || output_file_is_stdout(options->json);

  return taken ? stderr : stdout;
}

static bool write_file(const Output *output, unsigned file, GString *text) {
  g_autoptr(GError) error = NULL;
  bool ok = output_file_write(output->files[file], text->str, text->len, &error);

  if (!ok)
    complain_format("%s: %s", file_options[file], error->message);
  g_string_truncate(text, 0);
  return ok;
}

/* Files first: the summary is what a reader sees last. */
static bool report(const Output *output, GPtrArray *results) {
  const TestOptions *options = output->options;
  g_autoptr(GString) text = g_string_new(NULL);
  bool ok = true;

  if (output->files[JUNIT]) {
    report_junit(text, results);
    ok &= write_file(output, JUNIT, text);
  }
  if (output->files[JSON]) {
    report_json(text, results, options->shard.index, options->shard.n);
    ok &= write_file(output, JSON, text);
  }
  if (options->github)
    report_github(text, results);
  report_summary(text, results);
  print(text, summary_stream(options));
  return ok;
}

/* Running. */

static void on_started(void *opaque, const SuiteCase *suite_case, unsigned attempt) {
  progress_started(((Output *)opaque)->progress, suite_case, attempt);
}

static void on_finished(void *opaque, const CaseResult *result) {
  Output *output = opaque;

  tell_result(output, result);
  progress_finished(output->progress, result);
}

/* Nothing can run here: every case says so. */
static GPtrArray *skip_all(GPtrArray *cases, Output *output, const char *why) {
  GPtrArray *results = g_ptr_array_new_with_free_func(case_result_free);

  for (unsigned i = 0; i < cases->len; i++) {
    const SuiteCase *suite_case = g_ptr_array_index(cases, i);
    CaseResult *result = case_result_new(suite_case->suite, suite_case->name);
    case_result_set(result, output->options->require_kvm ? RESULT_ERROR : RESULT_SKIPPED, g_strdup(why));
    result->no_kvm = result->kind == RESULT_SKIPPED;
    g_ptr_array_add(results, result);
    on_finished(output, result);
  }
  return results;
}

/* Of a run, and of several that were merged. */
static int exit_status(GPtrArray *results, const TestOptions *options, bool whole) {
  if (results_failed(results, options->allow_flaky) || !whole)
    return EXIT_FAILED;
  return results_lack_kvm(results) ? EXIT_NO_KVM : EXIT_OK;
}

static int run_cases(GPtrArray *cases, Output *output) {
  const TestOptions *options = output->options;
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  g_autoptr(GError) no_kvm = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) results = NULL;
  bool interrupted = false;
  const RunnerOptions runner = {
      .eret = self ? self : "eret",
      .logs = options->logs,
      .jobs = options->jobs,
      .repeat = options->repeat,
      .fail_fast = options->fail_fast,
      .started = on_started,
      .finished = on_finished,
      .opaque = output,
  };

  if (machine_can_run(&no_kvm))
    results = runner_run(cases, &runner, &interrupted, &error);
  else
    results = skip_all(cases, output, no_kvm->message);
  g_clear_pointer(&output->progress, progress_free);
  if (error)
    return complain_of(error, EXIT_HOST);
  bool reported = report(output, results);
  if (interrupted)
    return EXIT_STOPPED;
  return exit_status(results, options, reported);
}

static int list(GPtrArray *cases) {
  if (cases->len == 0)
    complain(empty_shard);
  for (unsigned i = 0; i < cases->len; i++) {
    const SuiteCase *suite_case = g_ptr_array_index(cases, i);
    g_autofree char *name = suite_case_full_name(suite_case), *line = printable_line_escaped(name, -1);
    puts(line);
  }
  return EXIT_OK;
}

static int test(const TestOptions *options) {
  g_autoptr(GError) error = NULL;
  g_autoptr(NamedFiles) named = named_files_new();
  g_autoptr(GPtrArray) cases = suite_load((const char *const *)options->files->pdata, options->defines, named, &error);
  g_autoptr(GPtrArray) chosen =
      cases ? suite_select(cases, options->filter, options->tags, options->skip_tags, options->shard.index, options->shard.n, &error)
            : NULL;
  g_auto(Output) output = {.options = options};

  if (!chosen)
    return complain_of(error, EXIT_USAGE);
  if (options->list)
    return list(chosen);
  if (!check_files(options, named))
    return EXIT_USAGE;
  if (chosen->len == 0)
    complain(empty_shard);
  if (!open_output(&output))
    return EXIT_HOST;
  if (options->tap) {
    g_autoptr(GString) text = g_string_new(NULL);
    report_tap_plan(text, chosen->len * options->repeat);
    print(text, stdout);
  }
  output.progress = progress_new(chosen->len * options->repeat, summary_stream(options) == stdout);
  return run_cases(chosen, &output);
}

static int merge(const TestOptions *options) {
  g_autoptr(GError) error = NULL;
  g_autofree char *warnings = NULL;
  bool whole;
  g_autoptr(NamedFiles) named = named_files_new();
  g_autoptr(GPtrArray) results = results_merge((const char *const *)options->files->pdata, &warnings, &whole, &error);
  g_auto(Output) output = {.options = options};

  if (!results) {
    complain_lines(error->message);
    return EXIT_USAGE;
  }
  if (!check_files(options, named))
    return EXIT_USAGE;
  if (results->len == 0) {
    complain("there is no result in what is to be merged");
    return EXIT_USAGE;
  }
  if (!open_output(&output))
    return EXIT_HOST;
  if (warnings)
    complain_lines(warnings);
  if (options->tap) {
    g_autoptr(GString) text = g_string_new(NULL);
    report_tap(text, results);
    print(text, stdout);
  }
  return exit_status(results, options, report(&output, results) && whole);
}

int cmd_test(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(TestOptions) options = test_options_parse(argc, argv, &error);

  if (!options || options->help)
    return answer(argc > 0 && strcmp(argv[0], "merge") == 0 ? &test_merge_option_set : &test_option_set, error);
  return options->merge ? merge(options) : test(options);
}
