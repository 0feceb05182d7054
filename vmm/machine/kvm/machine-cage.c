/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a machine goes into its cage (docs/security.md): all that it will need is made and open, by one thread; then
 * whoever is to start helpers again parts from it; then it gives away what it can reach. Threads come after that, each
 * with a filter of its own.
 */
#include "vmm/lazy/lazy.h"
#include "vmm/machine/kvm/machine-state.h"

static void enter_as_device(void *sandbox) {
  sandbox_enter(sandbox, CAGE_DEVICE);
}

/* What threads of this machine do beside the usual: CageThread bits. */
static unsigned more_of_threads(const Machine *machine) {
  const Config *config = machine->config;
  const MachineClient *client = machine->client;
  const FirmwareConfig *firmware = config->firmware->len ? config->firmware->pdata[0] : NULL;
  const VsockConfig *vsock = config->vsock->len ? config->vsock->pdata[0] : NULL;
  unsigned more = 0;

  if (config->hypercalls->len)
    more |= CAGE_CALLS;
  if (machine->trace.stats_file || machine_trace_place(&machine->trace) || client->named || client->paths || client->writes_json)
    more |= CAGE_FILES;
  if (firmware && firmware->vars)
    more |= CAGE_FLASH;
  if (vsock) /* a socket of the file system goes with the machine */
    more |= vsock->path ? CAGE_FILES : CAGE_VSOCK;
  for (unsigned i = 0; i < config->nets->len; i++)
    if (((const NetConfig *)config->nets->pdata[i])->unix_path)
      more |= CAGE_MEETINGS;
  return more;
}

bool machine_prepare_sandbox(Machine *machine, GError **error) {
  g_autoptr(GError) local = NULL;

  machine->sandbox = sandbox_new(machine->config->sandbox, more_of_threads(machine), &local);
  machine->threads = (IoThreads){.enter = enter_as_device, .opaque = machine->sandbox};
  if (!local)
    return true;
  g_propagate_error(error, g_steal_pointer(&local));
  return false;
}

/* What is looked for in files when it is first used. */
static void load_libraries(const Machine *machine) {
  if (machine_trace_writes_json(&machine->trace) || machine->client->writes_json)
    lazy_load("libjson-glib");
}

static void say_farewell(void *broker) {
  broker_say_farewell(broker);
}

static void leave(void *broker) {
  broker_unref(broker);
}

static bool part_from_broker(Machine *machine, GError **error) {
  NamedMachine *named = machine->client->named;

  if (named) {
    int fd = named_machine_descriptor(named);
    broker_set_farewell(machine->broker, named_machine_remove, named, &fd, 1);
  }
  if (!broker_has_work(machine->broker))
    return true;
  if (!broker_part(machine->broker, error))
    return false;
  if (named)
    named_machine_leave_to(named, say_farewell, leave, broker_ref(machine->broker));
  return true;
}

/* The kernel's vsock belongs to the network that a process is in. */
static bool may_leave_network(const Config *config) {
  return config->vsock->len == 0 || ((const VsockConfig *)config->vsock->pdata[0])->path;
}

bool machine_enter_sandbox(Machine *machine, GError **error) {
  g_autoptr(GPtrArray) paths = g_ptr_array_new();
  const char *traces = machine_trace_place(&machine->trace);

  if (!machine->sandbox)
    return true;
  for (unsigned i = 0; machine->client->paths && machine->client->paths[i]; i++)
    g_ptr_array_add(paths, (gpointer)machine->client->paths[i]);
  if (traces)
    g_ptr_array_add(paths, (gpointer)traces);
  g_ptr_array_add(paths, NULL);
  const SeclusionWish wish = {.network = may_leave_network(machine->config), .paths = (const char *const *)paths->pdata};
  load_libraries(machine);
  if (!part_from_broker(machine, error) || !sandbox_seclude(machine->sandbox, &wish, error))
    return false;
  sandbox_enter(machine->sandbox, CAGE_MAIN);
  return true;
}
