/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads DIR/samples of a run, prints the table, and writes DIR/bench.json and DIR/bench.svg.
 *
 *   bench-report DIR
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/report/report.h"
#include "vmm/base/descriptors.h"
#include "vmm/base/output-file.h"

static bool write_file(const char *directory, const char *name, const char *text, GError **error) {
  g_autofree char *path = g_build_filename(directory, name, NULL);
  g_autoptr(OutputFile) file = output_file_open(path, error);

  return file && output_file_write(file, text, strlen(text), error);
}

static bool report(const char *directory, GError **error) {
  g_autofree char *path = g_build_filename(directory, "samples", NULL), *text = NULL;

  if (!g_file_get_contents(path, &text, NULL, error))
    return false;
  g_autoptr(Samples) samples = samples_parse(text, error);
  if (!samples)
    return false;
  g_autoptr(GArray) rows = rows_new(samples);
  g_autofree char *table = bench_table(samples, rows), *json = bench_json(samples, rows), *chart = bench_chart(samples, rows);

  fputs(table, stdout);
  return write_file(directory, "bench.json", json, error) && write_file(directory, "bench.svg", chart, error);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;

  if (!descriptors_keep_standard())
    return 1;
  if (argc != 2) {
    fprintf(stderr, "usage: bench-report DIR\n");
    return 2;
  }
  if (report(argv[1], &error)) {
    if (fclose(stdout) == 0)
      return 0;
    g_set_error(&error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot write standard output");
  }
  fprintf(stderr, "bench-report: %s\n", error->message);
  return 1;
}
