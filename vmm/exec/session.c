/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five streams lead into the guest: the command's three, the control channel (docs/exec-protocol.md), and the files
 * that come out. The kernel's console is none of them: it goes to the outcome, which knows a panic when it sees one,
 * and to the log.
 *
 * Whatever happens is told to the outcome (outcome.h), which says when it is final and what it is. This file has no
 * opinion of its own.
 *
 * No lock: all on the main thread.
 */
#include "vmm/exec/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/channel.h"
#include "devices/backend/message.h"
#include "devices/backend/terminal.h"
#include "vmm/cmd/command.h"
#include "vmm/command-line.h"
#include "vmm/exec/console-log.h"
#include "vmm/exec/console-show.h"
#include "vmm/exec/control-line.h"
#include "vmm/exec/kernel-log.h"
#include "vmm/exec/parts.h"
#include "vmm/exec/result-file.h"
#include "vmm/machine.h"
#include "vmm/trace/recorder.h"

#define NS_PER_SECOND     UINT64_C(1000000000)
#define NS_PER_MS         UINT64_C(1000000)
#define PANIC_SILENCE_NS  NS_PER_SECOND
#define ANSWER_NS         (5 * NS_PER_SECOND)
#define ENDING_NS         (15 * NS_PER_SECOND) /* see GuestOutcomeConfig */
#define CONTROL_LINE_MAX  4096
#define POWER_OFF_SECONDS 10            /* that the guest has for it after its last word */
#define READER_SECONDS    5             /* that our output's reader may stand still before it is said what is waited for */
#define VERBOSE_MAX       (1024 * 1024) /* of the kernel's console that may wait for who reads standard error */
#define TAIL_LINES        40
#define TAIL_AFTER_TRACE  6 /* lines that a kernel may write behind a trace; a longer one is shown by itself */

enum { PORT_CONTROL, PORT_STDIN, PORT_STDOUT, PORT_STDERR, PORT_FILES, N_PORTS };
static const char *const port_names[N_PORTS] = {"eret.control", "eret.stdin", "eret.stdout", "eret.stderr", "eret.files"};

struct ExecSession {
  const ExecOptions *options;
  OutputFile *result; /* or NULL */
  Machine *machine;
  MachineClient client;
  VirtioConsolePort ports[N_PORTS];
  CharBackend *console; /* what the kernel writes */
  GuestOutcome *outcome;
  ConsoleLog *log;
  ConsoleShow *show; /* NULL: not wanted */
  CopyOut *files;    /* NULL: nothing is to come */
  GString *line;     /* of the control channel, not complete yet */
  guint timer, grace_timer, reader_timer;
  bool running, asked, ending;
  bool started, said_done, files_came; /* what init has said */
  bool files_finished;
  uint32_t drained; /* ports whose last byte has been taken; a bit each */
  uint32_t stalled; /* ports whose reader stands still */
  uint64_t taken;   /* bytes of the command's output, at the last look */
  ExecTimes times;
};

/* The streams that init closes before its last word. */
#define PORTS_TO_DRAIN (1u << PORT_STDOUT | 1u << PORT_STDERR | 1u << PORT_FILES)

static uint64_t now(void) {
  return trace_now();
}

static void look_at_outcome(ExecSession *session);

static gboolean on_timer(gpointer data) {
  ExecSession *session = data;

  session->timer = 0;
  look_at_outcome(session);
  return G_SOURCE_REMOVE;
}

static gboolean on_power_off_late(gpointer data) {
  ExecSession *session = data;

  session->timer = 0;
  machine_stop(session->machine, NULL);
  return G_SOURCE_REMOVE;
}

static void set_timer(ExecSession *session, uint64_t ms, GSourceFunc function) {
  if (session->timer)
    g_source_remove(session->timer);
  session->timer = g_timeout_add((guint)MIN(ms, G_MAXUINT), function, session);
}

static void send_line(ExecSession *session, const char *line) {
  channel_send(session->ports[PORT_CONTROL].backend, line, strlen(line));
}

/*
 * A guest that has said its last word powers off by itself, with its disks in order, once all that it wrote has been
 * read.
 */
