/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform host of no effect: lines, messages and doorbells that lead nowhere and memory that is empty. For plans and
 * device trees without KVM.
 */
#pragma once

#include "vmm/machine/platform.h"

typedef struct {
  PlatformHost host;
  IrqLine line;
  MsiController msi;
  Doorbells doorbells;
  Clock *clock;
  GuestMemory memory;
} NullHost;

/* clang-format off */
#define NULL_HOST_INIT {.clock = NULL}
/* clang-format on */

void null_host_init(NullHost *null);
/* As if the host had all that was asked for. */
void null_host_set_cpu(NullHost *null, const CpuConfig *cpu);
void null_host_clear(NullHost *null);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NullHost, null_host_clear)
