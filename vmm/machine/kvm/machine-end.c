/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a machine runs and ends: what the vCPUs say is posted, on their threads, and handled on the main thread.
 */
#include <errno.h>
#include <stddef.h>

#include "devices/backend/terminal.h"
#include "vmm/machine/kvm/machine-state.h"
#include "vmm/machine/kvm/regs.h"
#include "vmm/observe/stuck.h"

#define SCTLR_M        (UINT64_C(1) << 0)
#define STUCK_TOLD_MAX 4 /* vCPUs: the others have the same trouble */

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
  machine_unboot(machine);
  timeline_add(machine->trace.timeline, PHASE_REBOOT); /* nothing of the boot that is over comes behind it */
  /* What another vCPU asked for at the same moment was of the boot that is over. */
  g_mutex_lock(&machine->lock);
  machine->pending = VERDICT_CONTINUE;
  g_clear_pointer(&machine->pending_failure, g_free);
  g_mutex_unlock(&machine->lock);
  guest_ram_discard(&machine->ram);
  guest_ram_discard(&machine->steal_time);
  if (!machine_boot(machine, &machine->failure))
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

void machine_vcpu_ended(Vcpu *vcpu, Verdict verdict, void *opaque) {
  post(opaque, verdict, vcpu->failure);
}

/*
 * A call by the doorbell page, on the thread of the vCPU that wrote to it. PSCI is not served there, so that only
 * eret_exit ends anything.
 */
void machine_doorbell_call(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]) {
  Machine *machine = opaque;

  if (hypercalls_call_registers(machine->calls.hypercalls, HYPERCALL_BY_DOORBELL, frame, function, x) == HYPERCALL_EXIT) {
    /* It does not return: no vCPU enters the guest again, the caller's least of all. */
    for (unsigned i = 0; i < machine->vm.n_vcpus; i++)
      __atomic_store_n(&machine->vm.vcpus[i].stop, 1, __ATOMIC_SEQ_CST);
    post(machine, VERDICT_EXIT, NULL);
  }
}

static Machine *machine_of(GuestEvents *events) {
  return (Machine *)((char *)events - offsetof(Machine, events));
}

void machine_watchdog_expired(GuestEvents *events) {
  static const struct {
    Verdict verdict;
    const char *what;
  } actions[] = {
      [WATCHDOG_NONE] = {VERDICT_CONTINUE, ""},
      [WATCHDOG_RESET] = {VERDICT_RESET, ": it is reset"},
      [WATCHDOG_POWER_OFF] = {VERDICT_POWER_OFF, ": the machine is powered off"},
      [WATCHDOG_FAIL] = {VERDICT_FAIL, ""},
  };
  Machine *machine = machine_of(events);
  const WatchdogAction action = machine->config->watchdog;

  if (action != WATCHDOG_FAIL)
    g_warning("the guest has not served its watchdog%s", actions[action].what);
  post(machine, actions[action].verdict, "the guest has not served its watchdog");
}

void machine_guest_panicked(GuestEvents *events, bool recovers) {
  if (recovers)
    g_message("the guest's kernel panicked, and another takes over");
  else
    post(machine_of(events), VERDICT_FAIL, "the guest's kernel panicked");
}

void machine_stop(Machine *machine, const char *why) {
  if (why)
    g_message("stopped: %s", why);
  end(machine, MACHINE_STOPPED);
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

static bool read_registers(int fd, StuckRegisters *registers, uint64_t *sctlr) {
  return reg_get(fd, REG_PC, &registers->pc) && reg_get(fd, REG_PSTATE, &registers->pstate) && reg_get(fd, REG_ELR_EL1, &registers->elr) &&
         reg_get(fd, REG_ESR_EL1, &registers->esr) && reg_get(fd, REG_FAR_EL1, &registers->far) &&
         reg_get(fd, REG_VBAR_EL1, &registers->vbar) && reg_get(fd, REG_SCTLR_EL1, sctlr);
}

/* At the end of a machine that did not end by itself: a line for each vCPU that is stuck in its exception vectors. */
static void tell_stuck(const Machine *machine) {
  StuckRegisters registers;
  unsigned told = 0;
  uint64_t sctlr;

  for (unsigned i = 0; i < machine->vm.n_vcpus && told < STUCK_TOLD_MAX; i++) {
    const Vcpu *vcpu = &machine->vm.vcpus[i];
    if (!read_registers(vcpu->fd, &registers, &sctlr) || !stuck_in_vectors(&registers))
      continue;
    /* With the MMU on, a virtual address alone says nothing of memory. */
    bool has_memory = sctlr & SCTLR_M || guest_memory_slice(&machine->memory, registers.elr, sizeof(uint32_t));
    g_autofree char *text = stuck_describe(vcpu->index, &registers, has_memory);
    g_message("the guest is stuck: %s", text);
    told++;
  }
}

/* First those who look, then who waits for it, and may look then. */
static void tell_running(const Machine *machine) {
  const MachineClient *client = machine->client;
  const VirtioDevice *vsock = platform_find(machine->platform, &virtio_vsock_kind);

  if (client->named && vsock)
    named_machine_set_sockets(client->named, virtio_vsock_get_cid(vsock), ((const VsockConfig *)machine->config->vsock->pdata[0])->path);
  if (client->named)
    named_machine_set_life(client->named, MACHINE_RUNNING);
  if (client->started)
    client->started(client->opaque);
}

MachineEnd machine_run(Machine *machine, GError **error) {
  machine->loop = g_main_loop_new(NULL, FALSE);
  machine->control = control_new(&machine_control_ops, machine, machine->config->grace);
  machine_resize_console(machine);
  if (machine_boot(machine, &machine->failure)) {
    tell_running(machine);
    g_main_loop_run(machine->loop);
  } else {
    end(machine, MACHINE_FAILED);
  }
  machine_stop_vcpus(machine);
  if (machine->end == MACHINE_STOPPED)
    tell_stuck(machine);
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
