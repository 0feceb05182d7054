/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict is reached once and replaced only by a graver one: what the command said of itself gives way to a panic of the kernel under it, an oops to the panic that
 * follows. It is final when its evidence is complete.
 *
 * Where the kernel puts times before its lines, only lines with a time are the kernel's: a program that prints "Kernel panic" on the console is no panic.
 */
#include "vmm/exec/outcome.h"

#include <errno.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/exec/control-line.h"
#include "vmm/exec/kernel-log.h"

#define PROTOCOL       1
#define LINE_MAX_SIZE  4096
#define TRACE_MAX_SIZE (64 * 1024)
#define MESSAGE_MAX    400
#define STRANGE_MAX    80
#define NS_PER_SECOND  UINT64_C(1000000000)
#define TRACE_MAX_NS   (30 * NS_PER_SECOND) /* that a kernel may take for it */

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

struct GuestOutcome {
  GuestOutcomeConfig config;
  OutcomeKind kind;
  int status; /* of OUTCOME_COMMAND, OUTCOME_NOT_STARTED */
  char *message;
  bool final, ended;

  /* The console. */
  GString *line;
  char *last_line;
  bool timed;          /* the kernel puts times before its lines */
  GString *trace;      /* of the verdict, or of the first oops */
  GString *candidate;  /* what may become one; NULL: no trace is running */
  bool candidate_oops; /* there was an oops in it */
  bool init_killed;    /* the kernel killed init for memory */
  GArray *reports;

  /* Progress; 0: not yet. */
  uint64_t start, init_ns, output_ns;
  uint64_t trace_ns;  /* when the verdict's trace began */
  uint64_t ending_ns; /* the first word on how it ended */
  uint64_t heard_ns;  /* after that: the last that came of the command's streams, its files, or the control channel */
  uint64_t stall_ns;  /* since when our own reader takes nothing */
  bool stalled, started;
  unsigned strange;    /* lines of the control channel that are not the protocol's */
  char *first_strange; /* printable */
};

const char *outcome_name(OutcomeKind kind) {
  return outcomes[kind].name;
}

GuestOutcome *guest_outcome_new(const GuestOutcomeConfig *config, uint64_t start_ns) {
  GuestOutcome *outcome = g_new0(GuestOutcome, 1);

  outcome->config = *config;
  outcome->start = start_ns;
  outcome->line = g_string_new(NULL);
  outcome->trace = g_string_new(NULL);
  outcome->reports = g_array_new(FALSE, FALSE, sizeof(GuestReport));
  return outcome;
}

void guest_outcome_free(GuestOutcome *outcome) {
  if (!outcome)
    return;
  g_string_free(outcome->line, TRUE);
  g_string_free(outcome->trace, TRUE);
  if (outcome->candidate)
    g_string_free(outcome->candidate, TRUE);
  g_array_unref(outcome->reports);
  g_free(outcome->last_line);
  g_free(outcome->first_strange);
  g_free(outcome->message);
  g_free(outcome);
}

static void G_GNUC_PRINTF(4, 5) decide(GuestOutcome *outcome, OutcomeKind kind, int status, const char *format, ...) {
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
  outcome->message = printable(text, (gssize)strnlen(text, MESSAGE_MAX));
}

/* The console. */

static void count_report(GuestOutcome *outcome, const char *kind) {
  for (unsigned i = 0; i < outcome->reports->len; i++) {
    GuestReport *report = &g_array_index(outcome->reports, GuestReport, i);
    if (strcmp(report->kind, kind) == 0) {
      report->count++;
      return;
    }
  }
  g_array_append_vals(outcome->reports, &(GuestReport){kind, 1}, 1);
}

static void end_candidate(GuestOutcome *outcome) {
  if (!outcome->candidate)
    return;
  if (outcome->candidate_oops && outcome->trace->len + outcome->candidate->len <= TRACE_MAX_SIZE)
    g_string_append_len(outcome->trace, outcome->candidate->str, (gssize)outcome->candidate->len);
  g_string_free(outcome->candidate, TRUE);
  outcome->candidate = NULL;
  outcome->candidate_oops = false;
}

static void collect(GuestOutcome *outcome, KernelLine kind) {
  bool starts = kind == KERNEL_LINE_TRACE_START || kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;

  if (starts && !outcome->candidate)
    outcome->candidate = g_string_new(NULL);
  if (!outcome->candidate)
    return;
  outcome->candidate_oops |= kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;
  if (outcome->candidate->len + outcome->line->len < TRACE_MAX_SIZE) {
    g_autofree char *text = printable(outcome->line->str, (gssize)outcome->line->len);
    g_string_append_printf(outcome->candidate, "%s\n", text);
  }
  if (kind == KERNEL_LINE_TRACE_END || kind == KERNEL_LINE_PANIC_END)
    end_candidate(outcome);
}

