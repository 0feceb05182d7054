/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict is reached once and replaced only by a graver one: what the command said of itself gives way to a panic of
 * the kernel under it, an oops to the panic that follows. It is final when its evidence is complete.
 */
#include "vmm/exec/outcome.h"

#include <errno.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/exec/outcome-state.h"

#define PROTOCOL    1
#define STRANGE_MAX 80

static const struct {
  const char *name;
  int status; /* 0: not a constant */
} outcomes[] = {
    [OUTCOME_RUNNING] = {"running", OUTCOME_STATUS_HOST_ERROR},
    [OUTCOME_COMMAND] = {"command", 0},
    [OUTCOME_NOT_STARTED] = {"not-started", 0},
    [OUTCOME_HOST_ERROR] = {"host-error", OUTCOME_STATUS_HOST_ERROR},
    [OUTCOME_PANIC] = {"panic", 241},
    [OUTCOME_OOPS] = {"oops", 242},
    [OUTCOME_RESET] = {"reset", 243},
    [OUTCOME_BOOT_TIMEOUT] = {"boot-timeout", 244},
    [OUTCOME_TIMEOUT] = {"timeout", 245},
    [OUTCOME_OUT_OF_MEMORY] = {"out-of-memory", 246},
    [OUTCOME_NO_DRIVER] = {"no-driver", 247},
    [OUTCOME_NO_RESULT] = {"no-result", 248},
    [OUTCOME_STOPPED] = {"stopped", 4},
};

const char *outcome_name(OutcomeKind kind) {
  return outcomes[kind].name;
}

void outcome_decide(GuestOutcome *outcome, OutcomeKind kind, int status, const char *format, ...) {
  va_list arguments;

  outcome->kind = kind;
  outcome->status = status;
  g_free(outcome->message);
  outcome->message = NULL;
  if (!format)
    return;
  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  outcome->message = printable(text, (gssize)strnlen(text, OUTCOME_MESSAGE_MAX));
}

/* The guest is to be ended for what was decided, and what it was suspected of is no matter any more. */
static void settle(GuestOutcome *outcome) {
  outcome_forget_suspicions(outcome);
  outcome->final = true;
}

/* The console. */

/* Before init: there is nobody yet who could replay it. */
static void take_full_initramfs(GuestOutcome *outcome) {
  if (outcome->config.boot_only || outcome->init_ns || outcome->kind != OUTCOME_RUNNING)
    return;
  outcome_decide(outcome, OUTCOME_OUT_OF_MEMORY, 0,
                 "the guest ran out of memory: its kernel could not unpack all that goes into it; give it more with --memory");
  settle(outcome);
}

static void take_panic(GuestOutcome *outcome, const char *text) {
  const char *reason = kernel_line_reason(text);
  bool memory = g_str_has_prefix(reason, "Out of memory") || strstr(reason, "deadlocked on memory") ||
                (outcome->init_killed && strstr(reason, "Attempted to kill init"));

  if (outcome->kind == OUTCOME_OUT_OF_MEMORY && !outcome->init_ns)
    return; /* it finds no init for that reason */
  if (memory)
    outcome_suspect(outcome, OUTCOME_OUT_OF_MEMORY, "the guest ran out of memory: panic: ", reason);
  else
    outcome_suspect(outcome, OUTCOME_PANIC, "guest panic: ", reason);
}

static void reach_init(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->init_ns)
    outcome->init_ns = MAX(ns, 1);
}

/* Our init's last resort, when there is nobody else to talk to: "eret-init: no control port: ...". */
static void take_init_complaint(GuestOutcome *outcome, const char *text) {
  static const char no_port[] = "eret-init: no control port: ";

  if (g_str_has_prefix(text, no_port) && outcome->kind == OUTCOME_RUNNING)
    outcome_decide(outcome, OUTCOME_NO_DRIVER, 0, "a driver is missing: %s", text + strlen(no_port));
}

