/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that the options of one run name, so that none is written that another option reads or writes: what was in
 * it would be lost. They are told apart by what they are and not by how they are spelled: a link, symbolic or hard, is
 * the file that it leads to. Files are regular files and block devices; a terminal, a pipe or /dev/null may be named as
 * often as one likes, and of directories nothing is known here. An output that is not there yet is known by its place.
 *
 * They are to be told before anything is opened for writing. No lock: one thread.
 */
#pragma once

#include <glib.h>

typedef GHashTable NamedFiles; /* of which nobody else needs to know what is in it */

NamedFiles *named_files_new(void);
void named_files_free(NamedFiles *files); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NamedFiles, named_files_free)

/*
 * OPTION names PATH, to be read or to be written; NULL is none. What does not go together with a file that was named
 * before becomes a line of MISTAKES, "OPTION: ...", of the option that writes. As an output "-" is standard output;
 * outputs that share a descriptor (/dev/fd/N) are no mistake, as they follow one another there.
 */
void named_files_read(NamedFiles *files, const char *option, const char *path, GString *mistakes);
void named_files_write(NamedFiles *files, const char *option, const char *path, GString *mistakes);
/* What OTHER reads is read here, too: as "PREFIX OPTION". */
void named_files_read_all(NamedFiles *files, const char *prefix, const NamedFiles *other, GString *mistakes);
