/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine on KVM. What outlives a reboot of the guest (board, memory, devices, terminal) is made once, here; what
 * does not, by machine-boot.c.
 *
 * Threads: everything runs on the main thread, but for what machine-end.c says posts.
 */
#include "vmm/machine/machine.h"

#include <unistd.h>

#include "devices/backend/terminal.h"
#include "vmm/helpers/disk-servers.h"
#include "vmm/helpers/shares.h"
#include "vmm/helpers/user-network.h"
#include "vmm/machine/clock-host.h"
#include "vmm/machine/console-watch.h"
#include "vmm/machine/kvm/machine-state.h"
#include "vmm/machine/kvm/regs.h"

static bool check_ipa_bits(const Machine *machine, GError **error) {
  unsigned wanted = machine->board->ipa_bits, limit = kvm_ipa_bits_max(&machine->kvm);

  if (wanted <= limit)
    return true;
  if (machine->config->ipa_bits)
    g_set_error(
        error, MACHINE_ERROR, MACHINE_ERROR_HOST,
        "--ipa-bits %u: the host's CPU offers %u bits of guest physical address; leave the option out, or ask for no more than these",
        wanted, limit);
  else
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST,
                "this machine needs %u bits of guest physical address, the host's CPU offers %u; use less --memory", wanted, limit);
  return false;
}

/* Where a card has one: whether the host has what makes them. */
static bool find_user_networks(Machine *machine, GError **error) {
  const GPtrArray *nets = machine->config->nets;

  for (unsigned i = 0; i < nets->len; i++) {
    const NetConfig *net = nets->pdata[i];
    if (!net->user)
      continue;
    if (!machine->user_networks)
      machine->user_networks = passt_networks_new(machine->broker, error);
    if (!machine->user_networks)
      return false;
    machine->networks_share |= machine->user_networks->vhost_user && !net->framed;
  }
  return true;
}

/* Where a directory is to be shared: whether the host has what serves it. */
static bool find_shares(Machine *machine, GError **error) {
  if (machine->config->shares->len)
    machine->shares = virtiofsd_shares_new(machine->broker, error);
  return machine->shares || machine->config->shares->len == 0;
}

/* Where a disk is to be served by a helper: whether the host has that. */
static bool find_disk_servers(Machine *machine, GError **error) {
  const GPtrArray *disks = machine->config->disks;

  for (unsigned i = 0; i < disks->len; i++) {
    if (!disk_is_served(disks->pdata[i]))
      continue;
    machine->disk_servers = disk_servers_new(machine->broker, error);
    return machine->disk_servers;
  }
  return true;
}

static bool plan(Machine *machine, GError **error) {
  const Config *config = machine->config;

  if (!boot_files_open(&machine->files, config, machine->client->initrd, error) || !find_user_networks(machine, error) ||
      !find_shares(machine, error) || !find_disk_servers(machine, error) || !kvm_open(&machine->kvm, error) ||
      !kvm_choose_gic(&machine->kvm, config->gic, &machine->gic_version, error) ||
      !cpu_features_decide(config_cpu(config), config->cpu_fields, &machine->kvm.cpu, &machine->cpu, error))
    return false;
  if (config->cpus > machine->kvm.max_cpus) {
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST, "%u CPUs are too many: KVM on this host gives a guest at most %u", config->cpus,
                machine->kvm.max_cpus);
    return false;
  }
  machine->board = board_new(config, machine->gic_version, error);
  if (!machine->board || !check_ipa_bits(machine, error))
    return false;
  if (!config->pin)
    return true;
  machine->pin = pin_new(config->pin, "", error);
  return machine->pin && pin_thread(machine->pin, -1, error);
}

/* A page that KVM writes to has its own memory, beside RAM. */
static bool add_steal_time(Machine *machine, GError **error) {
  GuestRam *page = &machine->steal_time;

  if (!guest_ram_init(page, LAYOUT.steal_time.size, error))
    return false;
  guest_memory_add(&machine->memory, LAYOUT.steal_time.base, page->size, page->host);
  return true;
}

/* The terminal, or what the client has for it, and who attaches to the machine by its name. */
static bool open_console(Machine *machine, GError **error) {
  CharBackend *console = machine->client->console;
  bool types = console || isatty(STDIN_FILENO);

  if (!console)
    console = machine->terminal = terminal_new(STDIN_FILENO, STDOUT_FILENO, machine_terminal_event, machine, error);
  if (console && machine->client->named)
    console = machine->shared = named_machine_share_console(machine->client->named, console, types, error);
  if (console)
    machine->console = console_watch_new(console, machine->trace.timeline);
  return console;
}

static bool make_memory(Machine *machine, GError **error) {
  const Board *board = machine->board;
  GuestRam *ram = &machine->ram;

  if (!(board_shares_memory(board) || machine->networks_share ? guest_ram_init_shared : guest_ram_init)(ram, board->ram.size, error))
    return false;
  guest_memory_add_shared(&machine->memory, board->ram.base, ram->size, ram->host, ram->fd, 0);
  return true;
}

