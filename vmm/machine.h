/*
 * The machine: assembles everything a Config asks for, owns it, and takes it through its life: created, running, stopped;
 * a guest's reboot is a new turn of the same loop. vmm/kvm/ implements it on ARM64; elsewhere vmm/no-kvm/ says why there is none.
 */
#pragma once

#include <glib.h>

#include "vmm/config.h"

typedef struct Machine Machine;

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

/* CONFIG must outlive the machine. Main thread. */
Machine *machine_new(const Config *config, GError **error);
void machine_free(Machine *machine); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/* Boots, and returns when the machine has ended; runs the default main context meanwhile and takes signals and the terminal. */
MachineEnd machine_run(Machine *machine, GError **error);
/* After MACHINE_EXITED: 0 .. 255. */
int machine_exit_code(const Machine *machine);
