/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a guest that was to run a command: from what its console shows, what its init says, how the machine
 * ended, and the time it took. Pure logic: no machine, no clock of its own, no output. A panic, an oops, a reset or a
 * hang needs no co-operation of the guest's to be recognised. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/exec/control-line.h"
#include "vmm/exec/kernel-watch.h"

/* eret(1), EXIT STATUS of eret exec, has the statuses. */
typedef enum {
  OUTCOME_RUNNING,       /* nothing is decided */
  OUTCOME_COMMAND,       /* the command ended: its status; in a guest of the user's own, the guest powered off */
  OUTCOME_NOT_STARTED,   /* the command could not be executed: 126, 127 */
  OUTCOME_HOST_ERROR,    /* 240 */
  OUTCOME_PANIC,         /* 241 */
  OUTCOME_OOPS,          /* 242, with fail_on_oops */
  OUTCOME_RESET,         /* 243 */
  OUTCOME_BOOT_TIMEOUT,  /* 244 */
  OUTCOME_TIMEOUT,       /* 245 */
  OUTCOME_OUT_OF_MEMORY, /* 246 */
  OUTCOME_NO_DRIVER,     /* 247 */
  OUTCOME_NO_RESULT,     /* 248: the guest ended without one */
  OUTCOME_STOPPED,       /* 4: by the user */
} OutcomeKind;

#define OUTCOME_STATUS_HOST_ERROR 240

/* "panic": in results and suites. */
const char *outcome_name(OutcomeKind kind);

typedef struct GuestOutcome GuestOutcome;

typedef struct {
  bool fail_on_oops;
  bool boot_only; /* a guest of the user's own: no control channel; init is what the kernel says it is; power-off is success */
  uint64_t boot_timeout_ns, timeout_ns; /* 0: none. From start to init; from there (or, without a boot timeout, from start) to the end */
  uint64_t silence_ns;                  /* after a panic or oops: this long without output, and its trace is complete */
  uint64_t answer_ns; /* how long a guest has for a sign of life, or to tell of an oops, after it was asked; 0: its console alone decides */
  uint64_t
      ending_ns; /* after the word on how the command ended: how long nothing more may come, and how long the rest may take in any case; 0: for ever */
} GuestOutcomeConfig;

/* Times: nanoseconds of one clock. */
GuestOutcome *guest_outcome_new(const GuestOutcomeConfig *config, uint64_t start_ns);
void guest_outcome_free(GuestOutcome *outcome); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestOutcome, guest_outcome_free)

/* What happened, in the order in which it happened. Bytes of the console come in any pieces. */
void guest_outcome_console(GuestOutcome *outcome, const void *bytes, size_t size, uint64_t ns);
/* A line of the control channel (docs/exec-protocol.md). */
void guest_outcome_control(GuestOutcome *outcome, const ControlLine *line, uint64_t ns);

/*
 * Init has said that nothing more will come; it is a line of the control channel once all that came before it has been
 * read.
 */
void guest_outcome_ending(GuestOutcome *outcome, uint64_t ns);
/* Something came of the command's output, which may have been under way for as long as its reader likes. */
void guest_outcome_heard(GuestOutcome *outcome, uint64_t ns);
/* Something came of its files. */
void guest_outcome_files(GuestOutcome *outcome, uint64_t ns);
/*
 * Since NS our own reader takes nothing, or again something: meanwhile the guest's clocks stand still, as it is not the
 * guest's fault.
 */
void guest_outcome_stall(GuestOutcome *outcome, bool stalled, uint64_t ns);
/* Since NS the machine does not run, or it runs again: what guest_outcome_stall does not stop stands still as well. */
void guest_outcome_pause(GuestOutcome *outcome, bool paused, uint64_t ns);

typedef enum {
  GUEST_POWERED_OFF,
  GUEST_RESET,
  GUEST_EXITED, /* by eret's own hypercall */
  GUEST_STOPPED_BY_USER,
  GUEST_STOPPED, /* by eret, as GuestVerdict says or because it did not power off */
  GUEST_HOST_ERROR,
} GuestEnd;
/* STATUS is GUEST_EXITED's, MESSAGE GUEST_HOST_ERROR's; it may be NULL. */
void guest_outcome_ended(GuestOutcome *outcome, GuestEnd how, int status, const char *message, uint64_t ns);

/* When to call tick next (UINT64_MAX: never), and the call. */
uint64_t guest_outcome_deadline(const GuestOutcome *outcome);
void guest_outcome_tick(GuestOutcome *outcome, uint64_t ns);
/* Once after a tick that wants the guest's init to be asked something: a line of the control channel. Else NULL. */
const char *guest_outcome_asks(GuestOutcome *outcome);

/* How far it came. Free with g_free. */
char *guest_outcome_progress(const GuestOutcome *outcome);

typedef struct {
  OutcomeKind kind;
  int exit_status;
  const char *message;   /* for people: "guest panic: sysrq triggered crash"; NULL: the status says it all */
  const char *trace;     /* the panic's or oops's lines, whole, from the console, printable; NULL: none */
  const GArray *reports; /* of KernelReport: of the kernel's debugging facilities */
  bool
      final; /* the machine should be ended by now: nothing that could come would change the verdict, but a panic on the way to power-off */
  bool may_power_off; /* it has said that it is done, and there is nothing to ask it: a guest that lives powers off by itself */
  /*
   * The guest was hung when it was ended, as far as can be told: it gave no sign of life when it was asked, or there
   * was nobody to ask.
   */
  bool was_dead;
  unsigned strange_lines;    /* of the control channel, that were not the protocol's, and were ignored; */
  const char *first_strange; /* the first of them, printable and short */
} GuestVerdict;

/* What has become of it, as far as it is known; what it points to is the outcome's, until it is told something more. */
GuestVerdict guest_outcome_verdict(const GuestOutcome *outcome);
