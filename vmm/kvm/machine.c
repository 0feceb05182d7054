/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine on KVM. What outlives a reboot of the guest (board, memory, devices, terminal) is made once, in
 * machine_new; what does not (the VM, its GIC and vCPUs) is made anew for each boot, so that nothing of the kernel's
 * state survives one.
 *
 * Threads: everything here runs on the main thread, but for vcpu_ended, which posts.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/terminal.h"
#include "devices/virtio/console.h"
#include "vmm/boot/boot.h"
#include "vmm/clock-host.h"
#include "vmm/console-hint.h"
#include "vmm/console-watch.h"
#include "vmm/control.h"
#include "vmm/kvm/irq.h"
#include "vmm/kvm/machine-hypercalls.h"
#include "vmm/kvm/machine-trace.h"
#include "vmm/kvm/pause.h"
#include "vmm/kvm/regs.h"
#include "vmm/kvm/steal-time.h"
#include "vmm/kvm/stuck-vcpus.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory.h"
#include "vmm/platform.h"

#define OUTPUT_FLUSH_MS 2000 /* how long the last output may take to be read */
#define REPORT_WAIT_MS  1000 /* that statistics may wait for who reads them, while the machine runs */
#define LET_GO_MS       100  /* after the guest's first instruction, which it could delay, what was loaded is given back */

struct Machine {
  PlatformHost host; /* first: irq lines find the machine by it */
  const Config *config;
  const MachineClient *client; /* never NULL */
  Kvm kvm;
  GicVersion gic_version;
  CpuFeatures cpu;
  Board *board;
  BootFiles files;
  Pin *pin; /* or NULL */
  Gate gate;
  GuestRam ram, steal_time;
  GuestMemory memory;
  Clock *clock;
  CharBackend *terminal; /* NULL: the client has the console */
  CharBackend *console;  /* in front of the terminal, or of the client's: what devices write to */
  Irq *irq;
  KvmShortcuts *shortcuts; /* NULL: every access exits */
  MachineHypercalls calls;
  MachineTrace trace;
  Platform *platform;

  Vm vm;             /* one boot */
  ConsoleHint *hint; /* or NULL */
  guint let_go;      /* 0, or the timer that gives back what was loaded */

  /* Running. */
  GMainLoop *loop;
  Control *control;
  MachineEnd end;
  int exit_code;
  GError *failure;
  bool lost_reports;
  GMutex lock; /* guards pending */
  Verdict pending;
  char *pending_failure;
  bool stopping;
};

static IrqLine *machine_irq_line(PlatformHost *host, uint32_t spi, FdtIrqTrigger trigger) {
  return irq_line(((Machine *)host)->irq, spi, trigger);
}

/* The life of one boot. */

static void vcpu_ended(Vcpu *vcpu, Verdict verdict, void *opaque);

static bool load_guest(Machine *machine, GError **error) {
  BootPlacement placement;
  uint64_t psci_version;
  BootSeed seed;

  boot_seed_init(&seed);
  if (reg_get(machine->vm.vcpus[0].fd, KVM_REG_ARM_PSCI_VERSION, &psci_version))
    machine_hypercalls_set_psci_version(&machine->calls, (uint32_t)psci_version);
  if (!reg_get(machine->vm.vcpus[0].fd, REG_CLIDR_EL1, &machine->host.clidr))
    machine->host.clidr = 0;
  g_autoptr(GBytes) fdt = boot_plan(&machine->files, machine->platform, &seed, &placement, error);
  return fdt && boot_load(&machine->files, &placement, fdt, &machine->memory, error) &&
         vcpu_set_entry(&machine->vm.vcpus[0], placement.entry, placement.fdt_start, error);
}

