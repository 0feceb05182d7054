/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `eret test` shows while it runs, on a terminal and in a pipe: vmm/cmd/test-progress.c. Standard output and
 * standard error are the test's while it looks at them.
 */
#define _GNU_SOURCE
#include "vmm/cmd/test-progress.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct {
  int out, err; /* to read from */
  int old_out, old_err;
} Streams;

static void replace(int fd, int by) {
  fflush(NULL);
  g_assert_cmpint(dup2(by, fd), ==, fd);
  close(by);
}

static void take_streams(Streams *streams, bool terminal) {
  int out[2], err[2];

  streams->old_out = dup(STDOUT_FILENO);
  streams->old_err = dup(STDERR_FILENO);
  g_assert_cmpint(pipe(out), ==, 0);
  if (terminal) {
    const struct winsize size = {.ws_row = 24, .ws_col = 70};
    err[0] = posix_openpt(O_RDWR | O_NOCTTY);
    g_assert_cmpint(grantpt(err[0]), ==, 0);
    g_assert_cmpint(unlockpt(err[0]), ==, 0);
    err[1] = open(ptsname(err[0]), O_RDWR | O_NOCTTY);
    g_assert_cmpint(ioctl(err[1], TIOCSWINSZ, &size), ==, 0);
  } else {
    g_assert_cmpint(pipe(err), ==, 0);
  }
  streams->out = out[0];
  streams->err = err[0];
  replace(STDOUT_FILENO, out[1]);
  replace(STDERR_FILENO, err[1]);
}

/* Until its end: a terminal's bytes arrive when the kernel finds the time. */
static char *read_stream(int fd) {
  GString *text = g_string_new(NULL);
  char buffer[4096];

  for (ssize_t size; (size = read(fd, buffer, sizeof(buffer))) > 0;)
    g_string_append_len(text, buffer, size);
  close(fd);
  return g_string_free(text, FALSE);
}

/* Gives them back; what was written is OUT and ERR. */
static void give_streams(Streams *streams, char **out, char **err) {
  replace(STDOUT_FILENO, streams->old_out);
  replace(STDERR_FILENO, streams->old_err);
  *out = read_stream(streams->out);
  *err = read_stream(streams->err);
}

/* Two cases side by side, of which one passes and one fails in words of the guest's. */
static void run(bool lines) {
  SuiteCase first = {.suite = (char *)"s", .name = (char *)"first"},
            second = {.suite = (char *)"s", .name = (char *)"second[with=a,long=name]"};
  Progress *progress = progress_new(3, lines);
  CaseResult *result = case_result_new("s", "first");

  progress_started(progress, &first, 1);
  progress_started(progress, &second, 1);
  result->seconds = 1.25;
  progress_finished(progress, result);
  case_result_free(result);
  result = case_result_new("s", "second[with=a,long=name]");
  result->kind = RESULT_FAILED;
  result->attempt = 2;
  result->message = g_strdup("panic: \x1b[2J");
  progress_finished(progress, result);
  case_result_free(result);
  progress_free(progress);
}

static void test_pipe(void) {
  g_autofree char *out = NULL, *err = NULL;
  Streams streams;

  take_streams(&streams, false);
  run(true);
  give_streams(&streams, &out, &err);
  g_assert_cmpstr(err, ==, "");
  g_assert_true(g_str_has_prefix(out, "passed   s/first  1.2 s\nFAILED   s/second[with=a,long=name] (attempt 2)  0.0 s: panic: "));
  g_assert_null(strchr(out, '\x1b'));
}

static void test_terminal(void) {
  g_autofree char *out = NULL, *err = NULL;
  Streams streams;

  take_streams(&streams, true);
  run(true);
  give_streams(&streams, &out, &err);
  g_assert_true(g_str_has_prefix(out, "passed   s/first"));
  g_assert_nonnull(strstr(err, "0/3  0 passed  0 failed  0:00  running: s/first, s/second"));
  g_assert_nonnull(strstr(err, "1/3  1 passed  0 failed  0:00  running: s/second"));
  g_assert_nonnull(strstr(err, "2/3  1 passed  1 failed"));
  g_assert_true(g_str_has_suffix(err, "\r\033[K")); /* nothing is left of it */
  g_auto(GStrv) shown = g_strsplit(err, "\r\033[K", -1);
  for (char **line = shown; *line; line++)
    g_assert_cmpuint(strlen(*line), <, 70);
}

static void test_tap(void) {
  g_autofree char *out = NULL, *err = NULL;
  Streams streams;

  take_streams(&streams, true);
  run(false);
  give_streams(&streams, &out, &err);
  g_assert_cmpstr(out, ==, "");
  g_assert_nonnull(strstr(err, "2/3  1 passed  1 failed"));
}

/* A suite is named by its file. */
static void test_file_name(void) {
  static const char name[] = "a\x1b[2J\xc2\x9b\xff\xe2\x80\xae";
  const SuiteCase suite_case = {.suite = (char *)name, .name = (char *)"t"};
  g_autofree char *out = NULL, *err = NULL;
  Streams streams;

  take_streams(&streams, true);
  Progress *progress = progress_new(1, true);
  CaseResult *result = case_result_new(name, "t");
  progress_started(progress, &suite_case, 1);
  progress_finished(progress, result);
  case_result_free(result);
  progress_free(progress);
  give_streams(&streams, &out, &err);
  g_assert_true(g_str_has_prefix(out, "passed   a?[2J?\xef\xbf\xbd?/t  0.0 s"));
  g_assert_nonnull(strstr(err, "running: a?[2J?\xef\xbf\xbd?/t"));
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/progress/pipe", test_pipe);
  g_test_add_func("/progress/terminal", test_terminal);
  g_test_add_func("/progress/tap", test_tap);
  g_test_add_func("/progress/file-name", test_file_name);
  return g_test_run();
}
