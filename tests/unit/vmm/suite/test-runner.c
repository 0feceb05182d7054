/* SPDX-License-Identifier: Apache-2.0 */
/* Cases as processes, their files and their bounds: vmm/suite/runner.c, job.c, capture.c. In the place of eret is a
 * script, which does what the case's command says. */
#include "vmm/suite/runner.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"

#define KIB UINT64_C(1024)

/* As "eret exec --result FILE --console-log FILE ... -- sh -c TEXT": what TEXT writes to descriptor 4 is the
 * console; its status is the command's. */
static const char eret[] = "#!/bin/bash\n"
                           "while [ \"$1\" != -- ]; do\n"
                           "    case $1 in\n"
                           "    --result) result=$2 ;;\n"
                           "    --console-log) exec 4> \"$2\" ;;\n"
                           "    esac\n"
                           "    shift\n"
                           "done\n"
                           "shift\n"
                           "\"$@\"\n"
                           "status=$?\n"
                           "echo \"{\\\"version\\\":1,\\\"outcome\\\":\\\"command\\\",\\\"exit-status\\\":$status}\" > \"$result\"\n"
                           "exit $status\n";

typedef struct {
  char *directory, *eret, *logs;
  GPtrArray *cases, *results;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->eret = g_build_filename(fixture->directory, "eret", NULL);
  fixture->logs = g_build_filename(fixture->directory, "logs", NULL);
  directory_write(fixture->directory, "eret", eret);
  g_assert_cmpint(g_chmod(fixture->eret, 0755), ==, 0);
  fixture->cases = g_ptr_array_new_with_free_func(suite_case_free);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_clear_pointer(&fixture->results, g_ptr_array_unref);
  g_ptr_array_unref(fixture->cases);
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->eret);
  g_free(fixture->logs);
}

static SuiteCase *add_case(Fixture *fixture, const char *name, const char *command) {
  SuiteCase *made = g_new0(SuiteCase, 1);
  GPtrArray **arrays[] = {&made->options,        &made->command,        &made->expect,   &made->reject,
                          &made->expect_console, &made->reject_console, &made->requires, &made->tags};

  for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
    *arrays[i] = g_ptr_array_new_with_free_func(g_free);
  made->suite = g_strdup("s");
  made->name = g_strdup(name);
  made->cpus = 1;
  g_ptr_array_add(made->command, g_strdup("bash"));
  g_ptr_array_add(made->command, g_strdup("-c"));
  g_ptr_array_add(made->command, g_strdup(command));
  g_ptr_array_add(fixture->cases, made);
  return made;
}

static void run(Fixture *fixture, bool logs, unsigned repeat) {
  const RunnerOptions options = {.eret = fixture->eret, .logs = logs ? fixture->logs : NULL, .jobs = 2, .repeat = repeat};
  g_autoptr(GError) error = NULL;
  bool interrupted;

  fixture->results = runner_run(fixture->cases, &options, &interrupted, &error);
  g_assert_no_error(error);
  g_assert_false(interrupted);
}

static const CaseResult *result_of(const Fixture *fixture, unsigned index) {
  return g_ptr_array_index(fixture->results, index);
}

static void assert_result(const Fixture *fixture, unsigned index, ResultKind kind, const char *message) {
  const CaseResult *result = result_of(fixture, index);

  g_assert_cmpstr(result->message, ==, message);
  g_assert_cmpint(result->kind, ==, kind);
}

/* -1: it is not there. */
static gint64 size_of(const Fixture *fixture, const char *file) {
  g_autofree char *path = g_build_filename(fixture->logs, file, NULL);
  struct stat status;

  return stat(path, &status) == 0 ? status.st_size : -1;
}

/* Streams, console and status come from the process, and are kept where logs are. */
static void test_streams(Fixture *fixture, gconstpointer data) {
  SuiteCase *good = add_case(fixture, "good", "echo one; echo two >&2; echo three >&4");
  g_ptr_array_add(good->expect, g_strdup("^one$"));
  g_ptr_array_add(good->expect, g_strdup("^two$"));
  g_ptr_array_add(good->expect_console, g_strdup("^three$"));
  add_case(fixture, "bad", "exit 3");
  run(fixture, true, 1);
  assert_result(fixture, 0, RESULT_PASSED, NULL);
  assert_result(fixture, 1, RESULT_FAILED, "the command ended with status 3");
  g_assert_cmpint(size_of(fixture, "s.good.stdout"), ==, 4);
  g_assert_cmpint(size_of(fixture, "s.good.stderr"), ==, 4);
  g_assert_cmpint(size_of(fixture, "s.good.console"), ==, 6);
  g_assert_cmpint(size_of(fixture, "s.good.log"), >, 50);
}

