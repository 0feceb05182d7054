/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file mapped for reading, which may be truncated or rewritten by others meanwhile. A page that the file no longer
 * has reads as zeros instead of ending the process, and mapped_file_check tells: whoever reads a mapping checks
 * afterwards, before what was read is put to use.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct MappedFile MappedFile;

typedef enum {
  MAPPED_FILE_READ_ONCE, /* the descriptor is closed; only what was missing is noticed, and a file that grows is none of our business */
  MAPPED_FILE_KEPT,      /* it is kept: the file must stay what it was, size and time of modification */
} MappedFileUse;

/* Maps PATH, a regular file that is not made as it is read. Errors: G_FILE_ERROR, without the path. */
MappedFile *mapped_file_open(const char *path, MappedFileUse use, GError **error);
/* The same of FD, which is taken over, also on failure; PATH is for the messages of mapped_file_check. */
MappedFile *mapped_file_new_take_fd(int fd, const char *path, MappedFileUse use, GError **error);
MappedFile *mapped_file_ref(MappedFile *file);
void mapped_file_free(MappedFile *file); /* one reference; takes NULL; the mapping lives as long as bytes of it do */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MappedFile, mapped_file_free)

/* The contents, with a reference for the caller. */
GBytes *mapped_file_bytes(MappedFile *file);
/* Its pages in this process are given back; they come from the file again when they are read. */
void mapped_file_let_go(MappedFile *file);

/*
 * Whether everything read from it until now was the file's, and, where it is kept, the file is unchanged. The error
 * names PATH. Any thread.
 */
bool mapped_file_check(const MappedFile *file, GError **error);
/*
 * For errors in what was read: where the file does not pass mapped_file_check, that is the reason, and takes the place
 * of *ERROR.
 */
void mapped_file_blame(const MappedFile *file, GError **error);
