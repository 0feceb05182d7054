/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wiring of no effect: lines, messages and doorbells that lead nowhere and memory that is empty. For plans and
 * device trees without KVM.
 */
#pragma once

#include "devices/guest-events.h"
#include "devices/hypercall-doorbell.h"
#include "vmm/machine/platform.h"

typedef struct {
  PlatformWiring wiring;
  IrqLines irqs;
  IrqLine line;
  MsiController msi;
  Doorbells doorbells;
  Clock *clock;
  GuestMemory memory;
  HypercallDoorbellCalls hypercalls;
  GuestEvents events;
} NullWiring;

/* clang-format off */
#define NULL_WIRING_INIT {.clock = NULL}
/* clang-format on */

void null_wiring_init(NullWiring *null);
/* As if the host had all that was asked for. */
void null_wiring_set_cpu(NullWiring *null, const CpuConfig *cpu);
void null_wiring_clear(NullWiring *null);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NullWiring, null_wiring_clear)