static void take_panic(GuestOutcome *outcome, const char *text) {
  const char *reason = kernel_line_reason(text);
  bool memory = g_str_has_prefix(reason, "Out of memory") || strstr(reason, "deadlocked on memory") ||
                (outcome->init_killed && strstr(reason, "Attempted to kill init"));

  if (outcome->kind == OUTCOME_PANIC || outcome->kind == OUTCOME_OUT_OF_MEMORY)
    return; /* of several, the first is the cause */
  if (memory)
    decide(outcome, OUTCOME_OUT_OF_MEMORY, 0, "the guest ran out of memory: panic: %s", reason);
  else
    decide(outcome, OUTCOME_PANIC, 0, "guest panic: %s", reason);
}

static void reach_init(GuestOutcome *outcome, uint64_t ns) {
  if (!outcome->init_ns)
    outcome->init_ns = MAX(ns, 1);
}

static bool kills_init(const char *text) {
  return strstr(text, "Killed process 1 (") != NULL;
}

static void act_on(GuestOutcome *outcome, KernelLine kind, const char *text, uint64_t ns) {
  switch (kind) {
  case KERNEL_LINE_PANIC:
    take_panic(outcome, text);
    outcome->trace_ns = ns;
    break;
  case KERNEL_LINE_PANIC_END:
    outcome->final |= outcome->kind == OUTCOME_PANIC || outcome->kind == OUTCOME_OUT_OF_MEMORY;
    break;
  case KERNEL_LINE_OOPS:
    if (outcome->config.fail_on_oops && outcome->kind <= OUTCOME_NOT_STARTED) {
      decide(outcome, OUTCOME_OOPS, 0, "guest oops: %s", kernel_line_reason(text));
      outcome->trace_ns = ns;
    }
    break;

  case KERNEL_LINE_OOM_KILL:
    outcome->init_killed |= kills_init(text);
    break;
  case KERNEL_LINE_INIT:
    if (outcome->config.boot_only)
      reach_init(outcome, ns);
    break;
  default:
    break;
  }
}

/* Our init's last resort, when there is nobody else to talk to: "eret-init: no control port: ...". */
static void take_init_complaint(GuestOutcome *outcome, const char *text) {
  static const char no_port[] = "eret-init: no control port: ";

  if (g_str_has_prefix(text, no_port) && outcome->kind == OUTCOME_RUNNING)
    decide(outcome, OUTCOME_NO_DRIVER, 0, "a driver is missing: %s", text + strlen(no_port));
}

static void take_line(GuestOutcome *outcome, uint64_t ns) {
  bool timed;

  if (outcome->line->len && outcome->line->str[outcome->line->len - 1] == '\r')
    g_string_truncate(outcome->line, outcome->line->len - 1);
  const char *text = kernel_line_text(outcome->line->str, &timed);
  outcome->timed |= timed;
  if (*text) {
    g_free(outcome->last_line);
    outcome->last_line = printable(outcome->line->str, (gssize)MIN(outcome->line->len, MESSAGE_MAX));
  }
  if (!timed)
    take_init_complaint(outcome, text);
  if (timed || !outcome->timed) {
    KernelLine kind = kernel_line_kind(text);
    const char *report = kernel_line_report(text);
    if (report)
      count_report(outcome, report);
    collect(outcome, kind);
    act_on(outcome, kind, text, ns);
  }
  g_string_truncate(outcome->line, 0);
}

void guest_outcome_console(GuestOutcome *outcome, const void *bytes, size_t size, uint64_t ns) {
  const char *text = bytes;

  if (outcome->ended)
    return;
  outcome->output_ns = MAX(ns, 1);
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\n')
      take_line(outcome, ns);
    else if (outcome->line->len < LINE_MAX_SIZE && text[i])
      g_string_append_c(outcome->line, text[i]);
  }
}

/* The control channel. */

static void take_hello(GuestOutcome *outcome, unsigned version) {
  if (version == PROTOCOL)
    return;
  decide(outcome, OUTCOME_HOST_ERROR, 0, "the guest's init speaks version %u of the protocol, and not %u", version, PROTOCOL);
  outcome->final = true;
}

