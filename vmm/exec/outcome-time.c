/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of a run: each state that a guest can stay in has one, unless the user wants none (docs/exec-protocol.md,
 * "Limits"). Where it matters whether a guest that is late lives, it is asked first.
 */
#include "devices/units.h"
#include "vmm/exec/outcome-state.h"

#define TRACE_MAX_NS (30 * NS_PER_SECOND) /* that a kernel may take for it */

/* A moment that the guest's clocks count from, after they have stood still from FROM to TO. */
static void move(uint64_t *moment, uint64_t from, uint64_t to) {
  if (*moment)
    *moment += to - CLAMP(*moment, from, to);
}

void guest_outcome_stall(GuestOutcome *outcome, bool stalled, uint64_t ns) {
  if (stalled && !outcome->stalled)
    outcome->stall_ns = ns;
  if (!stalled && outcome->stalled) {
    uint64_t from = MIN(outcome->stall_ns, ns);
    move(&outcome->start, from, ns);
    move(&outcome->init_ns, from, ns);
    move(&outcome->ending_ns, from, ns);
    move(&outcome->heard_ns, from, ns);
  }
  outcome->stalled = stalled;
}

void guest_outcome_pause(GuestOutcome *outcome, bool paused, uint64_t ns) {
  if (paused && outcome->paused_ns)
    return;
  if (outcome->paused_ns) {
    uint64_t from = MIN(outcome->paused_ns, ns);
    move(&outcome->output_ns, from, ns);
    move(&outcome->asked_ns, from, ns);
    for (unsigned i = 0; i < N_SUSPICIONS; i++)
      move(&outcome->suspicions[i].since, from, ns);
  }
  outcome->paused_ns = paused ? MAX(ns, 1) : 0;
}

/* The end of a limit that begins with MOMENT; without one there is none. */
static uint64_t after(uint64_t moment, uint64_t limit) {
  return limit ? moment + limit : UINT64_MAX;
}

/* To its end the command may take what is left of its time, and a little in any case; but not without giving a sign. */
static uint64_t ending_deadline(const GuestOutcome *outcome, uint64_t timeout) {
  const GuestOutcomeConfig *config = &outcome->config;
  uint64_t least = after(outcome->ending_ns, config->ending_ns), silence = after(outcome->heard_ns, config->ending_ns);

  return MIN(silence, MAX(timeout, least));
}

/*
 * The boot limit of a guest of the user's own is over with one line of its kernel's, which is news; where others of the
 * kind would have been seen and were not, the line says nothing by not coming.
 */
static bool boot_is_visible(const GuestOutcome *outcome) {
  return !outcome->config.boot_only || !outcome->output_ns || outcome->watch.talkative;
}

static bool has_boot_limit(const GuestOutcome *outcome) {
  return !outcome->init_ns && outcome->config.boot_timeout_ns && boot_is_visible(outcome);
}

/* Of a guest that may live. */
uint64_t outcome_usual_deadline(const GuestOutcome *outcome) {
  const GuestOutcomeConfig *config = &outcome->config;

  if (outcome->final)
    return UINT64_MAX;
  if (outcome->stalled)
    return UINT64_MAX;
  if (has_boot_limit(outcome))
    return after(outcome->start, config->boot_timeout_ns);
  uint64_t timeout = after(outcome->init_ns ? outcome->init_ns : outcome->start, config->timeout_ns);
  if (outcome->ending_ns)
    return ending_deadline(outcome, timeout);
  if (outcome->init_ns && !outcome->started && !config->boot_only && timeout == UINT64_MAX)
    return after(outcome->init_ns, config->boot_timeout_ns);
  return timeout;
}

/*
 * From the word on how the command ended to the one that it is done, init has other things to do than to listen. It
 * gives signs of life meanwhile, but does not tell of an oops.
 */
static bool is_asked_when_done(const GuestOutcome *outcome) {
  return outcome_suspects_oops(outcome) && outcome->config.answer_ns && outcome->ending_ns && !outcome->done;
}

/*
 * A guest of the user's own cannot be asked, nor can one whose init has not come so far; the former may write
 * something, which says that it lives, and no more.
 */
static bool can_answer(const GuestOutcome *outcome) {
  if (!outcome->config.answer_ns || is_asked_when_done(outcome))
    return false;
  return outcome->config.boot_only ? !outcome_suspects_oops(outcome) : outcome->init_ns != 0;
}

/* The end of a trace, as far as that can be told. */
static uint64_t trace_end(const GuestOutcome *outcome) {
  return MIN(outcome->output_ns + outcome->config.silence_ns, outcome_suspicion(outcome)->since + TRACE_MAX_NS);
}

