/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual CPU: its descriptor, the memory it shares with the kernel, and its thread. */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/guest-memory.h"
#include "vmm/arm/execute.h"
#include "vmm/arm/kvm-abi.h"
#include "vmm/cage/sandbox.h"
#include "vmm/cpu/features.h"
#include "vmm/cpu/pin.h"
#include "vmm/hypercall/psci.h"
#include "vmm/machine/kvm/gate.h"
#include "vmm/machine/kvm/shortcuts.h"
#include "vmm/observe/timeline.h"
#include "vmm/observe/vcpu-watch.h"

/* What is to happen after an exit. */
typedef enum {
  VERDICT_CONTINUE,
  VERDICT_POWER_OFF, /* the guest powered the machine off */
  VERDICT_RESET,     /* the guest asked for a reboot */
  VERDICT_EXIT,      /* the guest ended the machine with an exit code */
  VERDICT_CPU_OFF,   /* this vCPU alone is off, until PSCI turns it on: never leaves the vCPU's thread */
  VERDICT_FAIL,      /* eret cannot go on; vcpu->failure says why */
} Verdict;

typedef struct Vcpu Vcpu;

/* What all vCPUs of a VM share, and nobody changes while there are any. */
typedef struct {
  int vm_fd;
  const CpuFeatures *features;
  Bus *bus;
  const GuestMemory *memory;
  Gate *gate;
  KvmShortcuts *shortcuts; /* NULL: none */
  const Pin *pin;          /* NULL: any CPU */
  Hypercalls *hypercalls;
  Psci *psci; /* NULL: PSCI is the kernel's */
  Timeline *timeline;
  Sandbox *sandbox; /* NULL: none */
  /* Called on the vCPU's thread with the verdict that ended it, never VERDICT_CONTINUE. */
  void (*ended)(Vcpu *vcpu, Verdict verdict, void *opaque);
  void *opaque;
} VcpuShared;

struct Vcpu {
  const VcpuShared *shared;
  unsigned index;
  int fd; /* -1: none */
  struct kvm_run *run;
  size_t run_size;
  VcpuWatch *watch; /* NULL: nobody counts or records */
  GThread *thread;  /* NULL: not started */
  pthread_t handle;
  int stop;      /* atomic */
  bool came_out; /* the thread's: there was an exit */
  A64Monitor monitor;
  struct {
    uint64_t entry, context; /* where a guest that has suspended the machine wants to wake up */
    int asleep, woken;       /* atomic: it has, and somebody presses its button */
  } suspended;
  struct {
    uint64_t pc, address; /* of the access that the vCPU was told to try again, */
    unsigned times;       /* so often in a row */
  } retry;
  bool abort_told; /* one was given to the guest, for an access that could not be carried out: the log has it */
  char *failure;
};

/* Creates vCPU INDEX; SHARED must outlive it. Reset state comes with vcpu_init. */
bool vcpu_create(Vcpu *vcpu, const VcpuShared *shared, unsigned index, int kvm_fd, GError **error);
/* Power-on state; every vCPU but the first waits for PSCI CPU_ON. All vCPUs must have been created. */
bool vcpu_init(Vcpu *vcpu, GError **error);
/* Where the first vCPU begins, with the device tree's address in x0 (arm64 boot protocol). */
bool vcpu_set_entry(Vcpu *vcpu, uint64_t entry, uint64_t fdt, GError **error);

bool vcpu_start(Vcpu *vcpu, GError **error);
/* Asks the thread to leave KVM_RUN and end; join waits for it. */
void vcpu_kick(Vcpu *vcpu);
/* Makes the thread leave KVM_RUN, if it is there; for a gate that has been closed. */
void vcpu_interrupt(Vcpu *vcpu);
void vcpu_join(Vcpu *vcpu);
void vcpu_destroy(Vcpu *vcpu); /* joined */

/*
 * PSCI CPU_SUSPEND: the vCPU waits in KVM_RUN until an interrupt is pending for it, masked or not, as with KVM's own;
 * then it goes on behind the call.
 */
bool vcpu_stand_by(Vcpu *vcpu, GError **error);
bool vcpu_go_on(Vcpu *vcpu, GError **error);

/*
 * PSCI SYSTEM_SUSPEND: the vCPU waits in KVM_RUN for an interrupt; then it begins, out of reset, where the guest has
 * said.
 */
bool vcpu_suspend(Vcpu *vcpu, GError **error);
bool vcpu_wake_up(Vcpu *vcpu, GError **error);
/* Whoever suspended the machine on this vCPU wakes up, interrupt or not: its power button was pressed. Any thread. */
void vcpu_wake_from_suspend(Vcpu *vcpu);

/* Once in a process, before any vCPU starts: the signal that interrupts KVM_RUN. */
void vcpu_install_kick_signal(void);

/* exit.c: what an exit leads to. On the vCPU's thread. */
Verdict exit_dispatch(Vcpu *vcpu);
/*
 * nisv.c, an access outside RAM that KVM leaves to us: carries out the instruction, or gives the guest an external
 * abort.
 */
Verdict exit_nisv(Vcpu *vcpu);
/* VERDICT_FAIL, with a message that ends with the vCPU's registers. */
Verdict exit_fail(Vcpu *vcpu, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Somebody wakes the machine up, and KVM_RUN was left for it; where an interrupt was first there is nothing to do. */
Verdict exit_woken(Vcpu *vcpu);
/* KVM_RUN itself failed with ERROR_NUMBER. */
Verdict exit_run_failed(Vcpu *vcpu, int error_number);
