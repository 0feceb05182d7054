/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of jobs, a case and attempt each, and those that run. A job starts when there is room for its processors and
 * its memory; a large one at the head of the queue is overtaken by smaller ones only for a while.
 *
 * A job's process leads a group of its own: Ctrl-C on the terminal is the runner's to answer. When the runner dies, the
 * kernel kills its children.
 */
#include "vmm/suite/runner.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/suite/case-file.h"
#include "vmm/suite/job.h"

#define OVERTAKING_MAX  16
#define MEMORY_OVERHEAD (UINT64_C(64) << 20) /* of a machine, beside its guest's */

typedef struct {
  const RunnerOptions *options;
  GMainLoop *loop;
  GPtrArray *jobs; /* of Job, all of them */
  GQueue waiting;
  unsigned running, processors, max_processors;
  uint64_t memory, max_memory;
  unsigned overtaken;  /* how often the head of the queue was */
  const char *stopped; /* why nothing is started any more; NULL: things are */
  unsigned signals;
} Runner;

/* What the machine has. */

static uint64_t available_memory(void) {
  g_autofree char *text = NULL;

  if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
    const char *line = strstr(text, "MemAvailable:");
    if (line)
      return g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024;
  }
  return UINT64_MAX;
}

static uint64_t memory_of(const Job *job) {
  return job->suite_case->memory + MEMORY_OVERHEAD;
}

static bool fits(const Runner *runner, const Job *job) {
  if (runner->running == 0)
    return true; /* it gets all there is */
  if (runner->memory + memory_of(job) > runner->max_memory)
    return false;
  if (runner->options->jobs)
    return runner->running < runner->options->jobs;
  return runner->processors + job->suite_case->cpus <= runner->max_processors;
}

/* The next job that fits, or NULL. */
static Job *take_next(Runner *runner) {
  for (GList *link = runner->waiting.head; link; link = link->next) {
    Job *job = link->data;
    if (!fits(runner, job)) {
      if (runner->overtaken >= OVERTAKING_MAX)
        return NULL;
      continue;
    }
    runner->overtaken = link == runner->waiting.head ? 0 : runner->overtaken + 1;
    g_queue_delete_link(&runner->waiting, link);
    return job;
  }
  return NULL;
}

/* Jobs. */

static void start_some(Runner *runner);

static void finish(Runner *runner, Job *job) {
  const CaseResult *result = job->result;

  if (runner->options->fail_fast && !runner->stopped && (result->kind == RESULT_FAILED || result->kind == RESULT_ERROR))
    runner->stopped = "not run: a case before it failed (--fail-fast)";
  if (runner->options->finished)
    runner->options->finished(runner->options->opaque, result);
}

static void job_ended(GPid pid, int wait_status, gpointer data) {
  Job *job = data;
  Runner *runner = job->runner;

  g_spawn_close_pid(pid);
  runner->running--;
  runner->processors -= job->suite_case->cpus;
  runner->memory -= memory_of(job);
  job_finish(job, wait_status, runner->signals > 0);
  finish(runner, job);
  start_some(runner);
}

static void start(Runner *runner, Job *job) {
  if (!job_start(job, runner->options->eret, runner->options->logs)) {
    finish(runner, job);
    return;
  }
  runner->running++;
  runner->processors += job->suite_case->cpus;
  runner->memory += memory_of(job);
  if (runner->options->started)
    runner->options->started(runner->options->opaque, job->suite_case, job->result->attempt);
  job->runner = runner;
  g_child_watch_add(job->pid, job_ended, job);
}

static void drop_waiting(Runner *runner) {
  for (Job *job; (job = g_queue_pop_head(&runner->waiting));) {
    case_result_set(job->result, RESULT_SKIPPED, g_strdup(runner->stopped));
    finish(runner, job);
  }
}

