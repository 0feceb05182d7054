/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host's CPU looks like to guests. vmm/machine/kvm/ implements it on ARM64; elsewhere vmm/machine/none/ says
 * why it cannot be known.
 */
#pragma once

#include "vmm/config/config.h"

/*
 * Every field of the ID registers that a guest with the CPU of CONFIG sees, its template applied; named after the host.
 * Errors are MACHINE_ERROR's.
 */
CpuTemplate *cpu_host_read(const Config *config, GError **error);
