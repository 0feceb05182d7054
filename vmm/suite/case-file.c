/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: the first dot is the one behind the suite's name, in which dots are escaped; '~' is escaped everywhere and
 * stands only before what is not part of the names. So each name can be read back to what it was made of, a long one
 * but for its hash.
 */
#define _GNU_SOURCE
#include "vmm/suite/case-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_MAX  200 /* of suite and name; a longer one is cut and hashed */
#define PREFIX_MAX 128 /* of it that is left before the hash */

#define END_LINES      60
#define END_LINE_BYTES 500

static void append_escaped(GString *out, const char *text, const char *plain) {
  for (; *text; text++)
    if (g_ascii_isalnum(*text) || strchr(plain, *text))
      g_string_append_c(out, *text);
    else
      g_string_append_printf(out, "%%%02X", (guint)(guchar)*text);
}

char *case_file_name(const char *suite, const char *name, unsigned attempt) {
  GString *out = g_string_new(NULL);

  append_escaped(out, suite, "_-+=,@[]");
  g_string_append_c(out, '.');
  append_escaped(out, name, "_-+=,@[].");
  if (out->len > PLAIN_MAX) {
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, out->str, -1);
    g_string_truncate(out, PREFIX_MAX);
    g_string_append_printf(out, "~%s", hash);
  }
  if (attempt > 1)
    g_string_append_printf(out, "~%u", attempt);
  return g_string_free(out, FALSE);
}

/* Logs. */

static void write_part(FILE *file, const char *title, GBytes *part) {
  gsize size;
  const char *data = g_bytes_get_data(part, &size);

  fprintf(file, "--- %s\n", title);
  if (size == 0)
    return;
  fwrite(data, 1, size, file);
  if (data[size - 1] != '\n')
    putc('\n', file);
}

bool case_file_write(const char *path, const char *head, const char *const *titles, GBytes *const *parts, unsigned n, GError **error) {
  FILE *file = fopen(path, "we");
  int why = errno;

  if (file) {
    fputs(head, file);
    for (unsigned i = 0; i < n; i++)
      write_part(file, titles[i], parts[i]);
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

char *case_file_end(GBytes *text) {
  gsize size;
  const char *data = g_bytes_get_data(text, &size);

  if (!size)
    return NULL;
  const char *end = data + size;
  g_autoptr(GString) out = g_string_new(NULL);
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
