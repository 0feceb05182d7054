/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret cpu`: what the host's CPU offers to guests, as a template for --cpu-template, and how two such templates
 * differ.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/named-files.h"
#include "vmm/base/output-file.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/config/config-option.h"
#include "vmm/machine/cpu-host.h"
#include "vmm/machine/machine.h"

static const char usage[] = "Usage: eret cpu dump [--cpu host[,FEATURE=on|off|auto]...] [-o FILE]\n"
                            "       eret cpu diff A.json B.json [--common OUT.json]\n"
                            "dump writes the ID registers that guests see on this host, as a template for\n"
                            "'eret run --cpu-template'. diff shows in which fields two templates differ.\n\n"
                            "  --cpu CPU            As of 'eret run'.\n"
                            "  --cpu-template FILE  As of 'eret run'.\n"
                            "  -o, --output FILE    Write to FILE (default: standard output).\n"
                            "  --common OUT.json    Write the template that guests on both can have: the smaller\n"
                            "                       of the two values of each field.\n"
                            "  --help               This text.\n";

typedef struct {
  const char *cpu, *template, *output, *common;
  GPtrArray *names; /* what is no option */
  GString *mistakes;
  bool help;
} Arguments;

static const struct {
  const char *flag;
  size_t offset;
  bool of_dump;
} options[] = {
    {"--cpu", offsetof(Arguments, cpu), true},        {"--cpu-template", offsetof(Arguments, template), true},
    {"--output", offsetof(Arguments, output), true},  {"-o", offsetof(Arguments, output), true},
    {"--common", offsetof(Arguments, common), false},
};

static void read_flag(Arguments *arguments, bool dump, int argc, char **argv, int *i) {
  const char *equals = strchr(argv[*i], '=');
  g_autofree char *flag = equals ? g_strndup(argv[*i], equals - argv[*i]) : g_strdup(argv[*i]);

  for (unsigned n = 0; n < G_N_ELEMENTS(options); n++) {
    if (strcmp(options[n].flag, flag) != 0 || options[n].of_dump != dump)
      continue;
    const char *value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : "";
    *(const char **)((char *)arguments + options[n].offset) = value;
    if (!*value)
      mistake(arguments->mistakes, "%s: needs a value", flag);
    return;
  }
  mistake(arguments->mistakes, "unknown option %s of 'eret cpu %s'", flag, dump ? "dump" : "diff");
}

static void read_arguments(Arguments *arguments, bool dump, int argc, char **argv) {
  bool ended = false;

  for (int i = 0; i < argc; i++) {
    if (!ended && strcmp(argv[i], "--") == 0)
      ended = true;
    else if (!ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
      arguments->help = true;
    else if (!ended && argv[i][0] == '-' && argv[i][1])
      read_flag(arguments, dump, argc, argv, &i);
    else
      g_ptr_array_add(arguments->names, argv[i]);
  }
  if (!arguments->help && dump && arguments->names->len)
    mistake(arguments->mistakes, "unexpected argument '%s'; a file to write is -o FILE", (const char *)arguments->names->pdata[0]);
  if (!arguments->help && !dump && arguments->names->len != 2)
    mistake(arguments->mistakes, "which two templates? eret cpu diff A.json B.json");
}

/* Neither template is overwritten with what is made of it. */
static void check_named_files(Arguments *arguments) {
  g_autoptr(NamedFiles) named = named_files_new();

  for (unsigned i = 0; i < arguments->names->len; i++)
    named_files_read(named, i == 0 ? "the first template" : "the second template", arguments->names->pdata[i], arguments->mistakes);
  named_files_read(named, "--cpu-template", arguments->template, arguments->mistakes);
  named_files_write(named, "--output", arguments->output, arguments->mistakes);
  named_files_write(named, "--common", arguments->common, arguments->mistakes);
}

static int write_template(const CpuTemplate *template, OutputFile *file) {
  g_autofree char *text = cpu_template_print(template);
  g_autoptr(GError) error = NULL;

  return output_file_write(file, text, strlen(text), &error) ? EXIT_OK : complain_of(error, EXIT_HOST);
}

/* What --cpu means is said in one place: the options of `eret run`, of a run that stays dry. */
static Config *parse_cpu(const Arguments *arguments, GError **error) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
  bool help;

  g_ptr_array_add(argv, g_strdup("--dry-run"));
  if (arguments->cpu)
    g_ptr_array_add(argv, g_strconcat("--cpu=", arguments->cpu, NULL));
  if (arguments->template)
    g_ptr_array_add(argv, g_strconcat("--cpu-template=", arguments->template, NULL));
  return config_parse((int)argv->len, (char **)argv->pdata, &help, error);
}

static int dump(const Arguments *arguments) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse_cpu(arguments, &error);

  if (!config)
    return complain_of(error, EXIT_USAGE);
  g_autoptr(OutputFile) file = output_file_open(arguments->output ? arguments->output : "-", &error);
  if (!file)
    return complain_of(error, EXIT_HOST);
  g_autoptr(CpuTemplate) template = cpu_host_read(config, &error);
  if (!template)
    return complain_of(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM) ? EXIT_NO_KVM : EXIT_HOST);
  return write_template(template, file);
}

static int diff(const Arguments *arguments) {
  const char *a_path = arguments->names->pdata[0], *b_path = arguments->names->pdata[1];
  g_autoptr(GError) error = NULL, a_error = NULL, b_error = NULL;
  g_autoptr(OutputFile) file = arguments->common ? output_file_open(arguments->common, &error) : NULL;
  g_autoptr(CpuTemplate) a = cpu_template_load(a_path, &a_error);
  g_autoptr(CpuTemplate) b = cpu_template_load(b_path, &b_error);

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

int cmd_cpu(int argc, char **argv) {
  g_autoptr(GString) mistakes = g_string_new(NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  Arguments arguments = {.names = names, .mistakes = mistakes};
  const char *verb = argc > 0 ? argv[0] : "";
  bool is_dump = strcmp(verb, "dump") == 0;

  if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
    arguments.help = true;
  else if (is_dump || strcmp(verb, "diff") == 0)
    read_arguments(&arguments, is_dump, argc - 1, argv + 1);
  else
    mistake(mistakes, "eret cpu is followed by dump or diff");
  if (arguments.help) {
    fputs(usage, stdout);
    return EXIT_OK;
  }
  if (mistakes->len == 0)
    check_named_files(&arguments);
  if (mistakes->len) {
    complain_lines(mistakes->str);
    fputs("Try 'eret cpu --help'.\n", stderr);
    return EXIT_USAGE;
  }
  return is_dump ? dump(&arguments) : diff(&arguments);
}
