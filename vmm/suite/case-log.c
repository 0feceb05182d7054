/* SPDX-License-Identifier: Apache-2.0 */
/* See case-log.h. */
#define _GNU_SOURCE
#include "vmm/suite/case-log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define END_LINES      60
#define END_LINE_BYTES 500

static void write_part(FILE *file, const CaseLogPart *part) {
  gsize size;
  const char *data = g_bytes_get_data(part->bytes, &size);

  fprintf(file, "--- %s\n", part->title);
  if (size == 0)
    return;
  fwrite(data, 1, size, file);
  if (data[size - 1] != '\n')
    putc('\n', file);
}

bool case_log_write(const char *path, const char *head, const CaseLogPart *parts, unsigned n, GError **error) {
  FILE *file = fopen(path, "we");
  int why = errno;

  if (file) {
    fputs(head, file);
    for (unsigned i = 0; i < n; i++)
      write_part(file, &parts[i]);
    bool failed = fflush(file) != 0 || ferror(file);
    why = errno;
    fclose(file);
    if (!failed)
      return true;
  }
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(why), "cannot write '%s': %s", path, g_strerror(why));
  return false;
}

/* Where the last N lines of SIZE bytes at TEXT begin. */
static const char *find_last_lines(const char *text, gsize size, unsigned n) {
  const char *start = text + size;

  if (size && start[-1] == '\n')
    start--;
  for (; n; n--) {
    const char *end = memrchr(text, '\n', (size_t)(start - text));
    if (!end)
      return text;
    start = end;
  }
  return start + 1;
}

char *case_log_end(GBytes *text) {
  gsize size;
  const char *data = g_bytes_get_data(text, &size), *end = data + size;
  g_autoptr(GString) out = g_string_new(NULL);

  if (!size)
    return NULL;
  for (const char *line = find_last_lines(data, size, END_LINES); line < end;) {
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    line_end = line_end ? line_end : end;
    g_string_append_len(out, line, MIN(line_end - line, END_LINE_BYTES));
    if (line_end - line > END_LINE_BYTES)
      g_string_append(out, "...");
    if (line_end < end)
      g_string_append_c(out, '\n');
    line = line_end + 1;
  }
  return g_utf8_make_valid(out->str, (gssize)out->len);
}
