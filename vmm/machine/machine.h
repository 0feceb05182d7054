/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: assembles everything a Config asks for, owns it, and takes it through its life: created, running,
 * stopped; a guest's reboot is a new turn of the same loop. vmm/machine/kvm/ implements it on ARM64; elsewhere
 * vmm/machine/none/ says why there is none.
 */
#pragma once

#include <glib.h>

#include "devices/char-backend.h"
#include "devices/virtio/console-ports.h"
#include "vmm/base/tell.h"
#include "vmm/config/config.h"
#include "vmm/control/named-machine.h"
#include "vmm/observe/timeline.h"

typedef struct Machine Machine;

/*
 * Who runs a machine for a purpose of its own, and not for a person at the terminal. Everything is optional; back ends
 * outlive the machine.
 */
typedef struct {
  CharBackend *console;       /* what the guest's console leads to; NULL: the terminal */
  NamedMachine *named;        /* NULL: it has no name; outlives the machine */
  GBytes *initrd;             /* instead of the configuration's */
  VirtioConsolePortSet ports; /* none: no such device */
  /* Directories that it will use by their paths while the machine runs, and later: absolute, ended by NULL; or NULL. */
  const char *const *paths;
  bool writes_json; /* at the end */
  /* It runs: the first boot has come as far as the guest's first instruction. Main thread. */
  void (*started)(void *opaque);
  /* SIGINT, SIGTERM or SIGHUP came. True: taken care of; else the guest's power button is pressed. Main thread. */
  bool (*asked_to_stop)(void *opaque, int signal_number);
  /* The process is about to be stopped (SIGTSTP), the machine with it; or it goes on. Main thread. */
  void (*paused)(void *opaque, bool paused);
  void *opaque;
} MachineClient;

typedef enum {
  MACHINE_ERROR_NO_KVM, /* this host cannot run guests: the message says why and what to do */
  MACHINE_ERROR_HOST,   /* KVM, memory or a file refused */
  MACHINE_ERROR_GUEST,  /* the guest did what eret cannot handle: message with registers */
} MachineError;
#define MACHINE_ERROR (machine_error_quark())
GQuark machine_error_quark(void);

typedef enum {
  MACHINE_POWERED_OFF, /* by the guest */
  MACHINE_RESET,       /* by the guest, under --no-reboot */
  MACHINE_STOPPED,     /* by the user */
  MACHINE_EXITED,      /* by the guest, with machine_exit_code */
  MACHINE_FAILED,      /* the error says how */
} MachineEnd;

/* Whether this host can run guests at all; the error says why not. */
bool machine_can_run(GError **error);

/*
 * CONFIG, and CLIENT unless it is NULL, must outlive the machine. TELL shows what --stats asks for. Main thread.
 */
Machine *machine_new(const Config *config, const MachineClient *client, Tell tell, GError **error);
void machine_free(Machine *machine); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/*
 * Boots, and returns when the machine has ended; runs the default main context meanwhile and takes signals and the
 * terminal.
 */
MachineEnd machine_run(Machine *machine, GError **error);
/* Ends a running machine: MACHINE_STOPPED, once devices are at rest. WHY is logged, unless NULL. Main thread. */
void machine_stop(Machine *machine, const char *why);
/* The host's end of the stream to port PORT of the client: the guest reads end of file. Main thread. */
void machine_end_port_input(Machine *machine, unsigned port);
/* The moments of its life; the machine's. NULL: none are kept. */
const Timeline *machine_timeline(const Machine *machine);
/* Registers of every vCPU, several lines each; free with g_free. After machine_run. */
char *machine_describe_vcpus(const Machine *machine);
/*
 * Whether something of --stats, --record or the console could not be written, which has been logged. After machine_run.
 */
bool machine_lost_reports(const Machine *machine);
/* After MACHINE_EXITED: 0 .. 255. */
int machine_exit_code(const Machine *machine);
