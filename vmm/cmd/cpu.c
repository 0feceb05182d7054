/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret cpu`: what the host's CPU offers to guests, as a template for --cpu-template, and how two such templates
 * differ.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/config/config.h"
#include "vmm/machine/cpu-host.h"
#include "vmm/machine/machine.h"

typedef struct {
  char *output, *common; /* to be written, or NULL */
  const char *paths[2];  /* to be compared */
} Arguments;

static const Option dump_options[] = {
    OPTION("output", PATH, Arguments, output, "FILE", "Write to FILE (default: standard output).", .letter = 'o', .written = true),
    {.name = NULL},
};

static const Option diff_options[] = {
    OPTION("common", PATH, Arguments, common, "OUT.json",
           "Write the template that guests on both can have: the smaller of the two values of each field.", .written = true),
    OPTION_HELP_ROW,
    {.name = NULL},
};

static char *explain_stray(const char *operand, const char **meant) {
  return g_strdup("; a file to write is -o FILE");
}

const OptionSet cpu_dump_option_set = {
    .command = "cpu dump",
    .usage = "Usage: eret cpu dump [OPTION]...\n"
             "Write the ID registers that guests see on this host, as a template for 'eret run --cpu-template'.",
    .tables = {dump_options, config_cpu_options},
    .explain_stray = explain_stray,
};

const OptionSet cpu_diff_option_set = {
    .command = "cpu diff",
    .usage = "Usage: eret cpu diff A.json B.json [OPTION]...\n"
             "Show in which fields two templates differ.",
    .tables = {diff_options},
    .operands_max = 2,
};

static int write_template(const CpuTemplate *template, OutputFile *file) {
  g_autofree char *text = cpu_template_print(template);
  g_autoptr(GError) error = NULL;

  return output_file_write(file, text, strlen(text), &error) ? EXIT_OK : complain_of(error, EXIT_HOST);
}

static int dump(const Config *config, const Arguments *arguments) {
  g_autoptr(GError) error = NULL;
  g_autoptr(OutputFile) file = output_file_open(arguments->output ? arguments->output : "-", &error);

  if (!file)
    return complain_of(error, EXIT_HOST);
  g_autoptr(CpuTemplate) template = cpu_host_read(config, &error);
  if (!template)
    return complain_of(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM) ? EXIT_NO_KVM : EXIT_HOST);
  return write_template(template, file);
}

/* The CPU is that of a machine that stays a plan. */
static int cmd_cpu_dump(int argc, char **argv) {
  Arguments arguments = {NULL};
  g_autoptr(Config) config = config_new();
  void *const records[] = {&arguments, config};
  g_autoptr(OptionDraft) draft = option_read(&cpu_dump_option_set, records, argc, argv);
  int status;

  config->dry_run = true;
  config_check(draft, config);
  if (!answer_options(draft, &status))
    status = dump(config, &arguments);
  option_record_clear(dump_options, &arguments);
  return status;
}

static int diff(const Arguments *arguments) {
  g_autoptr(GError) error = NULL, a_error = NULL, b_error = NULL;
  g_autoptr(OutputFile) file = arguments->common ? output_file_open(arguments->common, &error) : NULL;
  g_autoptr(CpuTemplate) a = cpu_template_load(arguments->paths[0], &a_error);
  g_autoptr(CpuTemplate) b = cpu_template_load(arguments->paths[1], &b_error);

  if (error)
    complain_of(error, EXIT_HOST);
  if (a_error)
    complain_of(a_error, EXIT_HOST);
  if (b_error)
    complain_of(b_error, EXIT_HOST);
  if (error || !a || !b)
    return EXIT_HOST;
  g_autofree char *text = cpu_template_diff(a, b);
  fputs(text, output_file_is_stdout(arguments->common) ? stderr : stdout);
  if (!file)
    return EXIT_OK;
  g_autoptr(CpuTemplate) common = cpu_template_common(a, b);
  return write_template(common, file);
}

/* Neither template is overwritten with what is made of it. */
static void check_named_files(const Arguments *arguments, OptionDraft *draft) {
  g_autoptr(NamedFiles) named = named_files_new();

  named_files_read(named, "the first template", arguments->paths[0], draft->mistakes);
  named_files_read(named, "the second template", arguments->paths[1], draft->mistakes);
  option_name_files(draft, named);
}

static int cmd_cpu_diff(int argc, char **argv) {
  Arguments arguments = {NULL};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&cpu_diff_option_set, records, argc, argv);
  int status;

  for (unsigned i = 0; i < draft->operands->len; i++)
    arguments.paths[i] = g_ptr_array_index(draft->operands, i);
  if (draft->operands->len != G_N_ELEMENTS(arguments.paths) && !draft->operand_lost)
    option_mistake(draft, NULL, "which two templates? eret cpu diff A.json B.json");
  check_named_files(&arguments, draft);
  if (!answer_options(draft, &status))
    status = diff(&arguments);
  option_record_clear(diff_options, &arguments);
  return status;
}

int cmd_cpu(int argc, char **argv) {
  const char *verb = argc > 0 ? argv[0] : "";

  if (strcmp(verb, "dump") == 0)
    return cmd_cpu_dump(argc - 1, argv + 1);
  if (strcmp(verb, "diff") == 0)
    return cmd_cpu_diff(argc - 1, argv + 1);
  if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
    g_autofree char *dump_help = option_help(&cpu_dump_option_set), *diff_help = option_help(&cpu_diff_option_set);
    printf("%s\n%s", dump_help, diff_help);
    return EXIT_OK;
  }
  complain("eret cpu is followed by dump or diff");
  fputs("Try 'eret cpu --help'.\n", stderr);
  return EXIT_USAGE;
}
