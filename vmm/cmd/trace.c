/* SPDX-License-Identifier: Apache-2.0 */
/* `eret trace`: what a recording of `eret run --record` says, as text or as files for other programs. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/trace/report.h"

typedef struct {
  const char *recording;
  bool summary, explain;
  char *chrome, *html, *symbols;
} Arguments;

static const Option options[] = {
    OPTION("summary", FLAG, Arguments, summary, NULL,
           "Switches by class, where the time went, what trapped most. This is what you get without options."),
    OPTION("explain", FLAG, Arguments, explain, NULL, "Each switch as a sentence."),
    OPTION("chrome", PATH, Arguments, chrome, "OUT.json", "Write Trace Event Format, for ui.perfetto.dev and chrome://tracing.",
           .written = true),
    OPTION("html", PATH, Arguments, html, "OUT.html", "Write one page that shows it all, for any browser.", .written = true),
    OPTION("symbols", PATH, Arguments, symbols, "FILE", "Name the guest's code: its kernel's System.map, or vmlinux with symbols."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

static char *explain_stray(const char *operand, const char **meant) {
  return g_strdup(": one recording at a time");
}

const OptionSet trace_option_set = {
    .command = "trace",
    .usage = "Usage: eret trace FILE [OPTION]...\n"
             "Show what a recording made by 'eret run --record FILE' says about the switches between guest and host.",
    .closing = "OUT may be - for standard output. Options may be combined.",
    .tables = {options},
    .operands_max = 1,
    .explain_stray = explain_stray,
};

/* What an option writes: a text, to standard output, or a file for other programs. */
static const struct {
  size_t offset;
  bool is_text;
  void (*report)(GString *out, const TraceSwitches *switches, const Symbols *symbols);
} reports[] = {
    {offsetof(Arguments, summary), true, trace_summary},
    {offsetof(Arguments, explain), true, trace_explain},
    {offsetof(Arguments, chrome), false, trace_chrome},
    {offsetof(Arguments, html), false, trace_html},
};
enum { N_REPORTS = G_N_ELEMENTS(reports) };

/* Where a report goes; NULL: nowhere. */
static const char *path_of(const Arguments *arguments, int report) {
  const void *field = (const char *)arguments + reports[report].offset;

  if (reports[report].is_text)
    return *(const bool *)field ? "-" : NULL;
  return *(char *const *)field;
}

/* Texts follow one another on standard output; a file for another program must be alone there. */
static void check_outputs(Arguments *arguments, OptionDraft *draft) {
  GString *mistakes = draft->mistakes;
  unsigned texts = 0, files = 0;
  bool any = false;

  for (int i = 0; i < N_REPORTS; i++) {
    bool is_stdout = output_file_is_stdout(path_of(arguments, i));
    any = any || path_of(arguments, i);
    texts += is_stdout && reports[i].is_text;
    files += is_stdout && !reports[i].is_text;
  }
  if (!any)
    arguments->summary = true;
  if (files > 1 || (files && texts))
    mistake(mistakes, "only one report can go to standard output when it is to be a file: give the other a name");
  if (!arguments->recording && !draft->operand_lost)
    mistake(mistakes, "which recording? eret trace FILE, a file that 'eret run --record FILE' made");
}

/* A kernel with KASLR runs elsewhere than it was linked: its HVC instructions tell where. */
static void place_symbols(Symbols *symbols, const TraceSwitches *switches, const char *path) {
  g_autoptr(GArray) pcs = g_array_new(FALSE, FALSE, sizeof(uint64_t));

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = &g_array_index(switches->switches, TraceSwitch, i);
    if (one->cause == SWITCH_TRAP && one->action == SWITCH_DOES_HYPERCALL && !one->smc)
      g_array_append_val(pcs, one->pc);
  }
  if (pcs->len && !symbols_find_slide(symbols, (const uint64_t *)(void *)pcs->data, pcs->len))
    complain_format("%s: the guest's HVC instructions do not say where its kernel lies; names are those of the addresses it was linked to",
                    path);
}

static bool open_outputs(const Arguments *arguments, OutputFile *outputs[N_REPORTS], GError **error) {
  for (int i = 0; i < N_REPORTS; i++) {
    if (!path_of(arguments, i))
      continue;
    outputs[i] = output_file_open(path_of(arguments, i), error);
    if (!outputs[i])
      return false;
  }
  return true;
}

static bool write_reports(const Arguments *arguments, OutputFile *outputs[N_REPORTS], const TraceSwitches *switches, const Symbols *symbols,
                          GError **error) {
  bool separate = false;

  for (int i = 0; i < N_REPORTS; i++) {
    bool is_stdout = output_file_is_stdout(path_of(arguments, i));
    g_autoptr(GString) text = g_string_new(separate && is_stdout ? "\n" : NULL);
    if (!outputs[i])
      continue;
    reports[i].report(text, switches, symbols);
    if (!output_file_write(outputs[i], text->str, text->len, error))
      return false;
    separate = separate || is_stdout;
  }
  return true;
}

static int show(const Arguments *arguments, OutputFile *outputs[N_REPORTS]) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Recording) recording = recording_load(arguments->recording, &error);
  g_autoptr(TraceSwitches) switches = recording ? trace_switches_new(recording) : NULL;
  g_autoptr(Symbols) symbols = recording && arguments->symbols ? symbols_load(arguments->symbols, &error) : NULL;

  if (error)
    return complain_of(error, EXIT_HOST);
  if (symbols)
    place_symbols(symbols, switches, arguments->symbols);
  return write_reports(arguments, outputs, switches, symbols, &error) ? EXIT_OK : complain_of(error, EXIT_HOST);
}

static int trace(const Arguments *arguments) {
  OutputFile *outputs[N_REPORTS] = {NULL};
  g_autoptr(GError) error = NULL;
  int status = open_outputs(arguments, outputs, &error) ? show(arguments, outputs) : complain_of(error, EXIT_HOST);

  for (int i = 0; i < N_REPORTS; i++)
    output_file_free(outputs[i]);
  return status;
}

/* Reports of one run do not overwrite what they are made of, nor each other. */
static void check_named_files(const Arguments *arguments, OptionDraft *draft) {
  g_autoptr(NamedFiles) named = named_files_new();

  named_files_read(named, "the recording", arguments->recording, draft->mistakes);
  option_name_files(draft, named);
}

int cmd_trace(int argc, char **argv) {
  Arguments arguments = {NULL};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&trace_option_set, records, argc, argv);
  int status;

  if (draft->operands->len)
    arguments.recording = g_ptr_array_index(draft->operands, 0);
  check_outputs(&arguments, draft);
  if (draft->mistakes->len == 0)
    check_named_files(&arguments, draft);
  if (!answer_options(draft, &status))
    status = trace(&arguments);
  option_record_clear(options, &arguments);
  return status;
}
