/* SPDX-License-Identifier: Apache-2.0 */
/* What the user does to a running machine: signals, the terminal. Main thread. */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/terminal.h"
#include "devices/virtio/console.h"
#include "vmm/machine/kvm/machine-state.h"
#include "vmm/machine/kvm/pause.h"

#define REPORT_WAIT_MS 1000 /* that statistics may wait for who reads them, while the machine runs */

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
  struct winsize size;

  if (machine->terminal && machine->platform->virtio_console && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    virtio_console_resize(machine->platform->virtio_console, size.ws_col, size.ws_row);
}

static void control_resized(void *opaque) {
  machine_resize_console(opaque);
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