/* "a:b" fails and "a_b" passes, side by side: neither takes the other's files. So do cases whose names are longer
 * than those of files can be. */
static void test_names(Fixture *fixture, gconstpointer data) {
  g_autofree char *long_name = g_strnfill(600, 'x');
  g_autofree char *first = g_strconcat(long_name, "1", NULL);
  g_autofree char *second = g_strconcat(long_name, "2", NULL);

  add_case(fixture, "a:b", "sleep 0.3; echo colon; exit 1");
  add_case(fixture, "a_b", "echo line; sleep 0.6");
  add_case(fixture, first, "sleep 0.2; echo first; exit 2");
  add_case(fixture, second, "echo second; sleep 0.4");
  run(fixture, true, 2);
  for (unsigned attempt = 0; attempt < 2; attempt++) {
    assert_result(fixture, attempt, RESULT_FAILED, "the command ended with status 1");
    assert_result(fixture, 2 + attempt, RESULT_PASSED, NULL);
    assert_result(fixture, 4 + attempt, RESULT_FAILED, "the command ended with status 2");
    assert_result(fixture, 6 + attempt, RESULT_PASSED, NULL);
  }
  g_assert_cmpint(size_of(fixture, "s.a%3Ab.stdout"), ==, strlen("colon\n"));
  g_assert_cmpint(size_of(fixture, "s.a_b~2.stdout"), ==, strlen("line\n"));
}

/* Whatever writes too much is ended, with what it wrote first; the others are not. */
static void test_too_much(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *name, *command, *message;
  } floods[] = {
      {"stdout", "head -c 100000000 /dev/zero; sleep 100", "it wrote more than 64K on its standard output (output-limit)"},
      {"stderr", "head -c 100000000 /dev/zero >&2; sleep 100", "it wrote more than 64K on its standard error (output-limit)"},
      {"console", "head -c 100000000 /dev/zero >&4; sleep 100", "it wrote more than 64K on the kernel's console (output-limit)"},
  };
  gint64 start = g_get_monotonic_time();

  for (unsigned i = 0; i < G_N_ELEMENTS(floods); i++)
    add_case(fixture, floods[i].name, floods[i].command)->output_limit = 64 * KIB;
  SuiteCase *wanted = add_case(fixture, "wanted", "yes");
  wanted->output_limit = 64 * KIB;
  wanted->outcome = EXPECT_TOO_MUCH_OUTPUT;
  add_case(fixture, "just", "head -c 65536 /dev/zero; head -c 65536 /dev/zero >&2")->output_limit = 64 * KIB;
  add_case(fixture, "at-once", "head -c 65537 /dev/zero")->output_limit = 64 * KIB;
  run(fixture, true, 1);
  for (unsigned i = 0; i < G_N_ELEMENTS(floods); i++) {
    g_autofree char *file = g_strdup_printf("s.%s.%s", floods[i].name, floods[i].name);
    assert_result(fixture, i, RESULT_FAILED, floods[i].message);
    g_assert_cmpstr(result_of(fixture, i)->outcome, ==, "too-much-output");
    g_assert_cmpint(size_of(fixture, file), ==, 64 * KIB);
  }
  assert_result(fixture, 3, RESULT_PASSED, NULL);
  assert_result(fixture, 4, RESULT_PASSED, NULL);
  assert_result(fixture, 5, RESULT_FAILED, floods[0].message); /* though it had ended by itself */
  g_assert_cmpint(size_of(fixture, "s.just.stdout"), ==, 64 * KIB);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 50 * G_USEC_PER_SEC);
}

