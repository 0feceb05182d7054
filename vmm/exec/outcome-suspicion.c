/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console is text, and a guest may log or replay a line that looks like a panic or an oops, and run on. So such a
 * line is a suspicion first.
 *
 * Of a panic, what decides is what the guest does then. A reset, or silence also when it is asked whether it lives,
 * makes the suspicion the verdict; a power-off or a sign of life ends it.
 *
 * Behind an oops a kernel runs on: its taint tells it from text, and init is asked for that. Where init gives no answer
 * the text counts, since what it tells of may be the reason.
 */
#include <string.h>

#include "devices/printable.h"
#include "vmm/exec/outcome-state.h"

#define TAINT_DIE (1u << 7) /* Linux: include/linux/panic.h; die() sets it behind its trace, and nothing clears it */

static void forget_suspicion(Suspicion *suspicion) {
  g_free(suspicion->message);
  g_free(suspicion->later);
  *suspicion = (Suspicion){0};
}

void outcome_forget_suspicions(GuestOutcome *outcome) {
  for (unsigned i = 0; i < N_SUSPICIONS; i++)
    forget_suspicion(&outcome->suspicions[i]);
}

static unsigned first_suspicion(const GuestOutcome *outcome) {
  return outcome->suspicions[SUSPECT_PANIC].kind ? SUSPECT_PANIC : SUSPECT_OOPS;
}

const Suspicion *outcome_suspicion(const GuestOutcome *outcome) {
  return &outcome->suspicions[first_suspicion(outcome)];
}

bool outcome_suspects_oops(const GuestOutcome *outcome) {
  return outcome_suspicion(outcome)->kind == OUTCOME_OOPS;
}

void outcome_stop_asking(GuestOutcome *outcome) {
  outcome->asked_ns = 0;
  outcome->ask = NULL;
}

/* The guest is to be ended: what it says until then is the cause of nothing. */
static bool is_over(const GuestOutcome *outcome) {
  return outcome->final && (!outcome->done || outcome->dead);
}

void outcome_suspect(GuestOutcome *outcome, OutcomeKind kind, const char *what, const char *reason) {
  Suspicion *suspicion = &outcome->suspicions[kind == OUTCOME_OOPS ? SUSPECT_OOPS : SUSPECT_PANIC];
  bool another = suspicion->kind != OUTCOME_RUNNING;

  if (is_over(outcome) || (another && (kind != OUTCOME_OOPS || suspicion->later)))
    return;
  g_autofree char *text = g_strconcat(what, reason, NULL);
  char *message = printable_line(text, (gssize)strnlen(text, OUTCOME_MESSAGE_MAX));
  if (another) {
    suspicion->later = message;
    return;
  }
  suspicion->kind = kind;
  suspicion->message = message;
  suspicion->since = outcome->now;
  suspicion->mark = outcome->watch.trace->len;
  if (kind == OUTCOME_OOPS)
    outcome->final = false; /* all was said, but its kernel is to be asked first */
  outcome_stop_asking(outcome);
}

void outcome_confirm(GuestOutcome *outcome) {
  Suspicion *suspicion = &outcome->suspicions[first_suspicion(outcome)];

  if (!suspicion->kind)
    return;
  outcome->kind = suspicion->kind;
  g_free(outcome->message);
  outcome->message = g_steal_pointer(&suspicion->message);
  outcome_forget_suspicions(outcome);
  kernel_watch_end_trace(&outcome->watch);
}

void outcome_refute(GuestOutcome *outcome) {
  Suspicion *suspicion = &outcome->suspicions[first_suspicion(outcome)];

  if (!suspicion->kind)
    return;
  kernel_watch_forget(&outcome->watch, suspicion->mark);
  forget_suspicion(suspicion);
}

/* What comes before it was asked may have been on its way when its kernel panicked. */
void outcome_take_sign_of_life(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->asked_ns || outcome_suspects_oops(outcome))
    return;
  outcome_stop_asking(outcome);
  outcome->answered = ns >= outcome_usual_deadline(outcome);
  outcome_refute(outcome);
}

/* An answer that was not asked for decides nothing. One without the bit may not know of the last line yet. */
void outcome_take_taint(GuestOutcome *outcome, unsigned taint, uint64_t ns) {
  Suspicion *oops = &outcome->suspicions[SUSPECT_OOPS];
  bool asked = outcome->taint_asked;

  outcome->taint_asked = false;
  if (!asked || !outcome_suspects_oops(outcome))
    return;
  outcome_stop_asking(outcome);
  outcome->answered = ns >= outcome_usual_deadline(outcome);
  if (taint & TAINT_DIE) {
    outcome_confirm(outcome);
    outcome->final = true;
  } else if (oops->later) {
    g_free(oops->message);
    oops->message = g_steal_pointer(&oops->later);
    oops->since = ns;
  } else {
    outcome_refute(outcome);
    outcome->final = outcome->done && outcome->kind != OUTCOME_RUNNING;
  }
}
