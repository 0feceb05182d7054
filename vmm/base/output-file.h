/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that the user asked for by an option: a report, a device tree, a recording. There is one way to write all of
 * them:
 *
 * - It is opened before the work begins, so that a place where nothing can be written is known at once.
 * - A regular file is replaced when its contents are whole: it is the old one or the new one at any time. Owner and
 *   mode of an existing file stay. Where it cannot be replaced (its directory may not be written, its owner is another,
 *   it has a second name) it is written in place.
 * - Symbolic links are followed, and stay. What is no regular file (a device, a FIFO) is written to.
 * - "-" is standard output; /dev/fd/N, /dev/stdout and /dev/stderr are descriptors that the process was started with,
 *   which go on where they are.
 *
 * Errors are of G_FILE_ERROR and say "cannot write 'PATH': REASON".
 *
 * No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct OutputFile OutputFile;

/* A FIFO waits for a reader, for some seconds; nothing else waits. */
OutputFile *output_file_open(const char *path, GError **error);
/* The whole contents. Once more: they replace the earlier ones, or follow them where the file is no regular one. */
bool output_file_write(OutputFile *file, const void *bytes, size_t size, GError **error);
/* What was not written stays as it was. Takes NULL. */
void output_file_free(OutputFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OutputFile, output_file_free)

/*
 * For contents that grow while others may read them already: the same file, emptied, and written in place. Close with
 * fclose, and ask what it returns.
 */
FILE *output_file_stream(const char *path, GError **error);

/*
 * The path behind the links at the end of PATH, where there may be nothing yet; or the descriptor, in *FD, that they
 * lead to, which is otherwise -1. NULL: there are too many links. Free with g_free.
 */
char *output_file_target(const char *path, int *fd);
/* Whether PATH leads to standard output by one of its names. */
bool output_file_is_stdout(const char *path);

/*
 * Between the two, a write to a pipe that nobody reads, or beyond the process's limit for files, is an error code and
 * not the end of the process. Of the thread that calls them.
 */
typedef struct {
  sigset_t before;
} OutputGuard;
void output_guard_begin(OutputGuard *guard);
void output_guard_end(OutputGuard *guard); /* leaves errno as it is */
