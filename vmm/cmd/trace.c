/* SPDX-License-Identifier: Apache-2.0 */
/* `eret trace`: what a recording of `eret run --record` says, as text or as files for other programs. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/named-files.h"
#include "vmm/base/nearest.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/config/config-option.h"
#include "vmm/trace/report.h"

static const char usage[] = "Usage: eret trace FILE [OPTION]...\n"
                            "Show what a recording made by 'eret run --record FILE' says about the switches between guest and host.\n\n"
                            "  --summary           Switches by class, where the time went, what trapped most. This is what you get\n"
                            "                      without options.\n"
                            "  --explain           Each switch as a sentence.\n"
                            "  --chrome OUT.json   Write Trace Event Format, for ui.perfetto.dev and chrome://tracing.\n"
                            "  --html OUT.html     Write one page that shows it all, for any browser.\n"
                            "  --symbols FILE      Name the guest's code: its kernel's System.map, or vmlinux with symbols.\n"
                            "  --help              This text.\n\n"
                            "OUT may be - for standard output. Options may be combined.\n";

/* What an option writes, and where: PATH NULL is standard output, a text. */
typedef struct {
  const char *name, *argument;
  void (*report)(GString *out, const TraceSwitches *switches, const Symbols *symbols);
} TraceOption;

static const TraceOption options[] = {
    {"summary", NULL, trace_summary}, {"explain", NULL, trace_explain}, {"chrome", "OUT.json", trace_chrome},
    {"html", "OUT.html", trace_html}, {"symbols", "FILE", NULL},
};
enum { N_OPTIONS = G_N_ELEMENTS(options), OPTION_SUMMARY = 0 };

typedef struct {
  const char *recording;
  bool given[N_OPTIONS];
  const char *values[N_OPTIONS];
  bool help;
  GString *mistakes; /* a line each */
} Arguments;

static int find_option(const char *name) {
  for (int i = 0; i < N_OPTIONS; i++)
    if (strcmp(options[i].name, name) == 0)
      return i;
  return -1;
}

static void unknown_option(Arguments *arguments, const char *flag) {
  const char *names[N_OPTIONS + 1] = {NULL};

  for (int i = 0; i < N_OPTIONS; i++)
    names[i] = options[i].name;
  const char *nearest = nearest_name(flag + strspn(flag, "-"), names);
  if (nearest)
    mistake(arguments->mistakes, "unknown option %s; did you mean --%s?", flag, nearest);
  else
    mistake(arguments->mistakes, "unknown option %s", flag);
}

/* The flag at ARGV[*I]; moves *I to its value. */
static void read_flag(Arguments *arguments, int argc, char **argv, int *i) {
  const char *equals = strchr(argv[*i], '=');
  g_autofree char *flag = equals ? g_strndup(argv[*i], equals - argv[*i]) : g_strdup(argv[*i]);
  int option = g_str_has_prefix(flag, "--") ? find_option(flag + strlen("--")) : -1;

  if (option < 0) {
    unknown_option(arguments, flag);
    return;
  }
  arguments->given[option] = true;
  if (!options[option].argument) {
    if (equals)
      mistake(arguments->mistakes, "%s: takes no value", flag);
    return;
  }
  if (equals)
    arguments->values[option] = equals + 1;
  else if (*i + 1 < argc && !g_str_has_prefix(argv[*i + 1], "--"))
    arguments->values[option] = argv[++*i];
  if (!arguments->values[option] || !*arguments->values[option])
    mistake(arguments->mistakes, "%s: needs a value: %s %s", flag, flag, options[option].argument);
}