static void let_power_off(ExecSession *session) {
  session->ending = true;
  send_line(session, "poweroff\n");
  set_timer(session, POWER_OFF_SECONDS * 1000, on_power_off_late);
}

/* The command's output goes from the guest into its back ends without passing here. */
static void look_at_output(ExecSession *session) {
  uint64_t taken = terminal_taken(session->ports[PORT_STDOUT].backend) + terminal_taken(session->ports[PORT_STDERR].backend);

  if (taken != session->taken)
    guest_outcome_heard(session->outcome, now());
  session->taken = taken;
}

/*
 * After every event: is it over, and if not, when is the next look due? The time is looked at here, not in the timer
 * alone: that is set anew by every event, and a guest that makes many of them would always be before it.
 */
static void look_at_outcome(ExecSession *session) {
  if (!session->running || session->ending)
    return;
  if (session->said_done && (session->drained & PORTS_TO_DRAIN) == PORTS_TO_DRAIN) {
    guest_outcome_control(session->outcome, "done", now());
    let_power_off(session);
    return;
  }
  look_at_output(session);
  guest_outcome_tick(session->outcome, now());
  if (guest_outcome_asks(session->outcome))
    send_line(session, "ping\n");
  if (guest_outcome_is_final(session->outcome)) {
    session->ending = true;
    machine_stop(session->machine, NULL);
    return;
  }
  uint64_t deadline = guest_outcome_deadline(session->outcome), time = now();
  if (deadline != UINT64_MAX)
    set_timer(session, deadline > time ? (deadline - time) / NS_PER_MS + 1 : 0, on_timer);
  else
    g_clear_handle_id(&session->timer, g_source_remove);
}

/* The kernel's console. */

static void console_received(void *opaque, const uint8_t *bytes, size_t size) {
  ExecSession *session = opaque;

  console_log_write(session->log, bytes, size, now());
  guest_outcome_console(session->outcome, bytes, size, now());
  if (session->show)
    console_show_write(session->show, bytes, size);
  look_at_outcome(session);
}

static const ChannelOps console_ops = {console_received};

/* The control channel. */

/* The first time counts. */
static void set_time(uint64_t *time) {
  if (!*time)
    *time = now();
}

static void take_line(ExecSession *session, const char *text) {
  const ControlLine line = control_line_parse(text);

  if (line.kind == CONTROL_HELLO)
    set_time(&session->times.init);
  else if (line.kind == CONTROL_STARTED)
    set_time(&session->times.command_started);
  else if (line.kind == CONTROL_EXIT || line.kind == CONTROL_SIGNAL || line.kind == CONTROL_SIGNAL_OOM)
    set_time(&session->times.command_ended);
  else if (line.kind == CONTROL_FILES_FAILED && session->files)
    copy_out_fail(session->files, line.text);
  session->started |= line.kind == CONTROL_STARTED;
  session->files_came |= line.kind == CONTROL_FILES_END;
  session->said_done |= line.kind == CONTROL_DONE;
  if (line.kind == CONTROL_DONE)
    guest_outcome_ending(session->outcome, now());
  else
    guest_outcome_control(session->outcome, text, now());
}

static void control_received(void *opaque, const uint8_t *bytes, size_t size) {
  ExecSession *session = opaque;

  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != '\n') {
      if (session->line->len < CONTROL_LINE_MAX)
        g_string_append_c(session->line, bytes[i] ? (char)bytes[i] : '?');
      continue;
    }
    take_line(session, session->line->str);
    g_string_truncate(session->line, 0);
  }
  look_at_outcome(session);
}

static const ChannelOps control_ops = {control_received};

static void send_signal(ExecSession *session, int number) {
  g_autofree char *line = g_strdup_printf("signal %d\n", number);
  send_line(session, line);
}

/* Files that come out. */

static void files_received(void *opaque, const uint8_t *bytes, size_t size) {
  ExecSession *session = opaque;

  guest_outcome_files(session->outcome, now());
  if (session->files)
    copy_out_feed(session->files, bytes, size);
}

static const ChannelOps files_ops = {files_received};

/* The command's streams. */

/* At the end of a run: whole lines on standard error, behind what the guest has written there. */
static void G_GNUC_PRINTF(1, 2) say(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  message_say(text, -1);
}

