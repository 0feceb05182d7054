/* SPDX-License-Identifier: Apache-2.0 */
/* The living line is on standard error, so that standard output is the same everywhere. */
#include "vmm/cmd/test-progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "vmm/suite/report-text.h"

#define REFRESH_MS      500
#define COLUMNS_DEFAULT 80

struct Progress {
  unsigned total, passed, failed, skipped;
  GPtrArray *running; /* of char *: names */
  bool lines, lives, shown;
  gint64 start;
  guint timer;
};

static unsigned columns(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : COLUMNS_DEFAULT;
}

static void show(Progress *progress) {
  unsigned done = progress->passed + progress->failed + progress->skipped;
  unsigned seconds = (unsigned)((g_get_monotonic_time() - progress->start) / G_USEC_PER_SEC);
  g_autoptr(GString) line = g_string_new(NULL);

  if (!progress->lives)
    return;
  g_string_append_printf(line, "%u/%u  %u passed  %u failed", done, progress->total, progress->passed, progress->failed);
  if (progress->skipped)
    g_string_append_printf(line, "  %u skipped", progress->skipped);
  g_string_append_printf(line, "  %u:%02u", seconds / 60, seconds % 60);
  for (unsigned i = 0; i < progress->running->len; i++)
    g_string_append_printf(line, "%s%s", i ? ", " : "  running: ", (const char *)g_ptr_array_index(progress->running, i));
  g_autofree char *shown = g_utf8_substring(line->str, 0, MIN(g_utf8_strlen(line->str, -1), columns() - 1));
  message_show_status(shown);
  progress->shown = true;
}

void progress_clear(Progress *progress) {
  if (!progress->shown)
    return;
  message_show_status(NULL);
  progress->shown = false;
}

static gboolean on_timer(gpointer data) {
  show(data);
  return G_SOURCE_CONTINUE;
}

Progress *progress_new(unsigned total, bool lines) {
  Progress *progress = g_new0(Progress, 1);

  progress->total = total;
  progress->lines = lines;
  progress->lives = isatty(STDERR_FILENO);
  progress->running = g_ptr_array_new_with_free_func(g_free);
  progress->start = g_get_monotonic_time();
  if (progress->lives)
    progress->timer = g_timeout_add(REFRESH_MS, on_timer, progress);
  return progress;
}

void progress_free(Progress *progress) {
  if (!progress)
    return;
  progress_clear(progress);
  if (progress->timer)
    g_source_remove(progress->timer);
  g_ptr_array_unref(progress->running);
  g_free(progress);
}

void progress_started(Progress *progress, const SuiteCase *suite_case, unsigned attempt) {
  g_ptr_array_add(progress->running, report_name(suite_case->suite, suite_case->name));
  show(progress);
}

void progress_finished(Progress *progress, const CaseResult *result) {
  static const char *const words[] = {
      [RESULT_PASSED] = "passed ", [RESULT_FAILED] = "FAILED ", [RESULT_SKIPPED] = "skipped", [RESULT_ERROR] = "ERROR  "};
  bool good = result->kind == RESULT_PASSED;
  g_autofree char *name = report_name(result->suite, result->name);

  unsigned place;
  if (g_ptr_array_find_with_equal_func(progress->running, name, g_str_equal, &place))
    g_ptr_array_remove_index(progress->running, place);
  progress->passed += good;
  progress->skipped += result->kind == RESULT_SKIPPED;
  progress->failed += result->kind == RESULT_FAILED || result->kind == RESULT_ERROR;
  if (progress->lines) {
    progress_clear(progress);
    printf("%s  %s", words[result->kind], name);
    if (result->attempt > 1)
      printf(" (attempt %u)", result->attempt);
    if (result->kind != RESULT_SKIPPED)
      printf("  %.1f s", result->seconds);
    g_autofree char *message = good ? NULL : report_line(result->message);
    if (message)
      printf(": %s", message);
    putchar('\n');
    fflush(stdout);
  }
  show(progress);
}
