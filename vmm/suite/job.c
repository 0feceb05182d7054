/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's standard streams and the kernel's console are kept in files, each up to the case's limit (capture.h);
 * its result (--result) is in one more. Afterwards they are judged. Where logs are kept, another file has it all
 * together, for people.
 */
#include "vmm/suite/job.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "vmm/base/json-reader.h"
#include "vmm/base/mapped-file.h"
#include "vmm/base/temporary-file.h"
#include "vmm/options/option.h"
#include "vmm/suite/case-file.h"

#define TIMEOUT_DEFAULT      300 /* seconds, of a command */
#define BOOT_TIMEOUT_DEFAULT 120
#define WATCHDOG_SECONDS     120 /* beyond all limits that eret exec keeps itself */
#define CONSOLE_FD           3   /* of the process, for the kernel's console */

enum { RESULT = CASE_N_STREAMS, N_FILES };
static const char *const suffixes[N_FILES] = {"stdout", "stderr", "console", "json"};

Job *job_new(const SuiteCase *suite_case, unsigned attempt) {
  Job *job = g_new0(Job, 1);

  job->suite_case = suite_case;
  job->result = case_result_new(suite_case->suite, suite_case->name);
  job->result->attempt = attempt;
  job->result->cpus = suite_case->cpus;
  for (unsigned i = 0; i < suite_case->tags->len; i++)
    g_ptr_array_add(job->result->tags, g_strdup(g_ptr_array_index(suite_case->tags, i)));
  if (suite_case->outcome != EXPECT_PASS)
    job->result->expected = g_strdup(suite_outcome_name(suite_case->outcome));
  return job;
}

static char *file_of(const Job *job, unsigned file) {
  return g_strconcat(job->base, ".", suffixes[file], NULL);
}

static void remove_files(const Job *job) {
  if (!job->directory)
    return;
  for (unsigned i = 0; job->base && i < N_FILES; i++) {
    g_autofree char *path = file_of(job, i);
    g_unlink(path);
  }
  g_rmdir(job->directory);
}

void job_free(gpointer data) {
  Job *job = data;

  if (job->watchdog)
    g_source_remove(job->watchdog);
  for (unsigned i = 0; i < CASE_N_STREAMS; i++)
    capture_clear(&job->streams[i]);
  remove_files(job);
  g_clear_pointer(&job->result, case_result_free);
  g_free(job->directory);
  g_free(job->base);
  g_free(job);
}

static bool fail_to_start(Job *job, const char *what, const char *why) {
  case_result_set(job->result, RESULT_ERROR, g_strdup_printf("%s: %s", what, why));
  return false;
}

/* Starting. */

static bool make_place(Job *job, const char *logs) {
  g_autofree char *name = case_file_name(job->suite_case->suite, job->suite_case->name, job->result->attempt);
  g_autoptr(GError) error = NULL;

  if (!logs && !(job->directory = g_dir_make_tmp("eret-test-XXXXXX", &error)))
    return fail_to_start(job, "no place for temporary files", error->message);
  job->base = g_build_filename(logs ? logs : job->directory, name, NULL);
  return true;
}

/* CONSOLE: where the kernel's console is to go. */
static GStrv make_arguments(const Job *job, const char *eret, const char *console) {
  g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
  const SuiteCase *suite_case = job->suite_case;
  g_autofree char *result = file_of(job, RESULT);

  g_strv_builder_add_many(arguments, eret, "exec", "--result", result, "--console-log", console, NULL);
  if (suite_case->expect_console->len + suite_case->reject_console->len == 0)
    g_strv_builder_add(arguments, "--quiet");
  if (!suite_case->timeout)
    g_strv_builder_add_many(arguments, "--timeout", G_STRINGIFY(TIMEOUT_DEFAULT), NULL);
  suite_case_add_arguments(suite_case, arguments);
  return g_strv_builder_end(arguments);
}

/*
 * A descriptor to read the command's standard input from; -1: errno says why. The suite has been read long ago:
 * whatever lies at the path by now, opening it must not wait.
 */
static int open_input(const SuiteCase *suite_case) {
  if (!suite_case->stdin_text)
    return descriptor_open(suite_case->stdin_file ? suite_case->stdin_file : "/dev/null", O_RDONLY);
  gsize size;
  const char *bytes = g_bytes_get_data(suite_case->stdin_text, &size);
  int fd = temporary_file_open(NULL);
  if (fd < 0 || (descriptor_write(fd, bytes, size) && lseek(fd, 0, SEEK_SET) == 0))
    return fd;
  int saved_errno = errno;
  close(fd);
  errno = saved_errno;
  return -1;
}

static void set_up_child(gpointer data) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
}

static gboolean on_watchdog(gpointer data) {
  Job *job = data;

  job->watchdog = 0;
  job->killed_late = true;
  job_kill(job, SIGKILL);
  return G_SOURCE_REMOVE;
}

