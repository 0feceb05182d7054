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

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/channel.h"
#include "devices/backend/terminal.h"
#include "devices/units.h"
#include "vmm/exec/parts.h"
#include "vmm/exec/session-state.h"

#define PANIC_SILENCE_NS  NS_PER_SECOND
#define ANSWER_NS         (5 * NS_PER_SECOND)
#define ENDING_NS         (15 * NS_PER_SECOND) /* see GuestOutcomeConfig */
#define CONTROL_LINE_MAX  4096
#define WARNINGS_MAX      32
#define WARNING_SIZE_MAX  256
#define POWER_OFF_SECONDS 10            /* that the guest has for it after its last word */
#define VERBOSE_MAX       (1024 * 1024) /* of the kernel's console that may wait for who reads standard error */

static const char *const port_names[N_PORTS] = {"eret.control", "eret.stdin", "eret.stdout", "eret.stderr", "eret.files"};

/* The streams that init closes before its last word. */
#define PORTS_TO_DRAIN (1u << PORT_STDOUT | 1u << PORT_STDERR | 1u << PORT_FILES)

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

static void ask_guest(ExecSession *session) {
  const char *question = guest_outcome_asks(session->outcome);
  g_autofree char *line = question ? g_strconcat(question, "\n", NULL) : NULL;

  if (line)
    send_line(session, line);
}

/* The command's output goes from the guest into its back ends without passing here. */
static void look_at_output(ExecSession *session) {
  uint64_t taken = terminal_taken(session->ports[PORT_STDOUT].backend) + terminal_taken(session->ports[PORT_STDERR].backend);

  if (taken != session->taken)
    guest_outcome_heard(session->outcome, trace_now());
  session->taken = taken;
}

/*
 * After every event: is it over, and if not, when is the next look due? The time is looked at here, not in the timer
 * alone: that is set anew by every event, and a guest that makes many of them would always be before it.
 */
static void look_at_outcome(ExecSession *session) {
  if (!session->running || session->ending)
    return;
  if (!session->done && session->said_done && (session->drained & PORTS_TO_DRAIN) == PORTS_TO_DRAIN) {
    session->done = true;
    guest_outcome_control(session->outcome, &(ControlLine){.kind = CONTROL_DONE}, trace_now());
  }
  look_at_output(session);
  if (!guest_outcome_verdict(session->outcome).may_power_off)
    guest_outcome_tick(session->outcome, trace_now());
  ask_guest(session);
  if (guest_outcome_verdict(session->outcome).may_power_off) {
    let_power_off(session);
    return;
  }
  if (guest_outcome_verdict(session->outcome).final) {
    session->ending = true;
    machine_stop(session->machine, NULL);
    return;
  }
  uint64_t deadline = guest_outcome_deadline(session->outcome), time = trace_now();
  if (deadline != UINT64_MAX)
    set_timer(session, deadline > time ? (deadline - time) / NS_PER_MS + 1 : 0, on_timer);
  else
    g_clear_handle_id(&session->timer, g_source_remove);
}

/* The kernel's console. */

static void console_received(void *opaque, const uint8_t *bytes, size_t size) {
  ExecSession *session = opaque;

  console_log_write(session->log, bytes, size, trace_now());
  guest_outcome_console(session->outcome, bytes, size, trace_now());
  if (session->show)
    console_show_write(session->show, bytes, size);
  look_at_outcome(session);
}

static const ChannelOps console_ops = {console_received};

/* The control channel. */

/* The first time counts. */
static void set_time(uint64_t *time) {
  if (!*time)
    *time = trace_now();
}

/* Before the command starts; later ones, and too many, are a guest's that wants to annoy. */
static void take_warning(ExecSession *session, const char *text) {
  if (session->started || session->warnings == WARNINGS_MAX)
    return;
  session->warnings++;
  g_message("%.*s", WARNING_SIZE_MAX, text); /* escaped where it is shown */
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
  else if (line.kind == CONTROL_WARNING)
    take_warning(session, line.text);
  session->started |= line.kind == CONTROL_STARTED;
  session->files_came |= line.kind == CONTROL_FILES_END;
  session->said_done |= line.kind == CONTROL_DONE;
  if (line.kind == CONTROL_DONE)
    guest_outcome_ending(session->outcome, trace_now());
  else
    guest_outcome_control(session->outcome, &line, trace_now());
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

  guest_outcome_files(session->outcome, trace_now());
  if (session->files)
    copy_out_feed(session->files, bytes, size);
}

static const ChannelOps files_ops = {files_received};

/* The command's streams. */

