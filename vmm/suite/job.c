/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process writes its standard streams, the kernel's console and its result (--result) to files of its own; afterwards they are judged. Where logs are kept, one file
 * more has it all together, for people.
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

#include "vmm/base/json-reader.h"
#include "vmm/mapped-file.h"
#include "vmm/suite/judge.h"
#include "vmm/suite/ktap.h"
#include "vmm/temporary-file.h"

#define TIMEOUT_DEFAULT      300 /* seconds, of a command */
#define BOOT_TIMEOUT_DEFAULT 120
#define WATCHDOG_SECONDS     120 /* beyond all limits that eret exec keeps itself */
#define DETAIL_LINES         60

enum { OUT, ERR, CONSOLE, RESULT, N_FILES };
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
  for (unsigned i = 0; job->base && i < N_FILES; i++) {
    g_autofree char *path = file_of(job, i);
    g_unlink(path);
  }
  if (job->directory)
    g_rmdir(job->directory);
}

void job_free(gpointer data) {
  Job *job = data;

  if (job->watchdog)
    g_source_remove(job->watchdog);
  if (!job->keep)
    remove_files(job);
  g_clear_pointer(&job->result, case_result_free);
  g_free(job->directory);
  g_free(job->base);
  g_free(job);
}

void job_skip(Job *job, const char *why) {
  job->result->kind = RESULT_SKIPPED;
  g_free(job->result->message);
  job->result->message = g_strdup(why);
}

static bool fail_to_start(Job *job, const char *format, const char *what, const char *why) {
  job->result->kind = RESULT_ERROR;
  job->result->message = g_strdup_printf(format, what, why);
  return false;
}

/* Starting. */

/* "boot.console[kernel=6.12].2": a name for files. */
static char *file_name(const Job *job) {
  g_autofree char *name = job->result->attempt > 1
                              ? g_strdup_printf("%s.%s.%u", job->suite_case->suite, job->suite_case->name, job->result->attempt)
                              : g_strconcat(job->suite_case->suite, ".", job->suite_case->name, NULL);
  return g_strdelimit(g_steal_pointer(&name), "/:", '_');
}

static bool make_place(Job *job, const char *logs) {
  g_autofree char *name = file_name(job);
  g_autoptr(GError) error = NULL;

  job->keep = logs != NULL;
  if (!logs && !(job->directory = g_dir_make_tmp("eret-test-XXXXXX", &error)))
    return fail_to_start(job, "%s: %s", "no place for temporary files", error->message);
  job->base = g_build_filename(logs ? logs : job->directory, name, NULL);
  return true;
}

static void add(GPtrArray *arguments, const char *option, const char *value) {
  g_ptr_array_add(arguments, g_strdup(option));
  if (value)
    g_ptr_array_add(arguments, g_strdup(value));
}

static GPtrArray *make_arguments(const Job *job, const char *eret) {
  GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
  const SuiteCase *suite_case = job->suite_case;
  g_autofree char *console = file_of(job, CONSOLE);
  g_autofree char *result = file_of(job, RESULT);

  add(arguments, eret, "exec");
  add(arguments, "--result", result);
  add(arguments, "--console-log", console);
  if (suite_case->expect_console->len + suite_case->reject_console->len == 0)
    add(arguments, "--quiet", NULL);
  if (!suite_case->timeout)
    add(arguments, "--timeout", G_STRINGIFY(TIMEOUT_DEFAULT));
  for (unsigned i = 0; i < suite_case->options->len; i++)
    add(arguments, g_ptr_array_index(suite_case->options, i), NULL);
  if (suite_case->command->len)
    add(arguments, "--", NULL);
  for (unsigned i = 0; i < suite_case->command->len; i++)
    add(arguments, g_ptr_array_index(suite_case->command, i), NULL);
  g_ptr_array_add(arguments, NULL);
  return arguments;
}