static void read_arguments(Arguments *arguments, int argc, char **argv) {
  bool ended = false;

  for (int i = 0; i < argc; i++) {
    if (!ended && strcmp(argv[i], "--") == 0)
      ended = true;
    else if (!ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
      arguments->help = true;
    else if (!ended && argv[i][0] == '-')
      read_flag(arguments, argc, argv, &i);
    else if (arguments->recording)
      mistake(arguments->mistakes, "unexpected argument '%s': one recording at a time", argv[i]);
    else
      arguments->recording = argv[i];
  }
}

static bool is_stdout(const Arguments *arguments, int option) {
  if (!arguments->given[option] || !options[option].report)
    return false;
  return !options[option].argument || output_file_is_stdout(arguments->values[option]);
}

/* Texts follow one another on standard output; a file for another program must be alone there. */
static void check_outputs(Arguments *arguments) {
  unsigned texts = 0, files = 0;
  bool any = false;

  for (int i = 0; i < N_OPTIONS; i++) {
    any = any || (arguments->given[i] && options[i].report);
    texts += is_stdout(arguments, i) && !options[i].argument;
    files += is_stdout(arguments, i) && options[i].argument;
  }
  if (!any)
    arguments->given[OPTION_SUMMARY] = true;
  if (files > 1 || (files && texts))
    mistake(arguments->mistakes, "only one report can go to standard output when it is to be a file: give the other a name");
  if (!arguments->recording)
    mistake(arguments->mistakes, "which recording? eret trace FILE, a file that 'eret run --record FILE' made");
}

/* Reports of one run do not overwrite what they are made of, nor each other. */
static void check_named_files(Arguments *arguments) {
  g_autoptr(NamedFiles) named = named_files_new();

  named_files_read(named, "the recording", arguments->recording, arguments->mistakes);
  for (int i = 0; i < N_OPTIONS; i++) {
    g_autofree char *option = g_strconcat("--", options[i].name, NULL);
    if (options[i].report)
      named_files_write(named, option, arguments->values[i], arguments->mistakes);
    else
      named_files_read(named, option, arguments->values[i], arguments->mistakes);
  }
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

static bool open_outputs(const Arguments *arguments, OutputFile *outputs[N_OPTIONS], GError **error) {
  for (int i = 0; i < N_OPTIONS; i++) {
    if (!arguments->given[i] || !options[i].report)
      continue;
    outputs[i] = output_file_open(options[i].argument ? arguments->values[i] : "-", error);
    if (!outputs[i])
      return false;
  }
  return true;
}

static bool write_reports(const Arguments *arguments, OutputFile *outputs[N_OPTIONS], const TraceSwitches *switches, const Symbols *symbols,
                          GError **error) {
  bool separate = false;

  for (int i = 0; i < N_OPTIONS; i++) {
    g_autoptr(GString) text = g_string_new(separate && is_stdout(arguments, i) ? "\n" : NULL);
    if (!outputs[i])
      continue;
    options[i].report(text, switches, symbols);
    if (!output_file_write(outputs[i], text->str, text->len, error))
      return false;
    separate = separate || is_stdout(arguments, i);
  }
  return true;
}

static int show(const Arguments *arguments, OutputFile *outputs[N_OPTIONS]) {
  const char *symbols_path = arguments->values[find_option("symbols")];
  g_autoptr(GError) error = NULL;
  g_autoptr(Recording) recording = recording_load(arguments->recording, &error);
  g_autoptr(TraceSwitches) switches = recording ? trace_switches_new(recording) : NULL;
  g_autoptr(Symbols) symbols = recording && symbols_path ? symbols_load(symbols_path, &error) : NULL;

  if (error)
    return complain_of(error, EXIT_HOST);
  if (symbols)
    place_symbols(symbols, switches, symbols_path);
  return write_reports(arguments, outputs, switches, symbols, &error) ? EXIT_OK : complain_of(error, EXIT_HOST);
}

static int trace(const Arguments *arguments) {
  OutputFile *outputs[N_OPTIONS] = {NULL};
  g_autoptr(GError) error = NULL;
  int status = open_outputs(arguments, outputs, &error) ? show(arguments, outputs) : complain_of(error, EXIT_HOST);

  for (int i = 0; i < N_OPTIONS; i++)
    output_file_free(outputs[i]);
  return status;
}

int cmd_trace(int argc, char **argv) {
  g_autoptr(GString) mistakes = g_string_new(NULL);
  Arguments arguments = {.mistakes = mistakes};

  read_arguments(&arguments, argc, argv);
  if (arguments.help) {
    fputs(usage, stdout);
    return EXIT_OK;
  }
  check_outputs(&arguments);
  if (mistakes->len == 0)
    check_named_files(&arguments);
  if (mistakes->len) {
    complain_lines(mistakes->str);
    fputs("Try 'eret trace --help'.\n", stderr);
    return EXIT_USAGE;
  }
  return trace(&arguments);
}
