/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's hypercalls: what its guest's calls lead to. Part of machine.c's object; see there for its life. */
#pragma once

#include "devices/char-backend.h"
#include "vmm/config/board.h"
#include "vmm/hypercall/hypercall.h"
#include "vmm/hypercall/psci.h"
#include "vmm/observe/timeline.h"

typedef struct {
  const Config *config;
  CharBackend *console; /* where eret_write goes */
  Timeline *timeline;   /* where marks and the ready signal go */
  GArray *plan;         /* of SmcccRange */
  GPtrArray *peers;     /* of HypercallPeer: over all boots */
  int64_t start_ns;     /* CLOCK_MONOTONIC, of the process's machine: marks are told from there */
  gint n_marks_told;    /* atomic */
  gint stopping;        /* atomic */

  /* One boot. */
  Hypercalls *hypercalls;
  Psci *psci; /* NULL: PSCI is the kernel's */
} MachineHypercalls;

/*
 * Connects to the services outside the process. FILTER: whether the kernel can forward; where it cannot and the user
 * asked for it, an error.
 */
bool machine_hypercalls_init(MachineHypercalls *calls, const Config *config, bool filter, CharBackend *console, Timeline *timeline,
                             GError **error);
void machine_hypercalls_clear(MachineHypercalls *calls);

/* A new set of services for a boot; the one before ends with machine_hypercalls_end_boot. */
bool machine_hypercalls_begin_boot(MachineHypercalls *calls, GError **error);
/* What KVM would answer as PSCI_VERSION on this VM. Before any vCPU runs. */
void machine_hypercalls_set_psci_version(MachineHypercalls *calls, uint32_t version);
/*
 * Lets vCPU threads that wait end: for CPU_ON, for the answer of a service outside the process, for whoever reads the
 * console. Until the next boot begins.
 */
void machine_hypercalls_stop(MachineHypercalls *calls);
void machine_hypercalls_end_boot(MachineHypercalls *calls);