/* A descriptor to read the command's standard input from; -1: errno says why. */
static int open_input(const SuiteCase *suite_case) {
  if (!suite_case->stdin_text)
    return open(suite_case->stdin_file ? suite_case->stdin_file : "/dev/null", O_RDONLY | O_CLOEXEC);
  gsize size;
  const char *bytes = g_bytes_get_data(suite_case->stdin_text, &size);
  int fd = temporary_file_open(NULL);
  if (fd < 0)
    return -1;
  for (ssize_t written; size && (written = write(fd, bytes, size)) > 0; bytes += written)
    size -= (gsize)written;
  lseek(fd, 0, SEEK_SET);
  return fd;
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

static bool spawn(Job *job, char **arguments) {
  g_autofree char *out_path = file_of(job, OUT);
  g_autofree char *err_path = file_of(job, ERR);
  g_autoptr(GError) error = NULL;
  int in = open_input(job->suite_case);
  int out = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  int err = open(err_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const char *reason = g_strerror(errno);
  bool ok = in >= 0 && out >= 0 && err >= 0;

  if (ok)
    ok = g_spawn_async_with_fds(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, set_up_child, NULL, &job->pid, in, out, err, &error);
  else
    fail_to_start(job, "%s: %s", "files for it cannot be opened", reason);
  if (error)
    fail_to_start(job, "%s: %s", "eret cannot be started", error->message);
  for (unsigned i = 0; i < 3; i++)
    if ((const int[]){in, out, err}[i] >= 0)
      close((const int[]){in, out, err}[i]);
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
    g_autofree char *why = g_strdup_printf("it requires %s, which is not there", missing);
    job_skip(job, why);
    return false;
  }
  if (!make_place(job, logs))
    return false;
  g_autoptr(GPtrArray) arguments = make_arguments(job, eret);
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  job->result->started = g_date_time_format_iso8601(now);
  job->start = g_get_monotonic_time();
  if (!spawn(job, (char **)arguments->pdata))
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

/* The last lines of what eret exec wrote on its standard error: its report. */
static char *last_lines(GBytes *bytes, unsigned n) {
  gsize size;
  const char *text = g_bytes_get_data(bytes, &size), *start = text + size;

  while (start > text && n) {
    if (start < text + size && start[-1] == '\n')
      n--;
    if (n)
      start--;
  }
  return size ? g_utf8_make_valid(start, (gssize)(text + size - start)) : NULL;
}

static void judge_subtests(Job *job, GBytes *out) {
  CaseResult *result = job->result;
  unsigned failed = 0, skipped = 0;
  bool complete = true;
  gsize size;
  const char *text = g_bytes_get_data(out, &size);

  g_ptr_array_unref(result->sub);
  result->sub = ktap_parse(text ? text : "", size, &complete);
  for (unsigned i = 0; i < result->sub->len; i++) {
    ResultKind kind = ((const SubResult *)g_ptr_array_index(result->sub, i))->kind;
    failed += kind == RESULT_FAILED;
    skipped += kind == RESULT_SKIPPED;
  }
  if (result->kind != RESULT_PASSED)
    return;
  if (!failed && complete && result->sub->len) {
    if (skipped == result->sub->len)
      job_skip(job, "its subtests were skipped");
    return;
  }
  result->kind = RESULT_FAILED;
  g_free(result->message);
  if (failed)
    result->message = g_strdup_printf("%u of %u subtests failed", failed, result->sub->len);
  else
    result->message = g_strdup(result->sub->len ? "its test plan was not kept" : "there are no test results in its output");
}

static void judge(Job *job, GBytes *out, GBytes *err, GBytes *console) {
  CaseResult *result = job->result;
  char *why = NULL;
  gsize sizes[3];
  CaseRun run = {.exit_status = result->exit_status, .outcome = result->outcome, .message = result->message};

  run.out = g_bytes_get_data(out, &sizes[0]);
  run.err = g_bytes_get_data(err, &sizes[1]);
  run.console = g_bytes_get_data(console, &sizes[2]);
  run.out_size = sizes[0];
  run.err_size = sizes[1];
  run.console_size = sizes[2];
  result->kind = judge_case(job->suite_case, &run, &why);
  g_free(result->message);
  result->message = why;
}

static void append_section(GString *text, const char *title, GBytes *bytes) {
  gsize size;
  const char *data = g_bytes_get_data(bytes, &size);

  g_string_append_printf(text, "--- %s\n", title);
  if (!data || size == 0)
    return;
  g_string_append_len(text, data, (gssize)size);
  if (data[size - 1] != '\n')
    g_string_append_c(text, '\n');
}

static void write_log(Job *job, GBytes *out, GBytes *err, GBytes *console) {
  g_autoptr(GPtrArray) arguments = make_arguments(job, "eret");
  g_autofree char *command = g_strjoinv(" ", (char **)arguments->pdata);
  g_autoptr(GError) error = NULL;
  GString *text = g_string_new(NULL);

  g_string_append_printf(text, "%s/%s: %s%s%s\n%s\n", job->suite_case->suite, job->suite_case->name, result_kind_name(job->result->kind),
                         job->result->message ? ": " : "", job->result->message ? job->result->message : "", command);
  append_section(text, "standard output", out);
  append_section(text, "standard error", err);
  append_section(text, "the kernel's console", console);
  job->result->log = g_strconcat(job->base, ".log", NULL);
  if (!g_file_set_contents(job->result->log, text->str, (gssize)text->len, &error))
    g_warning("--logs: %s", error->message);
  g_string_free(text, TRUE);
}

void job_finish(Job *job, int wait_status, bool interrupted) {
  CaseResult *result = job->result;
  g_autoptr(GBytes) out = map_file(job, OUT);
  g_autoptr(GBytes) err = map_file(job, ERR);
  g_autoptr(GBytes) console = map_file(job, CONSOLE);

  job->pid = 0;
  g_clear_handle_id(&job->watchdog, g_source_remove);
  result->seconds = (double)(g_get_monotonic_time() - job->start) / G_USEC_PER_SEC;
  result->exit_status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  read_result_file(job);
  if (interrupted) {
    job_skip(job, "interrupted");
  } else if (WIFSIGNALED(wait_status)) {
    result->kind = RESULT_ERROR;
    g_free(result->message);
    result->message = job->killed_late
                          ? g_strdup("eret did not come to an end, and was killed")
                          : g_strdup_printf("eret was killed by signal %d (%s)", WTERMSIG(wait_status), g_strsignal(WTERMSIG(wait_status)));
  } else {
    judge(job, out, err, console);
    if (job->suite_case->ktap)
      judge_subtests(job, out);
  }
  if (result->kind == RESULT_FAILED || result->kind == RESULT_ERROR)
    result->details = last_lines(err, DETAIL_LINES);
  if (job->keep)
    write_log(job, out, err, console);
}