/* It cannot be told to write less, and nobody would read more. */
static void on_stream_ended(void *opaque) {
  job_kill(opaque, SIGKILL);
}

/* ENDS: of the pipes, for the process; those that are there are the caller's to close, also after a failure. */
static bool open_streams(Job *job, int ends[CASE_N_STREAMS]) {
  uint64_t limit = job->suite_case->output_limit ? job->suite_case->output_limit : SUITE_OUTPUT_LIMIT_DEFAULT;

  for (unsigned i = 0; i < CASE_N_STREAMS; i++) {
    g_autofree char *path = file_of(job, i);
    ends[i] = capture_open(&job->streams[i], path, limit, on_stream_ended, job);
    if (ends[i] < 0)
      return fail_to_start(job, "files for it cannot be opened", g_strerror(errno));
  }
  return true;
}

static bool spawn_with(Job *job, char **arguments, int in, const int ends[CASE_N_STREAMS]) {
  static const int console_fd = CONSOLE_FD;
  g_autoptr(GError) error = NULL;

  if (in < 0)
    return fail_to_start(job, "its standard input cannot be provided", g_strerror(errno));
  if (g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, set_up_child, NULL, in,
                                       ends[CASE_OUT], ends[CASE_ERR], &ends[CASE_CONSOLE], &console_fd, 1, &job->pid, NULL, NULL, NULL,
                                       &error))
    return true;
  return fail_to_start(job, "eret cannot be started", error->message);
}

static bool spawn(Job *job, char **arguments) {
  int ends[CASE_N_STREAMS] = {-1, -1, -1}, in = -1;
  bool ok = open_streams(job, ends) && spawn_with(job, arguments, in = open_input(job->suite_case), ends);

  if (in >= 0)
    close(in);
  for (unsigned i = 0; i < CASE_N_STREAMS; i++)
    if (ends[i] >= 0)
      close(ends[i]);
  return ok;
}

static const char *missing_requirement(const SuiteCase *suite_case) {
  for (unsigned i = 0; i < suite_case->requires->len; i++)
    if (!g_file_test(g_ptr_array_index(suite_case->requires, i), G_FILE_TEST_EXISTS))
      return g_ptr_array_index(suite_case->requires, i);
  return NULL;
}

bool job_start(Job *job, const char *eret, const char *logs) {
  const SuiteCase *suite_case = job->suite_case;
  const char *missing = missing_requirement(suite_case);

  if (missing) {
    case_result_set(job->result, RESULT_SKIPPED, g_strdup_printf("it requires %s, which is not there", missing));
    return false;
  }
  if (!make_place(job, logs))
    return false;
  g_auto(GStrv) arguments = make_arguments(job, eret, "/dev/fd/" G_STRINGIFY(CONSOLE_FD));
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  job->result->started = g_date_time_format_iso8601(now);
  job->start = g_get_monotonic_time();
  if (!spawn(job, arguments))
    return false;
  unsigned boot = suite_case->boot_timeout ? suite_case->boot_timeout : BOOT_TIMEOUT_DEFAULT;
  unsigned command = suite_case->timeout ? suite_case->timeout : TIMEOUT_DEFAULT;
  job->watchdog = g_timeout_add_seconds(boot + command + WATCHDOG_SECONDS, on_watchdog, job);
  return true;
}

void job_kill(const Job *job, int number) {
  if (job->pid)
    kill(-job->pid, number);
}

/* Ending. */

/* What eret exec writes is a trace of 64 KiB at most, and little else; a byte of it becomes six at most. */
static const JsonLimits result_limits = {.what = "result of eret exec", .size_max = 1u << 20, .depth_max = 8};

static double member_seconds(JsonObject *object, const char *name) {
  return json_object_get_double_member_with_default(object, name, -1);
}

static char *member_text(JsonObject *object, const char *name) {
  return g_strdup(json_object_get_string_member_with_default(object, name, NULL));
}

/* What eret exec says itself; nothing, if it did not come to that. */
static void read_result_file(Job *job) {
  g_autofree char *path = file_of(job, RESULT);
  g_autoptr(JsonDocument) document = json_document_read(path, &result_limits, NULL);
  CaseResult *result = job->result;

  if (!document || !JSON_NODE_HOLDS_OBJECT(json_document_root(document)))
    return;
  JsonObject *root = json_node_get_object(json_document_root(document));
  result->outcome = member_text(root, "outcome");
  result->message = member_text(root, "message");
  result->fingerprint = member_text(root, "fingerprint");
  JsonNode *node = json_object_get_member(root, "seconds");
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return;
  JsonObject *seconds = json_node_get_object(node);
  result->vmm_seconds = member_seconds(seconds, "vmm");
  result->kernel_seconds = member_seconds(seconds, "kernel");
  result->init_seconds = member_seconds(seconds, "init");
  result->command_seconds = member_seconds(seconds, "command");
}

