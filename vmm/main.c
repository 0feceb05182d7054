/* SPDX-License-Identifier: Apache-2.0 */
/* eret's command table. Only this file and vmm/cmd/ print or decide an exit status. */
#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/descriptors.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/exec/outcome.h"

static int cmd_help(int argc, char **argv);

static const struct {
  const char *name, *summary;
  int (*function)(int argc, char **argv);
  int unable;      /* its status where the process may not open the files it needs; 0: it needs none */
  bool of_machine; /* how many it needs it sees itself, from its options */
} commands[] = {
    {"run", "boot a kernel in a virtual machine", cmd_run, EXIT_HOST, true},
    {"exec", "boot a kernel, run a command in it, end with its status", cmd_exec, OUTCOME_STATUS_HOST_ERROR, true},
    {"test", "run suites of such commands", cmd_test, EXIT_HOST, false},
    {"trace", "show what a recording of 'run --record' says", cmd_trace, EXIT_HOST, false},
    {"doctor", "say what this host can do, and what is missing", cmd_doctor, EXIT_HOST, false},
    {"ps", "list the machines that have names", cmd_ps, EXIT_HOST, false},
    {"attach", "show the console of one of them", cmd_attach, EXIT_HOST, false},
    {"ssh", "log in to one of them, without a network", cmd_ssh, EXIT_HOST, false},
    {"stop", "press its power button, and wait for its end", cmd_stop, EXIT_HOST, false},
    {"jail", "run one of the first three as another user, walled in", cmd_jail, EXIT_HOST, false},
    {"cpu", "show what the CPU offers to guests, and make templates of it", cmd_cpu, EXIT_HOST, false},
    {"help", "this text", cmd_help, 0, false},
    {"version", "the version", cmd_version, 0, false},
};

/* -1: there is none. */
static int find_command(const char *name) {
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(name, commands[i].name) == 0)
      return (int)i;
  complain_format("'%s' is no command of eret; 'eret help' lists them", name);
  return -1;
}

static const Option only_help[] = {OPTION_HELP_ROW, {.name = NULL}};

static int print_commands(void) {
  printf("Usage: eret COMMAND [OPTION]...\n"
         "A virtual machine monitor for ARM64 Linux, on KVM.\n\n"
         "Commands:\n");
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
    printf("  %-10s %s\n", commands[i].name, commands[i].summary);
  printf("\n'eret COMMAND --help' describes a command; the manual is eret(1).\n");
  return EXIT_OK;
}

/* Of one command, where it names it. That it is asked for twice says nothing more. */
static int cmd_help(int argc, char **argv) {
  static const OptionSet set = {.command = "help", .tables = {only_help}, .operands_max = 1};
  char option[] = "--help", *help[] = {option, NULL};
  void *const records[] = {NULL};
  g_autoptr(OptionDraft) draft = option_read(&set, records, argc, argv);
  g_autoptr(GError) error = NULL;

  if (!option_is_good(draft, &error))
    return answer(&set, error);
  if (draft->operands->len == 0)
    return print_commands();
  int command = find_command(g_ptr_array_index(draft->operands, 0));
  return command < 0 ? EXIT_USAGE : commands[command].function == cmd_help ? print_commands() : commands[command].function(1, help);
}

int cmd_version(int argc, char **argv) {
  static const OptionSet set = {.command = "version", .usage = "Usage: eret version\nPrint the version.", .tables = {only_help}};
  void *const records[] = {NULL};
  g_autoptr(OptionDraft) draft = option_read(&set, records, argc, argv);
  int status;

  if (answer_options(draft, &status))
    return status;
  printf("eret %s\n", ERET_VERSION);
  return EXIT_OK;
}

/* What could not be written is a failure, unless there is one already. Nobody is to take it for skipped, either. */
static int finish_stdout(int status) {
  bool lost = ferror(stdout);

  errno = 0;
  if (fclose(stdout) == 0 && !lost)
    return status;
  complain_format("cannot write standard output%s%s", errno ? ": " : "", errno ? g_strerror(errno) : "");
  return status == EXIT_OK || status == EXIT_NO_KVM ? EXIT_HOST : status;
}

static int run_command(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : NULL;
  g_autoptr(GError) error = NULL;

  if (!name) {
    print_commands();
    return EXIT_USAGE;
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
    name = "help";
  else if (strcmp(name, "--version") == 0)
    name = "version";
  int command = find_command(name);
  if (command < 0)
    return EXIT_USAGE;
  if (!commands[command].unable || commands[command].of_machine || descriptors_suffice(DESCRIPTORS_OF_A_COMMAND, &error))
    return commands[command].function(argc - 2, argv + 2);
  complain(error->message);
  return commands[command].unable;
}

#define STDOUT_BUFFER (64 * 1024) /* more than what is printed at once: stdio knows why it was lost only where it is closed then */

int main(int argc, char **argv) {
  char buffer[STDOUT_BUFFER];

  if (!descriptors_keep_standard())
    return EXIT_HOST;
  if (!isatty(STDOUT_FILENO))
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  g_log_set_default_handler(complain_of_log, NULL);
  signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (RLIMIT_FSIZE) is an error of the write: of a report, or of the guest's disk */
  return finish_stdout(run_command(argc, argv));
}
