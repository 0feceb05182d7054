/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of this process's machine, while it has one: its runtime directory, what is said there of the machine
 * (known-machine.h), and its console for those who attach.
 *
 * No lock: main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/char-backend.h"
#include "vmm/control/known-machine.h"

typedef struct NamedMachine NamedMachine;

/* MEMORY in bytes. The name is taken from here on, by this process and the children that it forks. */
NamedMachine *named_machine_claim(const char *name, unsigned cpus, uint64_t memory, GError **error);
/*
 * What leads to CONSOLE, which outlives it, and to those who attach. TYPES: somebody does so at CONSOLE, so that others
 * only read.
 */
CharBackend *named_machine_share_console(NamedMachine *named, CharBackend *console, bool types, GError **error);
/* A descriptor of the file for what would go to standard error; for reading, too. */
int named_machine_open_log(NamedMachine *named, GError **error);
/* Where nobody can be told any more, it is logged that it could not be said. */
void named_machine_set_life(NamedMachine *named, MachineLife life);
/* Where its guest's sockets are; from the next life on it is said. PATH: see GuestSockets. */
void named_machine_set_sockets(NamedMachine *named, uint32_t cid, const char *path);
/* What holds it (sandbox_describe); from the next life on it is said. */
void named_machine_set_sandbox(NamedMachine *named, const char *sandbox);
/*
 * For ssh(1): the file SSH_CONFIG_FILE (ssh-config.h), by which it logs in with IDENTITY (SshKey; NULL: the guest was
 * given no key).
 */
bool named_machine_offer_ssh(NamedMachine *named, const char *identity, GError **error);
/* Whether its guest was given a key. */
bool named_machine_has_key(const NamedMachine *named);
const char *named_machine_name(const NamedMachine *named);
/*
 * This process will not reach the directory of all machines any more: at the end REMOVE, with OPAQUE, has a copy of
 * this process call named_machine_remove. FREE_OPAQUE: afterwards.
 */
void named_machine_leave_to(NamedMachine *named, void (*remove)(void *opaque), void (*free_opaque)(void *opaque), void *opaque);
/* For that copy, which needs the one descriptor. */
void named_machine_remove(void *named);
int named_machine_descriptor(const NamedMachine *named);
/*
 * The end: the name is free again, and nothing is left of it. With a STATUS other than 0 and KEEP, the directory stays
 * and says so, with the log, until somebody takes the name or clears it. Takes NULL.
 */
void named_machine_end(NamedMachine *named, int status, bool keep);
/* For a process that has forked the one whose machine it is: nothing but the memory goes. */
void named_machine_forget(NamedMachine *named);
