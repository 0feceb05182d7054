/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine where there cannot be one: this build is not for ARM64. Planning, device trees and traces work all the
 * same. Nor is there a KVM to ask, or to show the host's CPU as guests see it.
 */
#include "vmm/machine/machine.h"

#include <sys/utsname.h>

#include "vmm/machine/cpu-host.h"
#include "vmm/machine/probe.h"

G_DEFINE_QUARK(eret_machine_error, machine_error)

bool machine_can_run(GError **error) {
  struct utsname host;

  g_set_error(
      error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM,
      "this is a build for %s: guests need ARM64 Linux with KVM. `make run` in eret's source tree boots one inside an emulated ARM64 host",
      uname(&host) == 0 ? host.machine : "another processor");
  return false;
}

Machine *machine_new(const Config *config, const MachineClient *client, Tell tell, GError **error) {
  machine_can_run(error);
  return NULL;
}

void machine_free(Machine *machine) {
}

MachineEnd machine_run(Machine *machine, GError **error) {
  g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM, "there is no machine");
  return MACHINE_FAILED;
}

bool machine_lost_reports(const Machine *machine) {
  return false;
}

int machine_exit_code(const Machine *machine) {
  return -1;
}

void machine_stop(Machine *machine, const char *why) {
}

void machine_end_port_input(Machine *machine, unsigned port) {
}

char *machine_describe_vcpus(const Machine *machine) {
  return NULL;
}

const Timeline *machine_timeline(const Machine *machine) {
  return NULL;
}

CpuTemplate *cpu_host_read(const Config *config, GError **error) {
  machine_can_run(error);
  return NULL;
}

void kvm_probe(KvmFacts *facts) {
  *facts = (KvmFacts){.built = false};
}
