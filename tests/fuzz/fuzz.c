/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share: see fuzz.h. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t fuzz_number(FuzzInput *input, unsigned n) {
  uint64_t number = 0;
  size_t size;
  const uint8_t *bytes = fuzz_bytes(input, n, &size);

  for (size_t i = 0; i < size; i++)
    number |= (uint64_t)bytes[i] << 8 * i;
  return number;
}

unsigned fuzz_below(FuzzInput *input, unsigned n) {
  return (unsigned)(fuzz_number(input, n <= 256 ? 1 : 4) % n);
}

const uint8_t *fuzz_bytes(FuzzInput *input, size_t max, size_t *size) {
  const uint8_t *bytes = input->at;

  *size = MIN(max, input->left);
  if (*size) {
    input->at += *size;
    input->left -= *size;
  }
  return bytes;
}

char *fuzz_line(FuzzInput *input) {
  const uint8_t *end = input->left ? memchr(input->at, '\n', input->left) : NULL;
  size_t size;
  const uint8_t *bytes = fuzz_bytes(input, end ? (size_t)(end - input->at) + 1 : input->left, &size);

  return fuzz_text(bytes, end && size ? size - 1 : size);
}

uint8_t *fuzz_copy(const void *bytes, size_t size) {
  uint8_t *copy = malloc(MAX(size, 1));

  if (size)
    memcpy(copy, bytes, size);
  return copy;
}

char *fuzz_text(const void *bytes, size_t size) {
  char *text = malloc(size + 1);

  if (size)
    memcpy(text, bytes, size);
  text[size] = 0;
  return text;
}

void fuzz_file_init(FuzzFile *file, const void *bytes, size_t size) {
  file->fd = memfd_create("input", MFD_CLOEXEC);
  g_assert_cmpint(file->fd, >=, 0);
  g_assert_cmpint(write(file->fd, bytes, size), ==, (gssize)size);
  snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

void fuzz_file_clear(FuzzFile *file) {
  close(file->fd);
}

static bool is_own(const GLogField *fields, gsize n) {
  for (gsize i = 0; i < n; i++)
    if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0)
      return strcmp(fields[i].value, G_LOG_DOMAIN) == 0;
  return true;
}

/*
 * What is told of an input is nobody's to read; what is a fault of the program ends it, and so is what a library warns
 * of.
 */
static GLogWriterOutput judge(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque) {
  bool is_fault = level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) || (level & G_LOG_LEVEL_WARNING && !is_own(fields, n));

  if (!is_fault)
    return G_LOG_WRITER_HANDLED;
  g_log_writer_standard_streams(level, fields, n, opaque);
  abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  g_log_set_writer_func(judge, NULL, NULL);
  g_setenv("PATH", "/nonexistent", TRUE); /* nothing is to be started */
  return 0;
}