static bool assemble(Machine *machine, GError **error) {
  if (!make_memory(machine, error))
    return false;
  if (machine->cpu.steal_time && !add_steal_time(machine, error))
    return false;
  machine->clock = clock_host_new();
  machine->irq = irq_new(machine->gic_version);
  machine->doorbells = kvm_doorbells_new();
  if (machine->config->exits == EXITS_LEAN || board_holds_code(machine->board))
    machine->shortcuts = kvm_shortcuts_new();
  if (!open_console(machine, error))
    return false;
  if (!machine_hypercalls_init(&machine->calls, machine->config, machine->kvm.smccc_filter, machine->console, machine->trace.timeline,
                               error))
    return false;
  machine->doorbell_calls = (HypercallDoorbellCalls){
      .call = machine_doorbell_call,
      .opaque = machine,
      .method = !machine->kvm.smccc_filter ? NULL
                : machine->cpu.el2         ? "smc"
                                           : "hvc", /* HVC is the guest's own EL2's */
      .first_function = ERET_FUNCTION_FIRST,
      .version = ERET_HYPERCALL_VERSION,
  };
  if (!machine_prepare_sandbox(machine, error))
    return false;
  machine->events = (GuestEvents){machine_watchdog_expired, machine_guest_panicked};
  machine->wiring = (PlatformWiring){
      .parts =
          {
              .irqs = irq_lines(machine->irq),
              .msi = irq_msi(machine->irq),
              .memory = &machine->memory,
              .clock = machine->clock,
              .console = machine->console,
              .ports = &machine->client->ports,
              .hypercalls = &machine->doorbell_calls,
              .user_networks = machine->user_networks,
              .shares = machine->shares,
              .disk_servers = machine->disk_servers,
              .events = &machine->events,
          },
      .doorbells = kvm_doorbells_base(machine->doorbells),
      .shortcuts = machine->shortcuts ? kvm_shortcuts_base(machine->shortcuts) : NULL,
      .for_code_alone = machine->config->exits == EXITS_ALL,
      .watch = machine_trace_devices(&machine->trace),
      .threads = machine->sandbox ? &machine->threads : NULL,
      .pmu = machine->cpu.pmu,
      .el2 = machine->cpu.el2,
      .el2_vhe = machine->cpu.el2 && !machine->cpu.el2_e2h0,
  };
  machine->platform = platform_new(machine->board, &machine->wiring, error);
  if (!machine->platform)
    return false;
  if (machine->shortcuts)
    kvm_shortcuts_set_bus(machine->shortcuts, machine->platform->bus);
  machine->trace.shortcuts = machine->shortcuts;
  if (!machine_enter_sandbox(machine, error))
    return false;
  g_autofree char *sandbox = sandbox_describe(machine->sandbox);
  if (machine->client->named)
    named_machine_set_sandbox(machine->client->named, sandbox);
  machine_trace_describe(&machine->trace, machine->board, machine->platform, machine->files.kernel, sandbox);
  timeline_add(machine->trace.timeline, PHASE_DEVICES_MADE);
  return true;
}

bool machine_can_run(GError **error) {
  Kvm kvm = {.fd = -1};
  bool can = kvm_open(&kvm, error);

  kvm_close(&kvm);
  return can;
}

Machine *machine_new(const Config *config, const MachineClient *client, Tell tell, GError **error) {
  static const MachineClient nobody = {0};
  g_autoptr(Machine) machine = g_new0(Machine, 1);

  machine->config = config;
  machine->client = client ? client : &nobody;
  machine->kvm.fd = -1;
  machine->vm = VM_NONE;
  machine->broker = broker_new();
  g_mutex_init(&machine->lock);
  gate_init(&machine->gate);
  control_hold_signals();
  if (!machine_trace_init(&machine->trace, config, tell, error) || !plan(machine, error) || !assemble(machine, error))
    return NULL;
  vcpu_install_kick_signal();
  return g_steal_pointer(&machine);
}

/* Devices use everything else, so they go first. */
void machine_free(Machine *machine) {
  if (!machine)
    return;
  if (machine->platform)
    machine_unboot(machine);
  if (machine->terminal)
    terminal_flush(machine->terminal, OUTPUT_FLUSH_MS);
  platform_free(machine->platform);
  io_thread_free(machine->threads.maker);
  sandbox_free(machine->sandbox);
  passt_networks_free(machine->user_networks);
  virtiofsd_shares_free(machine->shares);
  disk_servers_free(machine->disk_servers);
  broker_unref(machine->broker);
  machine_hypercalls_clear(&machine->calls);
  char_backend_free(machine->console);
  char_backend_free(machine->shared);
  char_backend_free(machine->terminal);
  irq_free(machine->irq);
  kvm_doorbells_free(machine->doorbells);
  kvm_shortcuts_free(machine->shortcuts);
  clock_host_free(machine->clock);
  boot_files_close(&machine->files); /* before the memory they are copied to */
  guest_ram_clear(&machine->ram);
  guest_ram_clear(&machine->steal_time);
  pin_free(machine->pin);
  board_free(machine->board);
  kvm_close(&machine->kvm);
  machine_trace_clear(&machine->trace);
  g_clear_error(&machine->failure);
  g_free(machine->pending_failure);
  g_mutex_clear(&machine->lock);
  gate_clear(&machine->gate);
  g_free(machine);
}

char *machine_describe_vcpus(const Machine *machine) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < machine->vm.n_vcpus; i++) {
    g_autofree char *registers = regs_describe(machine->vm.vcpus[i].fd);
    g_string_append_printf(text, "vCPU %u\n%s\n", i, registers);
  }
  return g_string_free(text, FALSE);
}

const Timeline *machine_timeline(const Machine *machine) {
  return machine->trace.timeline;
}

bool machine_lost_reports(const Machine *machine) {
  return machine->lost_reports;
}

int machine_exit_code(const Machine *machine) {
  return machine->exit_code;
}

void machine_end_port_input(Machine *machine, unsigned port) {
  VirtioDevice *ports = machine->platform ? platform_find(machine->platform, &virtio_console_ports_kind) : NULL;

  if (ports)
    virtio_console_ports_end_input(ports, port);
}