static bool create_vm(Machine *machine, GError **error) {
  if (!machine_hypercalls_begin_boot(&machine->calls, error))
    return false;
  const VmPlan plan = {
      .kvm = &machine->kvm,
      .board = machine->board,
      .template = machine->config->cpu_fields,
      .smccc = machine->kvm.smccc_filter ? machine->calls.plan : NULL,
      .vcpu =
          {
              .features = &machine->cpu,
              .bus = machine->platform->bus,
              .memory = &machine->memory,
              .pin = machine->pin,
              .gate = &machine->gate,
              .shortcuts = machine->shortcuts,
              .hypercalls = machine->calls.hypercalls,
              .psci = machine->calls.psci,
              .ended = vcpu_ended,
              .opaque = machine,
          },
  };
  return vm_create(&machine->vm, &plan, error);
}

static gboolean let_files_go(gpointer data) {
  Machine *machine = data;

  machine->let_go = 0;
  boot_files_let_go(&machine->files);
  return G_SOURCE_REMOVE;
}

static bool boot(Machine *machine, GError **error) {
  Vm *vm = &machine->vm;

  if (!boot_begin_load(&machine->files, machine->board->ram.base, &machine->memory, error) || !create_vm(machine, error))
    return false;
  machine_trace_begin_boot(&machine->trace, vm->vcpus, vm->n_vcpus, vm->fd);
  if (!vm_check_page_size(vm, machine->files.kernel->page_size, machine->config->kernel, error) ||
      !irq_connect(machine->irq, vm->fd, error))
    return false;
  if (!machine->config->reboot)
    kvm_close(&machine->kvm); /* nothing is made of it any more */
  timeline_add(machine->trace.timeline, PHASE_KVM_OBJECTS_MADE);
  if (!load_guest(machine, error))
    return false;
  timeline_add(machine->trace.timeline, PHASE_KERNEL_LOADED);
  if (!vm_start(vm, error))
    return false;
  machine->let_go = g_timeout_add(LET_GO_MS, let_files_go, machine);
  if (machine->platform->virtio_console)
    machine->hint = console_hint_new(machine->platform->virtio_console, CONSOLE_HINT_MS);
  /* The guest has enough to do before it looks at devices. */
  if (machine->shortcuts)
    kvm_shortcuts_connect(machine->shortcuts, vm->fd, vm->vcpus[0].run, vm->vcpus[0].run_size);
  return true;
}

/* All are told before any is waited for; and before their calls are ended, so that no guest sees an error of that. */
static void stop_vcpus(Machine *machine) {
  vm_stop(&machine->vm);
  machine_hypercalls_stop(&machine->calls);
  vm_join(&machine->vm);
  kvm_shortcuts_catch_up(machine->shortcuts);
}

/* Ends a boot, however far it came. Devices are quiet before the VM they interrupt goes away. */
static void unboot(Machine *machine) {
  g_clear_handle_id(&machine->let_go, g_source_remove);
  g_clear_pointer(&machine->hint, console_hint_free);
  stop_vcpus(machine);
  platform_pause(machine->platform); /* the last requests are carried out */
  platform_reset(machine->platform);
  platform_resume(machine->platform);
  irq_disconnect(machine->irq);
  if (machine->shortcuts)
    kvm_shortcuts_disconnect(machine->shortcuts);
  machine_trace_end_boot(&machine->trace);
  vm_destroy(&machine->vm);
  machine_hypercalls_end_boot(&machine->calls);
}

/* The end of a boot: what the vCPUs say, handled on the main thread. */

static void end(Machine *machine, MachineEnd how) {
  if (machine->stopping)
    return;
  machine->stopping = true;
  machine->end = how;
  timeline_add(machine->trace.timeline, PHASE_GUEST_END);
  g_main_loop_quit(machine->loop);
}

static void reboot(Machine *machine) {
  if (!machine->config->reboot) {
    end(machine, MACHINE_RESET);
    return;
  }
  timeline_add(machine->trace.timeline, PHASE_REBOOT);
  unboot(machine);
  /* What another vCPU asked for at the same moment was of the boot that is over. */
  g_mutex_lock(&machine->lock);
  machine->pending = VERDICT_CONTINUE;
  g_clear_pointer(&machine->pending_failure, g_free);
  g_mutex_unlock(&machine->lock);
  guest_ram_discard(&machine->ram);
  guest_ram_discard(&machine->steal_time);
  if (!boot(machine, &machine->failure))
    end(machine, MACHINE_FAILED);
}

