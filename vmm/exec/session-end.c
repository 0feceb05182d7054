/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run: what is still on its way is awaited, files and result are written, and the user is told.
 *
 * No lock: all on the main thread, and the machine has ended.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "devices/backend/channel.h"
#include "devices/backend/terminal.h"
#include "devices/printable.h"
#include "vmm/exec/session-state.h"

#define TAIL_AFTER_TRACE 6 /* lines that a kernel may write behind a trace; a longer one is shown by itself */

/* At the end of a run: whole lines on standard error, behind what the guest has written there. */
static void G_GNUC_PRINTF(2, 3) say(const ExecSession *session, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  session->tell(text, -1);
}

/* A message must not wait for anybody. */
void exec_say_who_is_waited_for(int fd) {
  struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

  if (fd == STDOUT_FILENO && poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
    g_message("standard output is not read: waiting for its reader; the guest's time stands still meanwhile");
}

/* As long as the reader takes, as with any other process; but not without a word. */
static void flush_stream(CharBackend *stream, int fd) {
  if (terminal_flush(stream, READER_SECONDS * 1000))
    return;
  exec_say_who_is_waited_for(fd);
  terminal_flush(stream, INT_MAX);
}

/* What is still on its way to us: the console's last bytes, and the files'. */
static void flush_channels(ExecSession *session) {
  channel_flush(session->console);
  channel_flush(session->ports[PORT_CONTROL].backend);
  channel_flush(session->ports[PORT_FILES].backend);
}

/* What is still on its way to the user. */
static void flush_streams(ExecSession *session) {
  flush_stream(session->ports[PORT_STDOUT].backend, STDOUT_FILENO);
  flush_stream(session->ports[PORT_STDERR].backend, STDERR_FILENO);
  if (session->show)
    console_show_flush(session->show, INT_MAX);
}

static void tell_end(ExecSession *session, MachineEnd end, const GError *error) {
  static const GuestEnd ends[] = {
      [MACHINE_POWERED_OFF] = GUEST_POWERED_OFF, [MACHINE_RESET] = GUEST_RESET,       [MACHINE_STOPPED] = GUEST_STOPPED,
      [MACHINE_EXITED] = GUEST_EXITED,           [MACHINE_FAILED] = GUEST_HOST_ERROR,
  };

  guest_outcome_ended(session->outcome, ends[end], end == MACHINE_EXITED ? machine_exit_code(session->machine) : 0,
                      error ? error->message : NULL, trace_now());
}

/* The command's status, unless that is good and its files are not. */
static int finish_files(ExecSession *session, const GuestVerdict *verdict) {
  if (!session->files || verdict->kind != OUTCOME_COMMAND)
    return verdict->exit_status; /* there was more important news */
  copy_out_finish(session->files, session->files_came);
  session->files_finished = true;
  return verdict->exit_status == 0 && copy_out_failures(session->files)->len ? OUTCOME_STATUS_HOST_ERROR : verdict->exit_status;
}

static void report_files(ExecSession *session) {
  const GPtrArray *failures = session->files_finished ? copy_out_failures(session->files) : NULL;

  for (unsigned i = 0; failures && i < failures->len; i++)
    say(session, "eret: --copy-out: %s\n", (const char *)g_ptr_array_index(failures, i));
}

/*
 * Of a stream of the command's, to what needs no reader; 0: nothing was lost. Where nobody reads, the command was told.
 */
static int lost_output(const ExecSession *session, unsigned port) {
  CharBackend *stream = session->ports[port].backend;

  terminal_flush(stream, 0);
  return terminal_lost(stream) == EPIPE ? 0 : terminal_lost(stream);
}

static void report_lost_output(const ExecSession *session) {
  for (unsigned port = PORT_STDOUT; port <= PORT_STDERR; port++)
    if (lost_output(session, port))
      say(session, "eret: cannot write the command's standard %s: %s\n", port == PORT_STDOUT ? "output" : "error",
          g_strerror(lost_output(session, port)));
}

/* What could not be written, which is said, spoils a run that was good, and no other. */
static int finish_reports(ExecSession *session, int status) {
  bool lost = !console_log_finish(session->log) || machine_lost_reports(session->machine);

  lost = lost || lost_output(session, PORT_STDOUT) || lost_output(session, PORT_STDERR);
  return status == 0 && lost ? OUTCOME_STATUS_HOST_ERROR : status;
}

static unsigned count_lines(const char *text) {
  unsigned n = 0;

  for (; *text; text++)
    n += *text == '\n';
  return n;
}

/*
 * For a run that did not go as it should: how far it came, the registers, and the last lines of the console, where eyes
 * look first.
 */
static void report_failure(ExecSession *session, const ExecResult *result, const char *registers) {
  g_autofree char *tail = console_log_tail(session->log);

  say(session, "eret: it came so far: %s\n", result->progress);
  if (result->fingerprint)
    say(session, "eret: fingerprint: %s\n", result->fingerprint);
  if (registers && *registers)
    say(session, "eret: registers at the end:\n%s", registers);
  if (!session->options->verbose && result->trace && count_lines(result->trace) > TAIL_LINES - TAIL_AFTER_TRACE)
    say(session, "eret: the kernel's trace:\n%s\n", result->trace);
  if (!session->options->verbose && *tail)
    say(session, "eret: the last lines of the kernel's console:\n%s", tail);
}

static uint64_t first_instruction(const ExecSession *session) {
  g_autoptr(GArray) entries = timeline_entries(machine_timeline(session->machine));

  for (unsigned i = 0; i < entries->len; i++)
    if (g_array_index(entries, TimelineEntry, i).phase == PHASE_FIRST_INSTRUCTION)
      return g_array_index(entries, TimelineEntry, i).ns;
  return 0;
}

/*
 * Whether it did not go as it should: nobody is helped by how far a command came that ended, or that the user has
 * stopped.
 */
static bool wants_report(OutcomeKind kind) {
  return kind != OUTCOME_COMMAND && kind != OUTCOME_NOT_STARTED && kind != OUTCOME_STOPPED;
}

/*
 * Registers say where something hangs or broke: not of a guest that has reset or powered off itself, nor of one that
 * lives and takes its time.
 */
static bool wants_registers(const GuestVerdict *verdict) {
  return verdict->kind == OUTCOME_PANIC || verdict->kind == OUTCOME_OOPS || verdict->kind == OUTCOME_BOOT_TIMEOUT ||
         (verdict->kind == OUTCOME_TIMEOUT && verdict->was_dead);
}

/* The result is there before anybody is waited for who reads our output. */
int exec_session_end(ExecSession *session, MachineEnd end, const GError *error) {
  g_autoptr(GError) result_error = NULL;

  flush_channels(session);
  session->running = false;
  tell_end(session, end, error);
  const GuestVerdict verdict = guest_outcome_verdict(session->outcome);
  g_autofree char *registers = wants_registers(&verdict) ? machine_describe_vcpus(session->machine) : NULL;
  g_autofree char *progress = guest_outcome_progress(session->outcome);
  g_autofree char *fingerprint = kernel_trace_fingerprint(verdict.trace);
  ExecResult result = {
      .outcome = outcome_name(verdict.kind),
      .exit_status = finish_reports(session, finish_files(session, &verdict)),
      .message = verdict.message,
      .fingerprint = fingerprint,
      .trace = verdict.trace,
      .progress = progress,
      .reports = verdict.reports,
      .times = session->times,
  };
  result.times.first_instruction = first_instruction(session);
  result.times.end = trace_now();
  if (session->result)
    exec_result_write(&result, session->result, &result_error);
  flush_streams(session);
  report_lost_output(session);
  report_files(session);
  if (result.message)
    say(session, "eret: %s\n", result.message);
  if (verdict.strange_lines)
    say(session, "eret: the guest said %u lines on its control port that are not the protocol's, and were ignored; the first: %s\n",
        verdict.strange_lines, verdict.first_strange);
  if (wants_report(verdict.kind))
    report_failure(session, &result, registers);
  if (!result_error)
    return result.exit_status;
  g_autofree char *why = printable_line_escaped(result_error->message, -1);
  say(session, "eret: --result: %s\n", why);
  return result.exit_status == 0 ? OUTCOME_STATUS_HOST_ERROR : result.exit_status;
}
