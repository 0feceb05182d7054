/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a GuestOutcome, for its parts: what happened (outcome.c), what only seems to have happened
 * (outcome-suspicion.c), and how long nothing may happen (outcome-time.c).
 */
#pragma once

#include "vmm/exec/outcome.h"

#define OUTCOME_MESSAGE_MAX 400

typedef struct {
  OutcomeKind kind; /* OUTCOME_RUNNING: none */
  char *message;
  uint64_t since;
  size_t mark;   /* what had been kept of traces before */
  bool complete; /* the kernel has said that this was the end */
  char *later;   /* the message of another one behind it */
} Suspicion;

/* The graver one is looked into first. */
enum { SUSPECT_PANIC, SUSPECT_OOPS, N_SUSPICIONS };

struct GuestOutcome {
  GuestOutcomeConfig config;
  OutcomeKind kind;
  int status; /* of OUTCOME_COMMAND, OUTCOME_NOT_STARTED */
  char *message;
  bool final, ended;

  /* The console. */
  KernelWatch watch;
  bool init_killed; /* the kernel killed init for memory */
  uint64_t now;     /* of the bytes that are being looked at */
  Suspicion suspicions[N_SUSPICIONS];

  /* Progress; 0: not yet. */
  uint64_t start, init_ns, output_ns;
  uint64_t ending_ns; /* the first word on how it ended */
  uint64_t heard_ns;  /* after that: the last that came of the command's streams, its files, or the control channel */
  uint64_t stall_ns;  /* since when our own reader takes nothing */
  uint64_t paused_ns; /* since when the machine does not run */
  bool stalled, started;
  uint64_t asked_ns;   /* when it was to be asked, and has not answered; 0: not */
  const char *ask;     /* the question, if that has yet to be told */
  bool taint_asked;    /* and the answer is under way */
  bool answered;       /* it was asked when its time was over, and lives */
  bool dead, done;     /* gave no answer; said that nothing more will come */
  unsigned strange;    /* lines of the control channel that are not the protocol's */
  char *first_strange; /* printable */
};

/* The verdict, for now; FORMAT may be NULL. */
void outcome_decide(GuestOutcome *outcome, OutcomeKind kind, int status, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Of several of a kind, the first is the cause. Its message is WHAT and REASON. */
void outcome_suspect(GuestOutcome *outcome, OutcomeKind kind, const char *what, const char *reason);
/* The suspicion that comes first; its kind is OUTCOME_RUNNING when there is none. */
const Suspicion *outcome_suspicion(const GuestOutcome *outcome);
/* What init is asked about, or is to be, is an oops. */
bool outcome_suspects_oops(const GuestOutcome *outcome);
/* The suspicion that comes first, if there is one, becomes the verdict, or is forgotten. */
void outcome_confirm(GuestOutcome *outcome);
void outcome_refute(GuestOutcome *outcome);
void outcome_forget_suspicions(GuestOutcome *outcome);
/*
 * Something came that can only come of a guest that runs. When its time is over, one sign is enough: no further
 * suspicion prolongs it.
 */
void outcome_take_sign_of_life(GuestOutcome *outcome, uint64_t ns);
/* Init's answer to "taint". */
void outcome_take_taint(GuestOutcome *outcome, unsigned taint, uint64_t ns);
/* Nothing more is expected of init. */
void outcome_stop_asking(GuestOutcome *outcome);
/* The time of a guest that may live, without regard to a suspicion; UINT64_MAX: it has as much as it likes. */
uint64_t outcome_usual_deadline(const GuestOutcome *outcome);
/* A suspicion's time is over. */
void outcome_tick_suspicion(GuestOutcome *outcome, uint64_t ns);

/* Of a guest that has said that it is done. */
#define OUTCOME_NO_WORD "the guest's init came to its end without a result of the command"