/* The first word on how it ended counts. */
static void take_end(GuestOutcome *outcome, const ControlLine *line) {
  if (outcome->kind != OUTCOME_RUNNING)
    return;
  if (line->kind == CONTROL_EXIT)
    decide(outcome, OUTCOME_COMMAND, (int)line->number, NULL);
  else if (line->kind == CONTROL_SIGNAL)
    decide(outcome, OUTCOME_COMMAND, 128 + (int)line->number, NULL);
  else if (line->kind == CONTROL_SIGNAL_OOM)
    decide(outcome, OUTCOME_OUT_OF_MEMORY, 0, "the guest ran out of memory, and its kernel killed the command");
  else if (line->kind == CONTROL_FAILED) /* the shell's statuses */
    decide(outcome, OUTCOME_NOT_STARTED, line->number == ENOENT ? 127 : 126, "the command cannot be run: %s", line->text);
  else if (line->kind == CONTROL_MISSING)
    decide(outcome, OUTCOME_NO_DRIVER, 0, "a driver is missing: %s", line->text);
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
}

void guest_outcome_control(GuestOutcome *outcome, const char *text, uint64_t ns) {
  const ControlLine line = control_line_parse(text);

  if (outcome->final || outcome->ended)
    return;
  if (line.kind == CONTROL_NONE) {
    count_strange(outcome, text);
    return;
  }
  reach_init(outcome, ns);
  if (line.kind == CONTROL_HELLO) {
    take_hello(outcome, line.number);
  } else if (line.kind == CONTROL_STARTED) {
    outcome->started = true;
  } else {
    guest_outcome_ending(outcome, ns);
    take_end(outcome, &line);
    outcome->final = line.kind == CONTROL_DONE && outcome->kind != OUTCOME_RUNNING;
  }
}

void guest_outcome_heard(GuestOutcome *outcome, uint64_t ns) {
  if (outcome->ending_ns)
    outcome->heard_ns = ns;
}

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

/* The end, and the time. */

static void decide_by_end(GuestOutcome *outcome, GuestEnd how, int status, const char *message) {
  if (how == GUEST_HOST_ERROR)
    decide(outcome, OUTCOME_HOST_ERROR, 0, "%s", message ? message : "the machine failed");
  else if (how == GUEST_RESET)
    decide(outcome, OUTCOME_RESET, 0, "the guest was reset, without a panic of its kernel");
  else if (how == GUEST_EXITED)
    decide(outcome, OUTCOME_COMMAND, status, NULL);
  else if (outcome->config.boot_only)
    decide(outcome, OUTCOME_COMMAND, 0, NULL);
  else
    decide(outcome, OUTCOME_NO_RESULT, 0, "the guest powered off before its command had ended");
}

void guest_outcome_ended(GuestOutcome *outcome, GuestEnd how, int status, const char *message, uint64_t ns) {
  if (outcome->line->len && !outcome->ended)
    take_line(outcome, ns);
  end_candidate(outcome);
  outcome->ended = true;
  if (outcome->final)
    return;
  outcome->final = true;
  if (how == GUEST_STOPPED_BY_USER)
    decide(outcome, OUTCOME_STOPPED, 0, "stopped by the user");
  else if (outcome->kind == OUTCOME_RUNNING)
    decide_by_end(outcome, how, status, message);
}

static bool awaits_silence(const GuestOutcome *outcome) {
  return outcome->kind == OUTCOME_OOPS || outcome->kind == OUTCOME_PANIC || (outcome->kind == OUTCOME_OUT_OF_MEMORY && outcome->candidate);
}

/* The later of two moments; UINT64_MAX: never. */
static uint64_t after(uint64_t moment, uint64_t limit) {
  return limit ? moment + limit : UINT64_MAX;
}

/* To its end the command may take what is left of its time, and a little in any case; but not without giving a sign. */
static uint64_t ending_deadline(const GuestOutcome *outcome, uint64_t timeout) {
  const GuestOutcomeConfig *config = &outcome->config;
  uint64_t least = after(outcome->ending_ns, config->ending_ns), silence = after(outcome->heard_ns, config->ending_ns);

  return MIN(silence, MAX(timeout, least));
}