static gboolean handle_pending(gpointer data) {
  Machine *machine = data;

  g_mutex_lock(&machine->lock);
  Verdict verdict = machine->pending;
  g_autofree char *failure = g_steal_pointer(&machine->pending_failure);
  machine->pending = VERDICT_CONTINUE;
  g_mutex_unlock(&machine->lock);

  if (machine->stopping)
    return G_SOURCE_REMOVE;
  switch (verdict) {
  case VERDICT_POWER_OFF:
    end(machine, MACHINE_POWERED_OFF);
    break;
  case VERDICT_RESET:
    reboot(machine);
    break;
  case VERDICT_FAIL:
    g_set_error_literal(&machine->failure, MACHINE_ERROR, MACHINE_ERROR_GUEST, failure);
    end(machine, MACHINE_FAILED);
    break;
  case VERDICT_EXIT:
    machine->exit_code = hypercalls_exit_code(machine->calls.hypercalls);
    end(machine, MACHINE_EXITED);
    break;
  case VERDICT_CPU_OFF:
  case VERDICT_CONTINUE:
    break;
  }
  return G_SOURCE_REMOVE;
}

/* On any thread. The first verdict that ends a boot decides how; the vCPUs are stopped by it. */
static void post(Machine *machine, Verdict verdict, const char *failure) {
  bool first;

  g_mutex_lock(&machine->lock);
  first = machine->pending == VERDICT_CONTINUE;
  if (first) {
    machine->pending = verdict;
    machine->pending_failure = g_strdup(failure);
  }
  g_mutex_unlock(&machine->lock);
  if (first)
    g_idle_add_full(G_PRIORITY_DEFAULT, handle_pending, machine, NULL);
}

static void vcpu_ended(Vcpu *vcpu, Verdict verdict, void *opaque) {
  post(opaque, verdict, vcpu->failure);
}

/*
 * A call by the doorbell page, on the thread of the vCPU that wrote to it. PSCI is not served there, so that only
 * eret_exit ends anything.
 */
static void doorbell_call(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]) {
  Machine *machine = opaque;

  if (hypercalls_call_registers(machine->calls.hypercalls, HYPERCALL_BY_DOORBELL, frame, function, x) == HYPERCALL_EXIT) {
    /* It does not return: no vCPU enters the guest again, the caller's least of all. */
    for (unsigned i = 0; i < machine->vm.n_vcpus; i++)
      g_atomic_int_set(&machine->vm.vcpus[i].stop, 1);
    post(machine, VERDICT_EXIT, NULL);
  }
}

void machine_stop(Machine *machine, const char *why) {
  if (why)
    g_message("stopped: %s", why);
  end(machine, MACHINE_STOPPED);
}

void machine_end_port_input(Machine *machine, unsigned port) {
  if (machine->platform && machine->platform->virtio_ports)
    virtio_console_ports_end_input(machine->platform->virtio_ports, port);
}

/* The user. */

static bool control_asked_to_stop(void *opaque, int signal_number) {
  const MachineClient *client = ((Machine *)opaque)->client;

  return client->asked_to_stop && client->asked_to_stop(client->opaque, signal_number);
}

static bool control_power_button(void *opaque, bool pressed) {
  Machine *machine = opaque;

  bool has_button = platform_set_power_button(machine->platform, pressed);
  /* A driver that has put its device away for the suspend expects no interrupt: the button is the machine's own. */
  for (unsigned i = 0; has_button && pressed && machine->vm.vcpus && i < machine->vm.n_vcpus; i++)
    vcpu_wake_from_suspend(&machine->vm.vcpus[i]);
  return has_button;
}

static void control_stop(void *opaque, const char *why) {
  machine_stop(opaque, why);
}