static GBytes *map_file(const Job *job, unsigned file) {
  g_autofree char *path = file_of(job, file);
  g_autoptr(MappedFile) mapped = mapped_file_open(path, MAPPED_FILE_READ_ONCE, NULL);

  return mapped ? mapped_file_bytes(mapped) : g_bytes_new(NULL, 0);
}

static void judge(Job *job, GBytes *const streams[CASE_N_STREAMS]) {
  CaseResult *result = job->result;
  char *why = NULL;
  CaseRun run = {.exit_status = result->exit_status, .outcome = result->outcome, .message = result->message};

  for (unsigned i = 0; i < CASE_N_STREAMS; i++)
    run.streams[i].text = g_bytes_get_data(streams[i], &run.streams[i].size);
  ResultKind kind = judge_case(job->suite_case, &run, JUDGE_LIMIT, &why);
  case_result_set(result, kind, why);
}

static void write_log(Job *job, GBytes *const streams[CASE_N_STREAMS]) {
  g_autofree char *console = file_of(job, CASE_CONSOLE);
  g_auto(GStrv) arguments = make_arguments(job, "eret", console);
  g_autofree char *command = g_strjoinv(" ", arguments);
  const char *message = job->result->message;
  g_autofree char *head = g_strdup_printf("%s/%s: %s%s%s\n%s\n", job->suite_case->suite, job->suite_case->name,
                                          result_kind_name(job->result->kind), message ? ": " : "", message ? message : "", command);
  g_autoptr(GError) error = NULL;

  job->result->log = g_strconcat(job->base, ".log", NULL);
  if (!case_file_write(job->result->log, head, case_stream_names, streams, CASE_N_STREAMS, &error))
    g_warning("--logs: %s", error->message);
}

/* "its standard output" */
static const char *owner(unsigned stream) {
  return stream == CASE_CONSOLE ? "" : "its ";
}

/* A stream that met its limit ended the process, whatever that said before. Also for one that ended by itself at the
 * same time. */
static bool wrote_too_much(Job *job) {
  for (unsigned i = 0; i < CASE_N_STREAMS; i++) {
    if (!job->streams[i].too_much)
      continue;
    g_autofree char *limit = size_format(job->streams[i].limit);
    g_free(job->result->outcome);
    job->result->outcome = g_strdup(suite_outcome_name(EXPECT_TOO_MUCH_OUTPUT));
    case_result_set(job->result, job->result->kind,
                    g_strdup_printf("it wrote more than %s on %s%s (output-limit)", limit, owner(i), case_stream_names[i]));
    return true;
  }
  return false;
}

/* Why what it wrote says nothing, although it ended as processes do; NULL: it does. */
static char *host_fault(const Job *job, int wait_status) {
  for (unsigned i = 0; i < CASE_N_STREAMS; i++)
    if (job->streams[i].error)
      return g_strdup_printf("%s%s cannot be kept: %s", owner(i), case_stream_names[i], g_strerror(job->streams[i].error));
  if (!WIFSIGNALED(wait_status))
    return NULL;
  if (job->killed_late)
    return g_strdup("eret did not come to an end, and was killed");
  return g_strdup_printf("eret was killed by signal %d (%s)", WTERMSIG(wait_status), g_strsignal(WTERMSIG(wait_status)));
}

static void make_verdict(Job *job, int wait_status, GBytes *const streams[CASE_N_STREAMS]) {
  CaseResult *result = job->result;
  char *why = wrote_too_much(job) ? NULL : host_fault(job, wait_status);

  if (why) {
    case_result_set(result, RESULT_ERROR, why);
    return;
  }
  judge(job, streams);
  if (job->suite_case->ktap)
    judge_subtests(result, streams[CASE_OUT]);
}

void job_finish(Job *job, int wait_status, bool interrupted) {
  CaseResult *result = job->result;
  GBytes *streams[CASE_N_STREAMS];

  job->pid = 0;
  g_clear_handle_id(&job->watchdog, g_source_remove);
  for (unsigned i = 0; i < CASE_N_STREAMS; i++) {
    capture_finish(&job->streams[i]);
    streams[i] = map_file(job, i);
  }
  result->seconds = (double)(g_get_monotonic_time() - job->start) / G_USEC_PER_SEC;
  result->exit_status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  read_result_file(job);
  if (interrupted)
    case_result_set(result, RESULT_SKIPPED, g_strdup("interrupted"));
  else
    make_verdict(job, wait_status, streams);
  if (result->kind == RESULT_FAILED || result->kind == RESULT_ERROR)
    result->details = case_file_end(streams[CASE_ERR]);
  if (!job->directory)
    write_log(job, streams);
  for (unsigned i = 0; i < CASE_N_STREAMS; i++)
    g_bytes_unref(streams[i]);
  remove_files(job);
}
