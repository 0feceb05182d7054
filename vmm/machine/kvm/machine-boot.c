/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's boots. What does not outlive a reboot of the guest (the VM, its GIC and vCPUs) is made anew for each, so
 * that nothing of the kernel's state survives one. Main thread.
 */
#include "vmm/machine/kvm/machine-state.h"
#include "vmm/machine/kvm/regs.h"

#define LET_GO_MS 100 /* after the guest's first instruction, which it could delay, what was loaded is given back */

static bool load_guest(Machine *machine, GError **error) {
  BootPlacement placement;
  uint64_t psci_version;
  BootSeed seed;

  boot_seed_init(&seed);
  if (reg_get(machine->vm.vcpus[0].fd, KVM_REG_ARM_PSCI_VERSION, &psci_version))
    machine_hypercalls_set_psci_version(&machine->calls, (uint32_t)psci_version);
  if (!reg_get(machine->vm.vcpus[0].fd, REG_CLIDR_EL1, &machine->wiring.clidr))
    machine->wiring.clidr = 0;
  g_autoptr(GBytes) fdt = boot_plan(&machine->files, machine->platform, &seed, &placement, error);
  boot_set_items(&machine->files, machine->platform);
  return fdt && boot_load(&machine->files, &placement, fdt, &machine->memory, error) &&
         vcpu_set_entry(&machine->vm.vcpus[0], placement.entry, placement.x0, error);
}

static bool create_vm(Machine *machine, GError **error) {
  if (!machine_hypercalls_begin_boot(&machine->calls, error))
    return false;
  const VcpuShared vcpus = {
      .features = &machine->cpu,
      .bus = machine->platform->bus,
      .memory = &machine->memory,
      .pin = machine->pin,
      .gate = &machine->gate,
      .shortcuts = machine->shortcuts,
      .hypercalls = machine->calls.hypercalls,
      .psci = machine->calls.psci,
      .timeline = machine->trace.timeline,
      .sandbox = machine->sandbox,
      .ended = machine_vcpu_ended,
      .opaque = machine,
  };
  return vm_create(&machine->vm, &machine->kvm, machine->board, machine->config->cpu_fields,
                   machine->kvm.smccc_filter ? machine->calls.plan : NULL, &vcpus, error);
}

static gboolean let_files_go(gpointer data) {
  Machine *machine = data;

  machine->let_go = 0;
  boot_files_let_go(&machine->files);
  return G_SOURCE_REMOVE;
}

static void connect_shortcuts(Machine *machine) {
  const Vm *vm = &machine->vm;

  if (machine->shortcuts)
    kvm_shortcuts_connect(machine->shortcuts, vm->fd, vm->vcpus[0].run, vm->vcpus[0].run_size);
}

/* Before any thread of the guest's runs: it is one that may do more. */
static bool start_maker(Machine *machine, GError **error) {
  if (!machine->sandbox || machine->threads.maker || !platform_has_threads(machine->platform))
    return true;
  machine->threads.maker = io_thread_new("threads", error);
  return machine->threads.maker && io_thread_start(machine->threads.maker, NULL, error);
}

bool machine_boot(Machine *machine, GError **error) {
  Vm *vm = &machine->vm;

  if (!machine_trace_begin(&machine->trace, error) ||
      !boot_begin_load(&machine->files, machine->board->ram.base, &machine->memory, error) || !create_vm(machine, error))
    return false;
  machine_trace_begin_boot(&machine->trace, vm->vcpus, vm->n_vcpus, vm->fd);
  if ((machine->files.kernel && !vm_check_page_size(vm, machine->files.kernel->page_size, machine->config->kernel, error)) ||
      !irq_connect(machine->irq, vm->fd, error) || !kvm_doorbells_connect(machine->doorbells, vm->fd, error))
    return false;
  if (!machine->config->reboot)
    kvm_close(&machine->kvm); /* nothing is made of it any more */
  timeline_add(machine->trace.timeline, PHASE_KVM_OBJECTS_MADE);
  if (!load_guest(machine, error))
    return false;
  timeline_add(machine->trace.timeline, PHASE_KERNEL_LOADED);
  bool in_flash = board_holds_code(machine->board);
  if (in_flash)
    connect_shortcuts(machine);
  if (!start_maker(machine, error) || !vm_start(vm, error))
    return false;
  machine->let_go = g_timeout_add(LET_GO_MS, let_files_go, machine);
  const VirtioDevice *console = platform_find(machine->platform, &virtio_console_kind);
  if (console)
    machine->hint = console_hint_new(console, CONSOLE_HINT_MS);
  /* A kernel has enough to do before it looks at devices; firmware needs its flash for the first instruction. */
  if (!in_flash)
    connect_shortcuts(machine);
  return true;
}

/* All are told before any is waited for; and before their calls are ended, so that no guest sees an error of that. */
void machine_stop_vcpus(Machine *machine) {
  vm_stop(&machine->vm);
  machine_hypercalls_stop(&machine->calls);
  vm_join(&machine->vm);
  kvm_shortcuts_catch_up(machine->shortcuts);
}

/* Ends a boot, however far it came. Devices are quiet before the VM they interrupt goes away. */
void machine_unboot(Machine *machine) {
  g_clear_handle_id(&machine->let_go, g_source_remove);
  g_clear_pointer(&machine->hint, console_hint_free);
  machine_stop_vcpus(machine);
  platform_pause(machine->platform); /* the last requests are carried out */
  platform_reset(machine->platform);
  platform_resume(machine->platform);
  irq_connect(machine->irq, -1, NULL);
  kvm_doorbells_connect(machine->doorbells, -1, NULL);
  if (machine->shortcuts)
    kvm_shortcuts_disconnect(machine->shortcuts);
  machine_trace_end_boot(&machine->trace);
  vm_destroy(&machine->vm);
  machine_hypercalls_end_boot(&machine->calls);
}
