/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls answered by eret: one dispatcher behind all doors. A call comes by HVC or SMC (KVM_EXIT_HYPERCALL), or
 * through the doorbell page (devices/hypercall-doorbell.h). Each door finds the service, reads the registers that the
 * service declares, has it called, and writes the results it declares: no others are touched. SMC Calling Convention
 * (Arm DEN 0028) 1.1 and later.
 *
 * docs/hypercalls.md specifies eret's own functions. No KVM here: all of it runs in native tests.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/arm/smccc.h"

#define HYPERCALL_N_REGISTERS 18 /* x0 .. x17: DEN 0028, 2.6 */

#define ERET_HYPERCALL_VERSION 0x00010000u

typedef enum { HYPERCALL_BY_HVC = 1, HYPERCALL_BY_SMC = 2, HYPERCALL_BY_DOORBELL = 4, HYPERCALL_BY_ANY = 7 } HypercallDoor;

typedef struct {
  uint32_t function; /* W0 */
  HypercallDoor door;
  unsigned vcpu;                     /* of HVC and SMC; the frame's number for the doorbell */
  uint64_t x[HYPERCALL_N_REGISTERS]; /* x[1] .. x[n_args] on entry, x[0] .. x[n_results - 1] on return */
} Hypercall;

/* What the door does after the call. */
typedef enum {
  HYPERCALL_RETURN,    /* write the results, go on */
  HYPERCALL_STAND_BY,  /* PSCI: write the results, go on when an interrupt is pending for this vCPU */
  HYPERCALL_OFF,       /* PSCI: this vCPU is off; nothing to write; go to psci_wait */
  HYPERCALL_SUSPEND,   /* PSCI: the machine, of which this vCPU alone is on; nothing to write; x1 and x2 say where it wakes up */
  HYPERCALL_POWER_OFF, /* the machine */
  HYPERCALL_RESET,     /* the machine */
  HYPERCALL_EXIT,      /* end the machine with hypercalls_exit_code */
} HypercallOutcome;

/* Whether the caller goes on behind its call, and finds the results. */
static inline bool hypercall_returns(HypercallOutcome outcome) {
  return outcome == HYPERCALL_RETURN || outcome == HYPERCALL_STAND_BY;
}

typedef struct Hypercalls Hypercalls;
typedef struct HypercallService HypercallService;
struct HypercallService {
  const char *name; /* "eret_write" */
  uint32_t first, last;
  unsigned doors;             /* HypercallDoor bits */
  unsigned n_args, n_results; /* x1 .. x[n_args] are read, x0 .. x[n_results - 1] written: at most 17 and 18 */
  HypercallOutcome (*handle)(const HypercallService *service, Hypercall *call);
  void *opaque; /* the service's own object: Psci, HypercallPeer */
};

/*
 * What eret's own services lead to; all three are needed. Called on the thread of the call, from several at once: they
 * post, and never wait.
 */
typedef struct {
  void (*write)(void *opaque, const char *text, size_t size); /* any bytes */
  void (*mark)(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns);
  void (*ready)(void *opaque, int64_t monotonic_ns);
} HypercallSink;

/* A dispatcher with eret's own services. SINK and OPAQUE must outlive it. */
Hypercalls *hypercalls_new(const HypercallSink *sink, void *opaque);
void hypercalls_free(Hypercalls *hypercalls); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hypercalls, hypercalls_free)
/*
 * Adds a service (psci_add, hypercall_peer_add); SERVICE is copied, its name is not. False when its range overlaps one
 * that is there. Before the first call: look-ups take no lock.
 */
bool hypercalls_add(Hypercalls *hypercalls, const HypercallService *service);

/*
 * The service for FUNCTION by DOOR; never NULL: an unknown one gets the service that answers NOT_SUPPORTED. Its handle
 * wants a call whose x holds at least the arguments that it declares, zeros elsewhere. Any thread.
 */
const HypercallService *hypercalls_find(const Hypercalls *hypercalls, uint32_t function, HypercallDoor door);
/*
 * Finds it and calls it, for a door that has all registers at hand (the doorbell page): reads from X the arguments that
 * the service declares, and, where the call returns, writes the results it declares.
 */
HypercallOutcome hypercalls_call_registers(Hypercalls *hypercalls, HypercallDoor door, unsigned vcpu, uint32_t function,
                                           uint64_t x[HYPERCALL_N_REGISTERS]);

int hypercalls_exit_code(const Hypercalls *hypercalls); /* after HYPERCALL_EXIT: the first caller's code; -1 before */