static void take_line(void *opaque, KernelLine kind, const char *text, bool of_kernel) {
  GuestOutcome *outcome = opaque;

  if (!of_kernel)
    take_init_complaint(outcome, text);
  switch (kind) {
  case KERNEL_LINE_PANIC:
    take_panic(outcome, text);
    break;
  case KERNEL_LINE_PANIC_END:
    outcome->suspicions[SUSPECT_PANIC].complete = outcome->suspicions[SUSPECT_PANIC].kind != OUTCOME_RUNNING;
    break;
  case KERNEL_LINE_OOPS:
    if (outcome->config.fail_on_oops && outcome->kind <= OUTCOME_NOT_STARTED)
      outcome_suspect(outcome, OUTCOME_OOPS, "guest oops: ", kernel_line_reason(text));
    break;
  case KERNEL_LINE_OOM_KILL:
    outcome->init_killed |= strstr(text, "Killed process 1 (") != NULL;
    break;
  case KERNEL_LINE_UNPACK_FULL:
    take_full_initramfs(outcome);
    break;
  case KERNEL_LINE_INIT:
    if (outcome->config.boot_only)
      reach_init(outcome, outcome->now);
    break;
  default:
    break;
  }
}

GuestOutcome *guest_outcome_new(const GuestOutcomeConfig *config, uint64_t start_ns) {
  GuestOutcome *outcome = g_new0(GuestOutcome, 1);

  outcome->config = *config;
  outcome->start = start_ns;
  kernel_watch_init(&outcome->watch, take_line, outcome);
  return outcome;
}

void guest_outcome_free(GuestOutcome *outcome) {
  if (!outcome)
    return;
  kernel_watch_clear(&outcome->watch);
  outcome_forget_suspicions(outcome);
  g_free(outcome->first_strange);
  g_free(outcome->message);
  g_free(outcome);
}

void guest_outcome_console(GuestOutcome *outcome, const void *bytes, size_t size, uint64_t ns) {
  if (outcome->ended)
    return;
  if (outcome->config.boot_only && outcome_suspicion(outcome)->kind)
    outcome_take_sign_of_life(outcome, ns);
  outcome->now = ns;
  outcome->output_ns = MAX(ns, 1);
  kernel_watch_feed(&outcome->watch, bytes, size);
  if (outcome_suspicion(outcome)->complete && !outcome->asked_ns)
    outcome_tick_suspicion(outcome, ns);
}

/* The control channel. */

static void take_hello(GuestOutcome *outcome, unsigned version) {
  if (version == PROTOCOL)
    return;
  outcome_decide(outcome, OUTCOME_HOST_ERROR, 0, "the guest's init speaks version %u of the protocol, and not %u", version, PROTOCOL);
  settle(outcome);
}

/* The first word on how it ended counts. */
static void take_end(GuestOutcome *outcome, const ControlLine *line) {
  if (outcome->kind != OUTCOME_RUNNING)
    return;
  if (line->kind == CONTROL_EXIT)
    outcome_decide(outcome, OUTCOME_COMMAND, (int)line->number, NULL);
  else if (line->kind == CONTROL_SIGNAL)
    outcome_decide(outcome, OUTCOME_COMMAND, 128 + (int)line->number, NULL);
  else if (line->kind == CONTROL_SIGNAL_OOM)
    outcome_decide(outcome, OUTCOME_OUT_OF_MEMORY, 0, "the guest ran out of memory, and its kernel killed the command");
  else if (line->kind == CONTROL_FAILED) /* the shell's statuses */
    outcome_decide(outcome, OUTCOME_NOT_STARTED, line->number == ENOENT ? 127 : 126, "the command cannot be run: %s", line->text);
  else if (line->kind == CONTROL_MISSING)
    outcome_decide(outcome, OUTCOME_NO_DRIVER, 0, "a driver is missing: %s", line->text);
}

static void count_strange(GuestOutcome *outcome, const char *line) {
  outcome->strange += outcome->strange < UINT_MAX;
  if (!outcome->first_strange)
    outcome->first_strange = printable(line, (gssize)strnlen(line, STRANGE_MAX));
}

void guest_outcome_ending(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->ending_ns)
    outcome->ending_ns = ns;
  outcome->heard_ns = ns;
  if (outcome_suspects_oops(outcome))
    outcome_stop_asking(outcome); /* init may be busy until it is done */
}

void guest_outcome_control(GuestOutcome *outcome, const ControlLine *line, uint64_t ns) {
  if (outcome->final || outcome->ended)
    return;
  if (line->kind == CONTROL_NONE) {
    count_strange(outcome, line->text);
    return;
  }
  reach_init(outcome, ns);
  outcome_take_sign_of_life(outcome, ns);
  if (line->kind == CONTROL_HELLO) {
    take_hello(outcome, line->number);
  } else if (line->kind == CONTROL_STARTED) {
    outcome->started = true;
  } else if (line->kind == CONTROL_TAINT) {
    outcome_take_taint(outcome, line->number, ns);
  } else if (line->kind != CONTROL_PONG && line->kind != CONTROL_WARNING) {
    guest_outcome_ending(outcome, ns);
    take_end(outcome, line);
    outcome->done |= line->kind == CONTROL_DONE;
    outcome->final = outcome->done && outcome->kind != OUTCOME_RUNNING && !outcome->suspicions[SUSPECT_OOPS].kind;
  }
}