/* On standard error, unless that itself is not read: a message must not wait for anybody. */
static void say_who_is_waited_for(int fd) {
  struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

  if (fd == STDOUT_FILENO && poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
    g_message("standard output is not read: waiting for its reader; the guest's time stands still meanwhile");
}

static void stdin_event(TerminalEvent event, void *opaque) {
  ExecSession *session = opaque;

  if (event == TERMINAL_ENDED)
    machine_end_port_input(session->machine, PORT_STDIN);
}

static gboolean on_reader_late(gpointer data) {
  ExecSession *session = data;

  session->reader_timer = 0;
  say_who_is_waited_for(session->stalled & 1u << PORT_STDERR ? STDERR_FILENO : STDOUT_FILENO);
  return G_SOURCE_REMOVE;
}

/*
 * Who reads our output stands still: that is not the guest's fault, whose clocks stand still with it; but it is said.
 */
static void reader_stalls(ExecSession *session, unsigned port, bool stalls) {
  uint32_t before = session->stalled;

  session->stalled = stalls ? before | 1u << port : before & ~(1u << port);
  if (!session->stalled == !before)
    return;
  guest_outcome_stall(session->outcome, stalls, now() - (stalls ? TERMINAL_STALL_MS * NS_PER_MS : 0));
  if (stalls)
    session->reader_timer = g_timeout_add_seconds(READER_SECONDS, on_reader_late, session);
  else
    g_clear_handle_id(&session->reader_timer, g_source_remove);
  look_at_outcome(session);
}

/* When nobody reads any more, the command learns it as it would without a machine in between. */
static void output_event(ExecSession *session, unsigned port, TerminalEvent event) {
  if (event == TERMINAL_GONE)
    send_signal(session, SIGPIPE);
  else if (event == TERMINAL_STALLED || event == TERMINAL_FLOWS)
    reader_stalls(session, port, event == TERMINAL_STALLED);
}

static void stdout_event(TerminalEvent event, void *opaque) {
  output_event(opaque, PORT_STDOUT, event);
}

static void stderr_event(TerminalEvent event, void *opaque) {
  output_event(opaque, PORT_STDERR, event);
}

/* The user. */

static void stop_for_user(ExecSession *session) {
  guest_outcome_ended(session->outcome, GUEST_STOPPED_BY_USER, 0, NULL, now());
  session->ending = true;
  machine_stop(session->machine, NULL);
}

static gboolean on_grace_over(gpointer data) {
  ExecSession *session = data;

  session->grace_timer = 0;
  stop_for_user(session);
  return G_SOURCE_REMOVE;
}

/*
 * The first signal is the command's, the second ends the machine; a command that outlives a SIGTERM or SIGHUP has the
 * grace period. Where there is no command, or none any more, the first ends the machine.
 */
static bool asked_to_stop(void *opaque, int number) {
  ExecSession *session = opaque;

  if (session->asked || !session->started || session->times.command_ended || session->said_done) {
    stop_for_user(session);
    return true;
  }
  session->asked = true;
  send_signal(session, number);
  if (number != SIGINT)
    session->grace_timer = g_timeout_add_seconds(session->options->config->grace, on_grace_over, session);
  return true;
}

static void port_drained(void *opaque, unsigned port) {
  ExecSession *session = opaque;

  session->drained |= 1u << port;
  look_at_outcome(session);
}

static const VirtioConsolePortsOps ports_ops = {.drained = port_drained};

/* Making and ending. */

static void make_ports(ExecSession *session) {
  session->ports[PORT_CONTROL].backend = channel_new(&control_ops, session);
  session->ports[PORT_STDIN].backend = terminal_new_stream(STDIN_FILENO, -1, stdin_event, session);
  session->ports[PORT_STDOUT].backend = terminal_new_stream(-1, STDOUT_FILENO, stdout_event, session);
  session->ports[PORT_STDERR].backend = terminal_new_stream(-1, STDERR_FILENO, stderr_event, session);
  session->ports[PORT_FILES].backend = channel_new(&files_ops, session);
  for (unsigned i = 0; i < N_PORTS; i++)
    session->ports[i].name = port_names[i];
}

static void make_client(ExecSession *session, GBytes *initrd) {
  session->client = (MachineClient){
      .console = session->console,
      .initrd = initrd,
      .ports = session->ports,
      .n_ports = session->options->boot_only ? 0 : N_PORTS,
      .ports_ops = &ports_ops,
      .asked_to_stop = asked_to_stop,
      .opaque = session,
  };
}

/* In a guest of the user's own, its kernel says when it starts init, unless it keeps such news to itself. */
static bool init_is_seen(const ExecOptions *options) {
  return !options->boot_only || kernel_tells_news(options->config->append);
}

ExecSession *exec_session_new(const ExecOptions *options, GBytes *initrd, OutputFile *result, GError **error) {
  g_autoptr(ExecSession) session = g_new0(ExecSession, 1);
  const GuestOutcomeConfig config = {
      .fail_on_oops = options->fail_on_oops,
      .boot_only = options->boot_only,
      .boot_timeout_ns = init_is_seen(options) ? options->boot_timeout * NS_PER_SECOND : 0,
      .timeout_ns = options->timeout * NS_PER_SECOND,
      .silence_ns = PANIC_SILENCE_NS,
      .answer_ns = ANSWER_NS,
      .ending_ns = ENDING_NS,
  };

  session->options = options;
  session->result = result;
  session->times.start = now();
  session->line = g_string_new(NULL);
  session->log = console_log_new(options->console_log, TAIL_LINES, now(), error);
  if (!session->log)
    return NULL;
  session->outcome = guest_outcome_new(&config, now());
  if (options->verbose)
    session->show = console_show_new(STDERR_FILENO, VERBOSE_MAX);
  session->console = channel_new(&console_ops, session);
  make_ports(session);
  make_client(session, initrd);
  if (options->copy_out->len && !(session->files = exec_copy_out_new(options, error)))
    return NULL;
  session->machine = machine_new(options->config, &session->client, error);
  session->client.initrd = NULL; /* the machine has a reference for as long as it needs it */
  return session->machine ? g_steal_pointer(&session) : NULL;
}

/* The machine uses everything else. */
void exec_session_free(ExecSession *session) {
  if (!session)
    return;
  g_clear_handle_id(&session->timer, g_source_remove);
  g_clear_handle_id(&session->grace_timer, g_source_remove);
  g_clear_handle_id(&session->reader_timer, g_source_remove);
  machine_free(session->machine);
  for (unsigned i = 0; i < N_PORTS; i++)
    char_backend_free(session->ports[i].backend);
  char_backend_free(session->console);
  guest_outcome_free(session->outcome);
  console_log_free(session->log);
  console_show_free(session->show);
  copy_out_free(session->files);
  if (session->line)
    g_string_free(session->line, TRUE);
  g_free(session);
}

/* As long as the reader takes, as with any other process; but not without a word. */
static void flush_stream(CharBackend *stream, int fd) {
  if (terminal_flush(stream, READER_SECONDS * 1000))
    return;
  say_who_is_waited_for(fd);
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
                      error ? error->message : NULL, now());
}