uint64_t guest_outcome_deadline(const GuestOutcome *outcome) {
  const GuestOutcomeConfig *config = &outcome->config;
  uint64_t boot = after(outcome->start, config->boot_timeout_ns);

  if (outcome->final)
    return UINT64_MAX;
  if (awaits_silence(outcome))
    return MIN(outcome->output_ns + config->silence_ns, outcome->trace_ns + TRACE_MAX_NS);
  if (outcome->stalled)
    return UINT64_MAX;
  uint64_t timeout = after(outcome->init_ns ? outcome->init_ns : outcome->start, config->timeout_ns);
  if (outcome->ending_ns)
    return ending_deadline(outcome, timeout);
  if (outcome->init_ns && !outcome->started && !config->boot_only && timeout == UINT64_MAX)
    return after(outcome->init_ns, config->boot_timeout_ns);
  return !outcome->init_ns && boot != UINT64_MAX ? boot : timeout;
}

static unsigned seconds(uint64_t ns) {
  return (unsigned)((ns + NS_PER_SECOND / 2) / NS_PER_SECOND);
}

static void decide_late_boot(GuestOutcome *outcome, uint64_t ns) {
  unsigned limit = seconds(outcome->config.boot_timeout_ns);

  if (outcome->init_ns)
    decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the guest's init did not start the command within %u s", limit);
  else if (!outcome->output_ns)
    decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the kernel did not reach init within %u s, and wrote nothing on its console", limit);
  else
    decide(outcome, OUTCOME_BOOT_TIMEOUT, 0, "the kernel did not reach init within %u s; its console was silent for the last %u s", limit,
           seconds(ns - outcome->output_ns));
}

/* The guest has said how its command ended, but not that nothing more will come: what came is not all. */
static void decide_late_end(GuestOutcome *outcome, uint64_t ns) {
  unsigned silent = seconds(ns - outcome->heard_ns), since = seconds(ns - outcome->ending_ns);

  if (outcome->kind == OUTCOME_COMMAND)
    decide(
        outcome, OUTCOME_TIMEOUT, 0,
        "the command ended with status %d, but its guest did not come to an end within %u s, silent for the last %u s: its output or its "
        "files are not complete",
        outcome->status, since, silent);
  else if (outcome->kind == OUTCOME_RUNNING)
    decide(outcome, OUTCOME_NO_RESULT, 0, "the guest's init came to its end without a result of the command");
}

void guest_outcome_tick(GuestOutcome *outcome, uint64_t ns) {
  uint64_t deadline = guest_outcome_deadline(outcome);

  if (deadline == UINT64_MAX || ns < deadline)
    return;
  outcome->final = true;
  end_candidate(outcome);
  if (outcome->ending_ns && !awaits_silence(outcome))
    decide_late_end(outcome, ns);
  if (outcome->kind != OUTCOME_RUNNING)
    return;
  if (outcome->config.timeout_ns && (outcome->init_ns || !outcome->config.boot_timeout_ns))
    decide(outcome, OUTCOME_TIMEOUT, 0, "the %s did not end within %u s", outcome->config.boot_only ? "guest" : "command",
           seconds(outcome->config.timeout_ns));
  else
    decide_late_boot(outcome, ns);
}

/* The verdict. */

bool guest_outcome_is_final(const GuestOutcome *outcome) {
  return outcome->final;
}

OutcomeKind guest_outcome_kind(const GuestOutcome *outcome) {
  return outcome->kind;
}

int guest_outcome_exit_status(const GuestOutcome *outcome) {
  int status = outcomes[outcome->kind].status;
  return status ? status : outcome->status;
}

const char *guest_outcome_message(const GuestOutcome *outcome) {
  return outcome->message;
}

const char *guest_outcome_trace(const GuestOutcome *outcome) {
  return outcome->trace->len ? outcome->trace->str : NULL;
}

char *guest_outcome_fingerprint(const GuestOutcome *outcome) {
  return outcome->trace->len ? kernel_trace_fingerprint(outcome->trace->str) : NULL;
}

char *guest_outcome_progress(const GuestOutcome *outcome) {
  if (outcome->started)
    return g_strdup("the command was started");
  if (outcome->init_ns)
    return g_strdup(outcome->config.boot_only ? "the kernel has started its init" : "init was reached, the command was not started");
  if (!outcome->output_ns)
    return g_strdup("there was nothing on the console");
  return g_strdup_printf("the kernel was booting; its last line: %s", outcome->last_line ? outcome->last_line : "not complete");
}

GArray *guest_outcome_reports(const GuestOutcome *outcome) {
  return g_array_ref(outcome->reports);
}

unsigned guest_outcome_strange_lines(const GuestOutcome *outcome, const char **first) {
  *first = outcome->first_strange;
  return outcome->strange;
}