uint64_t guest_outcome_deadline(const GuestOutcome *outcome) {
  const GuestOutcomeConfig *config = &outcome->config;
  const Suspicion *suspicion = outcome_suspicion(outcome);

  if (outcome->ended || outcome->paused_ns)
    return UINT64_MAX;
  if (outcome->asked_ns)
    return outcome->asked_ns + config->answer_ns;
  if (suspicion->complete)
    return suspicion->since;
  if (suspicion->kind && !outcome->final && !is_asked_when_done(outcome))
    return MIN(trace_end(outcome), outcome_usual_deadline(outcome));
  return outcome_usual_deadline(outcome);
}

static unsigned seconds(uint64_t ns) {
  return (unsigned)((ns + NS_PER_SECOND / 2) / NS_PER_SECOND);
}

static void decide_late_boot(GuestOutcome *outcome, uint64_t ns) {
  unsigned limit = seconds(outcome->config.boot_timeout_ns);

  if (outcome->init_ns)
    outcome_decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the guest's init did not start the command within %u s", limit);
  else if (!outcome->output_ns)
    outcome_decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the kernel did not reach init within %u s, and wrote nothing on its console", limit);
  else
    outcome_decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the kernel did not reach init within %u s; its console was silent for the last %u s",
                   limit, seconds(ns - outcome->output_ns));
}

/* The guest has said how its command ended, but not that nothing more will come: what came is not all. */
static void decide_late_end(GuestOutcome *outcome, uint64_t ns) {
  unsigned silent = seconds(ns - outcome->heard_ns), since = seconds(ns - outcome->ending_ns);

  if (outcome->kind == OUTCOME_COMMAND)
    outcome_decide(
        outcome, OUTCOME_TIMEOUT, 0,
        "the command ended with status %d, but its guest did not come to an end within %u s, silent for the last %u s: its output or its "
        "files are not complete",
        outcome->status, since, silent);
  else if (outcome->kind == OUTCOME_RUNNING)
    outcome_decide(outcome, OUTCOME_NO_RESULT, 0, OUTCOME_NO_WORD);
}

static void ask(GuestOutcome *outcome, uint64_t ns) {
  outcome->asked_ns = MAX(ns, 1);
  if (outcome_suspects_oops(outcome))
    outcome->ask = outcome->taint_asked ? NULL : "taint";
  else
    outcome->ask = outcome->config.boot_only ? NULL : "ping";
}

/* It has been silent, or has no time left: it is asked, and then it is dead. */
void outcome_tick_suspicion(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->asked_ns && can_answer(outcome)) {
    ask(outcome, ns);
    return;
  }
  outcome_stop_asking(outcome);
  outcome->dead = true;
  outcome->final = true;
  outcome_confirm(outcome);
}

static void decide_late_command(GuestOutcome *outcome) {
  const char *who = outcome->config.boot_only ? "guest" : "command";
  unsigned limit = seconds(outcome->config.timeout_ns);

  if (outcome->asked_ns)
    outcome_decide(outcome, OUTCOME_TIMEOUT, 0,
                   "the %s did not end within %u s, and its guest gave no sign of life when it was asked for one", who, limit);
  else
    outcome_decide(outcome, OUTCOME_TIMEOUT, 0, "the %s did not end within %u s", who, limit);
}

/* Why is it late: is the guest hung, or does its command take its time? Its init can tell. */
static bool asks_before_the_end(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->started || outcome->answered || outcome->asked_ns || outcome->config.boot_only || !can_answer(outcome))
    return false;
  ask(outcome, ns);
  return true;
}

static void decide_late(GuestOutcome *outcome, uint64_t ns) {
  if (outcome->ending_ns)
    decide_late_end(outcome, ns);
  else if (outcome->config.timeout_ns && !has_boot_limit(outcome) &&
           (outcome->init_ns || !outcome->config.boot_timeout_ns || outcome->config.boot_only))
    decide_late_command(outcome);
  else
    decide_late_boot(outcome, ns);
}

void guest_outcome_tick(GuestOutcome *outcome, uint64_t ns) {
  uint64_t deadline = guest_outcome_deadline(outcome);

  if (deadline == UINT64_MAX || ns < deadline)
    return;
  if (outcome_suspicion(outcome)->kind && !(outcome->answered && ns >= outcome_usual_deadline(outcome))) {
    outcome_tick_suspicion(outcome, ns);
    return;
  }
  if (!outcome_suspects_oops(outcome))
    outcome_refute(outcome);
  outcome_confirm(outcome); /* an oops, if that is left: there is no time to ask about it */
  if (!outcome->ending_ns && outcome->kind == OUTCOME_RUNNING && asks_before_the_end(outcome, ns))
    return;
  outcome->final = true;
  kernel_watch_end_trace(&outcome->watch);
  if (outcome->kind == OUTCOME_RUNNING || outcome->ending_ns)
    decide_late(outcome, ns);
  outcome->dead = !outcome->answered;
  outcome->asked_ns = 0;
}

const char *guest_outcome_asks(GuestOutcome *outcome) {
  const char *asks = outcome->ask;

  outcome->ask = NULL;
  outcome->taint_asked |= asks && outcome_suspects_oops(outcome);
  return asks;
}