static void stdin_event(TerminalEvent event, void *opaque) {
  ExecSession *session = opaque;

  if (event == TERMINAL_ENDED)
    machine_end_port_input(session->machine, PORT_STDIN);
}

static gboolean on_reader_late(gpointer data) {
  ExecSession *session = data;

  session->reader_timer = 0;
  exec_say_who_is_waited_for(session->still & 1u << PORT_STDERR ? STDERR_FILENO : STDOUT_FILENO);
  return G_SOURCE_REMOVE;
}

/* For reason WHY the guest's clocks stand still since SINCE, or go on. */
static void stand_still(ExecSession *session, uint32_t why, bool still, uint64_t since) {
  bool before = session->still != 0;

  session->still = still ? session->still | why : session->still & ~why;
  if (before == (session->still != 0))
    return;
  guest_outcome_stall(session->outcome, still, since);
  look_at_outcome(session);
}

/* Who reads our output takes nothing: that is not the guest's fault; but it is said. */
static void reader_stalls(ExecSession *session, unsigned port, bool stalls) {
  stand_still(session, 1u << port, stalls, trace_now() - (stalls ? TERMINAL_STALL_MS * NS_PER_MS : 0));
  if (!(session->still & ~STILL_PAUSED))
    g_clear_handle_id(&session->reader_timer, g_source_remove);
  else if (!session->reader_timer)
    session->reader_timer = g_timeout_add_seconds(READER_SECONDS, on_reader_late, session);
}

/*
 * When nobody reads any more, the command learns it as it would without a machine in between: by the signal, and by an
 * error of what it writes next, where it ignores that.
 */
static void output_event(ExecSession *session, unsigned port, TerminalEvent event) {
  if (event == TERMINAL_GONE) {
    send_line(session, port == PORT_STDOUT ? "closed 1\n" : "closed 2\n");
    send_signal(session, SIGPIPE);
  } else if (event == TERMINAL_STALLED || event == TERMINAL_FLOWS) {
    reader_stalls(session, port, event == TERMINAL_STALLED);
  }
}

static void stdout_event(TerminalEvent event, void *opaque) {
  output_event(opaque, PORT_STDOUT, event);
}

static void stderr_event(TerminalEvent event, void *opaque) {
  output_event(opaque, PORT_STDERR, event);
}

/* The user. */

static void stop_for_user(ExecSession *session) {
  guest_outcome_ended(session->outcome, GUEST_STOPPED_BY_USER, 0, NULL, trace_now());
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

static void machine_paused(void *opaque, bool paused) {
  ExecSession *session = opaque;

  guest_outcome_pause(session->outcome, paused, trace_now());
  stand_still(session, STILL_PAUSED, paused, trace_now());
  look_at_outcome(session);
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
      .ports = {session->ports, session->options->boot_only ? 0 : N_PORTS, &ports_ops, session},
      .asked_to_stop = asked_to_stop,
      .paused = machine_paused,
      .opaque = session,
  };
}

/* In a guest of the user's own, its kernel says when it starts init, unless it keeps such news to itself. */
static bool init_is_seen(const ExecOptions *options) {
  return !options->boot_only || kernel_tells_news(options->config->append);
}

ExecSession *exec_session_new(const ExecOptions *options, GBytes *initrd, OutputFile *result, Tell tell, GError **error) {
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
  session->tell = tell;
  session->times.start = trace_now();
  session->line = g_string_new(NULL);
  session->log = console_log_new(options->console_log, CONSOLE_LOG_MAX, TAIL_LINES, trace_now(), error);
  if (!session->log)
    return NULL;
  session->outcome = guest_outcome_new(&config, trace_now());
  if (options->verbose)
    session->show = console_show_new(STDERR_FILENO, VERBOSE_MAX);
  session->console = channel_new(&console_ops, session);
  make_ports(session);
  make_client(session, initrd);
  if (options->copy_out->len && !(session->files = exec_copy_out_new(options, error)))
    return NULL;
  session->client.paths = session->files ? copy_out_paths(session->files) : NULL;
  session->client.writes_json = result;
  if (options->config->name &&
      !(session->client.named = named_machine_claim(options->config->name, options->config->cpus, options->config->memory, error)))
    return NULL;
  session->machine = machine_new(options->config, &session->client, tell, error);
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
  named_machine_end(session->client.named, 0, false);
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

int exec_session_run(ExecSession *session) {
  g_autoptr(GError) error = NULL;

  session->running = true;
  look_at_outcome(session);
  MachineEnd end = machine_run(session->machine, &error);
  return exec_session_end(session, end, error);
}