static void start_some(Runner *runner) {
  for (Job *job; !runner->stopped && (job = take_next(runner));)
    start(runner, job);
  if (runner->stopped)
    drop_waiting(runner);
  if (!runner->running && g_queue_is_empty(&runner->waiting))
    g_main_loop_quit(runner->loop);
}

/* The user: the first signal lets the guests go, the second does not wait for them. */

static gboolean on_signal(gpointer data) {
  Runner *runner = data;
  int number = runner->signals++ ? SIGKILL : SIGTERM;

  runner->stopped = "not run: interrupted";
  drop_waiting(runner);
  for (unsigned i = 0; i < runner->jobs->len; i++)
    job_kill(g_ptr_array_index(runner->jobs, i), number);
  return G_SOURCE_CONTINUE;
}

static gboolean start_first(gpointer data) {
  start_some(data);
  return G_SOURCE_REMOVE;
}

/* Two attempts in the same files would have each other's verdict. Names of files tell them apart (case-file.h), and
 * this is where it would be seen if they did not. */
static bool have_own_files(const Runner *runner, GError **error) {
  g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned i = 0; i < runner->jobs->len; i++) {
    const Job *job = g_ptr_array_index(runner->jobs, i);
    if (g_hash_table_add(names, case_file_name(job->suite_case->suite, job->suite_case->name, job->result->attempt)))
      continue;
    g_set_error(error, SUITE_ERROR, SUITE_ERROR_INVALID, "%s/%s is there twice: its files would be those of another case",
                job->suite_case->suite, job->suite_case->name);
    return false;
  }
  return true;
}

static void make_jobs(Runner *runner, GPtrArray *cases) {
  for (unsigned i = 0; i < cases->len; i++)
    for (unsigned attempt = 1; attempt <= runner->options->repeat; attempt++)
      g_ptr_array_add(runner->jobs, job_new(g_ptr_array_index(cases, i), attempt));
  /* Each case once, before any has its second turn. */
  for (unsigned attempt = 0; attempt < runner->options->repeat; attempt++)
    for (unsigned i = attempt; i < runner->jobs->len; i += runner->options->repeat)
      g_queue_push_tail(&runner->waiting, g_ptr_array_index(runner->jobs, i));
}

static GPtrArray *take_results(Runner *runner) {
  GPtrArray *results = g_ptr_array_new_with_free_func(case_result_free);

  for (unsigned i = 0; i < runner->jobs->len; i++) {
    Job *job = g_ptr_array_index(runner->jobs, i);
    g_ptr_array_add(results, g_steal_pointer(&job->result));
  }
  return results;
}

static bool make_logs_directory(const char *logs, GError **error) {
  if (!logs || g_mkdir_with_parents(logs, 0755) == 0)
    return true;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "--logs: cannot make the directory '%s': %s", logs, g_strerror(errno));
  return false;
}

static void run_all(Runner *runner) {
  guint signals[] = {g_unix_signal_add(SIGINT, on_signal, runner), g_unix_signal_add(SIGTERM, on_signal, runner)};

  runner->loop = g_main_loop_new(NULL, FALSE);
  g_idle_add(start_first, runner);
  g_main_loop_run(runner->loop);
  for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++)
    g_source_remove(signals[i]);
  g_main_loop_unref(runner->loop);
}

GPtrArray *runner_run(GPtrArray *cases, const RunnerOptions *options, bool *interrupted, GError **error) {
  Runner runner = {.options = options, .max_processors = g_get_num_processors(), .max_memory = available_memory() / 10 * 9};
  g_autoptr(GPtrArray) jobs = runner.jobs = g_ptr_array_new_with_free_func(job_free);

  g_queue_init(&runner.waiting);
  make_jobs(&runner, cases);
  if (!have_own_files(&runner, error) || !make_logs_directory(options->logs, error)) {
    g_queue_clear(&runner.waiting);
    return NULL;
  }
  run_all(&runner);
  *interrupted = runner.signals > 0;
  return take_results(&runner);
}
