/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a Machine, for the four files that are its life: made and freed (machine.c), booted (machine-boot.c),
 * ended (machine-end.c), and in the user's hands meanwhile (machine-user.c).
 */
#pragma once

#include "devices/backend/terminal.h"
#include "devices/guest-events.h"
#include "devices/hypercall-doorbell.h"
#include "devices/user-network.h"
#include "devices/virtio/disk-server.h"
#include "vmm/cage/sandbox.h"
#include "vmm/helpers/broker.h"
#include "vmm/machine/boot.h"
#include "vmm/machine/console-hint.h"
#include "vmm/machine/control.h"
#include "vmm/machine/kvm/doorbells.h"
#include "vmm/machine/kvm/irq.h"
#include "vmm/machine/kvm/machine-hypercalls.h"
#include "vmm/machine/kvm/machine-trace.h"
#include "vmm/machine/kvm/vm.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/memory.h"
#include "vmm/machine/platform.h"

#define OUTPUT_FLUSH_MS 2000 /* how long the last output may take to be read */

struct Machine {
  const Config *config;
  const MachineClient *client; /* never NULL */
  Kvm kvm;
  GicVersion gic_version;
  CpuFeatures cpu;
  Board *board;
  BootFiles files;
  Pin *pin; /* or NULL */
  Gate gate;
  GuestRam ram, steal_time;
  GuestMemory memory;
  Clock *clock;
  CharBackend *terminal; /* NULL: the client has the console */
  CharBackend *shared;   /* in front of that, where the machine has a name; or NULL */
  CharBackend *console;  /* in front of the terminal, or of the client's: what devices write to */
  Irq *irq;
  KvmDoorbells *doorbells;
  KvmShortcuts *shortcuts; /* NULL: every access exits */
  MachineHypercalls calls;
  MachineTrace trace;
  HypercallDoorbellCalls doorbell_calls;
  GuestEvents events;
  UserNetworks *user_networks; /* NULL: no card has one */
  Shares *shares;              /* NULL: no directory is shared */
  DiskServers *disk_servers;   /* NULL: no disk needs one */
  bool networks_share;         /* guest memory, with those */
  Sandbox *sandbox;            /* NULL: threads may do what they like */
  Broker *broker;              /* who starts helpers */
  IoThreads threads;           /* how those of devices come into it */
  PlatformWiring wiring;
  Platform *platform;

  Vm vm;             /* one boot */
  ConsoleHint *hint; /* or NULL */
  guint let_go;      /* 0, or the timer that gives back what was loaded */

  /* Running. */
  GMainLoop *loop;
  Control *control;
  MachineEnd end;
  int exit_code;
  GError *failure;
  bool lost_reports;
  GMutex lock; /* guards pending */
  Verdict pending;
  char *pending_failure;
  bool stopping;
};

/* machine-cage.c */

/* What it will need of threads' system calls is known, and the terminal in raw mode, if it will be. */
bool machine_prepare_sandbox(Machine *machine, GError **error);
/* All is open that it will need, and there is no other thread yet. */
bool machine_enter_sandbox(Machine *machine, GError **error);

/* machine-boot.c: one boot, up to the first instruction; and its end, however far it came. */
bool machine_boot(Machine *machine, GError **error);
void machine_unboot(Machine *machine);
/* No vCPU runs any more, and what they have deferred is carried out. */
void machine_stop_vcpus(Machine *machine);

/* machine-end.c: what vCPUs and the doorbell page lead to. Any thread. */
void machine_vcpu_ended(Vcpu *vcpu, Verdict verdict, void *opaque);
/* What devices tell of the guest: of a Machine's events. */
void machine_watchdog_expired(GuestEvents *events);
void machine_guest_panicked(GuestEvents *events, bool recovers);
void machine_doorbell_call(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]);

/* machine-user.c */
extern const ControlOps machine_control_ops;
void machine_resize_console(Machine *machine);
void machine_terminal_event(TerminalEvent event, void *opaque);