void guest_outcome_files(GuestOutcome *outcome, uint64_t ns) {
  outcome_take_sign_of_life(outcome, ns);
  guest_outcome_heard(outcome, ns);
}

void guest_outcome_heard(GuestOutcome *outcome, uint64_t ns) {
  if (outcome->ending_ns)
    outcome->heard_ns = ns;
}

/* The end. */

static void decide_by_end(GuestOutcome *outcome, GuestEnd how, int status, const char *message) {
  if (how == GUEST_HOST_ERROR)
    outcome_decide(outcome, OUTCOME_HOST_ERROR, 0, "%s", message ? message : "the machine failed");
  else if (how == GUEST_RESET && !outcome->output_ns && !outcome->init_ns)
    outcome_decide(
        outcome, OUTCOME_RESET, 0,
        "the guest was reset before there was anything on its console; its kernel says more from the beginning with --console pl011 "
        "--append earlycon");
  else if (how == GUEST_RESET)
    outcome_decide(outcome, OUTCOME_RESET, 0, "the guest was reset, without a panic of its kernel");
  else if (how == GUEST_EXITED)
    outcome_decide(outcome, OUTCOME_COMMAND, status, NULL);
  else if (outcome->config.boot_only)
    outcome_decide(outcome, OUTCOME_COMMAND, 0, NULL);
  else if (how == GUEST_STOPPED)
    outcome_decide(outcome, OUTCOME_NO_RESULT, 0, OUTCOME_NO_WORD);
  else
    outcome_decide(outcome, OUTCOME_NO_RESULT, 0, "the guest powered off before its command had ended");
}

void guest_outcome_ended(GuestOutcome *outcome, GuestEnd how, int status, const char *message, uint64_t ns) {
  bool by_itself = how == GUEST_POWERED_OFF || how == GUEST_EXITED;

  if (!outcome->ended) {
    outcome->now = ns;
    kernel_watch_end(&outcome->watch);
  }
  outcome->ended = true;
  if (by_itself && !outcome_suspects_oops(outcome))
    outcome_refute(outcome); /* a kernel that panics resets the machine, or stays */
  kernel_watch_end_trace(&outcome->watch);
  if (how == GUEST_STOPPED_BY_USER && !outcome->final)
    outcome_decide(outcome, OUTCOME_STOPPED, 0, "stopped by the user");
  else
    outcome_confirm(outcome);
  outcome_forget_suspicions(outcome);
  outcome->final = true;
  if (outcome->kind == OUTCOME_RUNNING)
    decide_by_end(outcome, how, status, message);
}

/* The verdict. */

char *guest_outcome_progress(const GuestOutcome *outcome) {
  const char *last = outcome->watch.last_line;

  if (outcome->started)
    return g_strdup("the command was started");
  if (outcome->init_ns)
    return g_strdup(outcome->config.boot_only ? "the kernel has started its init" : "init was reached, the command was not started");
  if (!outcome->output_ns)
    return g_strdup("there was nothing on the console");
  return g_strdup_printf("the kernel was booting; its last line: %s", last ? last : "not complete");
}

GuestVerdict guest_outcome_verdict(const GuestOutcome *outcome) {
  const Suspicion *suspicion = outcome_suspicion(outcome);
  OutcomeKind kind = suspicion->kind ? suspicion->kind : outcome->kind;

  return (GuestVerdict){
      .kind = kind,
      .exit_status = outcomes[kind].status ? outcomes[kind].status : outcome->status,
      .message = suspicion->kind ? suspicion->message : outcome->message,
      .trace = outcome->watch.trace->len ? outcome->watch.trace->str : NULL,
      .reports = outcome->watch.reports,
      .final = outcome->final,
      .may_power_off = outcome->done && !outcome->dead && !outcome->suspicions[SUSPECT_OOPS].kind,
      .was_dead = outcome->dead,
      .strange_lines = outcome->strange,
      .first_strange = outcome->first_strange,
  };
}
