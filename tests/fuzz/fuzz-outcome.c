/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a guest that runs a command, by all that it says and does not say, in any order: vmm/exec/outcome*.c.
 * Time goes on; a verdict that is final stays, unless the guest is to power off by itself.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/printable.h"
#include "vmm/exec/outcome.h"

#define STEPS 96
#define MS    UINT64_C(1000000)

typedef struct {
  FuzzInput *input;
  GuestOutcome *outcome;
  uint64_t now;
  bool by_itself; /* it has ended so: what only looked like a panic was none */
  GuestVerdict last;
  char *last_message;
} Fixture;

static void console(Fixture *f) {
  g_autofree char *line = fuzz_line(f->input);
  g_autofree char *whole = g_strconcat(line, "\n", NULL);

  guest_outcome_console(f->outcome, whole, strlen(whole), f->now);
}

static void piece(Fixture *f) {
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);

  guest_outcome_console(f->outcome, bytes, size, f->now);
}

static void control(Fixture *f) {
  g_autofree char *text = fuzz_line(f->input);
  ControlLine line = control_line_parse(text);

  guest_outcome_control(f->outcome, &line, f->now);
}

static void end(Fixture *f, GuestEnd how) {
  f->by_itself |= how == GUEST_POWERED_OFF || how == GUEST_EXITED;
  guest_outcome_ended(f->outcome, how, (int)fuzz_number(f->input, 1), fuzz_number(f->input, 1) & 1 ? "why" : NULL, f->now);
}

static void happen(Fixture *f) {
  unsigned what = fuzz_below(f->input, 8);

  if (what == 0)
    guest_outcome_ending(f->outcome, f->now);
  else if (what == 1)
    guest_outcome_heard(f->outcome, f->now);
  else if (what == 2)
    guest_outcome_files(f->outcome, f->now);
  else if (what < 5)
    guest_outcome_stall(f->outcome, what & 1, f->now);
  else if (what < 7)
    guest_outcome_pause(f->outcome, what & 1, f->now);
  else
    end(f, (GuestEnd)fuzz_below(f->input, GUEST_HOST_ERROR + 1));
}

/* To when it says that it wants to know, or for a while. */
static void wait_for(Fixture *f) {
  uint64_t deadline = guest_outcome_deadline(f->outcome), ms = fuzz_number(f->input, 2);

  f->now = deadline != UINT64_MAX && ms < 0x8000 ? MAX(f->now, deadline) : f->now + ms * MS;
  guest_outcome_tick(f->outcome, f->now);
  guest_outcome_asks(f->outcome);
}

static void look(Fixture *f) {
  GuestVerdict verdict = guest_outcome_verdict(f->outcome);
  g_autofree char *progress = guest_outcome_progress(f->outcome), *shown = verdict.message ? printable(verdict.message, -1) : NULL;

  g_assert_nonnull(outcome_name(verdict.kind));
  g_assert_nonnull(progress);
  g_assert_true(g_utf8_validate(progress, -1, NULL));
  g_assert_cmpstr(verdict.message, ==, shown);
  g_assert_true(!verdict.trace || g_utf8_validate(verdict.trace, -1, NULL));
  if (f->last.final && !f->last.may_power_off && !f->by_itself) {
    g_assert_true(verdict.final);
    g_assert_cmpint(verdict.kind, ==, f->last.kind);
    g_assert_cmpint(verdict.exit_status, ==, f->last.exit_status);
    g_assert_cmpstr(verdict.message, ==, f->last_message);
  }
  f->last = verdict;
  g_free(f->last_message);
  f->last_message = g_strdup(verdict.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const steps[])(Fixture *) = {console, console, piece, control, control, happen, wait_for};
  FuzzInput input = {data, size};
  unsigned what = fuzz_below(&input, 256);
  const GuestOutcomeConfig config = {
      .fail_on_oops = what & 1,
      .boot_only = (what & 14) == 14,
      .boot_timeout_ns = what & 16 ? 10000 * MS : 0,
      .timeout_ns = what & 32 ? 20000 * MS : 0,
      .silence_ns = 1000 * MS,
      .answer_ns = what & 64 ? 500 * MS : 0,
      .ending_ns = what & 128 ? 5000 * MS : 0,
  };
  Fixture f = {.input = &input, .now = 1000 * MS};

  f.outcome = guest_outcome_new(&config, f.now);
  for (unsigned i = 0; i < STEPS && input.left; i++) {
    steps[fuzz_below(&input, G_N_ELEMENTS(steps))](&f);
    look(&f);
    f.now += MS;
  }
  end(&f, GUEST_STOPPED);
  look(&f);
  g_free(f.last_message);
  guest_outcome_free(f.outcome);
  return 0;
}
