/* SPDX-License-Identifier: Apache-2.0 */
/* The host's CPU where there is no KVM to show it to guests. */
#include "vmm/machine/cpu-host.h"

#include "vmm/machine/machine.h"

CpuTemplate *cpu_host_read(const Config *config, GError **error) {
  machine_can_run(error);
  return NULL;
}
