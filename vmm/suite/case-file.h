/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a case: their names, and what people read of what it wrote, which is any bytes. No lock. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define CASE_FILE_NAME_MAX 215 /* bytes: leaves room for a suffix, such as ".console", below the 255 of Linux's file systems (NAME_MAX) */

/*
 * What the names of the files of an attempt (from 1) at a case begin with, as "boot.console[kernel=6.12]~2": letters,
 * digits and "_-+=,@[]" as they are, dots as well but for those of the suite's name, other bytes as "%3A". A long one
 * ends in a hash (SHA-256) of all of it. Two attempts have the same only where suite, name and attempt are the same; no
 * name is longer than CASE_FILE_NAME_MAX. Free with g_free.
 */
char *case_file_name(const char *suite, const char *name, unsigned attempt);

/* HEAD, then each of N PARTS, as they were written, behind its title. Nothing of it is copied in memory. */
bool case_file_write(const char *path, const char *head, const char *const *titles, GBytes *const *parts, unsigned n, GError **error);
/* The last lines of TEXT, at most 60, of each the first 500 bytes, and "..." where there were more; valid UTF-8.
 * NULL: there is none. Free with g_free. */
char *case_file_end(GBytes *text);
