/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a machine with a name, while it runs and when it has failed: what it says of itself in a file of its
 * runtime directory (runtime-directory.h), in JSON, and whether anybody holds that directory.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/control/guest-port.h"
#include "vmm/control/runtime-directory.h"

#define MACHINE_FILE    "machine.json"
#define MACHINE_CONSOLE "console" /* devices/backend/console-server.h */
#define MACHINE_VSOCK   "vsock"   /* devices/backend/vsock-hybrid.h; also of what listens for the guest: vsock_1234 */
#define MACHINE_LOG     "log"     /* what eret says, of a machine without a terminal */

typedef enum {
  MACHINE_STARTING,
  MACHINE_RUNNING,
  MACHINE_PAUSED,
  MACHINE_FAILED_TO_LAST, /* it has ended, with an exit status that is a failure */
  MACHINE_CRASHED,        /* nobody holds its directory, and it has not said that it ended */
} MachineLife;

typedef struct {
  char *name;
  MachineLife life;
  pid_t pid;
  int64_t started; /* seconds since 1970 */
  unsigned cpus;
  uint64_t memory; /* bytes */
  int status;      /* exit status, of one that has failed */
  GuestSockets sockets;
  bool ssh;      /* its guest was given a key: --ssh */
  char *sandbox; /* what holds it: sandbox_describe; NULL: it does not say */
} KnownMachine;

void known_machine_free(KnownMachine *machine); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KnownMachine, known_machine_free)

/* Says it to whoever looks. */
bool known_machine_publish(const KnownMachine *machine, RuntimeDirectory *directory, GError **error);
/* That of NAME; NULL: there is none, or it cannot be read, which the error says. */
KnownMachine *known_machine_read(const char *name, GError **error);
/* What is said of its vsock and of ssh, as members of the object that is open. */
void known_machine_add_sockets(JsonBuilder *builder, const KnownMachine *machine);
/* "running" */
const char *machine_life_name(MachineLife life);
/* Whether there is a process of it. */
bool known_machine_lives(const KnownMachine *machine);

/*
 * A descriptor of MACHINE's process (pidfd_open(2)), which is readable when it has ended; it is certain to be that of
 * the machine, which listens at its console. -1: it has ended, or the error says why not.
 */
int known_machine_open_process(const KnownMachine *machine, GError **error);