/* The last lines of a failure are for people: few, and none is long. */
static void test_details(Fixture *fixture, gconstpointer data) {
  add_case(fixture, "long-lines", "for i in {1..100}; do head -c 20000 /dev/zero | tr '\\0' x; echo \" $i\"; done >&2; exit 1");
  add_case(fixture, "no-end", "head -c 1000000 /dev/zero | tr '\\0' y >&2; exit 1");
  run(fixture, false, 1);
  const char *lines = result_of(fixture, 0)->details, *one = result_of(fixture, 1)->details;
  g_auto(GStrv) parts = g_strsplit(lines, "\n", -1);
  g_assert_cmpuint(g_strv_length(parts), ==, 60 + 1);
  g_assert_cmpuint(strlen(lines), <, 60 * 600);
  g_assert_true(g_str_has_prefix(lines, "xxxxxx"));
  g_assert_cmpuint(strlen(one), <, 600);
  g_assert_nonnull(strstr(one, "yyy..."));
}

/* A process of the case's that lives on with its descriptors keeps nobody waiting. */
static void test_left_over(Fixture *fixture, gconstpointer data) {
  gint64 start = g_get_monotonic_time();

  add_case(fixture, "leaves", "sleep 30 & echo $! > /dev/stderr; exit 1");
  run(fixture, false, 1);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
  kill((pid_t)g_ascii_strtoll(result_of(fixture, 0)->details, NULL, 10), SIGKILL);
}

typedef struct {
  unsigned n, most;
} Census;

/* How many cases have files in the directory for temporary ones. */
static void count_files(void *opaque, const CaseResult *result) {
  Census *census = opaque;
  g_autoptr(GDir) dir = g_dir_open(g_get_tmp_dir(), 0, NULL);
  unsigned n = 0;

  for (const char *name; (name = g_dir_read_name(dir));)
    n += g_str_has_prefix(name, "eret-test-");
  census->most = MAX(census->most, n);
  census->n++;
}

/* Files that nobody asked for go when their case ends, not at the end of all. */
static void test_temporary_files(Fixture *fixture, gconstpointer data) {
  Census census = {0};
  const RunnerOptions options = {.eret = fixture->eret, .jobs = 1, .repeat = 6, .finished = count_files, .opaque = &census};
  bool interrupted;

  add_case(fixture, "one", "echo one");
  fixture->results = runner_run(fixture->cases, &options, &interrupted, NULL);
  g_assert_cmpuint(census.n, ==, 6);
  g_assert_cmpuint(census.most, ==, 1); /* the fixture's */
}

/* Files that cannot be written are the host's fault, and not taken for a guest that says nothing. */
static void test_no_room(Fixture *fixture, gconstpointer data) {
  const SuiteCase *full = add_case(fixture, "full", "echo text; sleep 100");
  g_autofree char *path = g_build_filename(fixture->logs, "s.full.stdout", NULL);

  g_assert_nonnull(full);
  g_assert_cmpint(g_mkdir_with_parents(fixture->logs, 0755), ==, 0);
  g_assert_cmpint(symlink("/dev/full", path), ==, 0);
  run(fixture, true, 1);
  assert_result(fixture, 0, RESULT_ERROR, "its standard output cannot be kept: No space left on device");
}

/* Nor does a command get a part of its input for the whole. */
static void test_no_room_for_input(Fixture *fixture, gconstpointer data) {
  SuiteCase *fed = add_case(fixture, "fed", "wc -c");
  const struct rlimit limit = {.rlim_cur = 64 * KIB, .rlim_max = RLIM_INFINITY};
  struct rlimit before;

  fed->stdin_text = g_bytes_new_take(g_strnfill(65 * KIB, 'x'), 65 * KIB);
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
  run(fixture, true, 1);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  assert_result(fixture, 0, RESULT_ERROR, "its standard input cannot be provided: File too large");
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer)) {
  g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char *argv[]) {
  char temporary[] = "/tmp/eret-runner-XXXXXX"; /* nobody else's: files in it are counted */

  setlocale(LC_ALL, "C.UTF-8");
  g_assert_nonnull(mkdtemp(temporary));
  g_assert_true(g_setenv("TMPDIR", temporary, true));
  g_test_init(&argc, &argv, NULL);
  add("/runner/streams", test_streams);
  add("/runner/names", test_names);
  add("/runner/too-much", test_too_much);
  add("/runner/details", test_details);
  add("/runner/left-over", test_left_over);
  add("/runner/no-room", test_no_room);
  add("/runner/no-room-for-input", test_no_room_for_input);
  add("/runner/temporary-files", test_temporary_files);
  int status = g_test_run();
  rmdir(temporary);
  return status;
}
