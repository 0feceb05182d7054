/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a running machine may ask the kernel for what vmm/cage/rules.c has for their kind, and for nothing else:
 * each enters a filter of its own (seccomp) before it looks at anything of the guest's. What else one asks for ends the
 * process with SANDBOX_STATUS, and a line on standard error that says which thread wanted what. docs/security.md.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/cage/rules.h"
#include "vmm/cage/seclusion.h"

typedef enum {
  SANDBOX_ON,      /* where the host has what it needs; where it has not, that is said, and the machine runs without */
  SANDBOX_REQUIRE, /* or the machine does not run */
  SANDBOX_LOG,     /* each call that no rule allows is carried out, and said once for each kind of thread */
  SANDBOX_OFF,
} SandboxMode;

#define SANDBOX_STATUS 148 /* of the process that met its filter */

typedef struct Sandbox Sandbox;

/*
 * One at a time in a process. On the main thread, and after the terminal was put into raw mode: what ends the process
 * puts that back. MORE: those of CAGE_MORE_OF_* that the machine's threads have. NULL with no error: MODE is off. A
 * host that has no filters is told of, and other layers go on.
 */
Sandbox *sandbox_new(SandboxMode mode, unsigned more, GError **error);
void sandbox_free(Sandbox *sandbox); /* takes NULL; no thread that has entered is left */

/*
 * The calling thread, from here to its end, and those that it makes; the main thread (CAGE_MAIN) while it is the only
 * one: those that it has made before would be without. SANDBOX may be NULL.
 */
void sandbox_enter(Sandbox *sandbox, CageThread thread);

/*
 * The whole process, while it has one thread: vmm/cage/seclusion.h. What the host has not is said. False:
 * SANDBOX_REQUIRE, and the host has not all. SANDBOX may be NULL.
 */
bool sandbox_seclude(Sandbox *sandbox, const SeclusionWish *wish, GError **error);

/*
 * For people, and for a recording: a word, and what is in force: "full (system-call filters, namespaces, ...)";
 * "partial", "log", or "off" alone. Free with g_free.
 */
char *sandbox_describe(const Sandbox *sandbox);

/* Whether this host's kernel has such filters. False: NULL, or in WHY what it said, a text that lasts. */
bool sandbox_has_filters(const char **why);
