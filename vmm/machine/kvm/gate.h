/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate in front of KVM_RUN: closed, no vCPU runs guest code; its thread waits here. vCPUs pass it on their own
 * threads, the main thread closes and opens it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  GMutex lock; /* guards inside; `closed` is written under it, and read without */
  GCond changed;
  unsigned inside; /* vCPUs that are between enter and leave */
  int closed;      /* atomic */
} Gate;

void gate_init(Gate *gate);
void gate_clear(Gate *gate);

/*
 * A vCPU begins, and ends, to run guest code. Entering waits while the gate is closed, unless *STOP (atomic) is set:
 * false.
 */
bool gate_enter(Gate *gate, const int *stop);
void gate_leave(Gate *gate);
/* Whether those inside are to leave. */
static inline bool gate_is_closed(const Gate *gate) {
  return __atomic_load_n(&gate->closed, __ATOMIC_SEQ_CST);
}

/*
 * Closes the gate for those who come. Those inside have to be made to leave (vcpu_interrupt); gate_wait returns when
 * all have.
 */
void gate_close(Gate *gate);
void gate_wait(Gate *gate);
void gate_open(Gate *gate);
/* Something that a waiting vCPU looks at has changed: *STOP. */
void gate_wake(Gate *gate);
