/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercall doorbell: hypercalls by memory access, for those who cannot execute HVC or SMC (programs in user space
 * through /dev/mem or UIO) and for hosts that cannot forward them. Registers: see hypercall-doorbell.c and
 * docs/hypercalls.md.
 */
#pragma once

#include "devices/device-kind.h"

#define HYPERCALL_DOORBELL_FRAMES     16
#define HYPERCALL_DOORBELL_FRAME_SIZE 0x1000
#define HYPERCALL_DOORBELL_SIZE       (HYPERCALL_DOORBELL_FRAMES * HYPERCALL_DOORBELL_FRAME_SIZE)
#define HYPERCALL_DOORBELL_REGISTERS  18

/* Who answers, and what describe and the registers say of it. */
typedef struct HypercallDoorbellCalls {
  /* X holds x0 .. x17 and takes the results. With the device's lock held. */
  void (*call)(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]);
  void *opaque;
  const char *method; /* the conduit of eret's functions, "hvc" or "smc"; NULL: the doorbell alone */
  uint32_t first_function, version;
} HypercallDoorbellCalls;

extern const DeviceKind hypercall_doorbell_kind;
