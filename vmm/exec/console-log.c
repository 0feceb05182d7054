/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is written to the file when it is complete, so that its time is that of its beginning and the file has whole
 * lines for who follows it.
 */
#include "vmm/exec/console-log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/base/output-file.h"

#define LINE_MAX_SIZE 4096
#define STAMP_SIZE    16 /* about: the time before a line, and its end */

struct ConsoleLog {
  FILE *file; /* or NULL */
  char *path;
  uint64_t room; /* bytes that the file may still take */
  bool lost;     /* something of it could not be written */
  GString *line;
  uint64_t start_ns, line_ns;
  GQueue tail; /* of char *: the last lines */
  unsigned tail_lines;
};

ConsoleLog *console_log_new(const char *path, uint64_t file_max, unsigned tail_lines, uint64_t start_ns, GError **error) {
  FILE *file = path ? output_file_stream(path, error) : NULL;

  if (path && !file) {
    g_prefix_error(error, "--console-log: ");
    return NULL;
  }
  ConsoleLog *log = g_new0(ConsoleLog, 1);
  log->file = file;
  log->path = g_strdup(path);
  log->room = file_max;
  log->line = g_string_new(NULL);
  log->start_ns = start_ns;
  log->tail_lines = tail_lines;
  g_queue_init(&log->tail);
  return log;
}

/* The guest goes on without its log; the end of the run tells. */
static void lose(ConsoleLog *log) {
  g_warning("--console-log: '%s' cannot be written any more: %s", log->path, g_strerror(errno));
  log->lost = true;
}

static void close_file(ConsoleLog *log) {
  OutputGuard guard;

  output_guard_begin(&guard);
  bool closed = !log->file || fclose(g_steal_pointer(&log->file)) == 0;
  output_guard_end(&guard);
  if (!closed && !log->lost)
    lose(log);
}

/* No guest fills the host's disk. Its last lines are kept all the same. */
static bool has_room(ConsoleLog *log) {
  uint64_t size = log->line->len + STAMP_SIZE;

  if (size <= log->room) {
    log->room -= size;
    return true;
  }
  g_warning("--console-log: '%s' is full; the rest of the console is left out of it", log->path);
  fputs("(the rest is left out: this file is full)\n", log->file);
  return false;
}

static void write_to_file(ConsoleLog *log) {
  uint64_t us = (log->line_ns - log->start_ns) / 1000;
  OutputGuard guard;

  if (!log->file)
    return;
  output_guard_begin(&guard);
  bool room = has_room(log);
  if (room) {
    fprintf(log->file, "[%5" G_GUINT64_FORMAT ".%06u] ", us / 1000000, (unsigned)(us % 1000000));
    fwrite(log->line->str, 1, log->line->len, log->file);
    putc('\n', log->file);
  }
  bool written = fflush(log->file) == 0;
  output_guard_end(&guard);
  if (!written)
    lose(log);
  if (!written || !room)
    close_file(log);
}

static void end_line(ConsoleLog *log) {
  if (log->line->len && log->line->str[log->line->len - 1] == '\r')
    g_string_truncate(log->line, log->line->len - 1);
  write_to_file(log);
  g_queue_push_tail(&log->tail, printable(log->line->str, (gssize)log->line->len));
  if (g_queue_get_length(&log->tail) > log->tail_lines)
    g_free(g_queue_pop_head(&log->tail));
  g_string_truncate(log->line, 0);
}

void console_log_write(ConsoleLog *log, const void *bytes, size_t size, uint64_t ns) {
  const char *text = bytes;

  for (size_t i = 0; i < size; i++) {
    if (log->line->len == 0)
      log->line_ns = ns;
    if (text[i] != '\n')
      g_string_append_c(log->line, text[i]);
    if (text[i] == '\n' || log->line->len == LINE_MAX_SIZE)
      end_line(log);
  }
}

char *console_log_tail(const ConsoleLog *log) {
  GString *text = g_string_new(NULL);

  for (const GList *link = log->tail.head; link; link = link->next)
    g_string_append_printf(text, "  %s\n", (const char *)link->data);
  if (log->line->len) {
    g_autofree char *line = printable(log->line->str, (gssize)log->line->len);
    g_string_append_printf(text, "  %s\n", line);
  }
  return g_string_free(text, FALSE);
}

bool console_log_finish(ConsoleLog *log) {
  if (log->line->len)
    write_to_file(log);
  close_file(log);
  return !log->lost;
}

void console_log_free(ConsoleLog *log) {
  if (!log)
    return;
  console_log_finish(log);
  g_queue_clear_full(&log->tail, g_free);
  g_string_free(log->line, TRUE);
  g_free(log->path);
  g_free(log);
}
