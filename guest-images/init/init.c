/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define PROTOCOL 1

static void wait_for_power_off(void) {
  char line[64];

  while (control_read(line, sizeof line, true) && strcmp(line, "poweroff") != 0)
    control_answer(line);
}

/* Where it cannot be, the kernel panics over the end of its first process; why is said before. */
static _Noreturn void boot(const Spec *spec, char **argv) {
  if (find_drivers(spec) && enter_root(spec))
    boot_root(argv);
  _exit(1);
}

/* What the command needs. */
static bool prepare(const Spec *spec) {
  if (!find_drivers(spec) || !enter_root(spec) || !mount_shares(spec) || !find_user(spec))
    return false;
  if (spec->makes_directory)
    make_directories(spec->directory);
  set_up_network(spec);
  return true;
}

int main(int argc, char **argv) {
  Spec spec;
  Ports ports;

  (void)argc;
  mount_basics();
  if (!read_spec(&spec, "/eret/spec")) {
    console_say("no usable /eret/spec: this initramfs was not made by eret exec");
    power_off();
  }
  load_modules("/eret/modules");
  if (spec.boot)
    boot(&spec, argv);
  survive_oom();
  if (spec.door)
    run_on_console(&spec, prepare(&spec));
  if (!find_ports(&ports)) {
    console_say("no control port: the kernel has no virtio console driver (CONFIG_VIRTIO_CONSOLE), or none for its bus");
    power_off();
  }
  control_fd = ports.control;
  control_say("hello %d", PROTOCOL);
  prepare_initramfs();
  bool can_run = prepare(&spec);
  run_command(&spec, &ports, can_run);
  send_files(&spec, ports.files);
  control_say("done");
  wait_for_power_off();
  power_off();
}
