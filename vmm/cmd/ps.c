/* SPDX-License-Identifier: Apache-2.0 */
/* `eret ps`: the user's machines that have names. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/human.h"
#include "vmm/base/json-writer.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/control/known-machine.h"

typedef struct {
  bool json;
} Arguments;

static const Option options[] = {
    OPTION("json", FLAG, Arguments, json, NULL, "Print JSON: an array of objects, for programs."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet ps_option_set = {
    .command = "ps",
    .usage = "Usage: eret ps [OPTION]...\n"
             "List the machines that were given a name (eret run --name): those that run, and those that failed or crashed since, "
             "until 'eret stop NAME' clears them away.",
    .tables = {options},
};

static int64_t uptime(const KnownMachine *machine) {
  return known_machine_lives(machine) ? MAX(0, g_get_real_time() / G_USEC_PER_SEC - machine->started) : 0;
}

/* "2d 3h", "4h 12m", "5m 30s", "12s" */
static char *print_uptime(const KnownMachine *machine) {
  int64_t s = uptime(machine), m = s / 60, h = m / 60;

  if (!known_machine_lives(machine))
    return g_strdup("-");
  if (h >= 24)
    return g_strdup_printf("%" G_GINT64_FORMAT "d %" G_GINT64_FORMAT "h", h / 24, h % 24);
  if (h)
    return g_strdup_printf("%" G_GINT64_FORMAT "h %" G_GINT64_FORMAT "m", h, m % 60);
  return m ? g_strdup_printf("%" G_GINT64_FORMAT "m %" G_GINT64_FORMAT "s", m, s % 60) : g_strdup_printf("%" G_GINT64_FORMAT "s", s);
}

static void print_line(const KnownMachine *machine) {
  g_autofree char *up = print_uptime(machine);
  g_autofree char *pid = machine->pid ? g_strdup_printf("%d", (int)machine->pid) : g_strdup("-");

  const char *sandbox = machine->sandbox ? machine->sandbox : "-";

  printf("%-20s %-9s %8s %8s %5u %10s %-7.*s", machine->name, machine_life_name(machine->life), pid, up, machine->cpus,
         human_size(machine->memory).text, (int)strcspn(sandbox, " "), sandbox);
  if (machine->life == MACHINE_FAILED_TO_LAST)
    printf("  exit status %d", machine->status);
  printf("\n");
}

static void add_object(JsonBuilder *builder, const KnownMachine *machine) {
  json_builder_begin_object(builder);
  json_add_text(builder, "name", machine->name);
  json_add_text(builder, "state", machine_life_name(machine->life));
  json_add_number(builder, "pid", machine->pid);
  json_add_number(builder, "started", machine->started);
  json_add_number(builder, "uptime", uptime(machine));
  json_add_number(builder, "cpus", machine->cpus);
  json_add_number(builder, "memory", (int64_t)machine->memory);
  if (machine->life == MACHINE_FAILED_TO_LAST)
    json_add_number(builder, "status", machine->status);
  known_machine_add_sockets(builder, machine);
  if (machine->sandbox)
    json_add_text(builder, "sandbox", machine->sandbox);
  json_builder_end_object(builder);
}

/* One that ends meanwhile is left out; one whose file is not to be read is told of. */
static GPtrArray *read_machines(GError **error) {
  g_autoptr(GPtrArray) names = runtime_directory_names(error);
  GPtrArray *machines = names ? g_ptr_array_new_with_free_func((GDestroyNotify)known_machine_free) : NULL;

  for (unsigned i = 0; names && i < names->len; i++) {
    g_autoptr(GError) one = NULL;
    KnownMachine *machine = known_machine_read(g_ptr_array_index(names, i), &one);
    if (machine)
      g_ptr_array_add(machines, machine);
    else if (!g_error_matches(one, RUNTIME_ERROR, RUNTIME_ERROR_NONE))
      complain_of(one, EXIT_HOST);
  }
  return machines;
}

static void print_json(const GPtrArray *machines) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_array(builder);
  for (unsigned i = 0; i < machines->len; i++)
    add_object(builder, g_ptr_array_index(machines, i));
  json_builder_end_array(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  printf("%s", text);
}

int cmd_ps(int argc, char **argv) {
  Arguments arguments = {0};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&ps_option_set, records, argc, argv);
  g_autoptr(GError) error = NULL;
  int status;

  if (answer_options(draft, &status))
    return status;
  g_autoptr(GPtrArray) machines = read_machines(&error);
  if (!machines)
    return complain_of(error, EXIT_HOST);
  if (arguments.json) {
    print_json(machines);
    return EXIT_OK;
  }
  printf("%-20s %-9s %8s %8s %5s %10s %s\n", "NAME", "STATE", "PID", "UPTIME", "CPUS", "MEMORY", "SANDBOX");
  for (unsigned i = 0; i < machines->len; i++)
    print_line(g_ptr_array_index(machines, i));
  return EXIT_OK;
}
