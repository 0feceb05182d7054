/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user does to a running machine: signals, the terminal. Main thread.
 *
 * A machine that is paused stands still: no vCPU runs, no request is in flight, and the guest's counter does not go on,
 * so that it notices nothing but the clock on the host's wall. The offset between the host's counter and the guest's is
 * the whole VM's, and can be set while no vCPU is looked at. Linux: KVM_ARM_SET_COUNTER_OFFSET (6.4 and later; before
 * it, the guest sees its counter jump).
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/terminal.h"
#include "devices/virtio/console.h"
#include "vmm/machine/kvm/machine-state.h"
#include "vmm/machine/kvm/regs.h"

#define REPORT_WAIT_MS 1000                /* that statistics may wait for who reads them, while the machine runs */
#define NEAR           (UINT64_C(1) << 22) /* counts that may well pass between two looks: 4 ms at 1 GHz */

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

void machine_resize_console(Machine *machine) {
  VirtioDevice *console = platform_find(machine->platform, &virtio_console_kind);
  struct winsize size;

  if (machine->terminal && console && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    virtio_console_resize(console, size.ws_col, size.ws_row);
}

static void control_resized(void *opaque) {
  machine_resize_console(opaque);
}

static void control_report(void *opaque) {
  Machine *machine = opaque;

  machine_trace_print(&machine->trace, machine->platform, REPORT_WAIT_MS);
}

static uint64_t host_count(void) {
  uint64_t count;

  __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
  return count;
}

static bool set_offset(int vm_fd, uint64_t offset) {
  const struct kvm_arm_counter_offset request = {.counter_offset = offset};
  return ioctl(vm_fd, KVM_ARM_SET_COUNTER_OFFSET, &request) == 0;
}

/*
 * Where the host is itself a guest, its counter as we read it may have an offset that KVM's has not: what comes of the
 * first try shows it.
 */
static void set_count(const Vm *vm, uint64_t wanted) {
  uint64_t offset = host_count() - wanted, count;

  if (!set_offset(vm->fd, offset) || !reg_get(vm->vcpus[0].fd, KVM_REG_ARM_TIMER_CNT, &count) || count - wanted < NEAR)
    return;
  set_offset(vm->fd, offset + (count - wanted));
}

/* Returns when no vCPU runs any more. */
static void halt(Machine *machine) {
  gate_close(&machine->gate);
  for (unsigned i = 0; i < machine->vm.n_vcpus; i++)
    vcpu_interrupt(&machine->vm.vcpus[i]);
  gate_wait(&machine->gate);
}

static void tell_paused(const MachineClient *client, bool paused) {
  if (client->named)
    named_machine_set_life(client->named, paused ? MACHINE_PAUSED : MACHINE_RUNNING);
  if (client->paused)
    client->paused(client->opaque, paused);
}

/* SIGTSTP: the machine stands still first, then the process; SIGCONT is where stop() returns. */
static void control_pause(void *opaque) {
  Machine *machine = opaque;
  uint64_t count; /* CNTVCT_EL0 of the guest */

  if (machine->stopping || !machine->vm.vcpus)
    return;
  halt(machine);
  bool known = reg_get(machine->vm.vcpus[0].fd, KVM_REG_ARM_TIMER_CNT, &count);
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
  if (known)
    set_count(&machine->vm, count);
  gate_open(&machine->gate);
}

const ControlOps machine_control_ops = {
    .asked_to_stop = control_asked_to_stop,
    .power_button = control_power_button,
    .stop = control_stop,
    .resized = control_resized,
    .report = control_report,
    .pause = control_pause,
};

void machine_terminal_event(TerminalEvent event, void *opaque) {
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