/* The command's status, unless that is good and its files are not. */
static int finish_files(ExecSession *session, int status) {
  if (!session->files || guest_outcome_kind(session->outcome) != OUTCOME_COMMAND)
    return status; /* there was more important news */
  copy_out_finish(session->files, session->files_came);
  session->files_finished = true;
  return status == 0 && copy_out_failures(session->files)->len ? OUTCOME_STATUS_HOST_ERROR : status;
}

static void report_files(ExecSession *session) {
  const GPtrArray *failures = session->files_finished ? copy_out_failures(session->files) : NULL;

  for (unsigned i = 0; failures && i < failures->len; i++)
    say("eret: --copy-out: %s\n", (const char *)g_ptr_array_index(failures, i));
}

static void report_strange_lines(ExecSession *session) {
  const char *first;
  unsigned n = guest_outcome_strange_lines(session->outcome, &first);

  if (n)
    say("eret: the guest said %u lines on its control port that are not the protocol's, and were ignored; the first: %s\n", n, first);
}

/* Of a stream of the command's, to what needs no reader; 0: nothing was lost. Where nobody reads, the command was told. */
static int lost_output(const ExecSession *session, unsigned port) {
  CharBackend *stream = session->ports[port].backend;

  terminal_flush(stream, 0);
  return terminal_lost(stream) == EPIPE ? 0 : terminal_lost(stream);
}