static void resize_console(Machine *machine) {
  struct winsize size;

  if (machine->terminal && machine->platform->virtio_console && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    virtio_console_resize(machine->platform->virtio_console, size.ws_col, size.ws_row);
}

static void control_resized(void *opaque) {
  resize_console(opaque);
}

static void control_report(void *opaque) {
  Machine *machine = opaque;

  machine_trace_print(&machine->trace, machine->platform, REPORT_WAIT_MS);
}

static void tell_paused(const MachineClient *client, bool paused) {
  if (client->paused)
    client->paused(client->opaque, paused);
}

/* SIGTSTP: the machine stands still first, then the process; SIGCONT is where stop() returns. */
static void control_pause(void *opaque) {
  Machine *machine = opaque;
  Pause pause;

  if (machine->stopping || !machine->vm.vcpus)
    return;
  pause_begin(&pause, &machine->gate, machine->vm.vcpus, machine->vm.n_vcpus);
  kvm_shortcuts_catch_up(machine->shortcuts);
  platform_pause(machine->platform);
  if (machine->terminal)
    terminal_leave(machine->terminal);
  tell_paused(machine->client, true);
  raise(SIGSTOP);
  tell_paused(machine->client, false);
  if (machine->terminal)
    terminal_return(machine->terminal);
  platform_resume(machine->platform);
  pause_end(&pause, &machine->gate, machine->vm.vcpus, machine->vm.fd);
}

static const ControlOps control_ops = {
    .asked_to_stop = control_asked_to_stop,
    .power_button = control_power_button,
    .stop = control_stop,
    .resized = control_resized,
    .report = control_report,
    .pause = control_pause,
};

static void terminal_event(TerminalEvent event, void *opaque) {
  Machine *machine = opaque;

  switch (event) {
  case TERMINAL_QUIT:
    control_stop(machine, "Ctrl-A x");
    break;
  case TERMINAL_GONE:
    control_stop(machine, terminal_lost(machine->terminal) == EPIPE ? "nobody reads the guest's output any more"
                                                                    : "the guest's output cannot be written any more");
    break;
  case TERMINAL_ENDED: /* these are of streams only */
  case TERMINAL_STALLED:
  case TERMINAL_FLOWS:
    break;
  }
}

/* Making and ending. */

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

static bool plan(Machine *machine, GError **error) {
  const Config *config = machine->config;

  if (!boot_files_open(&machine->files, config, machine->client->initrd, error) || !kvm_open(&machine->kvm, error) ||
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

static bool assemble(Machine *machine, GError **error) {
  if (!guest_ram_init(&machine->ram, machine->board->ram.size, error))
    return false;
  guest_memory_add(&machine->memory, machine->board->ram.base, machine->ram.size, machine->ram.host);
  if (!boot_begin_load(&machine->files, machine->board->ram.base, &machine->memory, error) ||
      (machine->cpu.steal_time && !steal_time_init(&machine->steal_time, &machine->memory, error)))
    return false;
  machine->clock = clock_host_new();
  machine->irq = irq_new(machine->gic_version);
  if (machine->config->exits == EXITS_LEAN)
    machine->shortcuts = kvm_shortcuts_new();
  if (!machine->client->console)
    machine->terminal = terminal_new(STDIN_FILENO, STDOUT_FILENO, terminal_event, machine, error);
  if (!machine->client->console && !machine->terminal)
    return false;
  machine->console = console_watch_new(machine->terminal ? machine->terminal : machine->client->console, machine->trace.timeline);
  if (!machine_hypercalls_init(&machine->calls, machine->config, machine->kvm.smccc_filter, machine->console, machine->trace.timeline,
                               error))
    return false;
  machine->host = (PlatformHost){
      .irq_line = machine_irq_line,
      .msi = irq_msi(machine->irq),
      .doorbells = irq_doorbells(machine->irq),
      .shortcuts = machine->shortcuts ? kvm_shortcuts_base(machine->shortcuts) : NULL,
      .clock = machine->clock,
      .console = machine->console,
      .watch = machine_trace_devices(&machine->trace),
      .ports = machine->client->ports,
      .n_ports = machine->client->n_ports,
      .ports_ops = machine->client->ports_ops,
      .ports_opaque = machine->client->opaque,
      .memory = &machine->memory,
      .pmu = machine->cpu.pmu,
      .el2 = machine->cpu.el2,
      .el2_vhe = machine->cpu.el2 && !machine->cpu.el2_e2h0,
      .hypercall = doorbell_call,
      .hypercall_info =
          {
              .method = !machine->kvm.smccc_filter ? NULL
                        : machine->cpu.el2         ? "smc"
                                                   : "hvc", /* HVC is the guest's own EL2's */
              .first_function = ERET_FUNCTION_FIRST,
              .version = ERET_HYPERCALL_VERSION,
          },
  };
  machine->platform = platform_new(machine->board, &machine->host, error);
  if (!machine->platform)
    return false;
  if (machine->shortcuts)
    kvm_shortcuts_set_bus(machine->shortcuts, machine->platform->bus);
  machine->trace.shortcuts = machine->shortcuts;
  machine_trace_describe(&machine->trace, machine->board, machine->platform, machine->files.kernel);
  timeline_add(machine->trace.timeline, PHASE_DEVICES_MADE);
  return true;
}

bool machine_can_run(GError **error) {
  Kvm kvm = {.fd = -1};
  bool can = kvm_open(&kvm, error);

  kvm_close(&kvm);
  return can;
}

Machine *machine_new(const Config *config, const MachineClient *client, GError **error) {
  static const MachineClient nobody = {0};
  g_autoptr(Machine) machine = g_new0(Machine, 1);

  machine->config = config;
  machine->client = client ? client : &nobody;
  machine->kvm.fd = -1;
  machine->vm = VM_NONE;
  g_mutex_init(&machine->lock);
  gate_init(&machine->gate);
  control_hold_signals();
  if (!machine_trace_init(&machine->trace, config, error) || !plan(machine, error) || !assemble(machine, error))
    return NULL;
  vcpu_install_kick_signal();
  return g_steal_pointer(&machine);
}

/* Devices use everything else, so they go first. */
void machine_free(Machine *machine) {
  if (!machine)
    return;
  if (machine->platform)
    unboot(machine);
  if (machine->terminal)
    terminal_flush(machine->terminal, OUTPUT_FLUSH_MS);
  platform_free(machine->platform);
  machine_hypercalls_clear(&machine->calls);
  char_backend_free(machine->console);
  char_backend_free(machine->terminal);
  irq_free(machine->irq);
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

/* What the flags asked for, at the end. */
static void report(Machine *machine) {
  int lost = machine->terminal ? terminal_lost(machine->terminal) : 0;
  g_autoptr(GError) error = NULL;

  if (lost && lost != EPIPE) {
    g_warning("cannot write the guest's output: %s", g_strerror(lost));
    machine->lost_reports = true;
  }
  if (machine->config->stats && !machine_trace_print(&machine->trace, machine->platform, -1))
    machine->lost_reports = true;
  if (!machine_trace_finish(&machine->trace, &error)) {
    g_warning("--record: %s", error->message);
    machine->lost_reports = true;
  }
}

MachineEnd machine_run(Machine *machine, GError **error) {
  machine->loop = g_main_loop_new(NULL, FALSE);
  machine->control = control_new(&control_ops, machine, machine->config->grace);
  resize_console(machine);
  if (boot(machine, &machine->failure))
    g_main_loop_run(machine->loop);
  else
    end(machine, MACHINE_FAILED);
  stop_vcpus(machine);
  if (machine->end == MACHINE_STOPPED)
    stuck_vcpus_tell(machine->vm.vcpus, machine->vm.n_vcpus, &machine->memory);
  platform_pause(machine->platform);
  timeline_add(machine->trace.timeline, PHASE_ENDED);
  if (machine->terminal)
    terminal_flush(machine->terminal, OUTPUT_FLUSH_MS);
  g_clear_pointer(&machine->control, control_free);
  g_clear_pointer(&machine->loop, g_main_loop_unref);
  report(machine);
  if (machine->failure)
    g_propagate_error(error, g_steal_pointer(&machine->failure));
  return machine->end;
}
