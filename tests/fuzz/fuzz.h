/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets of `make fuzz` share. A target is a file fuzz-NAME.c with the one function that libFuzzer calls with
 * each input, any bytes; what is wrong ends the process: a sanitizer's finding, a failed assertion, a critical message.
 * The same targets run in the tests over their kept inputs, with replay.c in libFuzzer's place. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* LLVM, docs/LibFuzzer.rst: the target's, and that of fuzz.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The input as numbers and pieces; behind its end are zeros. */
typedef struct {
  const uint8_t *at;
  size_t left;
} FuzzInput;

/* The next N bytes, at most 8, little-endian. */
uint64_t fuzz_number(FuzzInput *input, unsigned n);
/* One of 0 .. N - 1. */
unsigned fuzz_below(FuzzInput *input, unsigned n);
/* Up to MAX of the next bytes, as they are; *SIZE of them. */
const uint8_t *fuzz_bytes(FuzzInput *input, size_t max, size_t *size);
/* The next bytes up to a line feed, or all; ended by a NUL. Free with g_free. */
char *fuzz_line(FuzzInput *input);

/*
 * A copy with nothing behind it, so that a step beyond is seen. Free with g_free; the second is ended by a NUL.
 */
uint8_t *fuzz_copy(const void *bytes, size_t size);
char *fuzz_text(const void *bytes, size_t size);

/* A file of these bytes, without a name of its own: its path leads to FD. */
typedef struct {
  int fd;
  char path[32];
} FuzzFile;

void fuzz_file_init(FuzzFile *file, const void *bytes, size_t size);
void fuzz_file_clear(FuzzFile *file);