static void report_lost_output(const ExecSession *session) {
  for (unsigned port = PORT_STDOUT; port <= PORT_STDERR; port++)
    if (lost_output(session, port))
      fprintf(stderr, "eret: cannot write the command's standard %s: %s\n", port == PORT_STDOUT ? "output" : "error",
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
static void report_failure(ExecSession *session, const char *registers) {
  g_autofree char *progress = guest_outcome_progress(session->outcome);
  g_autofree char *fingerprint = guest_outcome_fingerprint(session->outcome);
  const char *trace = guest_outcome_trace(session->outcome);
  g_autofree char *tail = console_log_tail(session->log);

  say("eret: it came so far: %s\n", progress);
  if (fingerprint)
    say("eret: fingerprint: %s\n", fingerprint);
  if (registers && *registers)
    say("eret: registers at the end:\n%s", registers);
  if (!session->options->verbose && trace && count_lines(trace) > TAIL_LINES - TAIL_AFTER_TRACE)
    say("eret: the kernel's trace:\n%s\n", trace);
  if (!session->options->verbose && *tail)
    say("eret: the last lines of the kernel's console:\n%s", tail);
}

static uint64_t first_instruction(const ExecSession *session) {
  g_autoptr(GArray) entries = timeline_entries(machine_timeline(session->machine));

  for (unsigned i = 0; i < entries->len; i++)
    if (g_array_index(entries, TimelineEntry, i).phase == PHASE_FIRST_INSTRUCTION)
      return g_array_index(entries, TimelineEntry, i).ns;
  return 0;
}

static void write_result(ExecSession *session, int status, GError **error) {
  g_autofree char *progress = guest_outcome_progress(session->outcome);
  g_autofree char *fingerprint = guest_outcome_fingerprint(session->outcome);
  g_autoptr(GArray) reports = guest_outcome_reports(session->outcome);
  ExecResult result = {
      .outcome = outcome_name(guest_outcome_kind(session->outcome)),
      .exit_status = status,
      .message = guest_outcome_message(session->outcome),
      .fingerprint = fingerprint,
      .trace = guest_outcome_trace(session->outcome),
      .progress = progress,
      .reports = reports,
      .times = session->times,
  };

  result.times.first_instruction = first_instruction(session);
  result.times.end = now();
  if (session->result)
    exec_result_write(&result, session->result, error);
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
static bool wants_registers(const GuestOutcome *outcome) {
  OutcomeKind kind = guest_outcome_kind(outcome);

  return kind == OUTCOME_PANIC || kind == OUTCOME_OOPS || kind == OUTCOME_BOOT_TIMEOUT ||
         (kind == OUTCOME_TIMEOUT && guest_outcome_was_dead(outcome));
}

/* The result is there before anybody is waited for who reads our output. */
int exec_session_run(ExecSession *session) {
  g_autoptr(GError) error = NULL, result_error = NULL;

  session->running = true;
  look_at_outcome(session);
  MachineEnd end = machine_run(session->machine, &error);
  flush_channels(session);
  session->running = false;
  tell_end(session, end, error);
  g_autofree char *registers = wants_registers(session->outcome) ? machine_describe_vcpus(session->machine) : NULL;
  int status = finish_reports(session, finish_files(session, guest_outcome_exit_status(session->outcome)));
  write_result(session, status, &result_error);
  flush_streams(session);
  report_lost_output(session);
  report_files(session);
  const char *message = guest_outcome_message(session->outcome);
  if (message)
    say("eret: %s\n", message);
  report_strange_lines(session);
  if (wants_report(guest_outcome_kind(session->outcome)))
    report_failure(session, registers);
  if (!result_error)
    return status;
  say("eret: --result: %s\n", result_error->message);
  return status == 0 ? OUTCOME_STATUS_HOST_ERROR : status;
}
